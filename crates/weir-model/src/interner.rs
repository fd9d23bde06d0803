//! Strings and octet strings of a batch, each kept once and named by a code.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

use crate::values::Code;

/// Octet strings numbered in the order they were first seen. Codes are dense from 0.
/// Bounded by its owner: a batch is full when [`Interner::octets`] passes its limit.
#[derive(Debug, Clone, Default)]
pub struct Interner {
    octets: Vec<u8>,
    ends: Vec<u32>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Interner {
    /// The code of `value`, which is copied if it is new.
    pub fn intern(&mut self, value: &[u8]) -> Code {
        let hash = self.hasher.hash_one(value);
        let (octets, ends) = (&self.octets, &self.ends);
        if let Some(&code) = self.table.find(hash, |&code| slice(octets, ends, code) == value) {
            return Code(code);
        }
        let code = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.octets.extend_from_slice(value);
        self.ends.push(u32::try_from(self.octets.len()).unwrap_or(u32::MAX));
        let (octets, ends, hasher) = (&self.octets, &self.ends, &self.hasher);
        self.table.insert_unique(hash, code, |&c| hasher.hash_one(slice(octets, ends, c)));
        Code(code)
    }

    /// The code of `value`, if it has one.
    pub fn find(&self, value: &[u8]) -> Option<Code> {
        let hash = self.hasher.hash_one(value);
        self.table
            .find(hash, |&code| slice(&self.octets, &self.ends, code) == value)
            .map(|&c| Code(c))
    }

    /// The octets behind `code`; empty for a code this interner never gave.
    #[inline]
    pub fn get(&self, code: Code) -> &[u8] {
        slice(&self.octets, &self.ends, code.0)
    }

    /// Number of distinct values.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when nothing was interned.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Octets held by all values.
    pub fn octets(&self) -> usize {
        self.octets.len()
    }

    /// All values in the order of their codes.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|code| self.get(Code(code as u32)))
    }

    /// Forgets every value and keeps the memory.
    pub fn clear(&mut self) {
        self.octets.clear();
        self.ends.clear();
        self.table.clear();
    }
}

fn slice<'a>(octets: &'a [u8], ends: &[u32], code: u32) -> &'a [u8] {
    let code = code as usize;
    let start =
        if code == 0 { 0 } else { ends.get(code - 1).copied().unwrap_or(u32::MAX) as usize };
    let end = ends.get(code).copied().unwrap_or(0) as usize;
    octets.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_a_code() {
        let mut interner = Interner::default();
        let codes: Vec<_> = ["a", "", "bc", "a", ""].map(|s| interner.intern(s.as_bytes())).into();
        assert_eq!(codes, [Code(0), Code(1), Code(2), Code(0), Code(1)]);
        assert_eq!(interner.get(Code(2)), b"bc");
        assert_eq!(interner.get(Code(1)), b"");
        assert_eq!(interner.get(Code(9)), b"");
        assert_eq!(interner.find(b"zz"), None);
        assert_eq!((interner.len(), interner.octets()), (3, 3));
    }
}
