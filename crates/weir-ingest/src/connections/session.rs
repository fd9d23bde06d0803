//! One connection: its stream, what has arrived of a message, and its times.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use weir_wire::{Received, SessionId, Transport};

use super::framing::{Front, front};
use super::{CloseReason, Desk};
use crate::policy::ConnectionLimits;
use crate::shared::Shared;

/// Reads per round, so that one busy exporter leaves the others their turn.
const READS_MAX: usize = 8;

/// A transport session over TCP.
pub(super) struct Session {
    pub(super) stream: TcpStream,
    pub(super) source: SocketAddr,
    pub(super) id: SessionId,
    /// Set when it is over; the thread closes it then.
    pub(super) ended: Option<CloseReason>,
    /// The message that has not arrived whole; bounded by one message and one read.
    partial: Vec<u8>,
    /// When octets came last.
    heard: Instant,
    /// Since when a message is being waited for: the first one, or the rest of one.
    waiting_since: Option<Instant>,
}

impl Session {
    pub(super) fn new(stream: TcpStream, source: SocketAddr, id: SessionId, now: Instant) -> Self {
        let partial = Vec::new();
        Session { stream, source, id, ended: None, partial, heard: now, waiting_since: Some(now) }
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
            if self.ended.is_some() {
                return;
            }
            match self.stream.read(&mut desk.scratch) {
                Ok(0) => {
                    let clean = self.partial.is_empty();
                    self.end(if clean { CloseReason::Peer } else { CloseReason::PeerMidMessage });
                }
                Ok(n) => {
                    self.heard = now;
                    self.take(n, shared, limits, desk, now);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.end(CloseReason::Io),
            }
        }
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
        let stream = if gathered.is_empty() {
            &desk.scratch[..n]
        } else {
            gathered.extend_from_slice(&desk.scratch[..n]);
            &gathered
        };
        let received = Received {
            at: shared.clock.now(),
            source: self.source,
            transport: Transport::Tcp,
            session: self.id,
        };
        let (mut taken, before) = (0, self.waiting_since);
        loop {
            match front(&stream[taken..], limits.message_octets) {
                Front::Message(length) => {
                    let message = &stream[taken..taken + length];
                    let start = desk.chunk.append(message);
                    let entry = shared.door.admit(message, start, received, &mut desk.arrivals);
                    desk.chunk.entries.extend(entry);
                    taken += length;
                    self.waiting_since = None;
                }
                Front::Partial => break,
                Front::Refused(reason) => {
                    self.ended = Some(reason);
                    break;
                }
            }
            if desk.chunk.is_full() {
                shared.door.note(&mut desk.arrivals);
                let full = std::mem::replace(&mut desk.chunk, shared.pool.take());
                shared.push_patiently(full);
            }
        }
        shared.door.note(&mut desk.arrivals);
        self.partial = stream[taken..].to_vec();
        if !self.partial.is_empty() {
            let fresh = taken > 0 || before.is_none();
            self.waiting_since = if fresh { Some(now) } else { before };
        }
    }

    /// Ends it when it was silent, or a message took too long.
    pub(super) fn check_age(&mut self, limits: &ConnectionLimits, now: Instant) {
        let over = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        if self.waiting_since.is_some_and(|since| over(since, limits.message)) {
            self.end(CloseReason::Slow);
        } else if over(self.heard, limits.idle) {
            self.end(CloseReason::Idle);
        }
    }

    /// Ends it for `reason`, unless it has ended.
    pub(super) fn end(&mut self, reason: CloseReason) {
        self.ended.get_or_insert(reason);
    }

    /// Octets of a message that has not arrived whole.
    pub(super) fn pending(&self) -> usize {
        self.partial.len()
    }
}
