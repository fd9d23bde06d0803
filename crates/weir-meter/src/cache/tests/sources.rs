//! Several sources, one flow: nothing twice, nothing lost.

use super::*;

fn by(source: SourceKind, sent: u64, now: Moment) -> Observation {
    let socket = u64::from(matches!(source, SourceKind::EbpfSockets | SourceKind::InetDiag));
    Observation { source, socket, retransmits: 0, ..seen(0, sent, now) }
}

fn at(number: u8, index: u16) -> Endpoint {
    Endpoint { addr: Addr::v4(0x0a00_0000 + u32::from(number)), port: index }
}

fn forward(cache: &mut FlowCache) -> Vec<u64> {
    cache.take_records().iter().map(|record| record.forward.octets).collect()
}

#[test]
fn the_best_source_is_told_whatever_comes_first() {
    use SourceKind::{Conntrack, EbpfSockets, EbpfTcx, InetDiag};
    let orders = [
        [EbpfSockets, EbpfTcx, InetDiag, Conntrack],
        [Conntrack, InetDiag, EbpfTcx, EbpfSockets],
        [InetDiag, EbpfSockets, Conntrack, EbpfTcx],
    ];
    for order in orders {
        let mut cache = FlowCache::new(CachePolicy::default());
        for source in order {
            let octets = match source {
                EbpfSockets => 1_040,
                EbpfTcx => 1_100,
                InetDiag => 1_000,
                Conntrack => 1_010,
                SourceKind::EbpfDrops => 0,
            };
            cache.observe(&by(source, octets, moment(0)), moment(0));
        }
        cache.expire(moment(5));
        let record = cache.take_records().remove(0);
        assert_eq!(record.forward.octets, 1_040);
        assert_eq!(record.sources, [EbpfSockets, EbpfTcx, InetDiag, Conntrack]);
        assert_eq!(record.src_side.unwrap().sent.octets, 1_040);
    }
}

#[test]
fn a_better_source_that_comes_late_tells_the_rest_and_nothing_twice() {
    let mut cache = FlowCache::new(CachePolicy::default());
    cache.observe(&by(SourceKind::Conntrack, 500, moment(0)), moment(0));
    cache.expire(moment(5));
    assert_eq!(forward(&mut cache), [500]);
    let better = by(SourceKind::EbpfSockets, 520, moment(6));
    assert_eq!(cache.observe(&better, moment(6)), Observed::Told);
    let worse = by(SourceKind::Conntrack, 3, moment(6));
    assert_eq!(cache.observe(&worse, moment(6)), Observed::Better);
    cache.flush(moment(7));
    assert_eq!(forward(&mut cache), [20]);
}

#[test]
fn what_a_worse_source_tells_after_the_end_is_absorbed() {
    let mut cache = FlowCache::new(CachePolicy::default());
    let end = Observation { ended: true, ..by(SourceKind::EbpfSockets, 100, moment(0)) };
    cache.observe(&end, moment(0));
    cache.expire(moment(3));
    assert_eq!(forward(&mut cache), [100]);
    let late = by(SourceKind::Conntrack, 90, moment(120));
    assert_eq!(cache.observe(&late, moment(120)), Observed::Better);
    assert_eq!((cache.len(), cache.counts().absorbed_octets), (0, 135));
    let count = Count { octets: 60, packets: 2 };
    let drops = Some(Drops { count, reason: 3, name: "NO_SOCKET".into() });
    let dropped = Observation { drops, ..by(SourceKind::EbpfDrops, 0, moment(120)) };
    assert_eq!(cache.observe(&dropped, moment(120)), Observed::Better);
    assert_eq!((cache.len(), cache.counts().absorbed_drops), (0, 2));
    // A connection that no better source has seen is a flow of its own.
    let other = Observation { key: key(9), ..late };
    assert_eq!(cache.observe(&other, moment(120)), Observed::Told);
    // And after a while the endpoints are free again.
    cache.observe(&by(SourceKind::Conntrack, 7, moment(400)), moment(400));
    assert_eq!(cache.len(), 2);
}

