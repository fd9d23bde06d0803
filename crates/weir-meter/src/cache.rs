//! The flow cache (RFC 7011 §2: metering process): observations of sources in, records out.
//!
//! Invariants: it holds at most `flows_max` flows; whatever deltas it was given are in exactly one
//! record once the flow has left it; a record is never made twice of the same octets. It reads no
//! clock and does no I/O.

pub(crate) mod flow;
pub(crate) mod rows;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::endpoint::FlowKey;
pub use crate::moment::Moment;
use flow::Flow;
pub use flow::{Count, EndReason, Initiator, Observation, Record, Side, TcpHealth};

/// How long an ended flow waits for the other end of a loopback connection to be told gone too.
const END_LINGER: Duration = Duration::from_secs(1);

/// When the cache reports and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePolicy {
    /// A flow that goes on is reported this often.
    pub active_timeout: Duration,
    /// A flow that was silent for this long is reported and leaves the cache.
    pub idle_timeout: Duration,
    /// A flow is reported for the first time at this age, so that it is seen before
    /// `active_timeout`.
    pub first_report: Duration,
    /// Most flows held. Past it the flow that was silent for longest is reported and leaves.
    pub flows_max: usize,
}

impl Default for CachePolicy {
    fn default() -> CachePolicy {
        CachePolicy {
            active_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(15),
            first_report: Duration::from_secs(5),
            flows_max: 65_536,
        }
    }
}

/// What happened in the cache since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheCounts {
    /// Flows that came in.
    pub begun: u64,
    /// Flows that left at the end of their connection.
    pub ended: u64,
    /// Flows that left after silence.
    pub idle: u64,
    /// Flows that left because the cache was full.
    pub evicted: u64,
}

/// Flows that are being metered.
#[derive(Debug)]
pub struct FlowCache {
    policy: CachePolicy,
    flows: HashMap<FlowKey, Flow>,
    /// The same flows by the time something new was told of them: the order of eviction.
    silent: BTreeSet<(Duration, FlowKey)>,
    counts: CacheCounts,
    records: Vec<Record>,
}

impl FlowCache {
    /// An empty cache.
    pub fn new(policy: CachePolicy) -> FlowCache {
        FlowCache {
            policy,
            flows: HashMap::new(),
            silent: BTreeSet::new(),
            counts: CacheCounts::default(),
            records: Vec::new(),
        }
    }

    /// Flows held.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// True when no flow is held.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// What happened so far.
    pub fn counts(&self) -> CacheCounts {
        self.counts
    }

    /// Takes in what a source has seen.
    pub fn observe(&mut self, seen: &Observation, now: Moment) {
        if self.flows.get(&seen.key).is_some_and(|flow| flow.is_other(seen)) {
            // Why: The endpoints were used again before the end of the former connection was told.
            self.remove(seen.key, EndReason::EndOfFlow, now);
        }
        if !self.flows.contains_key(&seen.key) {
            if !seen.active {
                return;
            }
            self.make_room(now);
            self.flows.insert(seen.key, Flow::new(seen, now));
            self.silent.insert((now.mono, seen.key));
            self.counts.begun += 1;
        }
        let Some(flow) = self.flows.get_mut(&seen.key) else { return };
        let before = flow.changed;
        flow.take(seen, now);
        if flow.changed != before {
            self.silent.remove(&(before, seen.key));
            self.silent.insert((flow.changed, seen.key));
        }
    }

    /// Makes records of what is due.
    // Cost: a look at every flow; 65,536 of them take about a millisecond, once a second.
    pub fn expire(&mut self, now: Moment) {
        let policy = self.policy;
        let since = |then: Duration| now.mono.saturating_sub(then);
        let mut leaving = Vec::new();
        for (key, flow) in &mut self.flows {
            if flow.ended.is_some_and(|ended| since(ended) >= END_LINGER) {
                leaving.push((*key, EndReason::EndOfFlow));
            } else if since(flow.changed) >= policy.idle_timeout {
                leaving.push((*key, EndReason::IdleTimeout));
            } else {
                let due = match flow.reported {
                    Some(reported) => since(reported) >= policy.active_timeout,
                    None => since(flow.seen) >= policy.first_report,
                };
                if due && flow.is_dirty {
                    self.records.push(flow.report(EndReason::ActiveTimeout, now));
                }
            }
        }
        for (key, reason) in leaving {
            self.remove(key, reason, now);
        }
    }

    /// Makes records of everything and empties the cache.
    pub fn flush(&mut self, now: Moment) {
        let keys: Vec<FlowKey> = self.flows.keys().copied().collect();
        for key in keys {
            self.remove(key, EndReason::ForcedEnd, now);
        }
    }

    /// The records made since the last call.
    pub fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    fn make_room(&mut self, now: Moment) {
        while self.flows.len() >= self.policy.flows_max.max(1) {
            let Some((_, key)) = self.silent.first().copied() else { return };
            self.remove(key, EndReason::LackOfResources, now);
        }
    }

    fn remove(&mut self, key: FlowKey, reason: EndReason, now: Moment) {
        let Some(mut flow) = self.flows.remove(&key) else { return };
        self.silent.remove(&(flow.changed, key));
        match reason {
            EndReason::IdleTimeout => self.counts.idle += 1,
            EndReason::LackOfResources => self.counts.evicted += 1,
            _ => self.counts.ended += 1,
        }
        // Why: A flow that ended is told even when nothing was counted since its last record; one
        // that fell silent is not, for its last record has said all there is.
        if flow.is_dirty || reason == EndReason::EndOfFlow {
            self.records.push(flow.report(reason, now));
        }
    }
}

#[cfg(test)]
mod tests;
