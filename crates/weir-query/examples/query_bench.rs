//! What questions cost over flows like those of a busy cluster: 20,000 endpoints, popularity Zipf
//! 1.1, 30 % of records continue a recent connection, 8 exporters; written through the store.
//!
//! `cargo run --release -p weir-query --example query_bench [millions of rows] [rows a second]
//! [dashboards|needles|pages|all] [folder]`.
//! CPU time of the whole process and wall time, medians of 5 after one run to warm up; the wall
//! time of that first run, on a store opened for it alone, is told as cold (the system's cache of
//! pages is warm). At 100,000 rows a second 10 M rows are 100 s; at 1,157 a second 100 M rows are
//! a day. A folder is kept and used again.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use weir_model::columns::flows;
use weir_model::{Addr, Clock, FlowBatch, SystemClock, Table, Timestamp};
use weir_query::{
    Cancel, Directions, Query, QueryError, QueryLimits, RecordsQuery, export, records, run,
};
use weir_store::{DiskFiles, Retention, Snapshot, Store, StorePolicy};

const ROWS: usize = 65_536;
const ENDPOINTS: usize = 20_000;
/// 2026-11-20T00:00:00Z.
const START: i64 = 1_795_132_800_000_000_000;

/// What rollups answer; all that `dashboards` asks.
const DASHBOARDS: [&str; 7] = [
    "top 10 sources, no filter",
    "traffic by 5 minutes",
    "top protocols by 5 minutes",
    "top AS pairs",
    "top interfaces by hour",
    "top ports by 5 minutes",
    "top ports",
];

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let number = |at| std::env::args().nth(at).and_then(|arg| arg.parse::<u64>().ok());
    let rows = number(1).unwrap_or(10) * 1_000_000;
    let rate = number(2).unwrap_or(100_000);
    let own = std::env::temp_dir().join(format!("weir-query-bench-{}", std::process::id()));
    match std::env::args().nth(4) {
        Some(kept) => bench(&PathBuf::from(kept), rows, rate),
        None => {
            let outcome = bench(&own, rows, rate);
            std::fs::remove_dir_all(&own)?;
            outcome
        }
    }
}

/// What to look for in a store that was written before, one filter a line.
const NEEDLES: &str = "needles.txt";

/// Searches for connections drawn as the traffic draws them: popular ones are often drawn.
fn searches(keys: &[Key]) -> String {
    let line = |key: &Key| {
        format!(
            "src_addr = {} and dst_addr = {} and src_port = {} and dst_port = {} and proto = {}\n",
            address(key.src, key.v6),
            address(key.dst, key.v6),
            key.src_port,
            key.dst_port,
            key.proto
        )
    };
    keys.iter().map(line).collect()
}

