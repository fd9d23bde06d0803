//! Bounds: who may send, how many, how much may wait, how long.

use std::time::Duration;

use crate::harness::{NOW, Sender, TEMPLATE, data, policy, records, sender, start, templates};
use weir_ingest::Reason;
use weir_testkit::Ipfix;
use weir_wire::{DropReason, Limits};

#[test]
fn exporters_that_are_not_allowed_are_dropped_before_anything_is_learnt() {
    let mut policy = policy();
    policy.allow = vec!["127.0.0.1/32".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    let bench = start(&policy);
    let stranger = Sender::new([127, 0, 0, 2], bench.udp());
    stranger.send(&templates(0));
    stranger.send(&data(0, 2));
    sender(&bench).send(&templates(0));
    let books = bench.settled(3);
    assert_eq!(books.messages.dropped_by(Reason::NotAllowed), 2);
    assert_eq!((books.messages.kept, books.templates), (1, 1));
    let status = bench.stop();
    assert_eq!(status.exporters.len(), 1);
    let drops: Vec<_> = status
        .exporter_drops
        .iter()
        .map(|drops| (drops.exporter, drops.dropped[Reason::NotAllowed.number()].messages))
        .collect();
    assert_eq!(drops, [(Some([127, 0, 0, 2].into()), 2)]);
}

#[test]
fn exporters_past_the_quota_are_refused() {
    let mut policy = policy();
    policy.limits = Limits { exporters: 1, ..Limits::default() };
    let bench = start(&policy);
    sender(&bench).send(&templates(0));
    bench.settled(1);
    Sender::new([127, 0, 0, 2], bench.udp()).send(&templates(0));
    let books = bench.settled(2);
    assert_eq!(books.messages.dropped_by(Reason::Wire(DropReason::ExporterQuota)), 1);
    assert_eq!(books.messages.kept, 1);
    bench.stop();
}

#[test]
fn parked_data_is_bounded_by_octets_and_by_age() {
    let mut policy = policy();
    policy.limits = Limits { parked_octets_per_exporter: 2_000, ..Limits::default() };
    let bench = start(&policy);
    let sender = sender(&bench);
    let reason = |reason| Reason::Wire(reason);
    for i in 0..100 {
        sender.send(&data(i, 10));
        bench.settled(u64::from(i) + 1);
    }
    let books = bench.settled(100);
    let evicted = books.sets.dropped_by(reason(DropReason::ParkQuota));
    let parked = bench.ingest.status().parked_sets;
    assert!(parked > 0 && parked < 10, "{parked} Sets of 244 octets in 2,000");
    assert_eq!((books.sets.received, evicted), (100, 100 - parked));
    bench.clock.advance(Duration::from_secs(7_200));
    let books = bench.until("the rest has aged", |books| books.sets.in_flight() == 0);
    assert_eq!(books.sets.dropped_by(reason(DropReason::NoTemplate)), parked);
    bench.stop();
}

#[test]
fn templates_past_the_quota_are_counted_and_the_rest_of_the_message_is_kept() {
    let mut policy = policy();
    policy.limits = Limits { template_fields: 4, ..Limits::default() };
    let bench = start(&policy);
    let sender = sender(&bench);
    sender.send(&templates(0));
    let wide = weir_testkit::Template::new(300, &[(1, 8), (2, 8), (4, 1), (5, 1), (6, 1)]);
    let message = Ipfix::new(NOW as u32, 0, 1).template(&wide).data(TEMPLATE, &records(2)).build();
    sender.send(&message);
    let books = bench.settled(2);
    assert_eq!(books.sets.dropped_by(Reason::Wire(DropReason::TemplateQuota)), 1);
    assert_eq!((books.sets.received, books.sets.kept, books.records.kept), (3, 2, 2));
    bench.stop();
}

#[test]
fn datagrams_longer_than_a_slot_are_received_whole() {
    let bench = start(&policy());
    let sender = sender(&bench);
    sender.send(&templates(0));
    let mut sequence = 0;
    for n in [84, 85, 86, 400, 2_700] {
        sender.send(&data(sequence, n));
        sequence += n as u32;
    }
    let books = bench.settled(6);
    assert_eq!(books.records.kept, u64::from(sequence));
    assert_eq!(books.messages.dropped_total(), 0);
    assert_eq!(bench.stop().exporters[0].sequence.missing, 0);
}
