//! What is summed: flows, octets and packets, both directions, as exported and scaled.

use weir_model::columns::{flows, rollups};
use weir_model::{Bitmap, ColumnId, Scalar, Values};

use crate::read::{BlockColumn, BlockData};

/// Columns of flow records that sums are made of.
pub(super) const OF_RECORDS: [ColumnId; 5] = [
    flows::OCTETS,
    flows::PACKETS,
    flows::REVERSE_OCTETS,
    flows::REVERSE_PACKETS,
    flows::SAMPLING_RATE,
];

/// Columns of sums, in the order of [`Sums::values`]; flows come first.
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
    pub(super) values: [u64; 9],
    /// Bit `i`: a record had a value for `values[i]`.
    pub(super) present: u16,
}

impl Sums {
    pub(super) fn add(&mut self, other: &Sums) {
        for (sum, value) in self.values.iter_mut().zip(other.values) {
            *sum = sum.saturating_add(value);
        }
        self.present |= other.present;
    }
}

/// A measure of a block.
struct Measure {
    place: usize,
    values: Vec<u64>,
    validity: Option<Bitmap>,
}

/// The measures of a block.
pub(super) struct Measures {
    list: Vec<Measure>,
    /// Every row counts as one flow.
    count_rows: bool,
}

impl Measures {
    pub(super) fn of_records(data: &BlockData) -> Measures {
        let rates = widen(data.column(flows::SAMPLING_RATE), data.rows());
        let mut list = Vec::new();
        for (id, plain, scaled) in PLACES {
            let Some((values, validity)) = widen(data.column(id), data.rows()) else { continue };
            let product = match &rates {
                None => values.clone(),
                Some((rates, known)) => scale(&values, rates, known.as_ref()),
            };
            list.push(Measure { place: scaled, values: product, validity: validity.clone() });
            list.push(Measure { place: plain, values, validity });
        }
        Measures { list, count_rows: true }
    }

    pub(super) fn of_rollups(data: &BlockData) -> Measures {
        let measure = |(place, id): (usize, &ColumnId)| {
            let (values, validity) = widen(data.column(*id), data.rows())?;
            Some(Measure { place, values, validity })
        };
        let list = OF_ROLLUPS.iter().enumerate().filter_map(measure).collect();
        Measures { list, count_rows: false }
    }

    /// Adds row `i` to the sums in slot `slots[i]`.
    pub(super) fn add(&self, slots: &[u32], sums: &mut [Sums]) {
        let whole: Vec<(usize, &[u64])> = self
            .list
            .iter()
            .filter(|measure| measure.validity.is_none())
            .map(|measure| (measure.place, &measure.values[..slots.len()]))
            .collect();
        let present =
            whole.iter().fold(u16::from(self.count_rows), |bits, (place, _)| bits | 1 << place);
        let one = u64::from(self.count_rows);
        // Cost: sums are spread over more memory than a cache holds, so a row's are visited once.
        for (row, slot) in slots.iter().enumerate() {
            let sums = &mut sums[*slot as usize];
            sums.values[0] += one;
            sums.present |= present;
            for (place, values) in &whole {
                sums.values[*place] = sums.values[*place].saturating_add(values[row]);
            }
        }
        for measure in &self.list {
            let Some(bits) = &measure.validity else { continue };
            let (place, bit) = (measure.place, 1 << measure.place);
            for (row, (slot, value)) in slots.iter().zip(&measure.values).enumerate() {
                if bits.get(row) {
                    let sums = &mut sums[*slot as usize];
                    sums.values[place] = sums.values[place].saturating_add(*value);
                    sums.present |= bit;
                }
            }
        }
    }
}

fn scale(values: &[u64], rates: &[u64], known: Option<&Bitmap>) -> Vec<u64> {
    let rows = values.iter().zip(rates).enumerate();
    // Why: an unknown rate counts as 1, and so does 0 (v5's word for "not sampled"), so that
    // scaled sums never lose a record. Queries over raw rows do the same.
    let rate = |row, rate: u64| {
        if known.is_none_or(|bits| bits.get(row)) { rate.max(1) } else { 1 }
    };
    rows.map(|(row, (value, r))| value.saturating_mul(rate(row, *r))).collect()
}

/// An unsigned column as 64 bits a row; `None` when it is null everywhere.
fn widen(column: &BlockColumn, rows: usize) -> Option<(Vec<u64>, Option<Bitmap>)> {
    match column {
        BlockColumn::Constant(Scalar::U64(value)) => Some((vec![*value; rows], None)),
        BlockColumn::Values { data, validity } => {
            let values = match data {
                Values::U8(v) => v.iter().map(|x| u64::from(*x)).collect(),
                Values::U16(v) => v.iter().map(|x| u64::from(*x)).collect(),
                Values::U32(v) => v.iter().map(|x| u64::from(*x)).collect(),
                Values::U64(v) => v.clone(),
                _ => return None,
            };
            Some((values, validity.clone()))
        }
        _ => None,
    }
}
