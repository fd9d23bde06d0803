//! The rows of several segments in the order of a merged one.
//!
//! Flow records stand by source, then destination, then time, so that a search for an address
//! reads few blocks, and so that equal values stand together and take less room. Runs of
//! `run_rows` rows are sorted at a time, which bounds the memory; a run starts with what its
//! predecessor left in time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use weir_model::batch::ROWS_MAX;
use weir_model::columns::{counters, flows, options};
use weir_model::{Addr, ColumnId, FlowBatch, Scalar, Table, Values};

use super::core::Core;
use super::gather::gather;
use crate::error::StoreError;
use crate::read::{BlockColumn, ReadError};
use crate::segment::Segment;

/// Batches of up to 65,536 rows in sorted order, run by run.
pub(crate) struct Sorted<'a> {
    core: &'a Core,
    table: Table,
    segments: Vec<Arc<Segment>>,
    /// Rank of every address of a segment among those of all, by code.
    ranks: Vec<Vec<u32>>,
    pace: &'a dyn Fn(Duration),
    /// Segment and block to be read next.
    at: (usize, usize),
    /// Rows of this run, as they were read.
    run: FlowBatch,
    /// Rows that are left of this run, in order.
    order: VecDeque<u32>,
}

/// Columns that a table's rows are sorted by: two addresses or numbers, then the time.
fn sort_columns(table: Table) -> [ColumnId; 3] {
    match table {
        Table::Flows | Table::Rollups => [flows::SRC_ADDR, flows::DST_ADDR, flows::RECEIVED_AT],
        Table::Counters => [counters::EXPORTER_ADDR, counters::SOURCE_INDEX, counters::RECEIVED_AT],
        Table::Options => {
            [options::EXPORTER_ADDR, options::OBSERVATION_DOMAIN, options::RECEIVED_AT]
        }
    }
}

impl<'a> Sorted<'a> {
    pub(crate) fn new(
        core: &'a Core,
        table: Table,
        segments: Vec<Arc<Segment>>,
        pace: &'a dyn Fn(Duration),
    ) -> Result<Sorted<'a>, ReadError> {
        let ranks = ranks(&segments)?;
        let (at, order) = Default::default();
        let run = FlowBatch::new(table);
        Ok(Sorted { core, table, segments, ranks, pace, at, run, order })
    }

    /// Reads the next run and puts its rows in order. False when there is none.
    fn next_run(&mut self) -> Result<bool, StoreError> {
        self.run.clear();
        let mut keys: Vec<Key> = Vec::new();
        while let Some(segment) = self.segments.get(self.at.0) {
            let (at, block) = self.at;
            if block >= segment.block_count() {
                self.at = (at + 1, 0);
                continue;
            }
            let rows = segment.index()?.block(block).map_or(0, |info| info.rows());
            if !keys.is_empty() && keys.len() + rows > self.core.policy.compaction.run_rows {
                break;
            }
            if self.core.stopping() {
                return Err(StoreError::Cancelled);
            }
            let before = self.core.clock.now();
            add_keys(segment, block, &self.ranks[at], sort_columns(self.table), &mut keys)?;
            self.run.append(&segment.read_batch(block)?);
            self.at = (at, block + 1);
            (self.pace)(self.core.clock.now().since(before));
        }
        self.run.seal();
        keys.sort_unstable();
        self.order.clear();
        self.order.extend(keys.iter().map(|(_, _, row)| *row));
        Ok(!self.order.is_empty())
    }
}

impl Iterator for Sorted<'_> {
    type Item = Result<FlowBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.order.is_empty() {
            match self.next_run() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        let before = self.core.clock.now();
        let count = self.order.len().min(ROWS_MAX);
        let picks: Vec<u32> = self.order.drain(..count).collect();
        let batch = gather(&self.run, &picks);
        (self.pace)(self.core.clock.now().since(before));
        Some(Ok(batch))
    }
}

/// For every segment the rank of each of its addresses, by code.
fn ranks(segments: &[Arc<Segment>]) -> Result<Vec<Vec<u32>>, ReadError> {
    let dictionaries = segments.iter().map(|segment| segment.dictionary());
    let dictionaries = dictionaries.collect::<Result<Vec<_>, _>>()?;
    let mut all: Vec<Addr> =
        dictionaries.iter().flat_map(|dictionary| dictionary.addrs().iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    let rank = |addr: &Addr| all.binary_search(addr).map_or(0, |at| at as u32 + 1);
    Ok(dictionaries
        .iter()
        .map(|dictionary| dictionary.addrs().iter().map(rank).collect())
        .collect())
}

/// Addresses or numbers, time, and row of the run.
type Key = (u64, i64, u32);

/// Appends the sort key of every row of a block, which come after those of earlier blocks.
fn add_keys(
    segment: &Segment,
    block: usize,
    ranks: &[u32],
    [major, minor, time]: [ColumnId; 3],
    keys: &mut Vec<Key>,
) -> Result<(), ReadError> {
    let data = segment.read(block, &[major, minor, time])?;
    let major = numbers(data.column(major), data.rows(), ranks);
    let minor = numbers(data.column(minor), data.rows(), ranks);
    let times = data.column(time);
    let start = keys.len() as u32;
    keys.extend((0..data.rows()).map(|row| {
        let key = u64::from(major[row]) << 32 | u64::from(minor[row]);
        let time = match times {
            BlockColumn::Values { data: Values::I64(times), .. } => times[row],
            BlockColumn::Constant(Scalar::I64(time)) => *time,
            _ => 0,
        };
        (key, time, start + row as u32)
    }));
    Ok(())
}

fn numbers(column: &BlockColumn, rows: usize, ranks: &[u32]) -> Vec<u32> {
    let rank = |code: u32| ranks.get(code as usize).copied().unwrap_or(0);
    let mut numbers = match column {
        BlockColumn::Constant(Scalar::Code(code)) => vec![rank(code.0); rows],
        BlockColumn::Values { data: Values::Code(codes), validity } => {
            let valid = |row| validity.as_ref().is_none_or(|bits| bits.get(row));
            let codes = codes.iter().enumerate();
            codes.map(|(row, code)| if valid(row) { rank(code.0) } else { 0 }).collect()
        }
        BlockColumn::Values { data: Values::U32(values), .. } => values.clone(),
        _ => Vec::new(),
    };
    numbers.resize(rows, 0);
    numbers
}
