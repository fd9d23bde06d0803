//! Encoding a row and decoding the datagram gives the row back.

use super::*;
use crate::packet::Link;
use encode::{DATAGRAM_MAX, Encoder, Full, RawHeader};
use proptest::prelude::*;
use weir_model::{ColumnId, Table};

/// Columns that a flow sample without a raw header can say, in groups that stand together, with
/// the largest value.
const GROUPS: [&[(ColumnId, u64)]; 10] = [
    &[(c::SRC_MAC, (1 << 48) - 1), (c::DST_MAC, (1 << 48) - 1), (c::ETHER_TYPE, 0xffff)],
    &[(c::SRC_VLAN, 4095), (c::DST_VLAN, 4095), (c::VLAN_PRIORITY, 7)],
    &[(c::SRC_MASK, 128), (c::DST_MASK, 128)],
    &[(c::POST_NAT_SRC_PORT, 0xffff), (c::POST_NAT_DST_PORT, 0xffff)],
    &[(c::TUNNEL_ID, 0xffff_ffff)],
    &[(c::QUEUE_ID, 0xffff_ffff)],
    &[(c::TRANSIT_DELAY_NS, 0xffff_ffff)],
    &[(c::QUEUE_DEPTH, 0xffff_ffff)],
    &[(c::ENTITY_SRC, u64::MAX), (c::ENTITY_DST, u64::MAX)],
    &[
        (c::TCP_INFO_DIRECTION, 2),
        (c::SND_MSS, 0xffff_ffff),
        (c::RCV_MSS, 0xffff_ffff),
        (c::UNACKED, 0xffff_ffff),
        (c::LOST, 0xffff_ffff),
        (c::RETRANSMITS, 0xffff_ffff),
        (c::PMTU, 0xffff_ffff),
        (c::RTT_US, 0xffff_ffff),
        (c::RTT_VAR_US, 0xffff_ffff),
        (c::CWND, 0xffff_ffff),
        (c::REORDERING, 0xffff_ffff),
        (c::RTT_MIN_US, 0xffff_ffff),
    ],
];

const TEXTS: [ColumnId; 4] = [c::DROP_FUNCTION, c::DROP_REASON_NAME, c::SRC_USER, c::HTTP_URL];

fn set(batch: &mut FlowBatch, id: ColumnId, value: u64) {
    batch.set_scalar(id, 0, weir_model::Scalar::U64(value));
}

fn addr(is_v4: bool, seed: u64) -> Addr {
    if is_v4 { Addr::v4(seed as u32) } else { Addr(u128::from(seed) << 64 | 1 << 127 | 9) }
}

/// A row of what sFlow can say, from a seed.
fn row(seed: u64) -> FlowBatch {
    let mut dice = weir_testkit::Dice::new(seed);
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(1);
    set(&mut batch, c::SOURCE_CLASS, dice.roll() & 3);
    set(&mut batch, c::SOURCE_INDEX, dice.roll() >> dice.below(64) & 0xffff_ffff);
    set(&mut batch, c::SAMPLE_DROPS, dice.roll() & 0xffff_ffff);
    let interface = dice.roll() >> dice.below(64) & 0xffff_ffff;
    set(&mut batch, c::IN_IF, interface);
    let kind = dice.below(4);
    if kind == 0 {
        // A discarded packet: no rate, no pool.
        set(&mut batch, c::OUT_IF, dice.roll() & 0xffff_ffff);
        set(&mut batch, c::DROP_REASON, dice.roll() & 0xffff);
        set(&mut batch, c::DROPPED_PACKETS, 1);
    } else {
        set(&mut batch, c::SAMPLING_RATE, dice.roll() & 0xffff_ffff);
        set(&mut batch, c::SAMPLE_POOL, dice.roll() & 0xffff_ffff);
        set(&mut batch, c::PACKETS, 1);
        match kind {
            1 => set(&mut batch, c::OUT_IF, dice.roll() & 0xffff_ffff),
            2 => set(&mut batch, c::OUT_IF_COUNT, dice.roll() & 0x3fff_ffff),
            _ => {
                set(&mut batch, c::OUT_IF, 0);
                set(&mut batch, c::DROP_REASON, dice.roll() & 0xffff);
                set(&mut batch, c::DROPPED_PACKETS, 1);
            }
        }
    }
    packet(&mut batch, &mut dice, kind);
    for group in GROUPS {
        if dice.below(3) == 0 {
            for (id, max) in group {
                set(&mut batch, *id, dice.roll() % max.saturating_add(1).max(1));
            }
        }
    }
    lists(&mut batch, &mut dice);
    batch
}

