//! How an append learns that its rows are durable.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::StoreError;

/// Locks a mutex whether or not a holder panicked: every holder leaves whole values behind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shared by all appends that go into the same commit of the same lane.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    durable: Mutex<bool>,
    changed: Condvar,
}

impl Outcome {
    /// Says that the rows are durable.
    pub(crate) fn settle(&self) {
        *lock(&self.durable) = true;
        self.changed.notify_all();
    }
}

/// Tells when appended rows are committed: covered by a finished fdatasync.
#[derive(Debug, Clone)]
pub struct Ticket {
    pub(crate) outcome: Arc<Outcome>,
}

impl Ticket {
    /// True once the rows are committed.
    pub fn is_durable(&self) -> bool {
        *lock(&self.outcome.durable)
    }

    /// Waits until the rows are committed. [`StoreError::TimedOut`] says nothing about what will
    /// become of them: the store goes on trying.
    pub fn wait(&self, timeout: Duration) -> Result<(), StoreError> {
        let durable = lock(&self.outcome.durable);
        let waited = self.outcome.changed.wait_timeout_while(durable, timeout, |done| !*done);
        let (durable, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *durable { Ok(()) } else { Err(StoreError::TimedOut) }
    }
}
