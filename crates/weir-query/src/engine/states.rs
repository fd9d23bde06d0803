//! Groups with any figures, by bucket. Either the groups are known beforehand (the ranked ones,
//! all others in one), or they are found on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashMap;
use weir_model::{ColumnId, ColumnType, Table};

use super::binding::Binding;
use super::block::{Block, numbers};
use super::figures::{FigureColumn, Values};
use super::keys::{Layout, Packer};
use super::mask::Selection;
use super::pool::Pool;
use super::scan::{Sink, Source, times};
use crate::error::QueryError;
use crate::plan::{Figure, Key};

/// Keys below this are looked up in an array.
const SMALL_MAX: u128 = 1 << 17;

/// Buckets of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buckets {
    pub first: i64,
    /// None: one bucket.
    pub width: Option<i64>,
    pub count: usize,
}

/// Which group a key belongs to.
#[derive(Debug, Clone)]
pub(crate) enum Groups {
    /// The key's number; keys that are not there go to group `others`.
    Known { ids: HashMap<u128, u32>, others: u32 },
    /// A number for every key that comes.
    Found(HashMap<u128, u32>),
}

/// What was added up.
pub(crate) struct Added<'a> {
    pub groups: Groups,
    /// Rows of each slot: group times buckets plus bucket.
    pub rows: Vec<u64>,
    pub figures: Vec<FigureColumn<'a>>,
}

/// Adds up states; belongs to one thread.
pub(crate) struct States<'l, 'a> {
    packer: Packer<'l>,
    groups: Groups,
    buckets: Buckets,
    rows: Vec<u64>,
    figures: Vec<FigureColumn<'a>>,
    keys: Vec<u128>,
    /// Groups that there may be, and what is told when there are more.
    most: Option<(usize, Arc<AtomicBool>)>,
    /// Number plus one of the group of a small key, 0 when it is not known yet.
    small: Vec<u32>,
}

impl<'l, 'a> States<'l, 'a> {
    pub fn new(
        layout: &'l Layout,
        distinct: &'a [Option<Layout>],
        pool: &'a Pool,
        table: Table,
        figures: &[Figure],
        groups: Groups,
        buckets: Buckets,
    ) -> States<'l, 'a>
    where
        'a: 'l,
    {
        let columns = figures.iter().zip(distinct);
        let figures: Vec<_> = columns
            .map(|(figure, layout)| FigureColumn::new(*figure, table, layout.as_ref(), pool))
            .collect();
        let mut states = States {
            packer: Packer::new(layout, pool),
            groups,
            buckets,
            rows: Vec::new(),
            figures,
            keys: Vec::new(),
            most: None,
            small: Vec::new(),
        };
        if let Groups::Known { others, .. } = states.groups {
            states.grow((others as usize + 1) * buckets.count);
        }
        states
    }

    /// The same, which gives up when there are more than so many groups, and tells `many`.
    pub fn at_most(self, groups: usize, many: Arc<AtomicBool>) -> States<'l, 'a> {
        States { most: Some((groups, many)), ..self }
    }

    fn grow(&mut self, slots: usize) {
        if slots > self.rows.len() {
            self.rows.resize(slots, 0);
            self.figures.iter_mut().for_each(|figure| figure.grow(slots));
        }
    }

    fn slots(
        &mut self,
        from: &Source<'_>,
        block: &mut Block<'_>,
        kept: &Selection,
    ) -> Result<Vec<u32>, QueryError> {
        let count = self.buckets.count;
        let mut slots: Vec<u32> = match &mut self.groups {
            Groups::Known { ids, others } if ids.is_empty() => vec![*others; kept.len()],
            Groups::Known { ids, others } => {
                // Rows of one group often follow one another.
                let (mut last, mut group) = (None, *others);
                let group = |key| {
                    if last != Some(key) {
                        (last, group) = (Some(key), ids.get(key).copied().unwrap_or(*others));
                    }
                    group
                };
                self.keys.iter().map(group).collect()
            }
            Groups::Found(ids) => {
                let small = &mut self.small;
                let group = |key: &u128| {
                    let at = *key as usize;
                    if *key < SMALL_MAX {
                        match small.get(at) {
                            Some(group) if *group > 0 => return group - 1,
                            _ => small.resize(small.len().max(at + 1), 0),
                        }
                    }
                    let next = ids.len() as u32;
                    let group = *ids.entry(*key).or_insert(next);
                    if let Some(slot) = small.get_mut(at).filter(|_| *key < SMALL_MAX) {
                        *slot = group + 1;
                    }
                    group
                };
                self.keys.iter().map(group).collect()
            }
        };
        if let (Some((most, many)), Groups::Found(ids)) = (&self.most, &self.groups)
            && ids.len() > *most
        {
            many.store(true, Ordering::Relaxed);
            return Err(QueryError::Cancelled);
        }
        if let Some(width) = self.buckets.width {
            let (mut bucket, mut start, mut end) = (0, 0, 0);
            for (slot, time) in slots.iter_mut().zip(times(block, from.time, kept)?) {
                // Rows come by time, nearly: most are in the bucket of the row before.
                if time < start || time >= end {
                    // Proof: kept rows have a time within the range, and buckets cover the range.
                    let at = time.saturating_sub(self.buckets.first) / width;
                    bucket = usize::try_from(at).unwrap_or(0).min(count - 1) as u32;
                    start = self.buckets.first.saturating_add(i64::from(bucket) * width);
                    end = start.saturating_add(width);
                }
                *slot = *slot * count as u32 + bucket;
            }
        }
        if let Groups::Found(ids) = &self.groups {
            let slots = ids.len() * count;
            self.grow(slots);
        }
        Ok(slots)
    }

