//! The dictionary of a segment that still grows, for its readers.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Additions, Dictionary};

/// Entries of the frames published so far. Adding costs the writer a pointer; the first reader
/// after that pays for putting them together.
#[derive(Debug, Default)]
pub(crate) struct SharedDictionary {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    dictionary: Arc<Dictionary>,
    waiting: Vec<Arc<Additions>>,
}

impl SharedDictionary {
    pub(crate) fn add(&self, additions: Arc<Additions>) {
        if !additions.is_empty() {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.waiting.push(additions);
        }
    }

    pub(crate) fn get(&self) -> Arc<Dictionary> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        if !state.waiting.is_empty() {
            let dictionary = Arc::make_mut(&mut state.dictionary);
            for additions in state.waiting.drain(..) {
                dictionary.extend(&additions);
            }
        }
        state.dictionary.clone()
    }
}
