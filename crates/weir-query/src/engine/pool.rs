//! Numbers for values, the same in every part of a query: addresses, strings, wide numbers and
//! whole keys get dense ids, so that groups of different segments meet.

use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::{DefaultHashBuilder, HashMap};
use weir_model::{Addr, Code, Interner};

/// Values numbered in the order they came.
#[derive(Debug)]
pub(crate) struct Ids<T> {
    ids: HashMap<T, u32>,
    values: Vec<T>,
}

impl<T> Default for Ids<T> {
    fn default() -> Ids<T> {
        Ids { ids: HashMap::default(), values: Vec::new() }
    }
}

impl<T: Copy + Eq + Hash> Ids<T> {
    pub fn id(&mut self, value: T) -> u32 {
        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        *self.ids.entry(value).or_insert_with(|| {
            self.values.push(value);
            next
        })
    }

    pub fn get(&self, id: u32) -> Option<T> {
        self.values.get(id as usize).copied()
    }

    fn octets(&self) -> usize {
        self.values.len() * (2 * size_of::<T>() + 8)
    }
}

/// Parts of [`Shards`].
const SHARDS: u32 = 16;

/// Values numbered by several threads at once: a value's hash says which part numbers it. The ids
/// are as dense as hashes are even.
#[derive(Debug, Default)]
pub(crate) struct Shards<T> {
    hasher: DefaultHashBuilder,
    parts: [Mutex<Ids<T>>; SHARDS as usize],
}

impl<T: Copy + Eq + Hash> Shards<T> {
    pub fn id(&self, value: T) -> u32 {
        // The tables inside go by the lower bits of a hash of their own.
        let shard = (self.hasher.hash_one(value) >> 40) as u32 % SHARDS;
        let id = lock(&self.parts[shard as usize]).id(value);
        id.saturating_mul(SHARDS).saturating_add(shard)
    }

    pub fn get(&self, id: u32) -> Option<T> {
        lock(&self.parts[(id % SHARDS) as usize]).get(id / SHARDS)
    }

    fn octets(&self) -> usize {
        self.parts.iter().map(|part| lock(part).octets()).sum()
    }
}

/// The ids of one query, shared by its threads.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    addrs: Shards<Addr>,
    strings: Mutex<Interner>,
    words: Mutex<Ids<u64>>,
    keys: Mutex<Ids<u128>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Why: a thread that panicked while it held the lock has ended the query anyway.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    pub fn addrs(&self) -> &Shards<Addr> {
        &self.addrs
    }

    pub fn strings(&self) -> MutexGuard<'_, Interner> {
        lock(&self.strings)
    }

    pub fn words(&self) -> MutexGuard<'_, Ids<u64>> {
        lock(&self.words)
    }

    pub fn keys(&self) -> MutexGuard<'_, Ids<u128>> {
        lock(&self.keys)
    }

    /// The string behind an id.
    pub fn string(&self, id: u32) -> Vec<u8> {
        self.strings().get(Code(id)).to_vec()
    }

    /// Octets held, about.
    pub fn octets(&self) -> usize {
        let strings = self.strings();
        let strings = strings.octets() + strings.len() * 16;
        self.addrs().octets() + self.words().octets() + self.keys().octets() + strings
    }
}
