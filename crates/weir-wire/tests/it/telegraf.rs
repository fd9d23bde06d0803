//! Values against the Influx lines that telegraf makes of the same captures (`.expected.out`).

use std::time::Duration;

use serde_json::{Value, json};
use weir_model::column::ElementKey;
use weir_model::columns::{PEN_NTOP, counters, flows};
use weir_model::{FlowBatch, Scalar, Table, named};

use crate::captures;
use crate::record::{Said, hex, said, same};

/// telegraf's names and the elements they stand for.
const NAMES: &[(&str, u32, u16)] = &[
    ("in_bytes", 0, 1),
    ("in_packets", 0, 2),
    ("protocol", 0, 4),
    ("src_tos", 0, 5),
    ("tcp_flags", 0, 6),
    ("src_port", 0, 7),
    ("src", 0, 8),
    ("src_mask", 0, 9),
    ("in_snmp", 0, 10),
    ("dst_port", 0, 11),
    ("dst", 0, 12),
    ("dst_mask", 0, 13),
    ("out_snmp", 0, 14),
    ("next_hop", 0, 15),
    ("last_switched", 0, 21),
    ("first_switched", 0, 22),
    ("engine_type", 0, 38),
    ("engine_id", 0, 39),
    ("dst_tos", 0, 55),
    ("in_src_mac", 0, 56),
    ("out_dst_mac", 0, 57),
    ("interface", 0, 82),
    ("interface_desc", 0, 83),
    ("app_desc", 0, 94),
    ("app_id", 0, 95),
    ("app_name", 0, 96),
    ("flow_start", 0, 150),
    ("flow_end", 0, 151),
    ("flow_start_ms", 0, 152),
    ("flow_end_ms", 0, 153),
    ("icmp_type", 0, 176),
    ("icmp_code", 0, 177),
    ("retransmitted_in_pkts", PEN_NTOP, 109),
    ("retransmitted_out_pkts", PEN_NTOP, 110),
    ("l7_proto", PEN_NTOP, 118),
    ("client_nw_latency_ms", PEN_NTOP, 123),
    ("server_nw_latency_ms", PEN_NTOP, 124),
    ("app_latency_ms", PEN_NTOP, 125),
    ("retransmitted_in_bytes", PEN_NTOP, 127),
    ("retransmitted_out_bytes", PEN_NTOP, 128),
    ("ssl_server_name", PEN_NTOP, 188),
    ("ja3c_hash", PEN_NTOP, 489),
    ("ja3s_hash", PEN_NTOP, 490),
    ("ssl_cipher", PEN_NTOP, 493),
    ("ssl_unsafe_cipher", PEN_NTOP, 494),
    ("ssl_version", PEN_NTOP, 495),
];

/// Words that telegraf makes of other fields: the forwarding status in two words, the version of
/// the addresses.
const NOT_COMPARED: &[&str] = &["fwd_status", "fwd_reason", "ip_version"];

/// The fields of a line: `measurement,tags fields time`.
fn fields(line: &str) -> Vec<(String, Value)> {
    let (_, rest) = line.split_once(' ').unwrap();
    let (mut fields, mut rest) = (Vec::new(), rest);
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(text) => {
                let (text, after) = text.split_once('"').unwrap();
                (json!(text), after)
            }
            None => {
                let end = after.find([',', ' ']).unwrap_or(after.len());
                let number: u64 = after[..end].trim_end_matches(['u', 'i']).parse().unwrap();
                (json!(number), &after[end..])
            }
        };
        fields.push((name.to_owned(), value));
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    fields
}

/// The tag or field of that name.
fn tag<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, after) = line.split_once(&format!("{name}=")).unwrap();
    &after[..after.find([',', ' ']).unwrap()]
}

fn lines(name: &str) -> Option<Vec<String>> {
    let text = captures::text(&format!("corpus/telegraf/telegraf-{name}.expected.out"))?;
    Some(text.lines().filter(|line| line.starts_with("netflow")).map(str::to_owned).collect())
}

#[test]
fn netflow_and_ipfix_lines_have_the_values_that_telegraf_reads() {
    let (mut wrong, mut values) = (Vec::new(), 0);
    for name in [
        "ipfix-options",
        "ipfix-pen-35632",
        "issue-13305",
        "netflow-v9-example",
        "netflow-v9-options",
    ] {
        let path = format!("corpus/telegraf/telegraf-{name}.pcap");
        let (Some(session), Some(lines)) = (captures::decode(&path), lines(name)) else { continue };
        let batches = [&session.out.flows, &session.out.options];
        assert_eq!(batches[0].rows() + batches[1].rows(), lines.len(), "{name}: records");
        for line in &lines {
            let batch = batches[usize::from(line.starts_with("netflow_options"))];
            let fields = fields(line);
            let closest =
                (0..batch.rows()).map(|row| misses(batch, row, &fields)).min_by_key(Vec::len);
            values += fields.len();
            match closest {
                Some(misses) if misses.is_empty() => {}
                misses => wrong.push(format!("{name}: {misses:?}")),
            }
        }
    }
    wrong.truncate(20);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(values > 600, "only {values} values were compared");
}

