//! The footer of a closed segment: index of frames, whole dictionary, filter of addresses, filters
//! of blocks, and a trailer of fixed length that says where they are.

use std::sync::Arc;

use weir_model::Timestamp;

use super::frame::{FRAME_HEADER_LEN, Frame, read_directory};
use super::{HEADER_LEN, SegmentHead, SegmentInfo};
use crate::block::check_rows;
use crate::bloom;
use crate::dictionary::{self, DictionaryWriter};
use crate::encoding::compress::expand;
use crate::encoding::cursor::put_varint;
use crate::encoding::{Cursor, Decoded, Encoder};
use crate::filters::Filters;
use crate::read::Damage;

/// Octets of the trailer.
pub(crate) const TRAILER_LEN: usize = 96;
const MAGIC: u64 = u64::from_le_bytes(*b"WEIREND1");
/// Octets of an index before compression, at most.
const INDEX_MAX: usize = 1 << 30;
/// What an index may expand to, per octet.
const RATIO_MAX: usize = 1_024;

/// What the rows of a segment sum up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) rows: u64,
    pub(crate) received_at: Option<(Timestamp, Timestamp)>,
}

impl Totals {
    pub(crate) fn add(&mut self, rows: u32, received_at: Option<(Timestamp, Timestamp)>) {
        self.rows += u64::from(rows);
        self.received_at = match (self.received_at, received_at) {
            (Some((first, last)), Some((min, max))) => Some((first.min(min), last.max(max))),
            (known, new) => known.or(new),
        };
    }

    pub(crate) fn info(&self, head: SegmentHead, octets: u64, closed: bool) -> SegmentInfo {
        SegmentInfo {
            head,
            rows: self.rows,
            first_received_at: self.received_at.map(|(first, _)| first),
            last_received_at: self.received_at.map(|(_, last)| last),
            octets,
            closed,
        }
    }
}

/// A stretch of the file and its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stretch {
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) crc: u32,
}

impl Stretch {
    fn of(octets: &[u8], offset: u64) -> Stretch {
        Stretch { offset, len: octets.len() as u32, crc: crc32c::crc32c(octets) }
    }
}

/// The last octets of a closed segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) index: Stretch,
    pub(crate) dictionary: Stretch,
    /// Blocks have checksums of their own; the filter has none.
    pub(crate) bloom: Stretch,
    pub(crate) frames: u32,
    pub(crate) totals: Totals,
    /// Length and checksum of the head of the filters of blocks, which ends where the trailer
    /// starts; 0: there are none.
    pub(crate) filters: (u32, u32),
}

impl Trailer {
    /// Where the head of the filters lies, when the trailer starts at `at`.
    pub(crate) fn filters(&self, at: u64) -> Option<Stretch> {
        let (len, crc) = self.filters;
        let offset = at.checked_sub(len.into()).filter(|_| len > 0)?;
        Some(Stretch { offset, len, crc })
    }

    fn encode(&self) -> [u8; TRAILER_LEN] {
        let mut octets = Vec::with_capacity(TRAILER_LEN);
        for stretch in [self.index, self.dictionary, self.bloom] {
            octets.extend(stretch.offset.to_le_bytes());
            octets.extend(stretch.len.to_le_bytes());
            octets.extend(stretch.crc.to_le_bytes());
        }
        octets.extend(self.totals.rows.to_le_bytes());
        // Times in the wrong order say that no row has one.
        let none = (Timestamp(i64::MAX), Timestamp(i64::MIN));
        let (first, last) = self.totals.received_at.unwrap_or(none);
        octets.extend(first.0.to_le_bytes());
        octets.extend(last.0.to_le_bytes());
        octets.extend(self.frames.to_le_bytes());
        octets.extend(self.filters.0.to_le_bytes());
        octets.extend(self.filters.1.to_le_bytes());
        octets.extend(crc32c::crc32c(&octets).to_le_bytes());
        octets.extend(MAGIC.to_le_bytes());
        let mut trailer = [0; TRAILER_LEN];
        let len = octets.len().min(TRAILER_LEN);
        trailer[..len].copy_from_slice(&octets[..len]);
        trailer
    }

