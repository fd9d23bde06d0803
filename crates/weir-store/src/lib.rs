//! The embedded store: blocks, segments, manifest, compaction, rollups, retention.
#![forbid(unsafe_code)]

mod block;
mod bloom;
pub mod dictionary;
mod encoding;
pub mod error;
pub mod files;
mod filters;
pub mod health;
mod manifest;
pub mod policy;
pub mod read;
mod rollup;
pub mod segment;
pub mod store;
pub mod zone;

pub use block::check_block;
pub use dictionary::Dictionary;
pub use error::{StoreError, StoreErrorKind};
pub use files::{DiskFiles, File, Files};
pub use filters::RowKey;
pub use health::{OpenReport, StoreHealth};
pub use policy::{Compaction, Retention, StorePolicy};
pub use read::{BlockColumn, BlockData, Damage, ReadAt, ReadError, Snapshot};
pub use segment::{
    BlockIndex, BlockInfo, CACHE_OCTETS, CacheNumbers, FrameInfo, HotSegment, Scan, Segment,
    SegmentCache, SegmentHead, SegmentId, SegmentInfo, SegmentWriter, Summary, Tier, check_segment,
    scan_frames,
};
pub use store::{Store, Ticket};
pub use zone::Zone;