#[test]
fn whether_a_better_source_tells_is_known_before_and_after_the_end() {
    let mut cache = FlowCache::new(CachePolicy::default());
    let better = |cache: &FlowCache, source, at| cache.has_better(key(0), source, moment(at));
    assert!(!better(&cache, SourceKind::Conntrack, 0));
    let end = Observation { ended: true, ..by(SourceKind::InetDiag, 100, moment(0)) };
    cache.observe(&end, moment(0));
    assert!(better(&cache, SourceKind::Conntrack, 0));
    assert!(!better(&cache, SourceKind::InetDiag, 0) && !better(&cache, SourceKind::EbpfTcx, 0));
    cache.expire(moment(3));
    assert!(better(&cache, SourceKind::Conntrack, 100));
    assert!(!better(&cache, SourceKind::Conntrack, 400));
}

/// An observation by a table of connection tracking.
fn of_table(place: u64, sent: u64, ended: bool) -> Observation {
    Observation { place, ended, ..by(SourceKind::Conntrack, sent, moment(0)) }
}

#[test]
fn a_packet_in_several_tables_is_counted_once_and_what_begins_after_an_end_is_another() {
    let mut cache = FlowCache::new(CachePolicy::default());
    for (place, sent) in [(1, 300), (2, 900), (1, 200)] {
        cache.observe(&of_table(place, sent, false), moment(0));
    }
    cache.observe(&of_table(1, 0, true), moment(0));
    cache.observe(&of_table(2, 0, true), moment(0));
    // The last of it, then the first of another.
    cache.observe(&of_table(2, 50, true), moment(0));
    cache.observe(&of_table(2, 7, false), moment(1));
    assert_eq!(forward(&mut cache), [950]);
    cache.flush(moment(1));
    assert_eq!(forward(&mut cache), [7]);
    // Where a socket is seen it alone says what is another.
    cache.observe(&of_table(1, 10, true), moment(300));
    cache.observe(&by(SourceKind::InetDiag, 5, moment(300)), moment(300));
    cache.observe(&of_table(1, 10, false), moment(300));
    assert_eq!((cache.len(), forward(&mut cache).len()), (1, 0));
}

#[test]
fn a_packet_at_several_interfaces_is_counted_once() {
    let mut cache = FlowCache::new(CachePolicy::default());
    for (index, sent) in [(7, 300), (8, 900), (9, 900), (7, 200)] {
        let name = format!("veth{index}").into();
        let interface = Some(Interface { index, name, is_egress: index == 9 });
        let seen = Observation { interface, ..by(SourceKind::EbpfTcx, sent, moment(0)) };
        cache.observe(&seen, moment(0));
    }
    cache.expire(moment(5));
    let record = cache.take_records().remove(0);
    assert_eq!((record.forward.octets, record.reverse.octets), (900, 450));
    assert_eq!(record.interfaces.len(), 3);
    let through = record.through.clone().map(|at| at.map(|at| at.index));
    assert_eq!(through, [Some(8), Some(9)]);
    assert_eq!(record.interfaces[2].index, 7, "the one that saw least comes last");
}

#[test]
fn late_word_that_an_earlier_socket_is_gone_does_not_end_the_flow_of_the_next() {
    let mut cache = FlowCache::new(CachePolicy::default());
    cache.observe(&by(SourceKind::EbpfSockets, 100, moment(0)), moment(0));
    let next = Observation { socket: 2, ..by(SourceKind::EbpfSockets, 70, moment(1)) };
    cache.observe(&next, moment(1));
    let gone = Observation { active: false, ended: true, ..by(SourceKind::InetDiag, 0, moment(2)) };
    cache.observe(&gone, moment(2));
    assert_eq!((cache.len(), forward(&mut cache)), (1, vec![100]));
    cache.observe(&next, moment(3));
    cache.flush(moment(4));
    assert_eq!(forward(&mut cache), [140]);
}