fn misses(batch: &FlowBatch, row: usize, fields: &[(String, Value)]) -> Vec<String> {
    let compared = fields.iter().filter(|(name, _)| !NOT_COMPARED.contains(&name.as_str()));
    let mut misses = Vec::new();
    for (name, value) in compared {
        // telegraf takes v9's scope type 1 (system) for element 1.
        let system = name == "in_bytes" && batch.table() == Table::Options;
        let key = if system { Some(ElementKey { pen: 0, id: 144 }) } else { key(name) };
        let found = key.map(|key| said(batch, row, key)).unwrap_or_default();
        if !agree(name, &found, value) {
            misses.push(format!("{name} is {found:?}, not {value}"));
        }
    }
    misses
}

fn key(name: &str) -> Option<ElementKey> {
    if let Some(rest) = name.strip_prefix("type_") {
        let (pen, id) = rest.split_once('_')?;
        return Some(ElementKey { pen: pen.parse().ok()?, id: id.parse().ok()? });
    }
    let &(_, pen, id) = NAMES.iter().find(|(known, ..)| *known == name)?;
    Some(ElementKey { pen, id })
}

fn agree(name: &str, found: &[Said], value: &Value) -> bool {
    if found.iter().any(|found| same(found, value, Duration::ZERO)) {
        return true;
    }
    let number = |n: u64| found.contains(&Said::Number(n));
    match (name, value.as_str()) {
        ("protocol", Some(name)) => named::PROTO.value(name).is_some_and(number),
        ("tcp_flags", Some(flags)) => number(tcp_flags(flags)),
        // The uptime of an exporter that says in the same record what time that was.
        ("first_switched" | "last_switched", None) => matches!(found, [Said::Time(_)]),
        (_, Some("")) => found.is_empty() || found == [Said::Octets(Vec::new())],
        // An element whose type telegraf did not know.
        (_, Some(text)) => hex(text).is_some_and(|octets| {
            found.contains(&Said::Octets(octets.clone()))
                || octets.len() <= 8
                    && number(octets.iter().fold(0, |n, octet| n << 8 | u64::from(*octet)))
        }),
        _ => false,
    }
}

/// `CEUAPRSF`, a dot where the bit is not set.
fn tcp_flags(text: &str) -> u64 {
    text.chars().fold(0, |bits, flag| bits << 1 | u64::from(flag != '.'))
}

/// Names of samples' fields and the columns they stand for.
const SAMPLE: &[(&str, &str)] = &[
    ("agent_ip", "exporter_addr"),
    ("agent_subid", "observation_domain"),
    ("src", "src_addr"),
    ("dst", "dst_addr"),
    ("src_port", "src_port"),
    ("dst_port", "dst_port"),
    // telegraf shows the data source here; the two are one interface at ingress only.
    ("in_snmp", "source_index"),
    ("out_snmp", "out_if"),
    ("in_src_mac", "src_mac"),
    ("out_dst_mac", "dst_mac"),
    ("sampling_interval", "sampling_rate"),
    ("in_total_packets", "sample_pool"),
    ("src_tos", "tos"),
    ("ttl", "ttl"),
    ("ipv4_id", "fragment_id"),
    ("fragment_offset", "fragment_offset"),
    ("l2_bytes", "frame_length"),
    ("vlan_src", "src_vlan"),
    ("vlan_dst", "dst_vlan"),
    ("out_queue", "queue_id"),
];