fn packet(batch: &mut FlowBatch, dice: &mut weir_testkit::Dice, kind: usize) {
    let is_v4 = dice.below(2) == 0;
    batch.set(c::SRC_ADDR, 0, addr(is_v4, dice.roll()));
    batch.set(c::DST_ADDR, 0, addr(is_v4, dice.roll()));
    set(batch, c::IP_VERSION, if is_v4 { 4 } else { 6 });
    let length = dice.roll() & 0xffff_ffff;
    set(batch, c::FRAME_LENGTH, length);
    if kind != 0 {
        set(batch, c::OCTETS, length);
    }
    if kind == 0 || kind == 3 {
        set(batch, c::DROPPED_OCTETS, length);
    }
    set(batch, c::TOS, dice.roll() & 0xff);
    let proto = [6, 17, 1, 58, 47, 132][dice.below(6)];
    set(batch, c::PROTO, proto);
    match proto {
        1 | 58 => {
            set(batch, c::ICMP_TYPE, dice.roll() & 0xff);
            set(batch, c::ICMP_CODE, dice.roll() & 0xff);
        }
        6 | 17 | 132 => {
            set(batch, c::SRC_PORT, dice.roll() & 0xffff);
            set(batch, c::DST_PORT, dice.roll() & 0xffff);
        }
        _ => {}
    }
    if proto == 6 {
        set(batch, c::TCP_FLAGS, dice.roll() & 0x1ff);
    }
}

fn lists(batch: &mut FlowBatch, dice: &mut weir_testkit::Dice) {
    for id in TEXTS {
        if dice.below(3) == 0 {
            let text = format!("é{}", "x".repeat(dice.below(9)));
            batch.set_octets(id, 0, text.as_bytes());
        }
    }
    if dice.below(3) == 0 {
        batch.set(c::POST_NAT_SRC_ADDR, 0, addr(true, dice.roll()));
        batch.set(c::POST_NAT_DST_ADDR, 0, addr(false, dice.roll()));
    }
    if dice.below(3) == 0 {
        let numbers = |n: usize| (0..n as u32).flat_map(|n| (n * 77 + 1).to_be_bytes());
        let path: Vec<u8> = numbers(dice.below(5)).collect();
        let own = dice.roll() & 0xffff_ffff;
        set(batch, c::EXPORTER_AS, own);
        set(batch, c::SRC_AS, dice.roll() & 0xffff_ffff);
        set(batch, c::PREV_AS, dice.roll() & 0xffff_ffff);
        set(batch, c::LOCAL_PREF, dice.roll() & 0xffff_ffff);
        batch.set(c::BGP_NEXT_HOP, 0, addr(dice.below(2) == 0, dice.roll()));
        let hops = path.len() as u64 / 4;
        if hops == 0 {
            set(batch, c::DST_AS, own);
        } else {
            set(batch, c::NEXT_AS, 1);
            set(batch, c::DST_AS, (hops - 1) * 77 + 1);
        }
        batch.set_octets(c::AS_PATH, 0, &path);
        batch.set_octets(c::COMMUNITIES, 0, &numbers(dice.below(4)).collect::<Vec<_>>());
    }
    if dice.below(4) == 0 {
        let mut extra = Vec::new();
        for id in [1008, 1031, 3000] {
            let key = weir_model::column::ElementKey { pen: EXTRA_PEN | dice.below(9) as u32, id };
            weir_model::elements::push(&mut extra, key, &vec![7; dice.below(9)]);
        }
        batch.set_octets(c::EXTRA, 0, &extra);
    }
    if dice.below(3) == 0 {
        batch.set(c::EVENT_TIME, 0, (dice.roll() >> 1) as i64);
    }
}

/// A row without what a datagram gives to all its rows.
fn line(batch: &FlowBatch) -> String {
    let mut line = Vec::new();
    let mut copy = FlowBatch::new(batch.table());
    copy.append(batch);
    for id in [c::RECEIVED_AT, c::EXPORTER_PORT, c::EXPORT_PROTOCOL, c::SEQUENCE] {
        copy.set_null(id, 0);
    }
    copy.set_null(c::EXPORTER_ADDR, 0);
    copy.set_null(c::OBSERVATION_DOMAIN, 0);
    json::write_row(&copy, 0, &mut line);
    String::from_utf8(line).unwrap()
}

fn agent() -> Addr {
    "192.0.2.1".parse().unwrap()
}

