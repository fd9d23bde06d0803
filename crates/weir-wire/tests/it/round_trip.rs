//! Records out and back again: decoding undoes encoding, for batches in which any column is
//! present, absent or null in some rows.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;
use weir_model::column::{ElementKey, ElementKey as Key};
use weir_model::columns::{counters, flows, options};
use weir_model::{
    Addr, ColumnDef, ColumnId, ColumnType, FlowBatch, Scalar, Table, Timestamp, elements,
};
use weir_wire::encode::{Encoded, EncoderPolicy};
use weir_wire::ipfix::parts::{Part, PartsEncoder};
use weir_wire::ipfix::session::{self, Stamp};
use weir_wire::{Decoder, Limits, Output, Received, ipfix, netflow5, netflow7, netflow9};

/// Export time of all messages; times of flows lie before it.
const NOW: Timestamp = Timestamp(1_700_000_000_000_000_000);

/// What a message's header and receipt say, not its records.
const SESSION: &[ColumnId] = &[
    flows::RECEIVED_AT,
    flows::EXPORT_TIME,
    flows::EXPORTER_ADDR,
    flows::EXPORTER_PORT,
    flows::EXPORT_PROTOCOL,
    flows::OBSERVATION_DOMAIN,
    flows::SEQUENCE,
    flows::TEMPLATE_ID,
];

/// Columns that an IPFIX message can carry: all that are kept and that its collector does not fill
/// from the session.
fn ipfix_columns() -> Vec<&'static ColumnDef> {
    carried(|def| {
        def.stored && ![flows::EXPORTER_INSTANCE, flows::EXPORT_SEQUENCE].contains(&def.id)
    })
}

/// Columns that a v9 packet can carry: those with an element of no enterprise.
fn netflow9_columns() -> Vec<&'static ColumnDef> {
    carried(|def| def.from.iter().any(|key| key.pen == 0))
}

fn carried(by_element: impl Fn(&ColumnDef) -> bool) -> Vec<&'static ColumnDef> {
    let always = [flows::SAMPLING_RATE, flows::EXTRA];
    let defs = Table::Flows.columns().iter();
    defs.filter(|def| !SESSION.contains(&def.id))
        .filter(|def| always.contains(&def.id) || by_element(def))
        .collect()
}

/// Rows as (column, number to make a value of).
type Rows = Vec<Vec<(usize, u64)>>;

fn rows(columns: usize) -> impl Strategy<Value = Rows> {
    // Few distinct sets of columns and many rows are what exporters send; any set must work.
    let row = prop::collection::vec((0..columns, any::<u64>()), 1..14);
    prop::collection::vec(row, 1..40)
}

/// `narrow`: only values that the elements of others can hold.
fn batch(columns: &[&ColumnDef], rows: &Rows, narrow: bool) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    for row in rows {
        let at = batch.append_rows(1);
        for (column, seed) in row {
            set(&mut batch, columns[column % columns.len()], at, *seed, narrow);
        }
    }
    batch.seal();
    batch
}

/// Gives a row a value that its column can hold and that is not the column's word for null.
fn set(batch: &mut FlowBatch, def: &ColumnDef, row: usize, seed: u64, narrow: bool) {
    let value = match (def.id, def.ty) {
        // Their elements are narrower than the columns.
        (flows::FRAME_LENGTH | flows::L7_PROTO, _) if narrow => Scalar::U64(seed & 0xffff),
        // The upper octet of element 351, which takes it out in v9, is a type.
        (flows::TUNNEL_ID, _) => Scalar::U64(seed & 0xffff_ffff),
        (flows::TUNNEL_KIND, _) => Scalar::U64(seed % 13 + u64::from(seed.is_multiple_of(13))),
        (flows::SAMPLING_RATE, _) => Scalar::U64(seed % 0xffff_fffe + 1),
        (flows::SRC_NODE_FLOW_END | flows::DST_NODE_FLOW_END, _) => {
            Scalar::I64(Timestamp::from_seconds((seed % 1_700_000_000) as i64).0)
        }
        (_, ColumnType::Time) => {
            Scalar::I64(NOW.minus(Duration::from_millis(seed % 1_500_000_000)).0)
        }
        (_, ColumnType::Addr) if seed.is_multiple_of(2) => Scalar::Addr(Addr::v4(seed as u32 | 1)),
        (_, ColumnType::Addr) => Scalar::Addr(Addr(u128::from(seed) << 64 | 1 << 127 | 1)),
        (_, ColumnType::Mac) => Scalar::U64(seed & 0xffff_ffff_ffff),
        (_, ColumnType::U8) => Scalar::U64(seed & 0xff),
        (_, ColumnType::U16) => Scalar::U64((seed & 0xffff).max(1)),
        (_, ColumnType::U32) => Scalar::U64(seed & 0xffff_ffff),
        (_, ColumnType::U64) => Scalar::U64(seed),
        _ => return batch.set_octets(def.id, row, &octets(def, seed)),
    };
    batch.set_scalar(def.id, row, value);
}

