//! One flow of the cache: what its ends told, what of it was reported, and the record made of it.

use std::sync::Arc;
use std::time::Duration;

use weir_model::Timestamp;

use crate::cache::Moment;
use crate::endpoint::{End, Endpoint, FlowKey};
use crate::owner::Owner;

/// Octets and packets of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Octets; of what, the source says (docs/meter.md).
    pub octets: u64,
    /// Packets.
    pub packets: u64,
}

impl Count {
    pub(crate) fn add(&mut self, more: Count) {
        self.octets = self.octets.saturating_add(more.octets);
        self.packets = self.packets.saturating_add(more.packets);
    }

    pub(crate) fn minus(self, less: Count) -> Count {
        Count {
            octets: self.octets.saturating_sub(less.octets),
            packets: self.packets.saturating_sub(less.packets),
        }
    }
}

/// How a TCP connection fares, as one of its ends sees it. Null where the kernel is too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is the column of its name")]
pub struct TcpHealth {
    pub rtt_us: Option<u32>,
    pub rtt_min_us: Option<u32>,
    pub rtt_var_us: Option<u32>,
    pub lost: Option<u32>,
    pub unacked: Option<u32>,
    pub reordering: Option<u32>,
    pub cwnd: Option<u32>,
    pub snd_mss: Option<u32>,
    pub rcv_mss: Option<u32>,
    pub pmtu: Option<u32>,
    pub delivery_rate: Option<u64>,
}

/// Who began a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Initiator {
    /// The end that did.
    pub end: End,
    /// False when it was guessed from the ports.
    pub sure: bool,
}

/// What a source tells of one end of a connection. Counts are since it told the last time.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The connection.
    pub key: FlowKey,
    /// The end that was looked at.
    pub end: End,
    /// Who began it.
    pub initiator: Initiator,
    /// Number of the socket, never used twice: the same endpoints with another are another flow.
    pub socket: u64,
    /// Sent by this end since the last observation.
    pub sent: Count,
    /// Received by this end since the last observation.
    pub received: Count,
    /// Sent by this end since the connection began.
    pub sent_total: Count,
    /// Received by this end since the connection began.
    pub received_total: Count,
    /// Segments that this end sent again since the last observation.
    pub retransmits: u32,
    /// State by its name in RFC 9293.
    pub state: &'static str,
    /// Health.
    pub tcp: TcpHealth,
    /// The process, if it is known by now.
    pub owner: Option<Arc<Owner>>,
    /// User id and name, if they are known.
    pub user: Option<(u32, Option<Arc<str>>)>,
    /// First packet, as far as the source can tell.
    pub first: Timestamp,
    /// Last packet, as far as the source can tell.
    pub last: Timestamp,
    /// Anything but the owner is new: an idle flow is not kept alive by a name that was found.
    pub active: bool,
    /// The socket is gone.
    pub ended: bool,
}

/// What one end told so far. Counts are since the cache holds the flow.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// Number of the socket.
    pub socket: u64,
    /// Sent by this end.
    pub sent: Count,
    /// Received by this end.
    pub received: Count,
    /// Sent by this end since the connection began.
    pub sent_total: Count,
    /// Received by this end since the connection began.
    pub received_total: Count,
    /// Segments sent again.
    pub retransmits: u32,
    /// Latest state.
    pub state: &'static str,
    /// Latest health.
    pub tcp: TcpHealth,
    /// The process.
    pub owner: Option<Arc<Owner>>,
    /// User id and name.
    pub user: Option<(u32, Option<Arc<str>>)>,
    pub(crate) ended: bool,
}

/// Why a record was made: `flowEndReason` (IE 136).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum EndReason {
    /// Silent for the idle time-out; the flow left the cache.
    IdleTimeout = 1,
    /// Goes on.
    ActiveTimeout = 2,
    /// The connection ended.
    EndOfFlow = 3,
    /// Metering stops.
    ForcedEnd = 4,
    /// The cache was full.
    LackOfResources = 5,
}

/// What is reported of a flow: initiator to responder is forward.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// IP protocol.
    pub proto: u8,
    /// The initiator's endpoint.
    pub src: Endpoint,
    /// The responder's endpoint.
    pub dst: Endpoint,
    /// False when the initiator was guessed.
    pub sure: bool,
    /// Why.
    pub reason: EndReason,
    /// First packet.
    pub start: Timestamp,
    /// Last packet, never before the first.
    pub end: Timestamp,
    /// Since the last record.
    pub forward: Count,
    /// Since the last record.
    pub reverse: Count,
    /// Since the connection began.
    pub forward_total: Count,
    /// Since the connection began.
    pub reverse_total: Count,
    /// Segments that the initiator sent again since the last record, if its end was seen.
    pub retransmits: Option<u32>,
    /// The same of the responder.
    pub reverse_retransmits: Option<u32>,
    /// The initiator's end, if it was seen.
    pub src_side: Option<Side>,
    /// The responder's end, if it was seen.
    pub dst_side: Option<Side>,
}

