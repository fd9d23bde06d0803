//! The groups of one cube: from keys to running sums.
//!
//! A bucket of time has a table of its own, so that keys need no time and most blocks touch one
//! table. A group's key and the sums that nearly every record has share one line of the cache.

use std::collections::BTreeMap;

use weir_model::{Cube, Grain};

use super::key::Key;
use super::measures::{ROWS_AT_ONCE, Reverse, Sums};

/// One set of dimensions and its sums.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Group {
    pub(super) key: Key,
    pub(super) sums: Sums,
}

/// The groups of one bucket of time.
#[derive(Default)]
pub(super) struct Bucket {
    pub(super) groups: Vec<Group>,
    /// Sums of the reverse direction, by slot; empty while no record had one.
    pub(super) reverse: Vec<Reverse>,
    /// Open addressing: 0, or the upper half of a key's hash and its slot + 1.
    index: Vec<u64>,
    /// Slots by code, for cubes of one address.
    dense: Option<Vec<u32>>,
    seed: u64,
}

/// Groups of one cube by the minute that their bucket starts in.
pub(super) struct Groups {
    cube: Cube,
    seed: u64,
    buckets: BTreeMap<i64, Bucket>,
    count: usize,
}

/// Buckets of time that get an array of slots; later ones are found by hash.
const DENSE_MAX: usize = 4;
const NONE: u32 = u32::MAX;
const INDEX_MIN: usize = 64;

#[inline]
fn hash(key: Key, seed: u64) -> u64 {
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        product as u64 ^ (product >> 64) as u64
    };
    let mixed = fold(key.low ^ seed, key.high ^ 0xd1b5_4a32_d192_ed03);
    fold(mixed ^ key.low, seed | 1)
}

impl Groups {
    /// Of no record yet. Who does not know `seed` cannot choose keys that collide.
    pub(super) fn new(cube: Cube, seed: u64) -> Groups {
        Groups { cube, seed, buckets: BTreeMap::new(), count: 0 }
    }

    pub(super) fn cube(&self) -> Cube {
        self.cube
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Buckets, oldest first, with the minute in which they start.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (i64, &Bucket)> {
        self.buckets.iter().map(|(minute, bucket)| (*minute, bucket))
    }

    /// Lets `work` add to the bucket that starts at `minute`.
    pub(super) fn with(&mut self, minute: i64, work: impl FnOnce(&mut Bucket)) {
        let by_address = matches!(self.cube, Cube::Sources | Cube::Destinations);
        let dense = by_address && self.buckets.len() < DENSE_MAX;
        let seed = self.seed;
        let bucket = self.buckets.entry(minute).or_insert_with(|| Bucket {
            dense: dense.then(Vec::new),
            seed,
            ..Bucket::default()
        });
        let before = bucket.groups.len();
        work(bucket);
        self.count += bucket.groups.len() - before;
    }

    /// The same sums over buckets of `grain`.
    pub(super) fn coarsen(self, grain: Grain) -> Groups {
        let unit = grain.nanos() / super::MINUTE_NANOS;
        let mut coarse = Groups::new(self.cube, self.seed);
        for (minute, bucket) in self.buckets {
            let start = minute.div_euclid(unit) * unit;
            match coarse.buckets.get_mut(&start) {
                Some(into) => into.absorb(bucket),
                None => {
                    coarse.buckets.insert(start, bucket);
                }
            }
        }
        coarse.count = coarse.buckets.values().map(|bucket| bucket.groups.len()).sum();
        coarse
    }
}

impl Bucket {
    /// The slots of keys, at most [`ROWS_AT_ONCE`]; unknown keys get one.
    pub(super) fn find(&mut self, low: &[u64], high: &[u64], slots: &mut [u32; ROWS_AT_ONCE]) {
        let keys = low.iter().zip(high).map(|(low, high)| Key { low: *low, high: *high });
        if self.dense.is_some() {
            for (key, slot) in keys.zip(slots) {
                *slot = self.slot(key);
            }
            return;
        }
        // Cost: hashes and entries of all keys first, so that the reads of memory overlap.
        let mut hashes = [0; ROWS_AT_ONCE];
        for (key, hashed) in keys.clone().zip(&mut hashes) {
            *hashed = hash(key, self.seed);
        }
        if !self.index.is_empty() {
            let mask = self.index.len() - 1;
            for (hashed, slot) in hashes.iter().zip(slots.iter_mut()).take(low.len()) {
                let entry = self.index[*hashed as usize & mask];
                let known = entry >> 32 == *hashed >> 32 && entry != 0;
                *slot = if known { entry as u32 - 1 } else { NONE };
            }
        } else {
            slots.fill(NONE);
        }
        for ((key, hashed), slot) in keys.zip(hashes).zip(slots) {
            let known = self.groups.get(*slot as usize).is_some_and(|group| group.key == key);
            if !known {
                *slot = self.slot_by_hash(key, hashed);
            }
        }
    }

    /// The slot of a key.
    #[inline]
    pub(super) fn slot(&mut self, key: Key) -> u32 {
        match &self.dense {
            Some(slots) => match slots.get(key.low as usize) {
                Some(slot) if *slot != NONE => *slot,
                _ => self.add_dense(key),
            },
            None => self.slot_by_hash(key, hash(key, self.seed)),
        }
    }

    fn slot_by_hash(&mut self, key: Key, hashed: u64) -> u32 {
        if self.groups.len() * 2 >= self.index.len() {
            self.grow();
        }
        let (mask, tag) = (self.index.len() - 1, hashed >> 32);
        let mut at = hashed as usize & mask;
        loop {
            let entry = self.index[at];
            if entry == 0 {
                break;
            }
            let slot = entry as u32 - 1;
            if entry >> 32 == tag && self.groups[slot as usize].key == key {
                return slot;
            }
            at = (at + 1) & mask;
        }
        let slot = self.add(key);
        self.index[at] = tag << 32 | u64::from(slot + 1);
        slot
    }

    #[cold]
    fn grow(&mut self) {
        let len = (self.groups.len() * 4).next_power_of_two().max(INDEX_MIN);
        let mask = len - 1;
        self.index.clear();
        self.index.resize(len, 0);
        for (slot, group) in self.groups.iter().enumerate() {
            let hashed = hash(group.key, self.seed);
            let mut at = hashed as usize & mask;
            while self.index[at] != 0 {
                at = (at + 1) & mask;
            }
            self.index[at] = hashed >> 32 << 32 | (slot as u64 + 1);
        }
    }

    #[cold]
    fn add_dense(&mut self, key: Key) -> u32 {
        let slot = self.add(key);
        if let Some(slots) = &mut self.dense {
            let code = key.low as usize;
            if code >= slots.len() {
                slots.resize((code + 1).next_power_of_two(), NONE);
            }
            slots[code] = slot;
        }
        slot
    }

    fn add(&mut self, key: Key) -> u32 {
        self.groups.push(Group { key, sums: Sums::default() });
        (self.groups.len() - 1) as u32
    }

    /// The sums of the reverse direction of a slot.
    pub(super) fn reverse_mut(&mut self, slot: u32) -> &mut Reverse {
        if self.reverse.len() < self.groups.len() {
            self.reverse.resize(self.groups.len(), Reverse::default());
        }
        &mut self.reverse[slot as usize]
    }

    fn absorb(&mut self, other: Bucket) {
        for (at, group) in other.groups.iter().enumerate() {
            let slot = self.slot(group.key);
            self.groups[slot as usize].sums.add(&group.sums);
            if let Some(reverse) = other.reverse.get(at) {
                self.reverse_mut(slot).add(reverse);
            }
        }
    }
}
