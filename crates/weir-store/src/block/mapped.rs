//! Columns that another column determines: the AS, interface or next hop of an address.
//!
//! Written as one value for each distinct code of the other column, in the order the codes first
//! occur, and the rows where the value is another.

use weir_model::Code;

use crate::encoding::cursor::put_varint;
use crate::encoding::encode::{Profile, profile};
use crate::encoding::{Cursor, Decoded, Encoder, Lane, VALUES_MAX, decode};
use crate::read::Damage;

/// Codes of one column may span this much, for its reader keeps a word for each.
const SPAN_MAX: usize = 1 << 22;
/// Rows that decide whether the rest is looked at.
const TRIAL: usize = 2_048;
/// One exception in so many values is too many.
const EXCEPTIONS: usize = 32;

/// Most rows that the numbers of one [`Numbering`] may grow by before it starts afresh.
const NUMBERS_MAX: u32 = u32::MAX / 2;

/// The rows of a column of codes, each numbered by the code's first occurrence.
#[derive(Debug, Default)]
pub(crate) struct Ordinals {
    of_row: Vec<u32>,
    /// For each ordinal the row where it first occurs.
    firsts: Vec<u32>,
}

/// Makes [`Ordinals`] while a segment is written, with memory that is used again.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    /// By code: `base` and the ordinal, or less than `base` for a code not seen in this block.
    slots: Vec<u32>,
    base: u32,
    spare: Vec<Ordinals>,
}

impl Numbering {
    /// Of codes below `end`. `None` when codes span too much.
    pub(crate) fn ordinals(&mut self, codes: &[Code], end: usize) -> Option<Ordinals> {
        if end > SPAN_MAX {
            return None;
        }
        if self.base == 0 || self.base > NUMBERS_MAX {
            (self.base, self.slots) = (1, Vec::new());
        }
        self.slots.resize(end.max(self.slots.len()), 0);
        let mut ordinals = self.spare.pop().unwrap_or_default();
        let (base, firsts) = (self.base, &mut ordinals.firsts);
        firsts.clear();
        ordinals.of_row.clear();
        ordinals.of_row.extend(codes.iter().enumerate().map(|(row, code)| {
            let slot = &mut self.slots[code.0 as usize];
            if *slot < base {
                *slot = base + firsts.len() as u32;
                firsts.push(row as u32);
            }
            *slot - base
        }));
        self.base += firsts.len() as u32;
        Some(ordinals)
    }

    /// Takes memory back.
    pub(crate) fn recycle(&mut self, ordinals: Ordinals) {
        self.spare.push(ordinals);
    }
}

/// A column as another one determines it.
#[derive(Debug)]
pub(crate) struct Split<T> {
    /// One value for each ordinal.
    pub(crate) heads: Vec<T>,
    /// Rows with another value than their ordinal's, and that value.
    rows: Vec<u32>,
    pub(crate) wrong: Vec<T>,
}

impl Ordinals {
    /// Of dense codes. `None` when the codes span too much.
    pub(crate) fn of(codes: &[Code]) -> Option<Ordinals> {
        let first = codes.first()?.0;
        let bounds = |(min, max): (u32, u32), code: &Code| (min.min(code.0), max.max(code.0));
        let (min, max) = codes.iter().fold((first, first), bounds);
        let span = (max - min) as usize + 1;
        if span > SPAN_MAX {
            return None;
        }
        let mut slots = vec![u32::MAX; span];
        let mut firsts = Vec::new();
        let of_row = codes.iter().enumerate().map(|(row, code)| {
            let slot = &mut slots[(code.0 - min) as usize];
            if *slot == u32::MAX {
                *slot = firsts.len() as u32;
                firsts.push(row as u32);
            }
            *slot
        });
        Some(Ordinals { of_row: of_row.collect(), firsts })
    }

    /// Rows with each ordinal's first value.
    pub(crate) fn firsts(&self) -> &[u32] {
        &self.firsts
    }

    /// True when a value for each code is clearly less than a value for each row.
    pub(crate) fn pay(&self) -> bool {
        self.firsts.len() * 2 < self.of_row.len()
    }

