use proptest::prelude::*;
use weir_model::columns::flows;
use weir_model::json;
use weir_store::Tier;

use super::*;
use crate::engine::testing::MemoryPart;
use crate::filter::Filter;

const SECOND: i64 = 1_000_000_000;

struct Fixed;
impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp(100 * SECOND)
    }
}

fn batch(rows: &[(i64, u16, u8)]) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(rows.len());
    for (at, (second, port, pod)) in rows.iter().enumerate() {
        batch.set(flows::RECEIVED_AT, at, second * SECOND);
        batch.set(flows::SRC_PORT, at, *port);
        if *pod > 0 {
            batch.set_octets(flows::SRC_POD, at, format!("p{pod}").as_bytes());
        }
    }
    batch.seal();
    batch
}

fn parts(batches: &[FlowBatch], a_part: usize) -> Vec<Arc<dyn Part>> {
    let parts = batches.chunks(a_part).enumerate();
    parts
        .map(|(id, chunk)| {
            Arc::new(MemoryPart::new(id as u64, Tier::Raw, true, chunk)) as Arc<dyn Part>
        })
        .collect()
}

fn page(parts: &[Arc<dyn Part>], query: &RecordsQuery) -> Result<RecordsPage, QueryError> {
    records_parts(parts, &|_, _| None, query, &QueryLimits::default(), &Cancel::new(), &Fixed)
}

fn lines(page: &RecordsPage) -> Vec<String> {
    let line = |row| {
        let mut line = Vec::new();
        json::write_row(&page.rows, row, &mut line);
        String::from_utf8(line).unwrap()
    };
    (0..page.rows.rows()).map(line).collect()
}

fn query(limit: usize, filter: &str) -> RecordsQuery {
    RecordsQuery {
        limit,
        filter: filter.into(),
        from: "1970-01-01".into(),
        ..RecordsQuery::default()
    }
}

proptest! {
    #[test]
    fn pages_give_every_row_once_newest_first_whatever_was_merged(
        rows in prop::collection::vec(prop::collection::vec((0i64..12, 0u16..3, 0u8..3), 1..20), 1..6),
        limit in 1usize..9,
        filter in prop::sample::select(vec!["", "src_port = 1", "src_pod is null or src_port > 1"]),
    ) {
        let batches: Vec<_> = rows.iter().map(|rows| batch(rows)).collect();
        let kept = Filter::parse(filter, Table::Flows).unwrap();
        let mut wanted: Vec<(i64, String)> = Vec::new();
        for batch in &batches {
            for row in (0..batch.rows()).filter(|row| kept.matches(batch, *row)) {
                let mut line = Vec::new();
                json::write_row(batch, row, &mut line);
                let Some(weir_model::Scalar::I64(time)) = batch.get(flows::RECEIVED_AT, row) else {
                    panic!("every row has a time");
                };
                wanted.push((-time, String::from_utf8(line).unwrap()));
            }
        }
        wanted.sort();
        let mut request = query(limit, filter);
        let mut got = Vec::new();
        for turn in 0.. {
            // Between pages segments are merged: the cursor must not notice.
            let page = page(&parts(&batches, 1 + turn % 3), &request).unwrap();
            prop_assert!(page.rows.rows() <= limit);
            for (row, line) in lines(&page).into_iter().enumerate() {
                let Some(weir_model::Scalar::I64(time)) = page.rows.get(flows::RECEIVED_AT, row) else {
                    panic!("every row has a time");
                };
                got.push((-time, line));
            }
            match page.next {
                Some(next) => request.cursor = Some(next),
                None => break,
            }
            prop_assert!(turn < 200, "pages never end");
        }
        prop_assert!(got.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        got.sort();
        prop_assert_eq!(got, wanted);
    }
}

/// Row of the tests about order: time, octets, source address, pod, end of the flow.
type Row = (i64, Option<u64>, u8, u8, Option<i64>);

fn varied(rows: &[Row]) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(rows.len());
    for (at, (second, octets, addr, pod, end)) in rows.iter().enumerate() {
        batch.set(flows::RECEIVED_AT, at, second * SECOND);
        if let Some(octets) = octets {
            batch.set(flows::OCTETS, at, *octets);
        }
        if *addr > 0 {
            batch.set(flows::SRC_ADDR, at, weir_model::Addr::v4(u32::from(*addr)));
        }
        if *pod > 0 {
            batch.set_octets(flows::SRC_POD, at, &vec![b'z' - pod; usize::from(*pod)]);
        }
        if let Some(end) = end {
            batch.set(flows::FLOW_END, at, *end);
        }
    }
    batch.seal();
    batch
}