    /// Adds the states of another thread.
    pub fn merge(&mut self, other: States<'_, '_>) {
        let map: Vec<usize> = match (&mut self.groups, &other.groups) {
            (Groups::Found(ids), Groups::Found(others)) => {
                let mut map = vec![0; others.len()];
                for (key, at) in others {
                    let next = ids.len() as u32;
                    let to = *ids.entry(*key).or_insert(next);
                    if let Some(slot) = map.get_mut(*at as usize) {
                        *slot = to as usize;
                    }
                }
                map
            }
            _ => (0..other.rows.len() / self.buckets.count).collect(),
        };
        let groups = map.iter().max().map_or(0, |most| most + 1);
        self.grow(groups * self.buckets.count);
        let count = self.buckets.count;
        let to =
            |slot: usize| map.get(slot / count).map_or(0, |group| group * count + slot % count);
        for (slot, rows) in other.rows.iter().enumerate() {
            if let Some(mine) = self.rows.get_mut(to(slot)) {
                *mine = mine.saturating_add(*rows);
            }
        }
        for (mine, other) in self.figures.iter_mut().zip(&other.figures) {
            mine.merge(other, &to);
        }
    }

    /// What was added up, without what it took to do so.
    pub fn into_added(self) -> Added<'a> {
        Added { groups: self.groups, rows: self.rows, figures: self.figures }
    }

    /// Octets held, about.
    pub fn octets(&self) -> usize {
        let groups = match &self.groups {
            Groups::Known { ids, .. } | Groups::Found(ids) => ids.capacity() * 25,
        };
        groups + self.rows.len() * 8 + self.figures.iter().map(FigureColumn::octets).sum::<usize>()
    }
}

impl Sink for States<'_, '_> {
    fn octets(&self) -> usize {
        States::octets(self)
    }

    fn next_part(&mut self) {
        self.packer.next_part();
        self.figures.iter_mut().for_each(FigureColumn::next_part);
    }

    fn take(
        &mut self,
        from: &Source<'_>,
        block: &mut Block<'_>,
        kept: &Selection,
    ) -> Result<usize, QueryError> {
        let column = |id: ColumnId| from.binding.column(id);
        self.packer.pack(block, kept, from.names, &column, &mut self.keys)?;
        let slots = self.slots(from, block, kept)?;
        let mut ones = Vec::new();
        from.binding.addends(from.rows, block, kept, &mut ones)?;
        for (slot, rows) in slots.iter().zip(&ones) {
            let sum = &mut self.rows[*slot as usize];
            *sum = sum.saturating_add(*rows);
        }
        for figure in &mut self.figures {
            figure.take(from, block, kept, &slots)?;
        }
        Ok(self.octets())
    }
}

/// The layout that numbers the values of each figure that counts different ones.
pub(crate) fn distinct_layouts(figures: &[Figure], table: Table) -> Vec<Option<Layout>> {
    let layout = |figure: &Figure| match figure {
        Figure::Distinct(id) | Figure::DistinctApprox(id) => {
            let def = table.def(*id)?;
            Some(Layout::new(&[Key { def, prefix: None, name: String::new() }]))
        }
        _ => None,
    };
    figures.iter().map(layout).collect()
}

/// The values of a figure's column in the kept rows, for figures that are not additive.
pub(crate) fn column_values(
    figure: Figure,
    table: Table,
    binding: Binding,
    block: &mut Block<'_>,
    kept: &Selection,
) -> Result<Values, QueryError> {
    let Some(id) = figure.column() else { return Ok(Values::default()) };
    let column = block.column(binding.column(id))?;
    let mut values = Values::default();
    numbers(column, kept, 0, &mut values.numbers);
    values.present = kept.rows().map(|row| column.get(row).is_some()).collect();
    values.ty = table.def(id).map_or(ColumnType::U64, |def| def.ty);
    Ok(values)
}
