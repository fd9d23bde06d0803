//! One connection: its stream, what has arrived of a message, and its times.

use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use weir_wire::acknowledge::Instance;
use weir_wire::{Announcement, Answer, Origin, Received, SessionId, Transport};

use super::framing::{Front, front};
use super::wire::{Got, Wire};
use super::{CloseReason, Desk};
use crate::acknowledge::{Noted, Place, StreamId};
use crate::door::Passed;
use crate::policy::ConnectionLimits;
use crate::shared::Shared;
use crate::tls::Fault;

/// Reads per round, so that one busy exporter leaves the others their turn.
const READS_MAX: usize = 8;

/// Observation domains that one connection may announce.
const STREAMS_MAX: usize = 64;

/// A transport session over TCP.
pub(super) struct Session {
    pub(super) stream: TcpStream,
    pub(super) source: SocketAddr,
    pub(super) id: SessionId,
    /// Set when it is over; the thread closes it then.
    pub(super) ended: Option<CloseReason>,
    /// What went wrong within TLS.
    pub(super) fault: Option<Fault>,
    /// A message waits for room, or for what the store has: nothing is read meanwhile.
    pub(super) held: bool,
    wire: Wire,
    /// Whether its kind and its handshake stand in the books.
    booked: (bool, bool),
    /// What has not gone through the door; bounded by one message and one read.
    partial: Vec<u8>,
    /// When octets came last.
    heard: Instant,
    /// Since when a message is being waited for: the first one, or the rest of one.
    waiting_since: Option<Instant>,
    /// Since when the peer has not taken what we answered.
    untaken_since: Option<Instant>,
    /// Streams that were announced on it, by observation domain.
    streams: Vec<Announced>,
}

#[derive(Debug, Clone, Copy)]
struct Announced {
    domain: u32,
    instance: Instance,
    stream: StreamId,
}

impl Session {
    pub(super) fn new(stream: TcpStream, source: SocketAddr, id: SessionId, now: Instant) -> Self {
        Session {
            stream,
            source,
            id,
            ended: None,
            fault: None,
            held: false,
            wire: Wire::Fresh,
            booked: (false, false),
            partial: Vec::new(),
            heard: now,
            waiting_since: Some(now),
            untaken_since: None,
            streams: Vec::new(),
        }
    }

    /// Reads what has arrived and takes whole messages through the door.
    pub(super) fn read(
        &mut self,
        shared: &Shared,
        limits: &ConnectionLimits,
        desk: &mut Desk,
        now: Instant,
    ) {
        for _ in 0..READS_MAX {
            if self.ended.is_some() || self.held {
                return;
            }
            let Desk { scratch, certificates, .. } = desk;
            let certificates = certificates.as_ref();
            let plain_refused = limits.plain_refused;
            match self.wire.read(&mut self.stream, scratch, certificates, plain_refused) {
                Got::End => {
                    let clean = self.partial.is_empty();
                    self.end(if clean { CloseReason::Peer } else { CloseReason::PeerMidMessage });
                }
                Got::Octets(n) => {
                    self.heard = now;
                    self.take(n, shared, limits, desk, now);
                }
                Got::Nothing => return self.book(shared),
                Got::Failed(reason) => self.end(reason),
                Got::Fault(fault) => {
                    self.end(fault.reason);
                    self.fault = Some(fault);
                }
            }
            self.book(shared);
        }
    }

    /// Writes down what kind of connection it is, once that is known.
    fn book(&mut self, shared: &Shared) {
        let (kind, handshake) = &mut self.booked;
        if !*kind && !matches!(self.wire, Wire::Fresh) {
            *kind = true;
            shared.connections.kind(self.wire.is_tls());
        }
        if !*handshake && *kind && self.wire.is_tls() && !self.wire.is_handshaking() {
            *handshake = true;
            shared.connections.handshake();
        }
    }

    /// Goes on with what was held back.
    pub(super) fn resume(
        &mut self,
        shared: &Shared,
        limits: &ConnectionLimits,
        desk: &mut Desk,
        now: Instant,
    ) {
        self.held = false;
        self.heard = now;
        self.take(0, shared, limits, desk, now);
    }