fn bench(dir: &Path, rows: u64, rate: u64) -> Result<(), Failure> {
    if !dir.join(NEEDLES).exists() {
        let keys = write(dir, rows, rate)?;
        std::fs::write(dir.join(NEEDLES), searches(&keys))?;
    }
    let needles = std::fs::read_to_string(dir.join(NEEDLES))?;
    let needles: Vec<&str> = needles.lines().collect();
    let key = *needles.first().ok_or("no needle")?;
    let before = resident();
    let started = Instant::now();
    let (store, report) = Store::open_read_only(dir, Arc::new(DiskFiles))?;
    let snapshot = store.snapshot();
    println!("{} segments, {} rows", report.segments, report.rows);
    println!(
        "opened in {:.1} ms; resident {} kB before, {} kB after",
        started.elapsed().as_secs_f64() * 1e3,
        before,
        resident()
    );
    let to = Timestamp(START + (rows * 1_000_000_000 / rate) as i64 + 1_000_000_000);
    let asked = |group: &[&str], measure: &str, filter: &str, bucket: Option<&str>| Query {
        from: Timestamp(START).to_string(),
        to: to.to_string(),
        group_by: group.iter().map(|column| (*column).to_owned()).collect(),
        measures: vec![measure.to_owned()],
        filter: filter.to_owned(),
        bucket: bucket.map(str::to_owned),
        ..Query::default()
    };
    let tuple = ["src_addr", "dst_addr", "src_port", "dst_port", "proto"];
    let raw = "src_port >= 0";
    let asked_for = std::env::args().nth(3).unwrap_or_default();
    let split = |query| Query { directions: Directions::Split, ..query };
    let dashboards = asked_for == "dashboards";
    let needles_only = asked_for == "needles";
    // The same without ports; without destination and ports; then source or destination.
    let part = |count: usize| key.split(" and ").take(count).collect::<Vec<_>>().join(" and ");
    let (pair, source) = (part(2), part(1));
    let either = source.replace("src_addr", "addr");
    let service = format!("{pair} and {}", key.split(" and ").nth(3).unwrap_or_default());
    for (name, query) in [
        ("top 10 sources, raw rows", asked(&tuple[..1], "octets", raw, None)),
        ("top 10 sources, no filter", asked(&tuple[..1], "octets", "", None)),
        ("top 10 sources, both ways", asked(&tuple[..1], "both_octets", raw, None)),
        ("top 10 senders", split(asked(&tuple[..1], "both_octets", raw, None))),
        ("top 10 5-tuples", asked(&tuple, "octets", "", None)),
        ("top 10 5-tuples, both ways", asked(&tuple, "both_octets", "", None)),
        ("top 10 /24 pairs", asked(&["src_addr/24", "dst_addr/24"], "octets", "", None)),
        ("ports of one source", asked(&["dst_port"], "octets", "src_addr = 10.0.0.2", None)),
        ("of one /16, by port", asked(&["dst_port"], "octets", "src_addr in 10.0.0.0/16", None)),
        ("p95 octets by proto, raw", asked(&["proto"], "p95(octets)", "", None)),
        ("distinct dst by src, raw", asked(&["src_addr"], "distinct(dst_addr)", "", None)),
        ("needle by 5-tuple", asked(&[], "flows", key, None)),
        ("needle by pair and a port", asked(&[], "flows", &service, None)),
        ("needle by pair of addresses", asked(&[], "flows", &pair, None)),
        ("needle, addr =", asked(&[], "flows", &either, None)),
        ("traffic by 5 minutes", asked(&[], "bps", "", Some("5m"))),
        ("top protocols by 5 minutes", asked(&["proto"], "bps", "", Some("5m"))),
        ("top AS pairs", asked(&["src_as", "dst_as"], "octets", "", None)),
        ("top interfaces by hour", asked(&["exporter_addr", "in_if"], "bps", "", Some("1h"))),
        ("top ports by 5 minutes", asked(&["dst_port"], "bps", "", Some("5m"))),
        ("top ports", asked(&["dst_port"], "octets", "", None)),
        ("top ports, both ways, by 5 minutes", asked(&["dst_port"], "both_bps", "", Some("5m"))),
    ] {
        if dashboards && !DASHBOARDS.contains(&name) || needles_only && !name.starts_with("needle")
        {
            continue;
        }
        measure(name, dir, &snapshot, &query)?;
    }
    println!("resident {} kB after these", resident());
    if dashboards {
        return Ok(());
    }
    every_needle(&snapshot, &needles, &|filter| asked(&[], "flows", filter, None))?;
    let search = RecordsQuery {
        from: Timestamp(START).to_string(),
        to: to.to_string(),
        filter: key.to_owned(),
        ..RecordsQuery::default()
    };
    let limits = QueryLimits::default();
    let look = || records(&snapshot, &search, &limits, &Cancel::new(), &SystemClock);
    let found = look()?.rows.rows();
    let (cpu, wall) = median(|| look().map(drop))?;
    println!("{:<28} {cpu:>8.3} CPU s {:>9.1} ms  {found} rows", "needle, its records", wall * 1e3);
    if needles_only {
        return Ok(());
    }
    let everything = RecordsQuery { filter: String::new(), ..search };
    let (started, before, mut rows) = (Instant::now(), cpu_seconds(), 0);
    export(&snapshot, &everything, &limits, &Cancel::new(), &Still, |batch| {
        rows += batch.rows();
        Ok::<(), QueryError>(())
    })?;
    let (cpu, wall) = (cpu_seconds() - before, started.elapsed().as_secs_f64());
    println!("{:<28} {cpu:>8.3} CPU s {:>9.1} ms  {rows} rows", "export, every column", wall * 1e3);
    if asked_for == "pages" {
        pages(&snapshot, everything)?;
    }
    Ok(())
}

