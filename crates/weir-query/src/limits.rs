//! What one query may cost, and how its asker stops it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Bounds of one query. Reaching one is an error that names it, never a shortened answer.
#[derive(Debug, Clone)]
pub struct QueryLimits {
    /// Octets of groups, states and buffers, summed over the threads.
    pub memory: usize,
    /// Time from the call to the answer.
    pub time: Duration,
    /// Threads that read blocks; at least 1.
    pub threads: usize,
    /// Rows of the answer (groups times buckets).
    pub rows: usize,
    /// Records a page of [`crate::records()`] may have.
    pub records: usize,
}

impl Default for QueryLimits {
    /// 1 GiB, 30 s, 2 threads, 100,000 rows, 10,000 records.
    fn default() -> QueryLimits {
        QueryLimits {
            memory: 1 << 30,
            time: Duration::from_secs(30),
            threads: 2,
            rows: 100_000,
            records: 10_000,
        }
    }
}

/// Handle by which the asker stops a query. Clones stop the same query; it looks at the handle
/// before every block of rows.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A handle that has not been pulled.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Makes the query end with [`crate::QueryError::Cancelled`].
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// True once [`Cancel::cancel`] was called on any clone.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
