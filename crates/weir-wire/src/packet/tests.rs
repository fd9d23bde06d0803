use super::*;
use proptest::prelude::*;
use weir_model::columns::flows as c;
use weir_model::{FlowBatch, Table, json};

mod corpus;

/// Ethernet header with the given type.
fn ether(ether_type: u16) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    frame.extend_from_slice(&ether_type.to_be_bytes());
    frame
}

fn v4(proto: u8, src: u8, dst: u8) -> Vec<u8> {
    vec![0x45, 0x10, 0, 60, 0, 7, 0x40, 0, 63, proto, 0, 0, 10, 0, 0, src, 10, 0, 0, dst]
}

fn v6(next: u8, src: u8, dst: u8) -> Vec<u8> {
    let mut header = vec![0x60, 0xa1, 0x23, 0x45, 0, 20, next, 61];
    for last in [src, dst] {
        header.extend_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    header
}

fn udp(src: u16, dst: u16) -> Vec<u8> {
    [src.to_be_bytes(), dst.to_be_bytes(), [0, 0], [0, 0]].concat()
}

fn tcp() -> Vec<u8> {
    vec![0x1f, 0x90, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x12, 0, 0, 0, 0, 0, 0]
}

fn addr(text: &str) -> Option<Addr> {
    Some(text.parse().unwrap())
}

/// The flow inside, as every tunnel test expects it.
fn assert_inner(seen: &Dissected) {
    let ip = seen.ip.unwrap();
    assert_eq!((ip.src, ip.dst, ip.proto), (addr("10.0.0.5"), addr("10.0.0.6"), Some(6)));
    assert_eq!(seen.transport.ports, Some((8080, 80)));
    assert_eq!(seen.transport.tcp_flags, Some(0x12));
    assert_eq!(seen.ether_type, Some(0x0800));
}

fn inner() -> Vec<u8> {
    [v4(6, 5, 6), tcp()].concat()
}

fn inner_frame() -> Vec<u8> {
    let mut frame = ether(0x0800);
    frame[5] = 0xaa;
    [frame, inner()].concat()
}

/// Puts `payload` behind UDP in IPv4 10.0.0.1 → 10.0.0.2 in Ethernet.
fn over_udp(dst: u16, payload: &[u8]) -> Vec<u8> {
    [ether(0x0800), v4(17, 1, 2), udp(50_000, dst), payload.to_vec()].concat()
}

fn over_ip(proto: u8, payload: &[u8]) -> Vec<u8> {
    [ether(0x0800), v4(proto, 1, 2), payload.to_vec()].concat()
}

fn assert_tunnel(seen: &Dissected, kind: TunnelKind, id: Option<u64>, proto: u8) {
    let tunnel = seen.tunnel.unwrap();
    let outer = tunnel.outer.unwrap();
    assert_eq!((tunnel.kind, tunnel.id), (kind, id));
    assert_eq!((outer.src, outer.dst), (addr("10.0.0.1"), addr("10.0.0.2")));
    assert_eq!((outer.proto, outer.ttl, outer.tos), (Some(proto), Some(63), Some(0x10)));
}

#[test]
fn tcp_in_ipv4_in_ethernet_fills_every_field() {
    let seen = dissect(Link::ETHERNET, &inner_frame());
    assert_inner(&seen);
    let ip = seen.ip.unwrap();
    assert_eq!((seen.dst_mac, seen.src_mac), (Some(0x0200_0000_00aa), Some(0x0200_0000_0002)));
    assert_eq!((ip.version, ip.tos, ip.ttl), (4, Some(0x10), Some(63)));
    assert_eq!(ip.fragment, Some(Fragment { id: 7, offset: 0, flags: 0x40 }));
    assert_eq!((seen.tunnel, seen.vlan, seen.mpls.entries()), (None, None, &[][..]));
}

#[test]
fn outer_and_inner_tag_are_told_apart() {
    let frame = [ether(0x88a8), vec![0x60, 0x64, 0x81, 0, 0, 0x2a, 0x08, 0], inner()].concat();
    let seen = dissect(Link::ETHERNET, &frame);
    assert_eq!((seen.vlan, seen.inner_vlan, seen.vlan_priority), (Some(100), Some(42), Some(3)));
    assert_inner(&seen);
}

#[test]
fn labels_are_kept_outermost_first_and_the_payload_is_told_by_its_nibble() {
    let stack = [0, 0x01, 0x20, 64, 0, 0x02, 0x31, 63];
    let seen = dissect(Link::ETHERNET, &[ether(0x8847), stack.to_vec(), inner()].concat());
    assert_eq!(seen.mpls.entries(), [(18, 64), (35, 63)]);
    assert_inner(&seen);
    assert_eq!(seen.tunnel, None);
}

#[test]
fn pseudowires_are_opened_with_and_without_control_word() {
    let label = vec![0, 0x06, 0x41, 0xff];
    for control in [&[0, 0, 0, 9][..], &[]] {
        let frame = [ether(0x8847), label.clone(), control.to_vec(), inner_frame()].concat();
        let seen = dissect(Link::ETHERNET, &frame);
        assert_inner(&seen);
        let tunnel = seen.tunnel.unwrap();
        assert_eq!((tunnel.kind, tunnel.id), (TunnelKind::EoMpls, Some(100)));
        assert_eq!(seen.dst_mac, Some(0x0200_0000_00aa), "control word {control:?}");
    }
}

#[test]
fn pseudowire_whose_address_starts_like_an_ip_header_is_ethernet() {
    for first in [0x40, 0x60, 0x00] {
        let mut wire = inner_frame();
        wire[0] = first;
        let seen = dissect(Link::MPLS, &[vec![0, 0x06, 0x41, 0xff], wire].concat());
        assert_inner(&seen);
    }
}

#[test]
fn ip_in_ip_keeps_the_outer_addresses() {
    let seen = dissect(Link::ETHERNET, &over_ip(4, &inner()));
    assert_inner(&seen);
    assert_tunnel(&seen, TunnelKind::IpIp, None, 4);
    let six = dissect(Link::IPV6, &[v6(4, 1, 2), inner()].concat());
    assert_inner(&six);
    assert_eq!(six.tunnel.unwrap().outer.unwrap().src, addr("2001:db8::1"));
    let six_in_four = dissect(Link::ETHERNET, &over_ip(41, &[v6(6, 7, 8), tcp()].concat()));
    assert_eq!(six_in_four.ip.unwrap().dst, addr("2001:db8::8"));
    assert_eq!(six_in_four.ether_type, Some(0x86dd));
}

#[test]
fn gre_in_its_forms() {
    let plain = over_ip(47, &[vec![0, 0, 8, 0], inner()].concat());
    let key = over_ip(47, &[vec![0x20, 0, 8, 0, 0, 0, 0, 9], inner()].concat());
    let all = [vec![0xb0, 0, 0x65, 0x58, 1, 2, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1], inner_frame()];
    for (frame, id) in [(plain, None), (key, Some(9)), (over_ip(47, &all.concat()), Some(9))] {
        let seen = dissect(Link::ETHERNET, &frame);
        assert_inner(&seen);
        assert_tunnel(&seen, TunnelKind::Gre, id, 47);
    }
    let nvgre = [vec![0x20, 0, 0x65, 0x58, 0x01, 0x23, 0x45, 7], inner_frame()].concat();
    let seen = dissect(Link::ETHERNET, &over_ip(47, &nvgre));
    assert_tunnel(&seen, TunnelKind::NvGre, Some(0x01_2345), 47);
    let erspan = [vec![0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 9, 0, 33, 0, 0, 0, 0], inner_frame()];
    let seen = dissect(Link::ETHERNET, &over_ip(47, &erspan.concat()));
    assert_inner(&seen);
    assert_tunnel(&seen, TunnelKind::Erspan, Some(33), 47);
}

#[test]
fn udp_tunnels_by_port() {
    let vxlan = [vec![8, 0, 0, 0, 0, 0x12, 0x34, 0], inner_frame()].concat();
    for port in [4789, 8472] {
        let seen = dissect(Link::ETHERNET, &over_udp(port, &vxlan));
        assert_inner(&seen);
        assert_tunnel(&seen, TunnelKind::Vxlan, Some(0x1234), 17);
        assert_eq!(seen.tunnel.unwrap().ports, Some((50_000, port)));
        assert_eq!(seen.dst_mac, Some(0x0200_0000_00aa));
    }
    let geneve = [vec![1, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 0], inner_frame()].concat();
    let seen = dissect(Link::ETHERNET, &over_udp(6081, &geneve));
    assert_inner(&seen);
    assert_tunnel(&seen, TunnelKind::Geneve, Some(7), 17);
    let gtp = [vec![0x34, 255, 0, 44, 0, 0, 1, 0, 0, 0, 0, 0x85, 1, 0x10, 9, 0], inner()].concat();
    let seen = dissect(Link::ETHERNET, &over_udp(2152, &gtp));
    assert_inner(&seen);
    assert_tunnel(&seen, TunnelKind::GtpU, Some(256), 17);
    let teredo = [vec![0, 0, 1, 2, 3, 4, 5, 6], v6(6, 7, 8), tcp()].concat();
    let seen = dissect(Link::ETHERNET, &over_udp(3544, &teredo));
    assert_eq!(seen.ip.unwrap().src, addr("2001:db8::7"));
    assert_tunnel(&seen, TunnelKind::Teredo, None, 17);
}

#[test]
fn ports_alone_do_not_make_a_tunnel() {
    for port in [4789, 8472, 6081, 2152, 4341, 3544, 6635, 4790] {
        let seen = dissect(Link::ETHERNET, &over_udp(port, &[0xff; 12]));
        assert_eq!((seen.tunnel, seen.transport.ports), (None, Some((50_000, port))), "{port}");
    }
}

#[test]
fn the_outermost_ip_tunnel_is_the_one_kept() {
    let gre = [v4(47, 3, 4), vec![0, 0, 8, 0], inner()].concat();
    let mut frame = ether(0x0800);
    frame.extend(gre);
    let vxlan = [vec![8, 0, 0, 0, 0, 0, 5, 0], frame].concat();
    let seen = dissect(Link::ETHERNET, &over_udp(4789, &vxlan));
    assert_inner(&seen);
    assert_tunnel(&seen, TunnelKind::Vxlan, Some(5), 17);
    // A pseudowire around an IP tunnel has no addresses to tell: the IP tunnel is kept.
    let wire = [vec![0, 0x06, 0x41, 0xff, 0, 0, 0, 0], over_ip(4, &inner())].concat();
    let seen = dissect(Link::MPLS, &wire);
    assert_tunnel(&seen, TunnelKind::IpIp, None, 4);
}

#[test]
fn segment_routing_header_makes_an_srv6_tunnel() {
    let mut srh = vec![4, 2, 4, 0, 0, 0, 0, 0];
    srh.extend_from_slice(&[0xfc; 16]);
    let seen = dissect(Link::IPV6, &[v6(43, 1, 2), srh, inner()].concat());
    assert_inner(&seen);
    let tunnel = seen.tunnel.unwrap();
    assert_eq!((tunnel.kind, tunnel.outer.unwrap().dst), (TunnelKind::Srv6, addr("2001:db8::2")));
}

#[test]
fn ipv6_extension_headers_are_walked() {
    let hop = vec![58, 0, 5, 2, 0, 0, 1, 0];
    let seen = dissect(Link::IPV6, &[v6(0, 1, 2), hop, vec![143, 0]].concat());
    let ip = seen.ip.unwrap();
    assert_eq!((ip.proto, seen.transport.icmp), (Some(58), Some((143, 0))));
    assert_eq!((ip.tos, ip.flow_label, ip.ttl), (Some(0x0a), Some(0x1_2345), Some(61)));
    let later = vec![17, 0, 0x05, 0xa9, 0, 0, 0, 9];
    let seen = dissect(Link::IPV6, &[v6(44, 1, 2), later, udp(1, 2)].concat());
    let fragment = Fragment { id: 9, offset: 181, flags: 0x20 };
    assert_eq!(seen.ip.unwrap().fragment, Some(fragment));
    assert_eq!((seen.ip.unwrap().proto, seen.transport.ports), (Some(17), None));
}

#[test]
fn later_fragments_have_no_ports() {
    let mut packet = inner();
    (packet[6], packet[7]) = (0x20, 0x10);
    let seen = dissect(Link::IPV4, &packet);
    assert_eq!(seen.transport, Transport::default());
    assert_eq!(seen.ip.unwrap().fragment, Some(Fragment { id: 7, offset: 16, flags: 0x20 }));
}

#[test]
fn other_link_layers_lead_to_the_same_packet() {
    let snap = vec![0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    let fddi = [vec![0x50], ether(0x0800)[..12].to_vec(), snap.clone()].concat();
    let wireless = [vec![0x88, 1], vec![0; 24], snap.clone()].concat();
    let pppoe = [ether(0x8864), vec![0x11, 0, 0, 1, 0, 60, 0, 0x21]].concat();
    let cases = [
        (1, [ether(0x0042), snap].concat()),
        (1, pppoe),
        (4, fddi),
        (5, vec![0x18, 0x41, 3, 0xcc]),
        (7, vec![0xff, 3, 0, 0x21]),
        (7, vec![0x21]),
        (14, vec![0x0f, 0, 8, 0]),
        (10, vec![]),
        (11, vec![]),
        (13, vec![0, 0x01, 0x21, 64]),
        (15, wireless),
    ];
    for (link, prefix) in cases {
        let seen = dissect(Link(link), &[prefix.clone(), inner()].concat());
        assert_eq!(seen.transport.ports, Some((8080, 80)), "link {link}, {prefix:02x?}");
        assert_eq!(seen.ip.unwrap().src, addr("10.0.0.5"));
    }
    assert_eq!(dissect(Link(12), &[v6(6, 1, 2), tcp()].concat()).ether_type, Some(0x86dd));
    assert_eq!(dissect(Link(18), &inner()), Dissected::default());
}

#[test]
fn arp_gives_its_type_and_addresses_of_the_frame() {
    let seen = dissect(Link::ETHERNET, &[ether(0x0806), vec![0, 1, 8, 0]].concat());
    assert_eq!((seen.ether_type, seen.ip), (Some(0x0806), None));
    assert_eq!(seen.src_mac, Some(0x0200_0000_0002));
}

#[test]
fn a_cut_header_gives_what_was_there() {
    let frame = inner_frame();
    let at = |n: usize| dissect(Link::ETHERNET, &frame[..n]);
    assert_eq!((at(11).dst_mac, at(11).src_mac), (Some(0x0200_0000_00aa), None));
    assert_eq!((at(13).src_mac, at(13).ether_type), (Some(0x0200_0000_0002), None));
    let cut = at(14 + 12).ip.unwrap();
    assert_eq!((cut.proto, cut.ttl, cut.src, cut.dst), (Some(6), Some(63), None, None));
    assert_eq!(at(14 + 16).ip.unwrap().src, addr("10.0.0.5"));
    assert_eq!(at(14 + 24).transport.ports, Some((8080, 80)));
    assert_eq!(at(14 + 24).transport.tcp_flags, None);
    // A tunnel cut before the inner addresses leaves the outer packet as the flow.
    let vxlan = over_udp(4789, &[8, 0, 0, 0, 0, 0, 5, 0, 2, 0, 0]);
    let seen = dissect(Link::ETHERNET, &vxlan);
    assert_eq!((seen.tunnel, seen.ip.unwrap().src), (None, addr("10.0.0.1")));
}

#[test]
fn nesting_is_bounded() {
    let mut packet = Vec::new();
    for _ in 0..200 {
        packet.extend(v4(4, 1, 2));
    }
    packet.extend(inner());
    let seen = dissect(Link::IPV4, &packet);
    assert_eq!(seen.ip.unwrap().src, addr("10.0.0.1"));
    let labels = dissect(Link::MPLS, &[0, 0x01, 0x20, 64].repeat(500));
    assert_eq!((labels.mpls.entries().len(), labels.ip), (LABELS_MAX, None));
}

#[test]
fn columns_are_those_of_the_headers() {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(1);
    let vxlan = [vec![8, 0, 0, 0, 0, 0x12, 0x34, 0], inner_frame()].concat();
    dissect(Link::ETHERNET, &over_udp(4789, &vxlan)).write(&mut batch, 0);
    let mut line = Vec::new();
    json::write_row(&batch, 0, &mut line);
    let expected = r#"{"kind":"flow","src_addr":"10.0.0.5","dst_addr":"10.0.0.6","src_port":8080,"dst_port":80,"proto":6,"ip_version":4,"tos":16,"ttl":63,"fragment_id":7,"fragment_offset":0,"fragment_flags":64,"tcp_flags":18,"src_mac":"02:00:00:00:00:02","dst_mac":"02:00:00:00:00:aa","ether_type":2048,"tunnel_kind":1,"tunnel_src_addr":"10.0.0.1","tunnel_dst_addr":"10.0.0.2","tunnel_proto":17,"tunnel_src_port":50000,"tunnel_dst_port":4789,"tunnel_id":4660,"tunnel_tos":16,"tunnel_ttl":63}"#;
    assert_eq!(String::from_utf8(line).unwrap(), expected);
    batch.append_rows(1);
    dissect(Link::MPLS, &[vec![0, 0x01, 0x21, 64], inner()].concat()).write(&mut batch, 1);
    assert_eq!(batch.get_octets(c::MPLS_LABELS, 1), Some(&[0, 0, 0, 18][..]));
    assert_eq!(batch.get_octets(c::MPLS_TTLS, 1), Some(&[0, 0, 0, 64][..]));
}

proptest! {
    #[test]
    fn any_octets_are_contained(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&octets);
    }

    #[test]
    fn damaged_tunnels_are_contained(at: prop::sample::Index, octet: u8, cut: prop::sample::Index) {
        let vxlan = [vec![8, 0, 0, 0, 0, 0x12, 0x34, 0], inner_frame()].concat();
        let mut frame = over_udp(4789, &vxlan);
        *at.get_mut(&mut frame) = octet;
        check(&frame[..cut.index(frame.len())]);
    }
}
