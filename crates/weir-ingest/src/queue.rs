//! The bounded queue between receive threads and decode workers.
//!
//! Worker 0 takes work as soon as there is some, worker 1 when more waits than one can hope to do
//! at once, and so on: at low rates one worker fills one batch (larger batches, fewer commits), at
//! high rates all cores decode, one busy exporter's datagrams included.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::chunk::Chunk;

/// Chunks that must wait before the next worker joins in.
const CHUNKS_PER_WORKER: usize = 4;

#[derive(Debug, Default)]
struct Inner {
    chunks: VecDeque<Chunk>,
    octets: usize,
    closed: bool,
}

/// What [`Queue::pop`] found.
#[derive(Debug)]
pub(crate) enum Popped {
    Chunk(Chunk),
    TimedOut,
    Closed,
}

/// Chunks in order of arrival, bounded by octets.
#[derive(Debug)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    octets_max: usize,
    /// One per worker, so that a push wakes the one whose turn it is.
    arrived: Box<[Condvar]>,
    left: Condvar,
}

impl Queue {
    /// A queue for `workers`, with room for at least one chunk.
    pub(crate) fn new(octets_max: usize, workers: usize) -> Queue {
        Queue {
            inner: Mutex::default(),
            octets_max,
            arrived: (0..workers).map(|_| Condvar::new()).collect(),
            left: Condvar::new(),
        }
    }

    /// Adds a chunk, or gives it back when there is no room.
    pub(crate) fn push(&self, chunk: Chunk) -> Result<(), Chunk> {
        let mut inner = self.lock();
        if !self.has_room(&inner, &chunk) {
            return Err(chunk);
        }
        self.add(&mut inner, chunk);
        Ok(())
    }

    /// Adds a chunk, waiting up to `patience` for room.
    pub(crate) fn push_patiently(&self, chunk: Chunk, patience: Duration) -> Result<(), Chunk> {
        let deadline = Instant::now() + patience;
        let mut inner = self.lock();
        while !self.has_room(&inner, &chunk) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return Err(chunk);
            };
            inner = self.left.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.add(&mut inner, chunk);
        Ok(())
    }

    /// The oldest chunk, for `worker`, waiting up to `patience` for one.
    pub(crate) fn pop(&self, worker: usize, patience: Duration) -> Popped {
        let deadline = Instant::now() + patience;
        let mut inner = self.lock();
        loop {
            let turn = inner.closed || inner.chunks.len() > worker * CHUNKS_PER_WORKER;
            if let Some(chunk) = turn.then(|| inner.chunks.pop_front()).flatten() {
                inner.octets -= chunk.weight();
                drop(inner);
                self.left.notify_one();
                return Popped::Chunk(chunk);
            }
            if inner.closed {
                return Popped::Closed;
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return Popped::TimedOut;
            };
            let wait = self.arrived[worker].wait_timeout(inner, left);
            inner = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends it: what is in it can still be taken, then workers learn of the end.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.iter().for_each(Condvar::notify_all);
    }

    /// Chunks and octets waiting.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.chunks.len(), inner.octets)
    }

    fn has_room(&self, inner: &Inner, chunk: &Chunk) -> bool {
        inner.chunks.is_empty() || inner.octets + chunk.weight() <= self.octets_max
    }

    fn add(&self, inner: &mut Inner, chunk: Chunk) {
        inner.octets += chunk.weight();
        inner.chunks.push_back(chunk);
        let turn = (inner.chunks.len() - 1) / CHUNKS_PER_WORKER;
        for worker in self.arrived.iter().take(turn + 1) {
            worker.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
