//! What the store has of an exporter that announces itself: the numbers of its messages.
//!
//! Reads the raw segments from the newest on, and of their blocks only those that can have a number
//! asked for. Numbers grow with time, so the search ends where a lower one was met.

use std::ops::Range;

use weir_ingest::Kept;
use weir_model::columns::flows;
use weir_model::{Code, ColumnId, Scalar, Table, Timestamp};
use weir_store::{BlockData, BlockInfo, ReadError, Segment, Snapshot, Tier, Zone};

const COLUMNS: [ColumnId; 4] = [
    flows::EXPORTER_INSTANCE,
    flows::EXPORT_SEQUENCE,
    flows::OBSERVATION_DOMAIN,
    flows::RECEIVED_AT,
];

/// How far before a lower number the search goes on: threads append side by side, and clocks are
/// set back now and then.
const SLACK_NANOS: i64 = 60_000_000_000;

/// Ranges that are told at once; the rest is asked for again.
const RANGES_MAX: usize = 1 << 16;

/// Messages of (`instance`, `domain`) from number `first` on. Blocks that cannot be read have no
/// rows that could be there twice: they are told and left out.
pub fn kept(snapshot: &Snapshot, instance: &[u8; 16], domain: u32, first: u64) -> Kept {
    let mut search = Search { instance, domain, first, since: i64::MIN, found: Vec::new() };
    let mut segments: Vec<_> = snapshot.segments(Table::Flows, Tier::Raw).collect();
    segments.sort_by_key(|segment| std::cmp::Reverse(segment.info().last_received_at));
    for segment in segments {
        let last = segment.info().last_received_at;
        if last.is_none_or(|Timestamp(last)| last < search.since) {
            break;
        }
        if let Err(error) = search.segment(segment) {
            tracing::error!(%error, "repeats of its records would be kept twice");
        }
    }
    search.told()
}

struct Search<'a> {
    instance: &'a [u8; 16],
    domain: u32,
    first: u64,
    /// Nothing that was received before this can have a number asked for.
    since: i64,
    /// Numbers of messages and how many rows they have; more than once where blocks are many.
    found: Vec<(u64, u64)>,
}

impl Search<'_> {
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
            let zone = block.zone(flows::EXPORTER_INSTANCE);
            if !holds(zone, Scalar::Code(code)) || self.is_older(block.zone(flows::RECEIVED_AT)) {
                continue;
            }
            match segment.read(at, &COLUMNS) {
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
        zone(flows::EXPORT_SEQUENCE).is_some()
            && holds(zone(flows::OBSERVATION_DOMAIN), domain)
            && !self.is_older(zone(flows::RECEIVED_AT))
    }

    fn is_older(&self, received_at: Option<Zone>) -> bool {
        matches!(received_at, Some(Zone { max: Scalar::I64(last), .. }) if last < self.since)
    }

    fn block(&mut self, data: &BlockData, code: Code) {
        let [instance, sequence, domain, received] = COLUMNS.map(|id| data.column(id));
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
