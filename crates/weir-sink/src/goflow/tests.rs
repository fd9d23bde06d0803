use super::*;
use weir_model::columns::flows;
use weir_model::{Addr, Timestamp};

/// The record of the published line: NetFlow v5 from Open vSwitch.
fn published() -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(1);
    let at = Timestamp::from_seconds(1_624_985_192).0;
    batch.set(flows::EXPORT_PROTOCOL, 0, 5u8);
    batch.set(flows::RECEIVED_AT, 0, at + 900_000_000);
    batch.set(flows::EXPORT_TIME, 0, at + 100_000_000);
    batch.set(flows::FLOW_START, 0, at + 100_000_000 - 400_000_000);
    batch.set(flows::FLOW_END, 0, at + 100_000_000 - 200_000_000);
    batch.set(flows::SEQUENCE, 0, 4298u32);
    batch.set(flows::EXPORTER_ADDR, 0, "192.168.50.11".parse::<Addr>().unwrap());
    batch.set(flows::OCTETS, 0, 140u64);
    batch.set(flows::PACKETS, 0, 2u64);
    batch.set(flows::SRC_ADDR, 0, "10.130.0.2".parse::<Addr>().unwrap());
    batch.set(flows::DST_ADDR, 0, "10.129.0.26".parse::<Addr>().unwrap());
    batch.set(flows::NEXT_HOP, 0, Addr::v4(0));
    batch.set(flows::PROTO, 0, 6u8);
    batch.set(flows::SRC_PORT, 0, 57064u16);
    batch.set(flows::DST_PORT, 0, 8443u16);
    batch.set(flows::IN_IF, 0, 5u32);
    batch.set(flows::OUT_IF, 0, 65533u32);
    batch.set(flows::TCP_FLAGS, 0, 22u16);
    batch.set(flows::ICMP_TYPE, 0, 8u8);
    batch
}

fn write(batch: &FlowBatch, style: Style) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, style);
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    out
}

#[test]
fn line_is_goflow_3_4_2_to_the_letter() {
    let expected = "Type:NETFLOW_V5 TimeReceived:1624985192 SequenceNum:4298 SamplingRate:0 \
        SamplerAddress:192.168.50.11 TimeFlowStart:1624985192 TimeFlowEnd:1624985192 Bytes:140 \
        Packets:2 SrcAddr:10.130.0.2 DstAddr:10.129.0.26 Etype:2048 Proto:6 SrcPort:57064 \
        DstPort:8443 InIf:5 OutIf:65533 SrcMac:00:00:00:00:00:00 DstMac:00:00:00:00:00:00 \
        SrcVlan:0 DstVlan:0 VlanId:0 IngressVrfID:0 EgressVrfID:0 IPTos:0 ForwardingStatus:0 \
        IPTTL:0 TCPFlags:22 IcmpType:0 IcmpCode:0 IPv6FlowLabel:0 FragmentId:0 FragmentOffset:0 \
        BiFlowDirection:0 SrcAS:0 DstAS:0 NextHop:0.0.0.0 NextHopAS:0 SrcNet:0 DstNet:0 \
        HasEncap:false SrcAddrEncap:<nil> DstAddrEncap:<nil> ProtoEncap:0 EtypeEncap:0 \
        IPTosEncap:0 IPTTLEncap:0 IPv6FlowLabelEncap:0 FragmentIdEncap:0 FragmentOffsetEncap:0 \
        HasMPLS:false MPLSCount:0 MPLS1TTL:0 MPLS1Label:0 MPLS2TTL:0, MPLS2Label: 0, MPLS3TTL:0 \
        MPLS3Label:0 MPLSLastTTL:0 MPLSLastLabel:0 HasPPP:false PPPAddressControl:0\n";
    assert_eq!(String::from_utf8(write(&published(), Style::Text342)).unwrap(), expected);
}

#[test]
fn later_line_has_no_commas_and_json_quotes_everything() {
    let v3 = String::from_utf8(write(&published(), Style::TextV3)).unwrap();
    assert!(v3.contains(" MPLS2TTL:0 MPLS2Label:0 MPLS3TTL:0 "), "{v3}");
    let json = String::from_utf8(write(&published(), Style::Json)).unwrap();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let object = value.as_object().unwrap();
    assert!(object.values().all(serde_json::Value::is_string));
    assert_eq!((&object["Bytes"], &object["Type"]), (&"140".into(), &"NETFLOW_V5".into()));
}

#[test]
fn protobuf_has_v3_numbers() {
    let out = write(&published(), Style::Protobuf);
    assert_eq!(usize::from(out[0]), out.len() - 1);
    let body = &out[1..];
    assert_eq!(&body[..2], [0x08, 2], "type = NETFLOW_V5");
    let src: &[u8] = &[6 << 3 | 2, 4, 10, 130, 0, 2];
    assert!(body.windows(src.len()).any(|w| w == src), "src_addr is 4 octets");
    assert!(body.windows(2).any(|w| w == [9 << 3, 140 | 0x80]), "bytes is field 9");
}

#[test]
fn sampled_gre_shows_outer_addresses_and_inner_as_encap() {
    let mut batch = published();
    batch.set(flows::EXPORT_PROTOCOL, 0, 105u8);
    batch.set(flows::TUNNEL_KIND, 0, 2u8);
    batch.set(flows::TUNNEL_SRC_ADDR, 0, "192.0.2.1".parse::<Addr>().unwrap());
    batch.set(flows::TUNNEL_DST_ADDR, 0, "192.0.2.2".parse::<Addr>().unwrap());
    batch.set(flows::TUNNEL_PROTO, 0, 47u8);
    let line = String::from_utf8(write(&batch, Style::Text342)).unwrap();
    for part in [
        "Type:SFLOW_5",
        "SrcAddr:192.0.2.1 DstAddr:192.0.2.2 Etype:2048 Proto:47",
        "HasEncap:true SrcAddrEncap:10.130.0.2 DstAddrEncap:10.129.0.26 ProtoEncap:6",
    ] {
        assert!(line.contains(part), "{part} not in {line}");
    }
}