#[test]
fn sflow_lines_have_the_values_that_telegraf_reads() {
    let (mut wrong, mut values) = (Vec::new(), 0);
    for name in ["sflow-issue-15375", "sflow-issue-15918", "sflow-issue-18876"] {
        let path = format!("corpus/telegraf/telegraf-{name}.pcap");
        let (Some(session), Some(lines)) = (captures::decode(&path), lines(name)) else { continue };
        for line in &lines {
            let fields = fields(line);
            values += fields.len();
            let counters = line.contains("in_unicast_packets_total");
            let miss = match counters {
                true => counter_misses(&session.out.counters, line, &fields),
                false => sample_misses(&session.out.flows, &fields),
            };
            if !miss.is_empty() {
                wrong.push(format!("{name}: {}", miss.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(values > 100, "only {values} values were compared");
}

fn sample_misses(batch: &FlowBatch, fields: &[(String, Value)]) -> Vec<String> {
    let row_misses = |row: usize| {
        let mut misses = Vec::new();
        for (name, value) in fields {
            if name == "protocol" {
                let proto = batch.get_u64(flows::PROTO, row);
                // It stops at the first extension header of IPv6; we go on to the payload's.
                let hop_by_hop = value == "hopopt" && proto == Some(58);
                if !hop_by_hop && proto != named::PROTO.value(value.as_str().unwrap()) {
                    misses.push(format!("proto is {proto:?}, not {value}"));
                }
            }
            let Some((_, column)) = SAMPLE.iter().find(|(theirs, _)| theirs == name) else {
                continue;
            };
            let def = batch.table().find(column).unwrap();
            let found = batch.get(def.id, row).map(|value| match value {
                Scalar::Addr(addr) => Said::Addr(addr),
                Scalar::U64(number) => Said::Number(number),
                other => panic!("{column} is {other:?}"),
            });
            if !found.as_ref().is_some_and(|found| same(found, value, Duration::ZERO)) {
                misses.push(format!("{column} is {found:?}, not {value}"));
            }
        }
        misses
    };
    (0..batch.rows()).map(row_misses).min_by_key(Vec::len).unwrap_or(vec!["no sample".into()])
}

/// Names of interface and Ethernet counters, and what the counters are called here.
fn counter_misses(batch: &FlowBatch, line: &str, fields: &[(String, Value)]) -> Vec<String> {
    let interface: u64 = tag(line, "interface").trim_end_matches('u').parse().unwrap();
    let rows: Vec<usize> = (0..batch.rows())
        .filter(|row| batch.get_u64(counters::SOURCE_INDEX, *row) == Some(interface))
        .collect();
    let counted = ["in_", "out_", "errors_", "collision", "deferred", "speed"];
    let skipped = ["in_snmp", "out_snmp"];
    let mut misses = Vec::new();
    for (name, value) in fields {
        if !counted.iter().any(|prefix| name.starts_with(prefix))
            || skipped.contains(&name.as_str())
        {
            continue;
        }
        let ours = counter(name);
        let found = rows.iter().find_map(|row| {
            let same = batch.get_octets(counters::NAME, *row) == Some(ours.as_bytes());
            same.then(|| batch.get_u64(counters::VALUE, *row))?
        });
        if found != value.as_u64() {
            misses.push(format!("{ours} of interface {interface} is {found:?}, not {value}"));
        }
    }
    misses
}

fn counter(telegraf: &str) -> &str {
    match telegraf {
        "speed" => "ifSpeed",
        "in_bytes" => "ifInOctets",
        "in_unicast_packets_total" => "ifInUcastPkts",
        "in_mcast_packets_total" => "ifInMulticastPkts",
        "in_broadcast_packets_total" => "ifInBroadcastPkts",
        "in_dropped_packets" => "ifInDiscards",
        "in_errors" => "ifInErrors",
        "in_unknown_protocol" => "ifInUnknownProtos",
        "out_bytes" => "ifOutOctets",
        "out_unicast_packets_total" => "ifOutUcastPkts",
        "out_mcast_packets_total" => "ifOutMulticastPkts",
        "out_broadcast_packets_total" => "ifOutBroadcastPkts",
        "out_dropped_packets" => "ifOutDiscards",
        "out_errors" => "ifOutErrors",
        "errors_alignment" => "dot3StatsAlignmentErrors",
        "errors_fcs" => "dot3StatsFCSErrors",
        "collision_frames_single" => "dot3StatsSingleCollisionFrames",
        "collision_frames_multi" => "dot3StatsMultipleCollisionFrames",
        "errors_sqetest" => "dot3StatsSQETestErrors",
        "deferred" => "dot3StatsDeferredTransmissions",
        "collisions_late" => "dot3StatsLateCollisions",
        "collisions_excessive" => "dot3StatsExcessiveCollisions",
        "errors_internal_mac_tx" => "dot3StatsInternalMacTransmitErrors",
        "errors_carrier_sense" => "dot3StatsCarrierSenseErrors",
        "errors_frame_too_long" => "dot3StatsFrameTooLongs",
        "errors_internal_mac_rx" => "dot3StatsInternalMacReceiveErrors",
        "errors_symbols" => "dot3StatsSymbolErrors",
        other => other,
    }
}
