//! What encoding, size and scanning of the store cost on flows like those of a busy cluster:
//! 20,000 endpoints, popularity Zipf 1.1, 30 % of records continue a recent connection, 8
//! exporters, 100,000 records a second.
//!
//! `cargo run --release -p weir-store --example encode_bench [millions of rows [phase]]`. CPU time of the
//! one thread that works, medians of 5.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::sync::Arc;

use weir_model::columns::flows;
use weir_model::{FlowBatch, Table, Timestamp, Values};
use weir_store::{BlockColumn, BlockData, Segment, SegmentHead, SegmentId, SegmentWriter, Tier};

#[path = "shared/traffic.rs"]
mod traffic;

use traffic::{ROWS, START, Traffic};

fn main() {
    let mut args = std::env::args().skip(1);
    let millions = args.next().and_then(|arg| arg.parse::<usize>().ok()).unwrap_or(2);
    let only = args.next();
    let wanted = |phase: &str| only.as_deref().is_none_or(|only| only == phase);
    let blocks = (millions * 1_000_000).div_ceil(ROWS);
    let mut traffic = Traffic::new();
    let batches: Vec<FlowBatch> = (0..blocks).map(|_| traffic.batch(ROWS)).collect();
    println!("{:.1} M rows in {blocks} blocks", (blocks * ROWS) as f64 / 1e6);
    if wanted("encode") {
        encode(&batches);
    }
    let quick = only.as_deref() != Some("full");
    if wanted("light") {
        light(&batches[..blocks.min(4)]);
    }
    let file = encoded(&batches, quick);
    let segment = Segment::open(Arc::new(file), SegmentId(1)).expect("the bench wrote it");
    if wanted("columns") || !quick {
        by_column(&segment);
    }
    if wanted("scan") || !quick {
        scan(&segment);
    }
    if wanted("read") {
        read(&segment);
    }
}

fn writer(quick: bool, out: &mut Vec<u8>) -> SegmentWriter {
    if quick { SegmentWriter::quick(head(), out) } else { SegmentWriter::new(head(), out) }
}

fn encoded(batches: &[FlowBatch], quick: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = writer(quick, &mut file);
    for batch in batches {
        writer.frame(batch, 0..batch.rows(), &mut file);
    }
    writer.footer(&mut file);
    file
}

/// The same with a buffer a frame, as the store does it; returns the octets there were.
fn encoded_len(batches: &[FlowBatch], quick: bool, frame: &mut Vec<u8>) -> usize {
    frame.clear();
    let mut writer = writer(quick, frame);
    let mut len = frame.len();
    for batch in batches {
        frame.clear();
        writer.frame(batch, 0..batch.rows(), frame);
        len += frame.len();
    }
    frame.clear();
    writer.footer(frame);
    len + frame.len()
}

fn encode(batches: &[FlowBatch]) {
    let rows = (batches.len() * ROWS) as f64;
    for (name, quick) in [("append", true), ("merge", false)] {
        let (mut len, mut frame) = (0, Vec::new());
        let seconds = median(|| len = encoded_len(batches, quick, &mut frame)) / rows * 1e6;
        let octets = len as f64 / rows;
        println!("{name:<11} {seconds:.3} CPU s per million rows, {octets:.2} octets a row");
    }
}

/// What small commits write: frames of 1,000 rows.
fn light(batches: &[FlowBatch]) {
    let mut file = Vec::new();
    let mut frames = 0;
    let seconds = median(|| {
        file.clear();
        frames = 0;
        let mut writer = SegmentWriter::new(head(), &mut file);
        for batch in batches {
            for start in (0..batch.rows()).step_by(1_000) {
                writer.frame(batch, start..start + 1_000, &mut file);
                frames += 1;
            }
        }
    });
    let rows = (batches.len() * ROWS) as f64;
    let (seconds, octets) = (seconds / rows * 1e6, file.len() as f64 / rows);
    println!("light       {seconds:.3} CPU s per million rows, {octets:.2} octets a row");
}

fn scan(segment: &Segment) {
    let dictionary = segment.dictionary().expect("the bench wrote it");
    let mut total = 0u64;
    let seconds = median(|| {
        let mut sums = vec![0u64; dictionary.addrs().len()];
        for block in 0..segment.block_count() {
            let data = segment.read(block, &[flows::SRC_ADDR, flows::OCTETS]);
            sum(&data.expect("the bench wrote it"), &mut sums);
        }
        total = sums.iter().sum();
    });
    let rate = segment.info().rows as f64 / seconds / 1e6;
    println!("sum by src  {rate:.0} M rows/s (total {total})");
}

/// What compaction pays to read.
fn read(segment: &Segment) {
    let blocks = segment.block_count().min(8);
    let mut rows = 0;
    let seconds = median(|| {
        rows = 0;
        for block in 0..blocks {
            rows += segment.read_batch(block).expect("the bench wrote it").rows();
        }
    });
    println!("read back   {:.3} CPU s per million rows, all columns", seconds / rows as f64 * 1e6);
}

fn head() -> SegmentHead {
    let created_at = Timestamp(START);
    SegmentHead { id: SegmentId(1), table: Table::Flows, tier: Tier::Raw, created_at }
}

fn sum(data: &BlockData, sums: &mut [u64]) {
    let sources = data.column(flows::SRC_ADDR);
    let octets = data.column(flows::OCTETS);
    if let BlockColumn::Values { data: Values::Code(codes), .. } = sources
        && let BlockColumn::Values { data: Values::U64(octets), .. } = octets
    {
        for (code, octets) in codes.iter().zip(octets) {
            if let Some(sum) = sums.get_mut(code.0 as usize) {
                *sum += octets;
            }
        }
    }
}

/// Octets a row and decoding time of each column.
fn by_column(segment: &Segment) {
    let rows = segment.info().rows as f64;
    let index = segment.index().expect("the bench wrote it");
    for def in Table::Flows.columns() {
        let octets: usize = (0..segment.block_count())
            .filter_map(|block| Some(index.block(block)?.octets(def.id)))
            .sum();
        if octets == 0 {
            continue;
        }
        let read = median(|| {
            for block in 0..segment.block_count() {
                segment.read(block, &[def.id]).expect("the bench wrote it");
            }
        });
        let (octets, rate) = (octets as f64 / rows, rows / read / 1e6);
        println!("  {:<20} {octets:>6.3} octets a row, {rate:>6.0} M rows/s", def.name);
    }
}

/// CPU seconds that `work` takes: median of 5 samples. The kernel counts in ticks of some
/// milliseconds, so a sample repeats the work until it has cost enough.
fn median(mut work: impl FnMut()) -> f64 {
    let mut seconds: Vec<f64> = (0..5)
        .map(|_| {
            let start = cpu_seconds();
            let mut times = 0.0;
            loop {
                work();
                times += 1.0;
                let cost = cpu_seconds() - start;
                if cost > 0.15 {
                    return cost / times;
                }
            }
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[2]
}

/// CPU time of this thread.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|word| word.parse::<u64>().ok());
    nanos.unwrap_or(0) as f64 / 1e9
}
