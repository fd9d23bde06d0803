//! A segment that still grows, as readers see it.

use std::sync::Arc;

use crate::read::ReadAt;

use super::{FrameInfo, Segment, SegmentHead};

/// Frames of a segment that is being written. Readers take [`HotSegment::view`]s; a view does not
/// change when frames are added.
pub struct HotSegment {}

impl HotSegment {
    /// Without frames. `file` is read once [`HotSegment::settle`] says that it holds a frame.
    pub fn new(head: SegmentHead, file: Arc<dyn ReadAt>) -> HotSegment {
        let _ = (head, file);
        todo!()
    }

    /// Shows a frame to readers from now on. `octets` are those that the writer made for it.
    pub fn publish(&self, info: &FrameInfo, octets: Arc<[u8]>) {
        let _ = (info, octets);
        todo!()
    }

    /// Says that the file holds everything before offset `end`: frames that end there or before
    /// are read from it, and their octets leave memory.
    pub fn settle(&self, end: u64) {
        let _ = end;
        todo!()
    }

    /// Octets of frames that are kept in memory.
    pub fn octets_in_memory(&self) -> usize {
        todo!()
    }

    /// The frames published so far.
    pub fn view(&self) -> Arc<Segment> {
        todo!()
    }
}
