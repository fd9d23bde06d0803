//! One entry that is followed: what of it was told, and what of a message of it is new.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use weir_model::Timestamp;

use super::message::{Entry, Tuple, state_name};
use super::table::{Bench, Sight};
use crate::cache::{Count, Initiator, Moment, Nat, Observation, SourceKind, Translation};
use crate::endpoint::{End, Endpoint, FlowKey};

/// What names an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryKey {
    pub(super) id: u32,
    pub(super) proto: u8,
    pub(super) src: Endpoint,
    pub(super) dst: Endpoint,
}

impl Hash for EntryKey {
    // Cost: the id is a keyed hash of all that names an entry; another over 70 octets of it would
    // tell no more. That two entries share it does happen, so equality looks at everything.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl EntryKey {
    pub(super) fn of(entry: &Entry) -> EntryKey {
        let Tuple { proto, src, dst, .. } = entry.original;
        EntryKey { id: entry.id, proto, src, dst }
    }

    /// The flow, by the addresses of the original direction, which the cache leads to those that
    /// packets really go between; and the end that sends in it.
    pub(super) fn flow(&self, space: u32) -> (FlowKey, End) {
        // As everywhere, addresses are one plan but for those that mean this machine itself.
        let zone = if is_loopback(self) { space } else { 0 };
        FlowKey::new(zone, self.proto, self.src, self.dst)
    }
}

#[derive(Debug)]
pub(super) struct Known {
    /// Order of coming in.
    pub(super) serial: u64,
    pub(super) sent: Count,
    pub(super) received: Count,
    pub(super) zone: u16,
    pub(super) state: Option<u8>,
    /// When it runs out, in seconds of the clock that does not step.
    pub(super) expiry: u64,
    /// Told with zone, mark, labels, and the other addresses if there are any.
    pub(super) translation: Option<Box<Translation>>,
    /// When it began, where there are timestamps.
    pub(super) start: Option<Timestamp>,
    /// It was found under way.
    pub(super) is_picked_up: bool,
    /// Times that a better source was looked for, as long as they are counted.
    pub(super) looks: u8,
    /// It can be asked for by its endpoints.
    pub(super) is_simple: bool,
    /// A better source tells of its flow.
    pub(super) has_better: bool,
    pub(super) ended: bool,
    pub(super) dump: u32,
}

impl Known {
    /// Whether a message of the same name is of a later entry, an earlier one, or this.
    pub(super) fn compare(&self, entry: &Entry) -> Ordering {
        match (entry.start, self.start) {
            (Some(told), Some(known)) => told.0.cmp(&known.0),
            _ => Ordering::Equal,
        }
    }

    /// Takes newer totals and says what is new. An entry without counters tells nothing.
    pub(super) fn advance(&mut self, entry: &Entry) -> (Count, Count) {
        self.start = self.start.or(entry.start);
        self.state = entry.tcp.and_then(|tcp| tcp.state).or(self.state);
        let newer = |now: Option<Count>, was: &mut Count| {
            let Some(now) = now else { return Count::default() };
            let before = std::mem::replace(was, now);
            // Somebody has set the counters to zero (`conntrack -L -z`).
            let is_reset = now.octets < before.octets || now.packets < before.packets;
            if is_reset { now } else { now.minus(before) }
        };
        (newer(entry.sent, &mut self.sent), newer(entry.received, &mut self.received))
    }

    /// Without counters: whether a packet has set the time to the entry's end anew.
    pub(super) fn spoke(&mut self, entry: &Entry, now: Moment) -> bool {
        let was = std::mem::replace(&mut self.expiry, expiry(entry, now));
        // Whole seconds: one may come of rounding.
        entry.sent.is_none() && entry.timeout.is_some() && self.expiry > was.saturating_add(1)
    }

    /// Tells the cache how the connection is translated, when that is new.
    pub(super) fn translate(&mut self, space: u32, entry: &Entry, to: &mut Bench<'_>) {
        // What is translated within another namespace's loopback stays in it.
        if space != 0 && is_loopback(&EntryKey::of(entry)) {
            return;
        }
        let known = self.translation.as_deref();
        // An event has labels only when they are what it is about.
        let labels = entry.labels.or_else(|| known.and_then(|known| known.nat.labels));
        let is_plain = entry.zone == 0 && entry.mark == 0 && labels.is_none();
        if known.is_none() && is_plain && !entry.is_translated() {
            return;
        }
        let nat = Nat { zone: entry.zone, mark: entry.mark, labels, ..Nat::default() };
        let ends = |tuple: &Tuple| (tuple.src, tuple.dst);
        let translation = Translation {
            proto: entry.original.proto,
            original: ends(&entry.original),
            reply: ends(&entry.reply),
            nat,
        };
        if known != Some(&translation) {
            let is_new = known.is_none();
            to.translations.learn(&translation, is_new, to.cache, to.now);
            self.translation = Some(Box::new(translation));
        }
    }

    /// An observation with totals and nothing new.
    pub(super) fn observation(
        &self,
        space: u32,
        key: &EntryKey,
        span: (Timestamp, Timestamp),
    ) -> Observation {
        let (flow, end) = key.flow(space);
        let began = match self.is_picked_up && key.src.port < key.dst.port {
            true => end.other(),
            false => end,
        };
        let initiator = Initiator { end: began, sure: !self.is_picked_up };
        let mut told = Observation::new(SourceKind::Conntrack, (flow, end), initiator, span);
        told.place = 1 << 48 | u64::from(space) << 16 | u64::from(self.zone);
        (told.sent_total, told.received_total) = (self.sent, self.received);
        told.state = self.state.and_then(state_name).unwrap_or("");
        told.active = false;
        told.ended = self.ended;
        told
    }
}

/// TCP, UDP, SCTP: two ports name a connection between two addresses.
pub(super) fn has_ports(proto: u8) -> bool {
    matches!(proto, 6 | 17 | 132)
}

fn is_loopback(key: &EntryKey) -> bool {
    key.src.addr.to_ip().is_loopback() || key.dst.addr.to_ip().is_loopback()
}

pub(super) fn expiry(entry: &Entry, now: Moment) -> u64 {
    now.mono.as_secs().saturating_add(entry.timeout.unwrap_or(0).into())
}

/// First and last packet of what is told now: whatever is new happened since the last dump.
pub(super) fn span(
    entry: &Entry,
    (is_new, sight): (bool, Sight),
    floor: Timestamp,
    now: Moment,
) -> (Timestamp, Timestamp) {
    let last = entry.stop.unwrap_or(now.wall).min(now.wall);
    let first = match (entry.start, sight) {
        (Some(start), _) if is_new => start,
        (None, Sight::Begun) => now.wall,
        _ => floor,
    };
    (first.min(last), last)
}