#[test]
fn the_owner_that_a_better_source_has_seen_stays() {
    let owned = |source, pid| {
        let owner = crate::owner::Owner { pid, ..Default::default() };
        let user = Some((pid, None));
        Observation { owner: Some(owner.into()), user, ..by(source, 10, moment(0)) }
    };
    for order in [[7, 8], [8, 7]] {
        let mut cache = FlowCache::new(CachePolicy::default());
        for pid in order {
            let source = if pid == 7 { SourceKind::EbpfSockets } else { SourceKind::InetDiag };
            cache.observe(&owned(source, pid), moment(0));
        }
        cache.expire(moment(5));
        let side = cache.take_records().remove(0).src_side.unwrap();
        assert_eq!((side.owner.unwrap().pid, side.user), (7, Some((7, None))));
    }
}

/// What a socket of UDP at port 4000 of a machine tells.
fn of_datagrams(remote: Endpoint, socket: u64, ended: bool) -> Observation {
    let (key, end) = FlowKey::new(0, 17, at(1, 4_000), remote);
    let initiator = Initiator { end, sure: true };
    Observation {
        key,
        end,
        initiator,
        socket,
        ended,
        ..by(SourceKind::EbpfSockets, 100, moment(0))
    }
}

#[test]
fn sockets_of_one_port_that_follow_each_other_are_one_flow_with_the_sum() {
    let mut cache = FlowCache::new(CachePolicy::default());
    for socket in 1..=40 {
        cache.observe(&of_datagrams(at(2, 53), socket, true), moment(0));
    }
    cache.observe(&of_datagrams(at(2, 53), 41, false), moment(1));
    cache.expire(moment(4));
    assert_eq!((cache.len(), forward(&mut cache).len()), (1, 0), "the last of them goes on");
    cache.expire(moment(5));
    let record = cache.take_records().remove(0);
    assert_eq!((record.forward.octets, record.reverse.octets), (4_100, 2_050));
    assert_eq!(record.src_side.unwrap().socket, 41);
}

#[test]
fn a_datagram_to_a_group_counts_once_however_many_sockets_hear_it() {
    for group in [Addr::v4(0xe000_00fb), Addr::v4(0x0a00_00ff)] {
        let mut cache = FlowCache::new(CachePolicy::default());
        for socket in 1..=3 {
            let seen = of_datagrams(Endpoint { addr: group, port: 5_353 }, socket, false);
            cache.observe(&Observation { end: seen.end.other(), ..seen }, moment(0));
        }
        cache.expire(moment(5));
        let record = cache.take_records().remove(0);
        assert_eq!((record.forward.octets, record.reverse.octets), (50, 100));
    }
}

/// A client that asked a service and got an endpoint, which sees the node in place of the client.
fn service() -> Translation {
    let (client, vip, endpoint, node) = (at(1, 4_000), at(99, 80), at(2, 8_080), at(50, 6_000));
    Translation {
        proto: 6,
        original: (client, vip),
        reply: (endpoint, node),
        nat: Nat { mark: 7, ..Nat::default() },
    }
}

fn of_socket(local: Endpoint, remote: Endpoint, socket: u64, now: Moment) -> Observation {
    let (key, end) = FlowKey::new(0, 6, local, remote);
    let initiator = Initiator { end: End::Low, sure: false };
    let source = SourceKind::EbpfSockets;
    let mut seen = Observation::new(source, (key, end), initiator, (now.wall, now.wall));
    (seen.socket, seen.sent.octets, seen.received.octets) = (socket, 100 * socket, 10);
    seen
}