fn octets(def: &ColumnDef, seed: u64) -> Vec<u8> {
    match (def.id, def.ty) {
        (flows::MPLS_LABELS, _) => {
            let label = |i: u64| (seed >> i) as u32 % 0xf_fff0 + 16;
            (0..seed % 6 + 1).flat_map(|i| label(i).to_be_bytes()).collect()
        }
        (flows::MPLS_VPN_RD, _) => (seed | 1).to_be_bytes().to_vec(),
        (flows::APP_ID, _) => (seed as u32 | 1).to_be_bytes().to_vec(),
        (flows::EXTRA, _) => {
            let mut list = Vec::new();
            elements::push(&mut list, Key { pen: 0, id: 94 }, b"as it came");
            elements::push(&mut list, Key { pen: 0, id: 303 }, &(seed as u16).to_be_bytes());
            elements::push(&mut list, Key { pen: 0, id: 303 }, &[seed as u8]);
            list
        }
        (_, ColumnType::U32List) => {
            (0..seed % 5 + 1).flat_map(|i| ((seed >> i) as u32).to_be_bytes()).collect()
        }
        (_, ColumnType::Bytes) => (u128::from(seed) << 64 | 1).to_be_bytes().to_vec(),
        // Lengths on both sides of IPFIX's one-octet form.
        _ => {
            let word = format!("{seed:x}é");
            word.repeat(if seed.is_multiple_of(7) { 20 } else { 1 }).into_bytes()
        }
    }
}

fn receive(messages: &[Vec<u8>]) -> Output {
    let mut decoder = Decoder::new(Limits::default());
    let source: SocketAddr = "192.0.2.1:2055".parse().unwrap();
    let mut out = Output::new();
    for message in messages {
        decoder.decode(message, &Received::udp(NOW, source), &mut out).unwrap();
    }
    out.seal();
    out
}

/// The rows as (column name, value), octets in place of codes, without what the header says.
fn values(batch: &FlowBatch, skip: &[ColumnId]) -> Vec<Vec<(&'static str, String)>> {
    let value = |row: usize, def: &ColumnDef| {
        let value = batch.get(def.id, row)?;
        Some(match value {
            Scalar::Code(code) => format!("{:?}", batch.interner().get(code)),
            other => format!("{other:?}"),
        })
    };
    let defs = || batch.table().columns().iter().filter(|def| !skip.contains(&def.id));
    let row = |row| defs().filter_map(|def| Some((def.name, value(row, def)?))).collect();
    (0..batch.rows()).map(row).collect()
}

fn assert_same(sent: &FlowBatch, came: &FlowBatch) {
    let (sent, came) = (values(sent, SESSION), values(came, SESSION));
    assert_eq!(sent.len(), came.len(), "rows");
    for (row, (sent, came)) in sent.iter().zip(&came).enumerate() {
        assert_eq!(came, sent, "row {row}");
    }
}

