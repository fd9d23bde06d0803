//! Samples and records made by hand from the tables of the specifications.

use super::*;

/// Rows of a datagram that holds one flow sample with these records.
fn flow(records: &[Vec<u8>]) -> String {
    let (out, tally) = decode_all([&datagram(&[flow_sample(records)])[..]]);
    assert_eq!((tally.sets, tally.sets_decoded, tally.flows), (1, 1, 1));
    let line = lines(&out.flows).remove(0);
    line.replace("in_if=1 out_if=2 ", "").replace("sampling_rate=400 sample_pool=9", "")
}

fn text(text: &str) -> Vec<u8> {
    Wire::default().text(text).0
}

fn ethernet_header() -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    frame.extend([0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([0, 80, 0, 81, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0]);
    let length = frame.len() as u32;
    record(1, &Wire::default().words(&[1, 64, 4, length]).octets(&frame).octets(&[0, 0]).0)
}

#[test]
fn header_record_decides_over_the_parsed_ones() {
    let parsed = record(3, &words(&[46, 17, 0x0909_0909, 0x0808_0808, 1, 2, 0, 7]));
    let with = flow(&[parsed, ethernet_header()]);
    assert_eq!(with, flow(&[ethernet_header()]));
    assert!(with.contains(r#"src_addr="10.0.0.1" dst_addr="10.0.0.2" src_port=80 dst_port=81"#));
    assert!(with.contains("octets=64 packets=1 frame_length=64"));
}

#[test]
fn parsed_records_alone_make_the_flow() {
    let ethernet =
        record(2, &words(&[1518, 0x0200_0000, 0x0001_0000, 0x0200_0000, 0x0002_0000, 0x800]));
    let ip = record(3, &words(&[1500, 6, 0x0a00_0001, 0x0a00_0002, 80, 81, 0x12, 8]));
    assert_eq!(
        flow(&[ethernet, ip]),
        r#"src_addr="10.0.0.1" dst_addr="10.0.0.2" src_port=80 dst_port=81 proto=6 ip_version=4 tos=8 tcp_flags=18 src_mac="02:00:00:00:00:01" dst_mac="02:00:00:00:00:02" ether_type=2048 octets=1518 packets=1 frame_length=1518 "#
    );
    let v6 = [words(&[60, 58]), vec![0xfd; 16], vec![0xfe; 16], words(&[135, 0, 0, 0])].concat();
    assert_eq!(
        flow(&[record(4, &v6)]),
        r#"src_addr="fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd" dst_addr="fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe" proto=58 ip_version=6 icmp_type=135 icmp_code=0 tos=0 octets=60 packets=1 frame_length=60 "#
    );
}

/// One record a line: what its columns are. The row has `packets=1` for the sampled packet.
#[test]
fn each_record_fills_its_columns() {
    let nat = words(&[1, 0x0909_0909, 1, 0x0808_0808]);
    let gateway = [
        words(&[1, 0x0a00_00fe, 65000, 64500, 64501, 2, 2, 2, 100, 200, 1, 1, 300, 1, 0x000a_0014]),
        words(&[120]),
    ]
    .concat();
    let socket = words(&[6, 0x0a00_0001, 0x0a00_0002, 80, 50_000]);
    let tcp = words(&[1, 1460, 1448, 3, 0, 2, 1500, 900, 100, 10, 3, 800]);
    let cases: Vec<(u32, Vec<u8>, &str)> = vec![
        (1001, words(&[10, 3, 20, 3]), "src_vlan=10 dst_vlan=20 vlan_priority=3 packets=1 "),
        (1001, words(&[u32::MAX; 4]), "packets=1 "),
        (
            1002,
            words(&[1, 0x0a00_0001, 24, 16]),
            r#"next_hop="10.0.0.1" src_mask=24 dst_mask=16 packets=1 "#,
        ),
        (1002, words(&[0, 24, 16]), "src_mask=24 dst_mask=16 packets=1 "),
        (
            1003,
            gateway,
            r#"src_as=64500 dst_as=300 prev_as=64501 next_as=100 bgp_next_hop="10.0.0.254" as_path=[100,200,300] communities=[655380] local_pref=120 packets=1  exporter_as=65000"#,
        ),
        (
            1004,
            [words(&[106]), text("ann"), words(&[106]), text("bob")].concat(),
            r#"packets=1  src_user="ann" dst_user="bob""#,
        ),
        (
            1005,
            [words(&[1]), text("/a"), text("h.example")].concat(),
            r#"packets=1  http_host="h.example" http_url="/a""#,
        ),
        (1007, nat, r#"packets=1 post_nat_src_addr="9.9.9.9" post_nat_dst_addr="8.8.8.8" "#),
        (1020, words(&[1, 2]), "packets=1 post_nat_src_port=1 post_nat_dst_port=2 "),
        (
            1024,
            words(&[90, 17, 0x0a00_0001, 0x0a00_0002, 5, 4789, 0, 4]),
            r#"packets=1 tunnel_src_addr="10.0.0.1" tunnel_dst_addr="10.0.0.2" tunnel_proto=17 tunnel_src_port=5 tunnel_dst_port=4789 tunnel_tos=4 "#,
        ),
        (1030, words(&[77]), "packets=1 tunnel_id=77 "),
        (
            1034,
            words(&[2, 0x8100_6064, 0x8100_0065]),
            "vlan=100 inner_vlan=101 vlan_priority=3 packets=1 ",
        ),
        (1035, words(&[1, 0x8100_0066]), "dst_vlan=102 packets=1 "),
        (1036, words(&[42]), "packets=1  queue_id=42"),
        (1038, text("kfree_skb+0x1"), r#"packets=1  drop_function="kfree_skb+0x1""#),
        (1039, words(&[500]), "packets=1  transit_delay_ns=500"),
        (1040, words(&[9_000]), "packets=1  queue_depth=9000"),
        (
            1041,
            [text("l2_drops"), text("vlan_tag_mismatch")].concat(),
            r#"packets=1  drop_reason_name="vlan_tag_mismatch" drop_function="l2_drops""#,
        ),
        (1042, text("NO_SOCKET"), r#"packets=1  drop_reason_name="NO_SOCKET""#),
        (
            1043,
            words(&[0x1797_9cfe, 0x362a_0000]),
            r#"event_time="2023-11-14T22:13:20Z" packets=1 "#,
        ),
        (
            2100,
            socket,
            r#"src_addr="10.0.0.2" dst_addr="10.0.0.1" src_port=50000 dst_port=80 proto=6 ip_version=4 packets=1 "#,
        ),
        (
            2209,
            tcp,
            "packets=1  rtt_us=900 rtt_min_us=800 rtt_var_us=100 retransmits=2 lost=0 unacked=3 reordering=3 cwnd=10 snd_mss=1460 rcv_mss=1448 pmtu=1500 tcp_info_direction=1",
        ),
        (
            2210,
            words(&[3, 100_001, 3, 100_002]),
            "packets=1  entity_src=12885001889 entity_dst=12885001890",
        ),
    ];
    for (format, body, expected) in cases {
        let got = flow(&[record(format, &body)]);
        assert_eq!(got, expected, "record {format}");
        // A longer body says the same; a shorter one never makes more of it.
        let longer = [body.clone(), vec![0; 8]].concat();
        assert_eq!(flow(&[record(format, &longer)]), expected, "longer record {format}");
        for cut in (0..body.len()).step_by(4) {
            flow(&[record(format, &body[..cut])]);
        }
    }
}

#[test]
fn records_without_a_column_are_kept_as_sent() {
    let class = |enterprise: u32, format| flow(&[record(enterprise << 12 | format, &[1, 2, 3, 4])]);
    assert_eq!(class(0, 1031), r#"packets=1  extra={"ie(2147483648,1031)":"01020304"}"#);
    assert_eq!(class(25506, 4), r#"packets=1  extra={"ie(2147509154,4)":"01020304"}"#);
    let acl = [words(&[7]), text("deny-ssh"), words(&[1])].concat();
    assert_eq!(
        flow(&[record(1037, &acl)]),
        r#"packets=1  acl_name="deny-ssh" extra={"ie(2147483648,1037)":"000000070000000864656e792d73736800000001"}"#
    );
    let two =
        flow(&[record(1036, &words(&[1])), record(1016, &[9, 9, 9, 9]), record(1016, &[8; 4])]);
    assert_eq!(
        two,
        r#"packets=1  queue_id=1 extra={"ie(2147483648,1016)":"09090909","ie(2147483648,1016,1)":"08080808"}"#
    );
}

#[test]
fn the_old_http_request_may_have_a_version_or_not() {
    let with = Wire::default().words(&[2, 1_001]).text("/a").text("h.example").0;
    let without = Wire::default().words(&[2]).text("/a").text("h.example").0;
    for body in [with, without] {
        let line = flow(&[record(2201, &body)]);
        let expected = r#" http_host="h.example" http_method="GET" http_url="/a" extra="#;
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn http_request_is_an_operation_and_counts_no_packet() {
    let body = [
        words(&[2, 1001]),
        text("/index.html"),
        text("www.example"),
        [text(""), text("curl"), text(""), text("ann"), text("text/html")].concat(),
        words(&[0, 10, 0, 2000, 350, 404]),
    ]
    .concat();
    let line = flow(&[record(2206, &body)]);
    let expected = r#" src_user="ann" app_latency_us=350 http_host="www.example" http_method="GET" http_url="/index.html" http_status=404 extra="#;
    assert!(line.starts_with(expected), "{line}");
}

#[test]
fn output_formats_become_columns() {
    let with_output = |output: u32| {
        let head = words(&[1, 7, 400, 9, 0, 1, output, 0]);
        let (out, _) = decode_all([&datagram(&[record(1, &head)])[..]]);
        lines(&out.flows).remove(0)
    };
    let rest = "sampling_rate=400 sample_pool=9";
    assert_eq!(with_output(0x8000_0003), format!("in_if=1 out_if_count=3 packets=1 {rest}"));
    assert_eq!(with_output(0x3fff_ffff), format!("in_if=1 out_if=1073741823 packets=1 {rest}"));
    assert_eq!(
        with_output(0x4000_0102),
        format!("in_if=1 out_if=0 packets=1 dropped_packets=1 {rest} drop_reason=258")
    );
}

#[test]
fn discarded_packet_is_counted_as_dropped_only() {
    let head = words(&[9, 0, 4, 1799, 2, 0, 289, 1]);
    let sample = record(5, &[head, ethernet_header()].concat());
    let (out, tally) = decode_all([&datagram(&[sample])[..]]);
    assert_eq!(tally.flows, 1);
    let line = lines(&out.flows).remove(0);
    assert!(
        line.ends_with("dropped_octets=64 dropped_packets=1 frame_length=64 drop_reason=289"),
        "{line}"
    );
    assert!(!line.contains(" octets=") && !line.contains("sampling_rate"), "{line}");
    assert_eq!(out.flows.get_u64(c::SAMPLE_DROPS, 0), Some(1799));
}

#[test]
fn agent_without_address_is_known_by_its_sender() {
    let octets = [words(&[5, 0, 3, 11, 0, 1]), flow_sample(&[])].concat();
    let (out, _) = decode_all([&octets[..]]);
    assert_eq!(
        out.flows.get(c::EXPORTER_ADDR, 0),
        Some(weir_model::Scalar::Addr(received().addr()))
    );
    assert_eq!(header(&octets).unwrap().exporter(&received()), received().addr());
}

#[test]
fn header_errors_name_the_field() {
    let short = |need, have| MessageError::ShortHeader { protocol: Protocol::Sflow5, need, have };
    assert_eq!(header(&words(&[5])), Err(short(24, 4)));
    assert_eq!(header(&words(&[5, 2, 1, 2, 3, 4, 5])), Err(short(40, 28)));
    assert_eq!(header(&words(&[5, 3])), Err(MessageError::BadHeader { offset: 4, value: 3 }));
    assert_eq!(header(&words(&[4])), Err(MessageError::BadHeader { offset: 0, value: 4 }));
}

#[test]
fn a_broken_sample_costs_only_itself() {
    let broken = record(1, &words(&[1, 7, 400, 9, 0, 1, 2, 1, 1, 4000]));
    let unknown = record(99, &[0; 8]);
    let good = flow_sample(&[record(1036, &words(&[42]))]);
    let octets = datagram(&[good.clone(), broken.clone(), unknown.clone(), good]);
    let (out, tally) = decode_all([&octets[..]]);
    assert_eq!((out.flows.rows(), tally.sets, tally.sets_decoded), (2, 4, 2));
    let malformed = tally.dropped(DropReason::MalformedSet);
    assert_eq!((malformed.sets, malformed.octets), (1, broken.len() as u64));
    let reserved = tally.dropped(DropReason::Reserved);
    assert_eq!((reserved.sets, reserved.octets), (1, unknown.len() as u64));
    assert_eq!(out.flows.get_u64(c::QUEUE_ID, 1), Some(42));
}

#[test]
fn sample_count_that_lies_upwards_costs_one_sample() {
    let mut octets = datagram(&[flow_sample(&[])]);
    octets[24..28].copy_from_slice(&u32::MAX.to_be_bytes());
    let (out, tally) = decode_all([&octets[..]]);
    assert_eq!((out.flows.rows(), tally.sets, tally.dropped_sets()), (1, 2, 1));
}

#[test]
fn octets_after_the_last_sample_are_ignored() {
    let octets = [datagram(&[flow_sample(&[])]), vec![0xee; 37]].concat();
    let (out, tally) = decode_all([&octets[..]]);
    assert_eq!((out.flows.rows(), tally.sets, tally.dropped_sets()), (1, 1, 0));
}

#[test]
fn lengths_that_are_no_multiple_of_four_are_followed_padded_or_not() {
    let odd = |padding: usize| {
        let first = Wire::default().words(&[1036, 6, 42]).octets(&[0, 0]).octets(&vec![0; padding]);
        let head = words(&[1, 7, 400, 9, 0, 1, 2, 2]);
        record(1, &[head, first.0, record(1039, &words(&[5]))].concat())
    };
    for padding in [0, 2] {
        let octets = datagram(&[odd(padding), flow_sample(&[])]);
        let (out, tally) = decode_all([&octets[..]]);
        assert_eq!((out.flows.rows(), tally.dropped_sets()), (2, 0), "padding {padding}");
        assert_eq!(out.flows.get_u64(c::QUEUE_ID, 0), Some(42));
        assert_eq!(out.flows.get_u64(c::TRANSIT_DELAY_NS, 0), Some(5));
    }
}

#[test]
fn counters_are_rows_with_their_names() {
    let octets = counter_sample(&[
        record(1005, &text("eth0")),
        record(2004, &words(&[0, 100, 0, 50])),
        record(1001, &words(&[98, u32::MAX, 125, 0, 7, 0, 6])),
        record(2102, &words(&[0, 1, 0, 2, 9])),
        record(8800 << 12 | 1, &[0xca, 0xfe]),
    ]);
    let (out, tally) = decode_all([&datagram(&[octets])[..]]);
    assert_eq!((tally.counters, tally.flows), (12, 0));
    let rows: Vec<_> =
        lines(&out.counters).iter().map(|line| line.replace(" sequence=5", "")).collect();
    assert_eq!(
        rows,
        [
            r#"structure=1005 name="ifName" value_text="eth0""#,
            r#"structure=2004 name="mem_total" value=100"#,
            r#"structure=2004 name="mem_free" value=50"#,
            r#"structure=1001 name="5s_cpu" value_f=0.98"#,
            r#"structure=1001 name="1m_cpu" value_f=-1"#,
            r#"structure=1001 name="5m_cpu" value_f=1.25"#,
            r#"structure=1001 name="total_memory_bytes" value=7"#,
            r#"structure=1001 name="free_memory_bytes" value=6"#,
            r#"structure=2102 name="vmem_memory" value=1"#,
            r#"structure=2102 name="vmem_maxMemory" value=2"#,
            r#"structure=2102 name="octets" value_text="00000009""#,
            r#"structure=36044801 name="octets" value_text="cafe""#,
        ]
    );
    assert_eq!(out.counters.get_u64(k::SOURCE_CLASS, 0), Some(2));
    assert_eq!(out.counters.get_u64(k::UPTIME_MS, 0), Some(12_000));
}

#[test]
fn rtmetric_and_rtflow_are_read() {
    let metrics = [
        text("host.app"),
        words(&[3]),
        text("version"),
        words(&[0]),
        text("1.2"),
        text("requests"),
        words(&[2, 1, 0]),
        text("load"),
        words(&[6, 0x3fe0_0000, 0]),
    ];
    let flow = [
        text("host.app"),
        words(&[10, 0, 3]),
        text("ipsource"),
        words(&[2, 0x0a00_0001]),
        text("bytes"),
        words(&[5, 0, 1500]),
        text("uri"),
        words(&[0]),
        text("/x"),
    ];
    let samples =
        [record(4300 << 12 | 1002, &metrics.concat()), record(4300 << 12 | 1003, &flow.concat())];
    let (out, tally) = decode_all([&datagram(&samples)[..]]);
    assert_eq!((tally.counters, tally.flows, tally.dropped_sets()), (3, 1, 0));
    assert_eq!(
        lines(&out.counters),
        [
            r#"structure=17613802 name="version" value_text="1.2" source_name="host.app""#,
            r#"structure=17613802 name="requests" value=4294967296 source_name="host.app""#,
            r#"structure=17613802 name="load" value_f=0.5 source_name="host.app""#,
        ]
    );
    let line = lines(&out.flows).remove(0);
    assert!(
        line.starts_with(
            r#"src_addr="10.0.0.1" octets=1500 sampling_rate=10 extra={"ie(2147487948,1003)":"#
        ),
        "{line}"
    );
}

#[test]
fn the_control_pass_knows_an_agent_without_address_by_its_sender() {
    let mut decoder = crate::Decoder::new(crate::Limits::default());
    let octets = [words(&[5, 0, 3, 11, 0, u32::MAX]), flow_sample(&[])].concat();
    let mut out = Output::new();
    let tally = decoder.decode(&octets, &received(), &mut out).unwrap();
    assert_eq!((tally.messages, tally.sets, tally.sets_decoded, tally.flows), (1, 2, 1, 1));
    let exporters: Vec<_> = decoder.collector().exporters().map(|status| status.addr).collect();
    assert_eq!(exporters, [received().addr()]);
}
