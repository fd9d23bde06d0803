//! Headers, Sets, templates: what stands where it should not.

use weir_model::columns::flows;
use weir_testkit::{Ipfix, NetFlow9, Template};

use super::{Lab, SECONDS};
use crate::captures;

/// RFC 3954 §5.1: `count` is the number of records of all kinds. Some count FlowSets, softflowd
/// only the flows: nothing may depend on it.
#[test]
fn netflow9_count_is_records_but_nobody_may_rely_on_it() {
    for count in [0, 1, 2, 4, 999] {
        let mut lab = Lab::new();
        let packet = NetFlow9::new(count, 0, SECONDS, 0, 0)
            .template(&Template::new(256, &[(7, 2), (11, 2)]))
            .data(256, &[0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6])
            .build();
        lab.send(&packet).nothing_lost();
        assert_eq!(lab.numbers(flows::SRC_PORT), [Some(1), Some(3), Some(5)], "count {count}");
    }
}

#[test]
fn juniper_srx_fields_of_length_0_say_nothing() {
    let mut lab = Lab::new();
    let packet = NetFlow9::new(2, 0, SECONDS, 0, 0)
        .template(&Template::new(256, &[(5, 0), (7, 2), (6, 0), (11, 2), (94, 0)]))
        .data(256, &[0, 80, 1, 187])
        .build();
    lab.send(&packet).nothing_lost();
    assert_eq!(
        [flows::SRC_PORT, flows::DST_PORT, flows::TOS].map(|id| lab.numbers(id)),
        [[Some(80)], [Some(443)], [None]]
    );
}

#[test]
fn juniper_srx_scope_of_length_0_is_a_scope() {
    let mut lab = Lab::new();
    let packet = NetFlow9::new(3, 0, SECONDS, 0, 0)
        .template(&Template::options(512, 1, &[(1, 0), (34, 4), (35, 1)]))
        .data(512, &[0, 0, 0, 100, 1])
        .template(&Template::new(256, &[(1, 4)]))
        .data(256, &[0, 0, 0, 9])
        .build();
    lab.send(&packet).nothing_lost();
    assert_eq!((lab.tally.options, lab.tally.flows), (1, 1));
    assert_eq!(lab.numbers(flows::SAMPLING_RATE), [Some(100)]);
}

/// v9 lets an options template have no scope at all.
#[test]
fn options_without_scope_fields_are_options() {
    let mut packet = NetFlow9::new(2, 0, SECONDS, 0, 0)
        .set(1, &[2, 0, 0, 0, 0, 4, 0, 34, 0, 4])
        .data(512, &[0, 0, 0, 7])
        .build();
    let mut lab = Lab::new();
    lab.send(&packet).nothing_lost();
    assert_eq!(lab.tally.options, 1);
    // And the same FlowSet with the padding that makes it a multiple of four.
    packet =
        NetFlow9::new(1, 0, SECONDS, 0, 0).set(1, &[2, 0, 0, 0, 0, 4, 0, 34, 0, 4, 0, 0]).build();
    lab.send(&packet).nothing_lost();
    assert_eq!(lab.tally.templates, 2);
}

/// Junos 16.1 and the HSL of Cisco's ISR name an element twice. The first feeds the column, the
/// second is kept.
#[test]
fn junos_16_1_and_isr_hsl_name_an_element_twice() {
    let mut lab = Lab::new();
    let message = Ipfix::new(SECONDS, 0, 0)
        .template(&Template::new(256, &[(7, 2), (1, 4), (7, 2), (1, 4)]))
        .data(256, &[0, 80, 0, 0, 0, 5, 1, 187, 0, 0, 0, 6])
        .build();
    lab.send(&message).nothing_lost();
    assert_eq!(lab.numbers(flows::SRC_PORT), [Some(80)]);
    assert_eq!(lab.numbers(flows::OCTETS), [Some(5)]);
    assert_eq!(lab.extra(0, 0, 7, 0), Some(vec![1, 187]));
    assert_eq!(lab.extra(0, 0, 1, 0), Some(vec![0, 0, 0, 6]));
}

#[test]
fn cisco_ios_xr_repeats_ports_in_its_templates() {
    let Some(session) = captures::decode("corpus/netgauze/netgauze-104-ipfix-v6-sampling.pcap")
    else {
        return;
    };
    assert_eq!((session.tally.flows, session.tally.dropped_sets()), (3, 0));
}

