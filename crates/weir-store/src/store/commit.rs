//! The commit: writes what the lanes made, syncs it, and says so.
//!
//! Invariant: an outcome is settled only after every octet of its rows was written and a later
//! fdatasync of that file returned without error. After a failed write or sync nothing since the
//! last good sync is trusted: those octets are still in memory and are written again, at the same
//! offsets, before the next try. So a failed commit loses nothing and duplicates nothing; when the
//! disk does not recover, the backlog fills and rows are refused.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::closing::Closing;
use super::core::Core;
use super::lane::{Chunk, Cut, Open, OpenFile};
use super::ticket::{Outcome, lock};
use crate::error::StoreError;
use crate::files::File;
use crate::manifest::{Place, Record};

/// What was taken out of the lanes and is not durable, by lane.
#[derive(Debug, Default)]
pub(crate) struct Committer {
    lanes: Vec<Work>,
}

#[derive(Debug, Default)]
struct Work {
    writings: Vec<Writing>,
    outcomes: Vec<Arc<Outcome>>,
}

#[derive(Debug)]
struct Writing {
    place: Place,
    shared: Arc<OpenFile>,
    /// The manifest says that the file is there.
    recorded: bool,
    /// Not synced yet, in order.
    chunks: Vec<Chunk>,
    /// Set when no more frames will come.
    retired: Option<Open>,
}

impl Work {
    fn take(&mut self, cut: Cut) {
        for mut open in cut.retired {
            let chunks = std::mem::take(&mut open.queue);
            let writing = self.writing(open.place, &open.shared);
            writing.chunks.extend(chunks);
            writing.retired = Some(open);
        }
        if let Some((place, shared, chunks)) = cut.open {
            self.writing(place, &shared).chunks.extend(chunks);
        }
        self.outcomes.push(cut.outcome);
    }

    fn writing(&mut self, place: Place, shared: &Arc<OpenFile>) -> &mut Writing {
        let found = self.writings.iter().position(|writing| writing.place.id == place.id);
        let at = found.unwrap_or_else(|| {
            let shared = Arc::clone(shared);
            let (recorded, chunks) = (false, Vec::new());
            self.writings.push(Writing { place, shared, recorded, chunks, retired: None });
            self.writings.len() - 1
        });
        &mut self.writings[at]
    }

    /// Writes and syncs; every writing that is left afterwards is clean or has an error to tell.
    fn write(&mut self, core: &Core) -> Result<(), StoreError> {
        let mut result = Ok(());
        for writing in &mut self.writings {
            if let Err(error) = writing.write(core) {
                result = Err(error);
            }
        }
        let clean = |writing: &mut Writing| writing.chunks.is_empty();
        for mut writing in self.writings.extract_if(.., |w| w.retired.is_some() && clean(w)) {
            if let Some(open) = writing.retired.take() {
                lock(&core.closing).push_back(Closing::of(open));
            }
        }
        if result.is_ok() {
            self.outcomes.drain(..).for_each(|outcome| outcome.settle());
        }
        result
    }
}

impl Writing {
    fn write(&mut self, core: &Core) -> Result<(), StoreError> {
        if self.chunks.is_empty() {
            return Ok(());
        }
        let path = core.path(&self.place);
        let file = self.file(core)?;
        let (mut octets, mut end) = (0, 0);
        for chunk in &self.chunks {
            file.write_all_at(&chunk.octets, chunk.offset)
                .map_err(StoreError::io("write", &path))?;
            octets += chunk.octets.len();
            end = chunk.offset + chunk.octets.len() as u64;
        }
        let before = core.clock.now();
        file.sync_data().map_err(StoreError::io("sync", &path))?;
        let took = core.clock.now().since(before).as_nanos();
        core.tallies.fsync_nanos.store(took.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
        self.shared.hot.settle(end);
        self.chunks.clear();
        core.pulse.synced(octets);
        Ok(())
    }

    /// The file, which is made and recorded before its first octet is written.
    fn file(&mut self, core: &Core) -> Result<Arc<dyn File>, StoreError> {
        let file = match self.shared.file.get() {
            Some(file) => Arc::clone(file),
            None => {
                let file = core.create(&self.place)?;
                self.shared.file.set(Arc::clone(&file));
                file
            }
        };
        if !self.recorded {
            core.sync_entry(&self.place)?;
            lock(&core.manifest).append(&Record::Open(self.place))?;
            self.recorded = true;
        }
        Ok(file)
    }
}

impl Core {
    /// One commit of everything appended before it. `end` also retires the open segments.
    pub(crate) fn commit(&self, end: bool) -> Result<(), StoreError> {
        let mut committer = lock(&self.committer);
        self.pulse.take();
        let lanes = self.lanes.iter().flatten();
        committer.lanes.resize_with(lanes.clone().count(), Work::default);
        for (lane, work) in lanes.zip(&mut committer.lanes) {
            let cut = lock(lane).cut(self, end);
            work.take(cut);
        }
        let mut result = Ok(());
        let mut wrote = false;
        for work in &mut committer.lanes {
            wrote |= work.writings.iter().any(|writing| !writing.chunks.is_empty());
            if let Err(error) = work.write(self) {
                result = Err(error);
            }
        }
        self.tell(&result, wrote);
        result
    }

    fn tell(&self, result: &Result<(), StoreError>, wrote: bool) {
        let before = self.pulse.trouble();
        let trouble = result.as_ref().err().map(StoreError::kind);
        self.pulse.ended(trouble);
        let tally = match result {
            Err(error) => {
                if before != trouble {
                    tracing::error!(%error, source = ?std::error::Error::source(error), "a commit is tried again until it succeeds");
                }
                &self.tallies.commits_failed
            }
            Ok(()) if before.is_some() => {
                tracing::info!("commits succeed again");
                &self.tallies.commits
            }
            Ok(()) if wrote => &self.tallies.commits,
            Ok(()) => return,
        };
        tally.fetch_add(1, Ordering::Relaxed);
    }

    /// Makes the file of a segment, and its folder where needed.
    pub(crate) fn create(&self, place: &Place) -> Result<Arc<dyn File>, StoreError> {
        let path = self.path(place);
        let dir = path.parent().unwrap_or(&self.policy.dir);
        self.files.create_dir(dir).map_err(StoreError::io("create folder", dir))?;
        match self.files.create(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                // Why: ids are never given twice, so this is what a failed try left behind.
                self.files.remove(&path).map_err(StoreError::io("remove", &path))?;
                self.files.create(&path).map_err(StoreError::io("create", &path))
            }
            other => other.map_err(StoreError::io("create", &path)),
        }
    }

    /// Makes sure that a crash does not take the entry of a segment's file: syncs its folder and
    /// those above it.
    pub(crate) fn sync_entry(&self, place: &Place) -> Result<(), StoreError> {
        let path = self.path(place);
        for dir in path.ancestors().skip(1) {
            self.files.sync_dir(dir).map_err(StoreError::io("sync", dir))?;
            if dir == self.policy.dir {
                break;
            }
        }
        Ok(())
    }
}
