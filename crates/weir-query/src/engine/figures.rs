//! One figure over all slots.

use weir_model::{ColumnId, ColumnType, Table};

use super::block::Block;
use super::keys::{Layout, Packer, word_value};
use super::mask::Selection;
use super::pool::Pool;
use super::predicate::shifted;
use super::scan::Source;
use super::sketch::{Distinct, Estimate, Histogram, mix, mix_octets};
use super::states::column_values;
use crate::answer::AnswerValue;
use crate::error::QueryError;
use crate::plan::{Figure, Measure};

/// Numbers of a column in the kept rows and which of them are there.
#[derive(Debug)]
pub(crate) struct Values {
    pub numbers: Vec<u64>,
    pub present: Vec<bool>,
    pub ty: ColumnType,
}

impl Default for Values {
    fn default() -> Values {
        Values { numbers: Vec::new(), present: Vec::new(), ty: ColumnType::U64 }
    }
}

/// States of a figure, one a slot.
#[derive(Debug)]
enum States {
    Sums(Vec<u64>),
    Means(Vec<(u128, u64)>),
    FractionMeans(Vec<(f64, u64)>),
    /// Extremes, in an unsigned order; true for highest.
    Extremes(bool, Vec<Option<u64>>),
    Quantiles(f64, Vec<Histogram>),
    Distinct(Vec<Distinct>),
    Estimates(Vec<Estimate>),
}

/// A figure over all slots; belongs to one thread.
pub(crate) struct FigureColumn<'a> {
    figure: Figure,
    table: Table,
    states: States,
    packer: Option<Packer<'a>>,
    pool: &'a Pool,
    /// Hash of each id, 0 when it is not known yet.
    hashes: Vec<u64>,
    scratch: Vec<u64>,
    held: usize,
}

