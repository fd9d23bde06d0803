//! pcapng (draft-ietf-opsawg-pcapng): blocks of a type and a length, in sections.

use std::io::Read;

use weir_model::Timestamp;
use weir_model::time::NANOS_PER_SECOND;

use super::source::Source;
use super::{CaptureError, Captured, FRAME_MAX};

/// Type of a section header block; the same in both byte orders.
pub(super) const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Interfaces of one section. Wireshark's largest captures have some hundreds.
const INTERFACES_MAX: usize = 4_096;

/// Longest block that is not a packet (options, names, statistics) is passed over, not read.
const PACKET_MAX: u64 = FRAME_MAX as u64 + 4_096;

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: u32,
    snap: u32,
    /// Units of time in a second.
    units: u64,
    /// Seconds to add.
    offset: i64,
}

/// The section being read. Starts right behind the first block's type.
#[derive(Debug, Default)]
pub(super) struct Section {
    is_little: bool,
    interfaces: Vec<Interface>,
    started: bool,
    /// Time of the last packet, for simple packet blocks, which have none.
    last: Timestamp,
}

enum Block {
    Section,
    Interface,
    Packet,
    OldPacket,
    SimplePacket,
    Other,
}

impl Section {
    fn u32(&self, octets: &[u8], at: usize) -> Option<u32> {
        let octets = *octets.get(at..at + 4)?.first_chunk()?;
        Some(if self.is_little { u32::from_le_bytes(octets) } else { u32::from_be_bytes(octets) })
    }

    fn u16(&self, octets: &[u8], at: usize) -> Option<u16> {
        let octets = *octets.get(at..at + 2)?.first_chunk()?;
        Some(if self.is_little { u16::from_le_bytes(octets) } else { u16::from_be_bytes(octets) })
    }

