//! Captures, damaged in many ways, through the checks that the fuzz targets use. A failure prints
//! the seed and the octets; put them in a test of their own.

use std::panic::{AssertUnwindSafe, catch_unwind};

use weir_testkit::Dice;
use weir_testkit::capture::frames;
use weir_wire::check::{check_datagram, check_packet, check_session, check_state, session_input};

use crate::captures;

/// Captures that ship with the project, every protocol among them.
fn messages() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for path in captures::files(&captures::fixtures()) {
        let payloads = weir_testkit::payloads(&std::fs::read(&path).unwrap()).unwrap_or_default();
        found.extend(payloads.into_iter().map(|payload| payload.octets));
    }
    assert!(found.len() > 500, "{} messages", found.len());
    found
}

/// Runs `check` on what `make` gives for each of so many seeds.
fn damaged(times: u64, make: impl Fn(&mut Dice) -> Vec<u8>, check: impl Fn(&[u8])) {
    for seed in 0..times {
        let input = make(&mut Dice::new(seed));
        if catch_unwind(AssertUnwindSafe(|| check(&input))).is_err() {
            let hex: String = input.iter().map(|octet| format!("{octet:02x}")).collect();
            panic!("seed {seed}: {hex}");
        }
    }
}

#[test]
fn damaged_datagrams_are_contained() {
    let messages = messages();
    let make = |dice: &mut Dice| {
        let mut octets = messages[dice.below(messages.len())].clone();
        (0..=dice.below(4)).for_each(|_| dice.damage(&mut octets));
        octets
    };
    damaged(3_000, make, check_datagram);
}

#[test]
fn damaged_sessions_are_contained() {
    let messages = messages();
    let make = |dice: &mut Dice| {
        // Neighbours in the list are of one capture: templates and their data.
        let start = dice.below(messages.len() - 6);
        let mut session: Vec<Vec<u8>> = messages[start..start + 2 + dice.below(4)].to_vec();
        for _ in 0..=dice.below(3) {
            let which = dice.below(session.len());
            dice.damage(&mut session[which]);
        }
        let parts: Vec<&[u8]> = session.iter().map(Vec::as_slice).collect();
        let mut input = session_input(&parts);
        input[0] = dice.roll() as u8;
        input
    };
    damaged(1_500, make, check_session);
}

#[test]
fn damaged_frames_are_contained() {
    let mut found = Vec::new();
    for path in ["corpus/generated/generated-pmacct-sflow.pcap", "corpus-ovs/ovs-sflow.pcap"] {
        found.extend(frames(&captures::read(path).unwrap()).into_iter().map(|(_, frame)| frame));
    }
    let make = |dice: &mut Dice| {
        let mut octets = found[dice.below(found.len())].clone();
        octets.truncate(192);
        (0..=dice.below(6)).for_each(|_| dice.damage(&mut octets));
        octets
    };
    damaged(3_000, make, check_packet);
}

#[test]
fn damaged_state_is_refused_or_taken_whole() {
    let mut decoder = weir_wire::Decoder::new(weir_wire::Limits::default());
    let mut out = weir_wire::Output::new();
    for path in ["corpus/netgauze/netgauze-500-ipfix-bgp-srv6.pcap", "corpus-ovs/softflowd-v9.pcap"]
    {
        for payload in captures::messages(path).unwrap() {
            let received = weir_wire::Received::udp(payload.at, payload.source);
            decoder.decode(&payload.octets, &received, &mut out).unwrap();
        }
    }
    let saved = decoder.collector().save();
    assert!(saved.len() > 200, "{} octets of state", saved.len());
    let make = |dice: &mut Dice| {
        let mut octets = saved.clone();
        (0..=dice.below(2)).for_each(|_| dice.damage(&mut octets));
        octets
    };
    damaged(1_500, make, check_state);
}
