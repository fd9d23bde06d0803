//! A set of record numbers as ranges.

use std::collections::BTreeMap;
use std::ops::Range;

/// Ranges that neither touch nor overlap: the start leads to the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds a range, growing together with those it touches.
    pub(crate) fn insert(&mut self, Range { mut start, mut end }: Range<u64>) {
        if start >= end {
            return;
        }
        while let Some((&from, &to)) = self.0.range(..=end).next_back() {
            if to < start {
                break;
            }
            (start, end) = (start.min(from), end.max(to));
            self.0.remove(&from);
        }
        self.0.insert(start, end);
    }

    /// True when `number` is in one of them.
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, &end)| number < end)
    }

    /// Forgets everything below `first`.
    pub(crate) fn forget_below(&mut self, first: u64) {
        let kept = self.0.split_off(&first);
        let cut = self.0.last_key_value().map(|(_, &end)| end);
        self.0 = kept;
        if let Some(end) = cut {
            self.insert(first..end);
        }
    }

    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn holds_what_a_plain_set_holds(
            ops in proptest::collection::vec((0u64..60, 0u64..9, any::<bool>()), 0..60)
        ) {
            let (mut ranges, mut plain) = (Ranges::default(), std::collections::BTreeSet::new());
            for (start, length, forgets) in ops {
                if forgets && length == 0 {
                    ranges.forget_below(start);
                    plain.retain(|&number| number >= start);
                } else {
                    ranges.insert(start..start + length);
                    plain.extend(start..start + length);
                }
                for number in 0..70 {
                    prop_assert_eq!(ranges.contains(number), plain.contains(&number));
                }
                let runs = plain.iter().filter(|&&n| n == 0 || !plain.contains(&(n - 1))).count();
                prop_assert_eq!(ranges.len(), runs);
            }
        }
    }
}
