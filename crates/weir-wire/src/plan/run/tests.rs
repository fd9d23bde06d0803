use super::*;
use crate::decode::Decoder;
use crate::limits::Limits;
use crate::output::Output;
use weir_model::columns::{PEN_ANTREA, PEN_VMWARE};
use weir_model::{ColumnId, Scalar, Timestamp};
use weir_testkit::message::{Ipfix, NetFlow9, Template};

fn received() -> Received {
    Received::udp(Timestamp::from_seconds(1_700_000_001), "192.0.2.1:2055".parse().unwrap())
}

fn decode(messages: &[Vec<u8>]) -> Output {
    let mut decoder = Decoder::new(Limits::default());
    let mut out = Output::new();
    for message in messages {
        decoder.decode(message, &received(), &mut out).unwrap();
    }
    out.seal();
    out
}

fn ipfix(template: &Template, record: &[u8]) -> Output {
    decode(&[Ipfix::new(1_700_000_000, 0, 1).template(template).data(256, record).build()])
}

fn netflow9(template: &Template, record: &[u8]) -> Output {
    let message = NetFlow9::new(2, 10_000, 1_700_000_000, 1, 1);
    decode(&[message.template(template).data(256, record).build()])
}

fn number_of(out: &Output, column: ColumnId) -> Option<u64> {
    out.flows.get_u64(column, 0)
}

fn text_of(out: &Output, column: ColumnId) -> Option<String> {
    out.flows.get_octets(column, 0).map(|o| String::from_utf8(o.to_vec()).unwrap())
}

fn addr_of(out: &Output, column: ColumnId) -> Option<String> {
    match out.flows.get(column, 0) {
        Some(Scalar::Addr(addr)) => Some(addr.to_string()),
        _ => None,
    }
}

fn time_of(out: &Output, column: ColumnId) -> Option<String> {
    match out.flows.get(column, 0) {
        Some(Scalar::I64(time)) => Some(Timestamp(time).to_string()),
        _ => None,
    }
}

#[test]
fn numbers_of_any_width_and_none_that_do_not_fit() {
    for (width, octets, value) in [
        (1, &[7][..], Some(7)),
        (3, &[1, 0, 0], Some(65_536)),
        (5, &[1, 0, 0, 0, 0], Some(1 << 32)),
        (8, &[0xff; 8], Some(u64::MAX)),
    ] {
        let out = ipfix(&Template::new(256, &[(1, width)]), octets);
        assert_eq!(number_of(&out, flows::OCTETS), value, "{width}");
    }
    let wide_port = ipfix(&Template::new(256, &[(7, 4)]), &[0, 0, 1, 187]);
    assert_eq!(number_of(&wide_port, flows::SRC_PORT), Some(443));
    let too_wide = ipfix(&Template::new(256, &[(7, 4), (11, 2)]), &[0, 1, 0, 0, 0, 1]);
    assert_eq!(number_of(&too_wide, flows::SRC_PORT), None);
}

#[test]
fn vpp_tells_time_in_ntp_format() {
    let half = (3_908_988_800u64 << 32 | 0x8000_0000).to_be_bytes();
    let out = ipfix(&Template::new(256, &[(156, 8), (157, 8)]), &[half, half].concat());
    let time = Some("2023-11-14T22:13:20.500Z".to_owned());
    assert_eq!(
        (time_of(&out, flows::FLOW_START), time_of(&out, flows::FLOW_END)),
        (time.clone(), time)
    );
}

#[test]
fn uptimes_count_from_the_header_and_durations_complete_them() {
    let out = netflow9(&Template::new(256, &[(22, 4), (21, 4)]), &[0, 0, 0, 0, 0, 0, 0x27, 0x0c]);
    assert_eq!(time_of(&out, flows::FLOW_START).unwrap(), "2023-11-14T22:13:10Z");
    assert_eq!(time_of(&out, flows::FLOW_END).unwrap(), "2023-11-14T22:13:19.996Z");
    let start = 1_700_000_000_000u64.to_be_bytes();
    let out =
        ipfix(&Template::new(256, &[(152, 8), (161, 4)]), &[&start[..], &[0, 0, 3, 232]].concat());
    assert_eq!(time_of(&out, flows::FLOW_END).unwrap(), "2023-11-14T22:13:21Z");
    let out = ipfix(&Template::new(256, &[(153, 8), (162, 2)]), &[&start[..], &[3, 232]].concat());
    assert_eq!(time_of(&out, flows::FLOW_START).unwrap(), "2023-11-14T22:13:19.999Z");
    let out = ipfix(&Template::new(256, &[(158, 4)]), &1_000_000u32.to_be_bytes());
    assert_eq!(time_of(&out, flows::FLOW_START).unwrap(), "2023-11-14T22:13:19Z");
    let record = [&1_700_000_000_000u64.to_be_bytes()[..], &[0, 0, 3, 232]].concat();
    let out = ipfix(&Template::new(256, &[(160, 8), (22, 4)]), &record);
    assert_eq!(time_of(&out, flows::FLOW_START).unwrap(), "2023-11-14T22:13:21Z");
}

