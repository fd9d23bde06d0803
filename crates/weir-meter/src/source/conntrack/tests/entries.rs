//! What becomes of entries: nothing is told twice, and nothing is lost.

use super::*;

fn tcp(state: u8) -> Option<message::Tcp> {
    Some(message::Tcp { state: Some(state), is_picked_up: false })
}

#[test]
fn a_connection_between_two_dumps_is_told_by_events_alone() {
    let mut rig = Rig::new();
    rig.dump(&[], true, 0);
    let begun = Entry { sent: None, received: None, ..to_service(1, 0, 0) };
    rig.see(&begun, Sight::Begun, 1);
    let over = Entry { tcp: tcp(8), ..to_service(1, 700, 300) };
    rig.see(&over, Sight::Over, 1);
    let records = rig.records(3);
    assert_eq!(octets(&records), [(700, 300)]);
    let record = &records[0];
    assert_eq!((record.src, record.dst), (at("198.18.0.1", 40_000), at("198.18.0.2", 8_080)));
    assert_eq!(record.nat.as_ref().unwrap().service, Some(at("10.96.0.10", 80)));
    assert_eq!((record.reason, record.state, record.sure), (EndReason::EndOfFlow, "CLOSE", true));
    assert_eq!(rig.table.counts().entries, 0);
    // The translation stays for what sockets still tell, and then goes.
    rig.translations.sweep(&mut rig.cache, moment(10));
    assert_eq!(rig.cache.counts().translations, 1);
    rig.translations.sweep(&mut rig.cache, moment(12));
    assert_eq!(rig.cache.counts().translations, 0);
}

#[test]
fn what_was_counted_before_metering_is_in_totals_alone() {
    let mut rig = Rig::new();
    rig.dump(&[entry(1, 1_000, 100)], true, 0);
    rig.dump(&[entry(1, 1_400, 100)], false, 5);
    let records = rig.records(5);
    assert_eq!(octets(&records), [(400, 0)]);
    assert_eq!((records[0].forward_total.octets, records[0].reverse_total.octets), (1_400, 100));
}

#[test]
fn what_was_over_before_metering_opens_no_flow() {
    let mut rig = Rig::new();
    let over = Entry { tcp: tcp(7), ..entry(1, 1_000, 100) };
    rig.dump(&[over], true, 0);
    assert_eq!((rig.cache.counts().begun, rig.table.counts().entries), (0, 1));
    rig.dump(&[entry(2, 1_000, 100)], true, 1);
    assert_eq!(rig.cache.counts().begun, 1);
}

#[test]
fn an_entry_that_a_later_dump_finds_is_all_new() {
    let mut rig = Rig::new();
    rig.dump(&[], true, 0);
    rig.dump(&[entry(1, 500, 100)], false, 5);
    // Somebody has set its counters to zero.
    rig.dump(&[entry(1, 60, 10)], false, 6);
    assert_eq!(octets(&rig.flushed(7)), [(560, 110)]);
}

#[test]
fn a_silent_entry_opens_no_flow_and_its_end_neither() {
    let mut rig = Rig::new();
    rig.dump(&[], true, 0);
    for seconds in [1, 5, 10, 15, 20] {
        rig.dump(&[entry(1, 500, 100)], false, seconds);
    }
    assert_eq!(octets(&rig.records(20)), [(500, 100)]);
    rig.see(&entry(1, 500, 100), Sight::Over, 30);
    assert_eq!((rig.cache.len(), rig.cache.counts().begun), (0, 1));
}

#[test]
fn without_counters_a_later_expiry_tells_that_it_speaks() {
    let mut rig = Rig::new();
    let with =
        |timeout| Entry { sent: None, received: None, timeout: Some(timeout), ..entry(1, 0, 0) };
    rig.dump(&[with(400)], true, 0);
    rig.dump(&[with(390)], false, 10);
    rig.records(16);
    assert!(rig.cache.is_empty(), "a silent entry was kept");
    rig.dump(&[with(400)], false, 20);
    assert_eq!(rig.cache.len(), 1);
    assert_eq!(rig.table.counts().uncounted, 1);
}

