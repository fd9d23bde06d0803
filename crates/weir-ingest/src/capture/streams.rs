//! TCP connections that carry IPFIX (RFC 7011 §10.4): segments in order, cut into messages.
//!
//! One direction is one stream. A stream starts at its SYN or, when the capture began later, at
//! the first segment that starts with an IPFIX message header.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

use weir_model::Timestamp;
use weir_wire::{SessionId, Transport};

use super::CapturedDatagram;
use super::frame::Segment;

/// Streams followed at one time. Past it the oldest is forgotten.
const STREAMS_MAX: usize = 1_024;

/// Segments of one stream that wait for a missing one.
const SEGMENTS_MAX: usize = 1_024;

/// Octets of one stream that wait for a missing segment. Past it the gap is given up.
const WAITING_MAX: usize = 1 << 20;

type Ends = (SocketAddr, SocketAddr);

#[derive(Debug, Default)]
struct Stream {
    session: u64,
    /// Sequence number of the next octet; `None` before the start is known.
    next: Option<u32>,
    /// Octets in order that are not yet a whole message.
    buffer: Vec<u8>,
    /// Segments after a gap, by sequence number.
    waiting: BTreeMap<u32, Vec<u8>>,
    waiting_octets: usize,
}

/// All streams of a capture.
#[derive(Debug, Default)]
pub(super) struct Streams {
    streams: HashMap<Ends, Stream>,
    order: VecDeque<Ends>,
    sessions: u64,
    octets_lost: u64,
}

/// True when `octets` start like an IPFIX message.
fn is_message(octets: &[u8]) -> bool {
    matches!(octets, [0, 10, hi, lo, ..] if u16::from_be_bytes([*hi, *lo]) >= 16)
}

impl Streams {
    /// Octets that became no message.
    pub(super) fn octets_lost(&self) -> u64 {
        self.octets_lost
    }

    /// Takes a segment in; whole messages go to `ready`.
    pub(super) fn segment(
        &mut self,
        at: Timestamp,
        segment: &Segment,
        ready: &mut VecDeque<CapturedDatagram>,
    ) {
        let ends = (segment.source, segment.destination);
        if segment.is_first {
            self.open(ends).next = Some(segment.sequence.wrapping_add(1));
            return;
        }
        if segment.payload.is_empty() {
            return;
        }
        if self.streams.get(&ends).is_none_or(|stream| stream.next.is_none()) {
            if !is_message(&segment.payload) {
                self.octets_lost += segment.payload.len() as u64;
                return;
            }
            self.open(ends).next = Some(segment.sequence);
        }
        let Some(stream) = self.streams.get_mut(&ends) else { return };
        self.octets_lost += stream.take(segment);
        self.octets_lost += stream.messages(at, ends, ready);
    }

    fn open(&mut self, ends: Ends) -> &mut Stream {
        self.sessions += 1;
        if self.streams.remove(&ends).is_none() {
            while self.streams.len() >= STREAMS_MAX {
                let Some(oldest) = self.order.pop_front() else { break };
                self.streams.remove(&oldest);
            }
            self.order.push_back(ends);
        }
        let session = self.sessions;
        self.streams.entry(ends).or_insert_with(|| Stream { session, ..Stream::default() })
    }
}

impl Stream {
    /// Puts a segment in its place. Gives the octets that were lost by that.
    fn take(&mut self, segment: &Segment) -> u64 {
        let Some(next) = self.next else { return 0 };
        // Distances are signed: sequence numbers wrap (RFC 9293 §3.4).
        let ahead = segment.sequence.wrapping_sub(next) as i32;
        if ahead > 0 {
            return self.wait(segment);
        }
        // What came before is a repetition.
        let repeated = ahead.unsigned_abs() as usize;
        self.append(segment.payload.get(repeated..).unwrap_or_default());
        self.drain();
        0
    }

    fn append(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
        self.next = self.next.map(|next| next.wrapping_add(octets.len() as u32));
    }

    fn wait(&mut self, segment: &Segment) -> u64 {
        let fits = self.waiting_octets + segment.payload.len() <= WAITING_MAX;
        if fits && self.waiting.len() < SEGMENTS_MAX {
            let before = self.waiting.insert(segment.sequence, segment.payload.clone());
            self.waiting_octets += segment.payload.len();
            self.waiting_octets -= before.map_or(0, |octets| octets.len());
            return 0;
        }
        // The missing segment will not come: begin again at the next message.
        let lost = self.waiting_octets + self.buffer.len() + segment.payload.len();
        *self = Stream { session: self.session, ..Stream::default() };
        lost as u64
    }

    /// Appends waiting segments that are next now.
    fn drain(&mut self) {
        while let Some(next) = self.next {
            let reached = self.waiting.iter().find_map(|(sequence, octets)| {
                let behind = next.wrapping_sub(*sequence) as i32;
                (behind >= 0).then_some((*sequence, behind as usize, octets.len()))
            });
            let Some((sequence, behind, length)) = reached else { return };
            let octets = self.waiting.remove(&sequence).unwrap_or_default();
            self.waiting_octets -= length;
            self.append(octets.get(behind..).unwrap_or_default());
        }
    }

    /// Cuts whole messages off the buffer. Gives the octets lost when what follows is no IPFIX.
    fn messages(
        &mut self,
        at: Timestamp,
        (source, destination): Ends,
        ready: &mut VecDeque<CapturedDatagram>,
    ) -> u64 {
        let mut from = 0;
        while let Some(rest) = self.buffer.get(from..).filter(|rest| rest.len() >= 4) {
            if !is_message(rest) {
                let lost = rest.len() + self.waiting_octets;
                *self = Stream { session: self.session, ..Stream::default() };
                return lost as u64;
            }
            let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            let Some(message) = rest.get(..length) else { break };
            ready.push_back(CapturedDatagram {
                at,
                source,
                destination,
                transport: Transport::Tcp,
                session: SessionId(self.session),
                payload: message.to_vec(),
            });
            from += length;
        }
        self.buffer.drain(..from);
        0
    }
}
