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
