//! The table against hand-made records.

use super::*;
use weir_model::Addr;

pub const LOOKS: Pace = Pace::Looks(Duration::from_secs(1));

/// A record of a connection from port `port` of 10.0.0.1 to 10.0.0.2:443, told at `at` seconds.
pub fn record(port: u16, at: u64, octets: [u64; 2], reason: Option<u8>) -> Record {
    Record {
        key: Key {
            exporter: Addr::v4(0x7f00_0001),
            domain: 0,
            proto: 6,
            src: (Addr::v4(0x0a00_0001), port),
            dst: (Addr::v4(0x0a00_0002), 443),
        },
        told: Timestamp::from_seconds(at as i64),
        start: Some(Timestamp::from_seconds(0)),
        end: Some(Timestamp::from_seconds(at as i64)),
        reason,
        is_sample: false,
        octets,
        packets: [1, 1],
        octets_total: [None; 2],
        retransmits: Some(0),
        dropped: 0,
        drop_reason: None,
        metered_by: None,
        state: Some("ESTABLISHED".into()),
        health: Health { rtt_us: Some(1_500), ..Health::default() },
        owners: [owner("curl", 7), Owner::default()],
        name: None,
    }
}

pub fn owner(process: &str, pid: u64) -> Owner {
    Owner { process: Some(process.into()), pid: Some(pid), uid: Some(1), ..Owner::default() }
}

pub fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_longest_silent_flow_leaves_a_full_table_and_is_counted() {
    let mut flows = Flows::new(3);
    for (port, second) in [(1, 1), (2, 2), (3, 3), (1, 4), (4, 5), (5, 6)] {
        flows.take(record(port, second, [10, 0], Some(2)), LOOKS, at(second));
    }
    let mut ports: Vec<u16> = flows.iter().map(|flow| flow.last.key.src.1).collect();
    ports.sort_unstable();
    assert_eq!(ports, [1, 4, 5]);
    assert_eq!(flows.counts(), Counts { records: 6, evicted: 2 });
    assert_eq!(flows.silent.len(), 3);
}

#[test]
fn what_is_over_stays_for_five_seconds() {
    let mut flows = Flows::default();
    flows.take(record(1, 1, [10, 0], Some(2)), LOOKS, at(1));
    flows.take(record(1, 2, [10, 0], Some(3)), LOOKS, at(2));
    flows.expire(at(6));
    assert_eq!((flows.total(at(6)).flows, flows.total(at(6)).over), (0, 1));
    assert_eq!(flows.total(at(6)).rates, [0.0; 2]);
    flows.expire(at(7));
    assert_eq!(flows.iter().count(), 0);
    assert!(flows.silent.is_empty());
}

#[test]
fn a_silent_connection_leaves_after_ninety_seconds_or_more_of_its_records() {
    let mut flows = Flows::default();
    flows.take(record(1, 10, [10, 0], Some(2)), Pace::Unknown, at(10));
    let mut rare = record(2, 300, [10, 0], Some(2));
    rare.end = None;
    flows.take(rare, Pace::Unknown, at(10));
    flows.expire(at(99));
    assert_eq!(flows.iter().count(), 2);
    flows.expire(at(100));
    let left: Vec<u16> = flows.iter().map(|flow| flow.last.key.src.1).collect();
    assert_eq!(left, [2], "its records are 300 s apart");
}

#[test]
fn a_reused_port_is_another_flow() {
    let mut flows = Flows::default();
    flows.take(record(1, 1, [1_000, 0], Some(3)), LOOKS, at(1));
    flows.take(record(1, 2, [10, 0], Some(2)), LOOKS, at(2));
    let flow = flows.iter().next().unwrap();
    assert_eq!((flow.octets, flow.records, flow.over), ([10, 0], 1, None));
}

#[test]
fn owner_health_and_drops_are_not_forgotten_at_the_end() {
    let mut flows = Flows::default();
    flows.take(record(1, 1, [10, 0], Some(2)), LOOKS, at(1));
    let mut dropping = record(1, 1, [10, 0], Some(2));
    (dropping.dropped, dropping.drop_reason) = (3, Some("NETFILTER_DROP".into()));
    flows.take(dropping, LOOKS, at(1));
    let mut last = record(1, 2, [10, 0], Some(3));
    last.owners = [Owner::default(), Owner::default()];
    last.health.rtt_us = None;
    flows.take(last, LOOKS, at(2));
    let flow = flows.iter().next().unwrap();
    assert_eq!(flow.owner(Side::Src).process.as_deref(), Some("curl"));
    assert_eq!(flow.last.health.rtt_us, Some(1_500));
    assert_eq!((flow.dropped, flow.last.drop_reason.as_deref()), (3, Some("NETFILTER_DROP")));
}

#[test]
fn out_is_what_the_end_on_this_machine_sends() {
    let mut flows = Flows::default();
    flows.take(record(1, 1, [100, 900], Some(2)), LOOKS, at(1));
    let mut served = record(2, 1, [20, 3_000], Some(2));
    served.owners.swap(0, 1);
    flows.take(served, LOOKS, at(1));
    assert_eq!(flows.total(at(1)).rates, [3_100.0, 920.0]);
}

#[test]
fn a_router_s_flow_is_over_when_no_record_follows() {
    let mut flows = Flows::default();
    flows.take(record(1, 4, [400, 0], None), Pace::Unknown, at(4));
    assert_eq!(flows.total(at(7)), Total { rates: [100.0, 0.0], flows: 1, over: 0 });
    assert_eq!(flows.total(at(8)), Total { rates: [0.0, 0.0], flows: 0, over: 1 });
    flows.expire(at(13));
    assert_eq!(flows.iter().count(), 0);
}

#[test]
fn octets_so_far_are_never_less_than_what_was_told() {
    let mut flows = Flows::default();
    let mut first = record(1, 1, [100, 5], Some(2));
    first.octets_total = [Some(4_000), Some(0)];
    flows.take(first, LOOKS, at(1));
    assert_eq!(flows.iter().next().unwrap().octets_so_far(), 4_005);
}