#[test]
fn time_wait_ends_the_flow_and_the_entry_later_tells_no_other() {
    let mut rig = Rig::new();
    rig.dump(&[], true, 0);
    rig.dump(&[entry(1, 500, 100)], false, 1);
    let waiting = Entry { tcp: tcp(7), ..entry(1, 600, 100) };
    rig.dump(std::slice::from_ref(&waiting), false, 5);
    let records = rig.records(7);
    assert_eq!((octets(&records), records[0].reason), (vec![(600, 100)], EndReason::EndOfFlow));
    rig.dump(std::slice::from_ref(&waiting), false, 10);
    rig.see(&waiting, Sight::Over, 127);
    assert!(rig.cache.is_empty() && rig.records(130).is_empty());
}

#[test]
fn a_reused_port_is_another_flow() {
    let mut rig = Rig::new();
    rig.dump(&[], true, 0);
    // The kernel may use the memory, and so the id, again.
    for (id, sent) in [(1, 500), (2, 300), (2, 200)] {
        rig.see(&Entry { sent: None, ..entry(id, 0, 0) }, Sight::Begun, 1);
        rig.see(&entry(id, sent, 0), Sight::Over, 1);
    }
    let mut all: Vec<_> = rig.flushed(2);
    all.sort_by_key(|record| record.forward.octets);
    assert_eq!(octets(&all), [(200, 0), (300, 0), (500, 0)]);
}

#[test]
fn an_entry_whose_memory_is_used_again_unseen_is_another() {
    let mut rig = Rig::new();
    rig.dump(&[], true, 0);
    let started = |seconds, sent| Entry { start: Some(moment(seconds).wall), ..entry(1, sent, 0) };
    rig.dump(&[started(1, 500)], false, 2);
    // Its end was lost.
    rig.dump(&[started(3, 700)], false, 4);
    // Or is told after the dump in which the next one was.
    rig.see(&started(1, 600), Sight::Over, 5);
    let mut all = octets(&rig.flushed(6));
    all.sort_unstable();
    assert_eq!((all, rig.table.counts().vanished), (vec![(500, 0), (700, 0)], 1));
}

#[test]
fn what_a_dump_has_seen_before_it_is_told_to_begin_is_told_once() {
    let mut rig = Rig::new();
    rig.dump(&[], true, 0);
    rig.dump(&[entry(1, 500, 0)], false, 1);
    rig.see(&Entry { sent: None, ..entry(1, 0, 0) }, Sight::Begun, 1);
    rig.dump(&[entry(1, 500, 0)], false, 2);
    assert_eq!((octets(&rig.flushed(3)), rig.cache.counts().begun), (vec![(500, 0)], 1));
}

/// What a socket of the client tells.
fn of_socket(sent: u64, seconds: u64) -> Observation {
    let (key, end) = FlowKey::new(0, 6, at("198.18.0.1", 40_000), at("198.18.0.2", 8_080));
    let now = moment(seconds);
    let initiator = Initiator { end, sure: true };
    let mut told =
        Observation::new(SourceKind::InetDiag, (key, end), initiator, (now.wall, now.wall));
    (told.socket, told.sent.octets) = (9, sent);
    told
}

#[test]
fn what_a_better_source_tells_is_not_told_again_however_late() {
    let mut rig = Rig::new();
    rig.dump(&[], true, 0);
    rig.see(&Entry { sent: None, ..entry(1, 0, 0) }, Sight::Begun, 1);
    rig.cache.observe(&of_socket(1_000, 1), moment(1));
    rig.dump(&[entry(1, 1_200, 80)], false, 2);
    assert_eq!(octets(&rig.flushed(3)), [(1_000, 0)]);
    // Longer than the cache remembers, the last of it is told at the end of the entry.
    rig.dump(&[entry(1, 1_900, 80)], false, 400);
    rig.see(&entry(1, 2_000, 90), Sight::Over, 500);
    assert!(rig.cache.is_empty());
    // While the flow is there it is one of those that see it.
    rig.see(&Entry { sent: None, ..entry(2, 0, 0) }, Sight::Begun, 600);
    rig.cache.observe(&of_socket(5, 600), moment(600));
    rig.dump(&[entry(2, 60, 40)], false, 601);
    let record = rig.flushed(602).remove(0);
    assert_eq!(record.sources, [SourceKind::InetDiag, SourceKind::Conntrack]);
    assert_eq!(record.forward.octets, 5);
}

