//! Values against those that logstash's NetFlow codec expects in its own tests (`.expected.json`).
//!
//! Its names become element ids; `@…`, header fields and Set ids are not ours to compare. Its times
//! are cut by its own rules, up to a second.

use std::time::Duration;

use serde_json::{Map, Value};
use weir_model::column::ElementKey;
use weir_model::columns::PEN_REVERSE;
use weir_model::{FlowBatch, Timestamp};
use weir_wire::Output;

use crate::captures;
use crate::record::{Said, said, same};

/// Names of the codec that are no names of a registry, and the elements they stand for.
const NAMES: &[(&str, u32, u16)] = &[
    ("in_bytes", 0, 1),
    ("in_pkts", 0, 2),
    ("flows", 0, 3),
    ("protocol", 0, 4),
    ("src_tos", 0, 5),
    ("tcp_flags", 0, 6),
    ("l4_src_port", 0, 7),
    ("ipv4_src_addr", 0, 8),
    ("src_mask", 0, 9),
    ("input_snmp", 0, 10),
    ("l4_dst_port", 0, 11),
    ("ipv4_dst_addr", 0, 12),
    ("dst_mask", 0, 13),
    ("output_snmp", 0, 14),
    ("ipv4_next_hop", 0, 15),
    ("src_as", 0, 16),
    ("dst_as", 0, 17),
    ("bgp_ipv4_next_hop", 0, 18),
    ("last_switched", 0, 21),
    ("first_switched", 0, 22),
    ("out_bytes", 0, 23),
    ("out_pkts", 0, 24),
    ("icmp_type", 0, 32),
    ("sampling_interval", 0, 34),
    ("sampling_algorithm", 0, 35),
    ("flow_active_timeout", 0, 36),
    ("flow_inactive_timeout", 0, 37),
    ("total_bytes_exp", 0, 40),
    ("total_pkts_exp", 0, 41),
    ("total_flows_exp", 0, 42),
    ("flow_sampler_id", 0, 48),
    ("in_src_mac", 0, 56),
    ("out_dst_mac", 0, 57),
    ("src_vlan", 0, 58),
    ("dst_vlan", 0, 59),
    ("ip_protocol_version", 0, 60),
    ("direction", 0, 61),
    ("in_dst_mac", 0, 80),
    ("out_src_mac", 0, 81),
    ("if_name", 0, 82),
    ("if_desc", 0, 83),
    ("forwarding_status", 0, 89),
    ("application_id", 0, 95),
    ("conn_id", 0, 148),
    ("ip_dscp", 0, 195),
    ("mpls_label_stack_octets", 0, 201),
    ("tcpOptions", 0, 209),
    ("rev_flow_delta_bytes", 0, 232),
    ("fw_event", 0, 233),
    ("app_id", 0, 56_701),
    ("user_id", 0, 56_702),
    ("natInsideSvcid", 637, 91),
    ("natOutsideSvcid", 637, 92),
    ("natSubString", 637, 93),
    ("netscalerRoundTripTime", 5_951, 128),
    ("netscalerTransactionId", 5_951, 129),
    ("netscalerHttpReqUrl", 5_951, 130),
    ("netscalerHttpReqCookie", 5_951, 131),
    ("netscalerFlowFlags", 5_951, 132),
    ("netscalerConnectionId", 5_951, 133),
    ("netscalerHttpReqReferer", 5_951, 140),
    ("netscalerHttpReqMethod", 5_951, 141),
    ("netscalerHttpReqHost", 5_951, 142),
    ("netscalerHttpReqUserAgent", 5_951, 143),
    ("netscalerAppNameAppId", 5_951, 151),
    ("netscalerHttpResForwFB", 5_951, 158),
    ("netscalerHttpResForwLB", 5_951, 170),
    ("netscalerAppUnitNameAppId", 5_951, 171),
    ("netscalerHttpContentType", 5_951, 183),
    ("netscalerHttpReqAuthorization", 5_951, 185),
    ("netscalerHttpReqVia", 5_951, 186),
    ("netscalerHttpReqXForwardedFor", 5_951, 190),
    ("netscalerConnectionChainID", 5_951, 192),
    ("netscalerConnectionChainHopCount", 5_951, 193),
    ("netscalerAaaUsername", 5_951, 205),
    ("netscalerHttpDomainName", 5_951, 267),
    ("netscalerUnknown330", 5_951, 330),
    ("streamcore_wan_rtt", 0, 8_192),
    ("streamcore_net_app_resp_time", 0, 8_193),
    ("streamcore_total_app_resp_time", 0, 8_194),
    ("streamcore_tcp_retrans_rate", 0, 8_195),
    ("streamcore_call_direction", 0, 8_196),
    ("streamcore_hostname", 0, 8_256),
    ("streamcore_url", 0, 8_257),
    ("streamcore_id_rule_1", 0, 8_384),
    ("streamcore_id_rule_2", 0, 8_385),
    ("streamcore_id_rule_3", 0, 8_386),
    ("streamcore_id_rule_4", 0, 8_387),
    ("streamcore_id_rule_5", 0, 8_388),
    ("streamcore_id_rule_6", 0, 8_389),
    ("streamcore_id_rule_7", 0, 8_390),
    ("streamcore_id_rule_8", 0, 8_391),
    ("streamcore_id_rule_9", 0, 8_392),
    ("streamcore_id_rule_10", 0, 8_393),
];

