//! A map whose copies share what they have in common: the decoding pass holds a snapshot of an
//! exporter's names for every message in the queue, and any message may change a name.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, LazyLock};

use hashbrown::{DefaultHashBuilder, HashMap};

/// Parts of a map. A change copies one of them, and a pointer to each of the others.
const PARTS: usize = 64;

/// Seeded at random, so that no exporter can choose keys that fall into one part.
static SPREAD: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

/// A map that is cheap to clone and cheap to change after that.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shared<K: Hash + Eq, V> {
    /// None, or [`PARTS`].
    parts: Vec<Arc<HashMap<K, V>>>,
    len: usize,
}

impl<K: Hash + Eq, V> Default for Shared<K, V> {
    fn default() -> Shared<K, V> {
        Shared { parts: Vec::new(), len: 0 }
    }
}

impl<K: Hash + Eq, V> Shared<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.parts.get(part(key))?.get(key)
    }

    /// Every entry, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.parts.iter().flat_map(|part| part.iter())
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Shared<K, V> {
    /// Puts an entry in, in place of the one with the same key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.parts.is_empty() {
            self.parts.resize_with(PARTS, Arc::default);
        }
        let part = Arc::make_mut(&mut self.parts[part(&key)]);
        self.len += usize::from(part.insert(key, value).is_none());
    }
}

fn part<Q: Hash + ?Sized>(key: &Q) -> usize {
    (SPREAD.hash_one(key) >> 32) as usize % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_copies_one_part_and_leaves_the_snapshot() {
        let mut map = Shared::default();
        for key in 0..1_000u32 {
            map.insert(key, key);
        }
        let snapshot = map.clone();
        map.insert(7, 70);
        map.insert(1_000, 1_000);
        assert_eq!((snapshot.get(&7), snapshot.len()), (Some(&7), 1_000));
        assert_eq!((map.get(&7), map.len(), map.iter().count()), (Some(&70), 1_001, 1_001));
        let pairs = map.parts.iter().zip(&snapshot.parts);
        let copied = pairs.filter(|(new, old)| !Arc::ptr_eq(new, old)).count();
        assert!((1..=2).contains(&copied), "{copied}");
    }
}
