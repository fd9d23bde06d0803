//! What Linux 6.18 answered, and what damage to it does.

use super::*;
use proptest::prelude::*;

const TCP: &[u8] = include_bytes!("../../../../tests/fixtures/linux-6.18-ct-v4-tcp.nlmsg");
const TCP6: &[u8] = include_bytes!("../../../../tests/fixtures/linux-6.18-ct-v6-tcp.nlmsg");
const UDP: &[u8] = include_bytes!("../../../../tests/fixtures/linux-6.18-ct-v4-udp.nlmsg");
const ICMP: &[u8] = include_bytes!("../../../../tests/fixtures/linux-6.18-ct-v4-icmp.nlmsg");
const ICMP6: &[u8] = include_bytes!("../../../../tests/fixtures/linux-6.18-ct-v6-icmp6.nlmsg");
const BEGUN: &[u8] = include_bytes!("../../../../tests/fixtures/linux-6.18-ct-event-begun.nlmsg");
const OVER: &[u8] = include_bytes!("../../../../tests/fixtures/linux-6.18-ct-event-over.nlmsg");

const RECORDED: [&[u8]; 7] = [TCP, TCP6, UDP, ICMP, ICMP6, BEGUN, OVER];

fn read(octets: &[u8]) -> Entry {
    Entry::read(messages(octets).next().unwrap().unwrap().body).unwrap()
}

#[test]
fn a_translated_connection_has_both_directions_and_all_that_is_known_of_it() {
    let entry = read(TCP);
    let (original, reply) = (entry.original, entry.reply);
    assert_eq!((original.src, original.dst), (at("198.18.0.1", 40_000), at("198.18.0.99", 80)));
    assert_eq!((reply.src, reply.dst), (at("198.18.0.2", 8_080), at("198.18.0.1", 40_000)));
    assert!(entry.is_translated());
    assert_eq!((original.proto, original.zone, entry.zone), (6, None, 7));
    assert_eq!((entry.id, entry.mark), (355_771_520, 42));
    let labels = entry.labels.unwrap();
    assert_eq!(labels.iter().map(|octet| octet.count_ones()).sum::<u32>(), 1);
    assert_eq!(entry.sent, Some(Count { octets: 1_216, packets: 4 }));
    assert_eq!(entry.received, Some(Count { octets: 464, packets: 3 }));
    assert!(entry.start.is_some() && entry.stop.is_none());
    let tcp = entry.tcp.unwrap();
    assert_eq!(
        (tcp.state.and_then(message::state_name), tcp.is_picked_up),
        (Some("ESTABLISHED"), false)
    );
    // IPS_SEEN_REPLY, IPS_ASSURED, IPS_CONFIRMED, IPS_DST_NAT.
    assert_eq!(entry.status & 0b10_1110, 0b10_1110);
    assert!(entry.timeout.unwrap() > 431_000 && entry.master.is_none());
}

#[test]
fn other_protocols_have_their_ports_or_their_types() {
    let v6 = read(TCP6);
    assert_eq!(v6.original.src, at("2001:db8::1", 40_001));
    assert_eq!(v6.received, Some(Count { octets: 80, packets: 1 }));
    let udp = read(UDP);
    assert_eq!((udp.original.proto, udp.original.dst), (17, at("198.18.0.2", 53)));
    assert!(!udp.is_translated() && udp.tcp.is_none());
    for (octets, proto, kinds, id) in [(ICMP, 1, (8u8, 0), 77), (ICMP6, 58, (128, 129), 78)] {
        let entry = read(octets);
        assert_eq!((entry.original.proto, entry.original.src.port), (proto, 0));
        assert_eq!(
            (entry.original.dst.port, entry.is_translated()),
            (u16::from(kinds.0) << 8, false)
        );
        assert_eq!(entry.original.icmp, Some(Icmp { kind: kinds.0, code: 0, id }));
        assert_eq!(entry.reply.icmp, Some(Icmp { kind: kinds.1, code: 0, id }));
    }
}

#[test]
fn an_entry_is_told_with_counts_at_its_end_alone() {
    let (begun, over) = (read(BEGUN), read(OVER));
    assert_eq!((begun.id, begun.original), (over.id, over.original));
    assert_eq!((begun.sent, begun.start, begun.zone), (None, None, 7));
    assert_eq!(over.sent, Some(Count { octets: 1_216, packets: 4 }));
    assert!(over.start < over.stop && over.stop.is_some());
}

#[test]
fn an_attribute_of_a_wrong_length_is_none() {
    // `CTA_ID`, the type in the octets behind the length, is cut by one.
    let at = TCP.windows(4).position(|octets| octets == [8, 0, 12, 0]).unwrap();
    let mut octets = TCP.to_vec();
    octets[at] = 7;
    let body = messages(&octets).next().unwrap().unwrap().body;
    assert_eq!(Entry::read(body), None);
    assert_eq!(Entry::read(&[]), None);
    assert_eq!(message::stats(&[2, 0, 0, 0, 8, 0, 1, 0, 0, 0, 0, 9]), (Some(9), None));
}

#[test]
fn what_is_asked_for_is_what_would_be_read() {
    let of = |octets: &[u8]| messages(octets).next().unwrap().unwrap().body.to_vec();
    for (recorded, src, dst) in [
        (TCP, at("198.18.7.7", 1), at("198.18.8.8", 65_535)),
        (TCP6, at("2001:db8::7", 1), at("2001:db8::8", 65_535)),
    ] {
        // The last of two attributes counts.
        let mut body = of(recorded);
        let asked = message::request_one(6, src, dst, 300);
        assert_eq!(asked[0], body[0], "the family");
        body.extend_from_slice(&asked[4..]);
        let entry = Entry::read(&body).unwrap();
        assert_eq!((entry.original.src, entry.original.dst), (src, dst));
        assert_eq!((entry.original.proto, entry.zone), (6, 300));
        assert_eq!(message::request_one(6, src, dst, 0).len(), asked.len() - 8);
    }
}

proptest! {
    #[test]
    fn damage_to_a_recording_is_contained(
        which in 0..RECORDED.len(),
        wounds in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut octets = RECORDED[which].to_vec();
        for (at, octet) in wounds {
            *at.get_mut(&mut octets) = octet;
        }
        octets.truncate(cut.index(octets.len()) + 1);
        let mut rig = Rig::new();
        for message in messages(&octets).flatten() {
            if let Some(entry) = Entry::read(message.body) {
                for sight in [Sight::Dumped, Sight::Begun, Sight::Over] {
                    rig.see(&entry, sight, 1);
                }
                rig.dump(&[], false, 2);
                rig.dump(&[], false, 3);
                prop_assert_eq!(rig.table.counts().entries, 0);
            }
            message::stats(message.body);
        }
        rig.flushed(4);
    }
}
