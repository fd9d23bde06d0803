//! Packet headers: from the first octets of a sampled frame to the columns of a flow.
//!
//! Used by sFlow's sampled headers and by the IPFIX elements 104 and 315. No allocation, no I/O.
//! Invariant: work is bounded by [`LAYERS_MAX`] whatever the octets say; a header that was cut
//! short fills what was there and never fails.
//!
//! **Which flow is kept.** Tunnels are opened as far as the octets go. The innermost packet gives
//! the key columns (addresses, ports, TOS, TTL, fragments …), `ether_type` and the MAC addresses
//! (of the innermost frame that has any). The *outermost* IP tunnel gives the `tunnel_*` columns;
//! an Ethernet pseudowire over MPLS, which has no addresses, is told only when no IP tunnel is
//! there. VLAN tags are those of the innermost tagged frame; MPLS labels are all that were seen.
//! A tunnel whose payload was cut off before its addresses is not opened: the outer packet is
//! then the flow.

pub mod app;
mod ip;
mod link;
mod mpls;
mod tunnel;
mod write;

use weir_model::Addr;

/// Most layers opened in one packet. A double-tagged frame in VXLAN in GRE has eleven.
pub const LAYERS_MAX: usize = 32;

/// Most tunnels opened in one packet; the packet inside the last one is the flow.
pub const TUNNELS_MAX: u8 = 4;

/// MPLS labels kept; deeper stacks are walked and not remembered.
pub const LABELS_MAX: usize = 8;

/// Tunnel kinds as in the column table ([`weir_model::named::TUNNEL_KIND`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the variants are the encapsulations' own names")]
pub enum TunnelKind {
    Vxlan = 1,
    Gre = 2,
    Geneve = 3,
    IpIp = 4,
    GtpU = 5,
    Srv6 = 6,
    Mpls = 7,
    EoMpls = 8,
    NvGre = 9,
    Lisp = 10,
    Erspan = 13,
    Teredo = 14,
}

/// What the first octet of a header belongs to: sFlow's `header_protocol` (sFlow v5, enum
/// `header_protocol`); IPFIX's frames are [`Link::ETHERNET`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link(pub u32);

impl Link {
    /// Ethernet, ISO 8802-3.
    pub const ETHERNET: Link = Link(1);
    /// IPv4 without a link layer.
    pub const IPV4: Link = Link(11);
    /// IPv6 without a link layer.
    pub const IPV6: Link = Link(12);
    /// An MPLS label stack.
    pub const MPLS: Link = Link(13);
}

/// The part of an IP header that a fragment has and a whole packet may not (IPv6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Identification.
    pub id: u32,
    /// Offset in units of 8 octets.
    pub offset: u16,
    /// As `fragmentFlags` (IE 197) has them: 0x40 don't fragment, 0x20 more fragments.
    pub flags: u8,
}

/// One IP header; `None` is what was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IpHeader {
    /// 4 or 6.
    pub version: u8,
    /// Type of service or traffic class.
    pub tos: Option<u8>,
    /// Time to live or hop limit.
    pub ttl: Option<u8>,
    /// Protocol of the payload, after IPv6 extension headers.
    pub proto: Option<u8>,
    /// Source.
    pub src: Option<Addr>,
    /// Destination.
    pub dst: Option<Addr>,
    /// Always there in IPv4, with a fragment header in IPv6.
    pub fragment: Option<Fragment>,
    /// IPv6 flow label.
    pub flow_label: Option<u32>,
}

/// What follows the IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Transport {
    /// Source and destination port of TCP, UDP, SCTP, DCCP, UDP-Lite.
    pub ports: Option<(u16, u16)>,
    /// TCP flags with NS in bit 8.
    pub tcp_flags: Option<u16>,
    /// ICMP or ICMPv6 type and code.
    pub icmp: Option<(u8, u8)>,
}

/// The tunnel that the `tunnel_*` columns describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tunnel {
    /// Encapsulation.
    pub kind: TunnelKind,
    /// VNI, GRE key, TEID, ERSPAN session, pseudowire label.
    pub id: Option<u64>,
    /// Outer IP header; `None` for a pseudowire.
    pub outer: Option<IpHeader>,
    /// Outer ports.
    pub ports: Option<(u16, u16)>,
}

/// MPLS labels, outermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LabelStack {
    entries: [(u32, u8); LABELS_MAX],
    len: usize,
}

impl LabelStack {
    /// Label (20 bits) and time to live of each entry.
    pub fn entries(&self) -> &[(u32, u8)] {
        &self.entries[..self.len]
    }

    fn push(&mut self, label: u32, ttl: u8) {
        if let Some(slot) = self.entries.get_mut(self.len) {
            *slot = (label, ttl);
            self.len += 1;
        }
    }
}

