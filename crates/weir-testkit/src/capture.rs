//! The UDP payloads of a capture in libpcap's classic format: enough for tests, on purpose apart
//! from the reader that the collector itself uses.
//!
//! Reads Ethernet (with VLAN tags), Linux cooked and raw IP; skips what is no whole UDP datagram.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use weir_model::Timestamp;

/// What one datagram carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// When it was captured.
    pub at: Timestamp,
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom it was sent to.
    pub destination: SocketAddr,
    /// Its octets.
    pub octets: Vec<u8>,
}

/// The UDP payloads of a capture file's octets, in order. `None` when it is no classic pcap file.
pub fn payloads(file: &[u8]) -> Option<Vec<Payload>> {
    let (header, mut rest) = file.split_at_checked(24)?;
    let magic = u32::from_le_bytes(header.first_chunk::<4>().copied()?);
    let (little, nanos) = match magic {
        0xa1b2_c3d4 => (true, false),
        0xa1b2_3c4d => (true, true),
        0xd4c3_b2a1 => (false, false),
        0x4d3c_b2a1 => (false, true),
        _ => return None,
    };
    let word = |octets: &[u8], at: usize| -> Option<u32> {
        let octets: [u8; 4] = octets.get(at..at + 4)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(octets) } else { u32::from_be_bytes(octets) })
    };
    let link = word(header, 20)?;
    let mut found = Vec::new();
    while let (Some(seconds), Some(fraction), Some(length)) =
        (word(rest, 0), word(rest, 4), word(rest, 8))
    {
        let Some(frame) = rest.get(16..16 + length as usize) else { break };
        rest = &rest[16 + length as usize..];
        let fraction = i64::from(fraction) * if nanos { 1 } else { 1_000 };
        let at = Timestamp(Timestamp::from_seconds(seconds.into()).0 + fraction);
        if let Some((source, destination, octets)) = datagram(link, frame) {
            found.push(Payload { at, source, destination, octets: octets.to_vec() });
        }
    }
    Some(found)
}

/// Every frame of a capture with its link type, as captured.
pub fn frames(file: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut found = Vec::new();
    let (Some(link), Some(mut rest)) = (file.get(20..24), file.get(24..)) else { return found };
    let little = file.starts_with(&[0xd4, 0xc3]) || file.starts_with(&[0x4d, 0x3c]);
    let word = |octets: &[u8]| {
        let octets = octets.first_chunk::<4>().copied().unwrap_or_default();
        if little { u32::from_le_bytes(octets) } else { u32::from_be_bytes(octets) }
    };
    let link = word(link);
    while let Some(length) = rest.get(8..12).map(word) {
        let Some(frame) = rest.get(16..16 + length as usize) else { break };
        found.push((link, frame.to_vec()));
        rest = &rest[16 + length as usize..];
    }
    found
}

fn be16(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*octets.get(at)?, *octets.get(at + 1)?]))
}

fn datagram(link: u32, frame: &[u8]) -> Option<(SocketAddr, SocketAddr, &[u8])> {
    let packet = match link {
        0 => frame.get(4..)?,
        1 => {
            let mut at = 12;
            while matches!(be16(frame, at)?, 0x8100 | 0x88a8) {
                at += 4;
            }
            frame.get(at + 2..)?
        }
        12 | 101 | 228 | 229 => frame,
        113 => frame.get(16..)?,
        276 => frame.get(20..)?,
        _ => return None,
    };
    let (source, destination, udp) = match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet[0] & 15) * 4;
            let fragment = be16(packet, 6)? & 0x3fff;
            if *packet.get(9)? != 17 || fragment != 0 {
                return None;
            }
            let ip = |at: usize| -> Option<IpAddr> {
                let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
                Some(Ipv4Addr::from(octets).into())
            };
            (ip(12)?, ip(16)?, packet.get(header..usize::from(be16(packet, 2)?))?)
        }
        6 => {
            if *packet.get(6)? != 17 {
                return None;
            }
            let ip = |at: usize| -> Option<IpAddr> {
                let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
                Some(Ipv6Addr::from(octets).into())
            };
            (ip(8)?, ip(24)?, packet.get(40..40 + usize::from(be16(packet, 4)?))?)
        }
        _ => return None,
    };
    let octets = udp.get(8..usize::from(be16(udp, 4)?))?;
    let source = SocketAddr::new(source, be16(udp, 0)?);
    Some((source, SocketAddr::new(destination, be16(udp, 2)?), octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tagged_datagram_is_found_with_its_time_and_addresses() {
        let mut frame = vec![0; 12];
        frame.extend_from_slice(&[0x81, 0, 0, 7, 8, 0]);
        let mut packet = vec![0x45, 0, 0, 31, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        packet.extend_from_slice(&[0x08, 0x07, 0x12, 0x83, 0, 11, 0, 0, 1, 2, 3]);
        frame.extend_from_slice(&packet);
        frame.extend_from_slice(&[0; 5]);
        let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        file.extend_from_slice(&[0, 0, 1, 0, 1, 0, 0, 0]);
        for word in [9u32, 7, frame.len() as u32, frame.len() as u32] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(&frame);
        let expected = Payload {
            at: Timestamp(9_000_007_000),
            source: "192.0.2.1:2055".parse().unwrap(),
            destination: "192.0.2.2:4739".parse().unwrap(),
            octets: vec![1, 2, 3],
        };
        assert_eq!(payloads(&file), Some(vec![expected]));
        assert_eq!(frames(&file), [(1, frame)]);
        assert_eq!(payloads(b"no capture"), None);
    }
}
