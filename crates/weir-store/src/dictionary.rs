//! Dictionaries of a segment: every address and every string once, named by dense codes in the
//! order they were first seen.
//!
//! Invariant: codes are append-only, so a dictionary that covers the newest frame covers every
//! frame before it.

use weir_model::{Addr, Code};

mod codec;
mod shared;
mod writer;

pub(crate) use codec::{decode, encode};
pub(crate) use shared::SharedDictionary;
pub(crate) use writer::{BatchCodes, DictionaryWriter};

/// What a frame adds to the dictionary, in the order of codes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Additions {
    pub(crate) addrs: Vec<Addr>,
    pub(crate) octets: Vec<u8>,
    /// Where each string ends in `octets`.
    pub(crate) ends: Vec<u32>,
}

impl Additions {
    pub(crate) fn is_empty(&self) -> bool {
        self.addrs.is_empty() && self.ends.is_empty()
    }
}

/// The addresses and strings that the codes of a segment name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dictionary {
    addrs: Vec<Addr>,
    octets: Vec<u8>,
    ends: Vec<u32>,
}

impl Dictionary {
    /// Every address; the index is the code.
    pub fn addrs(&self) -> &[Addr] {
        &self.addrs
    }

    /// The address behind `code`.
    #[inline]
    pub fn addr(&self, code: Code) -> Option<Addr> {
        self.addrs.get(code.0 as usize).copied()
    }

    /// Octets it takes in memory, about.
    pub(crate) fn octets(&self) -> usize {
        self.addrs.capacity() * 16 + self.octets.capacity() + self.ends.capacity() * 4
    }

    /// The code of `addr`, if it has one. Looks at every address.
    pub fn find_addr(&self, addr: Addr) -> Option<Code> {
        let found = self.addrs.iter().position(|known| *known == addr)?;
        u32::try_from(found).ok().map(Code)
    }

    /// Number of strings.
    pub fn strings_len(&self) -> usize {
        self.ends.len()
    }

    /// The octets behind `code`; empty for a code that the dictionary does not have.
    #[inline]
    pub fn string(&self, code: Code) -> &[u8] {
        let code = code.0 as usize;
        let start = match code {
            0 => 0,
            _ => self.ends.get(code - 1).copied().unwrap_or(u32::MAX) as usize,
        };
        let end = self.ends.get(code).copied().unwrap_or(0) as usize;
        self.octets.get(start..end).unwrap_or_default()
    }

    /// Every string in the order of codes.
    pub fn strings(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).map(|code| self.string(Code(code as u32)))
    }

    /// The code of `value`, if it has one. Looks at every string.
    pub fn find_string(&self, value: &[u8]) -> Option<Code> {
        let found = self.strings().position(|known| known == value)?;
        u32::try_from(found).ok().map(Code)
    }

    /// Octets of all strings.
    pub fn string_octets(&self) -> usize {
        self.octets.len()
    }

    /// Gives the next codes to `additions`.
    pub(crate) fn extend(&mut self, additions: &Additions) {
        self.addrs.extend_from_slice(&additions.addrs);
        let start = self.octets.len() as u32;
        self.octets.extend_from_slice(&additions.octets);
        self.ends.extend(additions.ends.iter().map(|end| start.saturating_add(*end)));
    }
}

impl From<Additions> for Dictionary {
    fn from(all: Additions) -> Dictionary {
        Dictionary { addrs: all.addrs, octets: all.octets, ends: all.ends }
    }
}
