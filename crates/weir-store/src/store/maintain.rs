//! Background work, one step after another: close, merge, drop what is too old or too much,
//! unlink what no snapshot holds.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::core::Core;
use super::ticket::lock;
use super::{compact, retain};
use crate::error::StoreError;
use crate::manifest::{Entry, Record, segment_path};
use crate::segment::SegmentId;

impl Core {
    /// All background work that is due now. `pace` is called between pieces of a merge with the
    /// time that the piece took.
    pub(crate) fn maintain(&self, pace: &dyn Fn(Duration)) -> Result<(), StoreError> {
        let _work = lock(&self.work);
        let closed = self.close_waiting();
        // Why: retention goes on when closing fails, since it is what makes room.
        let kept = retain::run(self);
        self.unlink_left();
        closed?;
        kept?;
        if self.policy.compaction.enabled {
            self.compact(pace)?;
        }
        Ok(())
    }

    fn compact(&self, pace: &dyn Fn(Duration)) -> Result<(), StoreError> {
        loop {
            let (job, backlog) = compact::next_job(self);
            self.tallies.compaction_backlog.store(backlog as u64, Ordering::Relaxed);
            let Some(job) = job else { return Ok(()) };
            if self.stopping() {
                return Err(StoreError::Cancelled);
            }
            // Why: a merge needs the room of its inputs until they are dropped.
            self.check_space();
            self.check_room()?;
            match compact::run(self, &job, pace) {
                Ok(()) => self.tallies.compactions.fetch_add(1, Ordering::Relaxed),
                Err(StoreError::Cancelled) => return Err(StoreError::Cancelled),
                Err(error) => {
                    self.tallies.compactions_failed.fetch_add(1, Ordering::Relaxed);
                    return Err(error);
                }
            };
            self.close_waiting()?;
            self.unlink_left();
        }
    }

    /// Drops closed segments: first the record, then the sight, at last the files.
    pub(crate) fn drop_segments(&self, ids: &[SegmentId]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        lock(&self.manifest).append(&Record::Remove(ids.to_vec()))?;
        lock(&self.visible).give_up(ids, |entry| self.entry_path(entry));
        Ok(())
    }

    pub(crate) fn entry_path(&self, entry: &Entry) -> std::path::PathBuf {
        self.path(&entry.place)
    }

    /// Removes files that no snapshot holds any more.
    pub(crate) fn unlink_left(&self) {
        let left = lock(&self.visible).take_left();
        for path in left {
            if let Err(error) = self.files.remove(&path) {
                tracing::warn!(%error, file = %relative(&path, &self.policy.dir), "a file that is no longer needed stays until the next start");
            }
        }
    }
}

fn relative(path: &Path, dir: &Path) -> String {
    path.strip_prefix(dir).unwrap_or(path).display().to_string()
}

/// The name of a segment's file for people.
pub(crate) fn file_name(entry: &Entry) -> String {
    segment_path(&entry.place).display().to_string()
}
