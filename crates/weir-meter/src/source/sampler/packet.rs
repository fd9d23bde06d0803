//! A received frame as a packet on the wire: its tag put back, and how many packets it stands for.
//!
//! **What a buffer stands for.** With segmentation offload (GSO, TSO) and on its way in (GRO) the
//! kernel handles up to 45 segments of TCP or UDP as one buffer, and a packet socket sees the
//! buffer. Each buffer is drawn with the same chance 1 in N, so a row with all its segments and
//! octets, times N, is an estimate without bias: `packets` is the number of segments, `octets` what
//! they take on the wire, the headers of each included. Its variance is higher than if segments
//! were drawn one by one, for segments of one buffer come together or not at all.

use weir_wire::packet::{Dissected, Link, dissect};

use super::filter::{ETHERNET, LOOPBACK};
use crate::sys::packet::{Frame, SNAP};

/// Octets of the frame check sequence, which sFlow counts and no driver hands up.
const FCS: u64 = 4;
/// Octets of an 802.1Q tag.
const TAG: usize = 4;

/// A frame whose tag was put back, dissected.
pub(super) struct Packet {
    octets: [u8; SNAP + TAG],
    captured: usize,
    pub(super) link: Link,
    pub(super) seen: Dissected,
    /// Packets that it stands for.
    pub(super) packets: u64,
    /// Octets of all of them on the wire, frame check sequences included.
    pub(super) octets_on_wire: u64,
}

impl Packet {
    pub(super) fn new(frame: &Frame<'_>) -> Packet {
        let mut octets = [0; SNAP + TAG];
        let (captured, link) = (put_back_tag(frame, &mut octets), link_of(frame));
        let seen = dissect(link, &octets[..captured]);
        let mut packet = Packet { octets, captured, link, seen, packets: 1, octets_on_wire: 0 };
        packet.weigh(frame);
        packet
    }

    /// Its first octets.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets[..self.captured]
    }

    /// Length of one packet: of segments the mean, rounded.
    pub(super) fn frame_length(&self) -> u32 {
        let packets = self.packets.max(1);
        u32::try_from((self.octets_on_wire + packets / 2) / packets).unwrap_or(u32::MAX)
    }

    fn weigh(&mut self, frame: &Frame<'_>) {
        let tag = (self.captured - frame.octets.len().min(self.captured)) as u64;
        let length = u64::from(frame.length) + tag;
        let payload_left = self.seen.payload_left as usize;
        let mut octets = length;
        if frame.gso_size > 0 && payload_left > 0 {
            let headers = (self.captured - payload_left) as u64;
            let payload = length.saturating_sub(headers);
            self.packets = payload.div_ceil(frame.gso_size.into()).max(1);
            // Every segment has the headers that the buffer has once.
            octets += (self.packets - 1) * headers;
        }
        let trailer = if self.link == Link::ETHERNET { FCS } else { 0 };
        self.octets_on_wire = octets + self.packets * trailer;
    }
}

/// Copies the octets, with the tag between addresses and type where the device took it off. Gives
/// how many there are.
fn put_back_tag(frame: &Frame<'_>, to: &mut [u8; SNAP + TAG]) -> usize {
    let octets = frame.octets.get(..SNAP).unwrap_or(frame.octets);
    let (addresses, tag) = match (frame.tag, octets.split_at_checked(12)) {
        (Some((protocol, control)), Some(_)) if is_framed(frame) => {
            let [a, b] = protocol.to_be_bytes();
            let [c, d] = control.to_be_bytes();
            (12, Some([a, b, c, d]))
        }
        _ => (0, None),
    };
    let added = if tag.is_some() { TAG } else { 0 };
    to[..addresses].copy_from_slice(&octets[..addresses]);
    if let Some(tag) = tag {
        to[addresses..addresses + TAG].copy_from_slice(&tag);
    }
    to[addresses + added..octets.len() + added].copy_from_slice(&octets[addresses..]);
    octets.len() + added
}

fn is_framed(frame: &Frame<'_>) -> bool {
    matches!(frame.hardware, ETHERNET | LOOPBACK)
}

/// What the first octet belongs to. Devices without a link layer (tun, tunnels) begin with IP.
fn link_of(frame: &Frame<'_>) -> Link {
    if is_framed(frame) {
        return Link::ETHERNET;
    }
    match frame.octets.first().map(|first| first >> 4) {
        Some(4) => Link::IPV4,
        Some(6) => Link::IPV6,
        // Nothing that is known.
        _ => Link(0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::filter::tests::frame;
    use super::*;

    fn received(octets: &[u8], length: u32, gso_size: u16, tag: Option<(u16, u16)>) -> Packet {
        Packet::new(&Frame {
            octets,
            length,
            gso_size,
            tag,
            interface: 2,
            hardware: ETHERNET,
            kind: 0,
            at: None,
        })
    }

    #[test]
    fn a_buffer_stands_for_its_segments_with_the_headers_of_each() {
        // 14 of Ethernet, 24 of IPv4, 24 of TCP; 44 segments of 1,448 and one of 100.
        let buffer = frame(false, 6, (40_000, 443), &[0; 60]);
        let payload = 44 * 1_448 + 100;
        let packet = received(&buffer, 62 + payload, 1_448, None);
        assert_eq!(packet.packets, 45);
        assert_eq!(packet.octets_on_wire, u64::from(payload) + 45 * (62 + 4));
        assert_eq!(packet.frame_length(), 1_484);
        // Exactly full segments, and a single one.
        assert_eq!(received(&buffer, 62 + 2 * 1_448, 1_448, None).packets, 2);
        assert_eq!(received(&buffer, 62 + 1_448, 0, None).packets, 1);
        let ack = received(&buffer[..62], 62, 1_448, None);
        assert_eq!((ack.packets, ack.octets_on_wire), (1, 66));
    }

    #[test]
    fn a_tag_that_was_taken_off_is_put_back() {
        let plain = frame(false, 17, (1, 2), &[7; 9]);
        let length = plain.len() as u32;
        let packet = received(&plain, length, 0, Some((0x8100, 0x6007)));
        assert_eq!((packet.seen.vlan, packet.seen.vlan_priority), (Some(7), Some(3)));
        assert_eq!(packet.octets()[..12], plain[..12]);
        assert_eq!(packet.octets()[16..], plain[12..]);
        assert_eq!(packet.octets_on_wire, u64::from(length) + 4 + 4);
        assert_eq!(received(&[1; 5], 5, 0, Some((0x8100, 1))).octets(), [1; 5]);
        let long = vec![1; SNAP];
        assert_eq!(received(&long, 9_000, 0, Some((0x8100, 1))).octets().len(), SNAP + TAG);
    }
}
