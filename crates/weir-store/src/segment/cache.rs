//! What is kept in memory of closed segments: indexes of blocks, dictionaries, heads of filters.
//! They are read when they are first wanted; past so many octets those go that were not wanted for
//! longest.
//!
//! Invariant: what was handed out stays valid for whoever holds it; the bound is on what the cache
//! itself holds, save that one thing larger than the bound is kept until another comes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::SegmentId;
use super::index::BlockIndex;
use crate::dictionary::Dictionary;
use crate::filters::FiltersHead;

/// Octets that a cache holds unless it is told otherwise.
pub const CACHE_OCTETS: usize = 64 << 20;

/// A part of a segment.
#[derive(Debug, Clone)]
pub(crate) enum Cached {
    Index(Arc<BlockIndex>),
    Dictionary(Arc<Dictionary>),
    Filters(Arc<FiltersHead>),
}

/// Which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Index,
    Dictionary,
    Filters,
}

#[derive(Debug)]
struct Entry {
    part: Cached,
    octets: usize,
    /// When it was last wanted.
    tick: u64,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<(SegmentId, Kind), Entry>,
    octets: usize,
    tick: u64,
}

/// See the module. Shared by the segments of a store.
#[derive(Debug)]
pub struct SegmentCache {
    octets_max: usize,
    state: Mutex<State>,
    misses: AtomicU64,
    evictions: AtomicU64,
}

/// Numbers of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct CacheNumbers {
    /// Octets held, about.
    pub octets: usize,
    /// Parts that were read from their files.
    pub misses: u64,
    /// Parts that were given up for others.
    pub evictions: u64,
}

impl Default for SegmentCache {
    fn default() -> SegmentCache {
        SegmentCache::new(CACHE_OCTETS)
    }
}

impl SegmentCache {
    /// An empty cache of at most `octets_max`.
    pub fn new(octets_max: usize) -> SegmentCache {
        let (misses, evictions) = (AtomicU64::new(0), AtomicU64::new(0));
        SegmentCache { octets_max, state: Mutex::default(), misses, evictions }
    }

    /// What it holds and did so far.
    pub fn numbers(&self) -> CacheNumbers {
        CacheNumbers {
            octets: self.state().octets,
            misses: self.misses.load(Ordering::Relaxed),
            evictions: self.evictions.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn get(&self, id: SegmentId, kind: Kind) -> Option<Cached> {
        let mut state = self.state();
        state.tick += 1;
        let tick = state.tick;
        let entry = state.entries.get_mut(&(id, kind))?;
        entry.tick = tick;
        Some(entry.part.clone())
    }

    /// Keeps what was read.
    pub(crate) fn put(&self, id: SegmentId, part: Cached, octets: usize) {
        let kind = match part {
            Cached::Index(_) => Kind::Index,
            Cached::Dictionary(_) => Kind::Dictionary,
            Cached::Filters(_) => Kind::Filters,
        };
        self.misses.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        state.tick += 1;
        let tick = state.tick;
        let before = state.entries.insert((id, kind), Entry { part, octets, tick });
        state.octets = state.octets + octets - before.map_or(0, |entry| entry.octets);
        while state.octets > self.octets_max && state.entries.len() > 1 {
            // Cost: a look at every entry, of which there are a few a segment.
            let oldest = state.entries.iter().min_by_key(|(_, entry)| entry.tick);
            let Some(oldest) = oldest.map(|(key, _)| *key) else { break };
            state.octets -= state.entries.remove(&oldest).map_or(0, |entry| entry.octets);
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Gives up all of a segment that is no more.
    pub(crate) fn forget(&self, id: SegmentId) {
        let mut state = self.state();
        for kind in [Kind::Index, Kind::Dictionary, Kind::Filters] {
            state.octets -= state.entries.remove(&(id, kind)).map_or(0, |entry| entry.octets);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_wanted_for_longest_goes_first() {
        let cache = SegmentCache::new(100);
        let index = |id, octets| {
            cache.put(SegmentId(id), Cached::Index(Arc::new(BlockIndex::default())), octets);
        };
        let has = |id| cache.get(SegmentId(id), Kind::Index).is_some();
        index(1, 40);
        index(2, 40);
        assert!(has(1));
        index(3, 40);
        assert_eq!((has(1), has(2), has(3)), (true, false, true));
        assert_eq!(cache.numbers(), CacheNumbers { octets: 80, misses: 3, evictions: 1 });
        index(4, 1_000);
        assert_eq!((has(1), has(3), has(4)), (false, false, true));
        cache.forget(SegmentId(4));
        assert_eq!(cache.numbers().octets, 0);
    }
}