/// How far its times may lie from ours: it keeps seconds of IPFIX and rounds those of v5 and v9.
const CUT: Duration = Duration::from_millis(1_200);

/// Header fields, v5's sampling (in every record there, in the header here) and misprints of the
/// expectations.
const NOT_COMPARED: &[&str] = &[
    "version",
    "flowset_id",
    "flow_seq_num",
    "flow_records",
    "engine_type",
    "engine_id",
    "reamcore_id_rule_1",
    // Options of a scope that has no IANA element of its own.
    "scope_system",
];

/// Captures with expected events.
const CAPTURES: &[&str] = &[
    "ipfix",
    "ipfix-barracuda-firewall",
    "ipfix-from-ixia-something-something",
    "ipfix-netscaler-with-variable-length-fields",
    "ipfix-netscaler-with-variable-length-fields-data-before-template",
    "ipfix-nokia-bras",
    "ipfix-openbsd-pflow",
    "ipfix-procera",
    "netflow-5-invalid-01",
    "netflow-5-valid-01",
    "netflow-9-cisco-1941-k9-release-15-1",
    "netflow-9-cisco-aci",
    "netflow-9-cisco-asr-9000-series-options-template-256",
    "netflow-9-cisco-asr-9000-series-template-260",
    "netflow-9-cisco-wlc",
    "netflow-9-fortigate-fortios-5-2-1",
    "netflow-9-huawei-netstream",
    "netflow-9-ie150-ie151",
    "netflow-9-invalid-01",
    "netflow-9-ipt-netflow-reduced-size-encoding",
    "netflow-9-macaddress",
    "netflow-9-palo-alto-1-flowset-in-large-zero-filled-packet",
    "netflow-9-palo-alto-pan-os-with-app-id",
    "netflow-9-streamcore",
    "netflow-9-ubiquiti-edgerouter-with-mpls-labels",
    "netflow5-mikrotik",
];

