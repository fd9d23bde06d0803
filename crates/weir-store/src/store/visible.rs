//! The segments that readers see.
//!
//! Invariant: a row is in exactly one of them. A segment that is still written to stands in
//! `hot`, and moves to `closed` together with its rollups; merged ones take the place of their
//! inputs in one step.

use std::path::PathBuf;
use std::sync::{Arc, Weak};

use weir_model::Timestamp;

use super::lane::OpenFile;
use crate::manifest::{Entry, Gone};
use crate::read::Snapshot;
use crate::segment::{Segment, SegmentId};

/// A closed segment and what the manifest says of it.
#[derive(Debug, Clone)]
pub(crate) struct Closed {
    pub(crate) entry: Entry,
    pub(crate) segment: Arc<Segment>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Visible {
    /// Oldest first.
    closed: Vec<Closed>,
    hot: Vec<(SegmentId, Arc<OpenFile>)>,
    /// Files of removed segments that a snapshot may still read.
    leaving: Vec<(Weak<Segment>, PathBuf)>,
    /// Up to when rows were given up.
    gone: Gone,
}

fn order(entry: &Entry) -> (Option<Timestamp>, SegmentId) {
    (entry.first, entry.id())
}

impl Visible {
    /// Without segments, after rows were given up.
    pub(crate) fn new(gone: Gone) -> Visible {
        Visible { gone, ..Visible::default() }
    }

    pub(crate) fn show(&mut self, id: SegmentId, open: &Arc<OpenFile>) {
        self.hot.push((id, Arc::clone(open)));
    }

    pub(crate) fn add(&mut self, closed: Closed) {
        let key = order(&closed.entry);
        let at = self.closed.partition_point(|other| order(&other.entry) <= key);
        self.closed.insert(at, closed);
    }

    /// Takes a segment that was written to out of sight, for its closed self to take its place.
    pub(crate) fn hide_hot(&mut self, id: SegmentId) {
        self.hot.retain(|(hot, _)| *hot != id);
    }

    /// Takes closed segments out of sight whose rows are given up.
    pub(crate) fn give_up(&mut self, ids: &[SegmentId], path: impl Fn(&Entry) -> PathBuf) {
        let entries = self.closed.iter().map(|closed| &closed.entry);
        entries.filter(|entry| ids.contains(&entry.id())).for_each(|entry| self.gone.add(entry));
        self.remove(ids, path);
    }

    /// Takes closed segments out of sight. Their files go when no snapshot holds them.
    pub(crate) fn remove(&mut self, ids: &[SegmentId], path: impl Fn(&Entry) -> PathBuf) {
        let leaving = &mut self.leaving;
        self.closed.retain(|closed| {
            let stays = !ids.contains(&closed.entry.id());
            if !stays {
                leaving.push((Arc::downgrade(&closed.segment), path(&closed.entry)));
            }
            stays
        });
    }

    /// Files that no snapshot holds any more.
    pub(crate) fn take_left(&mut self) -> Vec<PathBuf> {
        let mut left = Vec::new();
        self.leaving.retain(|(segment, path)| {
            let held = segment.strong_count() > 0;
            if !held {
                left.push(path.clone());
            }
            held
        });
        left
    }

    pub(crate) fn closed(&self) -> &[Closed] {
        &self.closed
    }

    pub(crate) fn hot(&self) -> &[(SegmentId, Arc<OpenFile>)] {
        &self.hot
    }

    /// The segments of this moment. Segments that are written to come last: they are the newest.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let closed = self.closed.iter().map(|closed| Arc::clone(&closed.segment));
        let hot = self.hot.iter().map(|(_, open)| open.hot.view());
        let hot = hot.filter(|segment| segment.block_count() > 0);
        Snapshot::new(closed.chain(hot).collect()).with_gone(self.gone.0.clone())
    }
}
