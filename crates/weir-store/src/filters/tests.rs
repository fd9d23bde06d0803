use std::sync::Arc;

use proptest::prelude::*;
use weir_model::columns::flows;
use weir_model::{ColumnId, FlowBatch, Scalar, Table, Timestamp};

use super::*;
use crate::read::{ReadAt, Snapshot};
use crate::segment::{
    Segment, SegmentCache, SegmentHead, SegmentId, SegmentWriter, Tier, check_segment,
};

/// The keys that a row has.
pub(crate) fn keys_of(batch: &FlowBatch, row: usize) -> Vec<RowKey> {
    let addr = |id: ColumnId| match batch.get(id, row) {
        Some(Scalar::Addr(addr)) => Some(addr),
        _ => None,
    };
    let port = |id: ColumnId| batch.get_u64(id, row).map(|port| port as u16);
    let (one, other) = (addr(flows::SRC_ADDR), addr(flows::DST_ADDR));
    let mut keys: Vec<RowKey> = one.into_iter().chain(other).map(RowKey::Address).collect();
    let (Some(one), Some(other)) = (one, other) else { return keys };
    keys.extend([RowKey::Pair(one, other), RowKey::Pair(other, one)]);
    let Some((p, q)) = port(flows::SRC_PORT).zip(port(flows::DST_PORT)) else { return keys };
    keys.push(RowKey::Connection((one, p), (other, q)));
    keys.push(RowKey::Connection((other, q), (one, p)));
    keys
}

/// Fails when a filter of a segment denies a row that it has. Tells how many keys were asked.
pub(crate) fn check_filters(segment: &Segment) -> usize {
    let mut asked = 0;
    for block in 0..segment.block_count() {
        let Ok(batch) = segment.read_batch(block) else { continue };
        for key in (0..batch.rows()).flat_map(|row| keys_of(&batch, row)) {
            if let Some(found) = segment.blocks_with(&key) {
                assert_eq!(found.len(), segment.block_count());
                assert!(found.get(block), "block {block} denies {key:?}");
                asked += 1;
            }
        }
    }
    asked
}

/// The same for all segments of a snapshot.
pub(crate) fn check_snapshot(snapshot: &Snapshot) -> usize {
    snapshot.segments(Table::Flows, Tier::Raw).map(|segment| check_filters(segment)).sum()
}

/// A row by source, destination and ports; 0 is null.
type Row = (u8, u8, u8, u8);

fn batch(rows: &[Row]) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(rows.len());
    let addr = |n: u8| match n {
        0 => None,
        n if n % 3 == 0 => Some(Addr(0xfd << 120 | u128::from(n))),
        n => Some(Addr::v4(0x0a00_0000 | u32::from(n))),
    };
    for (at, (source, destination, port, other_port)) in rows.iter().enumerate() {
        batch.set(flows::RECEIVED_AT, at, 1_800_000_000_000_000_000 + at as i64);
        for (id, n) in [(flows::SRC_ADDR, source), (flows::DST_ADDR, destination)] {
            if let Some(addr) = addr(*n) {
                batch.set(id, at, addr);
            }
        }
        for (id, n) in [(flows::SRC_PORT, port), (flows::DST_PORT, other_port)] {
            if *n > 0 {
                batch.set(id, at, u16::from(*n) * 250);
            }
        }
    }
    batch.seal();
    batch
}

fn head() -> SegmentHead {
    let created_at = Timestamp::from_seconds(1_800_000_000);
    SegmentHead { id: SegmentId(7), table: Table::Flows, tier: Tier::Raw, created_at }
}

/// A closed segment of `batches`, a frame each, with filters.
fn closed(batches: &[FlowBatch]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = SegmentWriter::new(head(), &mut file);
    for batch in batches {
        writer.frame(batch, 0..batch.rows(), &mut file);
    }
    let filters = writer.filters(Arc::new(file.clone()));
    writer.footer_with(filters, &mut file);
    file
}

fn open(file: &[u8]) -> Segment {
    Segment::open(Arc::new(file.to_vec()), SegmentId(7)).unwrap()
}

/// Rows of many addresses: block `block` has none of another's.
fn scattered(block: u32, rows: u32) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(rows as usize);
    for row in 0..rows {
        batch.set(flows::SRC_ADDR, row as usize, Addr::v4((block << 24) | (row % 700)));
        batch.set(flows::DST_ADDR, row as usize, Addr::v4(block << 24 | 0x1_0000 | row));
        batch.set(flows::SRC_PORT, row as usize, row as u16);
        batch.set(flows::DST_PORT, row as usize, 443u16);
    }
    batch.seal();
    batch
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_key_that_a_row_has_is_never_denied(
        blocks in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<Row>(), 1..40),
                prop::collection::vec(any::<Row>(), 900..1_100),
            ],
            1..4,
        ),
    ) {
        let batches: Vec<FlowBatch> = blocks.iter().map(|rows| batch(rows)).collect();
        let segment = open(&closed(&batches));
        let keys = batches.iter().flat_map(|b| (0..b.rows()).flat_map(|row| keys_of(b, row)));
        prop_assert_eq!(check_filters(&segment), keys.count());
    }
}

