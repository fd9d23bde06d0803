//! Label values that peers make up, with a bound.

use std::collections::HashSet;
use std::hash::Hash;

/// The label value of everything past the cap.
pub const OTHER: &str = "other";

/// Admits the first `max` distinct values and no more: a thousand spoofed exporters must not
/// become a thousand time series. Values keep their place for the life of the process, so a
/// series never changes its meaning.
#[derive(Debug)]
pub struct CappedLabels<K> {
    known: HashSet<K>,
    max: usize,
}

impl<K: Hash + Eq + Clone> CappedLabels<K> {
    /// Admits `max` distinct values.
    pub fn new(max: usize) -> CappedLabels<K> {
        CappedLabels { known: HashSet::new(), max }
    }

    /// True when `key` has a series of its own; false when it belongs under [`OTHER`].
    pub fn admit(&mut self, key: &K) -> bool {
        if self.known.contains(key) {
            return true;
        }
        let room = self.known.len() < self.max;
        if room {
            self.known.insert(key.clone());
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_past_the_cap_stay_outside_and_earlier_ones_inside() {
        let mut labels = CappedLabels::new(2);
        let admitted = ["a", "b", "c", "a", "c"].map(|key| labels.admit(&key));
        assert_eq!(admitted, [true, true, false, true, false]);
    }
}
