use std::sync::Arc;

use proptest::prelude::*;
use weir_model::columns::flows;
use weir_model::{Addr, Clock, FlowBatch, Grain, Table, Timestamp};
use weir_store::Tier;

use super::part::Part;
use super::run_parts;
use super::testing::{Expected, MemoryPart, expected, rollup};
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
    let additive = prop::sample::subsequence(vec!["octets", "packets", "flows", "bps"], 1..3);
    let measures = prop_oneof![measures, additive];
    let times = prop::sample::select(vec![
        ("2026-11-20T10:00:00Z", "2026-11-20T12:00:00Z"),
        ("2026-11-20T10:07:03Z", "2026-11-20T11:52:59Z"),
        ("2026-11-20T11:00:00Z", "2026-11-20T12:00:00Z"),
        ("-30m", "now"),
        ("2026-11-20T10:59:30.5Z", "2026-11-20T11:00:10Z"),
    ]);
    let bucket =
        prop::sample::select(vec![None, None, Some("1m"), Some("5m"), Some("7m"), Some("1h")]);
    let limit = prop::sample::select(vec![None, Some(1), Some(2), Some(5), Some(100)]);
    let compare =
        prop::sample::select(vec![None, None, Some(Compare::Previous), Some(Compare::Day)]);
    let flags = (any::<bool>(), any::<bool>(), any::<prop::sample::Index>(), 0u8..4, any::<bool>());
    (filters, keys, measures, times, bucket, limit, compare, flags).prop_map(
        |(filter, keys, measures, (from, to), bucket, limit, compare, flags)| {
            let (unscaled, both, by, time, ascending) = flags;
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
                directions: if both { Directions::Both } else { Directions::One },
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

fn ask(parts: &[Arc<dyn Part>], query: &Query, threads: usize) -> Result<Answer, QueryError> {
    run_parts(parts, query, &limits(threads), &Cancel::new(), &Fixed)
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
