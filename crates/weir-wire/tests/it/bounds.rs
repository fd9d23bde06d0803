//! What a datagram can cost: rows and memory are bounded by its octets and by the limits.

use std::net::SocketAddr;

use weir_model::Timestamp;
use weir_testkit::{Ipfix, NetFlow9, Template};
use weir_wire::{Decoder, DropReason, Limits, Output, Received, Tally};

fn received() -> Received {
    let source: SocketAddr = "192.0.2.1:2055".parse().unwrap();
    Received::udp(Timestamp::from_seconds(1_700_000_000), source)
}

fn decode(decoder: &mut Decoder, message: &[u8]) -> (Tally, Output) {
    let mut out = Output::new();
    let tally = decoder.decode(message, &received(), &mut out).unwrap();
    (tally, out)
}

#[test]
fn records_of_one_octet_stop_at_the_quota() {
    let mut decoder = Decoder::new(Limits::default());
    let message = Ipfix::new(1_700_000_000, 0, 0)
        .template(&Template::new(256, &[(4, 1)]))
        .data(256, &vec![6; 60_000])
        .build();
    let (tally, out) = decode(&mut decoder, &message);
    let limit = Limits::default().records as u64;
    assert_eq!((tally.flows, out.flows.rows() as u64), (limit, limit));
    assert_eq!(tally.dropped(DropReason::RecordQuota).records, 60_000 - limit);
}

#[test]
fn a_template_of_no_octets_makes_no_records() {
    let mut decoder = Decoder::new(Limits::default());
    let message = NetFlow9::new(2, 0, 1_700_000_000, 0, 0)
        .template(&Template::new(256, &[(4, 0), (5, 0)]))
        .data(256, &[0; 1_000])
        .build();
    let (tally, out) = decode(&mut decoder, &message);
    assert_eq!((tally.flows, out.flows.rows()), (0, 0));
}

#[test]
fn lengths_that_lie_allocate_nothing() {
    let mut decoder = Decoder::new(Limits::default());
    let template = Template::new(256, &[(96, u16::MAX), (4, 1)]);
    let mut records = vec![255, 0xff, 0xff];
    records.extend_from_slice(b"short");
    let message = Ipfix::new(1_700_000_000, 0, 0).template(&template).data(256, &records).build();
    let (tally, out) = decode(&mut decoder, &message);
    assert_eq!((tally.flows, out.flows.rows()), (0, 0));
    assert_eq!(out.flows.interner().octets(), 0);
}

#[test]
fn templates_of_one_session_are_bounded() {
    let limits = Limits { templates: 100, ..Limits::default() };
    let mut decoder = Decoder::new(limits);
    for id in 256..=2_000 {
        let message =
            Ipfix::new(1_700_000_000, 0, 0).template(&Template::new(id, &[(4, 1)])).build();
        decode(&mut decoder, &message);
    }
    let status = decoder.collector().exporters().next().unwrap();
    assert!((50..=100).contains(&status.templates), "{}", status.templates);
    assert_eq!(status.templates as u64 + status.templates_evicted, 1_745);
}

#[test]
fn parked_data_is_bounded_by_octets() {
    let limits =
        Limits { parked_octets: 10_000, parked_octets_per_exporter: 10_000, ..Limits::default() };
    let mut decoder = Decoder::new(limits);
    let mut tally = Tally::default();
    for sequence in 0..100 {
        let message = Ipfix::new(1_700_000_000, sequence, 0).data(300, &[0; 500]).build();
        tally += &decode(&mut decoder, &message).0;
    }
    let status = decoder.collector().exporters().next().unwrap();
    assert!(status.parked_octets <= 10_000, "{}", status.parked_octets);
    let dropped = tally.dropped(DropReason::ParkQuota).sets;
    assert_eq!(tally.sets, 100);
    assert_eq!(dropped + decoder.collector().parked_sets(), 100);
}

#[test]
fn a_template_with_too_many_fields_is_refused() {
    let mut decoder = Decoder::new(Limits { template_fields: 8, ..Limits::default() });
    let fields: Vec<(u16, u16)> = (1..=9).map(|id| (id, 1)).collect();
    let message = Ipfix::new(1_700_000_000, 0, 0).template(&Template::new(256, &fields)).build();
    let (tally, _) = decode(&mut decoder, &message);
    assert_eq!(tally.templates, 0);
    assert_eq!(tally.dropped(DropReason::TemplateQuota).sets, 1);
}