/// Padding is to be shorter than a record; some pad to 8, 16 or more octets.
#[test]
fn padding_longer_than_three_octets_is_no_record() {
    let template = Template::new(256, &[(8, 4), (12, 4), (7, 2), (11, 2)]);
    let record = [10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 1, 187];
    for padding in 0..12 {
        let mut body = record.to_vec();
        body.resize(12 + padding, 0);
        let mut lab = Lab::new();
        let message = Ipfix::new(SECONDS, 0, 0).template(&template).data(256, &body).build();
        lab.send(&message).nothing_lost();
        assert_eq!(lab.numbers(flows::DST_PORT), [Some(443)], "{padding} octets of padding");
    }
}

#[test]
fn palo_alto_fills_the_packet_with_zeros() {
    let mut lab = Lab::new();
    let packet = NetFlow9::new(2, 0, SECONDS, 0, 0)
        .template(&Template::new(256, &[(7, 2), (11, 2)]))
        .data(256, &[0, 80, 1, 187])
        .tail(&[0; 1_000])
        .build();
    lab.send(&packet).nothing_lost();
    assert_eq!(lab.numbers(flows::SRC_PORT), [Some(80)]);
    let path =
        "corpus/logstash/logstash-netflow-9-palo-alto-1-flowset-in-large-zero-filled-packet.pcap";
    let Some(session) = captures::decode(path) else { return };
    assert_eq!((session.tally.flows, session.tally.dropped_sets()), (1, 0));
}

/// One observation domain exports from several source ports, the template from one of them.
#[test]
fn sets_of_one_domain_are_spread_over_source_ports() {
    let mut lab = Lab::new();
    let template = Template::new(256, &[(7, 2)]);
    lab.send(&Ipfix::new(SECONDS, 0, 5).template(&template).build());
    lab.port(40_000).send(&Ipfix::new(SECONDS, 0, 5).data(256, &[0, 80]).build());
    lab.nothing_lost();
    assert_eq!(lab.numbers(flows::SRC_PORT), [Some(80)]);
    assert_eq!(lab.tally.templates_borrowed, 1);
    // Not over domains: that would be a guess.
    lab.send(&Ipfix::new(SECONDS, 0, 6).data(256, &[0, 81]).build());
    assert_eq!((lab.tally.flows, lab.tally.sets_parked), (1, 1));
}

#[test]
fn templates_after_their_data_in_one_packet() {
    let mut lab = Lab::new();
    let message = Ipfix::new(SECONDS, 0, 0)
        .data(256, &[0, 80])
        .template(&Template::new(256, &[(7, 2)]))
        .data(256, &[0, 81])
        .build();
    lab.send(&message).nothing_lost();
    let mut ports = lab.numbers(flows::SRC_PORT);
    ports.sort();
    assert_eq!(ports, [Some(80), Some(81)]);
    let Some(session) = captures::decode("corpus/akvorado/akvorado-data-and-templates.pcap") else {
        return;
    };
    assert_eq!((session.tally.flows, session.tally.sets_released, session.parked), (21, 1, 0));
}

#[test]
fn netscaler_sends_data_before_its_templates() {
    let name = "corpus/logstash/logstash-ipfix-netscaler-with-variable-length-fields";
    let (Some(late), Some(early)) = (
        captures::decode(&format!("{name}-data-before-template.pcap")),
        captures::decode(&format!("{name}.pcap")),
    ) else {
        return;
    };
    let hosts = |session: &captures::Session| {
        let batch = &session.out.flows;
        let extra = |row| batch.get_octets(flows::EXTRA, row).unwrap_or_default().to_vec();
        let mut rows: Vec<Vec<u8>> = (0..batch.rows()).map(extra).collect();
        rows.sort();
        rows
    };
    assert_eq!((late.tally.flows, late.tally.sets_released), (3, 3));
    assert_eq!(hosts(&late), hosts(&early), "and the records are the same ones");
}

#[test]
fn an_options_template_id_is_used_again_for_data() {
    let mut lab = Lab::new();
    lab.send(
        &NetFlow9::new(2, 0, SECONDS, 0, 0)
            .template(&Template::options(256, 1, &[(1, 4), (41, 4)]))
            .data(256, &[0, 0, 0, 0, 0, 0, 0, 9])
            .build(),
    );
    lab.send(
        &NetFlow9::new(2, 0, SECONDS, 1, 0)
            .template(&Template::new(256, &[(7, 2), (11, 2)]))
            .data(256, &[0, 80, 1, 187])
            .build(),
    );
    lab.send(&NetFlow9::new(1, 0, SECONDS, 2, 0).data(256, &[0, 81, 1, 187]).build());
    lab.nothing_lost();
    assert_eq!((lab.tally.options, lab.tally.flows), (1, 2));
    assert_eq!(lab.numbers(flows::SRC_PORT), [Some(80), Some(81)]);
}

