use super::*;
use crate::addr::Addr;
use crate::columns::flows::{IN_IF, OCTETS, PROTO, SRC_ADDR, SRC_POD, SRC_PORT};
use proptest::prelude::*;

#[test]
fn rows_that_a_column_skips_are_null() {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(3);
    batch.slots::<u16>(SRC_PORT, 1, 1)[0] = 443;
    batch.seal();
    let ports: Vec<_> = (0..4).map(|row| batch.get_u64(SRC_PORT, row)).collect();
    assert_eq!(ports, [None, Some(443), None, None]);
}

#[test]
fn equal_values_stay_one_word_until_they_differ() {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(4);
    batch.fill(IN_IF, 0, 2, 7u32);
    batch.fill(IN_IF, 2, 1, 7u32);
    assert_eq!(batch.column(IN_IF), &Column::Constant { value: Scalar::U64(7), len: 3 });
    batch.fill(IN_IF, 3, 1, 8u32);
    batch.seal();
    let data = Values::U32(vec![7, 7, 7, 8]);
    assert_eq!(batch.column(IN_IF), &Column::Values { data, validity: None });
}

#[test]
fn truncate_takes_back_a_half_decoded_set() {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(2);
    batch.fill(PROTO, 0, 2, 6u8);
    let start = batch.append_rows(5);
    batch.fill(PROTO, start, 5, 17u8);
    batch.set(OCTETS, start, 9u64);
    batch.truncate(start);
    batch.seal();
    assert_eq!((batch.rows(), batch.column(OCTETS)), (2, &Column::Absent));
    assert_eq!((batch.get_u64(PROTO, 1), batch.get_u64(PROTO, 2)), (Some(6), None));
}

#[test]
fn appending_a_batch_renames_its_codes() {
    let pods = |names: &[Option<&str>]| {
        let mut batch = FlowBatch::new(Table::Flows);
        batch.append_rows(names.len());
        for (row, name) in names.iter().enumerate() {
            if let Some(name) = name {
                batch.set_octets(SRC_POD, row, name.as_bytes());
            }
        }
        batch.seal();
        batch
    };
    let mut all = pods(&[Some("web"), None]);
    all.append(&pods(&[None, Some("db"), Some("web"), None]));
    all.append(&pods(&[Some("db"), Some("db")]));
    all.seal();
    let names: Vec<_> = (0..8).map(|row| all.get_octets(SRC_POD, row)).collect();
    let (web, db) = (Some(&b"web"[..]), Some(&b"db"[..]));
    assert_eq!(names, [web, None, None, db, web, None, db, db]);
    assert_eq!(all.interner().len(), 2);
}

#[test]
fn selected_rows_keep_values_and_order() {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(3);
    for row in 0..3 {
        batch.set(SRC_PORT, row, row as u16);
    }
    batch.set_octets(SRC_POD, 2, b"web");
    let chosen = batch.select([2, 0].into_iter());
    let ports: Vec<_> = (0..2).map(|row| chosen.get_u64(SRC_PORT, row)).collect();
    assert_eq!(ports, [Some(2), Some(0)]);
    let pods: Vec<_> = (0..2).map(|row| chosen.get_octets(SRC_POD, row)).collect();
    assert_eq!(pods, [Some(&b"web"[..]), None]);
}

#[test]
fn a_cleared_batch_has_nothing_left() {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(1);
    batch.set(SRC_ADDR, 0, Addr::v4(1));
    batch.set_octets(SRC_POD, 0, b"web");
    batch.clear();
    assert!(batch.columns().all(|(_, column)| *column == Column::Absent));
    assert!(batch.is_empty() && batch.interner().is_empty());
    batch.append_rows(1);
    assert_eq!(batch.get(SRC_ADDR, 0), None);
}

#[derive(Debug, Clone)]
enum Step {
    Rows(usize),
    Fill(usize, usize, u16),
    Set(usize, u16),
    Null(usize),
    Truncate(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0usize..9).prop_map(Step::Rows),
        (0usize..40, 0usize..9, 0u16..3).prop_map(|(at, n, v)| Step::Fill(at, n, v)),
        (0usize..40, 0u16..3).prop_map(|(at, v)| Step::Set(at, v)),
        (0usize..40).prop_map(Step::Null),
        (0usize..40).prop_map(Step::Truncate),
    ]
}

proptest! {
    /// Any order of calls leaves what the same calls leave in a list of optional numbers.
    #[test]
    fn a_column_behaves_like_a_list_of_options(steps in prop::collection::vec(step(), 0..40)) {
        let mut batch = FlowBatch::new(Table::Flows);
        let mut model: Vec<Option<u64>> = Vec::new();
        for step in steps {
            match step {
                Step::Rows(n) => {
                    batch.append_rows(n);
                    model.resize(model.len() + n, None);
                }
                Step::Fill(at, n, value) => {
                    let n = n.min(model.len().saturating_sub(at));
                    if n > 0 {
                        batch.fill(SRC_PORT, at, n, value);
                        model[at..at + n].fill(Some(value.into()));
                    }
                }
                Step::Set(at, value) if at < model.len() => {
                    batch.set(SRC_PORT, at, value);
                    model[at] = Some(value.into());
                }
                Step::Null(at) if at < model.len() => {
                    batch.set_null(SRC_PORT, at);
                    model[at] = None;
                }
                Step::Truncate(rows) => {
                    batch.truncate(rows);
                    model.truncate(rows);
                }
                _ => {}
            }
        }
        batch.seal();
        let read: Vec<_> = (0..batch.rows()).map(|row| batch.get_u64(SRC_PORT, row)).collect();
        prop_assert_eq!(read, model);
    }
}