    /// Reads the trailer of a file of `size` octets.
    pub(crate) fn decode(octets: &[u8; TRAILER_LEN], size: u64) -> Decoded<Trailer> {
        let mut cursor = Cursor::new(octets);
        let mut stretches = [Stretch::default(); 3];
        for stretch in &mut stretches {
            *stretch = Stretch { offset: cursor.u64()?, len: cursor.u32()?, crc: cursor.u32()? };
        }
        let [index, dictionary, bloom] = stretches;
        let rows = cursor.u64()?;
        let (first, last) = (cursor.u64()? as i64, cursor.u64()? as i64);
        let frames = cursor.u32()?;
        let filters = (cursor.u32()?, cursor.u32()?);
        let crc = cursor.u32()?;
        if cursor.u64()? != MAGIC {
            return Err(Damage::Magic);
        }
        if crc32c::crc32c(&octets[..TRAILER_LEN - 12]) != crc {
            return Err(Damage::Checksum);
        }
        let end = size.saturating_sub(TRAILER_LEN as u64);
        let inside = |s: &Stretch| s.offset.checked_add(s.len.into()).is_some_and(|at| at <= end);
        if !stretches.iter().all(inside) {
            return Err(Damage::Impossible("offset in a trailer"));
        }
        let received_at = (first <= last).then_some((Timestamp(first), Timestamp(last)));
        let totals = Totals { rows, received_at };
        Ok(Trailer { index, dictionary, bloom, frames, totals, filters })
    }
}

/// Appends the footer of a segment whose frames end at `position`.
pub(crate) fn encode(
    (frames, totals): (&[Arc<Frame>], &Totals),
    dictionary: &DictionaryWriter,
    filters: Option<Filters>,
    position: u64,
    encoder: &mut Encoder,
    out: &mut Vec<u8>,
) {
    let mut part = Vec::new();
    let put = |part: &mut Vec<u8>, out: &mut Vec<u8>, position: &mut u64| {
        let stretch = Stretch::of(part, *position);
        *position += part.len() as u64;
        out.append(part);
        stretch
    };
    let mut position = position;
    encode_index(frames, encoder, &mut part);
    let index = put(&mut part, out, &mut position);
    dictionary::encode(&dictionary.all(), encoder, &mut part);
    let entries = put(&mut part, out, &mut position);
    part = bloom::build(dictionary.addrs());
    let bloom = put(&mut part, out, &mut position);
    let filters = filters.map_or((0, 0), |filters| {
        let len = filters.encode(out);
        (len, crc32c::crc32c(&out[out.len() - len as usize..]))
    });
    let trailer = Trailer {
        index,
        dictionary: entries,
        bloom,
        frames: frames.len() as u32,
        totals: *totals,
        filters,
    };
    out.extend(trailer.encode());
}

fn encode_index(frames: &[Arc<Frame>], encoder: &mut Encoder, out: &mut Vec<u8>) {
    let mut plain = Vec::new();
    let mut directory = Vec::new();
    for frame in frames {
        directory.clear();
        frame.directory.encode(&mut directory);
        put_varint(&mut plain, frame.len.into());
        put_varint(&mut plain, frame.rows.into());
        put_varint(&mut plain, directory.len() as u64);
        plain.extend_from_slice(&directory);
    }
    put_varint(out, plain.len() as u64);
    match encoder.squeeze(&plain) {
        Some(squeezed) if plain.len() <= squeezed.len() * RATIO_MAX => {
            out.push(1);
            out.extend_from_slice(squeezed);
        }
        _ => {
            out.push(0);
            out.extend_from_slice(&plain);
        }
    }
}

/// Reads an index that is all of `octets`: `frames` frames that end before `end`.
pub(crate) fn decode_index(octets: &[u8], frames: u32, end: u64) -> Decoded<Vec<Arc<Frame>>> {
    let mut cursor = Cursor::new(octets);
    let len = cursor.count(INDEX_MAX, "length of an index")?;
    let mut buffer = Vec::new();
    let plain = match cursor.u8()? {
        0 => cursor.take(len)?,
        1 if len <= cursor.len() * RATIO_MAX => {
            expand(cursor.take(cursor.len())?, len, &mut buffer)?;
            &buffer
        }
        _ => return Err(Damage::Impossible("form of an index")),
    };
    let mut cursor = Cursor::new(plain);
    let mut index = Vec::new();
    let mut offset = HEADER_LEN as u64;
    for _ in 0..frames {
        let len = cursor.count(u32::MAX as usize, "length of a frame")? as u32;
        let rows = cursor.count(u32::MAX as usize, "number of rows")? as u32;
        check_rows(rows)?;
        let directory_len = cursor.count(cursor.len(), "length of a directory")?;
        let data = len.checked_sub(FRAME_HEADER_LEN as u32);
        let data = data.ok_or(Damage::Impossible("length of a frame"))?;
        let directory = read_directory(cursor.take(directory_len)?, data)?;
        index.push(Arc::new(Frame { offset, len, rows, directory }));
        offset += u64::from(len);
    }
    if offset <= end { Ok(index) } else { Err(Damage::Impossible("length of a frame")) }
}
