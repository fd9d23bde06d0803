//! The closed list of reasons for which Weir itself loses something.

use weir_telemetry::Label;
use weir_wire::{DropReason, Dropped, Tally};

use crate::sink::SinkLoss;

/// Why something that arrived was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The sender is not on the list of allowed exporters.
    NotAllowed,
    /// Decoding did not keep up and the queue was at its bound.
    QueueFull,
    /// The datagram was longer than what was received of it.
    Truncated,
    /// Decoding refused it.
    Wire(DropReason),
    /// The sink lost it.
    Sink(SinkLoss),
}

const OWN: usize = 3;
const WIRE: usize = DropReason::ALL.len();
const SINK: usize = SinkLoss::COUNT;

const fn all() -> [Reason; OWN + WIRE + SINK] {
    let mut all = [Reason::NotAllowed; OWN + WIRE + SINK];
    all[1] = Reason::QueueFull;
    all[2] = Reason::Truncated;
    let mut i = 0;
    while i < WIRE {
        all[OWN + i] = Reason::Wire(DropReason::ALL[i]);
        i += 1;
    }
    let mut i = 0;
    while i < SINK {
        all[OWN + WIRE + i] = Reason::Sink(<SinkLoss as Label>::ALL[i]);
        i += 1;
    }
    all
}

impl Reason {
    /// How many there are.
    pub const COUNT: usize = OWN + WIRE + SINK;

    /// All, in the order of their numbers.
    pub const ALL: [Reason; Reason::COUNT] = all();

    /// Position in [`Reason::ALL`].
    pub const fn number(self) -> usize {
        match self {
            Reason::NotAllowed => 0,
            Reason::QueueFull => 1,
            Reason::Truncated => 2,
            Reason::Wire(reason) => OWN + reason as usize,
            Reason::Sink(loss) => OWN + WIRE + loss as usize,
        }
    }

    /// The word for labels and pages.
    pub fn name(self) -> &'static str {
        match self {
            Reason::NotAllowed => "not_allowed",
            Reason::QueueFull => "queue_full",
            Reason::Truncated => "truncated",
            Reason::Wire(reason) => reason.name(),
            Reason::Sink(SinkLoss::DiskFull) => "sink_disk_full",
            Reason::Sink(SinkLoss::Io) => "sink_io",
            Reason::Sink(SinkLoss::Closed) => "sink_closed",
            Reason::Sink(SinkLoss::Refused) => "sink_refused",
            Reason::Sink(SinkLoss::Panicked) => "sink_panicked",
        }
    }

    /// The drops of a tally that are not zero.
    pub(crate) fn of_wire(tally: &Tally) -> impl Iterator<Item = (Reason, Dropped)> + '_ {
        let nonzero = |dropped: &Dropped| *dropped != Dropped::default();
        // Cost: most messages have no losses, and this is asked of every message.
        let drops = tally.drops.as_deref().map_or(&[][..], |drops| &drops[..]);
        let reasons = DropReason::ALL.into_iter().zip(drops);
        reasons.filter(move |(_, dropped)| nonzero(dropped)).map(|(r, d)| (Reason::Wire(r), *d))
    }
}

impl Label for Reason {
    const NAME: &'static str = "reason";
    const ALL: &'static [Reason] = &Reason::ALL;

    fn index(self) -> usize {
        self.number()
    }

    fn value(self) -> &'static str {
        self.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_are_positions_and_names_are_unique() {
        let numbers: Vec<_> = Reason::ALL.iter().map(|reason| reason.number()).collect();
        assert_eq!(numbers, (0..Reason::COUNT).collect::<Vec<_>>());
        let names: HashSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::COUNT);
    }
}
