//! Dimensions as one number: value + 1 beside value + 1, null as 0, in two words.

use weir_model::{Bitmap, ColumnId, ColumnType, Cube, Scalar, Table, Values};

use super::measures::ROWS_AT_ONCE;
use crate::read::{BlockColumn, BlockData};

/// The dimensions of a group; the order of keys is that of the numbers in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) high: u64,
    pub(super) low: u64,
}

/// Where a dimension stands in a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) flow: ColumnId,
    pub(super) rollup: ColumnId,
    pub(super) ty: ColumnType,
    shift: u32,
    bits: u32,
    in_high: bool,
}

/// The dimensions of a cube, each whole in one word.
pub(super) fn places(cube: Cube) -> Vec<Place> {
    let mut used = [0, 0];
    let place = |(flow, rollup): &(ColumnId, ColumnId)| {
        let ty = Table::Rollups.def(*rollup).map(|def| def.ty)?;
        let bits = bits(ty);
        let in_high = used[0] + bits > 64;
        let shift = used[usize::from(in_high)];
        used[usize::from(in_high)] += bits;
        Some(Place { flow: *flow, rollup: *rollup, ty, shift, bits, in_high })
    };
    cube.dimensions().iter().filter_map(place).collect()
}

/// Bits that a dimension of this type takes: one value more than the type has, for null. Codes
/// are below 2^24 in a segment and stay below 2^31 in a merge.
fn bits(ty: ColumnType) -> u32 {
    match ty {
        ColumnType::U8 => 9,
        ColumnType::U16 => 17,
        ColumnType::U32 => 33,
        ColumnType::Addr => 25,
        _ => 32,
    }
}

impl Place {
    /// The dimension of a key; `None` for null.
    pub(super) fn of(&self, key: Key) -> Option<u64> {
        let word = if self.in_high { key.high } else { key.low };
        (word >> self.shift & ((1 << self.bits) - 1)).checked_sub(1)
    }
}

/// A dimension of a block.
struct Dimension<'a> {
    place: Place,
    values: &'a Values,
    validity: Option<&'a Bitmap>,
    codes: &'a Codes,
}

/// What the codes of a segment become.
pub(super) enum Codes {
    /// They stay; there are so many.
    Same(u32),
    /// Others.
    Table(Vec<u32>),
}

impl Codes {
    #[inline]
    fn get(&self, code: u32) -> u32 {
        match self {
            // Why: a code that no dictionary knows must not take the room of other dimensions.
            Codes::Same(count) => code.min(*count),
            Codes::Table(codes) => codes.get(code as usize).copied().unwrap_or(u32::MAX >> 8),
        }
    }
}

/// The keys of a block's rows.
pub(super) struct Keys<'a> {
    /// What every row has.
    pub(super) base: Key,
    varying: Vec<Dimension<'a>>,
}

/// Keys of some rows.
pub(super) struct Scratch {
    pub(super) low: [u64; ROWS_AT_ONCE],
    pub(super) high: [u64; ROWS_AT_ONCE],
    pub(super) slots: [u32; ROWS_AT_ONCE],
}

impl<'a> Keys<'a> {
    pub(super) fn of(
        places: &[Place],
        of_records: bool,
        data: &'a BlockData,
        (addrs, strings): (&'a Codes, &'a Codes),
    ) -> Keys<'a> {
        let mut keys = Keys { base: Key::default(), varying: Vec::new() };
        for place in places {
            let codes = match place.ty {
                ColumnType::Addr => addrs,
                _ => strings,
            };
            let column = data.column(if of_records { place.flow } else { place.rollup });
            match column {
                BlockColumn::Absent => {}
                BlockColumn::Constant(Scalar::U64(value)) => keys.base.put(place, *value),
                BlockColumn::Constant(Scalar::Code(code)) => {
                    keys.base.put(place, u64::from(codes.get(code.0)));
                }
                BlockColumn::Constant(_) => {}
                BlockColumn::Values { data: values, validity } => {
                    let (place, validity) = (*place, validity.as_ref());
                    keys.varying.push(Dimension { place, values, validity, codes });
                }
            }
        }
        keys
    }

    /// True when every row has the key `base`.
    pub(super) fn is_constant(&self) -> bool {
        self.varying.is_empty()
    }

    /// Makes the keys of rows `from..from + n`.
    pub(super) fn fill(&self, from: usize, n: usize, scratch: &mut Scratch) {
        scratch.low[..n].fill(self.base.low);
        scratch.high[..n].fill(self.base.high);
        for dimension in &self.varying {
            let word = match dimension.place.in_high {
                true => &mut scratch.high[..n],
                false => &mut scratch.low[..n],
            };
            dimension.fill(from, word);
        }
    }
}

impl Key {
    fn put(&mut self, place: &Place, value: u64) {
        let word = if place.in_high { &mut self.high } else { &mut self.low };
        *word |= (value + 1) << place.shift;
    }
}

impl Dimension<'_> {
    fn fill(&self, from: usize, out: &mut [u64]) {
        match self.values {
            Values::U8(v) => self.put(from, v, out, u64::from),
            Values::U16(v) => self.put(from, v, out, u64::from),
            Values::U32(v) => self.put(from, v, out, u64::from),
            Values::Code(v) => match self.codes {
                Codes::Same(count) => self.put(from, v, out, |x| u64::from(x.0.min(*count))),
                codes => self.put(from, v, out, |x| u64::from(codes.get(x.0))),
            },
            _ => {}
        }
    }

    #[inline]
    fn put<T: Copy>(&self, from: usize, values: &[T], out: &mut [u64], widen: impl Fn(T) -> u64) {
        let shift = self.place.shift;
        let values = &values[from..from + out.len()];
        match self.validity {
            None => {
                for (word, value) in out.iter_mut().zip(values) {
                    *word |= (widen(*value) + 1) << shift;
                }
            }
            Some(bits) => {
                for (row, (word, value)) in out.iter_mut().zip(values).enumerate() {
                    let there = u64::from(bits.get(from + row));
                    *word |= ((widen(*value) + 1) * there) << shift;
                }
            }
        }
    }
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch { low: [0; ROWS_AT_ONCE], high: [0; ROWS_AT_ONCE], slots: [0; ROWS_AT_ONCE] }
    }
}
