//! What of a segment file without footer is whole.

use std::sync::Arc;

use super::frame::{FRAME_HEADER_LEN, FrameHeader};
use super::{FrameInfo, HEADER_LEN, Segment, SegmentHead, SegmentId};
use crate::filters::RowKey;
use crate::read::{Damage, ReadAt, ReadError};

/// The whole frames that a segment file starts with.
#[derive(Debug)]
pub struct Scan {
    /// What the header says.
    pub head: SegmentHead,
    /// The frames, in order.
    pub frames: Vec<FrameInfo>,
    /// Where the last whole frame ends: the file can be cut here and a footer written.
    pub end: u64,
    /// What is wrong with what comes after `end`, if that is not the end of the file. A footer
    /// shows as [`Damage::Magic`]: try [`Segment::open`] first.
    pub rest: Option<Damage>,
}

/// Reads a segment file from its start, checking every checksum, up to its last whole frame.
/// A damaged header is an error; a damaged frame ends the scan.
pub fn scan_frames(file: &dyn ReadAt, id: SegmentId) -> Result<Scan, ReadError> {
    let failed = |offset, len| move |source| ReadError::Io { segment: id, offset, len, source };
    let size = file.size().map_err(failed(0, 0))?;
    let head = read_head(file, id)?;
    let mut scan = Scan { head, frames: Vec::new(), end: HEADER_LEN as u64, rest: None };
    let (mut addrs, mut strings) = (0usize, 0usize);
    let mut octets = Vec::new();
    while scan.end < size {
        let (offset, room) = (scan.end, size - scan.end);
        if room < FRAME_HEADER_LEN as u64 {
            scan.rest = Some(Damage::Truncated);
            break;
        }
        let mut header = [0; FRAME_HEADER_LEN];
        let len = FRAME_HEADER_LEN as u64;
        file.read_exact_at(&mut header, offset).map_err(failed(offset, len))?;
        let found = FrameHeader::decode(&header, room).inspect(|header| {
            // Limit: the file holds that much; `decode` checked it.
            octets.resize(header.len as usize, 0);
        });
        let frame = match found {
            Ok(header) => {
                let len = u64::from(header.len);
                file.read_exact_at(&mut octets, offset).map_err(failed(offset, len))?;
                let follows = (header.addrs_before as usize, header.strings_before as usize)
                    == (addrs, strings);
                let order = Err(Damage::Impossible("order of frames"));
                if follows { header.body(&octets, offset) } else { order }
            }
            Err(damage) => Err(damage),
        };
        let (frame, additions) = match frame {
            Ok(frame) => frame,
            Err(damage) => {
                scan.rest = Some(damage);
                break;
            }
        };
        addrs += additions.addrs.len();
        strings += additions.ends.len();
        scan.end += u64::from(frame.len);
        scan.frames.push(FrameInfo {
            offset,
            len: frame.len,
            rows: frame.rows,
            received_at: frame.received_at(head.table),
            frame: Arc::new(frame),
            additions: Arc::new(additions),
        });
    }
    Ok(scan)
}

/// Reads the header of a segment file.
pub(crate) fn read_head(file: &dyn ReadAt, id: SegmentId) -> Result<SegmentHead, ReadError> {
    let mut header = [0; HEADER_LEN];
    let len = HEADER_LEN as u64;
    let damaged = |damage| ReadError::Damaged { segment: id, offset: 0, damage };
    file.read_exact_at(&mut header, 0).map_err(|source| match source.kind() {
        std::io::ErrorKind::UnexpectedEof => damaged(Damage::Truncated),
        _ => ReadError::Io { segment: id, offset: 0, len, source },
    })?;
    SegmentHead::decode(&header).map_err(damaged)
}

/// Reads everything that can be read in the octets of a segment file, by every way there is.
/// For fuzzing: must return, whatever the octets are. Tells how many columns could be decoded.
pub fn check_segment(octets: &[u8]) -> usize {
    let id = SegmentId(0);
    let file: Arc<dyn ReadAt> = Arc::new(octets.to_vec());
    let mut columns = 0;
    if let Ok(scan) = scan_frames(&*file, id) {
        columns += check_columns(&Segment::of_scan(&scan, file.clone()));
    }
    if let Ok(segment) = Segment::open(file, id) {
        columns += check_columns(&segment);
    }
    columns
}

fn check_columns(segment: &Segment) -> usize {
    let dictionary = segment.dictionary();
    if let Some(addr) = dictionary.ok().and_then(|known| known.addrs().first().copied()) {
        segment.may_contain_addr(addr);
        segment.blocks_with(&RowKey::Address(addr));
        segment.blocks_with(&RowKey::Pair(addr, addr));
    }
    let mut columns = 0;
    for block in 0..segment.block_count() {
        let _ = segment.read_batch(block);
        for def in segment.head().table.columns() {
            columns += usize::from(segment.read(block, &[def.id]).is_ok());
        }
    }
    columns
}
