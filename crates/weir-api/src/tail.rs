//! Live tail: records as they arrive, to those who watch, never at the cost of receiving.
//!
//! The sink of ingest publishes sealed batches; each watcher has a short queue of them and
//! filters on its own. Invariant: publishing never waits. What a watcher had no time for is
//! counted (`unexamined`), and what passed its filter but not its rate cap too (`skipped`).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use weir_model::FlowBatch;

/// Batches that may wait for one watcher.
///
/// Limit: 4 batches of at most 65,536 rows, some 40 MB in the worst case.
const QUEUE: usize = 4;

/// Where batches are published and watchers come to watch. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    watched: AtomicUsize,
    watchers: Mutex<Vec<Watcher>>,
}

#[derive(Debug)]
struct Watcher {
    queue: mpsc::Sender<Arc<FlowBatch>>,
    unexamined: Arc<AtomicU64>,
}

/// One watcher's end. Dropping it stops the watching.
#[derive(Debug)]
pub struct Subscription {
    queue: mpsc::Receiver<Arc<FlowBatch>>,
    unexamined: Arc<AtomicU64>,
}

impl Hub {
    /// True when somebody watches: a publisher makes its batch shareable only then.
    #[inline]
    pub fn is_watched(&self) -> bool {
        self.0.watched.load(Ordering::Relaxed) > 0
    }

    /// Offers a sealed batch to every watcher.
    pub fn publish(&self, batch: &Arc<FlowBatch>) {
        let mut watchers = self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|watcher| match watcher.queue.try_send(Arc::clone(batch)) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                watcher.unexamined.fetch_add(batch.rows() as u64, Ordering::Relaxed);
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        });
        self.0.watched.store(watchers.len(), Ordering::Relaxed);
    }

    /// Starts to watch; `None` when `max` watch already.
    pub fn subscribe(&self, max: usize) -> Option<Subscription> {
        let mut watchers = self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|watcher| !watcher.queue.is_closed());
        if watchers.len() >= max {
            return None;
        }
        let (sender, queue) = mpsc::channel(QUEUE);
        let unexamined = Arc::new(AtomicU64::new(0));
        watchers.push(Watcher { queue: sender, unexamined: Arc::clone(&unexamined) });
        self.0.watched.store(watchers.len(), Ordering::Relaxed);
        Some(Subscription { queue, unexamined })
    }

    /// Ends every watching: the first step of a shutdown, since tails never end by themselves.
    pub fn close(&self) {
        let mut watchers = self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.clear();
        self.0.watched.store(0, Ordering::Relaxed);
    }
}

impl Subscription {
    /// The next batch; `None` after [`Hub::close`].
    pub async fn next(&mut self) -> Option<Arc<FlowBatch>> {
        self.queue.recv().await
    }

    /// Rows that could not be looked at since this was last asked.
    pub fn take_unexamined(&self) -> u64 {
        self.unexamined.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::Table;

    fn batch(rows: usize) -> Arc<FlowBatch> {
        let mut batch = FlowBatch::new(Table::Flows);
        batch.append_rows(rows);
        batch.seal();
        Arc::new(batch)
    }

    #[tokio::test]
    async fn a_slow_watcher_is_told_what_it_missed_and_delays_nobody() {
        let hub = Hub::default();
        assert!(!hub.is_watched());
        let mut slow = hub.subscribe(2).unwrap();
        assert!(hub.is_watched());
        for _ in 0..QUEUE + 2 {
            hub.publish(&batch(10));
        }
        assert_eq!(slow.take_unexamined(), 20);
        assert_eq!(slow.take_unexamined(), 0);
        assert_eq!(slow.next().await.unwrap().rows(), 10);
    }

    #[tokio::test]
    async fn places_are_bounded_and_freed() {
        let hub = Hub::default();
        let first = hub.subscribe(1).unwrap();
        assert!(hub.subscribe(1).is_none());
        drop(first);
        let mut second = hub.subscribe(1).unwrap();
        hub.close();
        assert!(second.next().await.is_none());
        assert!(!hub.is_watched());
    }
}
