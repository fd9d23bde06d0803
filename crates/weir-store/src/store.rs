//! The store: where batches go in, and where readers get their snapshots.
//!
//! Life of a row: [`Store::append`] puts it into the frame of an open segment, where every
//! snapshot from then on sees it; a commit writes the frame and syncs it, and its [`Ticket`] says
//! so; when the segment is full or old it is closed with its rollups; later it is merged with its
//! neighbours; retention removes it.
//!
//! Invariant: a row is in exactly one segment of a snapshot. What a ticket called durable is there
//! after any crash, once.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use weir_model::{Clock, FlowBatch, SystemClock};

use crate::error::StoreError;
use crate::files::Files;
use crate::health::{OpenReport, StoreHealth};
use crate::policy::StorePolicy;
use crate::read::Snapshot;
use crate::segment::SegmentCache;

mod closing;
mod commit;
mod compact;
mod core;
mod gather;
mod lane;
mod maintain;
mod open;
mod pulse;
mod report;
mod retain;
mod sorted;
mod threads;
mod ticket;
mod visible;

use self::core::{Core, Tallies};
use self::open::Found;
use self::threads::Threads;
pub use self::ticket::Ticket;
pub(crate) use self::ticket::lock;

/// File that is locked while a process writes to the folder.
const LOCK: &str = "lock";
/// How often a reader looks again when a file was not what the manifest said.
const READ_TRIES: usize = 3;

/// Handle of an open store. Clones are the same store; it is closed with its last handle, or by
/// [`Store::close`].
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Arc<Core>,
    threads: Mutex<Option<Threads>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the store did not close in order");
        }
    }
}

impl Store {
    /// Opens the store in `policy.dir`, which is made if it is not there, and starts its threads.
    /// What a crash left behind is recovered; damaged files are put aside and reported.
    pub fn open(
        policy: StorePolicy,
        clock: Arc<dyn Clock>,
        files: Arc<dyn Files>,
    ) -> Result<(Store, OpenReport), StoreError> {
        let (core, report) = open_core(policy, clock, files)?;
        let core = Arc::new(core);
        let threads = Mutex::new(Some(Threads::start(&core)?));
        Ok((Store { inner: Arc::new(Inner { core, threads }) }, report))
    }

    /// Opens a store for reading, while another process may write to it. Changes nothing on disk;
    /// shows what was whole on disk at this moment.
    pub fn open_read_only(
        dir: &Path,
        files: Arc<dyn Files>,
    ) -> Result<(Store, OpenReport), StoreError> {
        let policy = StorePolicy::new(dir);
        let cache = Arc::new(SegmentCache::new(policy.index_cache));
        let mut found = open::open(dir, &files, false, &cache)?;
        for _ in 0..READ_TRIES {
            // Why: a writer may have merged segments away between its manifest and their files.
            if found.report.quarantined.is_empty() {
                break;
            }
            found = open::open(dir, &files, false, &cache)?;
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (core, report) = assemble(policy, clock, files, (found, cache));
        core.closed.store(true, Ordering::Release);
        let threads = Mutex::new(None);
        Ok((Store { inner: Arc::new(Inner { core: Arc::new(core), threads }) }, report))
    }

    /// Takes the rows of a sealed batch. They are in every snapshot from now on. Waits for a slow
    /// disk up to `backlog_wait`; an error means that none of the rows was taken. Up to
    /// [`weir_model::batch::ROWS_MAX`] rows of one call stand in one frame: after any crash all of
    /// them are there or none.
    pub fn append(&self, batch: &FlowBatch) -> Result<Ticket, StoreError> {
        self.inner.core.append(batch)
    }

    /// Commits everything appended so far and returns when it is durable.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.inner.core.commit(false)
    }

    /// The rows that there are now.
    pub fn snapshot(&self) -> Snapshot {
        self.inner.core.snapshot()
    }

    /// What there is to know about the store now. Cheap enough for every second.
    pub fn health(&self) -> StoreHealth {
        report::health(&self.inner.core)
    }

    /// Does what the background thread would do (closing, compaction, retention), now, and
    /// returns when nothing is left to do.
    pub fn maintain(&self) -> Result<(), StoreError> {
        self.inner.core.maintain(&|_| {})
    }

    /// Commits and closes what is open, ends the threads and unlocks the folder. Appends to any
    /// handle are refused from then on; snapshots stay readable.
    pub fn close(&self) -> Result<(), StoreError> {
        self.inner.close()
    }
}

impl Inner {
    fn close(&self) -> Result<(), StoreError> {
        self.core.closed.store(true, Ordering::Release);
        let Some(threads) = lock(&self.threads).take() else { return Ok(()) };
        threads.stop(&self.core);
        let committed = self.core.commit(true);
        // Why: rollups of what was open are made now, unless that is called off by a second stop.
        self.core.stop.store(false, Ordering::Release);
        let closed = {
            let _work = lock(&self.core.work);
            self.core.close_waiting().map(drop)
        };
        self.core.unlink_left();
        *lock(&self.core.lock) = None;
        committed.and(closed)
    }
}

/// Locks, reads and recovers a store without starting anything.
fn open_core(
    policy: StorePolicy,
    clock: Arc<dyn Clock>,
    files: Arc<dyn Files>,
) -> Result<(Core, OpenReport), StoreError> {
    let before = clock.now();
    let dir = policy.dir.clone();
    files.create_dir(&dir).map_err(StoreError::io("create folder", &dir))?;
    let path = dir.join(LOCK);
    let held = files.lock(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => StoreError::Locked { dir: dir.clone() },
        _ => StoreError::io("lock", &path)(error),
    })?;
    let cache = Arc::new(SegmentCache::new(policy.index_cache));
    let found = open::open(&dir, &files, true, &cache)?;
    let (core, mut report) = assemble(policy, Arc::clone(&clock), files, (found, cache));
    *lock(&core.lock) = Some(held);
    core.check_space();
    report.took = clock.now().since(before);
    Ok((core, report))
}

fn assemble(
    policy: StorePolicy,
    clock: Arc<dyn Clock>,
    files: Arc<dyn Files>,
    (found, cache): (Found, Arc<SegmentCache>),
) -> (Core, OpenReport) {
    let Found { manifest, visible, closing, report, next_id } = found;
    let core = Core {
        started_at: clock.now(),
        work: Mutex::default(),
        committer: Mutex::default(),
        lanes: Core::lanes_for(&policy),
        closing: Mutex::new(closing.into()),
        manifest: Mutex::new(manifest),
        visible: Mutex::new(visible),
        damaged: Mutex::new(HashSet::new()),
        quarantined: report.quarantined.clone(),
        pulse: pulse::Pulse::default(),
        tallies: Tallies::default(),
        space: Mutex::new(None),
        cache,
        next_id: AtomicU64::new(next_id),
        closed: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        lock: Mutex::new(None),
        policy,
        clock,
        files,
    };
    (core, report)
}

#[cfg(test)]
mod tests;