/// What a packet's headers say. `None` is what was not there or was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dissected {
    /// Destination MAC address, first octet highest.
    pub dst_mac: Option<u64>,
    /// Source MAC address.
    pub src_mac: Option<u64>,
    /// VLAN id of the outer tag.
    pub vlan: Option<u16>,
    /// Priority of the outer tag.
    pub vlan_priority: Option<u8>,
    /// VLAN id of the second tag.
    pub inner_vlan: Option<u16>,
    /// Ethernet type of the innermost payload (IPv4 and IPv6 also behind MPLS, PPP, GRE).
    pub ether_type: Option<u16>,
    /// MPLS labels.
    pub mpls: LabelStack,
    /// Innermost IP header.
    pub ip: Option<IpHeader>,
    /// What follows it.
    pub transport: Transport,
    /// Outermost tunnel.
    pub tunnel: Option<Tunnel>,
    /// Tunnels opened.
    pub depth: u8,
    /// Octets from the end of what was dissected back to the end of the innermost TCP or UDP
    /// header; 0 when nothing follows it, or there is none.
    pub payload_left: u32,
}

/// Reads the headers of a packet whose first octets are `octets`. What `link` does not name or
/// we do not know stays empty.
///
/// ```
/// use weir_wire::packet::{Link, dissect};
/// let frame = [0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0, 53, 1, 0];
/// let seen = dissect(Link::IPV4, &frame);
/// assert_eq!(seen.transport.ports, Some((53, 256)));
/// assert_eq!(seen.ip.and_then(|ip| ip.ttl), Some(64));
/// ```
#[inline]
pub fn dissect(link: Link, octets: &[u8]) -> Dissected {
    let mut seen = Dissected::default();
    dissect_into(&mut seen, link, octets);
    seen
}

/// As [`dissect`], into an empty value: spares row-wise decoders a copy of some 300 octets.
#[inline]
pub(crate) fn dissect_into(seen: &mut Dissected, link: Link, octets: &[u8]) {
    let mut next = link::first(seen, link, octets);
    for _ in 0..LAYERS_MAX {
        next = match next {
            Layer::Ethernet(rest) => link::ethernet(seen, rest),
            Layer::EtherType(ether_type, rest) => link::ether_type(seen, ether_type, rest),
            Layer::Ppp(rest) => link::ppp(rest),
            Layer::Llc(rest) => link::llc(rest),
            Layer::Mpls(rest) => mpls::stack(seen, rest),
            Layer::Ipv4(rest) => ip::ipv4(seen, rest),
            Layer::Ipv6(rest) => ip::ipv6(seen, rest),
            Layer::Payload(proto, rest) => tunnel::payload(seen, proto, rest),
            Layer::Done => break,
        };
    }
}

/// What comes next in the packet.
#[derive(Debug, Clone, Copy)]
enum Layer<'a> {
    Ethernet(&'a [u8]),
    EtherType(u16, &'a [u8]),
    Ppp(&'a [u8]),
    Llc(&'a [u8]),
    Mpls(&'a [u8]),
    Ipv4(&'a [u8]),
    Ipv6(&'a [u8]),
    /// What an IP header carries: protocol number and octets.
    Payload(u8, &'a [u8]),
    Done,
}

const ETHER_IPV4: u16 = 0x0800;
const ETHER_IPV6: u16 = 0x86dd;

impl Dissected {
    /// True while another tunnel may be opened.
    fn may_enter(&self) -> bool {
        self.depth < TUNNELS_MAX
    }

    /// Moves the packet seen so far into the tunnel columns (if they are still free of an IP
    /// tunnel) and makes room for the packet inside.
    #[cold]
    fn enter(&mut self, kind: TunnelKind, id: Option<u64>) {
        self.depth += 1;
        let outer = self.ip.take();
        let ports = self.transport.ports;
        self.transport = Transport::default();
        self.payload_left = 0;
        if self.tunnel.is_none_or(|tunnel| tunnel.outer.is_none()) {
            self.tunnel = Some(Tunnel { kind, id, outer, ports });
        }
    }
}

#[inline]
fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    let pair = octets.get(at..at + 2)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}

#[inline]
fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    let four = octets.get(at..at + 4)?;
    Some(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}

#[inline]
fn after(octets: &[u8], n: usize) -> &[u8] {
    octets.get(n..).unwrap_or_default()
}

/// Asserts that dissection of any octets, under any link type, stays within its bounds and that
/// what it tells fits its columns. Part of [`crate::check::check_packet`].
pub(crate) fn check(octets: &[u8]) {
    for link in 0..20 {
        let seen = dissect(Link(link), octets);
        assert!(seen.mpls.entries().len() <= LABELS_MAX);
        assert!(seen.mpls.entries().iter().all(|(label, _)| *label < 1 << 20));
        assert!(seen.vlan.is_none_or(|vlan| vlan < 4096));
        if let Some(ip) = seen.ip {
            assert!(matches!(ip.version, 4 | 6));
            assert!(ip.flow_label.is_none_or(|label| label < 1 << 20));
        }
        if octets.is_empty() {
            assert_eq!(seen, Dissected::default());
        }
        assert!(seen.payload_left as usize <= octets.len(), "payload is of the packet");
    }
    app::check(octets);
}

#[cfg(test)]
mod tests;
