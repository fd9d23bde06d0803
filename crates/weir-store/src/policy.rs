//! What the operator decides about a store: where, how durable, how long.

use std::path::PathBuf;
use std::time::Duration;

use weir_model::Grain;

/// Rules of a store. [`StorePolicy::new`] has the defaults.
#[derive(Debug, Clone)]
pub struct StorePolicy {
    /// Folder that holds everything.
    pub dir: PathBuf,
    /// Longest time between the arrival of a row and the start of its commit.
    pub commit_interval: Duration,
    /// Octets of frames after which a commit starts at once.
    pub commit_octets: usize,
    /// Octets of frames that may wait for their commit; past them `append` waits, then refuses.
    pub unsynced_octets_max: usize,
    /// How long `append` waits for a slow disk before it refuses.
    pub backlog_wait: Duration,
    /// Octets after which a segment is closed.
    pub segment_octets: u64,
    /// Age after which a segment is closed.
    pub segment_age: Duration,
    /// Segments of the flow table that are open at once: as many threads append without waiting
    /// for each other.
    pub lanes: usize,
    /// Octets of indexes and dictionaries of closed segments that stay in memory.
    pub index_cache: usize,
    /// Octets that stay free on the medium: below them rows are refused.
    pub disk_free_min: u64,
    /// Compaction, in the background.
    pub compaction: Compaction,
    /// What is kept how long.
    pub retention: Retention,
    /// How often the background thread looks for work.
    pub maintenance_interval: Duration,
}

/// Rules of compaction.
#[derive(Debug, Clone)]
pub struct Compaction {
    /// False turns it off: segments stay as they were closed.
    pub enabled: bool,
    /// How long after its end an hour is merged.
    pub delay: Duration,
    /// Rows that are sorted at a time: bounds the memory of a merge (about 250 octets a row).
    pub run_rows: usize,
    /// A raw segment with as many rows a block, and at least an eighth of the octets after which
    /// one is closed, is left as it is: merging it would cost more than it gives.
    pub full_block_rows: u64,
    /// Octets of its inputs after which a merged segment is full.
    pub segment_octets: u64,
    /// Part of one core that the merge may use, 0.0 to 1.0.
    pub core_share: f64,
}

/// How long rows are kept, by table and tier. `None`: until the disk says otherwise.
#[derive(Debug, Clone, Default)]
pub struct Retention {
    /// Flow records.
    pub flows: Option<Duration>,
    /// Counter samples.
    pub counters: Option<Duration>,
    /// Options records.
    pub options: Option<Duration>,
    /// Sums over a minute.
    pub minute: Option<Duration>,
    /// Sums over five minutes.
    pub five_minutes: Option<Duration>,
    /// Sums over an hour.
    pub hour: Option<Duration>,
    /// Octets that the whole store may take: past them the oldest raw segments go first, then
    /// sums, the finest grain first.
    pub octets_max: Option<u64>,
}

impl Retention {
    /// How long sums of `grain` are kept.
    pub fn of_grain(&self, grain: Grain) -> Option<Duration> {
        match grain {
            Grain::Minute => self.minute,
            Grain::FiveMinutes => self.five_minutes,
            Grain::Hour => self.hour,
        }
    }
}

impl StorePolicy {
    /// The defaults, in folder `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> StorePolicy {
        let days = |n: u64| Some(Duration::from_secs(n * 86_400));
        StorePolicy {
            dir: dir.into(),
            commit_interval: Duration::from_millis(200),
            commit_octets: 8 << 20,
            unsynced_octets_max: 64 << 20,
            backlog_wait: Duration::from_secs(1),
            segment_octets: 256 << 20,
            segment_age: Duration::from_secs(15 * 60),
            lanes: 2,
            index_cache: crate::segment::CACHE_OCTETS,
            disk_free_min: 512 << 20,
            compaction: Compaction {
                enabled: true,
                delay: Duration::from_secs(120),
                run_rows: 8 * weir_model::batch::ROWS_MAX,
                full_block_rows: weir_model::batch::ROWS_MAX as u64 / 4,
                segment_octets: 512 << 20,
                core_share: 0.5,
            },
            retention: Retention {
                flows: days(3),
                counters: days(14),
                options: days(14),
                minute: days(14),
                five_minutes: days(90),
                hour: days(400),
                octets_max: None,
            },
            maintenance_interval: Duration::from_secs(10),
        }
    }
}
