//! What must hold for any octets at all. Fuzz targets and tests that damage captures share these,
//! so a finding of the one becomes a case of the other.
//!
//! Each function panics when a promise of this crate is broken, and is for nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use weir_model::{ColumnType, FlowBatch, Scalar, Timestamp, json};

use crate::{
    Collector, Decoder, Gathering, Limits, Message, Output, Received, Released, SessionId, Tally,
    Transport, decode, packet, sflow5,
};

/// A time of receipt in the era of the captures.
const NOW: Timestamp = Timestamp(1_700_000_000_000_000_000);

/// Limits small enough for damage to reach them.
fn limits() -> Limits {
    Limits {
        exporters: 4,
        sessions: 4,
        templates: 64,
        template_fields: 256,
        parked_octets: 64 << 10,
        parked_octets_per_exporter: 16 << 10,
        names: 64,
        records: 2_048,
        ..Limits::default()
    }
}

/// One datagram of any protocol, received twice.
pub fn check_datagram(octets: &[u8]) {
    let mut run = Run::new(Transport::Udp);
    run.message(octets);
    run.message(octets);
    run.finish();
}

/// One sFlow v5 datagram, whose version is put before `octets`.
pub fn check_sflow(octets: &[u8]) {
    let datagram = [&[0, 0, 0, 5], octets].concat();
    sflow5::check(&datagram);
    check_datagram(&datagram);
}

/// Several messages of one session: `input` is cut by lengths of two octets each, so templates of
/// one message meet data of the next. The first octet picks the transport.
pub fn check_session(input: &[u8]) {
    let (first, mut rest) = input.split_first().unwrap_or((&0, &[]));
    let mut run = Run::new(if first & 1 == 0 { Transport::Udp } else { Transport::Tcp });
    let mut messages = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (message, after) = after.split_at(length);
        run.message(message);
        messages.push((message, run.received));
        rest = after;
    }
    run.finish();
    check_gathering(&messages);
}

/// Messages decoded together give the rows that each of them gives alone.
pub fn check_gathering(messages: &[(&[u8], Received)]) {
    let mut collector = Collector::new(Limits::default());
    let admitted: Vec<_> = messages
        .iter()
        .filter_map(|(octets, received)| {
            Some((collector.admit(octets, received).ok()?, octets, received))
        })
        .collect();
    let (mut alone, mut together) = (Output::new(), Output::new());
    let (mut tally_alone, mut tally_together) = (Tally::default(), Tally::default());
    let mut gathering = Gathering::default();
    for (admitted, octets, received) in &admitted {
        let own = Message { work: &admitted.work, octets, received };
        for message in admitted.released.iter().map(Released::message).chain([own]) {
            tally_alone += &decode(message, &mut alone);
            tally_together += &gathering.add(message, &mut together);
            let waiting = together.flows.rows() + gathering.rows_max();
            assert!(waiting >= alone.flows.rows(), "{waiting} rows are to come at most");
        }
    }
    tally_together += &gathering.finish(&mut together);
    assert_eq!(tally_together, tally_alone);
    assert_eq!(lines(&mut together.flows), lines(&mut alone.flows));
    assert_eq!(lines(&mut together.options), lines(&mut alone.options));
}

/// The rows, in the order of their texts.
fn lines(batch: &mut FlowBatch) -> Vec<Vec<u8>> {
    batch.seal();
    let line = |row| {
        let mut line = Vec::new();
        json::write_row(batch, row, &mut line);
        line
    };
    let mut lines: Vec<_> = (0..batch.rows()).map(line).collect();
    lines.sort();
    lines
}

/// `messages` as [`check_session`] takes them.
pub fn session_input(messages: &[&[u8]]) -> Vec<u8> {
    let mut input = vec![0];
    for message in messages {
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
        input.extend_from_slice(&length.to_be_bytes());
        input.extend_from_slice(message.get(..usize::from(length)).unwrap_or(message));
    }
    input
}

