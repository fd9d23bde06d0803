//! Writes XDR (RFC 4506), and structures whose length is known only at their end.

use weir_model::Addr;

/// A growing datagram.
#[derive(Debug, Default)]
pub(super) struct Out {
    octets: Vec<u8>,
}

impl Out {
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }

    pub(super) fn clear(&mut self) {
        self.octets.clear();
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.octets.truncate(length);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.octets.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.octets.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn octet(&mut self, value: u8) {
        self.octets.push(value);
    }

    pub(super) fn words(&mut self, values: &[u32]) {
        for value in values {
            self.u32(*value);
        }
    }

    /// Overwrites the word at `at`, which was written before.
    pub(super) fn put_u32(&mut self, at: usize, value: u32) {
        if let Some(place) = self.octets.get_mut(at..at + 4) {
            place.copy_from_slice(&value.to_be_bytes());
        }
    }

    /// Octets padded to a multiple of four.
    pub(super) fn fixed(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
        self.octets.resize(self.octets.len() + octets.len().next_multiple_of(4) - octets.len(), 0);
    }

    /// Octets without padding.
    pub(super) fn raw(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// Length, octets, padding.
    pub(super) fn opaque(&mut self, octets: &[u8]) {
        self.u32(octets.len() as u32);
        self.fixed(octets);
    }

    /// Number of words, then the words (given as octets).
    pub(super) fn word_list(&mut self, octets: &[u8]) {
        self.u32((octets.len() / 4) as u32);
        self.raw(&octets[..octets.len() / 4 * 4]);
    }

    pub(super) fn mac(&mut self, mac: u64) {
        self.u64(mac << 16);
    }

    /// The address alone, in the family's own width.
    pub(super) fn bare_address(&mut self, addr: Addr) {
        match addr.as_v4() {
            Some(v4) => self.u32(v4),
            None => self.raw(&addr.octets()),
        }
    }

    /// Type and address; type 0 for none.
    pub(super) fn address(&mut self, addr: Option<Addr>) {
        match addr {
            None => self.u32(0),
            Some(addr) => {
                self.u32(if addr.as_v4().is_some() { 1 } else { 2 });
                self.bare_address(addr);
            }
        }
    }

    /// A structure: format, length, body.
    pub(super) fn structure(&mut self, format: u32, body: impl FnOnce(&mut Out)) {
        self.u32(format);
        let at = self.octets.len();
        self.u32(0);
        body(self);
        let length = self.octets.len() - at - 4;
        self.put_u32(at, length as u32);
    }
}
