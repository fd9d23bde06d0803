//! From a captured frame to the UDP datagram or TCP segment in it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Captured;
use super::fragments::{Fragment, Fragments, Key};

/// VLAN tags and IPv6 extension headers walked in one frame.
const HEADERS_MAX: usize = 8;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// What a frame held.
#[derive(Debug)]
pub(super) enum Found {
    Udp {
        source: SocketAddr,
        destination: SocketAddr,
        payload: Vec<u8>,
    },
    Tcp(Segment),
    /// A fragment whose datagram is not complete yet.
    Fragment,
    Other,
    UnknownLink,
}

/// A TCP segment with its octets.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) sequence: u32,
    pub(super) is_first: bool,
    pub(super) payload: Vec<u8>,
}

/// Finds the datagram or segment; the flag says that the recorder cut the packet short.
pub(super) fn find(captured: &Captured<'_>, fragments: &mut Fragments) -> (Found, bool) {
    let Some(packet) = network(captured.link, captured.octets) else {
        return (Found::UnknownLink, false);
    };
    match packet.first().map(|first| first >> 4) {
        Some(4) => ipv4(packet, fragments),
        Some(6) => ipv6(packet, fragments),
        _ => None,
    }
    .unwrap_or((Found::Other, false))
}

fn be16(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..at + 2)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}

/// Takes the link layer off. `None` for link types we do not know; no octets where the frame
/// holds no IP packet.
fn network(link: u32, frame: &[u8]) -> Option<&[u8]> {
    let skip = |n: usize| frame.get(n..).unwrap_or_default();
    Some(match link {
        0 | 108 => skip(4),
        1 => ethernet(frame, 12),
        // Raw IP: DLT_RAW's several numbers, and the two LINKTYPEs of one family.
        12 | 14 | 101 | 228 | 229 => frame,
        113 => ethernet(frame, 14),
        276 => match be16(frame, 0) {
            Some(0x0800 | 0x86dd) => skip(20),
            Some(0x8100 | 0x88a8) => ethernet(skip(20), 2),
            _ => &[],
        },
        _ => return None,
    })
}

/// Follows Ethernet types from offset `at` through VLAN tags and PPPoE.
fn ethernet(frame: &[u8], mut at: usize) -> &[u8] {
    for _ in 0..HEADERS_MAX {
        let rest = |n: usize| frame.get(at + n..).unwrap_or_default();
        match be16(frame, at) {
            Some(0x0800 | 0x86dd) => return rest(2),
            Some(0x8100 | 0x88a8 | 0x9100) => at += 4,
            Some(0x8864) => return rest(10),
            _ => return &[],
        }
    }
    &[]
}

fn v4_at(packet: &[u8], at: usize) -> Option<IpAddr> {
    packet.get(at..at + 4)?.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into())
}

fn v6_at(packet: &[u8], at: usize) -> Option<IpAddr> {
    packet.get(at..at + 16)?.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into())
}

fn ipv4(packet: &[u8], fragments: &mut Fragments) -> Option<(Found, bool)> {
    let header = usize::from(packet[0] & 15) * 4;
    // Total length 0: the packet was recorded before segmentation by the network card.
    let total = match usize::from(be16(packet, 2)?) {
        0 => packet.len(),
        total => total,
    };
    let is_cut = packet.len() < total;
    // Frames are padded to 60 octets: what is past the total length is not payload.
    let payload = packet.get(header..total.min(packet.len()))?;
    let (source, destination) = (v4_at(packet, 12)?, v4_at(packet, 16)?);
    let (proto, word) = (packet[9], be16(packet, 6)?);
    if word & 0x3fff == 0 {
        return Some((transport(source, destination, proto, payload)?, is_cut));
    }
    let key = Key { source, destination, proto, id: be16(packet, 4)?.into() };
    let offset = usize::from(word & 0x1fff) * 8;
    let fragment = Fragment { offset, is_last: word & 0x2000 == 0, octets: payload };
    Some((join(key, &fragment, fragments), is_cut))
}

fn join(key: Key, fragment: &Fragment<'_>, fragments: &mut Fragments) -> Found {
    match fragments.add(key, fragment) {
        None => Found::Fragment,
        Some(whole) => {
            transport(key.source, key.destination, key.proto, &whole).unwrap_or(Found::Other)
        }
    }
}

fn ipv6(packet: &[u8], fragments: &mut Fragments) -> Option<(Found, bool)> {
    // Length 0, as in IPv4: recorded before segmentation.
    let claimed = match usize::from(be16(packet, 4)?) {
        0 => packet.len(),
        length => 40 + length,
    };
    let is_cut = packet.len() < claimed;
    let (source, destination) = (v6_at(packet, 8)?, v6_at(packet, 24)?);
    let mut proto = *packet.get(6)?;
    let mut rest = packet.get(40..claimed.min(packet.len()))?;
    for _ in 0..HEADERS_MAX {
        match proto {
            0 | 43 | 60 => {
                proto = *rest.first()?;
                rest = rest.get(usize::from(*rest.get(1)?) * 8 + 8..)?;
            }
            44 => {
                let word = be16(rest, 2)?;
                let id = u32::from(be16(rest, 4)?) << 16 | u32::from(be16(rest, 6)?);
                let key = Key { source, destination, proto: rest[0], id };
                let (offset, is_last) = (usize::from(word & 0xfff8), word & 1 == 0);
                let fragment = Fragment { offset, is_last, octets: rest.get(8..)? };
                return Some((join(key, &fragment, fragments), is_cut));
            }
            _ => return Some((transport(source, destination, proto, rest)?, is_cut)),
        }
    }
    None
}

fn transport(source: IpAddr, destination: IpAddr, proto: u8, octets: &[u8]) -> Option<Found> {
    let source = SocketAddr::new(source, be16(octets, 0)?);
    let destination = SocketAddr::new(destination, be16(octets, 2)?);
    match proto {
        UDP => {
            let length = usize::from(be16(octets, 4)?);
            // A cut datagram is given as far as it goes: some protocols decode in part.
            let end = if length < 8 { octets.len() } else { length.min(octets.len()) };
            let payload = octets.get(8..end)?.to_vec();
            Some(Found::Udp { source, destination, payload })
        }
        TCP => {
            let sequence = u32::from(be16(octets, 4)?) << 16 | u32::from(be16(octets, 6)?);
            let flags = *octets.get(13)?;
            let payload = octets.get(usize::from(octets[12] >> 4) * 4..)?.to_vec();
            let is_first = flags & 0x02 != 0;
            Some(Found::Tcp(Segment { source, destination, sequence, is_first, payload }))
        }
        _ => None,
    }
}