#[derive(Debug)]
pub(super) struct Flow {
    key: FlowKey,
    initiator: Initiator,
    sides: [Option<Side>; 2],
    start: Timestamp,
    last: Timestamp,
    /// When it came into the cache.
    pub(super) seen: Duration,
    /// When something new was told of it.
    pub(super) changed: Duration,
    /// When a record was made.
    pub(super) reported: Option<Duration>,
    /// When its last end was told gone.
    pub(super) ended: Option<Duration>,
    /// Told since the last record.
    pub(super) is_dirty: bool,
    sent_reported: [Count; 2],
    retransmits_reported: [u32; 2],
}

impl Flow {
    pub(super) fn new(first: &Observation, now: Moment) -> Flow {
        Flow {
            key: first.key,
            initiator: first.initiator,
            sides: [None, None],
            start: first.first,
            last: first.last,
            seen: now.mono,
            changed: now.mono,
            reported: None,
            ended: None,
            is_dirty: true,
            sent_reported: [Count::default(); 2],
            retransmits_reported: [0; 2],
        }
    }

    /// True when the observation is of a later connection between the same endpoints.
    pub(super) fn is_other(&self, seen: &Observation) -> bool {
        self.sides[seen.end.index()].as_ref().is_some_and(|side| side.socket != seen.socket)
    }

    pub(super) fn take(&mut self, seen: &Observation, now: Moment) {
        // Why: A record that said who began the connection is not contradicted by the next.
        if seen.initiator.sure && !self.initiator.sure && self.reported.is_none() {
            self.initiator = seen.initiator;
        }
        self.start = self.start.min(seen.first);
        self.last = self.last.max(seen.last);
        let side = self.sides[seen.end.index()].get_or_insert_with(|| Side {
            socket: seen.socket,
            sent: Count::default(),
            received: Count::default(),
            sent_total: Count::default(),
            received_total: Count::default(),
            retransmits: 0,
            state: seen.state,
            tcp: seen.tcp,
            owner: None,
            user: None,
            ended: false,
        });
        side.sent.add(seen.sent);
        side.received.add(seen.received);
        side.sent_total = seen.sent_total;
        side.received_total = seen.received_total;
        side.retransmits = side.retransmits.saturating_add(seen.retransmits);
        side.state = seen.state;
        side.tcp = seen.tcp;
        side.ended |= seen.ended;
        if seen.owner.is_some() {
            side.owner.clone_from(&seen.owner);
        }
        if seen.user.is_some() {
            side.user.clone_from(&seen.user);
        }
        if seen.active {
            self.changed = now.mono;
            self.is_dirty = true;
        }
        let all_ended = self.sides.iter().flatten().all(|side| side.ended);
        self.ended = all_ended.then_some(self.ended.unwrap_or(now.mono));
    }

    /// What `end` sent. Its own figure where its end was seen: it counts what was sent again too,
    /// and no FIN; the other end's otherwise.
    fn sent_by(&self, end: End) -> (Count, Count) {
        match (&self.sides[end.index()], &self.sides[end.other().index()]) {
            (Some(own), _) => (own.sent, own.sent_total),
            (None, Some(other)) => (other.received, other.received_total),
            (None, None) => Default::default(),
        }
    }

    /// Makes a record of what is not reported yet.
    pub(super) fn report(&mut self, reason: EndReason, now: Moment) -> Record {
        let (src, dst) = (self.initiator.end, self.initiator.end.other());
        let mut sent = |end: End| {
            let (sum, total) = self.sent_by(end);
            let reported = &mut self.sent_reported[end.index()];
            let delta = sum.minus(*reported);
            // Why: The larger of the two, so that an end that is seen late, whose figure may be
            // smaller than what the other end has told, does not report a part of it twice.
            reported.add(delta);
            (delta, total)
        };
        let ((forward, forward_total), (reverse, reverse_total)) = (sent(src), sent(dst));
        let mut again = |end: End| {
            let sum = self.sides[end.index()].as_ref()?.retransmits;
            let reported = std::mem::replace(&mut self.retransmits_reported[end.index()], sum);
            Some(sum.saturating_sub(reported))
        };
        let (retransmits, reverse_retransmits) = (again(src), again(dst));
        self.reported = Some(now.mono);
        self.is_dirty = false;
        Record {
            proto: self.key.proto,
            src: self.key.endpoint(src),
            dst: self.key.endpoint(dst),
            sure: self.initiator.sure,
            reason,
            start: self.start,
            end: self.last.max(self.start),
            forward,
            reverse,
            forward_total,
            reverse_total,
            retransmits,
            reverse_retransmits,
            src_side: self.sides[src.index()].clone(),
            dst_side: self.sides[dst.index()].clone(),
        }
    }
}
