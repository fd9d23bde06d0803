use super::*;
use crate::format::RecordWriter;
use bytes::Bytes;
use weir_model::batch::FlowBatch;
use weir_model::columns::flows;
use weir_model::{Addr, Scalar};

fn batch(rows: usize) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(rows);
    for row in 0..rows {
        batch.set(flows::SRC_ADDR, row, Addr::v4(row as u32));
        batch.set(flows::RECEIVED_AT, row, 1_700_000_000_000_000_000 + row as i64);
        batch.set(flows::OCTETS, row, u64::MAX - row as u64);
        batch.set(flows::IN_IF, row, u32::MAX);
        if row % 3 == 0 {
            batch.set_octets(flows::SRC_POD, row, format!("pod-{row}").as_bytes());
            batch.set_octets(flows::AS_PATH, row, &[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
            batch.set_octets(flows::EXTRA, row, &[0, 1, 2]);
            batch.set(flows::SRC_MAC, row, row as u64);
        }
    }
    batch.seal();
    batch
}

fn file(batches: &[FlowBatch]) -> Bytes {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    Bytes::from(out)
}

fn value(batch: &FlowBatch, def: &ColumnDef, row: usize) -> Option<(Scalar, Vec<u8>)> {
    let octets = batch.get_octets(def.id, row).unwrap_or_default().to_vec();
    batch.get(def.id, row).map(|value| match value {
        Scalar::Code(_) => (Scalar::U64(0), octets),
        other => (other, octets),
    })
}

#[test]
fn what_was_written_is_read() {
    let original = batch(200);
    let mut reader = Reader::new(file(&[batch(120), batch(80)])).unwrap();
    assert_eq!((reader.rows(), reader.ignored().len()), (200, 0));
    let read = reader.next_batch().unwrap().unwrap();
    assert!(reader.next_batch().unwrap().is_none());
    assert_eq!(read.rows(), 200);
    for row in 0..200 {
        let source = if row < 120 { row } else { row - 120 };
        for def in columns() {
            assert_eq!(value(&read, def, row), value(&original, def, source), "{} {row}", def.name);
        }
    }
}

#[test]
fn no_record_still_is_a_file() {
    let mut reader = Reader::new(file(&[])).unwrap();
    assert!(reader.next_batch().unwrap().is_none());
}

#[test]
fn damage_is_an_error() {
    let whole = file(&[batch(10)]);
    for cut in [0, 4, whole.len() / 2, whole.len() - 1] {
        assert!(Reader::new(whole.slice(..cut)).is_err(), "{cut}");
    }
}
