//! Reads XDR (RFC 4506): big-endian words, strings with a length and padding.

use std::borrow::Cow;

use weir_model::Addr;

/// A cursor over octets. Every read gives `None` when they end, and then leaves it unusable for
/// more of the same structure but harmless.
#[derive(Debug, Clone, Copy)]
pub(super) struct Xdr<'a> {
    rest: &'a [u8],
}

impl<'a> Xdr<'a> {
    #[inline]
    pub(super) fn new(octets: &'a [u8]) -> Xdr<'a> {
        Xdr { rest: octets }
    }

    /// What was not read yet.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (chunk, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(chunk)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.chunk().map(|chunk| u32::from_be_bytes(*chunk))
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Option<u64> {
        self.chunk().map(|chunk| u64::from_be_bytes(*chunk))
    }

    /// A single octet, for the few structures that pack them.
    pub(super) fn octet(&mut self) -> Option<u8> {
        self.chunk::<1>().map(|chunk| chunk[0])
    }

    /// `n` words at once.
    #[inline]
    pub(super) fn words<const N: usize>(&mut self) -> Option<[u32; N]> {
        if self.rest.len() < N * 4 {
            return None;
        }
        let mut words = [0; N];
        for word in &mut words {
            *word = self.u32()?;
        }
        Some(words)
    }

    pub(super) fn v4(&mut self) -> Option<Addr> {
        self.u32().map(Addr::v4)
    }

    pub(super) fn v6(&mut self) -> Option<Addr> {
        self.chunk().map(|chunk| Addr::v6(*chunk))
    }

    /// An address with its type in front. The inner `None` is type 0, "unknown".
    pub(super) fn address(&mut self) -> Option<Option<Addr>> {
        match self.u32()? {
            0 => Some(None),
            1 => self.v4().map(Some),
            2 => self.v6().map(Some),
            _ => None,
        }
    }

    /// A MAC address: six octets padded to eight.
    pub(super) fn mac(&mut self) -> Option<u64> {
        self.chunk::<8>().map(|&chunk| u64::from_be_bytes(chunk) >> 16)
    }

    /// `n` octets padded to a multiple of four; the padding may be cut off at the end.
    pub(super) fn fixed(&mut self, n: usize) -> Option<&'a [u8]> {
        let octets = self.rest.get(..n)?;
        self.rest = self.rest.get(n.next_multiple_of(4)..).unwrap_or_default();
        Some(octets)
    }

    /// Octets with their length in front. A length past the end gives what is there.
    #[inline]
    pub(super) fn opaque(&mut self) -> Option<&'a [u8]> {
        let n = self.u32()? as usize;
        self.fixed(n.min(self.rest.len()))
    }

    /// Text: octets up to the first NUL, made valid UTF-8.
    pub(super) fn text(&mut self) -> Option<Cow<'a, str>> {
        self.opaque().map(clean)
    }

    /// A list of words with their number in front, as octets. A number past the end gives the
    /// whole words that are there.
    pub(super) fn word_list(&mut self) -> Option<&'a [u8]> {
        let n = (self.u32()? as usize).min(self.rest.len() / 4);
        self.fixed(n * 4)
    }
}

/// Cuts at the first NUL and replaces what is no UTF-8.
pub(super) fn clean(octets: &[u8]) -> Cow<'_, str> {
    let end = octets.iter().position(|octet| *octet == 0).unwrap_or(octets.len());
    String::from_utf8_lossy(&octets[..end])
}

/// The records of a sample: format, length, body, repeated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Records<'a> {
    rest: &'a [u8],
    left: u32,
    /// Records start at multiples of this: 4 by XDR, 1 for agents that do not pad.
    align: usize,
}

impl<'a> Records<'a> {
    /// Checks that each of the `count` records lies inside `octets`. Fewer records than announced
    /// are accepted when the octets are used up; `None` when a record runs past the end.
    #[inline]
    pub(super) fn new(octets: &'a [u8], count: u32) -> Option<Records<'a>> {
        [4, 1]
            .into_iter()
            .map(|align| Records { rest: octets, left: count, align })
            .find(Records::is_whole)
    }

    #[inline]
    fn is_whole(&self) -> bool {
        let mut walk = *self;
        while walk.left > 0 && walk.rest.len() >= 8 {
            if walk.next().is_none() {
                return false;
            }
        }
        true
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = (u32, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(u32, &'a [u8])> {
        if self.left == 0 {
            return None;
        }
        let mut x = Xdr::new(self.rest);
        let format = x.u32()?;
        let length = x.u32()? as usize;
        let body = x.rest().get(..length)?;
        // The padding of the last record may be missing.
        self.rest = x.rest().get(length.next_multiple_of(self.align)..).unwrap_or_default();
        self.left -= 1;
        Some((format, body))
    }
}
