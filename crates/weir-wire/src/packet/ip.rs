//! IPv4, IPv6 with its extension headers, and the transport ports.

use weir_model::Addr;

use super::{Dissected, Fragment, IpHeader, Layer, Transport, TunnelKind, u16_at, u32_at};

/// Extension headers walked in one IPv6 header (RFC 8200 knows seven kinds).
const EXTENSIONS_MAX: usize = 8;

/// IPv4 (RFC 791 §3.1).
#[inline]
pub(super) fn ipv4<'a>(seen: &mut Dissected, octets: &'a [u8]) -> Layer<'a> {
    let Some(header) = octets.first_chunk::<20>() else { return short_ipv4(seen, octets) };
    let length = usize::from(header[0] & 0x0f) * 4;
    if header[0] >> 4 != 4 || length < 20 {
        return Layer::Done;
    }
    let word = u16::from_be_bytes([header[6], header[7]]);
    let offset = word & 0x1fff;
    let proto = header[9];
    seen.ip = Some(IpHeader {
        version: 4,
        tos: Some(header[1]),
        ttl: Some(header[8]),
        proto: Some(proto),
        src: Some(Addr::v4(u32::from_be_bytes([header[12], header[13], header[14], header[15]]))),
        dst: Some(Addr::v4(u32::from_be_bytes([header[16], header[17], header[18], header[19]]))),
        fragment: Some(Fragment {
            id: u16::from_be_bytes([header[4], header[5]]).into(),
            offset,
            flags: header[6] & 0xe0,
        }),
        flow_label: None,
    });
    // Only the first fragment has what comes after.
    match octets.get(length..) {
        Some(rest) if offset == 0 => Layer::Payload(proto, rest),
        _ => Layer::Done,
    }
}

#[cold]
fn short_ipv4<'a>(seen: &mut Dissected, octets: &'a [u8]) -> Layer<'a> {
    if octets.first().is_none_or(|first| first >> 4 != 4) {
        return Layer::Done;
    }
    let fragment = u32_at(octets, 4).map(|word| Fragment {
        id: word >> 16,
        offset: (word & 0x1fff) as u16,
        flags: (word >> 8 & 0xe0) as u8,
    });
    seen.ip = Some(IpHeader {
        version: 4,
        tos: octets.get(1).copied(),
        ttl: octets.get(8).copied(),
        proto: octets.get(9).copied(),
        src: u32_at(octets, 12).map(Addr::v4),
        dst: None,
        fragment,
        flow_label: None,
    });
    Layer::Done
}

#[inline]
fn v6_at(octets: &[u8], at: usize) -> Option<Addr> {
    octets.get(at..at + 16)?.first_chunk().map(|chunk| Addr::v6(*chunk))
}

/// IPv6 (RFC 8200 §3) up to its upper-layer header.
#[inline]
pub(super) fn ipv6<'a>(seen: &mut Dissected, octets: &'a [u8]) -> Layer<'a> {
    let word = match (u32_at(octets, 0), octets.first()) {
        (Some(word), _) if word >> 28 == 6 => Some(word),
        (None, Some(first)) if first >> 4 == 6 => None,
        _ => return Layer::Done,
    };
    let mut header = IpHeader {
        version: 6,
        tos: word.map(|word| (word >> 20) as u8),
        flow_label: word.map(|word| word & 0x000f_ffff),
        proto: octets.get(6).copied(),
        ttl: octets.get(7).copied(),
        src: v6_at(octets, 8),
        dst: v6_at(octets, 24),
        fragment: None,
    };
    let next = match (header.proto, octets.get(40..)) {
        (Some(proto), Some(rest)) => extensions(&mut header, proto, rest),
        _ => None,
    };
    seen.ip = Some(header);
    match next {
        Some((proto, rest, true)) if matches!(proto, 4 | 41 | 143) => {
            super::tunnel::open_ip(seen, TunnelKind::Srv6, None, proto, rest)
        }
        Some((proto, rest, _)) => Layer::Payload(proto, rest),
        None => Layer::Done,
    }
}

/// Walks extension headers. Gives the upper-layer protocol, its octets and whether a segment
/// routing header (RFC 8754) was there; `None` when there is nothing further to read.
#[inline]
fn extensions<'a>(
    header: &mut IpHeader,
    mut proto: u8,
    mut rest: &'a [u8],
) -> Option<(u8, &'a [u8], bool)> {
    let mut segments = false;
    for _ in 0..EXTENSIONS_MAX {
        let length = match proto {
            // Hop-by-hop, destination options, mobility, HIP, Shim6.
            0 | 60 | 135 | 139 | 140 => usize::from(*rest.get(1)?) * 8 + 8,
            43 => {
                segments |= rest.get(2) == Some(&4);
                usize::from(*rest.get(1)?) * 8 + 8
            }
            44 => {
                let word = u16_at(rest, 2)?;
                let id = u32_at(rest, 4)?;
                let flags = if word & 1 == 1 { 0x20 } else { 0 };
                header.fragment = Some(Fragment { id, offset: word >> 3, flags });
                8
            }
            59 => return None,
            _ => return Some((proto, rest, segments)),
        };
        proto = rest[0];
        header.proto = Some(proto);
        if header.fragment.is_some_and(|fragment| fragment.offset != 0) {
            return None;
        }
        rest = rest.get(length..)?;
    }
    None
}

/// Ports, flags, ICMP type and code of the transport header that starts `octets`.
#[inline]
pub(super) fn transport(proto: u8, octets: &[u8]) -> Transport {
    let ports = || Some((u16_at(octets, 0)?, u16_at(octets, 2)?));
    match proto {
        6 => Transport {
            ports: ports(),
            tcp_flags: u16_at(octets, 12).map(|word| word & 0x01ff),
            icmp: None,
        },
        17 | 132 | 33 | 136 => Transport { ports: ports(), ..Transport::default() },
        1 | 58 => Transport {
            icmp: octets.first_chunk().map(|&[kind, code]| (kind, code)),
            ..Transport::default()
        },
        _ => Transport::default(),
    }
}