#[test]
fn open_vswitch_tunnels() {
    let template = Template::new(256, &[])
        .enterprise(PEN_VMWARE, 891, 1)
        .enterprise(PEN_VMWARE, 892, 65_535)
        .enterprise(PEN_VMWARE, 893, 4)
        .enterprise(PEN_VMWARE, 897, 2);
    let out = ipfix(&template, &[7, 3, 0, 0, 123, 10, 0, 0, 1, 0x17, 0xc1]);
    assert_eq!(number_of(&out, flows::TUNNEL_KIND), Some(3));
    assert_eq!(number_of(&out, flows::TUNNEL_ID), Some(123));
    assert_eq!(addr_of(&out, flows::TUNNEL_SRC_ADDR).unwrap(), "10.0.0.1");
    assert_eq!(number_of(&out, flows::TUNNEL_DST_PORT), Some(6_081));
    let segment = ipfix(&Template::new(256, &[(351, 8)]), &[1, 0, 0, 0, 0, 0, 0, 99]);
    assert_eq!(number_of(&segment, flows::TUNNEL_KIND), Some(1));
    assert_eq!(number_of(&segment, flows::TUNNEL_ID), Some(99));
}

#[test]
fn antrea_says_nothing_by_zeros_and_empty_text() {
    let template = Template::new(256, &[])
        .enterprise(PEN_ANTREA, 101, 65_535)
        .enterprise(PEN_ANTREA, 103, 65_535)
        .enterprise(PEN_ANTREA, 154, 65_535)
        .enterprise(PEN_ANTREA, 159, 16)
        .enterprise(PEN_ANTREA, 168, 4)
        .enterprise(PEN_ANTREA, 108, 2);
    let record = [&b"\x03web\x00\x0810.9.8.7"[..], &[0; 16], &[0; 4], &[0; 2]].concat();
    let out = ipfix(&template, &record);
    assert_eq!(text_of(&out, flows::SRC_POD).unwrap(), "web");
    assert_eq!(addr_of(&out, flows::EGRESS_ADDR).unwrap(), "10.9.8.7");
    for column in
        [flows::DST_POD, flows::SRC_POD_UUID, flows::DST_SERVICE_ADDR, flows::DST_SERVICE_PORT]
    {
        assert_eq!(out.flows.get(column, 0), None, "{column:?}");
    }
}

#[test]
fn cisco_asa_events_and_translations() {
    let template = Template::new(
        256,
        &[(8, 4), (231, 4), (232, 4), (233, 1), (33_002, 2), (323, 8), (225, 4), (40_000, 20)],
    );
    let mut record = vec![10, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 8, 2, 0x07, 0xed];
    record.extend_from_slice(&1_700_000_000_250u64.to_be_bytes());
    record.extend_from_slice(&[198, 51, 100, 7]);
    record.extend_from_slice(b"alice\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let out = netflow9(&template, &record);
    assert_eq!(number_of(&out, flows::OCTETS), Some(9));
    assert_eq!(number_of(&out, flows::REVERSE_OCTETS), Some(8));
    assert_eq!(number_of(&out, flows::FIREWALL_EVENT), Some(2));
    assert_eq!(number_of(&out, flows::FIREWALL_EXT_EVENT), Some(2_029));
    assert_eq!(time_of(&out, flows::EVENT_TIME).unwrap(), "2023-11-14T22:13:20.250Z");
    assert_eq!(addr_of(&out, flows::POST_NAT_SRC_ADDR).unwrap(), "198.51.100.7");
    assert_eq!(text_of(&out, flows::SRC_USER).unwrap(), "alice");
}

#[test]
fn palo_alto_names_applications_and_users_in_plain_v9() {
    let template = Template::new(256, &[(56_701, 8), (56_702, 8)]);
    let out = netflow9(&template, b"ssl\0\0\0\0\0a\xffb\0\0\0\0\0");
    assert_eq!(text_of(&out, flows::APP).unwrap(), "ssl");
    assert_eq!(text_of(&out, flows::SRC_USER).unwrap(), "a\u{fffd}b");
}

#[test]
fn h3c_sends_variable_lengths_in_v9() {
    let out = netflow9(&Template::new(256, &[(7, 2), (236, 65_535)]), b"\x00\x35\x04blue");
    assert_eq!(number_of(&out, flows::SRC_PORT), Some(53));
    assert_eq!(text_of(&out, flows::VRF_NAME).unwrap(), "blue");
}

#[test]
fn mpls_labels_and_icmp_in_one_field() {
    let template = Template::new(256, &[(70, 3), (71, 3), (72, 3), (32, 2)]);
    let out = netflow9(&template, &[0x05, 0xdc, 0x00, 0x00, 0x02, 0x11, 0, 0, 0, 3, 1]);
    let labels = out.flows.get_octets(flows::MPLS_LABELS, 0).unwrap();
    assert_eq!(weir_model::json::u32_list(labels).collect::<Vec<_>>(), [24_000, 33]);
    assert_eq!(number_of(&out, flows::ICMP_TYPE), Some(3));
    assert_eq!(number_of(&out, flows::ICMP_CODE), Some(1));
}

#[test]
fn both_families_in_one_template_and_the_one_that_is_set_counts() {
    let template = Template::new(256, &[(8, 4), (27, 16), (7, 2), (180, 2)]);
    let v6: [u8; 16] = std::net::Ipv6Addr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]).octets();
    let record = [&[0; 4][..], &v6, &[0, 0, 0, 53]].concat();
    let out = ipfix(&template, &record);
    assert_eq!(addr_of(&out, flows::SRC_ADDR).unwrap(), "2001:db8::1");
    assert_eq!(number_of(&out, flows::SRC_PORT), Some(53));
}