#[test]
fn only_what_nobody_else_tells_and_is_not_over_is_asked_for() {
    let mut rig = Rig::new();
    let wanted = |rig: &mut Rig, few, seconds| {
        let Rig { cache, translations, table, .. } = rig;
        let mut to = table::Bench { cache, translations, now: moment(seconds) };
        table.wanted(few, &mut to).map(|keys| keys.len())
    };
    let other = |port| {
        let mut other = entry(u32::from(port), 100, 0);
        (other.original.src.port, other.reply.dst.port) = (port, port);
        other
    };
    rig.dump(&[entry(1, 100, 0), other(5), Entry { tcp: tcp(7), ..other(6) }], true, 0);
    assert_eq!((wanted(&mut rig, 2, 1), wanted(&mut rig, 1, 2)), (Some(2), None));
    rig.cache.observe(&of_socket(1_000, 3), moment(3));
    assert_eq!(wanted(&mut rig, 2, 3), Some(1));
    // The cache has forgotten by then that somebody has told of it.
    rig.flushed(4);
    let later: Vec<_> = (400..420).map(|seconds| wanted(&mut rig, 2, seconds)).collect();
    assert_eq!(later, [Some(1); 20]);
    // What has no ports cannot be asked for.
    let mut ping = other(7);
    (ping.original.proto, ping.reply.proto) = (1, 1);
    rig.see(&ping, Sight::Begun, 500);
    assert_eq!(wanted(&mut rig, 9, 501), None);
}

#[test]
fn several_tables_that_hold_one_connection_tell_it_once() {
    // The client's namespace has the service, the node's the translation, the server's neither.
    let mut client = entry(1, 500, 200);
    client.original.dst = at("10.96.0.10", 80);
    client.reply.src = at("10.96.0.10", 80);
    let entries = [client, to_service(2, 490, 200), entry(3, 480, 190)];
    let mut rig = Rig::new();
    let mut others = [Table::new(1, Exclusions::default()), Table::new(2, Exclusions::default())];
    rig.dump(&[], true, 0);
    rig.see(&entries[1], Sight::Dumped, 1);
    for (table, entry) in others.iter_mut().zip([&entries[0], &entries[2]]) {
        table.limit(4);
        let Rig { cache, translations, .. } = &mut rig;
        let mut to = table::Bench { cache, translations, now: moment(1) };
        table.seen(entry, Sight::Dumped, false, &mut to);
    }
    // A second zone of the node's own table.
    rig.see(&Entry { zone: 7, ..to_service(4, 495, 200) }, Sight::Dumped, 1);
    assert_eq!(octets(&rig.flushed(2)), [(500, 200)]);
    // One of the two that know the translation goes: it stays for the other.
    rig.see(&Entry { zone: 7, ..to_service(4, 495, 200) }, Sight::Over, 3);
    rig.translations.sweep(&mut rig.cache, moment(60));
    assert_eq!(rig.cache.counts().translations, 1);
}

#[test]
fn tunnels_and_unwanted_zones_are_left_out() {
    let mut rig = Rig::new();
    let mut outer = entry(1, 500, 0);
    (outer.original.proto, outer.reply.proto) = (17, 17);
    outer.original.dst.port = 4_789;
    rig.dump(&[outer.clone(), entry(2, 300, 0)], false, 1);
    assert_eq!((rig.table.counts().tunnels, octets(&rig.flushed(2))), (1, vec![(300, 0)]));
    let mut table = Table::new(0, Exclusions { zones: vec![7], ..Exclusions::default() });
    table.limit(4);
    let Rig { cache, translations, .. } = &mut rig;
    let mut to = table::Bench { cache, translations, now: moment(3) };
    table.seen(&entry(3, 1, 1), Sight::Dumped, false, &mut to);
    table.seen(&Entry { zone: 7, ..entry(4, 1, 1) }, Sight::Dumped, false, &mut to);
    assert_eq!(table.counts().entries, 1);
}