/// An export may take longer than a question: its clock stands still.
struct Still;
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(START)
    }
}

/// The same rows by pages of 65,536.
fn pages(snapshot: &Snapshot, mut search: RecordsQuery) -> Result<(), Failure> {
    let limits = QueryLimits { records: ROWS, ..QueryLimits::default() };
    search.limit = ROWS;
    let (started, mut rows, mut pages) = (Instant::now(), 0, 0);
    loop {
        let page = records(snapshot, &search, &limits, &Cancel::new(), &Still)?;
        (rows, pages, search.cursor) = (rows + page.rows.rows(), pages + 1, page.next);
        if pages % 16 == 0 {
            println!("  {rows} rows by pages in {:.1} s", started.elapsed().as_secs_f64());
        }
        if search.cursor.is_none() {
            return Ok(());
        }
    }
}

/// Wall time of every search once warm: median and worst, and the blocks they read.
fn every_needle(
    snapshot: &Snapshot,
    needles: &[&str],
    asked: &dyn Fn(&str) -> Query,
) -> Result<(), Failure> {
    let limits = QueryLimits::default();
    for (name, parts) in [("5-tuple", 5), ("pair and ports", 4), ("pair", 2), ("source", 1)] {
        let (mut walls, mut blocks) = (Vec::new(), Vec::new());
        for needle in needles {
            let filter = needle.split(" and ").take(parts).collect::<Vec<_>>().join(" and ");
            let query = asked(&format!("{filter} and src_port >= 0"));
            let started = Instant::now();
            let stats = run(snapshot, &query, &limits, &Cancel::new(), &SystemClock)?.stats;
            walls.push(started.elapsed().as_secs_f64() * 1e3);
            blocks.push(stats.blocks);
        }
        walls.sort_by(f64::total_cmp);
        blocks.sort_unstable();
        let at = |part: usize| (needles.len() - 1) * part / 10;
        println!(
            "{} needles by {name}: {:.1} ms median, {:.1} of nine tenths, {:.1} at most; blocks \
             read {} median, {} of nine tenths, {} at most",
            needles.len(),
            walls[at(5)],
            walls[at(9)],
            walls[at(10)],
            blocks[at(5)],
            blocks[at(9)],
            blocks[at(10)]
        );
    }
    Ok(())
}

/// Resident memory of this process in kB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn measure(name: &str, dir: &Path, snapshot: &Snapshot, query: &Query) -> Result<(), Failure> {
    let time = std::time::Duration::from_secs(600);
    let limits = QueryLimits { memory: 4 << 30, time, ..QueryLimits::default() };
    let (fresh, _) = Store::open_read_only(dir, Arc::new(DiskFiles))?;
    let fresh = fresh.snapshot();
    let started = Instant::now();
    run(&fresh, query, &limits, &Cancel::new(), &SystemClock)?;
    let cold = started.elapsed().as_secs_f64() * 1e3;
    drop(fresh);
    let ask = || run(snapshot, query, &limits, &Cancel::new(), &SystemClock);
    let stats = ask()?.stats;
    let (cpu, wall) = median(|| ask().map(drop))?;
    println!(
        "{name:<28} {cpu:>8.3} CPU s {:>9.1} ms ({cold:.1} cold)  tier {}, {} blocks read, {} \
         pruned, {} rows kept",
        wall * 1e3,
        stats.tier,
        stats.blocks,
        stats.blocks_pruned,
        stats.rows_matched
    );
    Ok(())
}