fn policy() -> EncoderPolicy {
    let boot = NOW.minus(Duration::from_secs(1_000_000));
    EncoderPolicy { domain: 7, boot, message_octets_max: 9_000, ..EncoderPolicy::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ipfix_decoding_undoes_encoding(rows in rows(300)) {
        let sent = batch(&ipfix_columns(), &rows, false);
        let mut messages = Vec::new();
        let mut encoder = ipfix::encode::Encoder::new(policy());
        let encoded = encoder.encode(&sent, NOW, &mut |octets| messages.push(octets.to_vec()));
        prop_assert_eq!((encoded.records, encoded.skipped), (sent.rows() as u64, 0));
        prop_assert!(messages.iter().all(|message| message.len() <= 9_000));
        assert_same(&sent, &receive(&messages).flows);
    }

    /// Parts put together again, with templates in messages of their own, are what was sent but
    /// for the order of records, which is that of the templates within a message.
    #[test]
    fn parts_hold_what_was_sent(rows in rows(300), templates_max in 1usize..40) {
        let sent = batch(&ipfix_columns(), &rows, false);
        let policy = EncoderPolicy { templates_max, ..policy() };
        let stamp = Stamp { at: NOW, sequence: 0, domain: 7 };
        let mut encoder = PartsEncoder::new(policy);
        let (mut messages, mut known, mut records) = (Vec::new(), HashSet::new(), 0u64);
        let mut emit = |part: Part<'_>| {
            let mut octets = Vec::new();
            match part {
                Part::Template { id, options, record } => {
                    session::template(&mut octets, stamp, options, record, !known.insert(id));
                }
                Part::Message { octets: data, records: count } => {
                    octets.extend_from_slice(data);
                    session::stamp(&mut octets, Stamp { sequence: records, ..stamp });
                    records += u64::from(count);
                }
            }
            messages.push(octets);
        };
        let taken = encoder.push(&sent, &mut emit);
        encoder.flush(&mut emit);
        prop_assert_eq!((taken.records, taken.skipped, records), (sent.rows() as u64, 0, taken.records));
        prop_assert!(messages.iter().all(|message| message.len() <= 9_000));
        let sorted = |batch: &FlowBatch| {
            let mut rows = values(batch, SESSION);
            rows.sort();
            rows
        };
        prop_assert_eq!(sorted(&receive(&messages).flows), sorted(&sent));
    }

    #[test]
    fn netflow9_decoding_undoes_encoding(rows in rows(120)) {
        let sent = batch(&netflow9_columns(), &rows, true);
        let mut messages = Vec::new();
        let mut encoder = netflow9::encode::Encoder::new(policy());
        let encoded = encoder.encode(&sent, NOW, &mut |octets| messages.push(octets.to_vec()));
        prop_assert_eq!((encoded.records, encoded.skipped), (sent.rows() as u64, 0));
        assert_same(&sent, &receive(&messages).flows);
    }

    #[test]
    fn netflow5_and_7_decoding_undoes_encoding(seeds in prop::collection::vec(any::<u64>(), 1..70)) {
        let sent = fixed_batch(&seeds, true);
        let mut messages = Vec::new();
        let policy = netflow5::encode::Policy { engine_type: 1, engine_id: 2, boot: policy().boot };
        let mut encoder = netflow5::encode::Encoder::new(policy);
        let encoded = encoder.encode(&sent, NOW, &mut |octets| messages.push(octets.to_vec()));
        prop_assert_eq!((encoded.records, encoded.skipped), (seeds.len() as u64, 0));
        assert_same(&sent, &only(&receive(&messages).flows, &sent));

        let sent = fixed_batch(&seeds, false);
        let mut messages = Vec::new();
        let mut encoder = netflow7::encode::Encoder::new(policy.boot);
        let encoded = encoder.encode(&sent, NOW, &mut |octets| messages.push(octets.to_vec()));
        prop_assert_eq!((encoded.records, encoded.skipped), (seeds.len() as u64, 0));
        assert_same(&sent, &only(&receive(&messages).flows, &sent));
    }

    #[test]
    fn options_records_travel_as_they_came(seeds in prop::collection::vec(any::<u32>(), 1..40)) {
        let sent = options_batch(&seeds);
        for v9 in [false, true] {
            let mut messages = Vec::new();
            let emit = &mut |octets: &[u8]| messages.push(octets.to_vec());
            let encoded = match v9 {
                true => netflow9::encode::Encoder::new(policy()).encode(&sent, NOW, emit),
                false => ipfix::encode::Encoder::new(policy()).encode(&sent, NOW, emit),
            };
            prop_assert_eq!(encoded.records, seeds.len() as u64);
            let came = receive(&messages).options;
            let skip: Vec<_> = (0..6).map(ColumnId).collect();
            prop_assert_eq!(values(&came, &skip), values(&sent, &skip));
        }
    }
}