    /// Values of the codes and the rows that deviate; `None` when too many do.
    pub(crate) fn split<T: Copy>(
        &self,
        values: &[T],
        same: impl Fn(T, T) -> bool,
    ) -> Option<Split<T>> {
        // Why: most columns are not determined, which a few rows tell.
        let heads_in = |rows: usize| self.firsts.partition_point(|first| (*first as usize) < rows);
        let trial = self.of_row.len().min(TRIAL);
        let first = |row: &u32| values[*row as usize];
        let mut heads: Vec<T> = self.firsts[..heads_in(trial)].iter().map(first).collect();
        let deviates =
            |heads: &[T], row: usize| !same(heads[self.of_row[row] as usize], values[row]);
        let deviants = (0..trial).filter(|row| deviates(&heads, *row)).count();
        if deviants * EXCEPTIONS > (trial - heads.len()).max(TRIAL / 2) {
            return None;
        }
        heads.extend(self.firsts[heads.len()..].iter().map(first));
        let (mut rows, mut wrong) = (Vec::new(), Vec::new());
        for (chunk, (ordinals, values)) in
            self.of_row.chunks(TRIAL).zip(values.chunks(TRIAL)).enumerate()
        {
            let pairs = || ordinals.iter().zip(values);
            let apart = |(ordinal, value): &(&u32, &T)| !same(heads[**ordinal as usize], **value);
            if !pairs().any(|pair| apart(&pair)) {
                continue;
            }
            for (at, pair) in pairs().enumerate().filter(|(_, pair)| apart(pair)) {
                rows.push((chunk * TRIAL + at) as u32);
                wrong.push(*pair.1);
            }
            let repeats = (chunk * TRIAL + ordinals.len()).saturating_sub(heads.len());
            if rows.len() * EXCEPTIONS > repeats.max(TRIAL) {
                return None;
            }
        }
        Some(Split { heads, rows, wrong })
    }
}

impl<T: Lane> Split<T> {
    /// Lowest and highest value.
    pub(crate) fn profile(&self) -> Profile {
        let (heads, wrong) = (profile(&self.heads), profile(&self.wrong));
        if self.wrong.is_empty() {
            return heads;
        }
        let (min, max) = (heads.min.min(wrong.min), heads.max.max(wrong.max));
        Profile { min, max, ..heads }
    }

    /// Appends the values and tells whether they were worth it: `limit` is the most octets that
    /// are.
    pub(crate) fn encode(&self, limit: usize, encoder: &mut Encoder, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        encoder.wide(&self.heads, out);
        put_varint(out, self.rows.len() as u64);
        if !self.rows.is_empty() {
            let mut next = 0;
            let gap = |row: &u32| {
                let gap = row - next;
                next = row + 1;
                gap
            };
            let gaps: Vec<u32> = self.rows.iter().map(gap).collect();
            encoder.wide(&gaps, out);
            encoder.wide(&self.wrong, out);
        }
        let pays = out.len() - start <= limit;
        if !pays {
            out.truncate(start);
        }
        pays
    }
}

impl<T> Split<T> {
    /// The same of other values, such as codes of these.
    pub(crate) fn with<U>(self, heads: Vec<U>, wrong: Vec<U>) -> Split<U> {
        Split { heads, rows: self.rows, wrong }
    }
}

impl Ordinals {
    /// Reads the values that [`Split::encode`] wrote for the same rows.
    pub(crate) fn decode<T: Lane>(&self, cursor: &mut Cursor<'_>) -> Decoded<Vec<T>> {
        let mut heads: Vec<T> = Vec::new();
        decode(cursor, self.firsts.len(), &mut heads)?;
        let head = |ordinal: &u32| heads.get(*ordinal as usize).copied().unwrap_or_default();
        let mut values: Vec<T> = self.of_row.iter().map(head).collect();
        let count = cursor.count(values.len().min(VALUES_MAX), "number of exceptions")?;
        if count == 0 {
            return Ok(values);
        }
        let mut gaps: Vec<u32> = Vec::new();
        decode(cursor, count, &mut gaps)?;
        let mut wrong: Vec<T> = Vec::new();
        decode(cursor, count, &mut wrong)?;
        let mut next = 0usize;
        for (gap, value) in gaps.into_iter().zip(wrong) {
            let row = next + gap as usize;
            let slot = values.get_mut(row);
            *slot.ok_or(Damage::Impossible("position of an exception"))? = value;
            next = row + 1;
        }
        Ok(values)
    }
}