proptest! {
    #[test]
    fn flow_rows_come_back(seed: u64) {
        let batch = row(seed);
        let mut encoder = Encoder::new(agent(), 7, DATAGRAM_MAX);
        encoder.flow(&batch, 0, 1, None).unwrap();
        let (out, tally) = decode_all([encoder.finish(5).unwrap()]);
        prop_assert_eq!((tally.flows, tally.dropped_sets()), (1, 0));
        prop_assert_eq!(line(&out.flows), line(&batch));
    }

    /// A datagram decoded, encoded and decoded again says the same, whatever it said.
    #[test]
    fn counter_records_come_back(seed: u64) {
        let mut dice = weir_testkit::Dice::new(seed);
        let records: Vec<_> = (0..1 + dice.below(4)).map(|_| {
            let known = &counters::structures::STRUCTURES;
            let structure = match dice.below(8) {
                0 => dice.roll() as u32,
                _ => known[dice.below(known.len())].id,
            };
            // Octets below 16 keep lengths of text and lists small and fractions exact.
            let body: Vec<_> = (0..dice.below(160) & !3).map(|_| dice.roll() as u8 & 0x0f & (dice.roll() as u8)).collect();
            record(structure, &body)
        }).collect();
        let (out, _) = decode_all([&datagram(&[counter_sample(&records)])[..]]);
        let rows = out.counters.rows();
        let mut encoder = Encoder::new(agent(), 3, 65_000);
        prop_assert_eq!(encoder.counters(&out.counters, 0..rows), Ok(rows));
        if rows > 0 {
            let (again, _) = decode_all([encoder.finish(12_000).unwrap()]);
            prop_assert_eq!(lines(&again.counters), lines(&out.counters));
        }
    }
}

#[test]
fn full_counter_bodies_come_back_to_the_octet() {
    use counters::structures::{Kind, STRUCTURES};
    for structure in STRUCTURES {
        let octets = |kind| match kind {
            Kind::U64 => (1..9).collect(),
            Kind::Mac => vec![1, 2, 3, 4, 5, 6, 0, 0],
            Kind::Uuid => (1..17).collect(),
            Kind::Octet => vec![9],
            Kind::Text => words(&[2, 0x6f6b_0000]),
            _ => vec![0, 2, 3, 4],
        };
        let mut body: Vec<u8> =
            structure.fields.iter().flat_map(|field| octets(field.kind)).collect();
        // Items of the lists that follow: an adapter with an address, a lane, two queues.
        match structure.id {
            2001 => body.extend(words(&[1, 7, 1, 0x0102_0304, 0x0506_0000])),
            10 => body.extend(words(&[1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])),
            id if id == 4413 << 12 | 2 => body.extend(words(&[2, 50, 100, 1, 75])),
            _ => {}
        }
        let sent = datagram(&[counter_sample(&[record(structure.id, &body)])]);
        let (out, _) = decode_all([&sent[..]]);
        let mut encoder = Encoder::new(agent(), 3, 65_000);
        encoder.counters(&out.counters, 0..out.counters.rows()).unwrap();
        let octets = encoder.finish(12_000).unwrap();
        assert_eq!(octets[24..], sent[24..], "structure {}", structure.id);
    }
}