impl<'a> FigureColumn<'a> {
    pub fn new(
        figure: Figure,
        table: Table,
        distinct: Option<&'a Layout>,
        pool: &'a Pool,
    ) -> FigureColumn<'a> {
        let ty = figure.column().and_then(|id| table.def(id)).map(|def| def.ty);
        let fraction = ty == Some(ColumnType::F64);
        let states = match figure {
            Figure::Count | Figure::Nothing | Figure::Sum(..) | Figure::Both(..) => {
                States::Sums(Vec::new())
            }
            Figure::Mean(_) if fraction => States::FractionMeans(Vec::new()),
            Figure::Mean(_) => States::Means(Vec::new()),
            Figure::Min(_) => States::Extremes(false, Vec::new()),
            Figure::Max(_) => States::Extremes(true, Vec::new()),
            Figure::Quantile(_, q) => States::Quantiles(q, Vec::new()),
            Figure::Distinct(_) => States::Distinct(Vec::new()),
            Figure::DistinctApprox(_) => States::Estimates(Vec::new()),
        };
        let packer = distinct.map(|layout| Packer::new(layout, pool));
        let (hashes, scratch) = (Vec::new(), Vec::new());
        FigureColumn { figure, table, states, packer, pool, hashes, scratch, held: 0 }
    }

    pub fn grow(&mut self, slots: usize) {
        match &mut self.states {
            States::Sums(v) => v.resize(slots, 0),
            States::Means(v) => v.resize(slots, (0, 0)),
            States::FractionMeans(v) => v.resize(slots, (0.0, 0)),
            States::Extremes(_, v) => v.resize(slots, None),
            States::Quantiles(_, v) => v.resize_with(slots, Histogram::default),
            States::Distinct(v) => v.resize_with(slots, Distinct::default),
            States::Estimates(v) => v.resize_with(slots, Estimate::default),
        }
    }

    pub fn next_part(&mut self) {
        if let Some(packer) = &mut self.packer {
            packer.next_part();
        }
    }

    /// Octets held, about; sets are counted once a block.
    pub fn octets(&self) -> usize {
        self.held
    }

    /// Adds the kept rows, each to its slot.
    pub fn take(
        &mut self,
        from: &Source<'_>,
        block: &mut Block<'_>,
        kept: &Selection,
        slots: &[u32],
    ) -> Result<(), QueryError> {
        match self.figure {
            Figure::Nothing => {}
            Figure::Count | Figure::Sum(..) | Figure::Both(..) => {
                from.binding.addends(self.figure, block, kept, &mut self.scratch)?;
                add_sums(&mut self.states, &self.scratch, slots);
            }
            Figure::Distinct(id) | Figure::DistinctApprox(id) => {
                let column = |id: ColumnId| from.binding.column(id);
                let mut ids = std::mem::take(&mut self.scratch);
                if let Some(packer) = &mut self.packer {
                    packer.pack_dense(block, kept, from.names, &column, &mut ids)?;
                }
                self.add_distinct(id, &ids, slots);
                self.scratch = ids;
            }
            _ => {
                let values = column_values(self.figure, self.table, from.binding, block, kept)?;
                add_values(&mut self.states, &values, slots);
            }
        }
        self.held = self.measure();
        Ok(())
    }

    fn measure(&self) -> usize {
        match &self.states {
            States::Sums(v) => v.len() * 8,
            States::Means(v) => v.len() * 32,
            States::FractionMeans(v) => v.len() * 16,
            States::Extremes(_, v) => v.len() * 16,
            States::Quantiles(_, v) => v.iter().map(|s| size_of_val(s) + s.octets()).sum(),
            States::Distinct(v) => v.iter().map(|s| size_of_val(s) + s.octets()).sum(),
            States::Estimates(v) => v.iter().map(|s| size_of_val(s) + s.octets()).sum(),
        }
    }

    /// Adds values by their ids plus one; 0 is null.
    fn add_distinct(&mut self, id: ColumnId, ids: &[u64], slots: &[u32]) {
        let ty = self.table.def(id).map_or(ColumnType::U64, |def| def.ty);
        for (value, slot) in ids.iter().zip(slots).filter(|(value, _)| **value > 0) {
            match &mut self.states {
                States::Distinct(states) => states[*slot as usize].add(*value),
                States::Estimates(states) => {
                    let hash = hash_of(ty, value - 1, self.pool, &mut self.hashes);
                    states[*slot as usize].add(hash);
                }
                _ => {}
            }
        }
    }

    /// Adds the states of another thread; `to` names our slot for each of theirs.
    pub fn merge(&mut self, other: &FigureColumn<'_>, to: &dyn Fn(usize) -> usize) {
        match (&mut self.states, &other.states) {
            (States::Sums(a), States::Sums(b)) => each(a, b, to, |a, b| *a = a.saturating_add(*b)),
            (States::Means(a), States::Means(b)) => {
                each(a, b, to, |a, b| *a = (a.0.saturating_add(b.0), a.1 + b.1));
            }
            (States::FractionMeans(a), States::FractionMeans(b)) => {
                each(a, b, to, |a, b| *a = (a.0 + b.0, a.1 + b.1));
            }
            (States::Extremes(high, a), States::Extremes(_, b)) => {
                let high = *high;
                each(a, b, to, |a, b| b.iter().for_each(|b| extreme(a, *b, high)));
            }
            (States::Quantiles(_, a), States::Quantiles(_, b)) => each(a, b, to, Histogram::merge),
            (States::Distinct(a), States::Distinct(b)) => each(a, b, to, Distinct::merge),
            (States::Estimates(a), States::Estimates(b)) => each(a, b, to, Estimate::merge),
            // Proof: both were made for the same figure, or theirs is of nothing.
            _ => {}
        }
        self.held = self.measure();
    }

    /// Sums that were added up elsewhere.
    pub fn of_sums(
        figure: Figure,
        table: Table,
        pool: &'a Pool,
        sums: Vec<u64>,
    ) -> FigureColumn<'a> {
        FigureColumn { states: States::Sums(sums), ..FigureColumn::new(figure, table, None, pool) }
    }

    /// The same with the others, whose slots start at `others`, as what `total` has more than all
    /// slots before; none when these are no sums, or sums that reached the end of their range.
    pub fn with_rest(mut self, total: &FigureColumn<'_>, others: usize) -> Option<Self> {
        let (States::Sums(sums), States::Sums(total)) = (&mut self.states, &total.states) else {
            return None;
        };
        let count = total.len();
        for (bucket, total) in total.iter().enumerate() {
            let kept = sums.get(..others)?.iter().skip(bucket).step_by(count);
            let kept = kept.fold(0u64, |kept, sum| kept.saturating_add(*sum));
            let rest = total.checked_sub(kept).filter(|_| *total < u64::MAX)?;
            *sums.get_mut(others + bucket)? = rest;
        }
        Some(self)
    }

    /// How bad a slot is when it is ranked: lower is better, without a value is worst.
    pub fn badness(&self, slot: usize, ascending: bool) -> u128 {
        let rank = match &self.states {
            States::Sums(v) => v.get(slot).copied(),
            States::Means(v) => v
                .get(slot)
                .filter(|(_, n)| *n > 0)
                .map(|(sum, n)| ordered(ColumnType::F64, (*sum as f64 / *n as f64).to_bits())),
            States::FractionMeans(v) => v
                .get(slot)
                .filter(|(_, n)| *n > 0)
                .map(|(sum, n)| ordered(ColumnType::F64, (sum / *n as f64).to_bits())),
            States::Extremes(_, v) => v.get(slot).copied().flatten(),
            States::Quantiles(q, v) => v.get(slot).and_then(|state| state.quantile(*q)),
            States::Distinct(v) => v.get(slot).map(Distinct::count),
            States::Estimates(v) => v.get(slot).map(Estimate::count),
        };
        match rank {
            Some(rank) if ascending => rank.into(),
            Some(rank) => (u64::MAX - rank).into(),
            None => u128::MAX,
        }
    }

    /// The same figure over slots merged by `to`, `slots` of them.
    pub fn folded(&self, slots: usize, to: &dyn Fn(usize) -> usize) -> FigureColumn<'a> {
        let mut folded = FigureColumn::new(self.figure, self.table, None, self.pool);
        folded.grow(slots);
        folded.merge(self, to);
        folded
    }

    /// The figure of a slot as an answer shows it. `seconds` divide rates.
    pub fn value(&self, slot: usize, measure: &Measure, seconds: f64) -> AnswerValue {
        let ty = measure.def.map_or(ColumnType::U64, |def| def.ty);
        let value = match &self.states {
            States::Sums(v) => v.get(slot).map(|sum| match measure.rate {
                Some(factor) => AnswerValue::F64(*sum as f64 * factor / seconds),
                None => AnswerValue::U64(*sum),
            }),
            States::Means(v) => v
                .get(slot)
                .filter(|(_, n)| *n > 0)
                .map(|(sum, n)| AnswerValue::F64(*sum as f64 / *n as f64)),
            States::FractionMeans(v) => v
                .get(slot)
                .filter(|(_, n)| *n > 0)
                .map(|(sum, n)| AnswerValue::F64(sum / *n as f64)),
            States::Extremes(_, v) => {
                v.get(slot).copied().flatten().map(|value| word_value(ty, unordered(ty, value)))
            }
            States::Quantiles(q, v) => {
                v.get(slot).and_then(|state| state.quantile(*q)).map(AnswerValue::U64)
            }
            States::Distinct(v) => v.get(slot).map(|state| AnswerValue::U64(state.count())),
            States::Estimates(v) => v.get(slot).map(|state| AnswerValue::U64(state.count())),
        };
        value.unwrap_or(AnswerValue::Null)
    }
}

