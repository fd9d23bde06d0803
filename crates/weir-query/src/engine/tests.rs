use std::sync::Arc;

use proptest::prelude::*;
use weir_model::columns::flows;
use weir_model::{Addr, Clock, FlowBatch, Grain, Table, Timestamp};
use weir_store::Tier;

use super::oracle::{Expected, expected};
use super::part::Part;
use super::run_parts;
use super::testing::{MemoryPart, rollup};
use crate::answer::{Answer, AnswerColumn, AnswerValue};
use crate::limits::{Cancel, QueryLimits};
use crate::plan::Plan;
use crate::query::{Compare, Directions, Order, Query, TimeColumn};
use crate::{QueryError, QueryErrorKind};

/// 2026-11-20T10:00:00Z: a whole hour.
const HOUR: i64 = 1_795_168_800;

struct Fixed;
impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(HOUR + 7_200)
    }
}

/// What one row has; 0 stands for null in most.
#[derive(Debug, Clone)]
struct Row {
    second: i64,
    ends: (u8, u8),
    ports: (u8, u8),
    proto: u8,
    octets: Option<u32>,
    reverse: Option<u16>,
    rate: u8,
    rtt: Option<u8>,
    pod: u8,
    systems: (u8, u8),
    flags: u8,
}

fn any_row() -> impl Strategy<Value = Row> {
    let ends = (0u8..7, 0u8..7);
    let ports = (0u8..4, 0u8..4);
    let counts = (any::<Option<u32>>(), any::<Option<u16>>(), 0u8..4, any::<Option<u8>>());
    let names = (0u8..4, (0u8..4, 0u8..3), 0u8..32);
    (0i64..7_200, ends, ports, 0u8..3, counts, names).prop_map(
        |(second, ends, ports, proto, (octets, reverse, rate, rtt), (pod, systems, flags))| Row {
            second,
            ends,
            ports,
            proto,
            octets,
            reverse,
            rate,
            rtt,
            pod,
            systems,
            flags,
        },
    )
}

fn addr(n: u8) -> Option<Addr> {
    match n {
        0 => None,
        1..=4 => Some(Addr::v4(0x0a00_0000 | u32::from(n) << 7)),
        n => Some(Addr(0x2001_0db8 << 96 | u128::from(n) << 78)),
    }
}

fn batch(rows: &[Row]) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let nanos = (HOUR + row.second) * 1_000_000_000 + i64::from(row.flags);
        batch.set(flows::RECEIVED_AT, at, nanos);
        batch.set(flows::FLOW_END, at, nanos - i64::from(row.ports.0) * 30_000_000_000);
        for (id, end) in [(flows::SRC_ADDR, row.ends.0), (flows::DST_ADDR, row.ends.1)] {
            if let Some(addr) = addr(end) {
                batch.set(id, at, addr);
            }
        }
        let port = |n: u8| [0u16, 53, 443, 50_000][usize::from(n)];
        for (id, n) in [(flows::SRC_PORT, row.ports.0), (flows::DST_PORT, row.ports.1)] {
            if n > 0 {
                batch.set(id, at, port(n));
            }
        }
        batch.set(flows::PROTO, at, [6u8, 17, 1][usize::from(row.proto)]);
        batch.set(flows::TCP_FLAGS, at, u16::from(row.flags));
        if let Some(octets) = row.octets {
            batch.set(flows::OCTETS, at, u64::from(octets));
            batch.set(flows::PACKETS, at, u64::from(octets % 97));
        }
        if let Some(reverse) = row.reverse {
            batch.set(flows::REVERSE_OCTETS, at, u64::from(reverse));
        }
        // Some tell packets alone, and some that nothing came back.
        if row.reverse.is_some() && row.flags % 2 == 0 || row.flags == 31 {
            batch.set(flows::REVERSE_PACKETS, at, u64::from(row.flags % 3));
        }
        if row.rate > 0 {
            batch.set(flows::SAMPLING_RATE, at, 10u32.pow(u32::from(row.rate) - 1));
        }
        if let Some(rtt) = row.rtt {
            batch.set(flows::RTT_US, at, u32::from(rtt));
        }
        if row.pod > 0 {
            batch.set_octets(flows::SRC_POD, at, format!("web-{}", row.pod).as_bytes());
            batch.set_octets(flows::DST_POD, at, format!("db-{}", row.ends.1).as_bytes());
        }
        if row.systems.0 > 0 {
            batch.set(flows::SRC_AS, at, 64_511 + u32::from(row.systems.0));
        }
        batch.set(flows::DST_AS, at, u32::from(row.systems.1));
    }
    batch.seal();
    batch
}

