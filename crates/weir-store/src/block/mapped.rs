//! Columns that another column determines: the AS, interface or next hop of an address.
//!
//! Written as one value for each distinct code of the other column, in the order the codes first
//! occur, and the rows where the value is another.

use weir_model::Code;

use crate::encoding::cursor::put_varint;
use crate::encoding::{Cursor, Decoded, Encoder, Lane, VALUES_MAX, decode};
use crate::read::Damage;

/// Codes of one column may span this much, for its reader keeps a word for each.
const SPAN_MAX: usize = 1 << 22;
/// Rows that decide whether the rest is looked at.
const TRIAL: usize = 2_048;
/// One exception in so many values is too many.
const EXCEPTIONS: usize = 32;

/// The rows of a column of codes, each numbered by the code's first occurrence.
#[derive(Debug, Default)]
pub(crate) struct Ordinals {
    of_row: Vec<u32>,
    count: usize,
}

impl Ordinals {
    /// Of dense codes. `None` when the codes span too much, or hardly repeat.
    pub(crate) fn of(codes: &[Code]) -> Option<Ordinals> {
        let first = codes.first()?.0;
        let bounds = |(min, max): (u32, u32), code: &Code| (min.min(code.0), max.max(code.0));
        let (min, max) = codes.iter().fold((first, first), bounds);
        let span = (max - min) as usize + 1;
        if span > SPAN_MAX {
            return None;
        }
        let mut slots = vec![u32::MAX; span];
        let mut count = 0u32;
        let of_row = codes.iter().map(|code| {
            let slot = &mut slots[(code.0 - min) as usize];
            if *slot == u32::MAX {
                *slot = count;
                count += 1;
            }
            *slot
        });
        Some(Ordinals { of_row: of_row.collect(), count: count as usize })
    }

    /// True when a value for each code is clearly less than a value for each row.
    pub(crate) fn pay(&self) -> bool {
        self.count * 2 < self.of_row.len()
    }

    /// Values of the codes and the rows that deviate; `None` when too many do.
    fn split<T: Lane>(&self, values: &[T]) -> Option<(Vec<T>, Vec<usize>)> {
        let mut heads: Vec<T> = Vec::with_capacity(self.count);
        let mut exceptions = Vec::new();
        for (row, (ordinal, value)) in self.of_row.iter().zip(values).enumerate() {
            match heads.get(*ordinal as usize) {
                None => heads.push(*value),
                Some(head) if head.to_bits() == value.to_bits() => {}
                Some(_) => {
                    exceptions.push(row);
                    let repeats = row + 1 - heads.len();
                    if row >= TRIAL / 4 && exceptions.len() * EXCEPTIONS > repeats.max(TRIAL) {
                        return None;
                    }
                }
            }
        }
        Some((heads, exceptions))
    }

    /// Appends `values` (as many as there are rows) and tells whether they were worth it: `limit`
    /// is the most octets that are.
    pub(crate) fn encode<T: Lane>(
        &self,
        values: &[T],
        limit: usize,
        encoder: &mut Encoder,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some((heads, exceptions)) = self.split(values) else { return false };
        let start = out.len();
        encoder.wide(&heads, out);
        put_varint(out, exceptions.len() as u64);
        if !exceptions.is_empty() {
            let mut next = 0;
            let gap = |row: &usize| {
                let gap = (row - next) as u32;
                next = row + 1;
                gap
            };
            let gaps: Vec<u32> = exceptions.iter().map(gap).collect();
            encoder.wide(&gaps, out);
            let wrong: Vec<T> = exceptions.iter().map(|row| values[*row]).collect();
            encoder.wide(&wrong, out);
        }
        let pays = out.len() - start <= limit;
        if !pays {
            out.truncate(start);
        }
        pays
    }

    /// Reads the values that [`Ordinals::encode`] wrote for the same rows.
    pub(crate) fn decode<T: Lane>(&self, cursor: &mut Cursor<'_>) -> Decoded<Vec<T>> {
        let mut heads: Vec<T> = Vec::new();
        decode(cursor, self.count, &mut heads)?;
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