fn each<T, U>(into: &mut [T], from: &[U], to: &dyn Fn(usize) -> usize, add: impl Fn(&mut T, &U)) {
    for (slot, state) in from.iter().enumerate() {
        if let Some(mine) = into.get_mut(to(slot)) {
            add(mine, state);
        }
    }
}

fn add_sums(states: &mut States, addends: &[u64], slots: &[u32]) {
    let States::Sums(sums) = states else { return };
    for (value, slot) in addends.iter().zip(slots) {
        let sum = &mut sums[*slot as usize];
        *sum = sum.saturating_add(*value);
    }
}

fn add_values(states: &mut States, values: &Values, slots: &[u32]) {
    let rows = values.numbers.iter().zip(&values.present).zip(slots);
    for ((value, _), slot) in rows.filter(|((_, present), _)| **present) {
        let slot = *slot as usize;
        match states {
            States::Means(v) => {
                v[slot] = (v[slot].0.saturating_add((*value).into()), v[slot].1 + 1)
            }
            States::FractionMeans(v) => {
                v[slot] = (v[slot].0 + f64::from_bits(*value), v[slot].1 + 1);
            }
            States::Extremes(high, v) => extreme(&mut v[slot], ordered(values.ty, *value), *high),
            States::Quantiles(_, v) => v[slot].add(*value),
            _ => {}
        }
    }
}

fn extreme(state: &mut Option<u64>, value: u64, high: bool) {
    *state = Some(match *state {
        Some(best) if high => best.max(value),
        Some(best) => best.min(value),
        None => value,
    });
}

/// Maps a word to one whose unsigned order is the order of values.
fn ordered(ty: ColumnType, word: u64) -> u64 {
    match ty {
        ColumnType::Time => shifted(word as i64),
        ColumnType::F64 if word >> 63 == 1 => !word,
        ColumnType::F64 => word | 1 << 63,
        _ => word,
    }
}

/// The inverse of [`ordered`].
fn unordered(ty: ColumnType, word: u64) -> u64 {
    match ty {
        ColumnType::Time => word ^ 1 << 63,
        ColumnType::F64 if word >> 63 == 1 => word & !(1 << 63),
        ColumnType::F64 => !word,
        _ => word,
    }
}

/// Hash of a value by its id, the same in every run. `known` keeps those of values that take a
/// look into the pool.
fn hash_of(ty: ColumnType, id: u64, pool: &Pool, known: &mut Vec<u64>) -> u64 {
    if matches!(ty, ColumnType::U8 | ColumnType::U16 | ColumnType::U32) {
        return mix(id);
    }
    let at = id as usize;
    if at >= known.len() {
        known.resize((at + 1).next_power_of_two(), 0);
    }
    if known[at] == 0 {
        known[at] = match ty {
            ColumnType::U64 | ColumnType::F64 | ColumnType::Time | ColumnType::Mac => {
                mix(pool.words().get(id as u32).unwrap_or_default())
            }
            ColumnType::Addr => {
                mix_octets(&pool.addrs().get(id as u32).unwrap_or_default().octets())
            }
            _ => mix_octets(&pool.string(id as u32)),
        }
        .max(1);
    }
    known[at]
}