#[test]
fn both_sockets_of_a_translated_connection_are_one_flow() {
    let of = service();
    let client = |now| of_socket(of.original.0, of.original.1, 1, now);
    let server = |now| of_socket(of.reply.0, of.reply.1, 2, now);
    // The translation may become known before, between and after the two.
    for known_at in 0..3 {
        let mut cache = FlowCache::new(CachePolicy::default());
        for step in 0..3 {
            if step == known_at {
                cache.translate(&of, moment(0));
            }
            match step {
                0 => drop(cache.observe(&client(moment(0)), moment(0))),
                1 => drop(cache.observe(&server(moment(0)), moment(0))),
                _ => {}
            }
        }
        if known_at == 2 {
            cache.translate(&of, moment(0));
        }
        cache.expire(moment(5));
        let records = cache.take_records();
        assert_eq!(records.len(), 1, "known at {known_at}");
        let record = &records[0];
        assert_eq!((record.src, record.dst), (of.original.0, of.reply.0));
        assert_eq!((record.forward.octets, record.reverse.octets), (100, 200));
        let nat = record.nat.as_ref().unwrap();
        assert_eq!((nat.service, nat.masquerade), (Some(of.original.1), Some(of.reply.1)));
        assert_eq!(nat.mark, 7);
        assert!(record.sure && record.src_side.is_some() && record.dst_side.is_some());
        assert_eq!(cache.counts().begun, 1);
    }
}

#[test]
fn a_translation_that_is_over_leaves_its_addresses_to_others() {
    let of = service();
    let mut cache = FlowCache::new(CachePolicy::default());
    cache.translate(&of, moment(0));
    assert_eq!(cache.counts().translations, 1);
    cache.untranslate(&of);
    assert_eq!(cache.counts().translations, 0);
    cache.observe(&of_socket(of.original.0, of.original.1, 1, moment(0)), moment(0));
    cache.expire(moment(5));
    assert_eq!(cache.take_records()[0].dst, of.original.1);
}

#[test]
fn translations_are_bounded() {
    let policy = CachePolicy { flows_max: 10, ..CachePolicy::default() };
    let mut cache = FlowCache::new(policy);
    for port in 0..100 {
        let mut of = service();
        of.original.0.port = port;
        cache.translate(&of, moment(0));
    }
    let counts = cache.counts();
    assert_eq!((counts.translations, counts.translations_evicted), (10, 90));
}

#[test]
fn names_wait_for_their_flow_and_join_it() {
    let mut cache = FlowCache::new(CachePolicy::default());
    let names = Names { tls_sni: Some("example.org".into()), ..Names::default() };
    cache.annotate(key(0), &names, moment(0));
    cache.observe(&seen(0, 10, moment(1)), moment(1));
    cache.annotate(key(0), &Names { dns_qtype: Some(1), ..Names::default() }, moment(2));
    cache.expire(moment(6));
    let found = cache.take_records().remove(0).names.unwrap();
    assert_eq!((found.tls_sni.as_deref(), found.dns_qtype), (Some("example.org"), Some(1)));
    // Those that nobody comes for are given up.
    for number in 0..5_000 {
        cache.annotate(key(number + 10), &names, moment(7));
    }
    assert_eq!(cache.counts().names_given_up, 5_000 - 4_096);
}

#[test]
fn names_that_found_their_flow_take_no_place_from_those_that_wait() {
    let mut cache = FlowCache::new(CachePolicy::default());
    let names = Names { tls_sni: Some("example.org".into()), ..Names::default() };
    cache.annotate(key(0), &names, moment(0));
    for number in 1..10_000 {
        cache.annotate(key(number), &names, moment(0));
        cache.observe(&seen(number, 10, moment(0)), moment(0));
    }
    cache.observe(&seen(0, 10, moment(1)), moment(1));
    cache.flush(moment(1));
    assert!(cache.take_records().iter().all(|record| record.names.is_some()));
    // Again, for a later flow of the same endpoints: ten seconds from then.
    cache.annotate(key(9_999), &names, moment(8));
    cache.annotate(key(1), &names, moment(12));
    cache.observe(&seen(9_999, 10, moment(12)), moment(12));
    cache.flush(moment(13));
    assert!(cache.take_records().remove(0).names.is_some());
    assert_eq!(cache.counts().names_given_up, 0);
}
