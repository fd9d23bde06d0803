//! Octets of the file, in order, with the offset that errors name.

use std::io::{ErrorKind, Read};

use super::{CaptureError, FRAME_MAX};

/// A reader that counts, and keeps one buffer for all frames.
#[derive(Debug)]
pub(super) struct Source<R> {
    reader: R,
    offset: u64,
    buffer: Vec<u8>,
    cut: bool,
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R) -> Source<R> {
        Source { reader, offset: 0, buffer: Vec::new(), cut: false }
    }

    /// Octets read so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// True when the file ended inside something.
    pub(super) fn was_cut(&self) -> bool {
        self.cut
    }

    /// The file's first four octets. Zeros where there are fewer.
    pub(super) fn start(&mut self) -> Result<[u8; 4], CaptureError> {
        self.array::<4>()?.ok_or(CaptureError::Empty)
    }

    /// The next `N` octets; `None` at the end of the file.
    pub(super) fn array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, CaptureError> {
        let mut octets = [0; N];
        let mut have = 0;
        while have < N {
            match self.reader.read(&mut octets[have..]) {
                Ok(0) => break,
                Ok(n) => have += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(CaptureError::Io { offset: self.offset, source }),
            }
        }
        self.offset += have as u64;
        self.cut |= have != 0 && have != N;
        Ok((have == N).then_some(octets))
    }

    /// The next `N` octets of something already begun: the end of the file cuts it.
    pub(super) fn more<const N: usize>(&mut self) -> Result<Option<[u8; N]>, CaptureError> {
        let octets = self.array()?;
        self.cut |= octets.is_none();
        Ok(octets)
    }

    /// The next `n` octets in the common buffer; `None` when the file ends before that. Memory
    /// grows with what is read, not with what is claimed.
    pub(super) fn octets(&mut self, n: usize) -> Result<Option<&[u8]>, CaptureError> {
        self.buffer.clear();
        let limit = n as u64;
        let read = self.reader.by_ref().take(limit).read_to_end(&mut self.buffer);
        self.offset += self.buffer.len() as u64;
        if let Err(source) = read {
            return Err(CaptureError::Io { offset: self.offset, source });
        }
        if self.buffer.len() < n {
            self.cut = true;
            return Ok(None);
        }
        Ok(Some(&self.buffer))
    }

    /// What [`Source::octets`] gave last.
    pub(super) fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    /// Passes over `n` octets; false when the file ends before that.
    pub(super) fn skip(&mut self, n: u64) -> Result<bool, CaptureError> {
        let mut left = n;
        while left > 0 {
            let step = left.min(FRAME_MAX as u64) as usize;
            if self.octets(step)?.is_none() {
                return Ok(false);
            }
            left -= step as u64;
        }
        Ok(true)
    }
}