#[test]
fn raw_header_is_sent_as_it_is_and_dissected_on_the_way_back() {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(1);
    set(&mut batch, c::SAMPLING_RATE, 400);
    let octets = [0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0, 53, 1];
    let header = RawHeader { link: Link::IPV4, frame_length: 1500, stripped: 4, octets: &octets };
    let mut encoder = Encoder::new(Addr::UNSPECIFIED, 7, DATAGRAM_MAX);
    encoder.flow(&batch, 0, 1, Some(header)).unwrap();
    let datagram = encoder.finish(5).unwrap();
    assert!(datagram.windows(octets.len()).any(|window| window == octets));
    let (out, _) = decode_all([datagram]);
    let line = lines(&out.flows).remove(0);
    assert!(line.starts_with(r#"src_addr="192.0.2.1" dst_addr="192.0.2.2" proto=17"#), "{line}");
    assert!(line.contains("octets=1500 packets=1 frame_length=1500"), "{line}");
}

#[test]
fn full_datagrams_are_refused_unchanged_and_numbered_in_order() {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(1);
    set(&mut batch, c::SAMPLING_RATE, 400);
    let mut encoder = Encoder::new(agent(), 7, 28 + 2 * 40 + 39);
    for _ in 0..2 {
        encoder.flow(&batch, 0, 1, None).unwrap();
    }
    assert_eq!(encoder.flow(&batch, 0, 1, None), Err(Full { octets: 108, needed: 40 }));
    let first = header(encoder.finish(5).unwrap()).unwrap();
    assert_eq!((first.sequence, first.samples, first.uptime_ms), (1, 2, 5));
    assert_eq!(encoder.finish(6), None);
    encoder.flow(&batch, 0, 1, None).unwrap();
    let second = header(encoder.finish(6).unwrap()).unwrap();
    assert_eq!((second.sequence, second.samples, second.agent), (2, 1, agent()));
}

#[test]
fn metrics_come_back() {
    let mut batch = FlowBatch::new(Table::Counters);
    batch.append_rows(2);
    for (row, name) in ["requests", "version"].iter().enumerate() {
        batch.set_octets(k::SOURCE_NAME, row, b"host.app");
        batch.set(k::STRUCTURE, row, counters::RTMETRIC_STRUCTURE);
        batch.set_octets(k::NAME, row, name.as_bytes());
        batch.set(k::SEQUENCE, row, 1u32);
    }
    batch.set(k::VALUE, 0, 99u64);
    batch.set_octets(k::VALUE_TEXT, 1, b"1.2");
    let mut encoder = Encoder::new(agent(), 3, DATAGRAM_MAX);
    assert_eq!(encoder.counters(&batch, 0..2), Ok(2));
    let (out, _) = decode_all([encoder.finish(0).unwrap()]);
    assert_eq!(lines(&out.counters), lines(&batch));
}

#[test]
fn counters_that_are_not_known_are_sent_as_unknown() {
    let mut batch = FlowBatch::new(Table::Counters);
    // Neither in the order of the structure nor all of it.
    for (name, value) in [("ifInOctets", 7u64), ("ifIndex", 2), ("ifOutOctets", 9)] {
        let row = batch.append_rows(1);
        batch.set(k::SOURCE_INDEX, row, 2u32);
        batch.set(k::STRUCTURE, row, 1u32);
        batch.set_octets(k::NAME, row, name.as_bytes());
        batch.set(k::VALUE, row, value);
    }
    let mut encoder = Encoder::new(agent(), 0, DATAGRAM_MAX);
    assert_eq!(encoder.counters_numbered(&batch, 0..3, 5), Ok(3));
    let (out, _) = decode_all([encoder.finish(0).unwrap()]);
    let told = |name: &str| {
        let is_it = |row: &usize| out.counters.get_octets(k::NAME, *row) == Some(name.as_bytes());
        let row = (0..out.counters.rows()).find(is_it)?;
        out.counters.get_u64(k::VALUE, row)
    };
    assert_eq!(out.counters.rows(), 13, "what follows the last that is known is left out");
    let known = (told("ifIndex"), told("ifInOctets"), told("ifOutOctets"));
    assert_eq!(known, (Some(2), Some(7), Some(9)));
    assert_eq!((told("ifSpeed"), told("ifInErrors")), (Some(0), Some(u32::MAX.into())));
    assert_eq!(out.counters.get_u64(k::SEQUENCE, 0), Some(5));
}

#[test]
fn a_kept_header_is_the_packet_and_a_buffer_of_segments_raises_the_rate() {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(1);
    for (id, value) in [(c::SAMPLING_RATE, 400), (c::PACKETS, 45), (c::FRAME_LENGTH, 1_484)] {
        set(&mut batch, id, value);
    }
    // Columns that the header must win over.
    batch.set(c::SRC_ADDR, 0, addr(true, 1));
    batch.set(c::DST_ADDR, 0, addr(true, 2));
    let ip = [0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0, 53, 1, 0];
    let body = [words(&[11, 1_484, 0, ip.len() as u32]), ip.to_vec()].concat();
    let mut extra = Vec::new();
    let key = weir_model::column::ElementKey { pen: EXTRA_PEN, id: 1 };
    weir_model::elements::push(&mut extra, key, &body);
    batch.set_octets(c::EXTRA, 0, &extra);
    let mut encoder = Encoder::new(agent(), 7, DATAGRAM_MAX);
    encoder.flow(&batch, 0, 1, None).unwrap();
    let (out, tally) = decode_all([encoder.finish(5).unwrap()]);
    assert_eq!((tally.flows, tally.dropped_sets()), (1, 0));
    let line = lines(&out.flows).remove(0);
    assert!(
        line.contains(r#"src_addr="192.0.2.1" dst_addr="192.0.2.2" src_port=53 dst_port=256"#),
        "{line}"
    );
    assert!(line.contains("octets=1484 packets=1 frame_length=1484"), "{line}");
    assert!(line.contains("sampling_rate=18000"), "{line}");
}
