//! The embedded store: blocks, segments, manifest, compaction, rollups, retention.
#![forbid(unsafe_code)]

pub mod dictionary;
pub mod read;
pub mod segment;
pub mod zone;

pub use dictionary::Dictionary;
pub use read::{BlockColumn, BlockData, Damage, ReadAt, ReadError, Snapshot};
pub use segment::{
    BlockInfo, FrameInfo, HotSegment, Scan, Segment, SegmentHead, SegmentId, SegmentInfo,
    SegmentWriter, Tier, scan_frames,
};
pub use zone::Zone;
