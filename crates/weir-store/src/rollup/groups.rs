//! The groups of one cube: from keys to running sums.

use hashbrown::HashTable;
use weir_model::Cube;

use super::measures::Sums;

/// Bits of a key that dimensions may take; the minute stands above them.
pub(super) const DIMENSION_BITS: u32 = 100;
/// Minutes are counted from here, so that those of the years 1715 to 2225 fit into 28 bits.
/// Limit: times outside are summed into the first or last of these minutes.
const FIRST_MINUTE: i64 = -(1 << 27);

/// Groups in the order in which they were first seen.
pub(super) struct Groups {
    cube: Cube,
    keys: Vec<u128>,
    sums: Vec<Sums>,
    /// Keys stand beside their slots: a look-up touches one place.
    index: HashTable<(u128, u32)>,
    /// Slots by code, for cubes of one address.
    dense: Vec<Dense>,
}

/// The slots of one bucket of time, by what the key says besides the time.
struct Dense {
    time: u128,
    slots: Vec<u32>,
}

/// Buckets of time that get an array of slots; later ones are found by hash.
const DENSE_MAX: usize = 4;
const NONE: u32 = u32::MAX;

/// The upper part of a key: a bucket of `unit` minutes.
pub(super) fn time_key(minute: i64, unit: i64) -> u128 {
    let start = if unit == 1 { minute } else { minute.div_euclid(unit) * unit };
    let since = (start - FIRST_MINUTE).clamp(0, (1 << 28) - 1);
    (since as u128) << DIMENSION_BITS
}

/// The minute in which the bucket of a key starts.
pub(super) fn minute_of(key: u128) -> i64 {
    (key >> DIMENSION_BITS) as i64 + FIRST_MINUTE
}

#[inline]
fn hash(key: u128) -> u64 {
    // Cost: two multiplications; keys are made by us, so no one can aim at collisions by more
    // than choosing addresses and ports, and then only within one segment's groups.
    let mixed = (key as u64 ^ 0x9e37_79b9_7f4a_7c15) as u128
        * ((key >> 64) as u64 ^ 0xd1b5_4a32_d192_ed03) as u128;
    let folded = (mixed as u64) ^ (mixed >> 64) as u64;
    let again = folded as u128 * 0x9fb2_1c65_1e98_df25_u128;
    (again as u64) ^ (again >> 64) as u64
}

impl Groups {
    pub(super) fn new(cube: Cube) -> Groups {
        let (keys, sums, dense) = Default::default();
        Groups { cube, keys, sums, index: HashTable::new(), dense }
    }

    pub(super) fn cube(&self) -> Cube {
        self.cube
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn keys(&self) -> &[u128] {
        &self.keys
    }

    pub(super) fn sums(&mut self) -> &mut [Sums] {
        &mut self.sums
    }

    pub(super) fn sum(&self, slot: usize) -> &Sums {
        &self.sums[slot]
    }

    /// The slot of every key; unknown keys get one.
    pub(super) fn find(&mut self, keys: &[u128], slots: &mut Vec<u32>) {
        slots.clear();
        let by_address = matches!(self.cube, Cube::Sources | Cube::Destinations);
        let mut last = None;
        for &key in keys {
            let slot = match last {
                Some((known, slot)) if known == key => slot,
                _ if by_address => self.slot_by_code(key),
                _ => self.slot(key),
            };
            last = Some((key, slot));
            slots.push(slot);
        }
    }

    #[inline]
    fn slot(&mut self, key: u128) -> u32 {
        let hashed = hash(key);
        if let Some((_, slot)) = self.index.find(hashed, |(known, _)| *known == key) {
            return *slot;
        }
        let slot = self.add(key);
        self.index.insert_unique(hashed, (key, slot), |(key, _)| hash(*key));
        slot
    }

    #[inline]
    fn slot_by_code(&mut self, key: u128) -> u32 {
        let (time, code) = (key >> DIMENSION_BITS, key as u32 as usize);
        let Some(at) = self.dense.iter().position(|dense| dense.time == time) else {
            if self.dense.len() == DENSE_MAX {
                return self.slot(key);
            }
            self.dense.push(Dense { time, slots: Vec::new() });
            return self.slot_by_code(key);
        };
        let slots = &mut self.dense[at].slots;
        if code >= slots.len() {
            slots.resize((code + 1).next_power_of_two(), NONE);
        }
        match slots[code] {
            NONE => {
                let slot = self.add(key);
                self.dense[at].slots[code] = slot;
                slot
            }
            slot => slot,
        }
    }

    fn add(&mut self, key: u128) -> u32 {
        let slot = self.keys.len() as u32;
        self.keys.push(key);
        self.sums.push(Sums::default());
        slot
    }

    /// The same sums over buckets of `unit` minutes.
    pub(super) fn coarsen(self, unit: i64) -> Groups {
        let dimensions = (1 << DIMENSION_BITS) - 1;
        let coarse = |key: u128| time_key(minute_of(key), unit) | key & dimensions;
        if self.keys.iter().all(|key| coarse(*key) == *key) {
            return self;
        }
        let mut groups = Groups::new(self.cube);
        for (key, sums) in self.keys.iter().zip(&self.sums) {
            let slot = groups.slot(coarse(*key));
            groups.sums[slot as usize].add(sums);
        }
        groups
    }
}