/// What orders a row: `None` last, then by value.
fn key(batch: &FlowBatch, id: ColumnId, row: usize) -> Option<(i128, Vec<u8>)> {
    Some(match batch.get(id, row)? {
        weir_model::Scalar::U64(n) => (n.into(), Vec::new()),
        weir_model::Scalar::I64(n) => (n.into(), Vec::new()),
        weir_model::Scalar::Addr(addr) => (addr.0 as i128, Vec::new()),
        weir_model::Scalar::Code(code) => (0, batch.interner().get(code).to_vec()),
        weir_model::Scalar::F64(_) => panic!("no fraction here"),
    })
}

fn rows() -> impl Strategy<Value = Vec<Vec<Row>>> {
    let octets = prop_oneof![Just(0), 1u64..4, Just(1 << 40), Just(u64::MAX)];
    let end = prop_oneof![Just(i64::MIN), -2i64..2, Just(i64::MAX)];
    let row =
        (0i64..12, prop::option::of(octets), 0u8..4, 0u8..4, prop::option::weighted(0.7, end));
    prop::collection::vec(prop::collection::vec(row, 1..12), 1..7)
}

proptest! {
    #[test]
    fn any_order_any_offset_and_any_merge_give_what_sorting_all_rows_gives(
        rows in rows(),
        limit in 1usize..9,
        offset in 0usize..40,
        ascending: bool,
        by in prop::sample::select(vec!["", "octets", "src_addr", "src_pod", "flow_end", "dst_pod"]),
        filter in prop::sample::select(vec!["", "octets > 1", "src_pod is null or octets = 0"]),
    ) {
        let batches: Vec<_> = rows.iter().map(|rows| varied(rows)).collect();
        let order = if ascending { Order::Asc } else { Order::Desc };
        let mut request = RecordsQuery { order_by: by.into(), order, offset, ..query(limit, filter) };
        // The oracle: every row, sorted.
        let kept = Filter::parse(filter, Table::Flows).unwrap();
        let id = Table::Flows.find(by).map_or(flows::RECEIVED_AT, |def| def.id);
        let mut wanted = Vec::new();
        for batch in &batches {
            for row in (0..batch.rows()).filter(|row| kept.matches(batch, *row)) {
                let mut line = Vec::new();
                json::write_row(batch, row, &mut line);
                let time = key(batch, flows::RECEIVED_AT, row).unwrap().0;
                wanted.push((key(batch, id, row), time, String::from_utf8(line).unwrap()));
            }
        }
        wanted.sort_by(|a, b| {
            let values = match (&a.0, &b.0) {
                (Some(a), Some(b)) if ascending => a.cmp(b),
                (a, b) => b.cmp(a),
            };
            let nulls = a.0.is_none().cmp(&b.0.is_none());
            nulls.then(values).then(b.1.cmp(&a.1))
        });
        let every = RecordsQuery { limit: 1_000, offset: 0, ..request.clone() };
        let every = page(&parts(&batches, 2), &every).unwrap();
        let order_of = |page: &RecordsPage, row| {
            (key(&page.rows, id, row), key(&page.rows, flows::RECEIVED_AT, row).unwrap().0)
        };
        let found: Vec<_> = (0..every.rows.rows()).map(|row| order_of(&every, row)).collect();
        let order: Vec<_> = wanted.iter().map(|(key, time, _)| (key.clone(), *time)).collect();
        prop_assert_eq!(found, order);
        let mut sorted = lines(&every);
        let full = sorted.clone();
        sorted.sort();
        let mut texts: Vec<_> = wanted.into_iter().map(|(.., line)| line).collect();
        texts.sort();
        prop_assert_eq!(sorted, texts);
        // From the offset on page by page, with merges in between, it is the same list.
        let mut got = Vec::new();
        for turn in 0.. {
            let page = page(&parts(&batches, 1 + turn % 3), &request).unwrap();
            prop_assert!(page.rows.rows() <= limit);
            got.extend(lines(&page));
            request.offset = 0;
            match page.next {
                Some(next) => request.cursor = Some(next),
                None => break,
            }
            prop_assert!(turn < 200, "pages never end");
        }
        prop_assert_eq!(got, full.into_iter().skip(offset).collect::<Vec<_>>());
    }
}

