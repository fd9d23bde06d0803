use std::sync::Arc;

use proptest::prelude::*;
use weir_model::columns::flows;
use weir_model::{
    Addr, Bitmap, Code, Column, ColumnId, FlowBatch, Physical, Scalar, Table, Timestamp, Values,
};

use super::*;
use crate::read::{Damage, ReadAt, ReadError};

fn head() -> SegmentHead {
    SegmentHead {
        id: SegmentId(7),
        table: Table::Flows,
        tier: Tier::Raw,
        created_at: Timestamp::from_seconds(1_800_000_000),
    }
}

/// A generator without state of its own: the same numbers in every run.
fn noise(seed: u64, i: u64) -> u64 {
    let mut x = seed ^ i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// Rows with a bit of everything: determined columns, near times, nulls, strings, constants.
fn flows_batch(rows: usize, seed: u64) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(rows);
    batch.fill(flows::EXPORTER_ADDR, 0, rows, Addr::v4(0xc000_0201));
    for row in 0..rows {
        let x = noise(seed, row as u64);
        let (src, dst) = (x % 500, (x >> 20) % 300);
        let end = 1_800_000_000_000_000_000 + (row as i64 / 30) * 5_000_000;
        batch.set(flows::RECEIVED_AT, row, end + 17);
        batch.set(flows::FLOW_END, row, end - (x >> 8 & 1_023) as i64 * 1_000_000);
        batch.set(flows::FLOW_START, row, end - (x >> 8 & 0xffff) as i64 * 1_000_000);
        batch.set(flows::SRC_ADDR, row, Addr::v4(0x0a00_0000 + src as u32));
        batch.set(flows::DST_ADDR, row, Addr((0xfd << 120) | u128::from(dst)));
        batch.set(flows::SRC_AS, row, 64_512 + (src as u32 * 7) % 100);
        batch.set(flows::NEXT_HOP, row, Addr::v4(0x0aff_0000 + dst as u32 % 20));
        batch.set(flows::OUT_IF, row, if row % 997 == 5 { 1 } else { dst as u32 % 64 });
        batch.set(flows::SRC_PORT, row, (x >> 32) as u16);
        batch.set(flows::PROTO, row, if x & 7 == 0 { 17u8 } else { 6 });
        batch.set(flows::OCTETS, row, 40 + (x >> 50));
        if x & 3 == 0 {
            batch.set_octets(flows::SRC_POD, row, format!("pod-{}", src % 40).as_bytes());
        }
        if row % 10 == 3 {
            batch.set(flows::IN_IF, row, dst as u32);
        }
    }
    batch.seal();
    batch
}

/// The rows of a batch by value, stored columns only.
fn rows_of(batch: &FlowBatch) -> Vec<Vec<(ColumnId, String)>> {
    let defs: Vec<_> = batch.table().columns().iter().filter(|def| def.stored).collect();
    let cell = |id: ColumnId, row: usize| match batch.get(id, row)? {
        Scalar::Code(code) => Some(format!("{:?}", batch.interner().get(code))),
        Scalar::F64(value) => Some(format!("{:x}", value.to_bits())),
        other => Some(format!("{other:?}")),
    };
    let row = |row| defs.iter().filter_map(|d| Some((d.id, cell(d.id, row)?))).collect();
    (0..batch.rows()).map(row).collect()
}

/// A file of `batches`, a frame each, and where each frame ends.
fn written(batches: &[FlowBatch]) -> (Vec<u8>, Vec<usize>, SegmentWriter) {
    let mut file = Vec::new();
    let mut writer = SegmentWriter::new(head(), &mut file);
    let mut ends = Vec::new();
    for batch in batches {
        let info = writer.frame(batch, 0..batch.rows(), &mut file);
        assert_eq!(info.offset + u64::from(info.len), file.len() as u64);
        ends.push(file.len());
    }
    (file, ends, writer)
}