    /// The next packet; `None` at the end of the file.
    pub(super) fn frame<'a, R: Read>(
        &mut self,
        source: &'a mut Source<R>,
    ) -> Result<Option<Captured<'a>>, CaptureError> {
        loop {
            let offset = if self.started { source.offset() } else { 0 };
            let kind = if self.started { source.array::<4>()? } else { Some(SECTION) };
            self.started = true;
            let Some(kind) = kind else { return Ok(None) };
            let block = self.kind(kind);
            let Some(body) = self.body(&block, offset, source)? else { return Ok(None) };
            if body == 0 {
                continue;
            }
            match block {
                Block::Section | Block::Other => {}
                Block::Interface => {
                    let Some(octets) = source.octets(body)? else { return Ok(None) };
                    let interface = self.interface(octets);
                    let full = self.interfaces.len() >= INTERFACES_MAX;
                    let what = "interface without link type, or one too many";
                    let bad = CaptureError::BadBlock { offset, what };
                    self.interfaces.push(interface.filter(|_| !full).ok_or(bad)?);
                }
                Block::Packet | Block::OldPacket | Block::SimplePacket => {
                    let Some(octets) = source.octets(body)? else { return Ok(None) };
                    let what = "packet of no interface, or longer than its block";
                    let (at, link, from, to) = self
                        .packet(&block, octets)
                        .ok_or(CaptureError::BadBlock { offset, what })?;
                    self.last = at;
                    let octets = &source.buffered()[from..to];
                    return Ok(Some(Captured { at, link, octets }));
                }
            }
            if !source.skip(4)? {
                return Ok(None);
            }
        }
    }

    fn kind(&self, kind: [u8; 4]) -> Block {
        match self.u32(&kind, 0) {
            _ if kind == SECTION => Block::Section,
            Some(1) => Block::Interface,
            Some(2) => Block::OldPacket,
            Some(3) => Block::SimplePacket,
            Some(6) => Block::Packet,
            _ => Block::Other,
        }
    }

    /// Reads a block's length and gives the octets of its body (packets: with the length that
    /// follows it), 0 when the block was passed over.
    fn body<R: Read>(
        &mut self,
        block: &Block,
        offset: u64,
        source: &mut Source<R>,
    ) -> Result<Option<usize>, CaptureError> {
        let Some(length) = source.more::<4>()? else { return Ok(None) };
        let is_section = matches!(block, Block::Section);
        if is_section {
            let Some(magic) = source.more::<4>()? else { return Ok(None) };
            self.is_little = match magic {
                [0x1a, 0x2b, 0x3c, 0x4d] => false,
                [0x4d, 0x3c, 0x2b, 0x1a] => true,
                _ => return Err(CaptureError::BadBlock { offset, what: "no byte-order magic" }),
            };
            self.interfaces.clear();
        }
        let length = u64::from(self.u32(&length, 0).unwrap_or(0));
        let head = if is_section { 12 } else { 8 };
        let is_read = !is_section && !matches!(block, Block::Other);
        if length < head + 4 || !length.is_multiple_of(4) || (is_read && length > PACKET_MAX) {
            return Err(CaptureError::BadLength { what: "block", offset, length });
        }
        if !is_read {
            return Ok(source.skip(length - head)?.then_some(0));
        }
        let trailer = if matches!(block, Block::Interface) { 4 } else { 0 };
        // Proof: `length` is at most PACKET_MAX here.
        Ok(Some((length - head - trailer) as usize))
    }

    /// Link type, snapshot length, and the options on the resolution of times.
    fn interface(&self, body: &[u8]) -> Option<Interface> {
        let link = self.u16(body, 0)?.into();
        let snap = self.u32(body, 4)?;
        let (mut units, mut offset) = (1_000_000, 0);
        let mut at = 8;
        while let (Some(code), Some(length)) = (self.u16(body, at), self.u16(body, at + 2)) {
            let value = body.get(at + 4..at + 4 + usize::from(length)).unwrap_or_default();
            match (code, value) {
                (0, _) => break,
                (9, [power, ..]) if power & 0x80 != 0 => {
                    units = 1u64.checked_shl((power & 0x7f).into()).unwrap_or(u64::MAX);
                }
                (9, [power, ..]) => units = 10u64.checked_pow((*power).into()).unwrap_or(u64::MAX),
                (14, value) => {
                    let value = *value.first_chunk::<8>()?;
                    let little = i64::from_le_bytes(value);
                    offset = if self.is_little { little } else { i64::from_be_bytes(value) };
                }
                _ => {}
            }
            at += 4 + usize::from(length).next_multiple_of(4);
        }
        Some(Interface { link, snap, units: units.max(1), offset })
    }

    /// Time, link type, and where in the body the frame lies.
    fn packet(&self, block: &Block, body: &[u8]) -> Option<(Timestamp, u32, usize, usize)> {
        // The block's length stands once more at its end.
        let end = body.len().checked_sub(4)?;
        let (interface, from, length) = match block {
            Block::SimplePacket => {
                let interface = self.interfaces.first()?;
                let limit = if interface.snap == 0 { u32::MAX } else { interface.snap };
                let length = (self.u32(body, 0)?.min(limit) as usize).min(end.checked_sub(4)?);
                return Some((self.last, interface.link, 4, 4 + length));
            }
            Block::OldPacket => (u32::from(self.u16(body, 0)?), 20, self.u32(body, 12)?),
            _ => (self.u32(body, 0)?, 20, self.u32(body, 12)?),
        };
        let interface = self.interfaces.get(interface as usize)?;
        let ticks = u64::from(self.u32(body, 4)?) << 32 | u64::from(self.u32(body, 8)?);
        let to = from + length as usize;
        (to <= end).then_some((interface.time(ticks), interface.link, from, to))
    }
}

impl Interface {
    fn time(&self, ticks: u64) -> Timestamp {
        let seconds = i64::try_from(ticks / self.units).unwrap_or(i64::MAX);
        let second = u128::from(NANOS_PER_SECOND as u64);
        let nanos = u128::from(ticks % self.units) * second / u128::from(self.units);
        let whole = Timestamp::from_seconds(seconds.saturating_add(self.offset));
        // Proof: less than one second.
        Timestamp(whole.0.saturating_add(nanos as i64))
    }
}
