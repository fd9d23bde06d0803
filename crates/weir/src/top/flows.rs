//! The flows that are shown: a bounded table fed with records.
//!
//! Invariants: it holds at most [`FLOWS_MAX`] flows, the one that was silent for longest leaves
//! first and is counted; it reads no clock. `now` is on a clock that does not step.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use weir_model::Timestamp;

use super::rate::{After, LINGER, Pace, Rate, Told};
use super::record::{Health, Key, Owner, Record};

/// Most flows that are held.
pub const FLOWS_MAX: usize = 16_384;

/// How long a flow that goes on is shown after its last record, unless its records are further apart.
const SILENT_MAX: Duration = Duration::from_secs(90);
/// Time after which a rate is marked as old.
const OLD: Duration = Duration::from_secs(5);

/// What `end_reason` 2 says.
const ACTIVE_TIMEOUT: u8 = 2;

/// Which end is looked from: what it sends is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The source, which is the initiator where that is known.
    Src,
    /// The destination.
    Dst,
}

impl Side {
    /// Its place in pairs of the record.
    pub fn index(self) -> usize {
        self as usize
    }

    /// `forward` and `reverse` as out and in.
    pub fn order<T: Copy>(self, [forward, reverse]: [T; 2]) -> [T; 2] {
        match self {
            Side::Src => [forward, reverse],
            Side::Dst => [reverse, forward],
        }
    }
}

/// One flow, as its records have told it.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Its latest record.
    pub last: Record,
    /// When that was heard.
    pub heard: Duration,
    /// When it was heard that the flow is over.
    pub over: Option<Duration>,
    /// Octets that were told, source to destination and back.
    pub octets: [u64; 2],
    /// Packets that were told.
    pub packets: [u64; 2],
    /// Segments sent again that were told; none when no record had a count.
    pub retransmits: Option<u64>,
    /// Packets that were told to be discarded.
    pub dropped: u64,
    /// Records that were heard.
    pub records: u64,
    rate: Rate,
}

impl Flow {
    fn new(record: Record, now: Duration) -> Flow {
        Flow {
            last: record,
            heard: now,
            over: None,
            octets: [0; 2],
            packets: [0; 2],
            retransmits: None,
            dropped: 0,
            records: 0,
            rate: Rate::default(),
        }
    }

    /// True when the record is of a later connection between the same ends.
    fn is_other(&self, record: &Record) -> bool {
        let later = match (self.last.end, record.start) {
            (Some(end), Some(start)) => start > end,
            _ => false,
        };
        self.over.is_some() && (later || record.reason.is_some())
    }

    fn take(&mut self, mut record: Record, pace: Pace, now: Duration) {
        let after = match record.reason {
            _ if record.is_sample => After::Sample,
            None => After::Unknown,
            Some(ACTIVE_TIMEOUT) => After::GoesOn,
            Some(_) => After::Over,
        };
        let Record { told: at, start, end, octets, .. } = record;
        let is_later = (0..2).any(|i| record.octets_total[i] > Some(octets[i]));
        self.rate.take(&Told { at, start, end, octets, is_later, after }, pace, now);
        self.over = (after == After::Over).then_some(now);
        self.heard = now;
        self.records += 1;
        self.dropped = self.dropped.saturating_add(record.dropped);
        record.drop_reason = record.drop_reason.or(self.last.drop_reason.take());
        for i in 0..2 {
            self.octets[i] = self.octets[i].saturating_add(record.octets[i]);
            self.packets[i] = self.packets[i].saturating_add(record.packets[i]);
        }
        if let Some(more) = record.retransmits {
            self.retransmits = Some(self.retransmits.unwrap_or(0).saturating_add(more));
        }
        // Why: The last record of a connection often lacks what only a living socket has.
        for (owner, known) in record.owners.iter_mut().zip(&mut self.last.owners) {
            if owner.process.is_none() && known.is_local() {
                std::mem::swap(owner, known);
            }
        }
        let health = &mut record.health;
        *health = Health {
            rtt_us: health.rtt_us.or(self.last.health.rtt_us),
            rtt_min_us: health.rtt_min_us.or(self.last.health.rtt_min_us),
            ..*health
        };
        record.state = record.state.or(self.last.state.take());
        record.name = record.name.or(self.last.name.take());
        self.last = record;
    }

    /// The ends whose sockets are seen: both within one machine, none of a router's record.
    pub fn local(&self) -> [bool; 2] {
        [self.last.owners[0].is_local(), self.last.owners[1].is_local()]
    }

    /// The end that a line of its own looks from: this machine's, the source where that is both or
    /// neither.
    pub fn side(&self) -> Side {
        if self.local() == [false, true] { Side::Dst } else { Side::Src }
    }

    /// Who is at `side`.
    pub fn owner(&self, side: Side) -> &Owner {
        &self.last.owners[side.index()]
    }

    /// Octets a second, source to destination and back.
    pub fn rates(&self, now: Duration) -> [f64; 2] {
        self.rate.at(now)
    }

    /// Time that the last record told of.
    pub fn interval(&self) -> Duration {
        self.rate.interval()
    }

