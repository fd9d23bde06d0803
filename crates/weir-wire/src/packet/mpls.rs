//! MPLS label stacks and what they carry: IP, or Ethernet with or without a control word.

use super::link::is_known_type;
use super::{Dissected, ETHER_IPV4, ETHER_IPV6, Layer, Tunnel, TunnelKind, after, u16_at, u32_at};

/// Label entries walked; the deepest real stacks (SR-MPLS) have about ten.
const STACK_MAX: usize = 32;

/// Reads labels down to the bottom of the stack (RFC 3032 §2.1).
pub(super) fn stack<'a>(seen: &mut Dissected, octets: &'a [u8]) -> Layer<'a> {
    let mut rest = octets;
    for _ in 0..STACK_MAX {
        let Some(entry) = u32_at(rest, 0) else { return Layer::Done };
        let label = entry >> 12;
        seen.mpls.push(label, entry as u8);
        rest = &rest[4..];
        if entry & 0x100 != 0 {
            return bottom(seen, label, rest);
        }
    }
    Layer::Done
}

/// Nothing in the packet says what follows the last label except the two explicit nulls; the
/// first nibble does by convention (RFC 4928), and an Ethernet type in its place decides where
/// that is not enough.
fn bottom<'a>(seen: &mut Dissected, label: u32, rest: &'a [u8]) -> Layer<'a> {
    let Some(first) = rest.first() else { return Layer::Done };
    match (label, first >> 4) {
        (0, 4) => Layer::EtherType(ETHER_IPV4, rest),
        (2, 6) => Layer::EtherType(ETHER_IPV6, rest),
        // A pseudowire without control word whose MAC address starts like an IP header.
        (_, 4) if looks_like_ethernet(rest) && !checksum_holds(rest) => {
            pseudowire(seen, label, rest)
        }
        (_, 4) => Layer::EtherType(ETHER_IPV4, rest),
        (_, 6) if looks_like_ethernet(rest) && !is_plausible_ipv6(rest) => {
            pseudowire(seen, label, rest)
        }
        (_, 6) => Layer::EtherType(ETHER_IPV6, rest),
        (_, 0) => {
            let word = after(rest, 4);
            // The control word of RFC 4448 §4.6 has zero in its first 16 bits unless an exporter
            // breaks it: the Ethernet type behind it is the better witness, the word the tie-break.
            let with = looks_like_ethernet(word);
            let without = looks_like_ethernet(rest);
            let has_word = with || (!without && u16_at(rest, 0) == Some(0));
            pseudowire(seen, label, if has_word { word } else { rest })
        }
        (_, 1) => Layer::Done, // Associated channel (RFC 5586): no user traffic.
        _ => pseudowire(seen, label, rest),
    }
}

fn looks_like_ethernet(octets: &[u8]) -> bool {
    u16_at(octets, 12).is_some_and(is_known_type)
}

fn is_plausible_ipv6(octets: &[u8]) -> bool {
    const UPPER: [u8; 12] = [0, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 60];
    octets.get(6).is_some_and(|next| UPPER.contains(next) || *next == 132)
}

fn checksum_holds(octets: &[u8]) -> bool {
    let length = usize::from(octets[0] & 0x0f) * 4;
    let Some(header) = octets.get(..length).filter(|_| length >= 20) else { return false };
    let sum: u32 =
        header.chunks_exact(2).map(|c| u32::from(u16::from_be_bytes([c[0], c[1]]))).sum();
    (sum & 0xffff) + (sum >> 16) == 0xffff
}

fn pseudowire<'a>(seen: &mut Dissected, label: u32, frame: &'a [u8]) -> Layer<'a> {
    if frame.len() < 14 || !seen.may_enter() {
        return Layer::Done;
    }
    let (kind, id) = (TunnelKind::EoMpls, Some(u64::from(label)));
    if seen.ip.is_some() {
        seen.enter(kind, id);
    } else {
        seen.depth += 1;
        seen.tunnel = seen.tunnel.or(Some(Tunnel { kind, id, outer: None, ports: None }));
    }
    Layer::Ethernet(frame)
}
