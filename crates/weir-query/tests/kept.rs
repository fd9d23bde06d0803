//! Questions about what is no longer all there: records that retention dropped while their sums
//! are kept, and blocks that are damaged.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weir_model::columns::flows;
use weir_model::{Addr, Clock, ColumnId, Cube, FlowBatch, Grain, Table, Timestamp};
use weir_query::{
    Answer, AnswerValue, Cancel, Query, QueryError, QueryLimits, RecordsPage, RecordsQuery, export,
    records, run,
};
use weir_store::{DiskFiles, Retention, Store, StorePolicy, Tier};

/// 2026-11-20T12:00:00Z.
struct Noon;
impl Clock for Noon {
    fn now(&self) -> Timestamp {
        at("12:00:00")
    }
}

fn at(time: &str) -> Timestamp {
    format!("2026-11-20T{time}Z").parse().unwrap()
}

#[derive(Clone, Copy)]
struct Row {
    time: i64,
    src: u8,
    proto: u8,
    port: u16,
    system: u32,
    octets: u64,
    rate: u32,
}

/// One row each 7 s of the three hours before noon.
fn rows() -> Vec<Row> {
    let row = |n: i64| Row {
        time: at("09:00:00").0 + n * 7_000_000_000,
        src: (n % 5) as u8,
        proto: if n % 3 == 0 { 6 } else { 17 },
        port: [443, 53, 123][n as usize % 3],
        system: 64_512 + (n % 2) as u32,
        octets: 100 + n as u64,
        rate: if n % 4 == 0 { 10 } else { 1 },
    };
    (0..).map(row).take_while(|row| row.time < at("12:00:00").0).collect()
}

fn batch(rows: &[Row]) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(rows.len());
    for (slot, row) in rows.iter().enumerate() {
        batch.set(flows::RECEIVED_AT, slot, row.time);
        batch.set(flows::SRC_ADDR, slot, Addr::v4(0x0a00_0000 + u32::from(row.src)));
        batch.set(flows::PROTO, slot, row.proto);
        batch.set(flows::DST_PORT, slot, row.port);
        batch.set(flows::SRC_AS, slot, row.system);
        batch.set(flows::OCTETS, slot, row.octets);
        batch.set(flows::SAMPLING_RATE, slot, row.rate);
    }
    batch.seal();
    batch
}

struct Folder(PathBuf);
impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

fn folder(name: &str) -> Folder {
    Folder(std::env::temp_dir().join(format!("weir-kept-{name}-{}", std::process::id())))
}

fn open(dir: &Path, retention: Retention) -> Store {
    let mut policy = StorePolicy::new(dir);
    policy.retention = retention;
    policy.disk_free_min = 0;
    policy.compaction.enabled = false;
    policy.lanes = 1;
    policy.maintenance_interval = Duration::from_secs(3_600);
    Store::open(policy, Arc::new(Noon), Arc::new(DiskFiles)).unwrap().0
}

/// A segment for each 20 minutes, closed with its sums.
fn filled(name: &str) -> Folder {
    let folder = folder(name);
    for rows in rows().chunk_by(|a, b| a.time / 1_200_000_000_000 == b.time / 1_200_000_000_000) {
        let store = open(&folder.0, Retention::default());
        store.append(&batch(rows)).unwrap();
        store.close().unwrap();
    }
    folder
}

fn minutes(n: u64) -> Option<Duration> {
    Some(Duration::from_secs(n * 60))
}

/// The same store after retention ran: records of the last hour, 1-minute sums of the last two,
/// the coarser ones of all three.
fn thinned(name: &str) -> (Store, Folder) {
    let folder = filled(name);
    let keep = Retention { flows: minutes(60), minute: minutes(120), ..Retention::default() };
    let store = open(&folder.0, keep);
    store.maintain().unwrap();
    (store, folder)
}

fn ask(store: &Store, from: &str, to: &str, keys: &[&str], measures: &[&str]) -> Answer {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let query = Query {
        from: at(from).to_string(),
        to: at(to).to_string(),
        group_by: words(keys),
        measures: words(measures),
        limit: None,
        ..Query::default()
    };
    run(&store.snapshot(), &query, &QueryLimits::default(), &Cancel::new(), &Noon).unwrap()
}

