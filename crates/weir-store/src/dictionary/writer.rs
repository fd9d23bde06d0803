//! Giving codes to addresses and strings while a segment is written.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;
use weir_model::{Addr, Code, Interner, Table};

use super::Additions;

/// No code of the segment yet.
const UNSEEN: u32 = u32::MAX;

/// Addresses whose places are looked up before the first is compared: the processor waits for
/// memory once, not for each.
const AHEAD: usize = 64;
/// Places of an empty table; a power of two.
const PLACES_MIN: usize = 1 << 10;

/// The dictionary of a segment that is being written.
///
/// Limit: the entries of one batch may pass any bound; the segment is then rolled before the next.
pub(crate) struct DictionaryWriter {
    table: Table,
    addrs: Vec<Addr>,
    /// Codes by hash of their address, in open addressing; [`UNSEEN`] where there is none. At
    /// least half of the places are free.
    places: Vec<u32>,
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
            places: vec![UNSEEN; PLACES_MIN],
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
    fn hash(&self, addr: Addr) -> usize {
        self.hasher.hash_one(addr.0) as usize
    }

    fn addr(&mut self, addr: Addr) -> Code {
        let mut at = self.hash(addr);
        loop {
            let place = at & (self.places.len() - 1);
            match self.places[place] {
                UNSEEN => return self.add(addr, place),
                code if self.addrs[code as usize] == addr => return Code(code),
                _ => at = place + 1,
            }
        }
    }

    #[cold]
    fn add(&mut self, addr: Addr, place: usize) -> Code {
        let code = self.addrs.len() as u32;
        self.addrs.push(addr);
        self.places[place] = code;
        if self.addrs.len() * 2 > self.places.len() {
            self.grow();
        }
        Code(code)
    }

    fn grow(&mut self) {
        let mask = self.places.len() * 4 - 1;
        self.places.clear();
        self.places.resize(mask + 1, UNSEEN);
        for (code, addr) in self.addrs.iter().enumerate() {
            let mut place = self.hash(*addr) & mask;
            while self.places[place] != UNSEEN {
                place = (place + 1) & mask;
            }
            self.places[place] = code as u32;
        }
    }

    fn codes(&mut self, addrs: &[Addr], codes: &mut Vec<Code>) {
        codes.clear();
        codes.reserve(addrs.len());
        let mut guesses = [UNSEEN; AHEAD];
        for addrs in addrs.chunks(AHEAD) {
            let mask = self.places.len() - 1;
            for (guess, addr) in guesses.iter_mut().zip(addrs) {
                *guess = self.places[self.hash(*addr) & mask];
            }
            for (guess, addr) in guesses.iter().zip(addrs) {
                let code = match self.addrs.get(*guess as usize) {
                    Some(known) if known == addr => Code(*guess),
                    _ => self.addr(*addr),
                };
                codes.push(code);
            }
        }
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

    /// The codes of `addrs`, in place of what `codes` held.
    pub(crate) fn addrs(&mut self, addrs: &[Addr], codes: &mut Vec<Code>) {
        self.dictionary.codes(addrs, codes);
    }

    /// Codes of addresses given so far.
    pub(crate) fn addr_count(&self) -> usize {
        self.dictionary.addrs.len()
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