#[test]
fn events_have_the_values_that_logstash_expects() {
    let mut wrong = Vec::new();
    let mut values = 0;
    for name in CAPTURES {
        let path = format!("corpus/logstash/logstash-{name}");
        let (Some(session), Some(expected)) = (
            captures::decode(&format!("{path}.pcap")),
            captures::text(&format!("{path}.expected.json")),
        ) else {
            continue;
        };
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let rows = session.out.flows.rows() + session.out.options.rows();
        // A few specs say only that decoding must not fail.
        let events = expected["events_expected"].as_u64().unwrap_or(0);
        if events > 0 && events != rows as u64 {
            wrong.push(format!("{name}: {rows} records, {events} events expected"));
        }
        let empty = Vec::new();
        for event in expected["events"].as_array().unwrap_or(&empty) {
            // One spec has a template of the codec's cache among its events.
            let Some(event) = event["netflow"].as_object() else { continue };
            match closest(&session.out, event) {
                (compared, None) => values += compared,
                (_, Some(misses)) => wrong.push(format!("{name}: closest record: {misses}")),
            }
        }
        for check in expected["checks"].as_array().unwrap_or(&empty) {
            let field = check["field"].as_str().unwrap();
            let one = Map::from_iter([(field.to_owned(), check["equals"].clone())]);
            match closest(&session.out, &one) {
                (compared, None) => values += compared,
                (_, Some(misses)) => wrong.push(format!("{name}: check: {misses}")),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(values > 500, "only {values} values were compared");
}

/// Looks for a record that says all that `event` shows: the number of values compared, and what
/// the record that comes closest says otherwise, unless there is one that says it all.
fn closest(out: &Output, event: &Map<String, Value>) -> (usize, Option<String>) {
    let fields: Vec<_> = event
        .iter()
        .filter(|(name, _)| !NOT_COMPARED.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), key(name), value))
        .collect();
    let mut best: Option<Vec<String>> = None;
    for batch in [&out.flows, &out.options] {
        for row in 0..batch.rows() {
            let misses = misses(batch, row, &fields);
            if misses.is_empty() {
                return (fields.len(), None);
            }
            if best.as_ref().is_none_or(|best| misses.len() < best.len()) {
                best = Some(misses);
            }
        }
    }
    let nothing = fields.is_empty() && best.is_none();
    let best = best.map_or("no record at all".to_owned(), |misses| misses.join(", "));
    (fields.len(), (!nothing).then_some(best))
}

fn misses(
    batch: &FlowBatch,
    row: usize,
    fields: &[(&str, Option<ElementKey>, &Value)],
) -> Vec<String> {
    let mut misses = Vec::new();
    for (name, key, value) in fields {
        let Some(key) = key else {
            misses.push(format!("{name} is no known name"));
            continue;
        };
        let said = said(batch, row, *key);
        if !agree(&said, name, value) {
            misses.push(format!("{name} is {said:?}, not {value}"));
        }
    }
    misses
}

/// Times that logstash put 49.7 days ahead: it does not see that the uptime wrapped.
fn wrapped(found: &Said, value: &Value) -> bool {
    let Said::Time(nanos) = found else { return false };
    let ahead = Timestamp(*nanos).plus(Duration::from_millis(1 << 32));
    same(&Said::Time(ahead.0), value, CUT)
}

fn agree(found: &[Said], name: &str, value: &Value) -> bool {
    if found.iter().any(|found| same(found, value, CUT) || wrapped(found, value)) {
        return true;
    }
    match (name, value) {
        // Split into its two parts there.
        ("forwarding_status", Value::Object(parts)) => {
            let whole = parts["status"].as_u64().unwrap() << 6 | parts["reason"].as_u64().unwrap();
            found.contains(&Said::Number(whole))
        }
        ("mpls_label_stack_octets", Value::Object(parts)) => {
            let part = |name: &str| parts[name].as_u64().unwrap();
            let entry = part("label") << 12 | part("experimental") << 9;
            let entry = entry | part("bottom_of_stack") << 8 | part("ttl");
            found.contains(&Said::Number(entry))
                || found.contains(&Said::Octets((entry as u32).to_be_bytes().to_vec()))
        }
        // `engine..selector` there, one number here (RFC 6759 §4).
        ("application_id", Value::String(text)) => {
            let (engine, selector) = text.split_once("..").unwrap();
            let whole = engine.parse::<u32>().unwrap() << 24 | selector.parse::<u32>().unwrap();
            found.contains(&Said::Octets(whole.to_be_bytes().to_vec()))
        }
        // An address column that the other family fed.
        (_, Value::String(text)) if text == "::" || text == "0.0.0.0" => {
            matches!(found, [Said::Addr(_)]) || found.is_empty()
        }
        // v5's header says 0 where nothing is known.
        ("sampling_algorithm" | "sampling_interval", Value::Number(n)) => {
            n.as_u64() == Some(0) && found.is_empty()
        }
        // Columns whose rule makes a value of nothing a null.
        (_, Value::String(text)) if text.is_empty() => found.is_empty(),
        // The uptime of an exporter that tells when it started: a time of day here.
        ("flowStartSysUpTime" | "flowEndSysUpTime", Value::Number(_)) => {
            matches!(found, [Said::Time(_)])
        }
        _ => false,
    }
}

fn key(name: &str) -> Option<ElementKey> {
    if let Some(&(_, pen, id)) = NAMES.iter().find(|(known, ..)| *known == name) {
        return Some(ElementKey { pen, id });
    }
    if let Some(forward) = name.strip_prefix("reverse") {
        let id = weir_registry::by_name(forward)?.key.id;
        return Some(ElementKey { pen: PEN_REVERSE, id });
    }
    weir_registry::by_name(name).map(|info| info.key)
}