fn any_query() -> impl Strategy<Value = Query> {
    let filters = prop::sample::select(
        vec![
            "",
            "",
            "proto = tcp",
            "addr in 10.0.0.0/24",
            "src_addr = 10.0.0.128",
            "src_addr != 10.0.0.128",
            "not dst_addr in (10.0.0.128, 2001:db8::/32)",
            "port = 443",
            "port != 443 and proto in (tcp, icmp)",
            "octets > 1GB or src_pod like 'web-*'",
            "pod ~ '-[12]$'",
            "pod !~ '2'",
            "src_pod is null",
            "pod is null",
            "octets < reverse_octets",
            "tcp_flags has syn|ack",
            "src_as in 64512-64513",
            "not src_as = 64512",
            "dst_as = 1",
            "src_addr < dst_addr",
            "src_addr = 192.0.2.1",
            "flow_end > 2026-11-20T10:30:00Z",
            "src_pod != dst_pod",
            "rtt_us between",
            "dst_port = 53 or not (as = 1 and proto = udp)",
            "src_addr = 10.0.0.128 and dst_addr = 10.0.1.0 and src_port = 53 and dst_port = 443",
            "src_addr in (10.0.0.128, 10.0.1.128) and dst_addr = 10.0.1.0 and port in (53, 443)",
            "addr = 10.0.0.128 and addr = 10.0.1.0 or addr = 10.0.1.128/32 and src_port = 53",
            "not (src_addr = 10.0.0.128 and dst_addr = 10.0.1.0)",
            "proto = tcp and src_addr = 10.0.0.128 and dst_addr = 10.0.1.0 and dst_port = 443",
        ]
        .into_iter()
        .filter(|text| !text.contains("between"))
        .collect::<Vec<_>>(),
    );
    let keys = prop::sample::subsequence(
        vec![
            "src_addr",
            "dst_addr/24",
            "dst_addr/23/40",
            "src_port",
            "dst_port",
            "proto",
            "src_pod",
            "src_as",
            "dst_as",
            "octets",
            "flow_end",
        ],
        0..4,
    );
    let measures = prop::sample::subsequence(
        vec![
            "octets",
            "packets",
            "flows",
            "bps",
            "fps",
            "reverse_octets",
            "both_octets",
            "both_packets",
            "both_bps",
            "avg(octets)",
            "min(rtt_us)",
            "max(flow_end)",
            "p95(rtt_us)",
            "distinct(dst_addr)",
            "distinct~(src_pod)",
            "distinct(octets)",
            "sum(rtt_us)",
        ],
        1..4,
    );
    let additive = vec!["octets", "both_packets", "flows", "bps", "both_bps", "reverse_pps"];
    let additive = prop::sample::subsequence(additive, 1..4);
    let measures = prop_oneof![measures, additive];
    let times = prop::sample::select(vec![
        ("2026-11-20T10:00:00Z", "2026-11-20T12:00:00Z"),
        ("2026-11-20T10:07:03Z", "2026-11-20T11:52:59Z"),
        ("2026-11-20T11:00:30Z", "2026-11-20T12:00:00Z"),
        ("2026-11-20T11:00:00Z", "2026-11-20T12:00:00Z"),
        ("-30m", "now"),
        ("2026-11-20T10:59:30.5Z", "2026-11-20T11:00:10Z"),
    ]);
    let bucket =
        prop::sample::select(vec![None, None, Some("1m"), Some("5m"), Some("7m"), Some("1h")]);
    let limit = prop::sample::select(vec![None, Some(1), Some(2), Some(5), Some(100)]);
    let compare =
        prop::sample::select(vec![None, None, Some(Compare::Previous), Some(Compare::Day)]);
    let directions =
        prop::sample::select(vec![Directions::One, Directions::Split, Directions::Both]);
    let flags = (any::<bool>(), directions, any::<prop::sample::Index>(), 0u8..4, any::<bool>());
    (filters, keys, measures, times, bucket, limit, compare, flags).prop_map(
        |(filter, keys, measures, (from, to), bucket, limit, compare, flags)| {
            let (unscaled, directions, by, time, ascending) = flags;
            let order_by = measures[by.index(measures.len())].to_owned();
            Query {
                from: from.into(),
                to: to.into(),
                filter: filter.into(),
                group_by: keys.into_iter().map(String::from).collect(),
                measures: measures.into_iter().map(String::from).collect(),
                unscaled,
                bucket: bucket.map(String::from),
                limit,
                order_by,
                order: if ascending { Order::Asc } else { Order::Desc },
                compare,
                directions,
                time: if time == 0 { TimeColumn::FlowEnd } else { TimeColumn::ReceivedAt },
                ..Query::default()
            }
        },
    )
}

