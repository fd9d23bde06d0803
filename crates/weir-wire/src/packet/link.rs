//! Link layers: Ethernet with its tags, PPP, frame relay, 802.11 and the rest of sFlow's
//! `header_protocol` list.

use super::{Dissected, ETHER_IPV4, ETHER_IPV6, Layer, Link, after, u16_at};

/// Picks the first layer from sFlow's header protocol.
pub(super) fn first<'a>(seen: &mut Dissected, link: Link, octets: &'a [u8]) -> Layer<'a> {
    if octets.is_empty() {
        return Layer::Done;
    }
    match link.0 {
        1 => Layer::Ethernet(octets),
        // Token ring: access and frame control, then addresses; FDDI: frame control.
        3 => ring(seen, after(octets, 2)),
        4 => ring(seen, after(octets, 1)),
        5 => frame_relay(octets),
        7 | 14 => Layer::Ppp(octets),
        9 | 10 => aal5(octets),
        11 => Layer::EtherType(ETHER_IPV4, octets),
        12 => Layer::EtherType(ETHER_IPV6, octets),
        13 => Layer::Mpls(octets),
        15 => wireless(seen, octets),
        17 => subframe(seen, octets),
        _ => Layer::Done,
    }
}

#[inline]
fn mac(octets: &[u8]) -> Option<u64> {
    let &[a, b, c, d, e, f] = octets.get(..6)?.first_chunk()?;
    Some(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
}

#[inline]
fn addresses(seen: &mut Dissected, octets: &[u8]) {
    seen.dst_mac = mac(octets);
    seen.src_mac = mac(after(octets, 6));
}

/// Ethernet II or 802.3: addresses, then a type or the length of an LLC frame.
#[inline]
pub(super) fn ethernet<'a>(seen: &mut Dissected, octets: &'a [u8]) -> Layer<'a> {
    addresses(seen, octets);
    match u16_at(octets, 12) {
        None => Layer::Done,
        Some(length) if length <= 1500 => Layer::Llc(&octets[14..]),
        Some(ether_type) => {
            // Only the tags of the innermost tagged frame are kept.
            if is_tag(ether_type) {
                (seen.vlan, seen.inner_vlan, seen.vlan_priority) = (None, None, None);
            }
            Layer::EtherType(ether_type, &octets[14..])
        }
    }
}

const fn is_tag(ether_type: u16) -> bool {
    matches!(ether_type, 0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300)
}

/// True for types that tell an Ethernet header from octets that only look like one.
pub(super) const fn is_known_type(ether_type: u16) -> bool {
    is_tag(ether_type)
        || matches!(ether_type, 0x0800 | 0x0806 | 0x86dd | 0x8847 | 0x8848 | 0x8863 | 0x8864)
        || matches!(ether_type, 0x88cc | 0x8809 | 0x88e7)
}

#[inline]
pub(super) fn ether_type<'a>(seen: &mut Dissected, ether_type: u16, octets: &'a [u8]) -> Layer<'a> {
    match ether_type {
        ETHER_IPV4 => {
            seen.ether_type = Some(ether_type);
            Layer::Ipv4(octets)
        }
        ETHER_IPV6 => {
            seen.ether_type = Some(ether_type);
            Layer::Ipv6(octets)
        }
        _ if is_tag(ether_type) => tag(seen, octets),
        0x8847 | 0x8848 => {
            seen.ether_type = Some(ether_type);
            Layer::Mpls(octets)
        }
        // PPPoE session: version, code, session id, length (RFC 2516 §4).
        0x8864 => {
            seen.ether_type = Some(ether_type);
            Layer::Ppp(after(octets, 6))
        }
        // Transparent Ethernet bridging.
        0x6558 => Layer::Ethernet(octets),
        // Provider backbone bridging: service tag, then the customer's frame (802.1ah).
        0x88e7 if octets.len() >= 18 => Layer::Ethernet(&octets[4..]),
        _ => {
            seen.ether_type = Some(ether_type);
            Layer::Done
        }
    }
}

fn tag<'a>(seen: &mut Dissected, octets: &'a [u8]) -> Layer<'a> {
    let Some(tci) = u16_at(octets, 0) else { return Layer::Done };
    let id = tci & 0x0fff;
    if seen.vlan.is_none() {
        seen.vlan = Some(id);
        seen.vlan_priority = Some((tci >> 13) as u8);
    } else if seen.inner_vlan.is_none() {
        seen.inner_vlan = Some(id);
    }
    match u16_at(octets, 2) {
        None => Layer::Done,
        Some(length) if length <= 1500 => Layer::Llc(&octets[4..]),
        Some(ether_type) => Layer::EtherType(ether_type, &octets[4..]),
    }
}

/// LLC with SNAP (RFC 1042); other service access points are not dissected.
pub(super) fn llc(octets: &[u8]) -> Layer<'_> {
    match octets {
        // The organisation is 0 for Ethernet types, 0x0000f8 for bridged ones.
        [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, hi, lo, rest @ ..] => {
            Layer::EtherType(u16::from_be_bytes([*hi, *lo]), rest)
        }
        [0x06, 0x06, 0x03, rest @ ..] => Layer::EtherType(ETHER_IPV4, rest),
        _ => Layer::Done,
    }
}

