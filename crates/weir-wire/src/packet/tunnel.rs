//! What IP carries: a transport header, or a tunnel that is opened if its payload is there.

use super::ip::transport;
use super::{Dissected, ETHER_IPV4, ETHER_IPV6, Layer, TunnelKind, after, u16_at, u32_at};

/// Reads the header behind IP protocol `proto`.
#[inline]
pub(super) fn payload<'a>(seen: &mut Dissected, proto: u8, octets: &'a [u8]) -> Layer<'a> {
    match proto {
        6 => {
            seen.transport = transport(proto, octets);
            if let Some(words) = octets.get(12) {
                let header = usize::from(words >> 4) * 4;
                seen.payload_left = octets.len().saturating_sub(header.max(20)) as u32;
            }
        }
        1 | 58 => seen.transport = transport(proto, octets),
        17 => {
            seen.transport = transport(proto, octets);
            if let Some((src, dst)) = seen.transport.ports
                && let Some(body) = octets.get(8..)
            {
                seen.payload_left = body.len() as u32;
                return udp(seen, src, dst, body);
            }
        }
        4 | 41 => return open_ip(seen, TunnelKind::IpIp, None, proto, octets),
        47 => return gre(seen, octets),
        97 => return ether_ip(seen, octets),
        137 if octets.len() >= 24 && seen.may_enter() => {
            seen.enter(TunnelKind::Mpls, None);
            return Layer::Mpls(octets);
        }
        _ => seen.transport = transport(proto, octets),
    }
    Layer::Done
}

/// Opens a tunnel whose payload is IPv4 (protocol 4), IPv6 (41) or Ethernet (143) if enough of
/// it is there; else the outer packet stays the flow.
pub(super) fn open_ip<'a>(
    seen: &mut Dissected,
    kind: TunnelKind,
    id: Option<u64>,
    proto: u8,
    octets: &'a [u8],
) -> Layer<'a> {
    let ether_type = match proto {
        4 => ETHER_IPV4,
        41 => ETHER_IPV6,
        _ => 0x6558,
    };
    open(seen, kind, id, ether_type, octets)
}

fn open<'a>(
    seen: &mut Dissected,
    kind: TunnelKind,
    id: Option<u64>,
    ether_type: u16,
    octets: &'a [u8],
) -> Layer<'a> {
    let version = octets.first().map_or(0, |first| first >> 4);
    let is_there = match ether_type {
        ETHER_IPV4 => octets.len() >= 20 && version == 4,
        ETHER_IPV6 => octets.len() >= 40 && version == 6,
        0x6558 => octets.len() >= 14,
        // A label and the shortest IP header behind it.
        0x8847 | 0x8848 => octets.len() >= 24,
        _ => false,
    };
    if !is_there || !seen.may_enter() {
        return Layer::Done;
    }
    seen.enter(kind, id);
    Layer::EtherType(ether_type, octets)
}

/// Opens a tunnel whose payload tells its IP version itself.
fn open_by_version<'a>(
    seen: &mut Dissected,
    kind: TunnelKind,
    id: Option<u64>,
    octets: &'a [u8],
) -> Layer<'a> {
    match octets.first().map(|first| first >> 4) {
        Some(4) => open(seen, kind, id, ETHER_IPV4, octets),
        Some(6) => open(seen, kind, id, ETHER_IPV6, octets),
        _ => Layer::Done,
    }
}

/// UDP tunnels by their registered ports. The destination port decides; VXLAN on 8472 is what
/// Linux used before IANA gave 4789, and Flannel still does.
#[inline]
fn udp<'a>(seen: &mut Dissected, src: u16, dst: u16, body: &'a [u8]) -> Layer<'a> {
    match dst {
        4789 | 8472 => vxlan(seen, body),
        4790 => vxlan_gpe(seen, body),
        6081 => geneve(seen, body),
        2152 => gtp_u(seen, body),
        4341 => lisp(seen, body),
        6635 if body.len() >= 24 && seen.may_enter() => {
            seen.enter(TunnelKind::Mpls, None);
            Layer::Mpls(body)
        }
        3544 => teredo(seen, body),
        _ if src == 3544 => teredo(seen, body),
        _ => Layer::Done,
    }
}

/// VXLAN (RFC 7348 §5): flags with I set, VNI, Ethernet.
fn vxlan<'a>(seen: &mut Dissected, body: &'a [u8]) -> Layer<'a> {
    match (u32_at(body, 0), u32_at(body, 4)) {
        (Some(flags), Some(vni)) if flags & 0x0800_0000 != 0 => {
            open(seen, TunnelKind::Vxlan, Some((vni >> 8).into()), 0x6558, &body[8..])
        }
        _ => Layer::Done,
    }
}

/// VXLAN-GPE: as VXLAN, with the payload's kind when the P bit is set.
fn vxlan_gpe<'a>(seen: &mut Dissected, body: &'a [u8]) -> Layer<'a> {
    let (Some(flags), Some(vni)) = (u32_at(body, 0), u32_at(body, 4)) else { return Layer::Done };
    let ether_type = match (flags & 0x0400_0000 != 0, flags & 0xff) {
        (false, _) | (true, 3) => 0x6558,
        (true, 1) => ETHER_IPV4,
        (true, 2) => ETHER_IPV6,
        (true, 5) => 0x8847,
        _ => return Layer::Done,
    };
    open(seen, TunnelKind::Vxlan, Some((vni >> 8).into()), ether_type, &body[8..])
}

