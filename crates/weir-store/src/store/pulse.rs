//! What appenders and the commit thread tell each other.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use weir_model::Timestamp;

use super::ticket::lock;
use crate::error::StoreErrorKind;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    state: Mutex<State>,
    /// The commit thread waits here.
    work: Condvar,
    /// Appenders wait here.
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Octets of frames that no commit has made durable.
    unsynced: usize,
    /// Of these, those that no commit has taken.
    fresh: usize,
    /// When the first row came that no commit has taken.
    dirty_since: Option<Timestamp>,
    /// The same of rows that a commit took and did not end with.
    taken_since: Option<Timestamp>,
    /// Why the last commit ended badly.
    trouble: Option<StoreErrorKind>,
    stop: bool,
}

impl Pulse {
    /// Frames were made.
    pub(crate) fn made(&self, octets: usize) {
        let mut state = lock(&self.state);
        state.unsynced += octets;
        state.fresh += octets;
    }

    /// Rows are about to come.
    pub(crate) fn dirty(&self, now: Timestamp) {
        let mut state = lock(&self.state);
        if state.dirty_since.is_none() {
            state.dirty_since = Some(now);
            self.work.notify_all();
        }
    }

    /// Starts a commit early when there is much to write.
    pub(crate) fn wake_if_full(&self, limit: usize) {
        if lock(&self.state).fresh >= limit {
            self.work.notify_all();
        }
    }

    /// A commit takes what there is.
    pub(crate) fn take(&self) {
        let mut state = lock(&self.state);
        state.fresh = 0;
        let dirty = state.dirty_since.take();
        state.taken_since = match (state.taken_since, dirty) {
            (Some(taken), Some(dirty)) => Some(taken.min(dirty)),
            (taken, dirty) => taken.or(dirty),
        };
    }

    /// A file's part of a commit is durable.
    pub(crate) fn synced(&self, octets: usize) {
        let mut state = lock(&self.state);
        state.unsynced = state.unsynced.saturating_sub(octets);
        self.room.notify_all();
    }

    /// A commit ended.
    pub(crate) fn ended(&self, trouble: Option<StoreErrorKind>) {
        let mut state = lock(&self.state);
        if trouble.is_none() {
            state.taken_since = None;
        }
        state.trouble = trouble;
        self.room.notify_all();
    }

    /// Waits until no more than `max` octets wait for a commit; tells how many do.
    pub(crate) fn wait_for_room(&self, max: usize, wait: Duration) -> usize {
        let state = lock(&self.state);
        if state.unsynced <= max {
            return state.unsynced;
        }
        let waited =
            self.room.wait_timeout_while(state, wait, |state| state.unsynced > max && !state.stop);
        waited.unwrap_or_else(PoisonError::into_inner).0.unsynced
    }

    /// Waits until a commit is due, or `idle` passed. False when the store stops.
    pub(crate) fn wait_for_work(&self, interval: Duration, limit: usize, idle: Duration) -> bool {
        let state = lock(&self.state);
        let quiet = |state: &mut State| state.dirty_since.is_none() && !state.stop;
        let waited = self.work.wait_timeout_while(state, idle, quiet);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if state.dirty_since.is_none() {
            return !state.stop;
        }
        let below = |state: &mut State| state.fresh < limit && !state.stop;
        let waited = self.work.wait_timeout_while(state, interval, below);
        !waited.unwrap_or_else(PoisonError::into_inner).0.stop
    }

    /// Ends every wait.
    pub(crate) fn stop(&self) {
        lock(&self.state).stop = true;
        self.work.notify_all();
        self.room.notify_all();
    }

    pub(crate) fn unsynced(&self) -> usize {
        lock(&self.state).unsynced
    }

    pub(crate) fn trouble(&self) -> Option<StoreErrorKind> {
        lock(&self.state).trouble
    }

    /// When the oldest row came that is not durable.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        let state = lock(&self.state);
        match (state.taken_since, state.dirty_since) {
            (Some(taken), Some(dirty)) => Some(taken.min(dirty)),
            (taken, dirty) => taken.or(dirty),
        }
    }
}
