//! Frames of real tunnels (akvorado's test data), each as one line of what was seen.

use super::*;
use weir_testkit::{capture, corpus};

/// Addresses, protocol, ports, tunnel, labels.
fn line(seen: &Dissected) -> String {
    let text = |addr: Option<Addr>| addr.map_or("-".to_owned(), |addr| addr.to_string());
    let ip = seen.ip.unwrap_or_default();
    let mut line = format!("{} > {} proto {}", text(ip.src), text(ip.dst), ip.proto.unwrap_or(0));
    if let Some((src, dst)) = seen.transport.ports {
        line += &format!(" ports {src} > {dst}");
    }
    if let Some((kind, code)) = seen.transport.icmp {
        line += &format!(" icmp {kind}/{code}");
    }
    if let Some(tunnel) = seen.tunnel {
        let outer = tunnel.outer.unwrap_or_default();
        line += &format!(" in {:?} {:?}", tunnel.kind, tunnel.id);
        line += &format!(" {} > {}", text(outer.src), text(outer.dst));
    }
    if !seen.mpls.entries().is_empty() {
        line += &format!(" labels {:?}", seen.mpls.entries());
    }
    line
}

#[test]
fn akvorado_frames_are_opened_to_the_inner_flow() {
    let Some(folder) = corpus::corpus() else {
        return corpus::skip_aloud("akvorado-hdr", "WEIR_CORPUS is not set");
    };
    let cases = [
        (
            "gre-v4-key",
            "192.168.1.101 > 192.168.2.102 proto 1 icmp 8/0 in Gre Some(1) 192.168.12.1 > 192.168.12.2",
        ),
        (
            "gre-v6-plain",
            "2001:db8::2 > 2001:db8::1 proto 6 ports 18716 > 23 in Gre None 172.16.23.2 > 192.168.47.1",
        ),
        (
            "ipv4-ipv6",
            "2001:610:1908:a000::149:20 > 2002:2470:9ffa:fa9:0:dd:ed00:2 proto 6 ports 80 > 35673 in IpIp None 216.66.80.30 > 192.168.2.2",
        ),
        (
            "mpls-eompls-invalid-cw",
            "10.31.0.1 > 10.34.0.1 proto 6 ports 11001 > 23 in EoMpls Some(100) - > - labels [(100, 255)]",
        ),
        (
            "mpls-explicit-null-ipv6",
            "2001:db8::1 > 2001:db8::2 proto 6 ports 11001 > 80 labels [(2, 255)]",
        ),
        (
            "mpls-ipv4",
            "10.31.0.1 > 10.34.0.1 proto 6 ports 11001 > 23 labels [(18, 255), (16, 255)]",
        ),
        (
            "srv6-end-dt6",
            "1:2:1::1 > b::2 proto 17 ports 50701 > 5001 in Srv6 None 1:2:1::1 > f2::",
        ),
    ];
    for (name, expected) in cases {
        let path = folder.join(format!("corpus/akvorado/akvorado-hdr-{name}.pcap"));
        let frames = capture::frames(&std::fs::read(&path).unwrap());
        let (link, octets) = &frames[0];
        assert_eq!(*link, 1, "{name}");
        assert_eq!(line(&dissect(Link::ETHERNET, octets)), expected, "{name}");
        for cut in 0..octets.len() {
            check(&octets[..cut]);
        }
    }
}