    /// Takes the `n` octets that were read into the scratch buffer.
    fn take(
        &mut self,
        n: usize,
        shared: &Shared,
        limits: &ConnectionLimits,
        desk: &mut Desk,
        now: Instant,
    ) {
        let mut gathered = std::mem::take(&mut self.partial);
        if !gathered.is_empty() {
            gathered.extend_from_slice(&desk.scratch[..n]);
        }
        let (mut taken, before) = (0, self.waiting_since);
        loop {
            let stream = if gathered.is_empty() { &desk.scratch[..n] } else { &gathered[..] };
            match front(&stream[taken..], limits.message_octets) {
                Front::Message(length) => {
                    let message = taken..taken + length;
                    let Some(place) = self.place(&stream[message.clone()], shared) else { break };
                    let start = desk.chunk.append(&stream[message.clone()]);
                    let received = self.received(shared, place);
                    let octets = &stream[message];
                    let domain = domain_of(octets);
                    let passed = shared.door.admit(octets, start, received, &mut desk.arrivals);
                    self.passed(passed, place, domain, shared, desk);
                    taken += length;
                    self.waiting_since = None;
                }
                Front::Partial => break,
                Front::Refused(reason) => {
                    self.end(reason);
                    break;
                }
            }
            if self.ended.is_some() {
                break;
            }
            if desk.chunk.is_full() {
                shared.door.note(&mut desk.arrivals);
                let full = std::mem::replace(&mut desk.chunk, shared.pool.take());
                shared.push_patiently(full);
            }
        }
        shared.door.note(&mut desk.arrivals);
        let stream = if gathered.is_empty() { &desk.scratch[..n] } else { &gathered[..] };
        self.partial = stream[taken..].to_vec();
        if !self.partial.is_empty() {
            let fresh = taken > 0 || before.is_none();
            self.waiting_since = if fresh { Some(now) } else { before };
        }
    }

    /// Where a message belongs, if its stream was announced (else nowhere). `None` when it cannot go
    /// through the door now.
    fn place(&mut self, message: &[u8], shared: &Shared) -> Option<Option<(StreamId, Origin)>> {
        let domain = domain_of(message);
        let announced = self.streams.iter().find(|announced| announced.domain == domain);
        let Some(&Announced { instance, stream, .. }) = announced else { return Some(None) };
        let sequence = word(message, 8);
        let origin = |number, repeat| Some(Some((stream, Origin { instance, number, repeat })));
        match shared.acknowledging.place(stream, self.id, sequence) {
            Place::New(number) => origin(number, false),
            Place::Repeat(number) => origin(number, true),
            Place::Wait | Place::Ask(_) => {
                self.held = true;
                None
            }
            Place::Over => {
                self.end_stream(stream, shared);
                None
            }
        }
    }

    fn received(&self, shared: &Shared, place: Option<(StreamId, Origin)>) -> Received {
        let transport = if self.wire.is_tls() { Transport::Tls } else { Transport::Tcp };
        Received {
            at: shared.clock.now(),
            source: self.source,
            transport,
            session: self.id,
            origin: place.map(|(_, origin)| origin),
        }
    }

    /// Notes what the control pass found, and sends the message on.
    fn passed(
        &mut self,
        passed: Passed,
        place: Option<(StreamId, Origin)>,
        domain: u32,
        shared: &Shared,
        desk: &mut Desk,
    ) {
        let Passed { mut entry, records, announcement } = passed;
        if let Some((stream, Origin { number, .. })) = place {
            let work = entry.as_ref().map(|entry| &entry.work).filter(|work| !work.is_empty());
            let table = work.map(|work| work.table());
            shared.acknowledging.taken(stream, number, records, table.is_some());
            if let Some((entry, table)) = entry.as_mut().zip(table) {
                entry.noted = Some(Noted { stream, number, table });
            }
        } else if let Some(announcement) = announcement {
            self.announce(domain, announcement, shared);
        }
        desk.chunk.entries.extend(entry);
    }