fn key(row: &Row, name: &str) -> AnswerValue {
    match name {
        "src_addr" => AnswerValue::Addr(Addr::v4(0x0a00_0000 + u32::from(row.src))),
        "proto" => AnswerValue::U64(row.proto.into()),
        "dst_port" => AnswerValue::U64(row.port.into()),
        "src_as" => AnswerValue::U64(row.system.into()),
        name => panic!("{name}"),
    }
}

type Sums = BTreeMap<String, (u64, u64)>;

/// Scaled octets and records of the rows between two times, row by row.
fn expected(from: &str, to: &str, keys: &[&str]) -> Sums {
    let mut sums = Sums::new();
    for row in rows().iter().filter(|row| (at(from).0..at(to).0).contains(&row.time)) {
        let values: Vec<AnswerValue> = keys.iter().map(|name| key(row, name)).collect();
        let sum = sums.entry(format!("{values:?}")).or_default();
        *sum = (sum.0 + row.octets * u64::from(row.rate), sum.1 + 1);
    }
    sums
}

fn sums(answer: &Answer, keys: usize) -> Sums {
    let rows = answer.columns[0].values.len();
    let value = |column: usize, row: usize| answer.columns[column].values[row].clone();
    let number = |column, row| match value(column, row) {
        AnswerValue::U64(n) => n,
        other => panic!("{other:?}"),
    };
    let line = |row| {
        let values: Vec<AnswerValue> = (0..keys).map(|column| value(column, row)).collect();
        (format!("{values:?}"), (number(keys, row), number(keys + 1, row)))
    };
    (0..rows).map(line).collect()
}

const KEYS: [&[&str]; 5] = [&[], &["proto"], &["proto", "dst_port"], &["src_as"], &["src_addr"]];

/// Whether addresses are summed by five minutes, or only by the hour.
fn by_five_minutes() -> bool {
    Cube::Sources.kept_at(Grain::FiveMinutes)
}

#[test]
fn sums_of_dropped_records_come_from_the_finest_rollup_that_is_left() {
    let (store, _folder) = thinned("sums");
    for (from, to, tiers) in [
        ("09:00:00", "12:00:00", "1h"),
        ("09:05:00", "11:35:00", "1h+5m"),
        ("09:05:00", "09:55:00", "5m"),
        ("10:10:00", "12:00:00", "1h+5m"),
    ] {
        let addresses = from == "09:00:00" || by_five_minutes();
        for keys in KEYS.into_iter().filter(|keys| addresses || keys != &["src_addr"]) {
            let answer = ask(&store, from, to, keys, &["octets", "flows"]);
            assert_eq!(sums(&answer, keys.len()), expected(from, to, keys), "{from} {to} {keys:?}");
            assert_eq!((answer.stats.tier.as_str(), answer.stats.notes.len()), (tiers, 0));
        }
    }
    // 1-minute sums are kept of the last two hours.
    let answer = ask(&store, "10:21:00", "11:33:00", &["proto"], &["octets", "flows"]);
    assert_eq!(sums(&answer, 1), expected("10:21:00", "11:33:00", &["proto"]));
    assert_eq!((answer.stats.tier.as_str(), answer.stats.notes.len()), ("5m+1m", 0));
}