/// Every column alone: none is left to chance.
#[test]
fn each_column_survives_ipfix() {
    for def in ipfix_columns() {
        let rows = (0..40).map(|i| vec![(0, 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(i * i + 1))]);
        let sent = batch(&[def], &rows.collect(), false);
        let mut messages = Vec::new();
        let mut encoder = ipfix::encode::Encoder::new(policy());
        let encoded = encoder.encode(&sent, NOW, &mut |octets| messages.push(octets.to_vec()));
        assert_eq!((encoded.records, encoded.skipped), (40, 0), "{}", def.name);
        assert_same(&sent, &receive(&messages).flows);
    }
}

/// Counters of interfaces and hosts reach a collector that knows them as rows of `counters`; to
/// others they are options records.
#[test]
fn counters_survive_ipfix_and_stay_behind_in_netflow9() {
    let mut sent = FlowBatch::new(Table::Counters);
    let start = sent.append_rows(4);
    for (row, name) in ["ifInOctets", "load_one", "os_release", ""].iter().enumerate() {
        let row = start + row;
        sent.set(counters::SOURCE_CLASS, row, (row as u8) << 1);
        sent.set(counters::SOURCE_INDEX, row, 70_000u32 + row as u32);
        sent.set(counters::STRUCTURE, row, 2_003u32);
        sent.set(counters::SUB_AGENT, row, 0u32);
        if !name.is_empty() {
            sent.set_octets(counters::NAME, row, name.as_bytes());
        }
    }
    sent.set(counters::VALUE, 0, u64::MAX);
    sent.set_octets(counters::SOURCE_NAME, 0, "eth0\u{e9}".as_bytes());
    sent.set(counters::VALUE_F, 1, -0.25f64);
    sent.set_octets(counters::VALUE_TEXT, 2, b"6.18");
    sent.set(counters::VALUE, 3, 1u64);
    sent.seal();
    let mut messages = Vec::new();
    let mut encoder = ipfix::encode::Encoder::new(policy());
    let encoded = encoder.encode(&sent, NOW, &mut |octets| messages.push(octets.to_vec()));
    assert_eq!((encoded.records, encoded.skipped), (3, 1), "what has no name is left out");
    let came = receive(&messages);
    assert_eq!((came.counters.rows(), came.options.rows(), came.flows.rows()), (3, 0, 0));
    let skip = [counters::RECEIVED_AT, counters::EXPORTER_ADDR];
    assert_eq!(values(&came.counters, &skip), values(&sent, &skip)[..3]);
    let mut v9 = netflow9::encode::Encoder::new(policy());
    let encoded = v9.encode(&sent, NOW, &mut |_| {});
    assert_eq!((encoded.records, encoded.skipped), (0, 4));
}

/// The uptime has 32 bits: what it cannot tell goes as a time of day.
#[test]
fn netflow9_keeps_times_of_long_ago_and_of_later() {
    let days = |n: u64| Duration::from_secs(n * 86_400);
    let mut sent = FlowBatch::new(Table::Flows);
    sent.append_rows(1);
    sent.set(flows::FLOW_START, 0, NOW.minus(days(40)).0);
    sent.set(flows::FLOW_END, 0, NOW.plus(days(1)).0);
    sent.seal();
    let mut messages = Vec::new();
    let policy = EncoderPolicy { boot: NOW.minus(days(45)), ..policy() };
    let mut encoder = netflow9::encode::Encoder::new(policy);
    encoder.encode(&sent, NOW, &mut |octets| messages.push(octets.to_vec()));
    assert_same(&sent, &receive(&messages).flows);
}

