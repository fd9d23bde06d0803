//! What of a segment file without footer is whole.

use crate::read::{Damage, ReadAt, ReadError};

use super::{FrameInfo, SegmentHead, SegmentId};

/// The whole frames that a segment file starts with.
#[derive(Debug)]
pub struct Scan {
    /// What the header says.
    pub head: SegmentHead,
    /// The frames, in order.
    pub frames: Vec<FrameInfo>,
    /// Where the last whole frame ends: the file can be cut here and a footer written.
    pub end: u64,
    /// What comes after `end`, if it is not the end of the file.
    pub rest: Option<Damage>,
}

/// Reads a segment file from its start, checking every checksum, up to its last whole frame.
/// A damaged header is an error; a damaged frame ends the scan.
pub fn scan_frames(file: &dyn ReadAt, id: SegmentId) -> Result<Scan, ReadError> {
    let _ = (file.size(), id);
    todo!()
}

/// Reads everything that can be read in the octets of a segment file, by every way there is.
/// For fuzzing: must return, whatever the octets are.
pub fn check_segment(octets: &[u8]) {
    todo!("{octets:?}")
}
