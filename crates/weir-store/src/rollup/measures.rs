//! What is summed: flows, octets and packets, both directions, as exported and scaled.

use std::borrow::Cow;

use weir_model::columns::{flows, rollups};
use weir_model::{Bitmap, ColumnId, Scalar, Values};

use super::groups::Bucket;
use super::key::Key;
use crate::read::{BlockColumn, BlockData};

/// Rows whose keys are made, found and added up at once: their groups fit into a near cache.
pub(super) const ROWS_AT_ONCE: usize = 512;

/// Columns of flow records that sums are made of.
pub(super) const OF_RECORDS: [ColumnId; 5] = [
    flows::OCTETS,
    flows::PACKETS,
    flows::REVERSE_OCTETS,
    flows::REVERSE_PACKETS,
    flows::SAMPLING_RATE,
];

/// Columns of sums by place: those of [`Sums`], then those of [`Reverse`].
pub(super) const OF_ROLLUPS: [ColumnId; 9] = [
    rollups::FLOWS,
    rollups::OCTETS,
    rollups::PACKETS,
    rollups::OCTETS_SCALED,
    rollups::PACKETS_SCALED,
    rollups::REVERSE_OCTETS,
    rollups::REVERSE_PACKETS,
    rollups::REVERSE_OCTETS_SCALED,
    rollups::REVERSE_PACKETS_SCALED,
];

/// Places of the forward direction.
pub(super) const FORWARD: usize = 5;

/// Each column of records with the places of its plain and its scaled sum.
const PLACES: [(ColumnId, usize, usize); 4] = [
    (flows::OCTETS, 1, 3),
    (flows::PACKETS, 2, 4),
    (flows::REVERSE_OCTETS, 5, 7),
    (flows::REVERSE_PACKETS, 6, 8),
];

/// Running sums of one group. They saturate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) values: [u64; FORWARD],
    /// Bit `i`: a record had a value for place `i`, the reverse direction included.
    pub(super) present: u64,
}

/// Running sums of the reverse direction of one group. They saturate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reverse(pub(super) [u64; 4]);

impl Sums {
    pub(super) fn add(&mut self, other: &Sums) {
        for (sum, value) in self.values.iter_mut().zip(other.values) {
            *sum = sum.saturating_add(value);
        }
        self.present |= other.present;
    }
}

impl Reverse {
    pub(super) fn add(&mut self, other: &Reverse) {
        for (sum, value) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(value);
        }
    }
}

/// A measure of a block. Where it is null, its value is 0.
struct Measure<'a> {
    values: Cow<'a, [u64]>,
    validity: Option<Cow<'a, Bitmap>>,
}

