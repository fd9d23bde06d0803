//! Jumping: rows before a page are counted, not collected.
//!
//! In the order of time whole blocks are passed by their numbers of rows ([`Search::leap`]); what
//! is left, and every other order, is narrowed by counting rows between places, 65,536 spans at a
//! time ([`Search::divide`]). So a page costs the same memory wherever it is.

use super::{Search, Span};
use crate::engine::{Block, Verdict};
use crate::error::QueryError;

/// Rows before a page that are collected rather than counted. Few in tests, which have few rows.
const COLLECTED: usize = if cfg!(test) { 2 } else { 16_384 };

/// Spans that a range of places is divided into, as a power of two.
const SPANS_BITS: u32 = if cfg!(test) { 2 } else { 16 };

/// Blocks that are counted before looking whether that is enough.
const BATCH: usize = 64;

impl Search<'_> {
    /// Passes the blocks whose rows all come before the page.
    pub(super) fn leap(&mut self) -> Result<(), QueryError> {
        // Other orders have blocks side by side: nothing to pass.
        if self.skip == 0 || self.line.column().is_some() {
            return Ok(());
        }
        // Rows in the blocks so far, and behind how many of them, with how many rows, a cut is
        // clean: no block reaches over it.
        let (mut before, mut reach, mut clean) = (0u64, None, (0, 0));
        'batches: for (number, batch) in self.blocks.chunks(BATCH).enumerate() {
            let threads = self.source.control.limits.threads;
            let counted = self.source.share(threads, batch.len(), &Vec::new, &|into, at| {
                if let Some(span) = batch.get(at) {
                    into.push((at, self.count(span)?));
                }
                Ok(true)
            })?;
            let mut counts = vec![0u64; batch.len()];
            for (at, count) in counted.into_iter().flatten() {
                if let Some(slot) = counts.get_mut(at) {
                    *slot = count;
                }
            }
            for (at, (span, count)) in batch.iter().zip(&counts).enumerate() {
                if reach.is_none_or(|reach| reach < span.first) {
                    clean = (number * BATCH + at, before);
                }
                before = before.saturating_add(*count);
                reach = reach.max(Some(span.last));
                if before > self.skip as u64 {
                    break 'batches;
                }
            }
        }
        if before <= self.skip as u64 {
            self.blocks.clear();
            return Ok(());
        }
        let (passed, rows) = clean;
        self.blocks.drain(..passed);
        self.skip = self.skip.saturating_sub(rows as usize);
        self.window.0 = self.blocks.first().map_or(0, |span| span.first);
        Ok(())
    }

    /// Rows of a block that the filter keeps; without reading it where zone maps tell.
    fn count(&self, span: &Span) -> Result<u64, QueryError> {
        self.read(span, |block, compiled, verdict| match verdict {
            Verdict::All => Ok(block.rows as u64),
            verdict => {
                Ok(self.source.kept(compiled, span.candidate.part, block, verdict)?.len() as u64)
            }
        })
    }

    /// Places of the kept rows of a block; without their times if those do not matter.
    fn places(
        &self,
        span: &Span,
        block: &mut Block<'_>,
        kept: &crate::engine::Selection,
        timed: bool,
        places: &mut Vec<u128>,
    ) -> Result<(), QueryError> {
        places.clear();
        match self.line.column() {
            Some(id) => self.line.keys(span.candidate.part, block.column(id)?, kept, places),
            None => places.resize(kept.len(), 0),
        }
        if !timed {
            places.iter_mut().for_each(|key| *key = self.line.place(*key, 0));
            return Ok(());
        }
        let times = crate::engine::times(block, self.source.time, kept)?;
        for (place, time) in places.iter_mut().zip(times) {
            *place = self.line.place(*place, self.line.time(time));
        }
        Ok(())
    }

    /// Narrows the window until few rows before the page are in it.
    pub(super) fn divide(&mut self) -> Result<(), QueryError> {
        let mut reach = self.blocks.iter().map(|span| span.last).max().unwrap_or(0);
        while self.skip > COLLECTED && self.window.0 < reach {
            let from = self.window.0;
            let bits = u128::BITS - (reach - from).leading_zeros();
            let shift = bits.saturating_sub(SPANS_BITS);
            let counts = self.spans(from, reach, shift)?;
            let (mut before, mut start, mut end) = (0u64, None, None);
            let last = self.skip.saturating_add(self.limit) as u64;
            for (at, count) in counts.iter().enumerate() {
                let after = before.saturating_add(*count);
                if start.is_none() && after > self.skip as u64 {
                    start = Some((at, before));
                }
                if after > last {
                    end = Some(at);
                    break;
                }
                before = after;
            }
            let until = |at: usize| from.saturating_add(((at as u128 + 1) << shift) - 1);
            if let Some(at) = end {
                self.window.1 = self.window.1.min(until(at));
            }
            // Fewer rows than were counted to get here: blocks were found damaged meanwhile.
            let Some((at, before)) = start else { break };
            self.window.0 = from.saturating_add((at as u128) << shift);
            self.skip = self.skip.saturating_sub(before as usize);
            if shift == 0 {
                break;
            }
            reach = reach.min(until(at));
        }
        let (first, last) = self.window;
        self.blocks.retain(|span| span.last >= first && span.first <= last);
        Ok(())
    }

    /// Rows in each span of `1 << shift` places from `from` to `reach`.
    fn spans(&self, from: u128, reach: u128, shift: u32) -> Result<Vec<u64>, QueryError> {
        // Spans that hold whole keys are the same without the time.
        let bits = self.line.time_bits();
        let timed = shift < bits || from & ((1 << bits) - 1) != 0 || self.line.column().is_none();
        let make = || (vec![0u64; 1 << SPANS_BITS], Vec::new());
        let threads = self.source.control.limits.threads;
        let counted = self.source.share(threads, self.blocks.len(), &make, &|state, at| {
            let Some(span) = self.blocks.get(at).filter(|s| s.last >= from && s.first <= reach)
            else {
                return Ok(true);
            };
            let (counts, places) = state;
            let slot = |place: u128| (place.wrapping_sub(from) >> shift) as usize;
            let single =
                span.first >= from && span.last <= reach && slot(span.first) == slot(span.last);
            places.clear();
            let whole = self.read(span, |block, compiled, verdict| {
                if single && verdict == Verdict::All {
                    return Ok(block.rows as u64);
                }
                let kept = self.source.kept(compiled, span.candidate.part, block, verdict)?;
                self.places(span, block, &kept, timed, places)?;
                Ok(0)
            })?;
            if let Some(count) = counts.get_mut(slot(span.first.max(from))) {
                *count += whole;
            }
            for place in places.iter().filter(|place| (from..=reach).contains(*place)) {
                if let Some(count) = counts.get_mut(slot(*place)) {
                    *count += 1;
                }
            }
            Ok(true)
        })?;
        let mut counts = vec![0u64; 1 << SPANS_BITS];
        for (more, _) in counted {
            counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        }
        Ok(counts)
    }
}