fn rows_of(columns: &[AnswerColumn]) -> Vec<Vec<AnswerValue>> {
    let rows = columns.first().map_or(0, |column| column.values.len());
    (0..rows).map(|row| columns.iter().map(|column| column.values[row].clone()).collect()).collect()
}

fn shown(answer: &Answer) -> Expected {
    Expected {
        columns: rows_of(&answer.columns),
        other: rows_of(&answer.other),
        total: rows_of(&answer.total),
    }
}

fn limits(threads: usize) -> QueryLimits {
    QueryLimits { threads, ..QueryLimits::default() }
}

fn nothing_gone(_: Table, _: Tier) -> Option<Timestamp> {
    None
}

fn ask(parts: &[Arc<dyn Part>], query: &Query, threads: usize) -> Result<Answer, QueryError> {
    run_parts(parts, &nothing_gone, query, &limits(threads), &Cancel::new(), &Fixed)
}

/// Two closed parts of two blocks and an open one.
fn parts_of(batches: &[FlowBatch], rollups: bool) -> Vec<Arc<dyn Part>> {
    let chunks: Vec<&[FlowBatch]> = batches.chunks(2).collect();
    let mut parts: Vec<Arc<dyn Part>> = Vec::new();
    let last = chunks.len().saturating_sub(1);
    for (at, chunk) in chunks.iter().enumerate() {
        let closed = at < last;
        parts.push(Arc::new(MemoryPart::new(at as u64, Tier::Raw, closed, chunk)));
        if closed && rollups {
            for grain in Grain::ALL {
                parts.push(Arc::new(rollup(100 + at as u64, grain, chunk)));
            }
        }
    }
    parts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn answers_are_those_of_a_row_by_row_evaluation(
        rows in prop::collection::vec(prop::collection::vec(any_row(), 1..25), 1..7),
        query in any_query(),
        threads in 1usize..3,
    ) {
        let batches: Vec<FlowBatch> = rows.iter().map(|rows| batch(rows)).collect();
        let plan = Plan::new(&query, &limits(1), Fixed.now()).unwrap();
        let wanted = expected(&plan, &batches);
        let raw = ask(&parts_of(&batches, false), &query, threads).unwrap();
        prop_assert_eq!(&shown(&raw), &wanted, "raw: {:?}", query);
        let rolled = ask(&parts_of(&batches, true), &query, threads).unwrap();
        prop_assert_eq!(&shown(&rolled), &wanted, "{}: {:?}", rolled.stats.tier, query);
    }
}

