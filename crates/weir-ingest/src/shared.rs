//! What the threads of ingest share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use weir_model::Clock;
use weir_telemetry::LogGate;

use crate::acknowledge::Acknowledging;
use crate::chunk::{Chunk, Pool};
use crate::connections::ConnectionBooks;
use crate::door::Door;
use crate::kernel::SocketBook;
use crate::queue::Queue;

/// How long a blocked sink may hold up the stop before what waits is dropped.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Parts with a lock of their own each, and the order to stop.
pub(crate) struct Shared {
    pub(crate) door: Door,
    pub(crate) queue: Queue,
    pub(crate) pool: Pool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sockets: Vec<SocketBook>,
    pub(crate) connections: ConnectionBooks,
    pub(crate) acknowledging: Acknowledging,
    pub(crate) io_gate: LogGate<usize>,
    pub(crate) stopping: AtomicBool,
}

impl Shared {
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Queues a chunk, waiting for room: for messages whose sender can be made to wait.
    pub(crate) fn push_patiently(&self, mut chunk: Chunk) {
        if chunk.entries.is_empty() {
            self.pool.give(chunk);
            return;
        }
        loop {
            let stopping = self.is_stopping();
            let patience = if stopping { STOP_PATIENCE } else { Duration::from_millis(100) };
            match self.queue.push_patiently(chunk, patience) {
                Ok(()) => return,
                Err(back) => chunk = back,
            }
            if stopping {
                self.door.overflow(&chunk.entries);
                self.pool.give(chunk);
                return;
            }
        }
    }
}
