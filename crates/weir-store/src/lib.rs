//! The embedded store: blocks, segments, manifest, compaction, rollups, retention.
#![forbid(unsafe_code)]

mod block;
mod bloom;
pub mod dictionary;
mod encoding;
pub mod error;
pub mod files;
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
pub use health::{OpenReport, StoreHealth};
pub use policy::{Compaction, Retention, StorePolicy};
pub use read::{BlockColumn, BlockData, Damage, ReadAt, ReadError, Snapshot};
pub use segment::{
    BlockInfo, FrameInfo, HotSegment, Scan, Segment, SegmentHead, SegmentId, SegmentInfo,
    SegmentWriter, Tier, check_segment, scan_frames,
};
pub use store::{Store, Ticket};
pub use zone::Zone;