#[test]
fn a_full_table_gives_the_oldest_for_what_begins_and_tells_nothing_twice() {
    let numbered = |id: u32, sent| {
        let mut entry = entry(id, sent, 0);
        entry.original.src.port = 1_000 + id as u16;
        entry.reply.dst.port = 1_000 + id as u16;
        entry
    };
    let mut rig = Rig::new();
    rig.dump(&[], true, 0);
    let six: Vec<Entry> = (0..6).map(|id| numbered(id, 100)).collect();
    rig.dump(&six, false, 1);
    assert_eq!((rig.table.counts().entries, rig.table.counts().untracked), (4, 2));
    rig.see(&Entry { sent: None, ..numbered(6, 0) }, Sight::Begun, 2);
    assert_eq!(rig.table.counts().evicted, 1);
    // Two go, and what comes in their place has a past.
    rig.see(&six[1], Sight::Over, 3);
    rig.see(&six[2], Sight::Over, 3);
    let more: Vec<Entry> = [0, 3, 4, 5, 6].map(|id| numbered(id, 150)).to_vec();
    rig.dump(&more, false, 4);
    let told: u64 = octets(&rig.flushed(5)).iter().map(|(sent, _)| sent).sum();
    // 1, 2 and 3 were told from their beginning, 3 went on, 6 began; 0 was told until it made room.
    assert_eq!(told, 100 + 100 + 150 + 150 + 100);
}

#[test]
fn a_table_without_room_counts_what_it_leaves_out_and_tells_ends() {
    let mut rig = Rig::new();
    rig.table.limit(0);
    rig.dump(&[], true, 0);
    rig.see(&Entry { sent: None, ..entry(1, 0, 0) }, Sight::Begun, 1);
    rig.dump(&[entry(1, 50, 0)], false, 2);
    assert_eq!((rig.table.counts().untracked, rig.cache.len()), (2, 0));
    // That it began while metering ran, only its own time could tell.
    rig.see(&entry(1, 60, 0), Sight::Over, 3);
    let start = Some(moment(4).wall);
    rig.see(&Entry { start, ..entry(2, 70, 0) }, Sight::Over, 5);
    assert_eq!((octets(&rig.flushed(6)), rig.table.counts().entries), (vec![(70, 0)], 0));
}

#[test]
fn the_end_of_an_entry_that_none_has_seen_is_told() {
    let mut rig = Rig::new();
    rig.dump(&[], true, 0);
    rig.see(&to_service(1, 500, 100), Sight::Over, 1);
    assert_eq!((octets(&rig.flushed(2)), rig.table.counts().short), (vec![(500, 100)], 1));
}

#[test]
fn loopback_of_another_namespace_is_not_ours() {
    let mut rig = Rig::of_space(5);
    let mut within = to_service(1, 500, 100);
    within.original.src = at("127.0.0.1", 40_000);
    rig.see(&within, Sight::Begun, 1);
    assert_eq!(rig.cache.counts().translations, 0);
    let (key, _) = FlowKey::new(0, 6, within.original.src, within.original.dst);
    rig.cache.observe(&Observation { key, ..of_socket(1, 1) }, moment(1));
    assert_eq!(rig.cache.len(), 2);
}

#[test]
fn who_began_what_was_found_under_way_is_guessed_from_the_ports() {
    for (is_picked_up, src_port) in [(true, 40_000), (false, 8_080)] {
        let mut turned = entry(1, 10, 20);
        std::mem::swap(&mut turned.original, &mut turned.reply);
        turned.tcp = Some(message::Tcp { state: Some(3), is_picked_up });
        let mut rig = Rig::new();
        rig.see(&turned, Sight::Begun, 1);
        let record = rig.flushed(2).remove(0);
        assert_eq!((record.src.port, record.sure), (src_port, !is_picked_up));
    }
}
