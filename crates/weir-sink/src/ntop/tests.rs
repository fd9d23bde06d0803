use super::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use weir_model::Native;

struct Flow(FlowBatch);

impl Flow {
    fn new() -> Flow {
        let mut batch = FlowBatch::new(Table::Flows);
        batch.append_rows(1);
        Flow(batch)
    }

    fn set<T: Native>(mut self, column: ColumnId, value: T) -> Flow {
        self.0.set(column, 0, value);
        self
    }

    fn text(mut self, column: ColumnId, value: &str) -> Flow {
        self.0.set_octets(column, 0, value.as_bytes());
        self
    }

    fn addr(self, column: ColumnId, value: &str) -> Flow {
        let addr: Addr = value.parse().unwrap();
        self.set(column, addr)
    }

    fn written(mut self, fathers: Fathers) -> Value {
        self.0.seal();
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out).with_fathers(fathers);
        writer.write(&self.0).unwrap();
        drop(writer);
        assert_eq!(out.iter().filter(|octet| **octet == b'\n').count(), 1);
        serde_json::from_slice(&out).unwrap()
    }

    fn alone(self) -> Value {
        self.written(Box::new(|_| None))
    }
}

/// Every key with those above it.
fn keys(value: &Value, above: &str, found: &mut BTreeSet<String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let path = format!("{above}{key}");
        keys(value, &format!("{path}."), found);
        found.insert(path);
    }
}

fn surplus(told: &Value, published: &Value) -> Vec<String> {
    let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
    keys(told, "", &mut ours);
    keys(published, "", &mut theirs);
    assert_eq!(theirs.difference(&ours).next(), None, "a published key is missing");
    ours.difference(&theirs).cloned().collect()
}

fn udp() -> Flow {
    Flow::new()
        .set(c::FLOW_END, 1_556_532_359_110_896_512i64)
        .set(c::PROTO, 17u8)
        .addr(c::SRC_ADDR, "192.0.2.11")
        .addr(c::DST_ADDR, "192.0.2.6")
        .set(c::SRC_PORT, 57_756u16)
        .set(c::DST_PORT, 53u16)
        .addr(c::EXPORTER_ADDR, "192.0.2.11")
        .set(c::PACKETS, 1u64)
}

#[test]
fn an_event_has_the_keys_of_ntops_published_event() {
    let flow = udp()
        .set(c::SRC_PID, 8_950u32)
        .set(c::SRC_UID, 100u32)
        .set(c::SRC_GID, 65_534u32)
        .text(c::SRC_EXE, "/usr/lib/apt/methods/http")
        .set(c::SRC_PARENT_PID, 8_947u32)
        .text(c::SRC_PARENT_EXE, "/usr/bin/apt-get")
        .text(
            c::SRC_CONTAINER_ID,
            "cf5485c071810123456789abcdef0123456789abcdef0123456789abcdef0123",
        )
        .text(c::SRC_CONTAINER, "docker_monitor");
    let father = |pid| {
        assert_eq!(pid, 8_947);
        Some(Father { uid: Some(0), gid: Some(0), ..Father::default() })
    };
    let told = flow.written(Box::new(father));
    // "nProbe Mini: A Container-aware Probe", ntop, the example of eBPF.
    let published = json!({
        "timestamp": "1556532359.110896",
        "LOCAL_PROCESS": {
            "PID": 8950, "UID": 100, "GID": 65534, "PROCESS_PATH": "/usr/lib/apt/methods/http"
        },
        "LOCAL_FATHER_PROCESS": {
            "PID": 8947, "UID": 0, "GID": 0, "PROCESS_PATH": "/usr/bin/apt-get"
        },
        "EVENT_TYPE": "SEND",
        "IP_PROTOCOL_VERSION": 4,
        "PROTOCOL": 17,
        "L4_LOCAL_PORT": 57756,
        "L4_REMOTE_PORT": 53,
        "IPV4_LOCAL_ADDR": "192.0.2.11",
        "IPV4_REMOTE_ADDR": "192.0.2.6",
        "LOCAL_CONTAINER": {"DOCKER": {"ID": "cf5485c07181", "NAME": "docker_monitor"}},
        "EXPORTER_IPV4_ADDRESS": "192.0.2.11"
    });
    assert_eq!(surplus(&told, &published), ["UDP_EVENT_TYPE"], "libebpfflow's name of it");
    for (key, value) in published.as_object().unwrap() {
        assert_eq!(&told[key], value, "{key}");
    }
}

