//! The ordinary way of records, the sequence account, and blame of every size.

use crate::harness::{
    NOW, Sender, TEMPLATE, data, policy, records, sender, start, template, templates,
};
use weir_ingest::Reason;
use weir_testkit::{Ipfix, Template};
use weir_wire::DropReason;

fn wire(reason: DropReason) -> Reason {
    Reason::Wire(reason)
}

#[test]
fn what_arrives_whole_is_kept_whole_and_never_answered() {
    let bench = start(&policy());
    let sender = sender(&bench);
    sender.send(&templates(0));
    sender.send(&data(0, 3));
    sender.send(&data(3, 4));
    let books = bench.settled(3);
    assert_eq!((books.messages.received, books.messages.kept), (3, 3));
    assert_eq!((books.sets.received, books.sets.kept), (3, 3));
    assert_eq!((books.records.received, books.records.kept), (7, 7));
    assert_eq!((books.flows.decoded, books.flows.kept, books.templates), (7, 7, 1));
    assert!(!sender.answers());
    let status = bench.stop();
    let sequence = status.exporters[0].sequence;
    assert_eq!((sequence.missing, sequence.gaps, sequence.restarts), (0, 0, 0));
    assert!(status.exporter_drops.is_empty());
}

#[test]
fn gaps_reordering_duplicates_and_restarts_are_four_different_things() {
    let bench = start(&policy());
    let sender = sender(&bench);
    sender.send(&templates(0));
    // Records 0–1; 2–6 are missing; 7–8; then 3–4 come late; 7–8 come twice.
    for (sequence, n) in [(0, 2), (7, 2), (3, 2), (7, 2)] {
        sender.send(&data(sequence, n));
        bench.until("it is decoded", |books| books.messages.in_flight() == 0);
    }
    let books = bench.settled(5);
    let sequence = bench.ingest.status().exporters[0].sequence;
    assert_eq!((sequence.missing, sequence.gaps), (3, 1), "5 missing, 2 of them came late");
    assert_eq!((sequence.reordered, sequence.duplicates, sequence.restarts), (1, 1, 0));
    // A gap is not a drop: what arrived is kept, the duplicate too.
    assert_eq!((books.records.kept, books.records.dropped_total()), (8, 0));
    sender.send(&data(0, 1));
    bench.settled(6);
    let status = bench.stop();
    let sequence = status.exporters[0].sequence;
    assert_eq!((sequence.missing, sequence.restarts), (3, 1));
    assert_eq!(status.books.records.kept, 9);
}

#[test]
fn each_fault_is_blamed_on_the_smallest_thing() {
    let bench = start(&policy());
    let sender = sender(&bench);
    sender.send(&templates(0));
    sender.send(b"GET / HTTP/1.1\r\n");
    let mut cut = data(0, 2);
    cut.truncate(40);
    sender.send(&cut);
    // One bad template (two fields claimed, one there) beside a good Set.
    let bad = [1, 5, 0, 2, 0, 8, 0, 4];
    let bad = Ipfix::new(NOW as u32, 0, 1).set(2, &bad).data(TEMPLATE, &records(2)).build();
    sender.send(&bad);
    // A reserved Set id beside a good Set.
    let reserved =
        Ipfix::new(NOW as u32, 2, 1).set(77, &[0; 4]).data(TEMPLATE, &records(1)).build();
    sender.send(&reserved);
    let books = bench.settled(5);
    assert_eq!(books.messages.dropped_by(wire(DropReason::UnknownProtocol)), 1);
    assert_eq!(books.messages.dropped_by(wire(DropReason::MalformedMessage)), 1);
    assert_eq!((books.messages.received, books.messages.kept), (5, 3));
    assert_eq!(books.sets.dropped_by(wire(DropReason::MalformedTemplate)), 1);
    assert_eq!(books.sets.dropped_by(wire(DropReason::Reserved)), 1);
    assert_eq!((books.sets.received, books.sets.kept), (5, 3));
    assert_eq!((books.records.received, books.records.kept), (3, 3));
    let refused = wire(DropReason::UnknownProtocol).number();
    assert_eq!(books.octets_dropped[refused], 16);
    let status = bench.stop();
    let drops = &status.exporter_drops[0].dropped;
    assert_eq!(status.exporter_drops.len(), 1);
    assert_eq!(drops[refused].messages, 1);
    assert_eq!(drops[wire(DropReason::MalformedMessage).number()].messages, 1);
    assert_eq!(drops[wire(DropReason::Reserved).number()].sets, 1);
    assert_eq!(drops[wire(DropReason::MalformedTemplate).number()].sets, 1);
}