#[test]
fn a_jump_reads_only_the_blocks_around_its_page() {
    let batches: Vec<_> = (0..20).map(|at| batch(&[(at * 2, 1, 0), (at * 2 + 1, 2, 1)])).collect();
    let page = page(&parts(&batches, 2), &RecordsQuery { offset: 21, ..query(2, "") }).unwrap();
    assert_eq!(page.rows.get_u64(flows::SRC_PORT, 0), Some(1));
    assert_eq!((page.stats.segments, page.stats.blocks), (10, 2));
}

#[test]
fn a_cursor_of_another_order_is_refused() {
    let parts = parts(&[batch(&[(1, 1, 1), (2, 2, 2), (3, 3, 0)])], 1);
    let sorted = |by: &str, cursor| RecordsQuery { order_by: by.into(), cursor, ..query(1, "") };
    let cursor = page(&parts, &sorted("src_port", None)).unwrap().next;
    assert!(cursor.is_some());
    for by in ["", "src_pod"] {
        let refused = page(&parts, &sorted(by, cursor.clone())).unwrap_err().to_string();
        assert!(refused.ends_with("came from a page in another order"), "{refused}");
    }
    let both = RecordsQuery { offset: 1, ..sorted("src_port", cursor) };
    let refused = page(&parts, &both).unwrap_err().to_string();
    assert_eq!(refused, "offset: a cursor says where to go on: give one of the two");
    let refused = page(&parts, &sorted("octts", None)).unwrap_err().to_string();
    assert_eq!(refused, "order_by: `octts` is not a column of flows; did you mean `octets`?");
}

#[test]
fn of_equal_records_each_is_given_once_behind_an_offset_too() {
    for (rows, offset, limit) in [(10, 3, 2), (10, 9, 1), (70_000, 66_000, 1_500)] {
        let batches: Vec<_> = [rows / 2; 2].map(|n| batch(&vec![(1, 1, 1); n])).into();
        let mut request = RecordsQuery { offset, ..query(limit, "") };
        let mut given = 0;
        loop {
            let page = page(&parts(&batches, 1), &request).unwrap();
            given += page.rows.rows();
            assert!(given <= rows, "pages never end");
            let Some(next) = page.next else { break };
            (request.cursor, request.offset) = (Some(next), 0);
        }
        assert_eq!(given, rows - offset);
    }
}

#[test]
fn a_page_stops_at_blocks_that_are_too_old() {
    let batches: Vec<_> = (0..10).map(|at| batch(&[(at * 2, 1, 0), (at * 2 + 1, 2, 1)])).collect();
    let page = page(&parts(&batches, 2), &query(3, "")).unwrap();
    assert_eq!(page.rows.rows(), 3);
    assert_eq!((page.stats.segments, page.stats.blocks, page.stats.rows), (5, 2, 4));
}

#[test]
fn columns_and_cursors_are_checked() {
    let parts = parts(&[batch(&[(1, 1, 1)])], 1);
    let only = RecordsQuery { columns: vec!["src_port".into()], ..query(1, "") };
    assert_eq!(lines(&page(&parts, &only).unwrap()), [r#"{"kind":"flow","src_port":1}"#]);
    let refused = |query: RecordsQuery| page(&parts, &query).unwrap_err().to_string();
    assert_eq!(
        refused(RecordsQuery { columns: vec!["src_prot".into()], ..query(1, "") }),
        "columns: `src_prot` is not a column of flows; did you mean `src_port`?"
    );
    assert_eq!(
        refused(RecordsQuery { cursor: Some("7.x".into()), ..query(1, "") }),
        "cursor: `7.x` did not come from a page"
    );
    assert_eq!(refused(query(0, "")), "limit: takes 1 to 10000");
}
