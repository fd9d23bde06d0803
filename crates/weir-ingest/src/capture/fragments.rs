//! Joins IP fragments, bounded in number, size and pieces.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;

/// Datagrams being joined at one time. Past it the oldest is given up.
const PENDING_MAX: usize = 256;

/// Longest IP payload.
const LENGTH_MAX: usize = 65_535;

/// What the fragments of one datagram have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) proto: u8,
    pub(super) id: u32,
}

/// One fragment.
#[derive(Debug)]
pub(super) struct Fragment<'a> {
    pub(super) offset: usize,
    pub(super) is_last: bool,
    pub(super) octets: &'a [u8],
}

#[derive(Debug, Default)]
struct Pending {
    pieces: BTreeMap<usize, Vec<u8>>,
    octets: usize,
    length: Option<usize>,
}

/// Datagrams of which some fragments came.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    pending: HashMap<Key, Pending>,
    /// Keys in the order of their first fragment; may name datagrams that are already done.
    order: VecDeque<Key>,
    lost: u64,
}

impl Fragments {
    /// Fragments that were given up.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Gives up all that is not complete: the capture has ended.
    pub(super) fn give_up(&mut self) {
        self.lost += self.pending.values().map(|p| p.pieces.len() as u64).sum::<u64>();
        self.pending.clear();
        self.order.clear();
    }

    /// Adds a fragment; gives the whole payload when it was the last one missing.
    pub(super) fn add(&mut self, key: Key, fragment: &Fragment<'_>) -> Option<Vec<u8>> {
        let end = fragment.offset + fragment.octets.len();
        if end > LENGTH_MAX || fragment.octets.is_empty() {
            self.lost += 1;
            return None;
        }
        if !self.pending.contains_key(&key) {
            self.make_room();
            self.order.push_back(key);
        }
        let pending = self.pending.entry(key).or_default();
        if fragment.is_last {
            pending.length = Some(end);
        }
        // A repeated fragment changes nothing; an overlapping one leaves a gap and is given up.
        if let Entry::Vacant(place) = pending.pieces.entry(fragment.offset) {
            place.insert(fragment.octets.to_vec());
            pending.octets += fragment.octets.len();
        }
        if pending.octets > LENGTH_MAX {
            self.lost += pending.pieces.len() as u64;
            self.forget(&key);
            return None;
        }
        let whole = pending.whole()?;
        self.forget(&key);
        Some(whole)
    }

    fn forget(&mut self, key: &Key) {
        self.pending.remove(key);
        self.order.retain(|known| known != key);
    }

    fn make_room(&mut self) {
        while self.pending.len() >= PENDING_MAX {
            let Some(oldest) = self.order.pop_front() else { return };
            let pieces = self.pending.remove(&oldest).map_or(0, |pending| pending.pieces.len());
            self.lost += pieces as u64;
        }
    }
}

impl Pending {
    fn whole(&self) -> Option<Vec<u8>> {
        let length = self.length?;
        let mut next = 0;
        for (offset, piece) in &self.pieces {
            if *offset != next {
                return None;
            }
            next += piece.len();
        }
        if next != length {
            return None;
        }
        Some(self.pieces.values().flatten().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_that_overlap_hold_no_more_than_one_datagram() {
        let here = IpAddr::from([192, 0, 2, 1]);
        let key = Key { source: here, destination: here, proto: 17, id: 7 };
        let octets = [0; 40_000];
        let mut fragments = Fragments::default();
        for offset in [8, 16] {
            let fragment = Fragment { offset, is_last: false, octets: &octets };
            assert_eq!(fragments.add(key, &fragment), None);
        }
        assert_eq!((fragments.lost(), fragments.pending.len(), fragments.order.len()), (2, 0, 0));
    }
}