fn open(file: &[u8]) -> Result<Segment, ReadError> {
    Segment::open(Arc::new(file.to_vec()), SegmentId(7))
}

fn all_rows(segment: &Segment) -> Vec<Vec<(ColumnId, String)>> {
    let blocks = (0..segment.block_count()).map(|block| segment.read_batch(block).unwrap());
    blocks.flat_map(|batch| rows_of(&batch)).collect()
}

#[test]
fn a_closed_segment_reads_as_it_was_written() {
    let batches = [flows_batch(5_000, 1), flows_batch(3, 2), flows_batch(700, 3)];
    let (mut file, _, writer) = written(&batches);
    let info = writer.footer(&mut file);
    let segment = open(&file).unwrap();
    assert_eq!(segment.info(), info);
    assert_eq!((info.rows, info.octets, info.closed), (5_703, file.len() as u64, true));
    assert_eq!(info.first_received_at, Some(Timestamp(1_800_000_000_000_000_017)));
    assert_eq!(all_rows(&segment), batches.iter().flat_map(rows_of).collect::<Vec<_>>());
}

#[test]
fn zones_bound_every_value() {
    let batch = flows_batch(2_000, 4);
    let (mut file, _, writer) = written(std::slice::from_ref(&batch));
    writer.footer(&mut file);
    let segment = open(&file).unwrap();
    let index = segment.index().unwrap();
    let block = index.block(0).unwrap();
    assert_eq!(block.rows(), 2_000);
    let zone = block.zone(flows::SRC_ADDR).unwrap();
    assert_eq!(zone.min, Scalar::Addr(Addr::v4(0x0a00_0000)));
    assert_eq!(zone.max, Scalar::Addr(Addr::v4(0x0a00_0000 + 499)));
    assert_eq!(block.zone(flows::IN_IF).unwrap().nulls, 1_800);
    assert_eq!(block.zone(flows::DST_POD), None);
    let exporter = block.zone(flows::EXPORTER_ADDR).unwrap();
    assert!(exporter.is_constant());
    let octets: Vec<u64> = (0..2_000).filter_map(|r| batch.get_u64(flows::OCTETS, r)).collect();
    let zone = block.zone(flows::OCTETS).unwrap();
    assert_eq!(Some(zone.min), octets.iter().min().map(|v| Scalar::U64(*v)));
    assert_eq!(Some(zone.max), octets.iter().max().map(|v| Scalar::U64(*v)));
}

#[test]
fn large_batches_are_cut_into_frames() {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(70_000);
    for row in 0..70_000 {
        batch.set(flows::SRC_PORT, row, row as u16);
    }
    batch.fill(flows::PROTO, 0, 70_000, 6u8);
    batch.seal();
    let mut file = Vec::new();
    let mut writer = SegmentWriter::new(head(), &mut file);
    let first = writer.frame(&batch, 0..70_000, &mut file);
    let second = writer.frame(&batch, first.rows as usize..70_000, &mut file);
    assert_eq!((first.rows, second.rows), (65_536, 4_464));
    assert_eq!(writer.frame(&batch, 70_000..70_000, &mut file).rows, 0);
    writer.footer(&mut file);
    assert_eq!(all_rows(&open(&file).unwrap()), rows_of(&batch));
}

#[test]
fn every_prefix_reads_to_its_last_whole_frame() {
    let batches = [flows_batch(40, 1), flows_batch(1, 2), flows_batch(30, 3)];
    let (file, ends, _) = written(&batches);
    for cut in HEADER_LEN..=file.len() {
        let prefix: Arc<dyn ReadAt> = Arc::new(file[..cut].to_vec());
        let scan = scan_frames(&*prefix, SegmentId(7)).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let end = if whole == 0 { HEADER_LEN } else { ends[whole - 1] };
        assert_eq!((scan.frames.len(), scan.end), (whole, end as u64), "cut at {cut}");
        assert_eq!(scan.rest, (cut > end).then_some(Damage::Truncated), "cut at {cut}");
        let rows: Vec<_> = batches[..whole].iter().flat_map(rows_of).collect();
        assert_eq!(all_rows(&Segment::of_scan(&scan, prefix)), rows);
    }
    for cut in 0..HEADER_LEN {
        let scan = scan_frames(&file[..cut].to_vec(), SegmentId(7));
        assert!(matches!(scan, Err(ReadError::Damaged { damage: Damage::Truncated, .. })));
    }
}

