//! The search behind a page of records: blocks by the first place that a row of theirs can have,
//! until nothing that follows can be on the page.

mod skip;

use weir_model::batch::ROWS_MAX;

use super::cursor::Cursor;
use super::line::Line;
use super::source::{Candidate, Compiled, Source};
use crate::engine::{Block, Verdict};
use crate::error::QueryError;

/// A row that may be on the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub place: u128,
    /// Of what the row holds; 0 until it is needed.
    pub hash: u64,
    /// Number of its block in [`Search::blocks`].
    pub block: u32,
    pub row: u32,
}

/// A block with the first and the last place that a row of it can have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub candidate: Candidate,
    pub first: u128,
    pub last: u128,
}

pub(super) struct Search<'a> {
    pub source: &'a Source<'a>,
    pub line: Line,
    pub cursor: Option<Cursor>,
    pub limit: usize,
    /// By first place.
    pub blocks: Vec<Span>,
    pub segments: u64,
    /// Rows before the page, of those that are found.
    pub skip: usize,
    /// Rows outside of these places, both included, are not wanted.
    window: (u128, u128),
    /// Place that the cursor stands on: rows of it may have been given.
    pub on: Option<u128>,
}

/// What a search found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Rows of the page among others, in no order.
    pub hits: Vec<Hit>,
    /// Rows on the cursor's place.
    pub on_cursor: Vec<Hit>,
}

/// Keeps the first rows of those it is offered.
struct Collector {
    found: Found,
    wanted: usize,
    /// Last place that is still wanted.
    last: u128,
    /// Rows at which all that are not wanted go.
    full: usize,
    /// Kept rows of a block whose key comes early enough.
    rows: Vec<(u128, u32)>,
}

impl Collector {
    fn new(wanted: usize, last: u128) -> Collector {
        let full = wanted.saturating_mul(2).saturating_add(1_024);
        Collector { found: Found::default(), wanted, last, full, rows: Vec::new() }
    }

    /// Lets go of rows that others come before. Rows of the last place that is wanted all stay:
    /// their order is by what they hold.
    fn shrink(&mut self) {
        let hits = &mut self.found.hits;
        if hits.len() < self.wanted {
            return;
        }
        let (_, last, _) = hits.select_nth_unstable_by_key(self.wanted - 1, |hit| hit.place);
        self.last = self.last.min(last.place);
        let last = self.last;
        hits.retain(|hit| hit.place <= last);
        self.full = hits.len().max(self.wanted).saturating_mul(2).saturating_add(1_024);
    }

    fn octets(&self) -> usize {
        (self.found.hits.capacity() + self.found.on_cursor.capacity()) * size_of::<Hit>()
    }
}

impl<'a> Search<'a> {
    pub fn new(
        source: &'a Source<'a>,
        line: Line,
        candidates: (Vec<Candidate>, u64),
        cursor: Option<Cursor>,
        (offset, limit): (usize, usize),
    ) -> Search<'a> {
        let (candidates, segments) = candidates;
        let (mut window, mut on) = ((0, u128::MAX), None);
        if let Some(cursor) = &cursor {
            let value = cursor.by.as_ref().and_then(|(.., value)| value.as_ref());
            let (place, exact) = line.find(value, cursor.time);
            (window.0, on) = (place, exact.then_some(place));
        }
        let span = |candidate| {
            let (first, last) = line.bounds(source, &candidate);
            Span { candidate, first, last }
        };
        let mut blocks: Vec<Span> = candidates.into_iter().map(span).collect();
        blocks.retain(|block| block.last >= window.0);
        blocks.sort_unstable_by_key(|b| (b.first, b.candidate.part, b.candidate.block));
        Search { source, line, cursor, limit, blocks, segments, skip: offset, window, on }
    }

    /// Finds the rows of the page, those before it that could not be told apart from them, and
    /// one more, which tells whether there is another page.
    pub fn run(&mut self) -> Result<Found, QueryError> {
        self.leap()?;
        self.divide()?;
        self.collect()
    }

    fn collect(&self) -> Result<Found, QueryError> {
        let wanted = self.skip.saturating_add(self.limit).saturating_add(1);
        // Why: in the order of time the first blocks have the page, another thread would read
        // blocks that nobody wants.
        let threads = match self.line.column() {
            Some(_) => self.source.control.limits.threads,
            None => 1,
        };
        let make = || Collector::new(wanted, self.window.1);
        let collectors = self.source.share(threads, self.blocks.len(), &make, &|into, at| {
            let Some(span) = self.blocks.get(at) else { return Ok(false) };
            if span.first > into.last {
                return Ok(false);
            }
            if span.last >= self.window.0 {
                self.read(span, |block, compiled, verdict| {
                    self.offer(at, block, compiled, verdict, into)
                })?;
                into.shrink();
                self.source.control.fits(into.octets().saturating_mul(threads))?;
            }
            Ok(true)
        })?;
        let mut found = Found::default();
        for collector in collectors {
            found.hits.extend(collector.found.hits);
            found.on_cursor.extend(collector.found.on_cursor);
        }
        Ok(found)
    }

    /// Reads a block that zone maps do not rule out; one that is damaged is noted and left out.
    fn read<T: Default>(
        &self,
        span: &Span,
        with: impl FnOnce(&mut Block<'_>, &Compiled, Verdict) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let (at, index) = (span.candidate.part, span.candidate.block);
        let Some(part) = self.source.parts.get(at) else { return Ok(T::default()) };
        let (id, damage) = (part.head().id, &self.source.control.damage);
        if damage.has(id, index) {
            return Ok(T::default());
        }
        let read = self.source.compiled(at).and_then(|compiled| {
            match self.source.verdict(&compiled, at, index) {
                Verdict::None => Ok(T::default()),
                verdict => {
                    let rows = self.source.rows(at, index);
                    with(&mut Block::new(part.as_ref(), index, rows), &compiled, verdict)
                }
            }
        });
        read.or_else(|error| damage.note(id, index, error).map(|()| T::default()))
    }

    /// Offers the rows of a block to a collector. One that cannot be read whole offers nothing.
    fn offer(
        &self,
        at: usize,
        block: &mut Block<'_>,
        compiled: &Compiled,
        verdict: Verdict,
        into: &mut Collector,
    ) -> Result<(), QueryError> {
        let part = self.blocks.get(at).map_or(0, |span| span.candidate.part);
        let kept = self.source.kept(compiled, part, block, verdict)?;
        let bits = self.line.time_bits();
        into.rows.clear();
        match self.line.column() {
            Some(id) => {
                let keys = (self.window.0 >> bits, into.last >> bits);
                self.line.rows(part, block.column(id)?, &kept, keys, &mut into.rows);
                // Most blocks have few rows that come early enough; of some no time is read.
                if into.rows.is_empty() {
                    return Ok(());
                }
            }
            None => into.rows.extend(kept.rows().map(|row| (0, row as u32))),
        }
        let times = block.column(self.source.time)?;
        for (key, row) in std::mem::take(&mut into.rows) {
            let Some(weir_model::Scalar::I64(time)) = times.get(row as usize) else { continue };
            let place = self.line.place(key, self.line.time(time));
            if place < self.window.0 || place > into.last {
                continue;
            }
            let hit = Hit { place, hash: 0, block: at as u32, row };
            match self.on == Some(place) {
                true => into.found.on_cursor.push(hit),
                false => into.found.hits.push(hit),
            }
            if into.found.hits.len() >= into.full {
                into.shrink();
            }
        }
        Ok(())
    }
}

// Proof: rows of a block fit the numbers of a hit.
const _: () = assert!(ROWS_MAX <= u32::MAX as usize);
