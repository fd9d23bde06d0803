//! zstd, kept only where it saves a tenth.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

use crate::read::Damage;

use super::Decoded;

/// Level of every compression: higher ones cost more and save nothing on these octets.
const LEVEL: i32 = 1;

/// Two compressors with their memory.
pub(crate) struct Squeezer {
    text: Option<Compressor<'static>>,
    noise: Option<Compressor<'static>>,
    buffer: Vec<u8>,
}

impl Squeezer {
    pub(crate) fn new() -> Squeezer {
        // A machine without memory for the tables stores octets as they are.
        let text = Compressor::new(LEVEL).ok();
        let mut noise = Compressor::new(LEVEL).ok();
        if let Some(zstd) = &mut noise {
            // Why: octets of planes repeat by chance only. Looking for repeats costs time when
            // writing, and each that is found costs more when reading than it saves.
            let quiet = [CParameter::MinMatch(7), CParameter::HashLog(6)];
            quiet.into_iter().for_each(|parameter| {
                // A library that knows them not compresses well enough without.
                let _ = zstd.set_parameter(parameter);
            });
        }
        Squeezer { text, noise, buffer: Vec::new() }
    }

    /// `octets` in which stretches repeat, compressed, if that saves a tenth.
    pub(crate) fn squeeze(&mut self, octets: &[u8]) -> Option<&[u8]> {
        Self::compress(self.text.as_mut()?, octets, &mut self.buffer)
    }

    /// `octets` of which some are more frequent than others, compressed, if that saves a tenth.
    pub(crate) fn squeeze_noise(&mut self, octets: &[u8]) -> Option<&[u8]> {
        Self::compress(self.noise.as_mut()?, octets, &mut self.buffer)
    }

    fn compress<'b>(
        zstd: &mut Compressor<'static>,
        octets: &[u8],
        buffer: &'b mut Vec<u8>,
    ) -> Option<&'b [u8]> {
        let most = octets.len() - octets.len().div_ceil(10);
        buffer.clear();
        buffer.reserve(zstd::zstd_safe::compress_bound(octets.len()));
        let len = zstd.compress_to_buffer(octets, buffer).ok()?;
        (len <= most).then(|| &buffer[..len])
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