#[test]
fn a_cut_segment_continues_where_it_was_cut() {
    let batches = [flows_batch(400, 1), flows_batch(300, 2)];
    let (file, ends, _) = written(&batches);
    let mut file = file[..ends[0]].to_vec();
    let scan = scan_frames(&file, SegmentId(7)).unwrap();
    let mut writer = SegmentWriter::resume(&scan);
    let info = writer.frame(&batches[1], 0..300, &mut file);
    assert_eq!(info.offset, ends[0] as u64);
    writer.footer(&mut file);
    let segment = open(&file).unwrap();
    assert_eq!(all_rows(&segment), batches.iter().flat_map(rows_of).collect::<Vec<_>>());
}

#[test]
fn every_flipped_bit_is_noticed_or_harmless() {
    let batch = flows_batch(60, 5);
    let (mut file, ends, writer) = written(std::slice::from_ref(&batch));
    writer.footer(&mut file);
    let rows = rows_of(&batch);
    for at in 0..file.len() {
        let mut flipped = file.clone();
        flipped[at] ^= 1 << (at % 8);
        if at < ends[0] {
            // Header and frames: the scan finds every bit.
            match scan_frames(&flipped, SegmentId(7)) {
                Ok(scan) => assert!(scan.frames.is_empty(), "octet {at}"),
                Err(error) => assert!(at < HEADER_LEN, "octet {at}: {error}"),
            }
        }
        // By the footer: what can be read is right.
        let Ok(segment) = open(&flipped) else { continue };
        if let Ok(read) = segment.read_batch(0) {
            assert_eq!(rows_of(&read), rows, "octet {at}");
        }
        assert!(segment.may_contain_addr(Addr::v4(0xc000_0201)), "octet {at}");
        check_segment(&flipped);
    }
}

#[test]
fn damage_is_told_with_its_place() {
    let (mut file, _, writer) = written(&[flows_batch(500, 1), flows_batch(500, 2)]);
    writer.footer(&mut file);
    let offset = {
        let segment = open(&file).unwrap();
        let index = segment.index().unwrap();
        let block = index.block(1).unwrap();
        let entry = index.blocks[1].frame.directory.column(flows::SRC_PORT).cloned();
        block.offset() + u64::from(entry.unwrap().offset)
    };
    file[offset as usize + 3] ^= 0xff;
    let segment = open(&file).unwrap();
    let error = segment.read(1, &[flows::SRC_PORT]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("segment 0000000000000007: damaged at offset {offset}: checksum does not match")
    );
    assert!(segment.read(1, &[flows::OCTETS]).is_ok());
    assert!(segment.read(0, &[flows::SRC_PORT]).is_ok());
    assert!(matches!(segment.read(2, &[]), Err(ReadError::NoBlock { block: 2, .. })));
}