/// PPP (RFC 1661), with or without address and control, the protocol in one octet or two; and
/// Cisco's HDLC, which stands in the same place on POS links.
pub(super) fn ppp(octets: &[u8]) -> Layer<'_> {
    let rest = match octets {
        [0x0f | 0x8f, 0x00, hi, lo, rest @ ..] => {
            return Layer::EtherType(u16::from_be_bytes([*hi, *lo]), rest);
        }
        [0xff, 0x03, rest @ ..] => rest,
        _ => octets,
    };
    let (protocol, rest) = match rest {
        // A compressed protocol field is odd in its only octet.
        [one, rest @ ..] if one & 1 == 1 => (u16::from(*one), rest),
        [hi, lo, rest @ ..] => (u16::from_be_bytes([*hi, *lo]), rest),
        _ => return Layer::Done,
    };
    match protocol {
        0x0021 => Layer::EtherType(ETHER_IPV4, rest),
        0x0057 => Layer::EtherType(ETHER_IPV6, rest),
        0x0281 | 0x0283 => Layer::Mpls(rest),
        // Bridging: flags, MAC type 1 (Ethernet), then the frame (RFC 3518 §4.2).
        0x0031 if rest.get(1) == Some(&1) => Layer::Ethernet(after(rest, 2)),
        _ => Layer::Done,
    }
}

/// Frame relay (RFC 2427): an address of two octets or four, control, NLPID.
fn frame_relay(octets: &[u8]) -> Layer<'_> {
    let address = octets.iter().take(4).position(|octet| octet & 1 == 1);
    let rest = after(octets, address.map_or(octets.len(), |last| last + 1));
    // A padding octet of 0 may stand between control and NLPID.
    let rest = match rest {
        [0x03, 0x00, rest @ ..] | [0x03, rest @ ..] => rest,
        _ => return Layer::Done,
    };
    match rest {
        [0xcc, rest @ ..] => Layer::EtherType(ETHER_IPV4, rest),
        [0x8e, rest @ ..] => Layer::EtherType(ETHER_IPV6, rest),
        [0x80, 0, 0, 0, hi, lo, rest @ ..] => {
            Layer::EtherType(u16::from_be_bytes([*hi, *lo]), rest)
        }
        // Bridged Ethernet, with and without a preserved checksum.
        [0x80, 0x00, 0x80, 0xc2, 0, 1 | 7, rest @ ..] => Layer::Ethernet(rest),
        _ => Layer::Done,
    }
}

/// ATM adaptation layer 5: LLC (RFC 2684) or bare IP (VC multiplexing).
fn aal5(octets: &[u8]) -> Layer<'_> {
    match octets.first().map(|octet| octet >> 4) {
        Some(4) => Layer::EtherType(ETHER_IPV4, octets),
        Some(6) => Layer::EtherType(ETHER_IPV6, octets),
        _ => Layer::Llc(octets),
    }
}

/// Token ring or FDDI addresses; a set group bit in the source announces source routing.
fn ring<'a>(seen: &mut Dissected, octets: &'a [u8]) -> Layer<'a> {
    const GROUP: u64 = 1 << 47;
    addresses(seen, octets);
    let routed = seen.src_mac.is_some_and(|mac| mac & GROUP != 0);
    seen.src_mac = seen.src_mac.map(|mac| mac & !GROUP);
    let routing = match octets.get(12) {
        Some(length) if routed => usize::from(length & 0x1f),
        _ => 0,
    };
    Layer::Llc(after(octets, 12 + routing))
}

/// An A-MSDU subframe (802.11): destination, source, length, LLC.
fn subframe<'a>(seen: &mut Dissected, octets: &'a [u8]) -> Layer<'a> {
    addresses(seen, octets);
    Layer::Llc(after(octets, 14))
}

/// An 802.11 data frame: addresses by the direction bits, then LLC unless it is encrypted.
fn wireless<'a>(seen: &mut Dissected, octets: &'a [u8]) -> Layer<'a> {
    let &[control, flags, ..] = octets else { return Layer::Done };
    let is_data = control & 0x0c == 0x08;
    if !is_data {
        return Layer::Done;
    }
    let [one, two, three] = [4, 10, 16].map(|at| mac(after(octets, at)));
    let (dst, src, mut length) = match flags & 0x03 {
        0 => (one, two, 24),
        1 => (three, two, 24),
        2 => (one, three, 24),
        _ => (three, mac(after(octets, 24)), 30),
    };
    (seen.dst_mac, seen.src_mac) = (dst, src);
    let (has_qos, is_null) = (control & 0x80 != 0, control & 0x40 != 0);
    if has_qos {
        length += 2;
    }
    let is_encrypted = flags & 0x40 != 0;
    if is_null || is_encrypted { Layer::Done } else { Layer::Llc(after(octets, length)) }
}