#[test]
fn an_edge_whose_records_are_gone_is_widened_to_what_is_kept_and_the_answer_says_so() {
    let (store, _folder) = thinned("edges");
    let dropped = "records received up to 2026-11-20T10:59:56Z were dropped by retention, \
                   and rollups hold whole buckets";
    let addresses = if by_five_minutes() { "10:20:00" } else { "10:00:00" };
    for (from, to, keys, read_from, read_to) in [
        ("10:21:30", "11:30:10", ["proto"], "10:21:00", "11:30:10"),
        ("09:21:30", "11:30:10", ["proto"], "09:20:00", "11:30:10"),
        ("10:21:30", "11:30:10", ["src_addr"], addresses, "11:30:10"),
        ("09:21:30", "09:22:00", ["proto"], "09:20:00", "09:25:00"),
    ] {
        let answer = ask(&store, from, to, &keys, &["octets", "flows"]);
        assert_eq!(sums(&answer, 1), expected(read_from, read_to, &keys), "{from} {to} {keys:?}");
        let mut notes = Vec::new();
        if from != read_from {
            let (from, read) = (at(from), at(read_from));
            notes.push(format!("the range starts at {read} instead of {from}: {dropped}"));
        }
        if to != read_to {
            let (to, read) = (at(to), at(read_to));
            notes.push(format!("the range ends at {read} instead of {to}: {dropped}"));
        }
        assert_eq!(answer.stats.notes, notes);
    }
    // Rates divide by the range that was read: 5 minutes.
    let answer = ask(&store, "09:21:30", "09:22:00", &[], &["fps", "flows"]);
    let AnswerValue::U64(records) = answer.columns[1].values[0] else { panic!() };
    assert_eq!(answer.columns[0].values, [AnswerValue::F64(records as f64 / 300.0)]);
}

#[test]
fn what_only_records_can_answer_says_from_when_on_there_are_any() {
    let (store, folder) = thinned("records");
    let last = "2026-11-20T10:59:56Z";
    let says = |notes: &[String]| {
        assert!(notes.len() == 1 && notes[0].contains(last), "{notes:?}");
    };
    for (keys, measure) in [
        (["src_addr", "dst_port"], "octets"),
        (["proto", "src_as"], "octets"),
        (["proto", "dst_port"], "p95(octets)"),
        (["proto", "dst_port"], "distinct(src_addr)"),
    ] {
        let answer = ask(&store, "10:00:00", "12:00:00", &keys, &[measure]);
        assert_eq!(answer.stats.tier, "raw");
        says(&answer.stats.notes);
        let kept = ask(&store, "11:00:00", "12:00:00", &keys, &[measure]);
        assert_eq!(kept.columns, answer.columns);
        assert!(kept.stats.notes.is_empty());
    }
    let fine = Query { from: at("10:00:00").to_string(), bucket: Some("10s".into()), ..all() };
    says(&answer(&store, &fine).stats.notes);
    says(&page(&store).stats.notes);
    // The store still knows after a restart, also one that only reads.
    store.close().unwrap();
    let (store, _) = Store::open_read_only(&folder.0, Arc::new(DiskFiles)).unwrap();
    says(&page(&store).stats.notes);
    says(&ask(&store, "09:00:00", "12:00:00", &[], &["avg(octets)"]).stats.notes);
}

#[test]
fn a_range_of_which_nothing_is_left_is_not_silently_empty() {
    let folder = filled("nothing");
    let keep = minutes(60);
    let retention = Retention {
        flows: keep,
        minute: keep,
        five_minutes: keep,
        hour: keep,
        octets_max: None,
        counters: None,
        options: None,
    };
    let store = open(&folder.0, retention);
    store.maintain().unwrap();
    let answer = ask(&store, "09:00:00", "10:00:00", &[], &["flows"]);
    assert_eq!(answer.columns[0].values, [AnswerValue::U64(0)]);
    assert_eq!(
        answer.stats.notes,
        ["records received up to 2026-11-20T10:59:56Z were dropped by retention, and so were the \
          rollups of this range: nothing is kept"]
    );
    let answer = ask(&store, "09:00:00", "12:00:00", &[], &["octets", "flows"]);
    assert_eq!(sums(&answer, 0), expected("11:00:00", "12:00:00", &[]));
    assert!(
        answer.stats.notes[0]
            .contains("nothing is kept of the time before 2026-11-20T10:59:56.000000001Z")
    );
}

fn all() -> Query {
    Query {
        from: at("09:00:00").to_string(),
        measures: ["flows", "p95(octets)", "distinct(received_at)", "distinct(src_addr)"]
            .map(String::from)
            .into(),
        ..Query::default()
    }
}

fn answer(store: &Store, query: &Query) -> Answer {
    run(&store.snapshot(), query, &QueryLimits::default(), &Cancel::new(), &Noon).unwrap()
}

