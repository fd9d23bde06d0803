//! The flow cache (RFC 7011 §2: metering process): observations of sources in, records out.
//!
//! Invariants: it holds at most `flows_max` flows; whatever deltas it was given are in exactly one
//! record once the flow has left it; a record is never made twice of the same octets. It reads no
//! clock and does no I/O.

mod aliases;
mod flow;
mod left;
mod names;
mod observation;
pub(crate) mod rows;
mod view;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::endpoint::FlowKey;
pub use crate::moment::Moment;
use aliases::Aliases;
pub use aliases::Translation;
use flow::Flow;
use left::Left;
pub use names::Names;
use names::Waiting;
pub use observation::{
    Count, Drops, EndReason, Initiator, Interface, Nat, Observation, Record, Side, SourceKind,
    TcpHealth, Tunnel,
};

/// How long an ended flow waits for the other end of a loopback connection to be told gone too,
/// and for what other sources have seen of its last packets.
const END_LINGER: Duration = Duration::from_secs(2);

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
    /// Octets that a source told of a flow that has left, after a better one had told them.
    pub absorbed_octets: u64,
    /// Packets that were dropped of a flow that has left, which no row tells.
    pub absorbed_drops: u64,
    /// Translations known now.
    pub translations: u64,
    /// Translations forgotten because there were too many.
    pub translations_evicted: u64,
    /// Names whose flow never came.
    pub names_given_up: u64,
}

/// What became of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// Its counts are those that are told of the flow.
    Told,
    /// A better source tells of this flow, or has told of it lately.
    Better,
}

/// Flows that are being metered.
#[derive(Debug)]
pub struct FlowCache {
    policy: CachePolicy,
    flows: HashMap<FlowKey, Flow>,
    /// The same flows by the time something new was told of them: the order of eviction.
    silent: BTreeSet<(Duration, FlowKey)>,
    aliases: Aliases,
    left: Left,
    waiting: Waiting,
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
            aliases: Aliases::new(policy.flows_max),
            left: Left::new(policy.flows_max),
            waiting: Waiting::default(),
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

    /// Flows of which an end is in a pod.
    pub(crate) fn flows_of_pods(&self) -> usize {
        self.flows.values().filter(|flow| flow.has_pod()).count()
    }

    /// What happened so far.
    pub fn counts(&self) -> CacheCounts {
        CacheCounts {
            translations: self.aliases.len() as u64,
            translations_evicted: self.aliases.evicted,
            names_given_up: self.waiting.given_up,
            ..self.counts
        }
    }

    /// Takes in what a source has seen.
    pub fn observe(&mut self, seen: &Observation, now: Moment) -> Observed {
        match self.aliases.resolve(seen) {
            Some(resolved) => self.take(&resolved, now),
            None => self.take(seen, now),
        }
    }

    /// True when a better source than `source` tells of the flow, or has told of it lately: what
    /// `source` counts of it need not be asked for.
    pub fn has_better(&self, key: FlowKey, source: SourceKind, now: Moment) -> bool {
        let key = self.aliases.key(key);
        match self.flows.get(&key) {
            Some(flow) => flow.best().is_some_and(|best| best < source),
            None => self.left.has_better(key, source, now.mono),
        }
    }

    fn take(&mut self, seen: &Observation, now: Moment) -> Observed {
        if self.flows.get(&seen.key).is_some_and(|flow| flow.is_other(seen)) {
            // That the former connection is gone was clear when this one came.
            if !seen.active {
                return Observed::Told;
            }
            // Why: The endpoints were used again before the end of the former connection was told.
            self.remove(seen.key, EndReason::EndOfFlow, now);
        }
        if !self.flows.contains_key(&seen.key) {
            if self.left.has_better(seen.key, seen.source, now.mono) {
                let octets = seen.sent.octets.saturating_add(seen.received.octets);
                self.counts.absorbed_octets = self.counts.absorbed_octets.saturating_add(octets);
                // Why: Nearly every connection has a last packet that comes too late, and a row for
                // each would double the rows.
                let dropped = seen.drops.as_ref().map_or(0, |drops| drops.count.packets);
                self.counts.absorbed_drops = self.counts.absorbed_drops.saturating_add(dropped);
                return Observed::Better;
            }
            if !seen.active {
                return Observed::Told;
            }
            self.make_room(now);
            let mut flow = Flow::new(seen, now);
            flow.names = self.waiting.take(seen.key).map(Arc::new);
            self.flows.insert(seen.key, flow);
            self.left.forget(seen.key);
            self.silent.insert((now.mono, seen.key));
            self.counts.begun += 1;
        }
        let Some(flow) = self.flows.get_mut(&seen.key) else { return Observed::Told };
        let before = flow.changed;
        flow.take(seen, now);
        if flow.changed != before {
            self.silent.remove(&(before, seen.key));
            self.silent.insert((flow.changed, seen.key));
        }
        match flow.best().is_some_and(|best| best < seen.source) {
            true => Observed::Better,
            false => Observed::Told,
        }
    }

    /// Learns that a connection is translated. Whatever sources tell by its other addresses is the
    /// same flow from now on, and so is what they have told and was not reported yet.
    pub fn translate(&mut self, translation: &Translation, now: Moment) {
        let (key, initiator) = translation.key();
        for (other, swap) in self.aliases.learn(translation) {
            let Some(flow) = self.flows.get(&other) else { continue };
            if flow.reported.is_some() {
                // What was reported under these addresses stays so; the rest goes on under the flow's.
                self.remove(other, EndReason::ForcedEnd, now);
                continue;
            }
            self.silent.remove(&(flow.changed, other));
            let Some(flow) = self.flows.remove(&other) else { continue };
            self.counts.begun -= 1;
            let sure = Initiator { end: initiator, sure: true };
            if !self.flows.contains_key(&key) {
                let began = flow.emptied(key, sure, now);
                self.silent.insert((now.mono, key));
                self.flows.insert(key, began);
                self.counts.begun += 1;
            }
            if let Some(canonical) = self.flows.get_mut(&key) {
                canonical.merge(flow, swap);
            }
        }
    }

    /// The translation is over: its addresses may mean another connection from now on.
    pub fn untranslate(&mut self, translation: &Translation) {
        self.aliases.forget(translation);
    }

    /// Adds names to the flow, or keeps them for a while until it comes.
    pub fn annotate(&mut self, key: FlowKey, names: &Names, now: Moment) {
        let key = self.aliases.key(key);
        match self.flows.get_mut(&key) {
            Some(flow) => {
                let known = flow.names.get_or_insert_default();
                Arc::make_mut(known).update(names);
                flow.is_dirty = true;
            }
            None => self.waiting.put(key, names, now.mono),
        }
    }

    /// Makes records of what is due.
    // Cost: a look at every flow; 65,536 of them take about a millisecond, at most twenty times a second.
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
                    let nat = self.aliases.nat(*key);
                    self.records.push(flow.report(EndReason::ActiveTimeout, nat, now));
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
        if let Some(best) = flow.best() {
            self.left.remember(key, best, now.mono);
        }
        // Why: A flow that ended is told even when nothing was counted since its last record; one
        // that fell silent is not, for its last record has said all there is.
        if flow.is_dirty || reason == EndReason::EndOfFlow {
            let nat = self.aliases.nat(key);
            self.records.push(flow.report(reason, nat, now));
        }
    }
}

#[cfg(test)]
mod tests;