/// Rows with all that v5 and v7 have, and the sampling that v5's header has.
fn fixed_batch(seeds: &[u64], sampled: bool) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    let start = batch.append_rows(seeds.len());
    for (row, seed) in seeds.iter().enumerate() {
        let row = start + row;
        for id in [flows::SRC_ADDR, flows::DST_ADDR, flows::NEXT_HOP] {
            batch.set(id, row, Addr::v4(seed.rotate_left(id.0.into()) as u32 | 1));
        }
        for id in [flows::SRC_PORT, flows::DST_PORT, flows::TCP_FLAGS] {
            let mask = if id == flows::TCP_FLAGS { 0xff } else { 0xffff };
            batch.set(id, row, seed.rotate_left(id.0.into()) as u16 & mask);
        }
        for id in [flows::IN_IF, flows::OUT_IF, flows::SRC_AS, flows::DST_AS] {
            batch.set(id, row, seed.rotate_left(id.0.into()) as u32 & 0xffff);
        }
        for id in [flows::OCTETS, flows::PACKETS] {
            batch.set(id, row, seed.rotate_left(id.0.into()) & 0xffff_ffff);
        }
        for id in [flows::TOS, flows::SRC_MASK, flows::DST_MASK] {
            batch.set(id, row, seed.rotate_left(id.0.into()) as u8);
        }
        // Not ICMP, whose port is a type and a code.
        batch.set(flows::PROTO, row, if seed.is_multiple_of(2) { 6u8 } else { 17 });
        let end = NOW.minus(Duration::from_millis(seed % 900_000));
        batch.set(flows::FLOW_END, row, end.0);
        batch.set(flows::FLOW_START, row, end.minus(Duration::from_millis(seed % 60_000)).0);
        if sampled {
            batch.set(flows::SAMPLING_RATE, row, (seed % 3) as u32 * 100 + 2);
        }
    }
    batch.seal();
    batch
}

/// `batch` with the columns of `like` only: v5 says more than was asked, 0 in place of null.
fn only(batch: &FlowBatch, like: &FlowBatch) -> FlowBatch {
    let mut kept = FlowBatch::new(Table::Flows);
    kept.append_rows(batch.rows());
    for (id, column) in like.columns() {
        for row in (0..batch.rows()).filter(|_| !column.is_empty()) {
            if let Some(value) = batch.get(id, row) {
                kept.set_scalar(id, row, value);
            }
        }
    }
    kept.seal();
    kept
}

fn options_batch(seeds: &[u32]) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Options);
    let start = batch.append_rows(seeds.len());
    for (row, seed) in seeds.iter().enumerate() {
        let key = |id| ElementKey { pen: 0, id };
        let (mut scope, mut fields) = (Vec::new(), Vec::new());
        elements::push(&mut scope, key(10), &seed.to_be_bytes());
        elements::push(&mut fields, key(34), &seed.to_be_bytes());
        elements::push(&mut fields, key(35), &[1]);
        if seed.is_multiple_of(2) {
            elements::push(&mut fields, key(82), b"TenGigE0/0/0\0\0\0\0");
        }
        batch.set_octets(options::SCOPE, start + row, &scope);
        batch.set_octets(options::FIELDS, start + row, &fields);
    }
    batch.seal();
    batch
}

fn ports(rows: usize) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    let start = batch.append_rows(rows);
    for row in 0..rows {
        batch.set(flows::SRC_PORT, start + row, row as u16);
    }
    batch.seal();
    batch
}

#[test]
fn ipfix_sequence_numbers_count_data_records() {
    let policy = EncoderPolicy { message_octets_max: 64, ..policy() };
    let mut encoder = ipfix::encode::Encoder::new(policy);
    let mut sequences = Vec::new();
    let mut records = 0;
    for _ in 0..3 {
        encoder.encode(&ports(30), NOW, &mut |message| {
            sequences.push((u32::from_be_bytes(message[8..12].try_into().unwrap()), records));
            let data = if message[17] == 2 { &message[28..] } else { &message[16..] };
            records += (data.len() as u32 - 4) / 2;
        });
    }
    assert_eq!(records, 90);
    assert!(sequences.iter().all(|(sent, before)| sent == before), "{sequences:?}");
    assert!(sequences.len() > 3, "the limit of octets splits the batches");
}