    fn announce(&mut self, domain: u32, announcement: Announcement, shared: &Shared) {
        if !shared.acknowledging.is_on() {
            return;
        }
        let room = self.streams.len() < STREAMS_MAX;
        let opened = room.then(|| shared.acknowledging.announce(self.id, domain, announcement));
        let Some(stream) = opened.flatten() else { return self.end(CloseReason::TooManyStreams) };
        let (first, instance) = (announcement.first, announcement.instance);
        let source = self.source;
        tracing::debug!(%source, domain, first, "exporter waits for acknowledgements");
        self.streams.push(Announced { domain, instance, stream });
        self.answer(shared, Instant::now());
    }

    /// Tells what is durable by now, and ends the connection where that cannot go on.
    pub(super) fn answer(&mut self, shared: &Shared, now: Instant) {
        for at in 0..self.streams.len() {
            let Announced { stream, .. } = self.streams[at];
            if shared.acknowledging.is_over(stream, self.id) {
                return self.end_stream(stream, shared);
            }
        }
        // One answer of each domain waits at most: what is durable only grows, so a later one
        // says it all.
        if !self.wire.wants_write() {
            for Announced { domain, stream, .. } in &self.streams {
                if let Some(durable) = shared.acknowledging.news(*stream, self.id)
                    && self.wire.put(&Answer { domain: *domain, durable }.encode()).is_err()
                {
                    return self.end(CloseReason::Io);
                }
            }
        }
        self.flush(now);
    }

    /// Sends what the peer takes.
    pub(super) fn flush(&mut self, now: Instant) {
        match self.wire.flush(&mut self.stream) {
            Err(_) => self.end(CloseReason::Io),
            Ok(()) if self.wire.wants_write() => {
                self.untaken_since.get_or_insert(now);
            }
            Ok(()) => self.untaken_since = None,
        }
    }

    fn end_stream(&mut self, stream: StreamId, shared: &Shared) {
        let lost = shared.acknowledging.is_owner(stream, self.id);
        self.end(if lost { CloseReason::NotKept } else { CloseReason::Superseded });
    }

    /// Ends it when it was silent, a message took too long, or our answers are not read.
    pub(super) fn check_age(&mut self, limits: &ConnectionLimits, now: Instant) {
        let over = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        if self.untaken_since.is_some_and(|since| over(since, limits.message)) {
            self.end(CloseReason::NotReading);
        } else if self.held {
            // It waits for us.
        } else if self.waiting_since.is_some_and(|since| over(since, limits.message)) {
            self.end(CloseReason::Slow);
        } else if over(self.heard, limits.idle) {
            self.end(CloseReason::Idle);
        }
    }

    /// Ends it for `reason`, unless it has ended.
    pub(super) fn end(&mut self, reason: CloseReason) {
        self.ended.get_or_insert(reason);
    }

    /// Lets go of what it holds beside its stream.
    pub(super) fn close(&mut self, shared: &Shared) {
        self.wire.close(&mut self.stream);
        let streams = self.streams.iter().map(|announced| announced.stream);
        shared.acknowledging.end_session(streams, self.id);
    }

    /// True when the peer should be asked whether it can take more.
    pub(super) fn wants_write(&self) -> bool {
        self.wire.wants_write()
    }

    pub(super) fn is_tls(&self) -> bool {
        self.wire.is_tls()
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.wire.is_handshaking()
    }

    pub(super) fn is_acknowledged(&self) -> bool {
        !self.streams.is_empty()
    }

    /// Octets of a message that has not arrived whole.
    pub(super) fn pending(&self) -> usize {
        self.partial.len()
    }
}

/// Observation domain of a message whose header is whole.
fn domain_of(message: &[u8]) -> u32 {
    word(message, 12)
}

fn word(message: &[u8], at: usize) -> u32 {
    let octets = message.get(at..).and_then(|rest| rest.first_chunk());
    octets.map_or(0, |octets| u32::from_be_bytes(*octets))
}