/// The measures of a block, by place.
pub(super) struct Measures<'a> {
    list: [Option<Measure<'a>>; 9],
    /// Values of the forward direction; zeros where there is no such column.
    forward: [Cow<'a, [u64]>; FORWARD],
    /// Bits of the places that have a value in every row.
    whole: u64,
    /// True when each place has a value in every row or in none.
    is_regular: bool,
}

impl<'a> Measures<'a> {
    pub(super) fn of_records(data: &'a BlockData) -> Measures<'a> {
        let rows = data.rows();
        let rates = widen(data.column(flows::SAMPLING_RATE), rows);
        let mut list = [const { None }; 9];
        for (id, plain, scaled) in PLACES {
            let Some(measure) = widen(data.column(id), rows) else { continue };
            let product = match &rates {
                Some(rates) if rates.values.iter().any(|rate| *rate > 1) => {
                    Cow::Owned(scale(&measure.values, rates))
                }
                _ => measure.values.clone(),
            };
            list[scaled] = Some(Measure { values: product, validity: measure.validity.clone() });
            list[plain] = Some(measure);
        }
        list[0] = Some(Measure { values: Cow::Owned(vec![1; rows]), validity: None });
        Measures::new(list, rows)
    }

    pub(super) fn of_rollups(data: &'a BlockData) -> Measures<'a> {
        let list = OF_ROLLUPS.map(|id| widen(data.column(id), data.rows()));
        Measures::new(list, data.rows())
    }

    fn new(list: [Option<Measure<'a>>; 9], rows: usize) -> Measures<'a> {
        let mut whole = 0;
        let mut is_regular = true;
        for (place, measure) in list.iter().enumerate() {
            match measure {
                None => {}
                Some(measure) if measure.validity.is_none() => {
                    whole |= 1 << place;
                    is_regular &= place < FORWARD;
                }
                Some(_) => is_regular = false,
            }
        }
        let forward = std::array::from_fn(|place| match &list[place] {
            Some(measure) => measure.values.clone(),
            None => Cow::Owned(vec![0; rows]),
        });
        Measures { list, forward, whole, is_regular }
    }

    /// Adds rows `from..` to the sums in their slots.
    pub(super) fn add(&self, from: usize, slots: &[u32], bucket: &mut Bucket) {
        if !self.is_regular {
            return self.add_irregular(from, slots, bucket);
        }
        let rows = from..from + slots.len();
        let [flows, octets, packets, octets_scaled, packets_scaled] =
            self.forward.each_ref().map(|values| &values[rows.clone()]);
        let groups = &mut bucket.groups[..];
        let pairs = slots.iter().zip(flows).zip(octets).zip(packets);
        let pairs = pairs.zip(octets_scaled).zip(packets_scaled);
        for (((((slot, flows), octets), packets), octets_scaled), packets_scaled) in pairs {
            let sums = &mut groups[*slot as usize].sums;
            let [a, b, c, d, e] = &mut sums.values;
            *a = a.saturating_add(*flows);
            *b = b.saturating_add(*octets);
            *c = c.saturating_add(*packets);
            *d = d.saturating_add(*octets_scaled);
            *e = e.saturating_add(*packets_scaled);
            sums.present |= self.whole;
        }
    }

    /// Adds rows that all have one key.
    pub(super) fn add_same(&self, from: usize, n: usize, key: Key, bucket: &mut Bucket) {
        let slot = bucket.slot(key);
        if !self.is_regular {
            for start in (from..from + n).step_by(ROWS_AT_ONCE) {
                let slots = [slot; ROWS_AT_ONCE];
                let end = (from + n).min(start + ROWS_AT_ONCE);
                self.add_irregular(start, &slots[..end - start], bucket);
            }
            return;
        }
        let sum = |values: &Cow<'_, [u64]>| {
            values[from..from + n].iter().fold(0, |sum: u64, value| sum.saturating_add(*value))
        };
        let sums = Sums { values: self.forward.each_ref().map(sum), present: self.whole };
        bucket.groups[slot as usize].sums.add(&sums);
    }

    fn add_irregular(&self, from: usize, slots: &[u32], bucket: &mut Bucket) {
        for (place, measure) in self.list.iter().enumerate() {
            let Some(Measure { values, validity }) = measure else { continue };
            for (row, slot) in slots.iter().enumerate() {
                if !validity.as_ref().is_none_or(|bits| bits.get(from + row)) {
                    continue;
                }
                let sums = &mut bucket.groups[*slot as usize].sums;
                sums.present |= 1 << place;
                let sum = match place.checked_sub(FORWARD) {
                    None => &mut sums.values[place],
                    Some(place) => &mut bucket.reverse_mut(*slot).0[place],
                };
                *sum = sum.saturating_add(values[from + row]);
            }
        }
    }
}

fn scale(values: &[u64], rates: &Measure<'_>) -> Vec<u64> {
    let rows = values.iter().zip(rates.values.iter());
    // Why: an unknown rate counts as 1, and so does 0 (v5's word for "not sampled"), so that
    // scaled sums never lose a record. Queries over raw rows do the same.
    match &rates.validity {
        None => rows.map(|(value, rate)| value.saturating_mul((*rate).max(1))).collect(),
        Some(known) => {
            let rate = |row, rate: u64| if known.get(row) { rate.max(1) } else { 1 };
            let rows = rows.enumerate();
            rows.map(|(row, (value, r))| value.saturating_mul(rate(row, *r))).collect()
        }
    }
}

/// An unsigned column as 64 bits a row; `None` when it is null everywhere.
fn widen(column: &BlockColumn, rows: usize) -> Option<Measure<'_>> {
    let (values, validity) = match column {
        BlockColumn::Constant(Scalar::U64(value)) => (Cow::Owned(vec![*value; rows]), None),
        BlockColumn::Values { data, validity } => {
            let values = match data {
                Values::U8(v) => Cow::Owned(v.iter().map(|x| u64::from(*x)).collect()),
                Values::U16(v) => Cow::Owned(v.iter().map(|x| u64::from(*x)).collect()),
                Values::U32(v) => Cow::Owned(v.iter().map(|x| u64::from(*x)).collect()),
                Values::U64(v) => Cow::Borrowed(&v[..]),
                _ => return None,
            };
            (values, validity.as_ref().map(Cow::Borrowed))
        }
        _ => return None,
    };
    Some(Measure { values, validity })
}