#[test]
fn templates_are_sent_again_by_age_and_by_messages() {
    let mut encoder = ipfix::encode::Encoder::new(EncoderPolicy {
        template_refresh: Some(Duration::from_secs(60)),
        template_refresh_messages: Some(3),
        ..policy()
    });
    let mut templates = |seconds| {
        let now = NOW.plus(Duration::from_secs(seconds));
        encoder.encode(&ports(1), now, &mut |_| {}).templates
    };
    assert_eq!([0, 1, 2, 3, 4].map(&mut templates), [1, 0, 0, 1, 0], "every third message");
    assert_eq!([5, 100].map(&mut templates), [0, 1], "and after a minute");
}

#[test]
fn a_connection_is_told_templates_once_and_of_their_withdrawal() {
    let mut encoder = ipfix::encode::Encoder::new(EncoderPolicy {
        template_refresh: None,
        template_refresh_messages: None,
        templates_max: 1,
        ..policy()
    });
    let mut messages = Vec::new();
    let mut send = |batch: &FlowBatch| {
        encoder.encode(batch, NOW, &mut |message| messages.push(message.to_vec())).templates
    };
    let mut other = FlowBatch::new(Table::Flows);
    other.append_rows(1);
    other.set(flows::DST_PORT, 0, 443u16);
    assert_eq!([send(&ports(1)), send(&ports(2)), send(&other)], [1, 0, 1]);
    // All templates withdrawn (RFC 7011 §8.1), then the new one under the same id.
    let sets = &messages[2][16..];
    assert_eq!(sets[..20], [0, 2, 0, 8, 0, 2, 0, 0, 0, 3, 0, 8, 0, 3, 0, 0, 0, 2, 0, 12]);
    let came = receive(&messages).flows;
    let dst = (0..4).map(|row| came.get_u64(flows::DST_PORT, row)).collect::<Vec<_>>();
    assert_eq!(dst, [None, None, None, Some(443)]);
}

#[test]
fn what_does_not_fit_is_left_out_and_counted() {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(3);
    batch.set_octets(flows::HTTP_URL, 0, "x".repeat(9_000).as_bytes());
    batch.set(flows::SRC_PORT, 1, 80u16);
    // Row 2 has only what the collector says itself.
    batch.set(flows::RECEIVED_AT, 2, NOW.0);
    batch.seal();
    let mut encoder = ipfix::encode::Encoder::new(policy());
    let encoded = encoder.encode(&batch, NOW, &mut |_| {});
    let octets = encoded.octets;
    assert_eq!(
        encoded,
        Encoded { messages: 1, octets, records: 1, templates: 1, skipped: 2 },
        "the long one and the empty one"
    );
    let mut v5 = FlowBatch::new(Table::Flows);
    v5.append_rows(1);
    v5.set(flows::SRC_ADDR, 0, "2001:db8::1".parse::<Addr>().unwrap());
    let boot = policy().boot;
    let mut encoder = netflow5::encode::Encoder::new(netflow5::encode::Policy {
        engine_type: 0,
        engine_id: 0,
        boot,
    });
    assert_eq!(encoder.encode(&v5, NOW, &mut |_| {}), Encoded { skipped: 1, ..Encoded::default() });
}

#[test]
fn a_relay_names_the_original_exporter() {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(1);
    batch.set(flows::SRC_PORT, 0, 80u16);
    batch.set(flows::EXPORTER_ADDR, 0, Addr::v4(0xc000_0209));
    batch.set(flows::OBSERVATION_DOMAIN, 0, 99u32);
    batch.seal();
    let mut messages = Vec::new();
    let mut encoder = ipfix::encode::Encoder::new(EncoderPolicy { mediate: true, ..policy() });
    encoder.encode(&batch, NOW, &mut |message| messages.push(message.to_vec()));
    let came = receive(&messages).flows;
    assert_eq!(
        (came.get(flows::ORIGINAL_EXPORTER_ADDR, 0), came.get(flows::ORIGINAL_DOMAIN, 0)),
        (Some(Scalar::Addr(Addr::v4(0xc000_0209))), Some(Scalar::U64(99)))
    );
    assert_eq!(came.get_u64(flows::OBSERVATION_DOMAIN, 0), Some(7), "this exporter's own");
}
