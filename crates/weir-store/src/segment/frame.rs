//! A frame: header, column data, directory, dictionary entries.

use weir_model::{ColumnId, Scalar, Table, Timestamp};

use crate::block::{Directory, check_rows};
use crate::dictionary::{self, Additions};
use crate::encoding::{Cursor, Decoded};
use crate::read::Damage;

/// Octets of a frame's header.
pub(crate) const FRAME_HEADER_LEN: usize = 44;
const MAGIC: u32 = u32::from_le_bytes(*b"WFRM");

/// Where a frame lies and what its columns are.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) rows: u32,
    pub(crate) directory: Directory,
}

impl Frame {
    /// Lowest and highest `received_at`.
    pub(crate) fn received_at(&self, table: Table) -> Option<(Timestamp, Timestamp)> {
        let zone = self.directory.column(received_at(table)?)?.zone;
        match (zone.min, zone.max) {
            (Scalar::I64(min), Scalar::I64(max)) => Some((Timestamp(min), Timestamp(max))),
            _ => None,
        }
    }
}

fn received_at(table: Table) -> Option<ColumnId> {
    table.find("received_at").map(|def| def.id)
}

/// The fixed part that a frame starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Octets of the frame, this header included.
    pub(crate) len: u32,
    pub(crate) rows: u32,
    /// Octets of column data, directory and dictionary entries, which follow one another.
    pub(crate) data_len: u32,
    pub(crate) directory_len: u32,
    pub(crate) dictionary_len: u32,
    /// Codes that earlier frames gave.
    pub(crate) addrs_before: u32,
    pub(crate) strings_before: u32,
    pub(crate) directory_crc: u32,
    pub(crate) dictionary_crc: u32,
}

impl FrameHeader {
    pub(crate) fn encode(&self) -> [u8; FRAME_HEADER_LEN] {
        let words = [
            MAGIC,
            self.len,
            self.rows,
            self.data_len,
            self.directory_len,
            self.dictionary_len,
            self.addrs_before,
            self.strings_before,
            self.directory_crc,
            self.dictionary_crc,
        ];
        let mut octets = [0; FRAME_HEADER_LEN];
        for (slot, word) in octets.chunks_exact_mut(4).zip(words) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        let crc = crc32c::crc32c(&octets[..FRAME_HEADER_LEN - 4]);
        octets[FRAME_HEADER_LEN - 4..].copy_from_slice(&crc.to_le_bytes());
        octets
    }

    /// Reads a header. `room` is what the file holds from the start of the frame on.
    pub(crate) fn decode(octets: &[u8; FRAME_HEADER_LEN], room: u64) -> Decoded<FrameHeader> {
        let mut cursor = Cursor::new(octets);
        if cursor.u32()? != MAGIC {
            return Err(Damage::Magic);
        }
        let header = FrameHeader {
            len: cursor.u32()?,
            rows: cursor.u32()?,
            data_len: cursor.u32()?,
            directory_len: cursor.u32()?,
            dictionary_len: cursor.u32()?,
            addrs_before: cursor.u32()?,
            strings_before: cursor.u32()?,
            directory_crc: cursor.u32()?,
            dictionary_crc: cursor.u32()?,
        };
        if crc32c::crc32c(&octets[..FRAME_HEADER_LEN - 4]) != cursor.u32()? {
            return Err(Damage::Checksum);
        }
        check_rows(header.rows)?;
        let parts = [header.data_len, header.directory_len, header.dictionary_len];
        let sum = parts.iter().fold(FRAME_HEADER_LEN as u64, |sum, part| sum + u64::from(*part));
        if sum != u64::from(header.len) {
            return Err(Damage::Impossible("length of a frame"));
        }
        if sum > room {
            return Err(Damage::Truncated);
        }
        Ok(header)
    }

    /// Reads the rest of a frame from all of its octets, checking every checksum.
    pub(crate) fn body(&self, octets: &[u8], offset: u64) -> Decoded<(Frame, Additions)> {
        let mut cursor = Cursor::new(octets);
        cursor.take(FRAME_HEADER_LEN)?;
        cursor.take(self.data_len as usize)?;
        let directory = cursor.take(self.directory_len as usize)?;
        let entries = cursor.take(self.dictionary_len as usize)?;
        if crc32c::crc32c(directory) != self.directory_crc
            || crc32c::crc32c(entries) != self.dictionary_crc
        {
            return Err(Damage::Checksum);
        }
        let directory = read_directory(directory, self.data_len)?;
        for entry in directory.columns() {
            let data =
                octets.get(entry.offset as usize..).and_then(|d| d.get(..entry.len as usize));
            let intact = entry.len == 0 || crc32c::crc32c(data.unwrap_or_default()) == entry.crc;
            if !intact {
                return Err(Damage::Checksum);
            }
        }
        let frame = Frame { offset, len: self.len, rows: self.rows, directory };
        Ok((frame, dictionary::decode(entries)?))
    }
}

/// Reads a directory that is all of `octets`, of a frame with so much column data.
pub(crate) fn read_directory(octets: &[u8], data_len: u32) -> Decoded<Directory> {
    let start = FRAME_HEADER_LEN as u32;
    let end = start.checked_add(data_len).ok_or(Damage::Impossible("length of a frame"))?;
    let mut cursor = Cursor::new(octets);
    let directory = Directory::decode(&mut cursor, start, end)?;
    if cursor.is_empty() { Ok(directory) } else { Err(Damage::Impossible("length of a directory")) }
}
