//! Fields whose octets say something else than their length or name suggests.

use weir_model::columns::flows;
use weir_model::{Addr, Scalar, Timestamp};
use weir_testkit::{Ipfix, NetFlow9, Template};

use super::{Lab, SECONDS, column};
use crate::captures;

/// Counters of 4 octets where the element has 8, ports of 1, addresses whole (RFC 7011 §6.2).
#[test]
fn ipt_netflow_reduces_sizes() {
    for (octets, packets) in [(8, 8), (4, 4), (3, 2), (5, 1), (7, 6)] {
        let mut body = vec![0; usize::from(octets) - 1];
        body.push(200);
        body.extend(vec![0; usize::from(packets) - 1]);
        body.extend_from_slice(&[3, 80]);
        let mut lab = Lab::new();
        let message = Ipfix::new(SECONDS, 0, 0)
            .template(&Template::new(256, &[(1, octets), (2, packets), (7, 1)]))
            .data(256, &body)
            .build();
        lab.send(&message).nothing_lost();
        let row = [flows::OCTETS, flows::PACKETS, flows::SRC_PORT].map(|id| lab.numbers(id));
        assert_eq!(row, [[Some(200)], [Some(3)], [Some(80)]], "{octets} and {packets} octets");
    }
    let path = "corpus/logstash/logstash-netflow-9-ipt-netflow-reduced-size-encoding.pcap";
    let Some(session) = captures::decode(path) else { return };
    assert_eq!((session.tally.flows, session.tally.dropped_sets()), (12, 0));
}

#[test]
fn netflow9_text_is_padded_with_nul() {
    let mut lab = Lab::new();
    let packet = NetFlow9::new(2, 0, SECONDS, 0, 0)
        .template(&Template::new(256, &[(82, 16), (7, 2)]))
        .data(256, b"Gi0/1\0\0\0\0\0\0\0\0\0\0\0\x00\x50")
        .build();
    lab.send(&packet).nothing_lost();
    assert_eq!(lab.texts(flows::IN_IF_NAME), [Some("Gi0/1".into())]);
}

/// Text is what its exporter says it is only until somebody looks.
#[test]
fn text_that_is_no_utf8_is_made_so() {
    let mut lab = Lab::new();
    let message = Ipfix::new(SECONDS, 0, 0)
        .template(&Template::new(256, &[(82, u16::MAX)]))
        .data(256, b"\x04\xffeth")
        .build();
    lab.send(&message).nothing_lost();
    assert_eq!(lab.texts(flows::IN_IF_NAME), [Some("\u{fffd}eth".into())]);
}

/// 1.5 s after the second; seconds since 1900 in the upper half, 2⁻³² s in the lower.
#[test]
fn vpp_times_are_ntp_times() {
    const SINCE_1900: u32 = 2_208_988_800;
    let mut time = SECONDS.wrapping_add(SINCE_1900).to_be_bytes().to_vec();
    time.extend_from_slice(&0x8000_0000u32.to_be_bytes());
    let half = Timestamp::from_seconds(SECONDS.into()).0 + 500_000_000;
    for (start, end) in [(156, 157), (154, 155)] {
        let mut lab = Lab::new();
        let message = Ipfix::new(SECONDS, 0, 0)
            .template(&Template::new(256, &[(start, 8), (end, 8)]))
            .data(256, &time.repeat(2))
            .build();
        lab.send(&message).nothing_lost();
        let row = [flows::FLOW_START, flows::FLOW_END].map(|id| lab.out.flows.get(id, 0));
        assert_eq!(row, [Some(Scalar::I64(half)); 2], "elements {start}, {end}");
    }
}

/// VPP's flowprobe counts no octets in records of the link layer: null, not 0.
#[test]
fn vpp_link_layer_records_have_no_octets() {
    let mut lab = Lab::new();
    let message = Ipfix::new(SECONDS, 0, 0)
        .template(&Template::new(256, &[(10, 4), (14, 4), (2, 8), (56, 6), (80, 6), (256, 2)]))
        .data(
            256,
            &[
                0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9, 2, 0, 0x5e, 16, 0, 1, 2, 0, 0x5e,
                16, 0, 2, 8, 0,
            ],
        )
        .build();
    lab.send(&message).nothing_lost();
    let row = [flows::PACKETS, flows::OCTETS, flows::ETHER_TYPE, flows::SRC_MAC];
    let mac = 0x0200_5e10_0001;
    assert_eq!(row.map(|id| lab.numbers(id)[0]), [Some(9), None, Some(0x800), Some(mac)]);
}

/// The uptime is 32 bits of milliseconds: a flow that began before the wrap has a start past the
/// header's uptime, and is still in the past.
#[test]
fn uptimes_wrap_after_49_days() {
    let mut lab = Lab::new();
    let mut body = (u32::MAX - 999).to_be_bytes().to_vec();
    body.extend_from_slice(&1_000u32.to_be_bytes());
    let packet = NetFlow9::new(2, 5_000, SECONDS, 0, 0)
        .template(&Template::new(256, &[(22, 4), (21, 4)]))
        .data(256, &body)
        .build();
    lab.send(&packet).nothing_lost();
    let export = i64::from(SECONDS) * 1_000;
    let time = |millis| Some(Scalar::I64(Timestamp::from_millis(millis).0));
    let row = [flows::FLOW_START, flows::FLOW_END].map(|id| lab.out.flows.get(id, 0));
    assert_eq!(row, [time(export - 6_000), time(export - 4_000)]);
}