fn page(store: &Store) -> RecordsPage {
    let from = at("09:00:00").to_string();
    let query = RecordsQuery { from, limit: 10_000, ..RecordsQuery::default() };
    records(&store.snapshot(), &query, &QueryLimits::default(), &Cancel::new(), &Noon).unwrap()
}

#[test]
fn an_export_hands_out_every_row_that_the_pages_have() {
    let folder = filled("export");
    let store = open(&folder.0, Retention::default());
    store.append(&batch(&rows()[..40])).unwrap();
    for filter in ["", "proto = tcp and src_addr != 10.0.0.2", "octets > 1000000"] {
        let query = RecordsQuery {
            from: at("09:00:30").to_string(),
            to: at("11:59:00").to_string(),
            filter: filter.into(),
            limit: 10_000,
            ..RecordsQuery::default()
        };
        let (limits, cancel) = (QueryLimits::default(), Cancel::new());
        let page = records(&store.snapshot(), &query, &limits, &cancel, &Noon).unwrap();
        let mut wanted = lines(&page.rows);
        let mut found = Vec::new();
        let stats = export(&store.snapshot(), &query, &limits, &cancel, &Noon, |batch| {
            found.extend(lines(&batch));
            Ok::<(), QueryError>(())
        });
        wanted.sort();
        found.sort();
        assert_eq!(found, wanted, "{filter}");
        assert_eq!(stats.unwrap().rows_matched, wanted.len() as u64);
    }
}

fn lines(batch: &FlowBatch) -> Vec<String> {
    let line = |row| {
        let mut line = Vec::new();
        weir_model::json::write_row(batch, row, &mut line);
        String::from_utf8(line).unwrap()
    };
    (0..batch.rows()).map(line).collect()
}

fn segment_file(dir: &Path) -> PathBuf {
    let inside = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let found = inside.map(|path| if path.is_dir() { segment_file(&path) } else { path });
    found.min().unwrap()
}

#[test]
fn a_flipped_octet_costs_one_block_and_is_told_to_asker_and_store() {
    let folder = folder("damage");
    let store = open(&folder.0, Retention::default());
    let rows = rows();
    for rows in rows.chunks(rows.len().div_ceil(3)) {
        store.append(&batch(rows)).unwrap();
        store.flush().unwrap();
    }
    store.close().unwrap();
    drop(store);
    let file = segment_file(&folder.0.join("segments/flows"));
    let whole = std::fs::read(&file).unwrap();
    let (first, length, block) = {
        let store = open(&folder.0, Retention::default());
        let snapshot = store.snapshot();
        let segment = snapshot.segments(Table::Flows, Tier::Raw).next().unwrap();
        assert_eq!(segment.block_count(), 3);
        let index = segment.index().unwrap();
        let info = index.block(1).unwrap();
        let ids = (0..400).map(ColumnId);
        let length: usize = ids.map(|id| info.octets(id)).sum();
        (info.offset() as usize + 44, length, info.rows())
    };
    let name = file.file_name().unwrap().to_str().unwrap();
    let mut damaged = 0;
    for offset in (first..first + length).step_by(length / 40 + 1) {
        let mut octets = whole.clone();
        octets[offset] ^= 0x10;
        std::fs::write(&file, octets).unwrap();
        let store = open(&folder.0, Retention::default());
        let answer = answer(&store, &all());
        let left = if answer.stats.blocks_damaged > 0 { rows.len() - block } else { rows.len() };
        assert_eq!(answer.columns[0].values, [AnswerValue::U64(left as u64)]);
        let page = page(&store);
        assert_eq!((page.rows.rows(), page.stats.blocks_damaged), (rows.len() - block, 1));
        assert!(page.stats.notes[0].contains(name), "{:?}", page.stats.notes);
        if answer.stats.blocks_damaged > 0 {
            damaged += 1;
            assert_eq!(answer.stats.blocks_damaged, 1);
            assert!(answer.stats.notes[0].contains(name), "{:?}", answer.stats.notes);
        }
        let told = store.health().damaged;
        assert!(told.len() == 1 && told[0].file.ends_with(name), "{told:?}");
        store.close().unwrap();
    }
    assert!(damaged > 0);
}
