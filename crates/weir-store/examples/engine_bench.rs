//! What the life of a row costs in the store, from append to its merged segment, on real files:
//! CPU seconds of the whole process and octets on disk.
//!
//! `cargo run --release -p weir-store --example engine_bench [millions of rows] [folder] [rows a second] [rows a batch] [keep]`
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_model::columns::flows;
use weir_model::{Column, FlowBatch, SystemClock, Table, Values};
use weir_store::{DiskFiles, Store, StorePolicy, Tier};

#[path = "shared/traffic.rs"]
mod traffic;

use traffic::{ROWS, START, Traffic};

/// Distinct batches: they are appended in turn.
const BATCHES: usize = 32;

fn main() {
    let mut args = std::env::args().skip(1);
    let millions = args.next().and_then(|arg| arg.parse::<usize>().ok()).unwrap_or(10);
    let folder = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let rate = args.next().and_then(|arg| arg.parse::<usize>().ok()).unwrap_or(100_000);
    let size = args.next().and_then(|arg| arg.parse::<usize>().ok()).unwrap_or(ROWS);
    let keep = args.next().is_some();
    let dir = folder.join(format!("weir-engine-bench-{}", std::process::id()));
    let mut traffic = Traffic::new();
    let mut batches: Vec<_> = (0..BATCHES * ROWS / size).map(|_| traffic.batch(size)).collect();
    let count = (millions * 1_000_000).div_ceil(size);
    let rows = (count * size) as f64;

    let mut policy = StorePolicy::new(&dir);
    policy.compaction.enabled = false;
    policy.retention = weir_store::Retention::default();
    policy.maintenance_interval = Duration::from_secs(3600);
    let open = |policy: &StorePolicy| {
        Store::open(policy.clone(), Arc::new(SystemClock), Arc::new(DiskFiles))
    };
    let (store, _) = open(&policy).expect("a folder that can be written");
    let step = |name: &str, work: &mut dyn FnMut()| {
        let (cpu, wall) = (cpu_seconds(), Instant::now());
        work();
        let (cpu, wall) = (cpu_seconds() - cpu, wall.elapsed().as_secs_f64());
        println!(
            "{name:<28} {:.3} CPU s per million rows, {:.2} M rows/s of wall time",
            cpu / rows * 1e6,
            rows / wall / 1e6
        );
    };
    step("append and commit", &mut || {
        for n in 0..count {
            let at = n % batches.len();
            stamp(&mut batches[at], n * size, rate);
            while store.append(&batches[at]).is_err() {}
            if size < ROWS {
                store.snapshot();
            }
        }
        store.flush().expect("a disk with room");
    });
    step("close, with rollups", &mut || store.close().expect("a disk with room"));
    let sizes = |store: &Store| {
        for tier in store.health().tiers {
            println!(
                "  {:<8} {:<4} {:>3} segments, {:>10} rows, {:.2} octets per raw row",
                tier.table,
                tier.tier,
                tier.segments,
                tier.rows,
                tier.octets as f64 / rows
            );
        }
    };
    sizes(&store);
    drop(store);
    policy.compaction.enabled = true;
    policy.compaction.delay = Duration::ZERO;
    let late = Late(Duration::from_secs(365 * 86_400));
    let (store, _) = Store::open(
        StorePolicy { maintenance_interval: Duration::from_secs(3600), ..policy.clone() },
        Arc::new(late),
        Arc::new(DiskFiles),
    )
    .expect("the folder from before");
    step("merge", &mut || store.maintain().expect("a disk with room"));
    sizes(&store);
    let snapshot = store.snapshot();
    let raw: u64 =
        snapshot.segments(Table::Flows, Tier::Raw).map(|segment| segment.info().rows).sum();
    assert_eq!(raw as f64, rows, "every row is there once");
    println!("peak memory                  {}", peak_memory());
    store.close().expect("a disk with room");
    if keep {
        println!("kept                         {}", dir.display());
        return;
    }
    std::fs::remove_dir_all(&dir).expect("the bench made it");
}

/// Spreads the rows over time.
fn stamp(batch: &mut FlowBatch, first: usize, rate: usize) {
    let nanos = 1_000_000_000 / rate;
    let times = (first..first + batch.rows()).map(|row| START + (row / 18 * 18 * nanos) as i64);
    batch.set_column(
        flows::RECEIVED_AT,
        Column::Values { data: Values::I64(times.collect()), validity: None },
    );
}

/// The system's clock, ahead of time.
struct Late(Duration);

impl weir_model::Clock for Late {
    fn now(&self) -> weir_model::Timestamp {
        SystemClock.now().plus(self.0)
    }
}

/// CPU time of all threads that live or have lived.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|word| word.parse::<f64>().ok());
    (ticks(12).unwrap_or(0.0) + ticks(13).unwrap_or(0.0)) / 100.0
}

fn peak_memory() -> String {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(String::new, |value| value.trim().to_owned())
}
