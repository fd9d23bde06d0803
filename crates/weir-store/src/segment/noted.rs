//! What readers found unreadable in a segment.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::read::ReadError;

/// Blocks that could not be read, and what was wrong with the first.
#[derive(Debug, Default)]
pub(super) struct Noted {
    state: Mutex<Option<(BTreeSet<usize>, String)>>,
}

impl Noted {
    pub(super) fn note(&self, block: usize, error: &ReadError) {
        if matches!(error, ReadError::NoBlock { .. }) {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            Some((blocks, _)) => {
                blocks.insert(block);
            }
            None => {
                tracing::error!(block, %error, "a block cannot be read");
                *state = Some((BTreeSet::from([block]), error.to_string()));
            }
        }
    }

    pub(super) fn told(&self) -> Option<(usize, String)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.as_ref().map(|(blocks, first)| (blocks.len(), first.clone()))
    }
}
