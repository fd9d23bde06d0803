//! zstd, kept only where it saves a tenth.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use crate::read::Damage;

use super::Decoded;

/// Level of every compression: higher ones cost more and save nothing on these octets.
const LEVEL: i32 = 1;

/// A compressor with its memory.
pub(crate) struct Squeezer {
    zstd: Option<Compressor<'static>>,
    buffer: Vec<u8>,
}

impl Squeezer {
    pub(crate) fn new() -> Squeezer {
        // A machine without memory for the tables stores octets as they are.
        Squeezer { zstd: Compressor::new(LEVEL).ok(), buffer: Vec::new() }
    }

    /// `octets` compressed, if that saves a tenth.
    pub(crate) fn squeeze(&mut self, octets: &[u8]) -> Option<&[u8]> {
        let zstd = self.zstd.as_mut()?;
        let most = octets.len() - octets.len().div_ceil(10);
        self.buffer.clear();
        self.buffer.reserve(zstd::zstd_safe::compress_bound(octets.len()));
        let len = zstd.compress_to_buffer(octets, &mut self.buffer).ok()?;
        (len <= most).then(|| &self.buffer[..len])
    }
}

thread_local! {
    static ZSTD: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Decompresses to exactly `len` octets, appended to `out`.
pub(crate) fn expand(octets: &[u8], len: usize, out: &mut Vec<u8>) -> Decoded<()> {
    ZSTD.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(Decompressor::new().map_err(|_| Damage::Compression)?);
        }
        let zstd = slot.as_mut().ok_or(Damage::Compression)?;
        let start = out.len();
        out.resize(start + len, 0);
        let written = zstd
            .decompress_to_buffer(octets, &mut out[start..])
            .map_err(|_| Damage::Compression)?;
        if written == len { Ok(()) } else { Err(Damage::Compression) }
    })
}
