//! The store: where batches go in, and where readers get their snapshots.
//!
//! Life of a row: [`Store::append`] puts it into the frame of an open segment, where every
//! snapshot from then on sees it; a commit writes the frame and syncs it, and its [`Ticket`] says
//! so; when the segment is full or old it is closed with its rollups; later it is merged with its
//! neighbours; retention removes it.
//!
//! Invariant: a row is in exactly one segment of a snapshot. What a ticket called durable is there
//! after any crash, once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use weir_model::{Clock, FlowBatch};

use crate::error::StoreError;
use crate::files::Files;
use crate::health::{OpenReport, StoreHealth};
use crate::policy::StorePolicy;
use crate::read::Snapshot;

/// Handle of an open store. Clones are the same store.
#[derive(Debug, Clone)]
pub struct Store {}

/// Tells when appended rows are committed: covered by a finished fdatasync.
#[derive(Debug, Clone)]
pub struct Ticket {}

impl Store {
    /// Opens the store in `policy.dir`, which is made if it is not there, and starts its threads.
    /// What a crash left behind is recovered; damaged files are put aside and reported.
    pub fn open(
        policy: StorePolicy,
        clock: Arc<dyn Clock>,
        files: Arc<dyn Files>,
    ) -> Result<(Store, OpenReport), StoreError> {
        todo!("{policy:?} {files:?} {}", clock.now())
    }

    /// Opens a store for reading, while another process may write to it. Changes nothing on disk;
    /// shows what was whole on disk at this moment.
    pub fn open_read_only(
        dir: &Path,
        files: Arc<dyn Files>,
    ) -> Result<(Store, OpenReport), StoreError> {
        todo!("{dir:?} {files:?}")
    }

    /// Takes the rows of a sealed batch. They are in every snapshot from now on. Waits for a slow
    /// disk up to `backlog_wait`; an error means that none of the rows was taken.
    pub fn append(&self, batch: &FlowBatch) -> Result<Ticket, StoreError> {
        todo!("{batch:?}")
    }

    /// Commits everything appended so far and returns when it is durable.
    pub fn flush(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// The rows that there are now.
    pub fn snapshot(&self) -> Snapshot {
        todo!()
    }

    /// What there is to know about the store now. Cheap enough for every second.
    pub fn health(&self) -> StoreHealth {
        todo!()
    }

    /// Does what the background thread would do (closing, compaction, retention), now, and
    /// returns when nothing is left to do.
    pub fn maintain(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Commits and closes what is open, ends the threads and unlocks the folder. Appends to any
    /// handle are refused from then on; snapshots stay readable.
    pub fn close(&self) -> Result<(), StoreError> {
        todo!()
    }
}

impl Ticket {
    /// True once the rows are committed.
    pub fn is_durable(&self) -> bool {
        todo!()
    }

    /// Waits until the rows are committed.
    pub fn wait(&self, timeout: Duration) -> Result<(), StoreError> {
        todo!("{timeout:?}")
    }
}