#[test]
fn newer_versions_are_refused_by_name() {
    let mut header = head().encode();
    header[8..10].copy_from_slice(&(VERSION + 1).to_le_bytes());
    let crc = crc32c::crc32c(&header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(SegmentHead::decode(&header), Err(Damage::Version(VERSION + 1)));
    assert_eq!(SegmentHead::decode(&head().encode()), Ok(head()));
}

#[test]
fn views_do_not_change_and_octets_leave_memory() {
    let batches = [flows_batch(100, 1), flows_batch(50, 2)];
    let (file, ends, _) = written(&batches);
    let scan = scan_frames(&file, SegmentId(7)).unwrap();
    // The file is empty at first: what is not settled must come from memory.
    let late: Arc<LateFile> = Arc::default();
    let hot = HotSegment::new(head(), late.clone());
    assert_eq!(hot.view().block_count(), 0);
    hot.publish(&scan.frames[0], file[HEADER_LEN..ends[0]].into());
    let first = hot.view();
    hot.publish(&scan.frames[1], file[ends[0]..ends[1]].into());
    let both = hot.view();
    assert_eq!((first.block_count(), both.block_count()), (1, 2));
    assert_eq!(hot.octets_in_memory(), file.len() - HEADER_LEN);
    assert_eq!(all_rows(&both).len(), 150);
    late.0.lock().unwrap().extend_from_slice(&file[..ends[0]]);
    hot.settle(ends[0] as u64);
    assert_eq!(hot.octets_in_memory(), ends[1] - ends[0]);
    assert_eq!(all_rows(&hot.view()), batches.iter().flat_map(rows_of).collect::<Vec<_>>());
    assert_eq!(all_rows(&first), rows_of(&batches[0]));
    assert!(first.may_contain_addr(Addr::v4(0xc000_0201)));
    assert!(!first.may_contain_addr(Addr::v4(1)));
}

#[derive(Default)]
struct LateFile(std::sync::Mutex<Vec<u8>>);

impl ReadAt for LateFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.0.lock().unwrap().read_exact_at(buf, offset)
    }
    fn size(&self) -> std::io::Result<u64> {
        self.0.lock().unwrap().size()
    }
}

#[test]
fn determined_columns_are_written_by_what_determines_them() {
    let (_, _, mut writer) = written(&[]);
    let info = writer.frame(&flows_batch(8_000, 1), 0..8_000, &mut Vec::new());
    let form = |id| info.frame.directory.column(id).unwrap().form;
    use crate::block::Form;
    assert_eq!(form(flows::SRC_AS), Form::Mapped(flows::SRC_ADDR));
    assert_eq!(form(flows::NEXT_HOP), Form::Mapped(flows::DST_ADDR));
    assert_eq!(form(flows::OUT_IF), Form::Mapped(flows::DST_ADDR));
    assert_eq!(form(flows::FLOW_START), Form::Minus(flows::FLOW_END));
    assert_eq!(form(flows::SRC_PORT), Form::Values);
    assert_eq!(form(flows::EXPORTER_ADDR), Form::Constant);
}

/// The file of version 1 that every later program must read. `WEIR_BLESS=1` writes it anew, which
/// only a change of the batch below is a reason for.
#[test]
fn version_1_stays_readable() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/segment-v1.weir");
    let batches = [flows_batch(4_200, 11), flows_batch(70, 12)];
    if std::env::var_os("WEIR_BLESS").is_some() {
        let (mut file, _, writer) = written(&batches);
        writer.footer(&mut file);
        std::fs::write(path, file).unwrap();
    }
    let file = std::fs::read(path).unwrap();
    let expected: Vec<_> = batches.iter().flat_map(rows_of).collect();
    assert!(all_rows(&open(&file).unwrap()) == expected);
    let scan = scan_frames(&file, SegmentId(7)).unwrap();
    assert_eq!((scan.head, scan.rest), (head(), Some(Damage::Magic)));
    assert!(all_rows(&Segment::of_scan(&scan, Arc::new(file))) == expected);
}

