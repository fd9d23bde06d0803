//! What the store's handles and threads share.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use weir_model::{Clock, FlowBatch, Table, Timestamp};

use super::closing::Closing;
use super::commit::Committer;
use super::lane::{Host, Lane, OpenFile, RollRule};
use super::pulse::Pulse;
use super::ticket::{Ticket, lock};
use super::visible::Visible;
use crate::error::{StoreError, StoreErrorKind};
use crate::files::{Files, Lock, Space};
use crate::health::{Quarantined, Refused};
use crate::manifest::{Manifest, Place, segment_path};
use crate::policy::StorePolicy;
use crate::read::Snapshot;
use crate::segment::{SegmentCache, SegmentId};

/// Tables that rows can be appended to.
const APPENDABLE: [Table; 3] = [Table::Flows, Table::Counters, Table::Options];

/// See the module. Locks are taken in the order of the fields that hold them; only `work`,
/// `committer` and `manifest` are held during input or output.
pub(crate) struct Core {
    pub(crate) policy: StorePolicy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) files: Arc<dyn Files>,
    /// Held by whoever closes, merges or removes segments.
    pub(crate) work: Mutex<()>,
    pub(crate) committer: Mutex<Committer>,
    /// By table.
    pub(crate) lanes: Vec<Vec<Mutex<Lane>>>,
    pub(crate) closing: Mutex<VecDeque<Closing>>,
    pub(crate) manifest: Mutex<Manifest>,
    pub(crate) visible: Mutex<Visible>,
    /// Segments with a block that cannot be read: they are not merged.
    pub(crate) damaged: Mutex<HashSet<SegmentId>>,
    /// Files that were put aside when the store was opened, or before.
    pub(crate) quarantined: Vec<Quarantined>,
    pub(crate) pulse: Pulse,
    pub(crate) tallies: Tallies,
    pub(crate) space: Mutex<Option<Space>>,
    /// Indexes and dictionaries of closed segments.
    pub(crate) cache: Arc<SegmentCache>,
    pub(crate) next_id: AtomicU64,
    /// No more rows are taken.
    pub(crate) closed: AtomicBool,
    /// Background work ends at the next block.
    pub(crate) stop: AtomicBool,
    pub(crate) lock: Mutex<Option<Box<dyn Lock>>>,
    pub(crate) started_at: Timestamp,
}

/// Numbers for people.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    pub(crate) refused: Refused,
    pub(crate) rows_appended: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) commits_failed: AtomicU64,
    pub(crate) fsync_nanos: AtomicU64,
    pub(crate) compactions: AtomicU64,
    pub(crate) compactions_failed: AtomicU64,
    pub(crate) compaction_backlog: AtomicU64,
    pub(crate) octets_made: AtomicU64,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("dir", &self.policy.dir).finish_non_exhaustive()
    }
}

impl Host for Core {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn next_id(&self) -> SegmentId {
        SegmentId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    fn roll(&self) -> RollRule {
        RollRule { octets: self.policy.segment_octets, age: self.policy.segment_age }
    }

    fn show(&self, id: SegmentId, open: &Arc<OpenFile>) {
        lock(&self.visible).show(id, open);
    }

    fn made(&self, octets: usize) {
        self.pulse.made(octets);
        self.tallies.octets_made.fetch_add(octets as u64, Ordering::Relaxed);
    }
}

impl Core {
    pub(crate) fn lanes_for(policy: &StorePolicy) -> Vec<Vec<Mutex<Lane>>> {
        let count = |table| if table == Table::Flows { policy.lanes.max(1) } else { 1 };
        let lane = |table| Mutex::new(Lane::new(table));
        APPENDABLE.iter().map(|&t| (0..count(t)).map(|_| lane(t)).collect()).collect()
    }

    /// See [`super::Store::append`].
    pub(crate) fn append(&self, batch: &FlowBatch) -> Result<Ticket, StoreError> {
        let taken = self.admit().map(|()| self.take(batch));
        match taken {
            Ok(Some(ticket)) => {
                self.tallies.rows_appended.fetch_add(batch.rows() as u64, Ordering::Relaxed);
                Ok(ticket)
            }
            Ok(None) => self.refuse(batch, StoreError::Closed),
            Err(error) => self.refuse(batch, error),
        }
    }

    fn refuse(&self, batch: &FlowBatch, error: StoreError) -> Result<Ticket, StoreError> {
        self.tallies.refused.add(error.kind(), batch.rows());
        Err(error)
    }

    /// Says whether rows may come in now; waits for a slow disk.
    fn admit(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        self.check_room()?;
        let max = self.policy.unsynced_octets_max;
        let waiting = self.pulse.wait_for_room(max, self.policy.backlog_wait);
        if waiting > max {
            return Err(StoreError::Backlog { octets: waiting });
        }
        Ok(())
    }

    /// An error while the medium is full.
    pub(crate) fn check_room(&self) -> Result<(), StoreError> {
        let free = lock(&self.space).map_or(u64::MAX, |space| space.free);
        let needed = self.policy.disk_free_min;
        if free < needed || self.pulse.trouble() == Some(StoreErrorKind::DiskFull) {
            return Err(StoreError::DiskFull { free, needed });
        }
        Ok(())
    }

    fn take(&self, batch: &FlowBatch) -> Option<Ticket> {
        let lanes = self.lanes.get(batch.table() as usize)?;
        // Why: the first free lane, so that a quiet store fills one segment at a time.
        let free = lanes.iter().find_map(|lane| lane.try_lock().ok());
        let mut lane = match free {
            Some(lane) => lane,
            None => lock(lanes.first()?),
        };
        // Why: under the lane's lock, so that a commit which misses these rows also misses this.
        self.pulse.dirty(self.clock.now());
        let outcome = lane.append(batch, self);
        drop(lane);
        self.pulse.wake_if_full(self.policy.commit_octets);
        Some(Ticket { outcome })
    }

    /// See [`super::Store::snapshot`].
    pub(crate) fn snapshot(&self) -> Snapshot {
        for lane in self.lanes.iter().flatten() {
            lock(lane).seal(self);
        }
        lock(&self.visible).snapshot()
    }

    /// Asks the medium how much room is left. What cannot be told does not stop the store.
    pub(crate) fn check_space(&self) {
        let space = self.files.space(&self.policy.dir).ok();
        let low = |space: Option<Space>| {
            space.is_some_and(|space| space.free < self.policy.disk_free_min)
        };
        let before = std::mem::replace(&mut *lock(&self.space), space);
        match (low(before), low(space)) {
            (false, true) => tracing::error!(
                free = space.map(|space| space.free),
                needed = self.policy.disk_free_min,
                "the disk is full: rows are refused"
            ),
            (true, false) => tracing::info!("the disk has room again: rows are taken"),
            _ => {}
        }
    }

    /// Why rows are refused now.
    pub(crate) fn shedding(&self) -> Option<StoreErrorKind> {
        match self.check_room() {
            Err(error) => Some(error.kind()),
            Ok(()) if self.pulse.unsynced() > self.policy.unsynced_octets_max => {
                Some(self.pulse.trouble().unwrap_or(StoreErrorKind::Backlog))
            }
            Ok(()) => None,
        }
    }

    /// The whole path of a segment's file.
    pub(crate) fn path(&self, place: &Place) -> PathBuf {
        self.policy.dir.join(segment_path(place))
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}
