//! Drops by exporter and reason, for a bounded number of exporters.

use std::collections::HashMap;
use std::net::IpAddr;

use weir_wire::Dropped;

use super::Reason;

/// Number of reasons: the length of [`ExporterDrops::dropped`].
pub const REASONS: usize = Reason::COUNT;

/// What was dropped of one exporter's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExporterDrops {
    /// The sender's address; `None` sums those past the bound.
    pub exporter: Option<IpAddr>,
    /// By [`Reason`].
    pub dropped: [Dropped; REASONS],
}

/// Senders can be made up, so their number is bounded: who comes later is summed.
#[derive(Debug)]
pub(super) struct Exporters {
    known: HashMap<IpAddr, Box<[Dropped; REASONS]>>,
    others: Box<[Dropped; REASONS]>,
    max: usize,
}

impl Exporters {
    pub(super) fn new(max: usize) -> Exporters {
        Exporters { known: HashMap::new(), others: Box::default(), max }
    }

    pub(super) fn charge(&mut self, exporter: IpAddr, reason: Reason, dropped: Dropped) {
        let room = self.known.len() < self.max;
        let entries = match self.known.get_mut(&exporter) {
            Some(entries) => entries,
            None if room => self.known.entry(exporter).or_default(),
            None => &mut self.others,
        };
        let entry = &mut entries[reason.number()];
        entry.messages += dropped.messages;
        entry.sets += dropped.sets;
        entry.records += dropped.records;
        entry.octets += dropped.octets;
    }

    pub(super) fn snapshot(&self) -> Vec<ExporterDrops> {
        let known = self.known.iter().map(|(addr, dropped)| (Some(*addr), dropped));
        let any = self.others.iter().any(|entry| *entry != Dropped::default());
        let others = any.then_some((None, &self.others));
        known
            .chain(others)
            .map(|(exporter, dropped)| ExporterDrops { exporter, dropped: **dropped })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exporters_past_the_bound_are_summed() {
        let mut exporters = Exporters::new(1);
        let dropped = Dropped { messages: 1, sets: 2, records: 3, octets: 4 };
        for last in [1, 2, 3, 1] {
            exporters.charge(IpAddr::from([10, 0, 0, last]), Reason::QueueFull, dropped);
        }
        let twice = Dropped { messages: 2, sets: 4, records: 6, octets: 8 };
        let found: Vec<_> = exporters
            .snapshot()
            .into_iter()
            .map(|drops| (drops.exporter, drops.dropped[Reason::QueueFull.number()]))
            .collect();
        assert_eq!(found, [(Some(IpAddr::from([10, 0, 0, 1])), twice), (None, twice)]);
    }
}
