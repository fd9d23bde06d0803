//! Groups with additive figures only: the fast way. One dense key indexes an array; other keys go
//! into a hash table; a table that outgrows the cache is split into partitions by hash, each of
//! which is added up on its own while it fits.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use weir_model::{ColumnId, Values};
use weir_store::BlockColumn;

use super::binding::Addends;
use super::block::Block;
use super::coded::Coded;
use super::keys::{Layout, Packer};
use super::mask::Selection;
use super::part::Names;
use super::pool::Pool;
use super::scan::{Sink, Source};
use crate::error::QueryError;
use crate::plan::Figure;

/// Groups in one table before it is split: 64 Ki groups of 40 octets stay in the L2 cache.
const SPLIT_AT: usize = 1 << 16;
/// Partitions after the split.
const PARTITIONS: usize = 256;
/// Rows that wait in a thread's partitions before they are added up.
const WAITING_MAX: usize = 8 << 20;

/// Groups of a query with their sums.
#[derive(Debug, Default, Clone)]
pub(crate) struct Table {
    slots: HashTable<u32>,
    keys: Vec<u128>,
    sums: Vec<u64>,
}

impl Table {
    /// Index of `key`'s group, made if it is new.
    #[inline]
    fn group(&mut self, key: u128, hasher: &DefaultHashBuilder, width: usize) -> usize {
        let hash = hasher.hash_one(key);
        let keys = &mut self.keys;
        let same = |at: &u32| keys.get(*at as usize) == Some(&key);
        if let Some(at) = self.slots.find(hash, same) {
            return *at as usize;
        }
        let at = keys.len();
        keys.push(key);
        self.sums.resize(self.sums.len() + width, 0);
        self.slots.insert_unique(hash, at as u32, |at| {
            hasher.hash_one(keys.get(*at as usize).copied().unwrap_or_default())
        });
        at
    }

    #[inline]
    fn add(&mut self, key: u128, values: &[u64], hasher: &DefaultHashBuilder) {
        let at = self.group(key, hasher, values.len()) * values.len();
        for (sum, value) in self.sums.iter_mut().skip(at).zip(values) {
            *sum = sum.saturating_add(*value);
        }
    }

    fn octets(&self) -> usize {
        self.slots.capacity() * 5 + self.keys.capacity() * 16 + self.sums.capacity() * 8
    }

    fn groups(&self, width: usize) -> impl Iterator<Item = (u128, &[u64])> {
        self.keys.iter().copied().zip(self.sums.chunks_exact(width))
    }
}

/// Rows that wait to be added up, and what was.
#[derive(Debug, Default)]
struct Partition {
    keys: Vec<u128>,
    values: Vec<u64>,
    table: Table,
}

impl Partition {
    fn settle(&mut self, width: usize, hasher: &DefaultHashBuilder) {
        for (key, values) in self.keys.iter().zip(self.values.chunks_exact(width)) {
            self.table.add(*key, values, hasher);
        }
        self.keys = Vec::new();
        self.values = Vec::new();
    }
}

#[derive(Debug)]
enum State {
    /// Sums of dense key `k` at `k * width`, and which keys there are.
    Dense(Vec<u64>, Vec<bool>),
    Table(Table),
    Split(Vec<Partition>, usize),
}

/// Adds up groups; belongs to one thread.
pub(crate) struct Sums<'a> {
    packer: Packer<'a>,
    figures: &'a [Figure],
    hasher: DefaultHashBuilder,
    state: State,
    dense: Vec<u64>,
    keys: Vec<u128>,
    addends: Vec<Vec<u64>>,
    /// Sums by code of the part that is read.
    coded: Coded,
    coded_key: Option<ColumnId>,
}

