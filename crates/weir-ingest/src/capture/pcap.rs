//! libpcap's classic format: 24 octets of header, then 16 octets before each frame.

use std::io::Read;

use weir_model::Timestamp;

use super::source::Source;
use super::{CaptureError, Captured, FRAME_MAX};

/// What the file's header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    is_little: bool,
    nanos_per_unit: i64,
    link: u32,
    /// Octets after each record header that the "modified" form has (libpcap's `savefile`).
    more: u64,
}

impl Header {
    /// Reads what follows the magic number `first`; `None` when that is not pcap's.
    pub(super) fn read<R: Read>(
        first: [u8; 4],
        source: &mut Source<R>,
    ) -> Result<Option<Header>, CaptureError> {
        let (is_little, nanos_per_unit, more) = match (u32::from_be_bytes(first), first) {
            (0xa1b2_c3d4, _) => (false, 1_000, 0),
            (0xa1b2_3c4d, _) => (false, 1, 0),
            (0xa1b2_cd34, _) => (false, 1_000, 8),
            (0xd4c3_b2a1, _) => (true, 1_000, 0),
            (0x4d3c_b2a1, _) => (true, 1, 0),
            (0x34cd_b2a1, _) => (true, 1_000, 8),
            _ => return Ok(None),
        };
        let Some(rest) = source.array::<20>()? else { return Ok(None) };
        let header = Header { is_little, nanos_per_unit, link: 0, more };
        // The upper bits tell of a frame check sequence, not of the link.
        let link = header.word(&rest[16..]) & 0x03ff_ffff;
        Ok(Some(Header { link, ..header }))
    }

    fn word(&self, octets: &[u8]) -> u32 {
        let octets = octets.first_chunk().copied().unwrap_or_default();
        if self.is_little { u32::from_le_bytes(octets) } else { u32::from_be_bytes(octets) }
    }

    /// The next frame; `None` at the end of the file.
    pub(super) fn frame<'a, R: Read>(
        &self,
        source: &'a mut Source<R>,
    ) -> Result<Option<Captured<'a>>, CaptureError> {
        let offset = source.offset();
        let Some(head) = source.array::<16>()? else { return Ok(None) };
        let length = self.word(&head[8..]) as usize;
        if length > FRAME_MAX {
            let what = "frame";
            return Err(CaptureError::BadLength { what, offset, length: length as u64 });
        }
        if !source.skip(self.more)? {
            return Ok(None);
        }
        let seconds = Timestamp::from_seconds(self.word(&head).into());
        let fraction = i64::from(self.word(&head[4..])) * self.nanos_per_unit;
        let (at, link) = (Timestamp(seconds.0.saturating_add(fraction)), self.link);
        Ok(source.octets(length)?.map(|octets| Captured { at, link, octets }))
    }
}
