//! Giving codes to addresses and strings while a segment is written.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use weir_model::{Addr, Code, Interner, Table};

use super::Additions;

/// No code of the segment yet.
const UNSEEN: u32 = u32::MAX;

/// The dictionary of a segment that is being written.
///
/// Limit: the entries of one batch may pass any bound; the segment is then rolled before the next.
pub(crate) struct DictionaryWriter {
    table: Table,
    addrs: Vec<Addr>,
    addr_codes: HashTable<u32>,
    hasher: DefaultHashBuilder,
    strings: Interner,
    addrs_taken: usize,
    strings_taken: usize,
}

/// The dictionary while the rows of one batch are coded.
pub(crate) struct BatchCodes<'a> {
    dictionary: &'a mut DictionaryWriter,
    interner: &'a Interner,
    /// Codes of the segment, by codes of the batch.
    strings: Vec<u32>,
}

impl DictionaryWriter {
    pub(crate) fn new(table: Table) -> DictionaryWriter {
        DictionaryWriter {
            table,
            addrs: Vec::new(),
            addr_codes: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            strings: Interner::default(),
            addrs_taken: 0,
            strings_taken: 0,
        }
    }

    /// Continues with entries that an earlier writer gave codes to.
    pub(crate) fn resume(&mut self, additions: &Additions) {
        additions.addrs.iter().for_each(|addr| {
            self.addr(*addr);
        });
        let mut start = 0;
        for end in &additions.ends {
            let end = *end as usize;
            self.strings.intern(additions.octets.get(start..end).unwrap_or_default());
            start = end;
        }
        self.addrs_taken = self.addrs.len();
        self.strings_taken = self.strings.len();
    }

    /// Starts on a batch, whose strings are in `interner`.
    pub(crate) fn begin<'a>(&'a mut self, interner: &'a Interner) -> BatchCodes<'a> {
        let strings = vec![UNSEEN; interner.len()];
        BatchCodes { dictionary: self, interner, strings }
    }

    /// What was added since the last time.
    pub(crate) fn take(&mut self) -> Additions {
        let mut additions = Additions::default();
        additions.addrs.extend_from_slice(&self.addrs[self.addrs_taken..]);
        for code in self.strings_taken..self.strings.len() {
            additions.octets.extend_from_slice(self.strings.get(Code(code as u32)));
            additions.ends.push(additions.octets.len() as u32);
        }
        self.addrs_taken = self.addrs.len();
        self.strings_taken = self.strings.len();
        additions
    }

    /// Every entry.
    pub(crate) fn all(&self) -> Additions {
        let mut all = Additions { addrs: self.addrs.clone(), ..Additions::default() };
        for string in self.strings.iter() {
            all.octets.extend_from_slice(string);
            all.ends.push(all.octets.len() as u32);
        }
        all
    }

    pub(crate) fn addrs(&self) -> &[Addr] {
        &self.addrs
    }

    /// Strings that have a code, and their octets.
    pub(crate) fn strings(&self) -> (usize, usize) {
        (self.strings.len(), self.strings.octets())
    }

    #[inline]
    fn addr(&mut self, addr: Addr) -> Code {
        let hash = self.hasher.hash_one(addr.0);
        let addrs = &self.addrs;
        if let Some(code) = self.addr_codes.find(hash, |code| addrs[*code as usize] == addr) {
            return Code(*code);
        }
        let code = self.addrs.len() as u32;
        self.addrs.push(addr);
        let (addrs, hasher) = (&self.addrs, &self.hasher);
        self.addr_codes.insert_unique(hash, code, |code| hasher.hash_one(addrs[*code as usize].0));
        Code(code)
    }
}

impl BatchCodes<'_> {
    /// Table of the segment.
    pub(crate) fn table(&self) -> Table {
        self.dictionary.table
    }

    /// The code of `addr`.
    #[inline]
    pub(crate) fn addr(&mut self, addr: Addr) -> Code {
        self.dictionary.addr(addr)
    }

    /// The segment's code of the batch's string `code`.
    #[inline]
    pub(crate) fn string(&mut self, code: Code) -> Code {
        match self.strings.get(code.0 as usize) {
            Some(&known) if known != UNSEEN => Code(known),
            _ => self.string_slow(code),
        }
    }

    #[cold]
    fn string_slow(&mut self, code: Code) -> Code {
        let known = self.dictionary.strings.intern(self.interner.get(code));
        if let Some(slot) = self.strings.get_mut(code.0 as usize) {
            *slot = known.0;
        }
        known
    }
}