/// A sampled frame, dissected as every kind of header.
pub fn check_packet(octets: &[u8]) {
    packet::check(octets);
    let mut batch = FlowBatch::new(weir_model::Table::Flows);
    for number in 0..=20 {
        let dissected = packet::dissect(packet::Link(number), octets);
        let row = batch.append_rows(1);
        dissected.write(&mut batch, row);
        dissected.write_application(octets, &mut batch, row);
    }
    batch.seal();
    assert_eq!(batch.rows(), 21, "a frame is one row");
    check_batch(&batch);
}

/// A decoder at work, and what it has been given so far.
struct Run {
    decoder: Decoder,
    received: Received,
    out: Output,
    tally: Tally,
    octets: usize,
}

impl Run {
    fn new(transport: Transport) -> Run {
        let source = SocketAddr::new(Ipv4Addr::new(192, 0, 2, 1).into(), 2055);
        let session = SessionId(u64::from(transport != Transport::Udp));
        Run {
            decoder: Decoder::new(limits()),
            received: Received { at: NOW, source, transport, session, origin: None },
            out: Output::new(),
            tally: Tally::default(),
            octets: 0,
        }
    }

    fn message(&mut self, octets: &[u8]) {
        self.received.at = self.received.at.plus(Duration::from_millis(10));
        self.octets += octets.len();
        match self.decoder.decode(octets, &self.received, &mut self.out) {
            Ok(tally) => self.tally += &tally,
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }

    /// The books balance, the output is bounded and can be shown, and the state can be saved,
    /// loaded and forgotten.
    fn finish(mut self) {
        self.out.seal();
        let rows = [&self.out.flows, &self.out.counters, &self.out.options].map(FlowBatch::rows);
        let told = [self.tally.flows, self.tally.counters, self.tally.options].map(|n| n as usize);
        assert_eq!(rows, told, "rows are what the tally says");
        // A record takes an octet at least, and an sFlow counter one as well.
        let most = self.octets;
        assert!(rows.iter().sum::<usize>() <= most, "{rows:?} rows of {most} octets");
        for batch in [&self.out.flows, &self.out.counters, &self.out.options] {
            check_batch(batch);
            // An element in a list has 8 octets of header, names may be told to each row once.
            let bound = 64 * most + 64 * 1_024;
            let kept = batch.interner().octets();
            assert!(kept <= bound, "{kept} octets kept of {most} received");
        }
        self.books();
        self.state();
    }

    fn books(&mut self) {
        let parked = self.decoder.collector().parked_sets() as i64;
        assert_eq!(self.tally.sets_open(), parked, "{:?}", self.tally);
        let later = self.received.at.plus(Duration::from_secs(7 * 86_400));
        self.tally += &self.decoder.collector_mut().expire(later);
        assert_eq!(self.decoder.collector().parked_sets(), 0, "parked data grows old");
        assert_eq!(self.tally.sets_open(), 0, "{:?}", self.tally);
    }

    fn state(&mut self) {
        let saved = self.decoder.collector().save();
        let mut restarted = Decoder::new(limits());
        let loaded = restarted.collector_mut().load(&saved, |_| true);
        assert_eq!(loaded, Ok(()), "a collector reads what it wrote");
        assert_eq!(restarted.collector().save(), saved, "and writes the same again");
    }
}

/// Text is text, codes name something, and every row can be written out.
fn check_batch(batch: &FlowBatch) {
    let mut line = Vec::new();
    for (id, column) in batch.columns() {
        let def = batch.table().def(id);
        if !def.is_some_and(|def| def.ty == ColumnType::Str) {
            continue;
        }
        for row in 0..batch.rows() {
            if let Some(Scalar::Code(code)) = column.get(row) {
                let text = std::str::from_utf8(batch.interner().get(code));
                assert!(text.is_ok_and(|text| !text.contains('\0')), "{id:?} {text:?}");
            }
        }
    }
    for row in (0..batch.rows()).step_by(batch.rows().div_ceil(64).max(1)) {
        line.clear();
        json::write_row(batch, row, &mut line);
        assert!(line.starts_with(b"{\"kind\":"));
    }
}

/// Saved state that was damaged: refused whole or taken, never half.
pub fn check_state(saved: &[u8]) {
    let mut decoder = Decoder::new(limits());
    let before = decoder.collector().save();
    if decoder.collector_mut().load(saved, |_| true).is_err() {
        assert_eq!(decoder.collector().save(), before, "refused state changes nothing");
    }
}