/// A column of any type, shape and validity for `rows` rows.
fn column(physical: Physical, rows: usize, seed: u64, strings: u32) -> Column {
    let shape = noise(seed, 1) % 7;
    let value = |row: usize| match shape {
        0 => noise(seed, row as u64),
        1 => noise(seed, row as u64) % 5,
        2 => row as u64,
        3 => (row / 50) as u64,
        4 => u64::MAX - noise(seed, row as u64) % 3,
        5 => noise(seed, (row % 40) as u64),
        _ => 9,
    };
    let nulls = noise(seed, 2) % 4;
    let there = |row: usize| match nulls {
        0 => true,
        1 => noise(seed ^ 5, row as u64).is_multiple_of(2),
        2 => row % 100 != 7,
        _ => (row / 64).is_multiple_of(2),
    };
    macro_rules! values {
        ($variant:ident, $of:expr) => {
            Values::$variant(
                (0..rows)
                    .map(|r| if there(r) { $of(value(r)) } else { Default::default() })
                    .collect(),
            )
        };
    }
    let data = match physical {
        Physical::U8 => values!(U8, |v| v as u8),
        Physical::U16 => values!(U16, |v| v as u16),
        Physical::U32 => values!(U32, |v| v as u32),
        Physical::U64 => values!(U64, |v| v),
        Physical::I64 => values!(I64, |v| v as i64),
        Physical::F64 => values!(F64, f64::from_bits),
        Physical::Addr => values!(Addr, |v: u64| Addr(u128::from(v) << (v % 60))),
        Physical::Code => values!(Code, |v: u64| Code((v % u64::from(strings)) as u32)),
    };
    let mut bits = Bitmap::filled(rows, false);
    (0..rows).filter(|row| there(*row)).for_each(|row| bits.set(row, true));
    Column::Values { data, validity: (bits.count_ones() < rows).then_some(bits) }
}

fn any_batch(table: Table, rows: usize, seed: u64) -> FlowBatch {
    let mut batch = FlowBatch::new(table);
    batch.append_rows(rows);
    let strings = 1 + (noise(seed, 3) % 200) as u32;
    for i in 0..strings {
        let len = (noise(seed, 4) % 9) as usize;
        batch.interner_mut().intern(&[&i.to_le_bytes()[..], &vec![b'x'; len]].concat());
    }
    for (i, def) in table.columns().iter().enumerate() {
        let seed = noise(seed, 100 + i as u64);
        if seed.is_multiple_of(4) {
            batch.set_column(def.id, column(def.ty.physical(), rows, seed, strings));
        }
    }
    batch.seal();
    batch
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_batch_reads_as_it_was_written(
        rows in prop::collection::vec(prop_oneof![1usize..60, 500usize..5_500], 1..4),
        seed: u64,
        table in prop::sample::select(Table::ALL.to_vec()),
    ) {
        let batches: Vec<FlowBatch> =
            rows.iter().enumerate().map(|(i, n)| any_batch(table, *n, noise(seed, i as u64))).collect();
        let mut file = Vec::new();
        let mut writer = SegmentWriter::new(SegmentHead { table, ..head() }, &mut file);
        for batch in &batches {
            let middle = batch.rows() / 3;
            writer.frame(batch, 0..middle, &mut file);
            writer.frame(batch, middle..batch.rows(), &mut file);
        }
        let expected: Vec<_> = batches.iter().flat_map(rows_of).collect();
        let scan = scan_frames(&file, SegmentId(7)).unwrap();
        prop_assert_eq!(scan.rest, None);
        let scanned = Segment::of_scan(&scan, Arc::new(file.clone()));
        prop_assert!(all_rows(&scanned) == expected);
        writer.footer(&mut file);
        prop_assert!(all_rows(&open(&file).unwrap()) == expected);
    }

    #[test]
    fn any_octets_are_refused_or_read(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        check_segment(&octets);
        crate::check_block(&octets);
    }

    #[test]
    fn damaged_blocks_are_refused_or_read(
        rows in 1usize..700,
        seed: u64,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let (_, _, mut writer) = written(&[]);
        let mut frame = Vec::new();
        let batch = any_batch(Table::Flows, rows, seed);
        let info = writer.frame(&batch, 0..rows, &mut frame);
        let mut octets = info.rows.to_le_bytes().to_vec();
        info.frame.directory.encode(&mut octets);
        octets.extend_from_slice(&frame[frame::FRAME_HEADER_LEN..]);
        prop_assert_eq!(crate::check_block(&octets), info.frame.directory.columns().len());
        for (at, octet) in damage {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        crate::check_block(&octets);
    }
}