/// IOS XR's IPFIX tells times as uptime and, once in a while in options, when it booted (160). Known
/// after a restart of the collector too.
#[test]
fn cisco_ios_xr_tells_its_boot_time_in_options() {
    let mut lab = Lab::new();
    let booted = u64::from(SECONDS - 100) * 1_000;
    let message = Ipfix::new(SECONDS, 0, 0)
        .template(&Template::options(512, 1, &[(149, 4), (160, 8)]))
        .data(512, &[&[0; 4][..], &booted.to_be_bytes()].concat())
        .template(&Template::new(256, &[(22, 4)]))
        .data(256, &10_000u32.to_be_bytes())
        .build();
    lab.send(&message).nothing_lost();
    let start = Timestamp::from_millis(booted as i64 + 10_000).0;
    assert_eq!(lab.out.flows.get(flows::FLOW_START, 0), Some(Scalar::I64(start)));
    let saved = lab.decoder.collector().save();
    let mut lab = Lab::new();
    lab.decoder.collector_mut().load(&saved, |_| true).unwrap();
    lab.send(&Ipfix::new(SECONDS, 2, 0).data(256, &10_000u32.to_be_bytes()).build());
    assert_eq!(lab.out.flows.get(flows::FLOW_START, 0), Some(Scalar::I64(start)));
}

/// Both families in one template, the unused one all zeros.
#[test]
fn cisco_zeroes_the_address_family_it_does_not_use() {
    let template = Template::new(256, &[(27, 16), (8, 4)]);
    let v6: Addr = "2001:db8::1".parse().unwrap();
    for (v6, v4, expected) in
        [(v6.octets(), [0; 4], v6), ([0; 16], [192, 0, 2, 7], Addr::v4(0xc000_0207))]
    {
        let mut lab = Lab::new();
        let body = [&v6[..], &v4[..]].concat();
        lab.send(&Ipfix::new(SECONDS, 0, 0).template(&template).data(256, &body).build());
        lab.nothing_lost();
        assert_eq!(lab.out.flows.get(flows::SRC_ADDR, 0), Some(Scalar::Addr(expected)));
        assert_eq!(lab.extra(0, 0, 27, 0), None);
    }
}

/// SRv6: IPv4 within, IPv6 around it, both in the record. None is thrown away.
#[test]
fn cisco_srv6_tells_addresses_of_both_families() {
    let mut lab = Lab::new();
    let v6: Addr = "2001:db8::1".parse().unwrap();
    let body = [&v6.octets()[..], &[192, 0, 2, 7]].concat();
    let template = Template::new(256, &[(27, 16), (8, 4)]);
    lab.send(&Ipfix::new(SECONDS, 0, 0).template(&template).data(256, &body).build());
    lab.nothing_lost();
    assert_eq!(lab.out.flows.get(flows::SRC_ADDR, 0), Some(Scalar::Addr(Addr::v4(0xc000_0207))));
    assert_eq!(lab.extra(0, 0, 27, 0), Some(v6.octets().to_vec()));
}

#[test]
fn mikrotik_netflow5_is_plain() {
    let Some(session) = captures::decode("corpus/logstash/logstash-netflow5-mikrotik.pcap") else {
        return;
    };
    assert_eq!((session.tally.flows, session.tally.dropped_sets()), (30, 0));
    let tos = column(&session, flows::TOS);
    assert!(tos.contains(&Some(40)), "{tos:?}");
}

#[test]
fn netflow7_has_the_bypassed_router() {
    let Some(session) = captures::decode("corpus/netflowparser/netflowparser-v7.pcap") else {
        return;
    };
    let protocol = column(&session, flows::EXPORT_PROTOCOL);
    assert_eq!((session.tally.flows, protocol), (1, vec![Some(7)]));
    let extra = session.out.flows.get_octets(flows::EXTRA, 0).unwrap_or_default();
    let router = weir_model::column::ElementKey { pen: 0, id: 43 };
    assert!(weir_model::elements::find(extra, router, 0).is_some());
}

/// 255 is no day for a packet of more than 65,535 octets: values wider than a column are null, not
/// another number.
#[test]
fn a_number_too_large_for_its_column_is_null() {
    let mut lab = Lab::new();
    let message = Ipfix::new(SECONDS, 0, 0)
        .template(&Template::new(256, &[(7, 4), (11, 2)]))
        .data(256, &[0, 1, 0, 80, 1, 187])
        .build();
    lab.send(&message);
    assert_eq!(
        (lab.numbers(flows::SRC_PORT), lab.numbers(flows::DST_PORT)),
        (vec![None], vec![Some(443)])
    );
}

/// Ethernet in MPLS with a control word, seen in sampled frames (element 315): the flow is the inner
/// packet's, the labels are kept.
#[test]
fn ethernet_over_mpls_with_a_control_word_is_dissected() {
    let Some(session) = captures::decode("corpus/akvorado/akvorado-eompls-cw.pcap") else { return };
    let batch = &session.out.flows;
    let addr = |text: &str| Some(Scalar::Addr(text.parse::<Addr>().unwrap()));
    assert_eq!(batch.get(flows::SRC_ADDR, 0), addr("198.51.100.19"));
    assert_eq!(column(&session, flows::VLAN)[0], Some(1_000));
    let labels = |row| {
        let octets = batch.get_octets(flows::MPLS_LABELS, row).unwrap_or_default();
        weir_model::json::u32_list(octets).collect::<Vec<_>>()
    };
    assert_eq!(
        (0..10).map(|row| labels(row).len()).collect::<Vec<_>>(),
        [0, 0, 2, 2, 0, 0, 0, 0, 0, 0]
    );
    assert_eq!(labels(2), [0x493ec, 0x11]);
    for row in 0..10 {
        assert!(batch.get(flows::DST_ADDR, row).is_some(), "row {row}");
        assert_eq!(batch.get_u64(flows::PACKETS, row), Some(1));
    }
}
