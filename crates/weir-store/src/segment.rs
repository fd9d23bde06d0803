//! Segments: append-only files of frames, each frame one block of rows with the dictionary
//! entries it adds. The octets are described in `docs/formats/store.md`.
//!
//! [`SegmentWriter`] turns batches into octets, which the engine writes to a file in the order
//! they were made; [`HotSegment`] shows frames to readers while the file still grows;
//! [`Segment::open`] reads a closed one; [`scan_frames`] finds what a crash left whole.
//!
//! Invariant: every prefix of a segment file that ends with a frame can be decoded alone. Nothing
//! here opens, syncs or removes a file.

use std::fmt;

use weir_model::{Grain, Table, Timestamp};

use crate::encoding::{Cursor, Decoded};
use crate::read::Damage;

mod cache;
mod footer;
mod frame;
mod hot;
mod index;
mod noted;
mod reader;
mod scan;
mod writer;

pub use cache::{CACHE_OCTETS, CacheNumbers, SegmentCache};
pub use hot::HotSegment;
pub use index::{BlockIndex, BlockInfo, Summary};
pub use reader::Segment;
pub use scan::{Scan, check_segment, scan_frames};
pub use writer::{ADDRS_MAX, FrameInfo, STRING_OCTETS_MAX, STRINGS_MAX, SegmentWriter};

/// Newest version of the format, the one that is written. Older ones stay readable.
pub const VERSION: u16 = 1;

/// Octets of the header that a segment file starts with.
pub const HEADER_LEN: usize = 32;

/// Number of a segment; never given twice in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u64);

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What the rows of a segment are: records as they came, or sums of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// One row a record.
    Raw,
    /// One row a bucket of time and set of dimensions.
    Rollup(Grain),
}

impl Tier {
    /// The number that stands for it in files.
    pub const fn number(self) -> u8 {
        match self {
            Tier::Raw => 0,
            Tier::Rollup(grain) => 1 + grain as u8,
        }
    }

    /// The tier with this number.
    pub fn from_number(number: u8) -> Option<Tier> {
        match number {
            0 => Some(Tier::Raw),
            _ => Grain::ALL.into_iter().map(Tier::Rollup).find(|tier| tier.number() == number),
        }
    }
}

/// What the header of a segment file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHead {
    /// Number of the segment.
    pub id: SegmentId,
    /// Table that its rows are of.
    pub table: Table,
    /// Records or sums.
    pub tier: Tier,
    /// When it was opened.
    pub created_at: Timestamp,
}

const MAGIC: [u8; 8] = *b"WEIRSEG1";

impl SegmentHead {
    /// The header of the file.
    pub(crate) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut octets = [0; HEADER_LEN];
        octets[..8].copy_from_slice(&MAGIC);
        octets[8..10].copy_from_slice(&VERSION.to_le_bytes());
        octets[10] = self.table as u8;
        octets[11] = self.tier.number();
        octets[12..20].copy_from_slice(&self.id.0.to_le_bytes());
        octets[20..28].copy_from_slice(&self.created_at.0.to_le_bytes());
        let crc = crc32c::crc32c(&octets[..28]);
        octets[28..].copy_from_slice(&crc.to_le_bytes());
        octets
    }

    /// Reads the header of a file of any version up to [`VERSION`].
    pub(crate) fn decode(octets: &[u8; HEADER_LEN]) -> Decoded<SegmentHead> {
        let mut cursor = Cursor::new(octets);
        if cursor.take(8)? != MAGIC {
            return Err(Damage::Magic);
        }
        let (version, table, tier) = (cursor.u16()?, cursor.u8()?, cursor.u8()?);
        let (id, created_at) = (cursor.u64()?, cursor.u64()?);
        if crc32c::crc32c(&octets[..28]) != cursor.u32()? {
            return Err(Damage::Checksum);
        }
        if !(1..=VERSION).contains(&version) {
            return Err(Damage::Version(version));
        }
        Ok(SegmentHead {
            id: SegmentId(id),
            table: Table::from_number(table).ok_or(Damage::Impossible("table"))?,
            tier: Tier::from_number(tier).ok_or(Damage::Impossible("tier"))?,
            created_at: Timestamp(created_at as i64),
        })
    }
}

/// What is known of a segment without reading its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentInfo {
    /// What its header says.
    pub head: SegmentHead,
    /// Rows in it.
    pub rows: u64,
    /// Lowest `received_at` of a row; `None` when no row has one.
    pub first_received_at: Option<Timestamp>,
    /// Highest `received_at` of a row.
    pub last_received_at: Option<Timestamp>,
    /// Octets of its file, as far as they are read.
    pub octets: u64,
    /// True when it has a footer and will not grow.
    pub closed: bool,
}

#[cfg(test)]
mod tests;