fn netlink() -> Flow {
    Flow::new()
        .set(c::FLOW_END, 1_556_532_168_971_859_000i64)
        .set(c::PROTO, 6u8)
        .set(c::END_REASON, 2u8)
        .addr(c::SRC_ADDR, "2001:db8::3")
        .addr(c::DST_ADDR, "2001:db8::1")
        .set(c::SRC_PORT, 41_234u16)
        .set(c::DST_PORT, 22u16)
        .addr(c::EXPORTER_ADDR, "192.0.2.11")
        .set(c::FLOW_ID, 5u64)
        .text(c::TCP_STATE, "ESTABLISHED")
        .set(c::RETRANSMITS, 0u32)
        .set(c::UNACKED, 0u32)
        .set(c::LOST, 0u32)
        .set(c::PACKETS_TOTAL, 5_426u64)
        .set(c::REVERSE_PACKETS_TOTAL, 3_786u64)
        .set(c::REVERSE_OCTETS_TOTAL, 378_173u64)
        .set(c::RTT_US, 4_144u32)
        .set(c::RTT_VAR_US, 5_322u32)
        .set(c::CWND, 20u32)
        .set(c::SND_MSS, 1_428u32)
        .set(c::DELIVERY_RATE, 840_000u64)
        .set(c::SRC_PID, 22_581u32)
        .set(c::SRC_UID, 1_000u32)
        .text(c::SRC_USER, "deri")
        .set(c::SRC_GID, 1_000u32)
        .text(c::SRC_GROUP, "deri")
        .set(c::SRC_VM_SIZE, 53_704u64 << 10)
        .set(c::SRC_VM_PEAK, 53_876u64 << 10)
        .text(c::SRC_EXE, "/usr/bin/ssh")
        .set(c::SRC_PARENT_PID, 8_562u32)
        .text(c::SRC_PARENT_EXE, "/bin/tcsh")
        .text(c::SRC_CONTAINER, "docker_monitor")
}

#[test]
fn periodic_counters_have_the_keys_of_ntops_published_counters() {
    let shell = |_| {
        Some(Father {
            uid: Some(1_000),
            user: Some("deri".into()),
            gid: Some(1_000),
            group: Some("deri".into()),
            vm_size: Some(21_468 << 10),
            vm_peak: Some(21_468 << 10),
        })
    };
    let told = netlink().written(Box::new(shell));
    // The same talk, the example of Netlink.
    let published = json!({
        "timestamp": "1556532168.971859",
        "PROTOCOL": 6,
        "IP_PROTOCOL_VERSION": 6,
        "USER_NAME": "deri",
        "IPV6_LOCAL_ADDR": "2001:db8::3",
        "IPV6_REMOTE_ADDR": "2001:db8::1",
        "L4_LOCAL_PORT": 41234,
        "L4_REMOTE_PORT": 22,
        "TCP": {
            "CONN_STATE": "ESTABLISHED", "RETRAN_PKTS": 0, "UNACK_SEGMENTS": 0, "LOST_PKTS": 0,
            "SEGS_IN": 3786, "SEGS_OUT": 5426, "BYTES_RCVD": 378_173, "RTT": 4.144,
            "RTT_VARIANCE": 5.322, "CURRENT_RATE": 55_135_135.1, "DELIVERY_RATE": 6_720_000.0
        },
        "LOCAL_PROCESS": {
            "PID": 22581, "UID": 1000, "UID_NAME": "deri", "GID": 1000, "GID_NAME": "deri",
            "VM_SIZE": 53704, "VM_PEAK": 53876, "PROCESS_PATH": "/usr/bin/ssh"
        },
        "LOCAL_FATHER_PROCESS": {
            "PID": 8562, "UID": 1000, "UID_NAME": "deri", "GID": 1000, "GID_NAME": "deri",
            "VM_SIZE": 21468, "VM_PEAK": 21468, "PROCESS_PATH": "/bin/tcsh"
        },
        "LOCAL_CONTAINER": {"DOCKER": {"NAME": "docker_monitor"}},
        "EXPORTER_IPV4_ADDRESS": "192.0.2.11"
    });
    assert_eq!(told, published);
}

#[test]
fn a_record_of_another_exporter_has_addresses_and_no_process() {
    let flow = Flow::new()
        .set(c::EXPORT_TIME, 1_999i64)
        .set(c::PROTO, 1u8)
        .addr(c::SRC_ADDR, "192.0.2.1")
        .addr(c::DST_ADDR, "192.0.2.2")
        .addr(c::EXPORTER_ADDR, "2001:db8::9")
        .text(c::IN_IF_NAME, "eth\"0\n");
    let expected = json!({
        "timestamp": "0.000001", "IP_PROTOCOL_VERSION": 4, "PROTOCOL": 1,
        "IPV4_LOCAL_ADDR": "192.0.2.1", "IPV4_REMOTE_ADDR": "192.0.2.2",
        "INTERFACE_NAME": "eth\"0\n", "IF_NAME": "eth\"0\n", "EXPORTER_IPV6_ADDRESS": "2001:db8::9"
    });
    assert_eq!(flow.alone(), expected);
    assert_eq!(Flow::new().alone(), json!({}));
}

