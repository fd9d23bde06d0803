//! The store on a file system that fails on purpose, checked against a list of row numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use weir_model::columns::{flows, rollups};
use weir_model::{Addr, ColumnId, Cube, FlowBatch, Grain, Scalar, Table, Timestamp};
use weir_testkit::FakeClock;

use super::core::Core;
use super::{Ticket, open_core};
use crate::error::StoreError;
use crate::files::faulty::Faulty;
use crate::health::OpenReport;
use crate::policy::{Retention, StorePolicy};
use crate::read::Snapshot;
use crate::segment::{Segment, Tier};

mod faults;
mod merging;
mod process;

const START: i64 = 1_795_000_000;

/// A store without threads: every step is the test's own.
struct Rig {
    files: Faulty,
    clock: Arc<FakeClock>,
    core: Core,
    report: OpenReport,
    next_row: u64,
    tickets: Vec<(Ticket, std::ops::Range<u64>)>,
    appended: BTreeSet<u64>,
    committed: BTreeSet<u64>,
}

fn policy() -> StorePolicy {
    let mut policy = StorePolicy::new("/data");
    policy.segment_octets = 24 << 10;
    policy.segment_age = Duration::from_secs(300);
    policy.backlog_wait = Duration::ZERO;
    policy.compaction.delay = Duration::ZERO;
    policy.compaction.run_rows = 700;
    policy.retention = Retention::default();
    policy
}

fn open(files: &Faulty, clock: &Arc<FakeClock>) -> Result<(Core, OpenReport), StoreError> {
    open_core(policy(), Arc::clone(clock) as _, Arc::new(files.clone()))
}

/// A batch of rows that are told apart by `flow_id` and derived from it.
fn batch(ids: std::ops::Range<u64>, now: Timestamp) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    let rows = (ids.end - ids.start) as usize;
    batch.append_rows(rows);
    batch.fill(flows::RECEIVED_AT, 0, rows, now.0);
    batch.fill(flows::EXPORTER_ADDR, 0, rows, Addr::v4(0x0a00_0001));
    for (row, id) in ids.enumerate() {
        batch.set(flows::FLOW_ID, row, id);
        batch.set(flows::SRC_ADDR, row, Addr::v4(0x0a01_0000 + (id * 7 % 50) as u32));
        batch.set(flows::PROTO, row, if id % 3 == 0 { 17u8 } else { 6 });
        batch.set(flows::OCTETS, row, id % 1000);
        if id % 4 != 0 {
            batch.set(flows::DST_PORT, row, (id % 5) as u16);
            batch.set(flows::PACKETS, row, 1 + id % 7);
        }
        if id % 2 == 0 {
            batch.set(flows::SAMPLING_RATE, row, if id % 10 == 0 { 0u32 } else { 100 });
            batch.set_octets(flows::SRC_COUNTRY, row, if id % 6 == 0 { b"DE" } else { b"FR" });
        }
    }
    batch.seal();
    batch
}

impl Rig {
    fn new(seed: u64) -> Rig {
        let files = Faulty::new(seed);
        let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(START)));
        let (core, report) = open(&files, &clock).unwrap();
        Rig {
            files,
            clock,
            core,
            report,
            next_row: 0,
            tickets: Vec::new(),
            appended: BTreeSet::new(),
            committed: BTreeSet::new(),
        }
    }

    fn append(&mut self, rows: u64) -> Result<(), StoreError> {
        let ids = self.next_row..self.next_row + rows;
        self.next_row = ids.end;
        let batch = batch(ids.clone(), weir_model::Clock::now(&*self.clock));
        let ticket = self.core.append(&batch)?;
        self.appended.extend(ids.clone());
        self.tickets.push((ticket, ids));
        Ok(())
    }

    /// Takes note of what the tickets say.
    fn note(&mut self) {
        for (_, ids) in self.tickets.extract_if(.., |(ticket, _)| ticket.is_durable()) {
            self.committed.extend(ids);
        }
    }

    /// Ends this process by `end` and starts another one. What was committed must be there, once,
    /// and nothing that was not appended.
    fn restart(mut self, end: impl FnOnce(&Faulty), what: &str) -> Rig {
        self.note();
        end(&self.files);
        let (core, report) = open(&self.files, &self.clock).expect(what);
        let rows = rows(&core.snapshot(), what);
        let missing: Vec<_> = self.committed.difference(&rows).take(9).collect();
        assert!(missing.is_empty(), "{what}: committed rows are gone: {missing:?}");
        let foreign: Vec<_> = rows.difference(&self.appended).take(9).collect();
        assert!(foreign.is_empty(), "{what}: rows from nowhere: {foreign:?}");
        // Why: rows that survived without a commit may still go with the next power cut.
        Rig { core, report, tickets: Vec::new(), appended: rows, ..self }
    }

    fn check(&self, what: &str) {
        let snapshot = self.core.snapshot();
        let rows = rows(&snapshot, what);
        let differ: Vec<_> = rows.symmetric_difference(&self.appended).take(9).collect();
        assert!(differ.is_empty(), "{what}: {differ:?}");
        check_rollups(&snapshot, what);
    }
}