impl<'a> Sums<'a> {
    /// `hasher` must be the same for all sinks of a query; `figures` are additive, at least one.
    pub fn new(
        layout: &'a Layout,
        pool: &'a Pool,
        figures: &'a [Figure],
        hasher: DefaultHashBuilder,
    ) -> Sums<'a> {
        let state = match layout.is_dense() {
            true => State::Dense(Vec::new(), Vec::new()),
            false => State::Table(Table::default()),
        };
        Sums {
            packer: Packer::new(layout, pool),
            figures,
            hasher,
            state,
            dense: Vec::new(),
            keys: Vec::new(),
            addends: vec![Vec::new(); figures.len()],
            coded: Coded::new(figures.len()),
            coded_key: layout.coded(),
        }
    }

    fn add_dense(&mut self) {
        let State::Dense(sums, seen) = &mut self.state else { return };
        let width = self.figures.len();
        let top = self.dense.iter().max().map_or(0, |top| *top as usize + 1);
        if top > seen.len() {
            let len = top.next_power_of_two();
            seen.resize(len, false);
            sums.resize(len * width, 0);
        }
        for key in &self.dense {
            seen[*key as usize] = true;
        }
        if let ([addends], 1) = (self.addends.as_slice(), width) {
            for (key, value) in self.dense.iter().zip(addends) {
                let sum = &mut sums[*key as usize];
                *sum = sum.saturating_add(*value);
            }
            return;
        }
        for (at, addends) in self.addends.iter().enumerate() {
            for (key, value) in self.dense.iter().zip(addends) {
                let sum = &mut sums[*key as usize * width + at];
                *sum = sum.saturating_add(*value);
            }
        }
    }

    /// Adds whole blocks by the codes of their only key, without a key a row. False when the
    /// block is not that simple.
    fn add_coded(&mut self, from: &Source<'_>, block: &Block<'_>, kept: &Selection) -> bool {
        let (Some(key), Selection::All(_)) = (self.coded_key, kept) else { return false };
        let BlockColumn::Values { data: Values::Code(codes), validity: None } =
            block.known(from.binding.column(key))
        else {
            return false;
        };
        let addends = |figure: &Figure| from.binding.plain_addends(*figure, block);
        let Some(addends) = self.figures.iter().map(addends).collect::<Option<Vec<_>>>() else {
            return false;
        };
        self.coded.see(codes);
        for (at, (addends, factor)) in addends.into_iter().enumerate() {
            match addends {
                Addends::Nothing => {}
                Addends::Ones => self.coded.add_same(at, codes, factor),
                Addends::Column(id) => self.coded.add(at, codes, block.known(id), factor),
                Addends::Columns(one, other) => {
                    self.coded.add(at, codes, block.known(one), factor);
                    self.coded.add(at, codes, block.known(other), factor);
                }
            }
        }
        true
    }

    fn add_table(&mut self) {
        let State::Table(table) = &mut self.state else { return };
        let width = self.figures.len();
        for (row, key) in self.keys.iter().enumerate() {
            let at = table.group(*key, &self.hasher, width) * width;
            for (figure, addends) in self.addends.iter().enumerate() {
                let sum = &mut table.sums[at + figure];
                *sum = sum.saturating_add(addends[row]);
            }
        }
        if table.keys.len() > SPLIT_AT {
            self.split();
        }
    }

    /// Turns the table into partitions.
    fn split(&mut self) {
        let width = self.figures.len();
        let mut partitions: Vec<Partition> = Vec::new();
        partitions.resize_with(PARTITIONS, Partition::default);
        match std::mem::replace(&mut self.state, State::Table(Table::default())) {
            State::Table(table) => {
                for (key, sums) in table.groups(width) {
                    let partition = &mut partitions[partition_of(&self.hasher, key)];
                    partition.table.add(key, sums, &self.hasher);
                }
                self.state = State::Split(partitions, 0);
            }
            state => self.state = state,
        }
    }

    fn add_split(&mut self) {
        let State::Split(partitions, waiting) = &mut self.state else { return };
        for (row, key) in self.keys.iter().enumerate() {
            let partition = &mut partitions[partition_of(&self.hasher, *key)];
            partition.keys.push(*key);
            for addends in &self.addends {
                partition.values.push(addends[row]);
            }
        }
        *waiting += self.keys.len();
        if *waiting > WAITING_MAX {
            *waiting = 0;
            for partition in partitions {
                partition.settle(self.figures.len(), &self.hasher);
            }
        }
    }

    fn octets(&self) -> usize {
        match &self.state {
            State::Dense(sums, seen) => sums.len() * 8 + seen.len() + self.coded.octets(),
            State::Table(table) => table.octets(),
            State::Split(partitions, _) => {
                let of = |p: &Partition| p.keys.len() * 16 + p.values.len() * 8 + p.table.octets();
                partitions.iter().map(of).sum()
            }
        }
    }
}

/// The partition of a key, by bits that the tables do not use.
#[inline]
fn partition_of(hasher: &DefaultHashBuilder, key: u128) -> usize {
    (hasher.hash_one(key) >> 40) as usize % PARTITIONS
}

