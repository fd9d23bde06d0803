//! What the store has of an exporter that announces itself: the numbers of its messages.
//!
//! Reads the raw segments from the newest on, and of their blocks only those that can have a number
//! asked for. Numbers grow with time, so the search ends where a lower one was met.

use std::ops::Range;
use std::sync::Arc;

use weir_ingest::Kept;
use weir_model::columns::{counters, flows, options};
use weir_model::{Code, ColumnId, Scalar, Table, Timestamp};
use weir_store::{BlockData, BlockInfo, ReadError, Segment, Snapshot, Tier, Zone};

/// Columns of a table that say whose message a row came in.
#[derive(Clone, Copy)]
struct Columns {
    instance: ColumnId,
    sequence: ColumnId,
    domain: ColumnId,
    received: ColumnId,
}

impl Columns {
    const fn all(self) -> [ColumnId; 4] {
        [self.instance, self.sequence, self.domain, self.received]
    }
}

const TABLES: [(Table, Columns); 3] = [
    (
        Table::Flows,
        Columns {
            instance: flows::EXPORTER_INSTANCE,
            sequence: flows::EXPORT_SEQUENCE,
            domain: flows::OBSERVATION_DOMAIN,
            received: flows::RECEIVED_AT,
        },
    ),
    (
        Table::Counters,
        Columns {
            instance: counters::EXPORTER_INSTANCE,
            sequence: counters::EXPORT_SEQUENCE,
            domain: counters::OBSERVATION_DOMAIN,
            received: counters::RECEIVED_AT,
        },
    ),
    (
        Table::Options,
        Columns {
            instance: options::EXPORTER_INSTANCE,
            sequence: options::EXPORT_SEQUENCE,
            domain: options::OBSERVATION_DOMAIN,
            received: options::RECEIVED_AT,
        },
    ),
];

/// How far before a lower number the search goes on: threads append side by side, and clocks are
/// set back now and then.
const SLACK_NANOS: i64 = 60_000_000_000;

/// Ranges that are told at once; the rest is asked for again.
const RANGES_MAX: usize = 1 << 16;

/// Messages of (`instance`, `domain`) from number `first` on. Blocks that cannot be read have no
/// rows that could be there twice: they are told and left out.
pub fn kept(snapshot: &Snapshot, instance: &[u8; 16], domain: u32, first: u64) -> Kept {
    let mut search = Search {
        instance,
        domain,
        first,
        columns: TABLES[0].1,
        since: i64::MIN,
        found: Vec::new(),
    };
    for (table, columns) in TABLES {
        search.columns = columns;
        search.table(snapshot.segments(table, Tier::Raw).collect());
    }
    search.told()
}

struct Search<'a> {
    instance: &'a [u8; 16],
    domain: u32,
    first: u64,
    /// Of the table that is searched.
    columns: Columns,
    /// Nothing, in any table, that was received before this can have a number asked for.
    since: i64,
    /// Numbers of messages and how many rows they have; more than once where blocks are many.
    found: Vec<(u64, u64)>,
}

impl Search<'_> {
    fn table(&mut self, mut segments: Vec<&Arc<Segment>>) {
        segments.sort_by_key(|segment| std::cmp::Reverse(segment.info().last_received_at));
        for segment in segments {
            let last = segment.info().last_received_at;
            if last.is_none_or(|Timestamp(last)| last < self.since) {
                break;
            }
            if let Err(error) = self.segment(segment) {
                tracing::error!(%error, "repeats of its records would be kept twice");
            }
        }
    }

    fn segment(&mut self, segment: &Segment) -> Result<(), ReadError> {
        let summary = segment.summary();
        if summary.is_some_and(|summary| !self.may_have(|id| summary.zone(id))) {
            return Ok(());
        }
        let index = segment.index()?;
        let may = |block: &BlockInfo<'_>| self.may_have(|id| block.zone(id));
        let blocks: Vec<usize> =
            (0..index.len()).filter(|&at| index.block(at).is_some_and(|b| may(&b))).collect();
        if blocks.is_empty() {
            return Ok(());
        }
        let Some(code) = segment.dictionary()?.find_string(self.instance) else { return Ok(()) };
        for &at in blocks.iter().rev() {
            let Some(block) = index.block(at) else { continue };
            let zone = block.zone(self.columns.instance);
            if !holds(zone, Scalar::Code(code)) || self.is_older(block.zone(self.columns.received))
            {
                continue;
            }
            match segment.read(at, &self.columns.all()) {
                Ok(data) => self.block(&data, code),
                Err(error) => {
                    segment.note_damage(at, &error);
                    tracing::error!(%error, "repeats of records in a damaged block are kept");
                }
            }
        }
        Ok(())
    }

    /// Whether a row may have the domain and a number that is asked for, or one that ends the
    /// search.
    fn may_have(&self, zone: impl Fn(ColumnId) -> Option<Zone>) -> bool {
        let domain = Scalar::U64(u64::from(self.domain));
        zone(self.columns.sequence).is_some()
            && holds(zone(self.columns.domain), domain)
            && !self.is_older(zone(self.columns.received))
    }

    fn is_older(&self, received_at: Option<Zone>) -> bool {
        matches!(received_at, Some(Zone { max: Scalar::I64(last), .. }) if last < self.since)
    }

    fn block(&mut self, data: &BlockData, code: Code) {
        let [instance, sequence, domain, received] = self.columns.all().map(|id| data.column(id));
        let wanted = (Some(Scalar::Code(code)), Some(Scalar::U64(u64::from(self.domain))));
        for row in 0..data.rows() {
            if (instance.get(row), domain.get(row)) != wanted {
                continue;
            }
            let Some(Scalar::U64(number)) = sequence.get(row) else { continue };
            if number >= self.first {
                match self.found.last_mut() {
                    Some((last, rows)) if *last == number => *rows += 1,
                    _ => self.found.push((number, 1)),
                }
            } else if let Some(Scalar::I64(at)) = received.get(row) {
                self.since = self.since.max(at.saturating_sub(SLACK_NANOS));
            }
        }
        if self.found.len() > 4 * RANGES_MAX {
            self.merge();
        }
    }

    /// Puts what was found in order, each message once.
    fn merge(&mut self) {
        self.found.sort_unstable();
        self.found.dedup_by(|(number, rows), (before, sum)| {
            let same = number == before;
            *sum += if same { *rows } else { 0 };
            same
        });
    }

    /// As ranges: messages of which each begins where the rows of the one before end make one.
    fn told(mut self) -> Kept {
        self.merge();
        let mut numbers: Vec<Range<u64>> = Vec::new();
        let mut next = None;
        for (number, rows) in self.found {
            let full = numbers.len() == RANGES_MAX;
            match numbers.last_mut() {
                Some(last) if next == Some(number) => last.end = number + 1,
                _ if full => return Kept { numbers, until: number },
                _ => numbers.push(number..number.saturating_add(1)),
            }
            next = number.checked_add(rows);
        }
        Kept { numbers, until: u64::MAX }
    }
}

fn holds(zone: Option<Zone>, value: Scalar) -> bool {
    match (zone, value) {
        (Some(Zone { min: Scalar::U64(min), max: Scalar::U64(max), .. }), Scalar::U64(value)) => {
            (min..=max).contains(&value)
        }
        (
            Some(Zone { min: Scalar::Code(min), max: Scalar::Code(max), .. }),
            Scalar::Code(value),
        ) => (min..=max).contains(&value),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
