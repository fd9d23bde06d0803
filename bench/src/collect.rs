//! The pipeline in one process, without API: sockets, ingest, store.
//!
//! Started by [`crate::pipeline`] as a process of its own, so that its CPU time and memory are not
//! mixed with the generator's. Says on standard output when it listens, and what it did.

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, Result};
use weir_ingest::{Ingest, IngestPolicy, Sink, SinkLoss, Verdict};
use weir_model::{Clock, FlowBatch, SystemClock, Timestamp};
use weir_query::{Cancel, Query, QueryLimits};
use weir_store::{DiskFiles, Store, StoreErrorKind, StorePolicy};
use weir_telemetry::Registry;
use weir_wire::Output;

use crate::sys;

/// What to collect, and where to.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// UDP address.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Data folder of the store; without it rows are thrown away.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Compact after the end, as an hour later.
    #[arg(long)]
    compact: bool,
    /// Ask for the top sources and the top 5-tuples before that.
    #[arg(long)]
    queries: bool,
}

/// The system's clock, which can be set forward: compaction waits for the end of an hour.
#[derive(Debug, Default)]
struct ForwardClock(AtomicI64);

impl Clock for ForwardClock {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.0.load(Ordering::Relaxed))
    }
}

struct StoreSink(Store);

impl StoreSink {
    fn append(&self, batch: &FlowBatch) -> Option<SinkLoss> {
        if batch.is_empty() {
            return None;
        }
        let error = self.0.append(batch).err()?;
        Some(match error.kind() {
            StoreErrorKind::DiskFull => SinkLoss::DiskFull,
            StoreErrorKind::Closed => SinkLoss::Closed,
            _ => SinkLoss::Io,
        })
    }
}

impl Sink for StoreSink {
    fn name(&self) -> &'static str {
        "store"
    }

    fn accept(&self, output: &mut Output) -> Verdict {
        Verdict {
            flows: self.append(&output.flows),
            counters: self.append(&output.counters),
            options: self.append(&output.options),
        }
    }
}

struct Nowhere;

impl Sink for Nowhere {
    fn name(&self) -> &'static str {
        "nowhere"
    }

    fn accept(&self, _: &mut Output) -> Verdict {
        Verdict::KEPT
    }
}

/// Collects until standard input ends.
pub fn run(options: &Options) -> Result<()> {
    let clock = Arc::new(ForwardClock::default());
    let store = match &options.data {
        Some(dir) => {
            let (store, _) = Store::open(store_policy(dir), clock.clone(), Arc::new(DiskFiles))?;
            Some(store)
        }
        None => None,
    };
    let sink: Arc<dyn Sink> = match &store {
        Some(store) => Arc::new(StoreSink(store.clone())),
        None => Arc::new(Nowhere),
    };
    let policy =
        IngestPolicy { udp: vec![options.listen], tcp: Vec::new(), ..IngestPolicy::default() };
    let ingest = Ingest::start(&policy, &Registry::new(), clock.clone(), sink)?;
    println!("listening {}", ingest.udp_addresses().first().context("no socket")?);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let status = ingest.stop();
    if let Some(store) = &store {
        store.flush()?;
    }
    let (cpu_durable, rss_mib) = (sys::process_cpu_seconds(), rss_mib());
    let octets_durable = store.as_ref().map_or(0, octets);
    let queries = match store.as_ref().filter(|_| options.queries) {
        Some(store) => {
            let five = ["src_addr", "dst_addr", "src_port", "dst_port", "proto"];
            [top(store, &["src_addr"], &*clock)?, top(store, &five, &*clock)?]
        }
        None => [0.0; 2],
    };
    let mut octets_compacted = octets_durable;
    if let Some(store) = &store {
        store.close()?;
    }
    if let Some(dir) = options.data.as_ref().filter(|_| options.compact) {
        octets_compacted = compact(dir, &clock)?;
    }
    let asked: f64 = queries.iter().sum();
    let cpu_compacted = sys::process_cpu_seconds() - asked;
    let books = &status.books;
    let kernel: u64 = status.sockets.iter().map(|socket| socket.kernel_dropped).sum();
    let missing: u64 = status.exporters.iter().map(|exporter| exporter.sequence.missing).sum();
    println!(
        "result flows={} dropped={} kernel={kernel} missing={missing} batches={} \
         cpu_durable={cpu_durable:.4} cpu_compacted={cpu_compacted:.4} \
         octets_durable={octets_durable} octets_compacted={octets_compacted} \
         rss_mib={rss_mib:.1} top_sources={:.4} top_tuples={:.4}",
        books.flows.kept,
        books.records.dropped_total() + books.messages.dropped_total(),
        books.batches,
        queries[0],
        queries[1],
    );
    Ok(())
}

/// CPU seconds of one top-ten query over everything.
fn top(store: &Store, group_by: &[&str], clock: &dyn Clock) -> Result<f64> {
    let query = Query {
        group_by: group_by.iter().map(|&column| column.to_owned()).collect(),
        measures: vec!["octets".to_owned()],
        ..Query::default()
    };
    let limits = QueryLimits { memory: 4 << 30, ..QueryLimits::default() };
    let before = sys::process_cpu_seconds();
    let answer = weir_query::run(&store.snapshot(), &query, &limits, &Cancel::new(), clock)?;
    let seconds = sys::process_cpu_seconds() - before;
    anyhow::ensure!(answer.columns.len() > group_by.len(), "the answer has no measure");
    Ok(seconds)
}

/// Most memory so far, in MiB.
fn rss_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib = line.trim().trim_end_matches(" kB").parse::<f64>();
    kib.map_or(0.0, |kib| kib / 1024.0)
}

/// Opens the closed store once more, two hours later, merges what can be merged, and says how many
/// octets its raw rows take then.
fn compact(dir: &Path, clock: &Arc<ForwardClock>) -> Result<u64> {
    clock.0.store(7_200_000_000_000, Ordering::Relaxed);
    let (store, _) = Store::open(store_policy(dir), clock.clone(), Arc::new(DiskFiles))?;
    store.maintain()?;
    let octets = octets(&store);
    store.close()?;
    Ok(octets)
}

fn store_policy(dir: &Path) -> StorePolicy {
    let mut policy = StorePolicy::new(dir);
    policy.compaction.core_share = 1.0;
    policy
}

fn octets(store: &Store) -> u64 {
    let tiers = store.health().tiers;
    tiers.iter().filter(|tier| tier.tier == "raw").map(|tier| tier.octets).sum()
}