#[test]
fn blocks_without_a_key_are_nearly_always_ruled_out() {
    let batches: Vec<FlowBatch> = (1..=20).map(|block| scattered(block, 1_000)).collect();
    let segment = open(&closed(&batches));
    assert_eq!(check_filters(&segment), 20 * 1_000 * 6);
    let mut wrong = [0; 3];
    for row in 0..1_000 {
        let (one, other) = (Addr::v4((3 << 24) | (row % 700)), Addr::v4(3 << 24 | 0x1_0000 | row));
        let connection = RowKey::Connection((one, row as u16), (other, 443));
        for (at, key) in
            [RowKey::Address(other), RowKey::Pair(one, other), connection].iter().enumerate()
        {
            wrong[at] += segment.blocks_with(key).unwrap().count_ones() - 1;
        }
    }
    assert!(wrong.iter().all(|wrong| *wrong < 19_000 / 12), "{wrong:?} of 19,000 wrongly let in");
}

#[test]
fn small_frames_share_a_leaf() {
    assert_eq!(
        leaves([400, 400, 400, 2_000, 1, 999, 1].into_iter()),
        [0..2, 2..3, 3..4, 4..6, 6..7]
    );
    let batches: Vec<FlowBatch> = (1..=8).map(|block| scattered(block, 300)).collect();
    let segment = open(&closed(&batches));
    let found = segment.blocks_with(&RowKey::Address(Addr::v4(5 << 24 | 0x1_0000))).unwrap();
    let found: Vec<usize> = (0..8).filter(|block| found.get(*block)).collect();
    assert_eq!(found, [3, 4, 5]);
}

#[test]
fn damaged_filters_deny_nothing() {
    let batches = [batch(&[(1, 2, 3, 4), (5, 6, 7, 8)]), scattered(9, 200), batch(&[(0, 9, 0, 1)])];
    let file = closed(&batches);
    let plain = {
        let mut file = Vec::new();
        let mut writer = SegmentWriter::new(head(), &mut file);
        for batch in &batches {
            writer.frame(batch, 0..batch.rows(), &mut file);
        }
        writer.footer(&mut file);
        file.len() - 96
    };
    let whole = check_filters(&open(&file));
    let mut told = 0;
    for at in (plain..file.len() - 96).step_by(7) {
        let mut damaged = file.clone();
        damaged[at] ^= 1 << (at % 8);
        let asked = check_filters(&open(&damaged));
        told += usize::from(asked < whole);
        if at % 49 == 0 {
            check_segment(&damaged);
        }
    }
    // Some buckets no row belongs to.
    assert!(told > 50, "damage was noticed {told} times");
    let mut headless = file.clone();
    let trailer = file.len() - 96;
    headless[trailer - 1] ^= 1;
    assert_eq!(check_filters(&open(&headless)), 0);
}

#[test]
fn a_block_that_cannot_be_read_may_hold_everything() {
    let batches = [batch(&[(1, 2, 3, 4); 9]), scattered(9, 1_200)];
    let mut file = Vec::new();
    let mut writer = SegmentWriter::new(head(), &mut file);
    let frames = batches.each_ref().map(|batch| writer.frame(batch, 0..batch.rows(), &mut file));
    let mut damaged = file.clone();
    damaged[frames[1].offset as usize + 60] ^= 0xff;
    let filters = writer.filters(Arc::new(damaged));
    writer.footer_with(filters, &mut file);
    let found = open(&file).blocks_with(&RowKey::Address(Addr::v4(0x0101_0101))).unwrap();
    assert_eq!((found.get(0), found.get(1)), (false, true));
}

/// A file with filters that every later program must read. `WEIR_BLESS=1` writes it anew, which
/// only a change of the batches below is a reason for.
#[test]
fn filters_of_version_1_stay_readable() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/segment-v1-filters.weir");
    let batches = [scattered(1, 1_000), scattered(2, 300)];
    if std::env::var_os("WEIR_BLESS").is_some() {
        std::fs::write(path, closed(&batches)).unwrap();
    }
    let file = std::fs::read(path).unwrap();
    let segment = open(&file);
    assert_eq!(check_filters(&segment), 1_300 * 6);
    let found = segment.blocks_with(&RowKey::Address(Addr::v4(0x0100_0001))).unwrap();
    assert_eq!((found.get(0), found.get(1)), (true, false));
}

#[test]
fn files_without_filters_say_nothing() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/segment-v1.weir");
    let segment = open(&std::fs::read(path).unwrap());
    assert_eq!(segment.blocks_with(&RowKey::Address(Addr::v4(1))), None);
    assert!(segment.read_batch(0).is_ok());
}

#[test]
fn other_tables_and_sums_have_none() {
    for (table, tier) in
        [(Table::Counters, Tier::Raw), (Table::Rollups, Tier::Rollup(weir_model::Grain::Hour))]
    {
        let mut file = Vec::new();
        let head = SegmentHead { table, tier, ..head() };
        let writer = SegmentWriter::new(head, &mut file);
        let empty: Arc<dyn ReadAt> = Arc::new(file.clone());
        assert!(writer.filters(empty).is_none());
    }
}

#[test]
fn indexes_leave_memory_and_come_back() {
    let file = closed(&[scattered(1, 1_000), scattered(2, 300)]);
    let cache = Arc::new(SegmentCache::new(1));
    let segment = Segment::open_with(Arc::new(file), SegmentId(7), &cache).unwrap();
    assert_eq!(cache.numbers().octets, 0);
    for _ in 0..2 {
        assert_eq!(check_filters(&segment), 1_300 * 6);
        assert_eq!(segment.index().unwrap().len(), 2);
    }
    let numbers = cache.numbers();
    assert!(numbers.misses > 2 && numbers.evictions > 2, "{numbers:?}");
    drop(segment);
    assert_eq!(cache.numbers().octets, 0);
}