#[test]
fn data_without_template_waits_in_flight_and_is_decoded_when_it_comes() {
    let bench = start(&policy());
    let sender = sender(&bench);
    sender.send(&data(0, 2));
    sender.send(&data(2, 3));
    let books = bench.settled(2);
    assert_eq!((books.sets.received, books.sets.in_flight(), books.sets_parked), (2, 2, 2));
    assert_eq!(books.records.received, 0);
    sender.send(&templates(5));
    let books = bench.settled(3);
    assert_eq!((books.sets.in_flight(), books.sets_released), (0, 2));
    assert_eq!((books.sets.received, books.sets.kept, books.records.kept), (3, 3, 5));
    bench.stop();
}

#[test]
fn options_records_are_counted_beside_flows() {
    let bench = start(&policy());
    let sender = sender(&bench);
    let options = Template::options(300, 1, &[(302, 4), (305, 4), (306, 4)]);
    let record = [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 3, 231];
    let message = Ipfix::new(NOW as u32, 0, 1)
        .template(&template())
        .template(&options)
        .data(300, &record)
        .data(TEMPLATE, &records(2))
        .build();
    sender.send(&message);
    let books = bench.settled(1);
    assert_eq!((books.options.kept, books.flows.kept, books.records.kept), (1, 2, 3));
    assert_eq!((books.sets.received, books.sets.kept), (4, 4));
    assert_eq!(bench.ingest.status().exporters[0].sampling, [(Some(1), 1_000)]);
    bench.stop();
}

#[test]
fn metrics_say_what_the_books_say() {
    let bench = start(&policy());
    let sender = sender(&bench);
    sender.send(&templates(0));
    sender.send(&data(0, 2));
    sender.send(&data(4, 2));
    sender.send(b"nonsense");
    bench.settled(4);
    let text = bench.registry.render();
    let port = bench.udp().port();
    for line in [
        "weir_ingest_messages_received_total 4",
        "weir_ingest_messages_kept_total 3",
        "weir_ingest_messages_in_flight 0",
        "weir_ingest_messages_dropped_total{reason=\"unknown_protocol\"} 1",
        "weir_ingest_messages_dropped_total{reason=\"queue_full\"} 0",
        "weir_ingest_sets_kept_total 3",
        "weir_ingest_records_kept_total 4",
        "weir_ingest_sink_records_kept_total{sink=\"test\",table=\"flows\"} 4",
        "weir_ingest_exporter_sequence_missing_total{exporter=\"127.0.0.1\",protocol=\"ipfix\"} 2",
        "weir_ingest_exporter_dropped_total\
         {exporter=\"127.0.0.1\",reason=\"unknown_protocol\",unit=\"message\"} 1",
        &format!(
            "weir_ingest_socket_datagrams_total{{address=\"127.0.0.1:{port}\",thread=\"0\"}} 4"
        ),
    ] {
        assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
    }
    bench.stop();
}

#[test]
fn ipv4_and_ipv6_exporters_share_a_dual_stack_port() {
    let Ok(_) = std::net::UdpSocket::bind("[::1]:0") else {
        eprintln!("SKIPPED: no IPv6 on this machine");
        return;
    };
    let mut policy = policy();
    policy.udp = vec!["[::]:0".parse().unwrap()];
    let bench = start(&policy);
    let port = bench.udp().port();
    let v4 = Sender::new([127, 0, 0, 1], ([127, 0, 0, 1], port).into());
    let v6 =
        Sender::new(std::net::Ipv6Addr::LOCALHOST, (std::net::Ipv6Addr::LOCALHOST, port).into());
    v4.send(&templates(0));
    v6.send(&templates(0));
    bench.settled(2);
    let mut found: Vec<String> =
        bench.ingest.status().exporters.iter().map(|exporter| exporter.addr.to_string()).collect();
    found.sort();
    assert_eq!(found, ["127.0.0.1", "::1"]);
    bench.stop();
}
