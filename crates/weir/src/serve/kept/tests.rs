use std::sync::Arc;

use super::*;
use weir_model::FlowBatch;
use weir_store::{DiskFiles, Store, StorePolicy};
use weir_testkit::FakeClock;

const US: [u8; 16] = [1; 16];
const OTHERS: [u8; 16] = [2; 16];
const START: i64 = 1_763_600_000;

struct Bench {
    folder: std::path::PathBuf,
    store: Store,
    clock: Arc<FakeClock>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.store.close().unwrap();
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn bench(name: &str) -> Bench {
    let name = format!("weir-kept-{name}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(START)));
    let policy = StorePolicy::new(&folder);
    let (store, _) = Store::open(policy, clock.clone(), Arc::new(DiskFiles)).unwrap();
    Bench { folder, store, clock }
}

impl Bench {
    /// Appends messages of (instance, domain): each a number and how many rows it has.
    fn append(&self, seconds: i64, instance: [u8; 16], domain: u32, messages: &[(u64, usize)]) {
        self.append_to(Table::Flows, seconds, instance, domain, messages);
    }

    fn append_to(
        &self,
        table: Table,
        seconds: i64,
        instance: [u8; 16],
        domain: u32,
        messages: &[(u64, usize)],
    ) {
        let (_, columns) = TABLES.into_iter().find(|(known, _)| *known == table).unwrap();
        self.clock.set(Timestamp::from_seconds(START + seconds));
        let mut batch = FlowBatch::new(table);
        for &(number, rows) in messages {
            let start = batch.append_rows(rows);
            let code = batch.interner_mut().intern(&instance);
            batch.fill(columns.received, start, rows, (START + seconds) * 1_000_000_000);
            batch.fill(columns.instance, start, rows, code);
            batch.fill(columns.sequence, start, rows, number);
            batch.fill(columns.domain, start, rows, domain);
        }
        batch.seal();
        self.store.append(&batch).unwrap();
        // Each in a block of its own.
        self.store.flush().unwrap();
    }

    /// Starts and ends of ranges.
    fn kept(&self, domain: u32, first: u64) -> Vec<(u64, u64)> {
        let kept = kept(&self.store.snapshot(), &US, domain, first);
        assert_eq!(kept.until, u64::MAX);
        kept.numbers.into_iter().map(|range| (range.start, range.end)).collect()
    }
}

#[test]
fn numbers_of_this_exporter_and_domain_are_told_from_the_first_on() {
    let bench = bench("numbers");
    let mut plain = FlowBatch::new(Table::Flows);
    plain.append_rows(5);
    plain.fill(flows::RECEIVED_AT, 0, 5, START * 1_000_000_000);
    plain.seal();
    bench.store.append(&plain).unwrap();
    bench.append(0, US, 7, &[(0, 10), (10, 5), (15, 5)]);
    bench.append(0, OTHERS, 7, &[(20, 10), (30, 1)]);
    bench.append(1, US, 8, &[(20, 10)]);
    bench.append(1, US, 7, &[(40, 2), (42, 2), (50, 2)]);
    for _ in 0..2 {
        // Messages that follow each other are one range, up to the start of the last.
        assert_eq!(bench.kept(7, 0), [(0, 16), (40, 43), (50, 51)]);
        assert_eq!(bench.kept(7, 15), [(15, 16), (40, 43), (50, 51)]);
        assert_eq!(bench.kept(8, 0), [(20, 21)]);
        assert_eq!((bench.kept(9, 0), bench.kept(7, 51)), (vec![], vec![]));
        // The same from closed segments.
        bench.clock.set(Timestamp::from_seconds(START + 3_700));
        bench.store.flush().unwrap();
        bench.store.maintain().unwrap();
    }
}

#[test]
fn numbers_in_counters_and_options_are_told_with_those_of_flows() {
    let bench = bench("tables");
    // As Weir kept them before these tables had numbers.
    for table in [Table::Counters, Table::Options] {
        let mut old = FlowBatch::new(table);
        old.append_rows(3);
        old.fill(ColumnId(0), 0, 3, START * 1_000_000_000);
        old.seal();
        bench.store.append(&old).unwrap();
    }
    bench.append(0, US, 7, &[(0, 10), (13, 2)]);
    bench.append_to(Table::Counters, 0, US, 7, &[(10, 3), (15, 2)]);
    bench.append_to(Table::Counters, 0, US, 8, &[(40, 3)]);
    bench.append_to(Table::Options, 0, US, 7, &[(17, 1), (30, 1)]);
    bench.append_to(Table::Options, 0, OTHERS, 7, &[(20, 1)]);
    for _ in 0..2 {
        assert_eq!(bench.kept(7, 0), [(0, 18), (30, 31)]);
        assert_eq!(bench.kept(7, 14), [(15, 18), (30, 31)]);
        assert_eq!(bench.kept(8, 0), [(40, 41)]);
        bench.clock.set(Timestamp::from_seconds(START + 3_700));
        bench.store.flush().unwrap();
        bench.store.maintain().unwrap();
    }
}

#[test]
fn a_message_that_is_there_twice_makes_no_other_one_kept() {
    let bench = bench("twice");
    bench.append(0, US, 1, &[(0, 5)]);
    bench.append(1, US, 1, &[(0, 5)]);
    assert_eq!(bench.kept(1, 0), [(0, 1)], "message 5 never came");
}

#[test]
fn the_search_ends_where_lower_numbers_are_met() {
    let bench = bench("ends");
    // A number that the exporter cannot have used before the lower one: only a search that goes on
    // finds it.
    bench.append(0, US, 1, &[(1_000, 1)]);
    bench.append(200, US, 1, &[(5, 1)]);
    bench.append(201, US, 1, &[(10, 1)]);
    assert_eq!(bench.kept(1, 6), [(10, 11)]);
    assert_eq!(bench.kept(1, 5), [(5, 6), (10, 11), (1_000, 1_001)]);
}

#[test]
fn more_than_fits_one_answer_is_asked_for_again() {
    let bench = bench("more");
    let scattered: Vec<(u64, usize)> = (0..70_000).map(|i| (i * 2, 1)).collect();
    for part in scattered.chunks(60_000) {
        bench.append(0, US, 1, part);
    }
    let snapshot = bench.store.snapshot();
    let first = kept(&snapshot, &US, 1, 0);
    assert_eq!((first.numbers.len(), first.until), (RANGES_MAX, 2 * RANGES_MAX as u64));
    let rest = kept(&snapshot, &US, 1, first.until);
    assert_eq!((rest.numbers.len(), rest.until), (70_000 - RANGES_MAX, u64::MAX));
}
