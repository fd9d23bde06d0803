//! Sums by the codes of one column, while the blocks of one part are read: what a row costs is one
//! addition. Codes become values once a part.

use weir_model::{Code, Scalar, Values};
use weir_store::BlockColumn;

/// Sums of figures by code; belongs to one thread and one part.
#[derive(Debug)]
pub(super) struct Coded {
    /// By figure, then by code.
    sums: Vec<Vec<u64>>,
    seen: Vec<bool>,
}

impl Coded {
    pub fn new(figures: usize) -> Coded {
        Coded { sums: vec![Vec::new(); figures], seen: Vec::new() }
    }

    /// Makes room for these codes; before anything is added for them.
    pub fn see(&mut self, codes: &[Code]) {
        let most = codes.iter().map(|code| code.0 as usize + 1).max().unwrap_or(0);
        if most > self.seen.len() {
            let len = most.next_power_of_two();
            self.seen.resize(len, false);
            self.sums.iter_mut().for_each(|sums| sums.resize(len, 0));
        }
        for code in codes {
            self.seen[code.0 as usize] = true;
        }
    }

    /// Adds the same to figure `at` for each row.
    pub fn add_same(&mut self, at: usize, codes: &[Code], value: u64) {
        let Some(sums) = self.sums.get_mut(at) else { return };
        for code in codes {
            let sum = &mut sums[code.0 as usize];
            *sum = sum.saturating_add(value);
        }
    }

    /// Adds the values of a column to figure `at`, times `factor`. Null rows hold 0.
    pub fn add(&mut self, at: usize, codes: &[Code], column: &BlockColumn, factor: u64) {
        match column {
            BlockColumn::Constant(Scalar::U64(value)) => {
                self.add_same(at, codes, value.saturating_mul(factor));
            }
            BlockColumn::Values { data, .. } => {
                let Some(sums) = self.sums.get_mut(at) else { return };
                match data {
                    Values::U8(values) => add(sums, codes, values, factor),
                    Values::U16(values) => add(sums, codes, values, factor),
                    Values::U32(values) => add(sums, codes, values, factor),
                    Values::U64(values) => add(sums, codes, values, factor),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Shows `each` every code that was seen with its sums, and forgets them.
    pub fn drain(&mut self, each: &mut dyn FnMut(u32, &mut dyn Iterator<Item = u64>)) {
        for code in (0..self.seen.len()).filter(|code| self.seen[*code]) {
            each(code as u32, &mut self.sums.iter().map(|sums| sums[code]));
        }
        self.seen.clear();
        self.sums.iter_mut().for_each(Vec::clear);
    }

    /// Octets held.
    pub fn octets(&self) -> usize {
        self.seen.capacity() + self.sums.iter().map(|sums| sums.capacity() * 8).sum::<usize>()
    }
}

fn add<T: Copy + Into<u64>>(sums: &mut [u64], codes: &[Code], values: &[T], factor: u64) {
    if factor == 1 {
        for (code, value) in codes.iter().zip(values) {
            let sum = &mut sums[code.0 as usize];
            *sum = sum.saturating_add((*value).into());
        }
        return;
    }
    for (code, value) in codes.iter().zip(values) {
        let sum = &mut sums[code.0 as usize];
        *sum = sum.saturating_add(Into::<u64>::into(*value).saturating_mul(factor));
    }
}