impl Sink for Sums<'_> {
    fn octets(&self) -> usize {
        Sums::octets(self)
    }

    fn next_part(&mut self) {
        self.packer.next_part();
    }

    fn end_part(&mut self, names: &dyn Names) {
        let State::Dense(sums, seen) = &mut self.state else { return };
        let (packer, width) = (&self.packer, self.figures.len());
        self.coded.drain(&mut |code, more| {
            let group = packer.piece(code, names) as usize;
            if group >= seen.len() {
                let len = (group + 1).next_power_of_two();
                seen.resize(len, false);
                sums.resize(len * width, 0);
            }
            seen[group] = true;
            for (sum, more) in sums[group * width..].iter_mut().zip(more) {
                *sum = sum.saturating_add(more);
            }
        });
    }

    fn take(
        &mut self,
        from: &Source<'_>,
        block: &mut Block<'_>,
        kept: &Selection,
    ) -> Result<usize, QueryError> {
        if self.add_coded(from, block, kept) {
            return Ok(self.octets());
        }
        let column = |id| from.binding.column(id);
        if matches!(self.state, State::Dense(..)) {
            self.packer.pack_dense(block, kept, from.names, &column, &mut self.dense)?;
        } else {
            self.packer.pack(block, kept, from.names, &column, &mut self.keys)?;
        }
        for (figure, addends) in self.figures.iter().zip(&mut self.addends) {
            from.binding.addends(*figure, block, kept, addends)?;
        }
        match self.state {
            State::Dense(..) => self.add_dense(),
            State::Table(_) => self.add_table(),
            State::Split(..) => self.add_split(),
        }
        Ok(self.octets())
    }
}

/// Takes a group and its sums.
pub(crate) type EachGroup<'a> = dyn FnMut(u128, &[u64]) -> Result<(), QueryError> + 'a;

/// Merges what the threads added up and shows `each` every group once, some partition at a time,
/// so that not all groups need be in memory at once.
pub(crate) fn drain(mut sinks: Vec<Sums<'_>>, each: &mut EachGroup<'_>) -> Result<(), QueryError> {
    if sinks.iter().any(|sink| matches!(sink.state, State::Split(..))) {
        sinks.iter_mut().for_each(Sums::split);
    }
    let Some(first) = sinks.first() else { return Ok(()) };
    let (width, hasher) = (first.figures.len(), first.hasher.clone());
    let mut states: Vec<State> = sinks.into_iter().map(|sink| sink.state).collect();
    let Some(mut merged) = states.pop() else { return Ok(()) };
    for state in states {
        merge(&mut merged, state, width, &hasher);
    }
    match merged {
        State::Dense(sums, seen) => {
            let groups = sums.chunks_exact(width).zip(seen).enumerate();
            for (key, (sums, _)) in groups.filter(|(_, (_, seen))| *seen) {
                each(key as u128, sums)?;
            }
        }
        State::Table(table) => {
            for (key, sums) in table.groups(width) {
                each(key, sums)?;
            }
        }
        State::Split(partitions, _) => {
            for mut partition in partitions {
                partition.settle(width, &hasher);
                for (key, sums) in partition.table.groups(width) {
                    each(key, sums)?;
                }
            }
        }
    }
    Ok(())
}

fn merge(into: &mut State, from: State, width: usize, hasher: &DefaultHashBuilder) {
    match (into, from) {
        (State::Dense(sums, seen), State::Dense(other, other_seen)) => {
            if other_seen.len() > seen.len() {
                seen.resize(other_seen.len(), false);
                sums.resize(other.len(), 0);
            }
            sums.iter_mut().zip(other).for_each(|(sum, more)| *sum = sum.saturating_add(more));
            seen.iter_mut().zip(other_seen).for_each(|(seen, more)| *seen |= more);
        }
        (State::Table(table), State::Table(other)) => {
            other.groups(width).for_each(|(key, sums)| table.add(key, sums, hasher));
        }
        (State::Split(into, _), State::Split(from, _)) => {
            for (into, mut from) in into.iter_mut().zip(from) {
                from.table.groups(width).for_each(|(key, sums)| into.table.add(key, sums, hasher));
                into.keys.append(&mut from.keys);
                into.values.append(&mut from.values);
            }
        }
        // Proof: all sinks of a query start alike, and `drain` splits all if one is split.
        _ => {}
    }
}
