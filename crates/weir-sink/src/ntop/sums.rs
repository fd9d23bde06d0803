//! Sums of what records tell as differences and ntop's JSON as totals.

use std::collections::HashMap;
use std::mem;

use weir_model::Addr;

/// A flow: its exporter, and the exporter's number of it.
pub(super) type Flow = (Addr, u64);

/// Sums by flow and direction. At most twice `max` flows: when `max` are new, those that told
/// nothing since that happened the last time are forgotten, and begin at 0 again.
#[derive(Debug)]
pub(super) struct Sums {
    max: usize,
    new: HashMap<Flow, u64>,
    old: HashMap<Flow, u64>,
}

impl Sums {
    pub(super) fn new(max: usize) -> Sums {
        Sums { max, new: HashMap::new(), old: HashMap::new() }
    }

    /// Adds to the sum of a flow, which is forgotten afterwards if it `ended`.
    pub(super) fn add(&mut self, flow: Flow, more: u64, ended: bool) -> u64 {
        let before = self.new.remove(&flow).or_else(|| self.old.remove(&flow)).unwrap_or(0);
        let sum = before.saturating_add(more);
        // Why: most flows have nothing to sum, and are not held for it.
        if !ended && sum > 0 {
            if self.new.len() >= self.max {
                self.old = mem::take(&mut self.new);
            }
            self.new.insert(flow, sum);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_are_summed_until_they_end_and_the_silent_are_forgotten_first() {
        let mut sums = Sums::new(2);
        let flow = |id| (Addr::v4(1), id);
        assert_eq!((sums.add(flow(1), 3, false), sums.add(flow(1), 4, false)), (3, 7));
        assert_eq!((sums.add(flow(1), 1, true), sums.add(flow(1), 1, true)), (8, 1));
        for id in 2..=4 {
            sums.add(flow(id), 1, false);
        }
        assert_eq!(sums.add(flow(2), 0, false), 1, "of the generation before");
        sums.add(flow(5), 1, false);
        assert_eq!((sums.add(flow(3), 0, false), sums.add(flow(4), 0, false)), (0, 1));
        assert!(sums.new.len() + sums.old.len() <= 4);
    }
}
