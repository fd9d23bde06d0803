//! Captures of real exporters, compared by value with the decodings of sflowtool 6.11, telegraf
//! and the exporters' own truth. Without `WEIR_CORPUS` these tests say what they skipped.

use super::*;
use std::collections::BTreeMap;
use weir_model::{ColumnId, Mac, Scalar};
use weir_testkit::{capture, corpus};

/// The UDP payloads of a capture below the corpus folder.
fn datagrams(path: &str) -> Option<Vec<Vec<u8>>> {
    let Some(folder) = corpus::corpus() else {
        corpus::skip_aloud(path, "WEIR_CORPUS is not set");
        return None;
    };
    let file = std::fs::read(folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let payloads = capture::payloads(&file).unwrap_or_else(|| panic!("{path}: no capture"));
    Some(payloads.into_iter().map(|payload| payload.octets).collect())
}

fn decoded(path: &str) -> Option<(Output, Tally)> {
    let datagrams = datagrams(path)?;
    Some(decode_all(datagrams.iter().map(Vec::as_slice)))
}

fn reference(path: &str) -> String {
    let folder = corpus::corpus().unwrap();
    std::fs::read_to_string(folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A column as sflowtool prints its like.
fn text(batch: &FlowBatch, id: ColumnId, row: usize) -> String {
    match batch.get(id, row) {
        None => String::new(),
        Some(Scalar::U64(mac)) if [c::SRC_MAC, c::DST_MAC].contains(&id) => {
            Mac(mac).to_string().replace(':', "")
        }
        Some(Scalar::U64(number)) => number.to_string(),
        Some(Scalar::Addr(addr)) => addr.to_string(),
        Some(Scalar::Code(code)) => String::from_utf8_lossy(batch.interner().get(code)).into(),
        Some(other) => format!("{other:?}"),
    }
}

/// Samples decoded and dropped, and flow rows, of every capture: the counts of the READMEs.
#[test]
fn captures_hold_what_their_readmes_say() {
    let expected = [
        ("corpus-sflow/overflowd-sflow-a.pcap", 2930 + 252, 2930, 0),
        ("corpus-sflow/tcpdump-sflow-print-v6.pcap", 13 + 48, 13, 0),
        ("corpus-sflow/nxthdr-sflow.pcap", 1, 1, 0),
        ("corpus-sflow/akvorado-data-1140.pcap", 5, 5, 0),
        ("corpus-sflow/akvorado-data-encap-vxlan.pcap", 1, 1, 0),
        ("corpus-sflow/akvorado-data-icmpv6.pcap", 1, 1, 0),
        ("corpus-sflow/akvorado-data-local-interface.pcap", 1, 1, 0),
        ("corpus-sflow/akvorado-data-qinq.pcap", 1, 1, 0),
        ("corpus-sflow/akvorado-data-sflow-ipv4-data.pcap", 1, 1, 0),
        ("corpus-sflow/cistern-counter_sample.pcap", 1, 0, 0),
        ("corpus-sflow/cistern-event_discarded_packet.pcap", 1, 1, 0),
        ("corpus-sflow/cistern-host_sample.pcap", 1, 0, 0),
        ("corpus-sflow/logstash-sflow_counters_sample.pcap", 12, 0, 0),
        ("corpus-sflow/logstash-sflow_flow_sample.pcap", 1, 1, 0),
        ("corpus-sflow/telegraf-sflow_v5.pcap", 1, 0, 0),
        ("corpus-sflow/fluent-ipv4.pcap", 1, 1, 0),
        ("corpus/akvorado/akvorado-sflow-discard-interface.pcap", 1, 1, 0),
        ("corpus/akvorado/akvorado-sflow-multiple-interfaces.pcap", 1, 1, 0),
        ("corpus/generated/generated-pmacct-sflow.pcap", 126, 126, 0),
        ("corpus/goflow2/goflow2-sflow-drop-egressqueue.pcap", 1, 1, 0),
        ("corpus/goflow2/goflow2-sflow-expanded.pcap", 5, 5, 0),
        ("corpus/telegraf/telegraf-sflow-issue-15375.pcap", 1, 1, 0),
        ("corpus/telegraf/telegraf-sflow-issue-15918.pcap", 7, 6, 0),
        ("corpus/telegraf/telegraf-sflow-issue-18876.pcap", 1, 0, 0),
        ("corpus/vflow/vflow-hammer-sflow.pcap", 4, 4, 0),
        ("corpus/vflow/vflow-sflow-padding.pcap", 5, 5, 0),
        ("corpus-ovs/ovs-sflow.pcap", 512 + 36, 512, 0),
    ];
    for (path, samples, flows, dropped) in expected {
        let Some((_, tally)) = decoded(path) else { return };
        let counts = (tally.sets_decoded, tally.flows, tally.dropped_sets());
        assert_eq!(counts, (samples, flows, dropped), "{path}");
    }
}

#[test]
fn every_line_of_sflowtool_for_the_hp_switch_is_ours_too() {
    let Some((out, _)) = decoded("corpus-sflow/overflowd-sflow-a.pcap") else { return };
    let csv = reference("corpus-sflow/overflowd-sflow-a.sflowtool.csv");
    const FLOW: [(usize, ColumnId); 16] = [
        (1, c::EXPORTER_ADDR),
        (2, c::IN_IF),
        (3, c::OUT_IF),
        (4, c::SRC_MAC),
        (5, c::DST_MAC),
        (7, c::SRC_VLAN),
        (8, c::DST_VLAN),
        (9, c::SRC_ADDR),
        (10, c::DST_ADDR),
        (11, c::PROTO),
        (13, c::TTL),
        (14, c::SRC_PORT),
        (15, c::DST_PORT),
        (17, c::OCTETS),
        (17, c::FRAME_LENGTH),
        (19, c::SAMPLING_RATE),
    ];
    let (mut row, mut counter) = (0, 0);
    for line in csv.lines() {
        let fields: Vec<_> = line.split(',').collect();
        if fields[0] == "FLOW" {
            for (at, id) in FLOW {
                assert_eq!(text(&out.flows, id, row), fields[at], "{line}");
            }
            let hex = |at: usize| u64::from_str_radix(&fields[at][2..], 16).ok();
            assert_eq!(out.flows.get_u64(c::ETHER_TYPE, row), hex(6), "{line}");
            assert_eq!(out.flows.get_u64(c::TOS, row), hex(12), "{line}");
            assert_eq!(out.flows.get_u64(c::TCP_FLAGS, row), hex(16), "{line}");
            assert_eq!(out.flows.get_u64(c::PACKETS, row), Some(1));
            row += 1;
        } else {
            while out.counters.get_u64(k::STRUCTURE, counter) != Some(1) {
                counter += 1;
            }
            for field in &fields[2..] {
                assert_eq!(text(&out.counters, k::VALUE, counter), *field, "{line}");
                counter += 1;
            }
        }
    }
    assert_eq!(row, out.flows.rows());
}

/// sflowtool's word for a column of a flow row.
const WORDS: [(&str, ColumnId); 31] = [
    ("meanSkipCount", c::SAMPLING_RATE),
    ("samplePool", c::SAMPLE_POOL),
    ("dropEvents", c::SAMPLE_DROPS),
    ("inputPort", c::IN_IF),
    ("outputPort", c::OUT_IF),
    ("discardCode", c::DROP_REASON),
    ("linux_drop_reason", c::DROP_REASON_NAME),
    ("symbol", c::DROP_FUNCTION),
    ("in_vlan", c::SRC_VLAN),
    ("out_vlan", c::DST_VLAN),
    ("sampledPacketSize", c::FRAME_LENGTH),
    ("dstMAC", c::DST_MAC),
    ("srcMAC", c::SRC_MAC),
    ("ethernet_type", c::ETHER_TYPE),
    ("srcIP", c::SRC_ADDR),
    ("dstIP", c::DST_ADDR),
    ("IPTTL", c::TTL),
    ("IPID", c::FRAGMENT_ID),
    ("TCPSrcPort", c::SRC_PORT),
    ("TCPDstPort", c::DST_PORT),
    ("TCPFlags", c::TCP_FLAGS),
    ("UDPSrcPort", c::SRC_PORT),
    ("UDPDstPort", c::DST_PORT),
    ("nextHop", c::NEXT_HOP),
    ("srcSubnetMask", c::SRC_MASK),
    ("dstSubnetMask", c::DST_MASK),
    ("bgp_nexthop", c::BGP_NEXT_HOP),
    ("my_as", c::EXPORTER_AS),
    ("src_as", c::SRC_AS),
    ("src_peer_as", c::PREV_AS),
    ("BGP_localpref", c::LOCAL_PREF),
];

fn compare_flow(sample: &BTreeMap<&str, &str>, flows: &FlowBatch, row: usize, path: &str) {
    let mut compared = 0;
    for (word, id) in WORDS {
        let dropped = format!("discarded_{word}");
        let Some(value) = sample.get(word).or_else(|| sample.get(dropped.as_str())) else {
            continue;
        };
        if let Some(count) = value.strip_prefix("multiple ") {
            assert_eq!(text(flows, c::OUT_IF_COUNT, row), count, "{path}, {word}");
            continue;
        }
        // sflowtool writes the IPID as it reads it: with the octets swapped.
        // All ones is "unknown", which is null with us.
        let value = if *value == "4294967295" { &"" } else { value };
        let ours = match (id, flows.get_u64(id, row)) {
            (c::FRAGMENT_ID, Some(id)) => (id as u16).swap_bytes().to_string(),
            _ => text(flows, id, row),
        };
        assert_eq!(&ours, value, "{path}, row {row}, {word}");
        compared += 1;
    }
    if let Some(addr) = sample.get("srcIP6") {
        let addr: Addr = addr.parse().unwrap();
        assert_eq!(flows.get(c::SRC_ADDR, row), Some(Scalar::Addr(addr)), "{path}, row {row}");
    }
    let list = |word: &str| -> Option<Vec<u8>> {
        let numbers = sample.get(word)?.split('-').map(|n| n.parse::<u32>().unwrap());
        Some(numbers.flat_map(u32::to_be_bytes).collect())
    };
    for (word, id) in [("dst_as_path", c::AS_PATH), ("BGP_communities", c::COMMUNITIES)] {
        if let Some(expected) = list(word) {
            assert_eq!(flows.get_octets(id, row), Some(&expected[..]), "{path}, {word}");
        }
    }
    assert!(compared >= 5, "{path}, row {row}: only {compared} words compared");
}

/// sflowtool puts the module's name before what the specification calls the field.
fn counter_name(word: &str) -> String {
    let renamed = [
        ("cpuintr", "cpu_intr"),
        ("cpuinterrupts", "interrupts"),
        ("disk_partition_max_used", "part_max_used"),
        ("cpu_uptime", "uptime"),
        ("cpu_contexts", "contexts"),
        ("disk_total", "disk_total"),
        ("disk_free", "disk_free"),
    ];
    if let Some((_, name)) = renamed.iter().find(|(from, _)| *from == word) {
        return (*name).to_owned();
    }
    for prefix in ["cpu_load_", "cpu_proc_", "disk_", "nio_"] {
        if let Some(rest) = word.strip_prefix(prefix) {
            let kept = prefix.strip_prefix("cpu_").unwrap_or("");
            return format!("{kept}{rest}");
        }
    }
    word.to_owned()
}

#[test]
fn every_word_of_sflowtool_is_ours_too() {
    for name in [
        "akvorado-data-1140",
        "akvorado-data-sflow-ipv4-data",
        "cistern-event_discarded_packet",
        "cistern-host_sample",
        "tcpdump-sflow-print-v6",
    ] {
        let path = format!("corpus-sflow/{name}.pcap");
        let Some((out, _)) = decoded(&path) else { return };
        let words = reference(&format!("corpus-sflow/{name}.sflowtool.txt"));
        let mut counters: Vec<(String, String)> = Vec::new();
        let mut flow_rows = 0;
        for sample in words.split("startSample").skip(1) {
            let sample = sample.split("endSample").next().unwrap();
            let pairs = sample.lines().filter_map(|line| line.split_once(' '));
            if sample.contains("COUNTERSSAMPLE") {
                let skipped = ["sampleType", "sampleSequenceNo", "sourceId", "counterBlock_tag"];
                counters.extend(
                    pairs
                        .filter(|(word, _)| !skipped.iter().any(|skip| word.starts_with(skip)))
                        .filter(|(word, _)| !word.is_empty() && !word.ends_with("_MACs"))
                        .map(|(word, value)| (counter_name(word), value.to_owned())),
                );
            } else {
                let mut first = BTreeMap::new();
                pairs.for_each(|(word, value)| {
                    first.entry(word).or_insert(value);
                });
                compare_flow(&first, &out.flows, flow_rows, &path);
                flow_rows += 1;
            }
        }
        assert_eq!(flow_rows, out.flows.rows(), "{path}");
        let ours: Vec<_> = (0..out.counters.rows())
            .map(|row| {
                let name = text(&out.counters, k::NAME, row);
                let value = match out.counters.get(k::VALUE_F, row) {
                    Some(Scalar::F64(value)) if name == "part_max_used" => format!("{value:.2}"),
                    Some(Scalar::F64(value)) => format!("{value:.3}"),
                    _ => {
                        text(&out.counters, k::VALUE, row)
                            + &text(&out.counters, k::VALUE_TEXT, row)
                    }
                };
                (name.clone(), if name.contains("_MAC_") { value.replace(':', "") } else { value })
            })
            .collect();
        assert_eq!(ours, counters, "{path}");
    }
}

#[test]
fn tcpdump_segv_case_is_contained() {
    for path in [
        "corpus-sflow/tcpdump-sflow_print-segv.pcap",
        "corpus/tcpdump/tcpdump-sflow-print-segv.pcap",
    ] {
        let Some((_, tally)) = decoded(path) else { return };
        assert!(tally.dropped_sets() > 0, "{path}: {tally:?}");
    }
}

#[test]
fn akvorado_cases_have_the_values_of_its_tests() {
    let cases = [
        ("corpus-sflow/akvorado-data-encap-vxlan.pcap", "tunnel_kind=1"),
        ("corpus-sflow/akvorado-data-icmpv6.pcap", "icmp_type="),
        ("corpus-sflow/akvorado-data-local-interface.pcap", "out_if=1073741823"),
        ("corpus-sflow/akvorado-data-qinq.pcap", "inner_vlan="),
        ("corpus/akvorado/akvorado-sflow-discard-interface.pcap", "drop_reason="),
        ("corpus/akvorado/akvorado-sflow-multiple-interfaces.pcap", "out_if_count="),
        ("corpus/goflow2/goflow2-sflow-drop-egressqueue.pcap", "queue_id=42"),
        ("corpus/goflow2/goflow2-sflow-expanded.pcap", "src_vlan=1337"),
        ("corpus-sflow/akvorado-data-1140.pcap", "as_path=[203698,6762,26615]"),
        ("corpus/telegraf/telegraf-sflow-issue-15375.pcap", "queue_id=42"),
        ("corpus-sflow/fluent-ipv4.pcap", "next_hop="),
    ];
    for (path, part) in cases {
        let Some((out, _)) = decoded(path) else { return };
        let lines = lines(&out.flows);
        assert!(lines.iter().any(|line| line.contains(part)), "{path}: {lines:#?}");
    }
}

/// Lines of telegraf's `expected.out`: field name to value, types and quotes off.
fn influx(line: &str) -> BTreeMap<&str, &str> {
    let fields = line.split_once(' ').unwrap().1.rsplit_once(' ').unwrap().0;
    let fields = fields.split(',').filter_map(|field| field.split_once('='));
    fields.map(|(name, value)| (name, value.trim_end_matches('u').trim_matches('"'))).collect()
}

#[test]
fn telegraf_reads_the_same_from_its_switches() {
    const FIELDS: [(&str, ColumnId); 14] = [
        ("in_snmp", c::SOURCE_INDEX),
        ("src", c::SRC_ADDR),
        ("dst", c::DST_ADDR),
        ("src_port", c::SRC_PORT),
        ("dst_port", c::DST_PORT),
        ("l2_bytes", c::FRAME_LENGTH),
        ("in_total_packets", c::SAMPLE_POOL),
        ("sampling_interval", c::SAMPLING_RATE),
        ("sampling_drops", c::SAMPLE_DROPS),
        ("vlan_src", c::SRC_VLAN),
        ("vlan_dst", c::DST_VLAN),
        ("ttl", c::TTL),
        ("ipv4_id", c::FRAGMENT_ID),
        ("reason", c::DROP_REASON),
    ];
    for issue in ["15375", "15918", "18876"] {
        let path = format!("corpus/telegraf/telegraf-sflow-issue-{issue}.pcap");
        let Some((out, _)) = decoded(&path) else { return };
        let expected = reference(&path.replace(".pcap", ".expected.out"));
        let expected: Vec<_> =
            expected.lines().filter(|line| !line.is_empty()).map(influx).collect();
        let (flows, counters): (Vec<_>, Vec<_>) =
            expected.into_iter().partition(|fields| !fields.contains_key("interface_type"));
        // What it calls in_snmp is the index of the data source.
        // Telegraf prints its metrics in no fixed order: each must be one of our rows.
        for fields in &flows {
            let is_ours = |row: &usize| {
                FIELDS.iter().all(|(name, id)| {
                    fields.get(name).is_none_or(|value| text(&out.flows, *id, *row) == *value)
                })
            };
            assert!((0..out.flows.rows()).any(|row| is_ours(&row)), "{path}: {fields:?}");
        }
        assert_eq!(flows.len(), out.flows.rows(), "{path}");
        let value = |name: &str| {
            let row =
                (0..out.counters.rows()).find(|row| text(&out.counters, k::NAME, *row) == name);
            row.map(|row| text(&out.counters, k::VALUE, row))
        };
        for fields in counters {
            for (theirs, ours) in [
                ("in_bytes", "ifInOctets"),
                ("out_bytes", "ifOutOctets"),
                ("interface", "ifIndex"),
                ("speed", "ifSpeed"),
                ("errors_fcs", "dot3StatsFCSErrors"),
            ] {
                assert_eq!(value(ours).as_deref(), fields.get(theirs).copied(), "{path}, {ours}");
            }
        }
    }
}

#[test]
fn open_vswitch_samples_estimate_its_traffic() {
    let Some((out, _)) = decoded("corpus-ovs/ovs-sflow.pcap") else { return };
    let sum = |id| (0..out.flows.rows()).filter_map(|row| out.flows.get_u64(id, row)).sum::<u64>();
    // 512 samples at 1 in 16; octets as nfdump sums them.
    assert_eq!((sum(c::PACKETS) * 16, sum(c::OCTETS) * 16), (8_192, 9_813_344));
    let rates: Vec<_> = (0..512).map(|row| out.flows.get_u64(c::SAMPLING_RATE, row)).collect();
    assert_eq!(rates, [Some(16); 512]);
}

#[test]
fn pmacct_samples_are_flows_of_its_truth() {
    let path = "corpus/generated/generated-pmacct-sflow";
    let Some((out, _)) = decoded(&format!("{path}.pcap")) else { return };
    let truth: serde_json::Value =
        serde_json::from_str(&reference(&format!("{path}.traffic.json"))).unwrap();
    let key = |flow: &serde_json::Value| {
        let part = |name: &str| flow[name].as_str().map_or(flow[name].to_string(), str::to_owned);
        ["src", "dst", "proto", "sport", "dport", "tos"].map(part).join(" ").replace("null", "")
    };
    let flows: Vec<_> = truth["flows"].as_array().unwrap().iter().map(key).collect();
    for row in 0..out.flows.rows() {
        let ids = [c::SRC_ADDR, c::DST_ADDR, c::PROTO, c::SRC_PORT, c::DST_PORT, c::TOS];
        let ours = ids.map(|id| text(&out.flows, id, row)).join(" ");
        assert!(flows.contains(&ours), "{ours} is none of {flows:?}");
    }
}

/// Real datagrams with a few octets changed reach deeper than random ones.
#[test]
fn damaged_captures_are_contained() {
    let mut dice = weir_testkit::Dice::new(0x5f10);
    for path in [
        "corpus-sflow/akvorado-data-1140.pcap",
        "corpus-sflow/cistern-host_sample.pcap",
        "corpus-sflow/cistern-event_discarded_packet.pcap",
        "corpus-sflow/logstash-sflow_counters_sample.pcap",
        "corpus/vflow/vflow-sflow-padding.pcap",
        "corpus/goflow2/goflow2-sflow-expanded.pcap",
        "corpus-sflow/tcpdump-sflow_print-segv.pcap",
    ] {
        let Some(datagrams) = datagrams(path) else { return };
        for datagram in &datagrams {
            for _ in 0..300 {
                let mut damaged = datagram.clone();
                (0..=dice.below(4)).for_each(|_| dice.damage(&mut damaged));
                check(&damaged);
            }
        }
    }
}
