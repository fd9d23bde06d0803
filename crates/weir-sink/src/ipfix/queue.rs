//! Batches on their way to the thread of one destination. Bounded in rows; who offers never waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_model::FlowBatch;

/// Rows that may wait. A thread that is alive empties the queue within milliseconds; this is for
/// one that the machine does not let run.
const ROWS_MAX: usize = 262_144;

#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<Arc<FlowBatch>>,
    rows: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Queue(Mutex<Waiting>);

impl Queue {
    /// False when there is no room; one batch always has it.
    pub(crate) fn offer(&self, batch: &Arc<FlowBatch>) -> bool {
        let mut waiting = self.lock();
        let fits = waiting.batches.is_empty() || waiting.rows + batch.rows() <= ROWS_MAX;
        if fits {
            waiting.rows += batch.rows();
            waiting.batches.push_back(Arc::clone(batch));
        }
        fits
    }

    pub(crate) fn take(&self) -> Option<Arc<FlowBatch>> {
        let mut waiting = self.lock();
        let batch = waiting.batches.pop_front()?;
        waiting.rows -= batch.rows();
        Some(batch)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Batch and count change under one lock, with nothing between that can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::Table;

    #[test]
    fn the_bound_counts_rows_and_one_batch_always_fits() {
        let batch = |rows| {
            let mut batch = FlowBatch::new(Table::Flows);
            batch.append_rows(rows);
            Arc::new(batch)
        };
        let queue = Queue::default();
        assert!(queue.offer(&batch(ROWS_MAX + 1)));
        assert!(!queue.offer(&batch(1)));
        assert_eq!(queue.take().map(|batch| batch.rows()), Some(ROWS_MAX + 1));
        assert!(queue.offer(&batch(ROWS_MAX)) && !queue.offer(&batch(1)));
        assert!(queue.take().is_some() && queue.take().is_none());
    }
}