fn row(second: i64, end: u8, octets: u32) -> Row {
    Row {
        second,
        ends: (end, 1),
        ports: (1, 2),
        proto: 0,
        octets: Some(octets),
        reverse: None,
        rate: 2,
        rtt: Some(end),
        pod: end % 4,
        systems: (1, 1),
        flags: 2,
    }
}

fn sample() -> Vec<FlowBatch> {
    let block = |hour: i64, end: u8| {
        let rows: Vec<Row> = (0..60).map(|m| row(hour * 3_600 + m * 60, end, 100)).collect();
        batch(&rows)
    };
    vec![block(0, 2), block(0, 3), block(1, 2), block(1, 4)]
}

fn question(text: &str) -> Query {
    serde_json::from_str(text).unwrap()
}

#[test]
fn whole_hours_are_answered_from_rollups_and_edges_from_finer_ones() {
    let parts = parts_of(&sample(), true);
    let from = r#""from":"2026-11-20T10:00:00Z","to":"2026-11-20T11:00:00Z""#;
    let whole = question(&format!(r#"{{{from},"group_by":["src_addr"]}}"#));
    let answer = ask(&parts, &whole, 2).unwrap();
    assert_eq!(answer.stats.tier, "1h");
    let from = r#""from":"2026-11-20T10:00:30Z","to":"2026-11-20T11:30:00Z""#;
    let edges = question(&format!(r#"{{{from},"group_by":["proto","dst_port"]}}"#));
    assert_eq!(ask(&parts, &edges, 2).unwrap().stats.tier, "5m+raw");
    let totals = Query { group_by: vec!["proto".into()], ..edges.clone() };
    assert_eq!(ask(&parts, &totals, 2).unwrap().stats.tier, "5m+1m+raw");
    let by_minute = Query { bucket: Some("1m".into()), ..totals };
    assert_eq!(ask(&parts, &by_minute, 2).unwrap().stats.tier, "1m+raw");
    let fine = Query { filter: "src_port = 53".into(), ..edges };
    assert_eq!(ask(&parts, &fine, 2).unwrap().stats.tier, "raw");
}

/// A download of 30 MB that host 2 fetched from host 4, and 1 MB that host 3 sent to host 4.
fn download() -> Vec<FlowBatch> {
    let get = Row { ends: (2, 4), octets: Some(2_000), rate: 1, ..row(60, 2, 0) };
    let put = Row { ends: (3, 4), octets: Some(1_000_000), rate: 1, ..row(120, 3, 0) };
    let mut batch = FlowBatch::new(Table::Flows);
    for (at, row) in [get, put].iter().enumerate() {
        batch.append_rows(1);
        batch.set(flows::RECEIVED_AT, at, (HOUR + row.second) * 1_000_000_000);
        batch.set(flows::SRC_ADDR, at, addr(row.ends.0).unwrap());
        batch.set(flows::DST_ADDR, at, addr(row.ends.1).unwrap());
        batch.set(flows::DST_PORT, at, 443u16);
        batch.set(flows::OCTETS, at, u64::from(row.octets.unwrap()));
    }
    batch.set(flows::REVERSE_OCTETS, 0, 30_000_000u64);
    batch.seal();
    vec![batch, sample().swap_remove(2)]
}

#[test]
fn a_download_counts_whole_and_for_the_end_that_sent_it() {
    let n = AnswerValue::U64;
    let end = |host: u8| AnswerValue::Addr(addr(host).unwrap());
    let hour = r#""from":"2026-11-20T10:00:00Z","to":"2026-11-20T11:00:00Z""#;
    let answer = |more: &str, rollups: bool| {
        let query = question(&format!("{{{hour},{more}}}"));
        let chunk = download();
        let mut parts: Vec<Arc<dyn Part>> =
            vec![Arc::new(MemoryPart::new(1, Tier::Raw, true, &chunk))];
        if rollups {
            parts.push(Arc::new(rollup(2, Grain::Hour, &chunk)));
        }
        ask(&parts, &query, 1).unwrap()
    };
    for rollups in [false, true] {
        let total = answer(r#""measures":["octets","both_octets","both_bps"]"#, rollups);
        let bps = AnswerValue::F64(31_002_000.0 * 8.0 / 3_600.0);
        assert_eq!(rows_of(&total.columns), [[n(1_002_000), n(31_002_000), bps]]);
        assert_eq!(total.stats.tier, if rollups { "1h" } else { "raw" });
        let ports = answer(r#""group_by":["dst_port"],"measures":["both_octets"]"#, false);
        assert_eq!(rows_of(&ports.columns), [[n(443), n(31_002_000)]]);
        let senders = r#""group_by":["src_addr"],"measures":["octets"],"directions":"split""#;
        let senders = answer(senders, rollups);
        assert_eq!(
            rows_of(&senders.columns),
            [[end(4), n(30_000_000)], [end(3), n(1_000_000)], [end(2), n(2_000)]]
        );
        assert_eq!(senders.stats.rows_matched, 2);
        let both = r#""group_by":["src_addr"],"measures":["octets","flows"],"directions":"both""#;
        assert_eq!(
            rows_of(&answer(both, rollups).columns),
            [
                [end(4), n(30_000_000), n(0), n(1_002_000), n(2)],
                [end(3), n(1_000_000), n(1), n(0), n(0)],
                [end(2), n(2_000), n(1), n(30_000_000), n(0)],
            ]
        );
    }
    // What is of the connection keeps both directions, what is of an end has its own.
    for (filter, by, rows) in [
        ("", "dst_port", vec![vec![n(443), n(31_002_000)]]),
        ("dst_port = 443", "src_addr,dst_port", vec![vec![end(4), n(443), n(30_000_000)]]),
        ("src_addr = 10.0.2.0", "dst_addr", vec![vec![end(2), n(30_000_000)]]),
        ("dst_addr = 10.0.2.0", "src_addr", vec![vec![end(3), n(1_000_000)]]),
    ] {
        let by = by.replace(',', r#"",""#);
        let answer = answer(
            &format!(
                r#""filter":"{filter}","group_by":["{by}"],"measures":["both_octets"],
                "directions":"split","limit":1"#
            ),
            false,
        );
        assert_eq!(rows_of(&answer.columns), rows, "{filter} by {by}");
    }
}

#[test]
fn records_of_one_direction_are_not_read_twice() {
    let parts = parts_of(&sample(), false);
    let query = |more: &str| {
        question(&format!(r#"{{"from":"-1d","group_by":["src_addr"],"limit":2{more}}}"#))
    };
    let plain = ask(&parts, &query(""), 1).unwrap();
    let split = ask(&parts, &query(r#","directions":"split""#), 1).unwrap();
    assert_eq!(shown(&split), shown(&plain));
    let read = |answer: &Answer| (answer.stats.blocks, answer.stats.blocks_pruned);
    assert_eq!((read(&split), read(&plain)), ((4, 0), (4, 0)));
}

#[test]
fn a_ranking_that_met_damage_is_made_anew_from_finer_sums() {
    let rows: Vec<Row> = (0..8).map(|end| row(i64::from(end) * 60, end, 100)).collect();
    let chunk = [batch(&rows)];
    let query = question(
        r#"{"from":"2026-11-20T10:00:00Z","to":"2026-11-20T11:00:00Z","bucket":"5m",
            "group_by":["src_addr"],"limit":1}"#,
    );
    let mut parts: Vec<Arc<dyn Part>> = vec![Arc::new(MemoryPart::new(1, Tier::Raw, true, &chunk))];
    for (id, grain) in (100..).zip(Grain::ALL) {
        let part = rollup(id, grain, &chunk);
        parts.push(Arc::new(if grain == Grain::Hour { part.damaged() } else { part }));
    }
    let answer = ask(&parts, &query, 1).unwrap();
    assert_eq!(answer.stats.blocks_damaged, 1);
    let whole = ask(&parts[..1], &query, 1).unwrap();
    assert_eq!(shown(&answer), shown(&whole));
}

#[test]
fn a_needle_reads_only_the_parts_that_have_it() {
    let parts = parts_of(&sample(), false);
    let query = question(r#"{"from":"-1d","filter":"addr = 10.0.2.0","measures":["flows"]}"#);
    let answer = ask(&parts, &query, 1).unwrap();
    assert_eq!(answer.columns[0].values, [AnswerValue::U64(60)]);
    assert_eq!((answer.stats.blocks, answer.stats.blocks_pruned), (1, 3));
}

#[test]
fn unknown_sampling_rates_are_told() {
    let mut rows = sample();
    rows.truncate(1);
    let mut unknown = FlowBatch::new(Table::Flows);
    unknown.append_rows(3);
    unknown.fill(flows::RECEIVED_AT, 0, 3, HOUR * 1_000_000_000);
    unknown.fill(flows::OCTETS, 0, 3, 7u64);
    unknown.seal();
    rows.push(unknown);
    let query = question(r#"{"from":"-1d","measures":["octets"]}"#);
    let answer = ask(&parts_of(&rows, false), &query, 1).unwrap();
    assert_eq!(answer.columns[0].values, [AnswerValue::U64(60 * 100 * 10 + 21)]);
    assert_eq!((answer.stats.rows_matched, answer.stats.rows_rate_unknown), (63, 3));
}

#[test]
fn limits_end_a_query_with_their_name() {
    let parts = parts_of(&sample(), false);
    let query = question(r#"{"from":"-1d","group_by":["src_addr","received_at"],"limit":null}"#);
    let with = |limits: QueryLimits| {
        run_parts(&parts, &nothing_gone, &query, &limits, &Cancel::new(), &Fixed).unwrap_err()
    };
    let error = with(QueryLimits { rows: 100, ..limits(1) });
    assert_eq!(
        (error.kind(), error.to_string()),
        (
            QueryErrorKind::Limit,
            "the answer has more than 100 rows: lower `limit` or widen `bucket`".into()
        )
    );
    assert!(with(QueryLimits { memory: 1_000, ..limits(2) }).to_string().contains("1000 octets"));
    let cancel = Cancel::new();
    cancel.cancel();
    let error = run_parts(&parts, &nothing_gone, &query, &limits(1), &cancel, &Fixed).unwrap_err();
    assert!(matches!(error, QueryError::Cancelled));

    struct Late(std::sync::atomic::AtomicI64);
    impl Clock for Late {
        fn now(&self) -> Timestamp {
            let turn = self.0.fetch_add(20, std::sync::atomic::Ordering::Relaxed);
            Timestamp::from_seconds(HOUR + 7_200 + turn)
        }
    }
    let late = Late(0.into());
    let error =
        run_parts(&parts, &nothing_gone, &query, &limits(1), &Cancel::new(), &late).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the query took longer than 30s: narrow the time range or the filter"
    );
}

#[test]
fn questions_without_meaning_are_refused_by_field() {
    let parts = parts_of(&sample(), false);
    for (text, message) in [
        (r#"{"table":"flow"}"#, "table: `flow` is not one of flows, counters, options"),
        (
            r#"{"from":"now","to":"-1h"}"#,
            "from: 2026-11-20T12:00:00Z is not before 2026-11-20T11:00:00Z",
        ),
        (r#"{"from":"soon"}"#, "from: `soon` is not a time like 2026-11-20T03:12:00Z, -1h or now"),
        (
            r#"{"measures":["octets_total"]}"#,
            "measures: `octets_total` is a running total and is never summed: use `octets`, or \
          max(octets_total) of one flow",
        ),
        (
            r#"{"measures":["octest"]}"#,
            "measures: `octest` is not a measure of flows; did you mean `octets`?",
        ),
        (
            r#"{"table":"counters","measures":["flows"]}"#,
            "measures: `flows` is not a measure of counters; did you mean `records`?",
        ),
        (r#"{"measures":["p95(src_pod)"]}"#, "measures: `src_pod` has no p95"),
        (
            r#"{"measures":["p96(rtt_us)"]}"#,
            "measures: `p96` is not a function; did you mean `p90`?",
        ),
        (r#"{"measures":[]}"#, "measures: takes 1 to 16 measures"),
        (
            r#"{"group_by":["src_adr"]}"#,
            "group_by: `src_adr` is not a column of flows; did you mean `src_addr`?",
        ),
        (
            r#"{"group_by":["src_addr/33"]}"#,
            "group_by: `src_addr/33` is not like `src_addr/24` or `src_addr/24/48`",
        ),
        (
            r#"{"group_by":["proto/8"]}"#,
            "group_by: `proto` is not an address and takes no prefix length",
        ),
        (r#"{"bucket":"10ms"}"#, "bucket: `10ms` is less than 1s"),
        (r#"{"bucket":"1s","from":"-7d"}"#, "bucket: gives 604800 rows, more than 100000"),
        (r#"{"limit":0}"#, "limit: takes 1 to 100000, or null for all groups"),
        (r#"{"order_by":"packets"}"#, "order_by: `packets` is not among the measures"),
        (
            r#"{"filter":"proto = tpc"}"#,
            "filter: `tpc` is not a value of `proto` (at 8); did you mean `tcp`?",
        ),
        (
            r#"{"table":"counters","measures":["records"],"directions":"both"}"#,
            "directions: only flows have two directions",
        ),
        (
            r#"{"table":"counters","measures":["records"],"time":"flow_end"}"#,
            "time: counters have no flow_end",
        ),
    ] {
        let error = ask(&parts, &question(text), 1).unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (QueryErrorKind::Invalid, message.into()));
    }
    assert!(serde_json::from_str::<Query>(r#"{"group":["src_addr"]}"#).is_err());
}

#[test]
fn many_groups_are_added_up_by_partition() {
    let blocks: Vec<FlowBatch> = (0..6u64)
        .map(|block| {
            let mut batch = FlowBatch::new(Table::Flows);
            batch.append_rows(50_000);
            batch.fill(flows::RECEIVED_AT, 0, 50_000, HOUR * 1_000_000_000);
            for row in 0..50_000u64 {
                // Every group of a block comes again three blocks later.
                let group = block % 3 * 50_000 + row;
                batch.set(flows::SRC_AS, row as usize, group as u32);
                batch.set(flows::DST_PORT, row as usize, (group % 7) as u16);
                batch.set(flows::OCTETS, row as usize, group * 10 + block);
            }
            batch.seal();
            batch
        })
        .collect();
    let query = question(
        r#"{"from":"-1d","group_by":["src_as","dst_port"],"measures":["octets","flows"],"limit":2}"#,
    );
    for threads in [1, 2] {
        let answer = ask(&parts_of(&blocks, false), &query, threads).unwrap();
        let n = AnswerValue::U64;
        let group =
            |group: u64, blocks: u64| vec![n(group), n(group % 7), n(group * 20 + blocks), n(2)];
        let total: u64 = (0..150_000u64).map(|group| group * 20).sum::<u64>() + 50_000 * 15;
        let top = (149_999 + 149_998) * 20 + 14;
        assert_eq!(
            shown(&answer),
            Expected {
                columns: vec![group(149_999, 7), group(149_998, 7)],
                other: vec![vec![n(total - top), n(300_000 - 4)]],
                total: vec![vec![n(total), n(300_000)]],
            }
        );
    }
}
