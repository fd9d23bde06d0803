//! Blocks that could not be read: left out of the answer, and told.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::QueryError;

/// The damaged blocks that a query met, by segment.
#[derive(Debug, Default)]
pub(crate) struct Damage(Mutex<BTreeMap<u64, Segment>>);

#[derive(Debug, Default)]
struct Segment {
    blocks: Vec<usize>,
    reason: String,
}

impl Damage {
    /// Notes that a block of a segment is left out. Errors of other kinds come back.
    pub fn note(&self, segment: u64, block: usize, error: QueryError) -> Result<(), QueryError> {
        let QueryError::Read { source, .. } = error else { return Err(error) };
        let mut known = self.known();
        let known = known.entry(segment).or_default();
        if !known.blocks.contains(&block) {
            known.blocks.push(block);
        }
        if known.reason.is_empty() {
            known.reason = source.to_string();
        }
        Ok(())
    }

    /// Notes another block of a segment that is known to be damaged.
    pub fn again(&self, segment: u64, block: usize) {
        let mut known = self.known();
        let known = known.entry(segment).or_default();
        if !known.blocks.contains(&block) {
            known.blocks.push(block);
        }
    }

    /// True when the block was noted.
    pub fn has(&self, segment: u64, block: usize) -> bool {
        self.known().get(&segment).is_some_and(|known| known.blocks.contains(&block))
    }

    /// Number of blocks left out.
    pub fn blocks(&self) -> u64 {
        self.known().values().map(|segment| segment.blocks.len() as u64).sum()
    }

    /// A line for each file.
    pub fn notes(&self) -> Vec<String> {
        let line = |(id, segment): (&u64, &Segment)| {
            let blocks = match segment.blocks.len() {
                1 => "1 block".to_owned(),
                n => format!("{n} blocks"),
            };
            format!("{blocks} of {id:016x}.weir left out: {}", segment.reason)
        };
        self.known().iter().map(line).collect()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<u64, Segment>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
