//! The octets of filters: planes, then a head that says where they are.

use weir_model::Bitmap;

use super::{BUCKET_LEN, Bucket, Kind, LEAVES_MAX, RowKey, bits_of, bucket_of};
use crate::encoding::{Cursor, Decoded};
use crate::read::{Damage, ReadAt};

/// Filters of all leaves for one kind of key.
#[derive(Debug)]
pub(crate) struct Plane {
    pub(super) kind: Kind,
    /// Buckets of a filter.
    pub(super) count: u32,
    /// Bucket `b` of leaf `l` at `b * leaves + l`.
    pub(super) buckets: Vec<Bucket>,
}

/// Filters that were made and are still to be written.
#[derive(Debug)]
pub(crate) struct Filters {
    /// Frames of each leaf.
    pub(super) frames: Vec<u32>,
    pub(super) planes: Vec<Plane>,
}

/// Planes that a head may name.
const PLANES_MAX: u32 = 16;

impl Filters {
    /// Appends planes and head. Gives back the length of the head, which ends them.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> u32 {
        let leaves = self.frames.len();
        for plane in &self.planes {
            for row in plane.buckets.chunks_exact(leaves.max(1)) {
                let start = out.len();
                out.extend(row.iter().flatten().flat_map(|word| word.to_le_bytes()));
                let crc = crc32c::crc32c(&out[start..]);
                out.extend(crc.to_le_bytes());
            }
        }
        let start = out.len();
        out.extend((self.planes.len() as u32).to_le_bytes());
        for plane in &self.planes {
            out.extend(plane.kind.number().to_le_bytes());
            out.extend(plane.count.to_le_bytes());
        }
        out.extend((leaves as u32).to_le_bytes());
        self.frames.iter().for_each(|frames| out.extend(frames.to_le_bytes()));
        (out.len() - start) as u32
    }
}

/// Where the planes of a segment lie, and which frames belong to which leaf.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FiltersHead {
    frames: Vec<u32>,
    /// Kind, buckets, offset in the file.
    planes: Vec<(Kind, u32, u64)>,
}

impl FiltersHead {
    /// Reads a head that starts at offset `at` of a file whose planes lie after `least`, of a
    /// segment of `blocks` frames.
    pub(crate) fn decode(octets: &[u8], at: u64, least: u64, blocks: u32) -> Decoded<FiltersHead> {
        let mut cursor = Cursor::new(octets);
        let count = cursor.u32()?;
        if count > PLANES_MAX {
            return Err(Damage::Impossible("number of filters"));
        }
        let mut planes = Vec::new();
        for _ in 0..count {
            planes.push((cursor.u32()?, cursor.u32()?));
        }
        let leaves = cursor.u32()?;
        if leaves == 0 || leaves as usize > LEAVES_MAX {
            return Err(Damage::Impossible("number of leaves"));
        }
        let frames = (0..leaves).map(|_| cursor.u32()).collect::<Decoded<Vec<u32>>>()?;
        if frames.iter().try_fold(0u32, |sum, n| sum.checked_add(*n)) != Some(blocks) {
            return Err(Damage::Impossible("number of frames"));
        }
        let row = u64::from(leaves) * BUCKET_LEN as u64 + 4;
        let len = |buckets: u32| u64::from(buckets) * row;
        let all = planes.iter().map(|(_, buckets)| len(*buckets)).sum::<u64>();
        let start = at.checked_sub(all).filter(|start| *start >= least);
        let mut offset = start.ok_or(Damage::Impossible("length of filters"))?;
        let mut known = Vec::new();
        for (kind, buckets) in planes {
            // A kind of key that this program does not know is left out.
            if let Some(kind) = Kind::from_number(kind).filter(|_| buckets > 0) {
                known.push((kind, buckets, offset));
            }
            offset += len(buckets);
        }
        Ok(FiltersHead { frames, planes: known })
    }

    /// Which frames may have a row with `key`; none when no filter tells. Reads one row of
    /// buckets.
    pub(crate) fn frames_with(&self, key: &RowKey, file: &dyn ReadAt) -> Option<Decoded<Bitmap>> {
        let (_, buckets, offset) = self.planes.iter().find(|(kind, ..)| *kind == key.kind())?;
        let hash = key.hash();
        let mut row = vec![0; self.frames.len() * BUCKET_LEN + 4];
        let at = offset + u64::from(bucket_of(hash, *buckets)) * row.len() as u64;
        if file.read_exact_at(&mut row, at).is_err() {
            return Some(Err(Damage::Truncated));
        }
        let (octets, crc) = row.split_last_chunk::<4>()?;
        if crc32c::crc32c(octets) != u32::from_le_bytes(*crc) {
            return Some(Err(Damage::Checksum));
        }
        let wanted = bits_of(hash);
        let mut found = Bitmap::default();
        for (octets, frames) in octets.chunks_exact(BUCKET_LEN).zip(&self.frames) {
            let words = octets.chunks_exact(4).map(|word| {
                word.try_into().map_or(u32::MAX, |word: [u8; 4]| u32::from_le_bytes(word))
            });
            let may = words.zip(wanted).all(|(word, bit)| word & bit == bit);
            found.extend_by(*frames as usize, may);
        }
        Some(Ok(found))
    }

    /// Octets it takes in memory, about.
    pub(crate) fn octets(&self) -> usize {
        self.frames.len() * 4 + self.planes.len() * 24
    }
}