/// Geneve (RFC 8926 §3.4): version 0, options in words of four octets.
fn geneve<'a>(seen: &mut Dissected, body: &'a [u8]) -> Layer<'a> {
    let (Some(first), Some(vni)) = (u32_at(body, 0), u32_at(body, 4)) else { return Layer::Done };
    if first >> 30 != 0 {
        return Layer::Done;
    }
    let options = (first >> 24 & 0x3f) as usize * 4;
    let inner = after(body, 8 + options);
    open(seen, TunnelKind::Geneve, Some((vni >> 8).into()), first as u16, inner)
}

/// GTP-U (3GPP TS 29.281 §5.1): version 1, message 255 (G-PDU), extension headers.
fn gtp_u<'a>(seen: &mut Dissected, body: &'a [u8]) -> Layer<'a> {
    const EXTENSIONS_MAX: usize = 8;
    let (&[flags, 255, ..], Some(teid)) = (body, u32_at(body, 4)) else { return Layer::Done };
    if flags & 0xf0 != 0x30 {
        return Layer::Done;
    }
    let mut at = 8;
    if flags & 0x07 != 0 {
        let mut next = if flags & 0x04 != 0 { body.get(11).copied().unwrap_or(0) } else { 0 };
        at = 12;
        for _ in 0..EXTENSIONS_MAX {
            let length = match body.get(at) {
                Some(words @ 1..) if next != 0 => usize::from(*words) * 4,
                _ => break,
            };
            next = body.get(at + length - 1).copied().unwrap_or(0);
            at += length;
        }
    }
    open_by_version(seen, TunnelKind::GtpU, Some(teid.into()), after(body, at))
}

/// LISP (RFC 9300 §5.1): flags, nonce or instance id, locator bits.
fn lisp<'a>(seen: &mut Dissected, body: &'a [u8]) -> Layer<'a> {
    let (Some(first), Some(second)) = (u32_at(body, 0), u32_at(body, 4)) else {
        return Layer::Done;
    };
    let has_instance = first & 0x0800_0000 != 0;
    let id = has_instance.then_some(u64::from(second >> 8));
    open_by_version(seen, TunnelKind::Lisp, id, &body[8..])
}

/// Teredo (RFC 4380 §5.1): optional authentication and origin indications, then IPv6.
fn teredo<'a>(seen: &mut Dissected, body: &'a [u8]) -> Layer<'a> {
    let mut rest = body;
    if let [0, 1, id, auth, ..] = rest {
        rest = after(rest, 13 + usize::from(*id) + usize::from(*auth));
    }
    if let [0, 0, ..] = rest {
        rest = after(rest, 8);
    }
    // Port 3544 is not reserved for Teredo alone: the length has to agree too.
    let payload = u16_at(rest, 4).map(usize::from);
    if payload.is_none_or(|length| rest.len() > 40 + length) {
        return Layer::Done;
    }
    open(seen, TunnelKind::Teredo, None, ETHER_IPV6, rest)
}

/// EtherIP (RFC 3378): version 3, then Ethernet. Told as GRE's nearest kin, IP in IP.
fn ether_ip<'a>(seen: &mut Dissected, octets: &'a [u8]) -> Layer<'a> {
    match octets {
        [0x30, 0x00, rest @ ..] => open(seen, TunnelKind::IpIp, None, 0x6558, rest),
        _ => Layer::Done,
    }
}

/// GRE (RFC 2784, 2890), its PPTP form (RFC 2637), NVGRE (RFC 7637) and ERSPAN.
fn gre<'a>(seen: &mut Dissected, octets: &'a [u8]) -> Layer<'a> {
    let Some(word) = u32_at(octets, 0) else { return Layer::Done };
    let (flags, protocol) = ((word >> 16) as u16, word as u16);
    let (has_checksum, has_key) = (flags & 0xc000 != 0, flags & 0x2000 != 0);
    let has_sequence = flags & 0x1000 != 0;
    let mut at = 4;
    if has_checksum {
        at += 4;
    }
    let key = if has_key { u32_at(octets, at) } else { None };
    at += usize::from(has_key) * 4 + usize::from(has_sequence) * 4;
    if flags & 7 == 1 {
        let has_ack = flags & 0x80 != 0;
        return pptp(seen, key, after(octets, at + usize::from(has_ack) * 4));
    }
    let rest = after(octets, at);
    let id = key.map(u64::from);
    match protocol {
        // RFC 7637 reserves the first 4096 subnet ids, so a small key is plain GRE's.
        0x6558 if has_key && !has_sequence && key.is_some_and(|key| key >> 20 != 0) => {
            let subnet = key.map(|key| u64::from(key >> 8));
            open(seen, TunnelKind::NvGre, subnet, protocol, rest)
        }
        // ERSPAN: type I has no header of its own, type II eight octets and a sequence number.
        0x88be => {
            let session = if has_sequence { u16_at(rest, 2) } else { None };
            let frame = if has_sequence { after(rest, 8) } else { rest };
            let session = session.map(|word| u64::from(word & 0x03ff));
            open(seen, TunnelKind::Erspan, session, 0x6558, frame)
        }
        // Type III: twelve octets, and eight more when the O bit is set.
        0x22eb => {
            let session = u16_at(rest, 2).map(|word| u64::from(word & 0x03ff));
            let more = rest.get(11).is_some_and(|octet| octet & 1 == 1);
            open(seen, TunnelKind::Erspan, session, 0x6558, after(rest, 12 + 8 * usize::from(more)))
        }
        _ => open(seen, TunnelKind::Gre, id, protocol, rest),
    }
}

fn pptp<'a>(seen: &mut Dissected, key: Option<u32>, frame: &'a [u8]) -> Layer<'a> {
    match super::link::ppp(frame) {
        Layer::EtherType(ether_type, rest) => {
            let call = key.map(|key| u64::from(key & 0xffff));
            open(seen, TunnelKind::Gre, call, ether_type, rest)
        }
        _ => Layer::Done,
    }
}