#[test]
fn lists_and_unknown_elements_are_kept_as_sent() {
    let template = Template::new(256, &[(7, 2), (291, 65_535)]).enterprise(5_951, 200, 2);
    let out = ipfix(&template, &[0, 1, 3, 255, 0, 9, 8, 7]);
    let extra = out.flows.get_octets(flows::EXTRA, 0).unwrap();
    let kept: Vec<_> = elements::iter(extra).map(|e| (e.key.pen, e.key.id, e.value)).collect();
    assert_eq!(kept, [(0, 291, &[255, 0, 9][..]), (5_951, 200, &[8, 7])]);
}

#[test]
fn sampled_frames_are_dissected_and_the_record_s_own_fields_stand() {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    frame
        .extend_from_slice(&[0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    frame.extend_from_slice(&[0, 53, 1, 0, 0, 8, 0, 0]);
    let record = [&[0, 9, 5, 220, 1, 187][..], &[frame.len() as u8], &frame].concat();
    let template = Template::new(256, &[(10, 2), (312, 2), (7, 2), (315, 65_535)]);
    let out = ipfix(&template, &record);
    assert_eq!(addr_of(&out, flows::DST_ADDR).unwrap(), "192.0.2.2");
    assert_eq!(number_of(&out, flows::PROTO), Some(17));
    assert_eq!(number_of(&out, flows::SRC_PORT), Some(443));
    assert_eq!(number_of(&out, flows::DST_PORT), Some(256));
    assert_eq!(number_of(&out, flows::OCTETS), Some(1_500));
    assert_eq!(number_of(&out, flows::PACKETS), Some(1));
}

#[test]
fn a_record_cut_off_by_its_set_is_counted_and_the_others_stand() {
    let message = Ipfix::new(1_700_000_000, 0, 1)
        .template(&Template::new(256, &[(7, 2), (236, 65_535)]))
        .data(256, b"\x00\x35\x01a\x00\x36\xc8bcdefg")
        .build();
    let mut decoder = Decoder::new(Limits::default());
    let mut out = Output::new();
    let tally = decoder.decode(&message, &received(), &mut out).unwrap();
    assert_eq!((tally.flows, tally.sets_decoded), (1, 1));
    let lost = tally.dropped(crate::tally::DropReason::MalformedSet);
    assert_eq!((lost.records, lost.octets), (1, 9));
}

#[test]
fn netflow5_records_sampling_and_icmp() {
    let mut packet = vec![0, 5, 0, 1];
    packet.extend_from_slice(&10_000u32.to_be_bytes());
    packet.extend_from_slice(&1_700_000_000u32.to_be_bytes());
    packet.extend_from_slice(&500u32.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0, 7, 3, 4, 0x43, 0xe8]);
    packet.extend_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2, 192, 0, 2, 254, 0, 1, 0, 2]);
    packet.extend_from_slice(&[0, 0, 0, 9, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0x27, 0x10]);
    packet.extend_from_slice(&[0, 0, 3, 1, 0, 0x12, 1, 5, 0xfd, 0xe8, 0, 9, 24, 16, 0, 0]);
    let out = decode(&[packet.clone()]);
    assert_eq!(number_of(&out, flows::SAMPLING_RATE), Some(1_000));
    assert_eq!(number_of(&out, flows::OBSERVATION_DOMAIN), Some(0x0304));
    assert_eq!(number_of(&out, flows::ICMP_TYPE), Some(3));
    assert_eq!(number_of(&out, flows::ICMP_CODE), Some(1));
    assert_eq!(number_of(&out, flows::SRC_AS), Some(65_000));
    assert_eq!(number_of(&out, flows::DST_MASK), Some(16));
    assert_eq!(number_of(&out, flows::TEMPLATE_ID), None);
    assert_eq!(time_of(&out, flows::FLOW_END).unwrap(), "2023-11-14T22:13:20.000000500Z");
    packet[22] = 0;
    packet[23] = 0;
    assert_eq!(number_of(&decode(&[packet]), flows::SAMPLING_RATE), None);
}