/// The row numbers in a snapshot; none may be there twice.
fn rows(snapshot: &Snapshot, what: &str) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    crate::filters::tests::check_snapshot(snapshot);
    for segment in snapshot.segments(Table::Flows, Tier::Raw) {
        for block in 0..segment.block_count() {
            let batch = segment.read_batch(block).expect(what);
            for row in 0..batch.rows() {
                let id = batch.get_u64(flows::FLOW_ID, row).expect("every row has a number");
                assert!(found.insert(id), "{what}: row {id} is there twice");
            }
        }
    }
    found
}

type Sum = [Option<u64>; 5];
/// Cube, grain, bucket, dimensions.
type Sums = BTreeMap<(Cube, Grain, i64, [Option<u128>; 4]), Sum>;

fn add(sum: &mut Sum, values: Sum) {
    for (sum, value) in sum.iter_mut().zip(values) {
        if let Some(value) = value {
            *sum = Some(sum.unwrap_or(0) + value);
        }
    }
}

/// A value of a row as a number; text by its octets.
fn value(batch: &FlowBatch, id: ColumnId, row: usize) -> Option<u128> {
    match batch.get(id, row)? {
        Scalar::U64(number) => Some(number.into()),
        Scalar::I64(number) => Some(number as u128),
        Scalar::F64(number) => Some(number.to_bits().into()),
        Scalar::Addr(addr) => Some(addr.0),
        Scalar::Code(code) => {
            let octets = batch.interner().get(code).iter();
            Some(octets.fold(1, |sum, octet| sum << 8 | u128::from(*octet)))
        }
    }
}

fn time(batch: &FlowBatch, id: ColumnId, row: usize) -> i64 {
    let Some(Scalar::I64(at)) = batch.get(id, row) else { panic!("a row without a time") };
    at
}

fn batches(snapshot: &Snapshot, table: Table, tier: Tier) -> Vec<FlowBatch> {
    let segments = snapshot.segments(table, tier).filter(|segment| segment.info().closed);
    let read = |segment: &Arc<Segment>| {
        let blocks = 0..segment.block_count();
        blocks.map(|block| segment.read_batch(block).unwrap()).collect::<Vec<_>>()
    };
    segments.flat_map(read).collect()
}

/// Sums by brute force over the rows of closed segments.
fn expected(snapshot: &Snapshot) -> Sums {
    let mut sums = Sums::new();
    for batch in batches(snapshot, Table::Flows, Tier::Raw) {
        for row in 0..batch.rows() {
            let get = |id| batch.get_u64(id, row);
            let at = time(&batch, flows::RECEIVED_AT, row);
            let rate = get(flows::SAMPLING_RATE).unwrap_or(1).max(1);
            let (octets, packets) = (get(flows::OCTETS), get(flows::PACKETS));
            let scaled = |value: Option<u64>| value.map(|value| value * rate);
            let values = [Some(1), octets, packets, scaled(octets), scaled(packets)];
            for cube in Cube::ALL {
                let mut key = [None; 4];
                for (part, (id, _)) in key.iter_mut().zip(cube.dimensions()) {
                    *part = value(&batch, *id, row);
                }
                for grain in Grain::ALL.into_iter().filter(|grain| cube.kept_at(*grain)) {
                    let bucket = at.div_euclid(grain.nanos()) * grain.nanos();
                    add(sums.entry((cube, grain, bucket, key)).or_insert([None; 5]), values);
                }
            }
        }
    }
    sums
}

/// What the rollups say.
fn found(snapshot: &Snapshot) -> Sums {
    let mut sums = Sums::new();
    for grain in Grain::ALL {
        for batch in batches(snapshot, Table::Rollups, Tier::Rollup(grain)) {
            for row in 0..batch.rows() {
                let get = |id| batch.get_u64(id, row);
                let cube = get(rollups::CUBE).and_then(|n| Cube::from_number(n as u8)).unwrap();
                let mut key = [None; 4];
                for (part, (_, id)) in key.iter_mut().zip(cube.dimensions()) {
                    *part = value(&batch, *id, row);
                }
                let bucket = time(&batch, rollups::RECEIVED_AT, row);
                let values = [
                    rollups::FLOWS,
                    rollups::OCTETS,
                    rollups::PACKETS,
                    rollups::OCTETS_SCALED,
                    rollups::PACKETS_SCALED,
                ]
                .map(get);
                add(sums.entry((cube, grain, bucket, key)).or_insert([None; 5]), values);
            }
        }
    }
    sums
}

/// Every cube at every grain is the sum of the closed raw rows.
fn check_rollups(snapshot: &Snapshot, what: &str) {
    let (expected, found) = (expected(snapshot), found(snapshot));
    let keys = expected.keys().chain(found.keys());
    let differ: Vec<_> = keys
        .filter(|key| expected.get(*key) != found.get(*key))
        .map(|key| (key, expected.get(key), found.get(key)))
        .take(3)
        .collect();
    assert!(differ.is_empty(), "{what}: {differ:?}");
}
