//! From batches to the octets of a segment file.

use std::ops::Range;
use std::sync::Arc;

use weir_model::{FlowBatch, Timestamp};

use super::frame::Frame;
use super::scan::Scan;
use super::{SegmentHead, SegmentInfo};

/// Addresses after which a segment should be closed.
pub const ADDRS_MAX: usize = 1 << 20;
/// Octets of strings after which a segment should be closed.
pub const STRING_OCTETS_MAX: usize = 32 << 20;

/// A frame that was made: where it lies in the file and what readers need to know of it.
#[derive(Debug, Clone)]
pub struct FrameInfo {
    /// Where the frame starts in the file.
    pub offset: u64,
    /// Octets of the frame.
    pub len: u32,
    /// Rows in it.
    pub rows: u32,
    /// Lowest and highest `received_at` of its rows.
    pub received_at: Option<(Timestamp, Timestamp)>,
    pub(crate) frame: Arc<Frame>,
}

/// Makes the octets of one segment: header, frames, footer. Pure: what it makes must be written
/// to the file whole and in order, or the writer be dropped and the segment closed as it is.
#[derive(Debug)]
pub struct SegmentWriter {
    head: SegmentHead,
}

impl SegmentWriter {
    /// Of an empty segment. Appends the header of the file to `out`.
    pub fn new(head: SegmentHead, out: &mut Vec<u8>) -> SegmentWriter {
        todo!("{head:?} {out:?}")
    }

    /// Continues a segment that was found open: as if the frames of `scan` had just been made.
    pub fn resume(scan: &Scan) -> SegmentWriter {
        todo!("{scan:?}")
    }

    /// Appends to `out` one frame of rows `rows` of `batch`, which must be sealed and of the
    /// segment's table. At most 65,536 rows: what is past them is left for another frame, and
    /// [`FrameInfo::rows`] tells how many were taken.
    pub fn frame(&mut self, batch: &FlowBatch, rows: Range<usize>, out: &mut Vec<u8>) -> FrameInfo {
        todo!("{batch:?} {rows:?} {out:?}")
    }

    /// Appends the footer. After it the segment takes no more frames.
    pub fn footer(self, out: &mut Vec<u8>) -> SegmentInfo {
        todo!("{out:?}")
    }

    /// True when the dictionary is so large that the next frame belongs into another segment.
    /// Age and size of the file are the caller's to watch.
    pub fn should_roll(&self) -> bool {
        todo!()
    }

    /// Rows, times and octets so far.
    pub fn info(&self) -> SegmentInfo {
        todo!()
    }
}
