//! Reads what a BPF program wrote: fields one after another, in this machine's order.
//!
//! The C structs have no holes (their padding is named), so that a reader of fields in order is a
//! description of the struct. What is too short reads as zeroes and is never past its end.

use weir_model::Addr;

/// A cursor over the octets of one struct.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Fields<'a> {
        Fields(octets)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let Some((first, rest)) = self.0.split_first_chunk() else {
            self.0 = &[];
            return [0; N];
        };
        self.0 = rest;
        *first
    }

    pub(crate) fn u8(&mut self) -> u8 {
        u8::from_ne_bytes(self.array())
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_ne_bytes(self.array())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_ne_bytes(self.array())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_ne_bytes(self.array())
    }

    /// An address in the order of the network.
    pub(crate) fn addr(&mut self) -> Addr {
        Addr(u128::from_be_bytes(self.array()))
    }

    /// A C string in `N` octets: hostile text, cleaned.
    pub(crate) fn text<const N: usize>(&mut self) -> String {
        let octets: [u8; N] = self.array();
        let end = octets.iter().position(|octet| *octet == 0).unwrap_or(N);
        crate::owner::clean(&String::from_utf8_lossy(octets.get(..end).unwrap_or_default()), N)
    }
}