#[test]
fn the_local_end_is_the_one_with_a_process_else_the_exporters_own() {
    let by_process = udp().set(c::DST_PID, 7u32).set(c::REVERSE_PACKETS, 0u64).alone();
    assert_eq!(by_process["L4_LOCAL_PORT"], 53);
    assert_eq!(
        (&by_process["UDP_EVENT_TYPE"], &by_process["LOCAL_PROCESS"]["PID"]),
        (&json!("RECV"), &json!(7))
    );
    let by_address = udp().addr(c::EXPORTER_ADDR, "192.0.2.6").alone();
    assert_eq!(by_address["L4_LOCAL_PORT"], 53);
    let both = udp()
        .set(c::SRC_PID, 6u32)
        .set(c::DST_PID, 7u32)
        .text(c::DST_CONTAINER_ID, "0123456789abcdef")
        .text(c::DST_CONTAINER, "web")
        .text(c::DST_POD, "shop-1")
        .text(c::DST_NAMESPACE, "prod")
        .set(c::DST_PARENT_PID, 1u32)
        .alone();
    assert_eq!(
        (&both["LOCAL_PROCESS"]["PID"], &both["REMOTE_PROCESS"]["PID"]),
        (&json!(6), &json!(7))
    );
    assert_eq!(both["REMOTE_FATHER_PROCESS"]["PID"], 1);
    let pod = json!({"K8S": {"ID": "0123456789ab", "NAME": "web", "POD": "shop-1", "NS": "prod"}});
    assert_eq!(both["REMOTE_CONTAINER"], pod);
}

#[test]
fn what_happened_is_told_from_reason_state_and_counters() {
    let first = |flow: Flow| flow.set(c::PACKETS, 5_426u64).set(c::REVERSE_PACKETS, 3_786u64);
    let event = |flow: Flow| {
        let told = flow.alone();
        assert_eq!(told["EVENT_TYPE"], told["TCP_EVENT_TYPE"]);
        told["EVENT_TYPE"].clone()
    };
    assert_eq!(event(netlink()), Value::Null);
    assert_eq!(event(netlink().set(c::RETRANSMITS, 2u32)), "RETRANSMIT");
    assert_eq!(event(netlink().set(c::END_REASON, 3u8)), "CLOSE");
    let unanswered = netlink().set(c::END_REASON, 3u8).text(c::TCP_STATE, "SYN_SENT");
    assert_eq!(event(unanswered), "CONNECT_FAILED");
    assert_eq!(event(first(netlink())), Value::Null, "nobody knows who began it");
    assert_eq!(event(first(netlink()).set(c::BIFLOW_DIRECTION, 1u8)), "CONNECT");
    let accepted = Flow(first(netlink()).0.select(0..1));
    let mut accepted = accepted.set(c::BIFLOW_DIRECTION, 1u8).set(c::DST_PID, 9u32);
    [c::SRC_PID, c::SRC_UID].into_iter().for_each(|column| accepted.0.set_null(column, 0));
    let told = accepted.set(c::CLIENT_LATENCY_US, 100u32).set(c::SERVER_LATENCY_US, 77u32).alone();
    assert_eq!((&told["EVENT_TYPE"], &told["NW_LATENCY_MS"]), (&json!("ACCEPT"), &json!(0.177)));
    assert_eq!((&told["TCP"]["SEGS_OUT"], &told["TCP"]["SEGS_IN"]), (&json!(3_786), &json!(5_426)));
}

#[test]
fn retransmits_are_told_as_totals_of_the_flow() {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    for (new, reason) in [(2u32, 2u8), (0, 2), (3, 3), (1, 2)] {
        let mut flow = netlink().set(c::RETRANSMITS, new).set(c::END_REASON, reason);
        flow.0.seal();
        writer.write(&flow.0).unwrap();
    }
    writer.flush().unwrap();
    drop(writer);
    let lines: Vec<Value> = out
        .split(|o| *o == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    let totals: Vec<_> = lines.iter().map(|line| line["TCP"]["RETRAN_PKTS"].clone()).collect();
    assert_eq!(totals, [2, 2, 5, 1]);
    assert_eq!((&lines[0]["RETRAN_PKTS"], &lines[1]["RETRAN_PKTS"]), (&json!(2), &Value::Null));
}

#[test]
fn the_registry_knows_it_and_other_tables_are_left_out() {
    let format: crate::Format = "ntop".parse().unwrap();
    let mut out = Vec::new();
    let mut counters = FlowBatch::new(Table::Counters);
    counters.append_rows(1);
    counters.seal();
    format.writer(&mut out).write(&counters).unwrap();
    assert!(out.is_empty() && !format.holds_all_tables());
}