/// Median CPU and wall seconds of 5 runs.
fn median<E>(mut work: impl FnMut() -> Result<(), E>) -> Result<(f64, f64), E> {
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let (started, before) = (Instant::now(), cpu_seconds());
        work()?;
        cpu.push(cpu_seconds() - before);
        wall.push(started.elapsed().as_secs_f64());
    }
    cpu.sort_by(f64::total_cmp);
    wall.sort_by(f64::total_cmp);
    Ok((cpu[2], wall[2]))
}

/// CPU seconds of this process: user and system, in ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit(')').next().unwrap_or_default();
    let ticks = |at| after.split_whitespace().nth(at).and_then(|t: &str| t.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}

/// Writes the rows and gives back keys to look for.
fn write(dir: &Path, rows: u64, rate: u64) -> Result<Vec<Key>, Failure> {
    let mut policy = StorePolicy::new(dir);
    policy.retention = Retention::default();
    policy.lanes = 1;
    let (store, _) = Store::open(policy, Arc::new(SystemClock), Arc::new(DiskFiles))?;
    let mut traffic = Traffic::new(rate);
    let (started, mut cpu, mut left) = (Instant::now(), 0.0, rows as usize);
    while left > 0 {
        let batch = traffic.batch(left.min(ROWS));
        left -= batch.rows();
        let before = cpu_seconds();
        store.append(&batch)?;
        cpu += cpu_seconds() - before;
    }
    store.flush()?;
    store.close()?;
    println!(
        "{rows} rows written in {:.1} s, {cpu:.1} CPU s of it in append",
        started.elapsed().as_secs_f64()
    );
    Ok((0..20).map(|at| traffic.recent[17 + at * 3_001]).collect())
}

#[derive(Clone, Copy)]
struct Key {
    src: usize,
    dst: usize,
    src_port: u16,
    dst_port: u16,
    proto: u8,
    v6: bool,
}

struct Traffic {
    state: u64,
    rate: u64,
    popularity: Vec<f64>,
    scattered: Vec<usize>,
    recent: Vec<Key>,
    at: usize,
    row: u64,
}

const PORTS: [u16; 12] = [443, 8080, 53, 80, 5432, 6379, 9092, 50051, 3306, 9090, 27017, 8443];

