//! Numbers for values, the same in every part of a query: addresses, strings, wide numbers and
//! whole keys get dense ids, so that groups of different segments meet.

use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;
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

/// The ids of one query, shared by its threads.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    addrs: Mutex<Ids<Addr>>,
    strings: Mutex<Interner>,
    words: Mutex<Ids<u64>>,
    keys: Mutex<Ids<u128>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Why: a thread that panicked while it held the lock has ended the query anyway.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    pub fn addrs(&self) -> MutexGuard<'_, Ids<Addr>> {
        lock(&self.addrs)
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
