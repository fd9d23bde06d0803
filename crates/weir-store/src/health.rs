//! What the store tells of itself: at its start, and whenever it is asked.

use std::time::Duration;

use serde::Serialize;

use crate::error::StoreErrorKind;
use crate::segment::{CacheNumbers, Tier};

/// What was found when a store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OpenReport {
    /// Segments that can be read.
    pub segments: usize,
    /// Rows in them.
    pub rows: u64,
    /// Segments that the last run left open, and what was whole in them.
    pub recovered: Vec<Recovered>,
    /// Files that were put aside now or in an earlier run.
    pub quarantined: Vec<Quarantined>,
    /// Files without a record in the manifest, which were removed.
    pub garbage: Vec<String>,
    /// Octets at the end of the manifest that were not a whole record.
    pub manifest_octets_cut: u64,
    /// How long it took.
    pub took: Duration,
}

/// A segment that the last run left open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recovered {
    /// Its file, relative to the data folder.
    pub file: String,
    /// Rows in its whole frames.
    pub rows: u64,
    /// Octets after its last whole frame, which are cut off.
    pub octets_cut: u64,
}

/// A file that holds something else than the manifest says. It is kept for people to look at and
/// takes no part in answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Its file, relative to the data folder.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
    /// Rows that the manifest says it had.
    pub rows: u64,
}

/// Rows, segments and octets of one table and tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TierHealth {
    /// `flows`, `counters`, `options`, `rollups`.
    pub table: &'static str,
    /// `raw`, `1m`, `5m`, `1h`.
    pub tier: &'static str,
    /// Rows.
    pub rows: u64,
    /// Segments.
    pub segments: usize,
    /// Octets on disk.
    pub octets: u64,
}

/// The store, now.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StoreHealth {
    /// By table and tier; only those that have a segment.
    pub tiers: Vec<TierHealth>,
    /// Octets on disk in all.
    pub octets: u64,
    /// Age of the oldest row that is not committed, in milliseconds.
    pub commit_lag_ms: u64,
    /// How long the last fdatasync took, in milliseconds.
    pub fsync_ms: f64,
    /// Commits that ended well.
    pub commits: u64,
    /// Commits that did not and were tried again.
    pub commits_failed: u64,
    /// Octets that wait for their commit.
    pub unsynced_octets: usize,
    /// Why rows are refused now; `None` while they are taken.
    pub shedding: Option<&'static str>,
    /// Rows refused so far, by kind of error.
    pub rows_refused: Vec<(&'static str, u64)>,
    /// Rows taken so far.
    pub rows_appended: u64,
    /// Files that take no part in answers.
    pub quarantined: Vec<Quarantined>,
    /// Files with a block that could not be read; the others of their blocks still answer.
    pub damaged: Vec<Quarantined>,
    /// What to do before or while the disk is full.
    pub advice: Option<String>,
    /// Octets that are free on the medium.
    pub disk_free: u64,
    /// Octets of the medium.
    pub disk_total: u64,
    /// Segments that wait to be closed.
    pub segments_closing: usize,
    /// Segments that wait to be merged.
    pub compaction_backlog: usize,
    /// Merges that were done.
    pub compactions: u64,
    /// Merges that ended with an error.
    pub compactions_failed: u64,
    /// What is in memory of closed segments.
    pub cache: CacheNumbers,
    /// Octets that a day at the present rate takes, after retention.
    pub octets_per_day: f64,
    /// Days until the disk is full at the present rate; `None` when it will not be.
    pub days_until_full: Option<f64>,
}

impl StoreHealth {
    /// True when rows are taken and nothing waits unusually long.
    pub fn is_ready(&self) -> bool {
        self.shedding.is_none()
    }
}

/// The word for a tier.
pub fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Raw => "raw",
        Tier::Rollup(grain) => grain.name(),
    }
}

/// Rows refused, by kind of error.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    counts: [std::sync::atomic::AtomicU64; StoreErrorKind::ALL.len()],
}

impl Refused {
    pub(crate) fn add(&self, kind: StoreErrorKind, rows: usize) {
        let count = &self.counts[kind as usize];
        count.fetch_add(rows as u64, std::sync::atomic::Ordering::Relaxed);
    }

    pub(crate) fn list(&self) -> Vec<(&'static str, u64)> {
        let read = |kind: StoreErrorKind| {
            self.counts[kind as usize].load(std::sync::atomic::Ordering::Relaxed)
        };
        let counts = StoreErrorKind::ALL.iter().map(|kind| (kind.name(), read(*kind)));
        counts.filter(|(_, count)| *count > 0).collect()
    }
}