impl Traffic {
    fn new(rate: u64) -> Traffic {
        let mut sum = 0.0;
        let weight = |rank: usize| {
            sum += (rank as f64 + 1.0).powf(-1.1);
            sum
        };
        let popularity = (0..ENDPOINTS).map(weight).collect();
        let scattered = (0..ENDPOINTS).collect();
        let (recent, at, row) = (Vec::new(), 0, 0);
        let mut traffic = Traffic { state: 7, rate, popularity, scattered, recent, at, row };
        for i in (1..ENDPOINTS).rev() {
            let j = traffic.below(i as u64 + 1) as usize;
            traffic.scattered.swap(i, j);
        }
        traffic
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.state;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn endpoint(&mut self) -> usize {
        let at = self.unit() * self.popularity[ENDPOINTS - 1];
        let rank = self.popularity.partition_point(|sum| *sum < at);
        self.scattered[rank.min(ENDPOINTS - 1)]
    }

    fn key(&mut self) -> Key {
        if self.recent.len() == ROWS && self.below(10) < 3 {
            let at = self.next() as usize % ROWS;
            return self.recent[at];
        }
        let (server, client) = (self.endpoint(), self.endpoint());
        let port = PORTS[self.below(12) as usize];
        let proto = match self.below(50) {
            0 => 1,
            _ if port == 53 => 17,
            _ => 6,
        };
        let client_port = 32_768 + self.below(28_232) as u16;
        let v6 = self.below(5) == 0;
        let key = match self.below(2) {
            0 => Key { src: client, dst: server, src_port: client_port, dst_port: port, proto, v6 },
            _ => Key { src: server, dst: client, src_port: port, dst_port: client_port, proto, v6 },
        };
        if self.recent.len() < ROWS {
            self.recent.push(key);
        } else {
            self.recent[self.at % ROWS] = key;
            self.at += 1;
        }
        key
    }

    fn batch(&mut self, rows: usize) -> FlowBatch {
        let mut batch = FlowBatch::new(Table::Flows);
        batch.append_rows(rows);
        batch.fill(flows::EXPORT_PROTOCOL, 0, rows, 10u8);
        batch.fill(flows::SAMPLING_RATE, 0, rows, 1u32);
        for row in 0..rows {
            self.fill_row(&mut batch, row);
        }
        batch.seal();
        batch
    }

    fn fill_row(&mut self, batch: &mut FlowBatch, row: usize) {
        let now = START + (self.row * 1_000_000_000 / self.rate) as i64;
        let exporter = (self.row / 18) as u32 % 8;
        self.row += 1;
        let key = self.key();
        let packets = ((1.0 - self.unit()).powf(-1.0 / 1.25) as u64).min(200_000);
        let size = if packets == 1 { 40 + self.below(81) } else { 60 + self.below(1_381) };
        let end = now / 1_000_000 - self.below(1_000) as i64;
        let duration = if packets == 1 { 0 } else { self.below(60_001) as i64 };
        let flags = [0x02u16, 0x18, 0x1b][self.below(3) as usize];
        let (src_node, dst_node) = (key.src / 110, key.dst / 110);
        batch.set(flows::RECEIVED_AT, row, now);
        batch.set(flows::FLOW_START, row, (end - duration) * 1_000_000);
        batch.set(flows::FLOW_END, row, end * 1_000_000);
        batch.set(flows::EXPORTER_ADDR, row, Addr::v4(0x7f00_0001 + exporter));
        batch.set(flows::OBSERVATION_DOMAIN, row, exporter + 1);
        batch.set(flows::SRC_ADDR, row, address(key.src, key.v6));
        batch.set(flows::DST_ADDR, row, address(key.dst, key.v6));
        batch.set(flows::SRC_PORT, row, key.src_port);
        batch.set(flows::DST_PORT, row, key.dst_port);
        batch.set(flows::PROTO, row, key.proto);
        let tos = if self.below(20) == 0 { 0xb8u8 } else { 0 };
        batch.set(flows::TOS, row, tos);
        batch.set(flows::TCP_FLAGS, row, if key.proto == 6 { flags } else { 0 });
        batch.set(flows::DIRECTION, row, key.src as u8 & 1);
        let reason = 1 + self.below(3) as u8;
        batch.set(flows::END_REASON, row, reason);
        batch.set(flows::IN_IF, row, 1 + key.src as u32 % 64);
        batch.set(flows::OUT_IF, row, 1 + key.dst as u32 % 64);
        batch.set(flows::SRC_AS, row, 64_512 + src_node as u32 % 512);
        batch.set(flows::DST_AS, row, 64_512 + dst_node as u32 % 512);
        batch.set(flows::NEXT_HOP, row, address(20_000 + dst_node, key.v6));
        batch.set(flows::OCTETS, row, packets * size);
        batch.set(flows::PACKETS, row, packets);
    }
}

fn address(endpoint: usize, v6: bool) -> Addr {
    let (node, pod) = (endpoint as u128 / 110, endpoint as u128 % 110 + 2);
    match v6 {
        true => Addr(0xfd00_0010 << 96 | node << 64 | pod),
        false => Addr::v4(0x0a00_0000 | (node as u32) << 8 | pod as u32),
    }
}