    /// True when the rate is of a record that is not of just now.
    pub fn is_old(&self, now: Duration) -> bool {
        now.saturating_sub(self.heard) > OLD && now < self.rate.until()
    }

    /// True when nothing more will come of it, as far as anybody knows.
    pub fn is_over(&self, now: Duration) -> bool {
        self.over.is_some() || (self.last.reason.is_none() && now >= self.rate.until())
    }

    /// Octets of both directions: since the connection began where that is told, else as heard.
    pub fn octets_so_far(&self) -> u64 {
        // Why: of what has no connection (UDP to many) the total may be less than what was told.
        let one = |i: usize| self.last.octets_total[i].unwrap_or(0).max(self.octets[i]);
        one(0).saturating_add(one(1))
    }

    /// How old it is by its records; none where its beginning is not told.
    pub fn age(&self) -> Option<Duration> {
        Some(self.last.told.since(self.last.start?))
    }

    fn gone_at(&self) -> Duration {
        match (self.over, self.last.reason) {
            (Some(over), _) => over + LINGER,
            (None, None) => self.rate.until() + LINGER,
            (None, Some(_)) => self.heard + SILENT_MAX.max(self.interval().mul_f64(1.5)),
        }
    }
}

/// What happened in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Records that came.
    pub records: u64,
    /// Flows that left because the table was full.
    pub evicted: u64,
}

/// Rates of everything, each flow once.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Total {
    /// Octets a second, out and in.
    pub rates: [f64; 2],
    /// Flows that go on.
    pub flows: usize,
    /// Flows that are over and still shown.
    pub over: usize,
}

/// The table.
#[derive(Debug)]
pub struct Flows {
    flows: HashMap<Key, Flow>,
    /// The same by when they were heard of: the order of eviction.
    silent: BTreeSet<(Duration, Key)>,
    counts: Counts,
    newest: Option<(Timestamp, Duration)>,
    max: usize,
}

impl Default for Flows {
    fn default() -> Flows {
        Flows::new(FLOWS_MAX)
    }
}

impl Flows {
    /// An empty table for `max` flows.
    pub fn new(max: usize) -> Flows {
        Flows {
            flows: HashMap::new(),
            silent: BTreeSet::new(),
            counts: Counts::default(),
            newest: None,
            max: max.max(1),
        }
    }

    /// Takes a record in.
    pub fn take(&mut self, record: Record, pace: Pace, now: Duration) {
        self.counts.records += 1;
        if self.newest.is_none_or(|(told, _)| record.told >= told) {
            self.newest = Some((record.told, now));
        }
        let key = record.key;
        if self.flows.get(&key).is_some_and(|flow| flow.is_other(&record)) {
            self.remove(&key);
        }
        if !self.flows.contains_key(&key) {
            while self.flows.len() >= self.max {
                let Some((_, silent)) = self.silent.first().copied() else { break };
                self.remove(&silent);
                self.counts.evicted += 1;
            }
            self.flows.insert(key, Flow::new(record.clone(), now));
        }
        let Some(flow) = self.flows.get_mut(&key) else { return };
        self.silent.remove(&(flow.heard, key));
        flow.take(record, pace, now);
        self.silent.insert((now, key));
    }

    /// Lets go of flows that are over or were silent for too long.
    // Cost: a look at every flow, once a frame; a full table takes about a millisecond.
    pub fn expire(&mut self, now: Duration) {
        let gone = |flow: &&Flow| flow.gone_at() <= now;
        let gone: Vec<Key> = self.flows.values().filter(gone).map(|flow| flow.last.key).collect();
        gone.iter().for_each(|key| self.remove(key));
    }

    fn remove(&mut self, key: &Key) {
        if let Some(flow) = self.flows.remove(key) {
            self.silent.remove(&(flow.heard, *key));
        }
    }

    /// One flow.
    pub fn get(&self, key: &Key) -> Option<&Flow> {
        self.flows.get(key)
    }

    /// All, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Flow> {
        self.flows.values()
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How long ago the newest record was heard.
    pub fn quiet(&self, now: Duration) -> Option<Duration> {
        self.newest.map(|(_, heard)| now.saturating_sub(heard))
    }

    /// The middle one of the times that flows' last records told of.
    pub fn usual_interval(&self) -> Option<Duration> {
        let talking = self.iter().filter(|flow| !flow.interval().is_zero());
        let mut intervals: Vec<Duration> = talking.map(Flow::interval).collect();
        let middle = intervals.len() / 2;
        (!intervals.is_empty()).then(|| *intervals.select_nth_unstable(middle).1)
    }

    /// The sum.
    pub fn total(&self, now: Duration) -> Total {
        let mut total = Total::default();
        for flow in self.iter() {
            let [out, back] = flow.side().order(flow.rates(now));
            total.rates = [total.rates[0] + out, total.rates[1] + back];
            match flow.is_over(now) {
                true => total.over += 1,
                false => total.flows += 1,
            }
        }
        total
    }
}

#[cfg(test)]
pub mod tests;