/// v9 has no variable length, H3C uses IPFIX's all the same.
#[test]
fn h3c_sends_variable_length_in_netflow9() {
    let mut lab = Lab::new();
    let packet = NetFlow9::new(3, 0, SECONDS, 0, 0)
        .template(&Template::new(256, &[(7, 2), (82, u16::MAX), (11, 2)]))
        .data(256, b"\x00\x50\x04eth0\x01\xbb\x00\x51\x06ge-0/0\x01\xbb")
        .build();
    lab.send(&packet).nothing_lost();
    let names = ["eth0", "ge-0/0"].map(|name| Some(name.to_owned()));
    assert_eq!(lab.texts(flows::IN_IF_NAME), names);
    assert_eq!(lab.numbers(flows::DST_PORT), [Some(443), Some(443)]);
}

/// RFC 7011 §7: 255 and two octets of length, even for short values.
#[test]
fn ipfix_lengths_of_three_octets() {
    let mut lab = Lab::new();
    let mut body = b"\xff\x00\x03abc\x00\x50".to_vec();
    body.extend_from_slice(&[255, 1, 44]);
    body.extend_from_slice(&[b'x'; 300]);
    body.extend_from_slice(&[0, 81]);
    let message = Ipfix::new(SECONDS, 0, 0)
        .template(&Template::new(256, &[(96, u16::MAX), (7, 2)]))
        .data(256, &body)
        .build();
    lab.send(&message).nothing_lost();
    assert_eq!(lab.texts(flows::APP), [Some("abc".into()), Some("x".repeat(300))]);
    assert_eq!(lab.numbers(flows::SRC_PORT), [Some(80), Some(81)]);
}

/// A template without fields withdraws one, all templates (id 2), all options templates (id 3).
/// Over UDP it must not be sent and is ignored (RFC 7011 §8.4); some do send it.
#[test]
fn withdrawals_over_udp_are_counted_and_ignored() {
    let mut lab = Lab::new();
    let template = Template::new(256, &[(7, 2)]);
    lab.send(&Ipfix::new(SECONDS, 0, 0).template(&template).data(256, &[0, 80]).build());
    lab.send(&Ipfix::new(SECONDS, 1, 0).set(2, &[1, 0, 0, 0]).build());
    lab.send(&Ipfix::new(SECONDS, 1, 0).data(256, &[0, 81]).build()).nothing_lost();
    assert_eq!((lab.tally.templates, lab.tally.withdrawals), (1, 1));
    assert_eq!(lab.numbers(flows::SRC_PORT), [Some(80), Some(81)]);
}

/// A changed template under the same id, without withdrawal: after a reboot or a reconfiguration.
#[test]
fn a_template_changes_under_its_id() {
    let mut lab = Lab::new();
    for (id, port) in [(7, 80), (11, 443), (7, 81)] {
        let template = Template::new(256, &[(id, 2)]);
        let message = Ipfix::new(SECONDS, 0, 0)
            .template(&template)
            .data(256, &u16::to_be_bytes(port))
            .build();
        lab.send(&message);
    }
    lab.nothing_lost();
    assert_eq!(lab.numbers(flows::SRC_PORT), [Some(80), None, Some(81)]);
    assert_eq!(lab.numbers(flows::DST_PORT), [None, Some(443), None]);
}

/// Several templates in one Set, one of them with an enterprise's element, then padding.
#[test]
fn a_template_set_holds_several_and_is_padded() {
    let mut lab = Lab::new();
    let body = [
        1, 0, 0, 1, 0, 7, 0, 2, // 256: source port
        1, 1, 0, 1, 0xb0, 0x0e, 0xff, 0xff, 0, 0, 0x17, 0x3f, // 257: Netscaler 12302
        0, 0, // padding
    ];
    let message =
        Ipfix::new(SECONDS, 0, 0).set(2, &body).data(256, &[0, 80]).data(257, b"\x03abc").build();
    lab.send(&message).nothing_lost();
    assert_eq!((lab.tally.templates, lab.tally.flows), (2, 2));
    assert_eq!(lab.extra(1, 5951, 12_302, 0), Some(b"abc".to_vec()));
}

#[test]
fn ixia_sends_one_record_that_tshark_does_not_read() {
    let path = "corpus/logstash/logstash-ipfix-from-ixia-something-something.pcap";
    let Some(session) = captures::decode(path) else { return };
    assert_eq!((session.tally.flows, session.tally.dropped_sets()), (1, 0));
}

#[test]
fn packets_that_only_must_not_fail_do_not() {
    for name in
        ["netflow-5-invalid-01", "netflow-9-invalid-01", "netflow-9-cisco-1941-k9-release-15-1"]
    {
        let Some(session) = captures::decode(&format!("corpus/logstash/logstash-{name}.pcap"))
        else {
            continue;
        };
        assert_eq!(session.messages.len(), 1, "{name}");
    }
}
