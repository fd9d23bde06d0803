//! Samples: their heads, and one row for each flow or discarded-packet sample.

use weir_model::columns::flows as c;
use weir_model::{ColumnId, FlowBatch};

use super::records::Row;
use super::xdr::{Records, Xdr};
use super::{Header, counters, realtime};
use crate::output::Output;
use crate::packet::Dissected;
use crate::tally::DropReason;

/// Formats of enterprise 4300 (InMon) that stand where samples do.
const RTMETRIC: u32 = 4300 << 12 | 1002;
const RTFLOW: u32 = 4300 << 12 | 1003;

/// An interface as samples tell it: format 0 index, 1 discarded for a reason, 2 several.
#[derive(Debug, Clone, Copy)]
struct Interface {
    format: u32,
    value: u32,
}

impl Interface {
    /// The compact form: format in the upper two bits.
    const fn compact(word: u32) -> Interface {
        Interface { format: word >> 30, value: word & 0x3fff_ffff }
    }
}

/// A data source: what the samples of one sequence are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) class: u8,
    pub(super) index: u32,
}

impl Source {
    /// The compact form: class in the upper octet.
    const fn compact(word: u32) -> Source {
        Source { class: (word >> 24) as u8, index: word & 0x00ff_ffff }
    }

    fn expanded(class: u32, index: u32) -> Source {
        Source { class: u8::try_from(class).unwrap_or(u8::MAX), index }
    }
}

/// What stands before the records of a flow or discarded-packet sample.
#[derive(Debug, Clone, Copy)]
struct Head {
    source: Source,
    /// Rate and pool; a discarded packet has neither.
    sampling: Option<(u32, u32)>,
    drops: u32,
    input: Interface,
    output: Interface,
    reason: Option<u32>,
}

/// Decodes the body of a sample. An error leaves no row behind.
#[inline]
pub(super) fn decode(
    format: u32,
    body: &[u8],
    header: &Header,
    out: &mut Output,
    extra: &mut Vec<u8>,
) -> Result<(), DropReason> {
    let mut x = Xdr::new(body);
    let done = match format {
        1 => flow(&mut x, out, extra),
        3 => expanded(&mut x, out, extra),
        5 => discarded(&mut x, out, extra),
        2 | 4 => counter(format == 4, &mut x, &mut out.counters),
        RTMETRIC => realtime::metrics(&mut x, header, &mut out.counters),
        RTFLOW => realtime::flow(&mut x, body, &mut out.flows),
        _ => return Err(DropReason::Reserved),
    };
    done.ok_or(DropReason::MalformedSet)
}

fn flow(x: &mut Xdr<'_>, out: &mut Output, extra: &mut Vec<u8>) -> Option<()> {
    let [_sequence, source, rate, pool, drops, input, output, count] = x.words()?;
    let head = Head {
        source: Source::compact(source),
        sampling: Some((rate, pool)),
        drops,
        input: Interface::compact(input),
        output: Interface::compact(output),
        reason: None,
    };
    row(&head, Records::new(x.rest(), count)?, &mut out.flows, extra);
    Some(())
}

fn expanded(x: &mut Xdr<'_>, out: &mut Output, extra: &mut Vec<u8>) -> Option<()> {
    let [_sequence, class, index, rate, pool, drops] = x.words()?;
    let [in_format, in_value, out_format, out_value, count] = x.words()?;
    let head = Head {
        source: Source::expanded(class, index),
        sampling: Some((rate, pool)),
        drops,
        input: Interface { format: in_format, value: in_value },
        output: Interface { format: out_format, value: out_value },
        reason: None,
    };
    row(&head, Records::new(x.rest(), count)?, &mut out.flows, extra);
    Some(())
}

fn discarded(x: &mut Xdr<'_>, out: &mut Output, extra: &mut Vec<u8>) -> Option<()> {
    let [_sequence, class, index, drops, input, output, reason, count] = x.words()?;
    let head = Head {
        source: Source::expanded(class, index),
        sampling: None,
        drops,
        input: Interface { format: 0, value: input },
        output: Interface { format: 0, value: output },
        reason: Some(reason),
    };
    row(&head, Records::new(x.rest(), count)?, &mut out.flows, extra);
    Some(())
}

#[inline]
fn row(head: &Head, records: Records<'_>, flows: &mut FlowBatch, extra: &mut Vec<u8>) {
    let row = flows.append_rows(1);
    head.write(flows, row);
    extra.clear();
    let packet = Dissected::default();
    let (length, is_operation, has_tunnel) = (None, false, false);
    let mut filled = Row { flows, row, extra, packet, length, is_operation, has_tunnel };
    filled.fill(records);
    let (length, is_operation) = (filled.length, filled.is_operation);
    if let Some(length) = length {
        flows.set(c::FRAME_LENGTH, row, length);
    }
    let is_packet = length.is_some() || !is_operation;
    if head.reason.is_some() || head.output.format == 1 {
        count(flows, row, is_packet, length, c::DROPPED_PACKETS, c::DROPPED_OCTETS);
    }
    if head.reason.is_none() {
        count(flows, row, is_packet, length, c::PACKETS, c::OCTETS);
    }
    if !extra.is_empty() {
        flows.set_octets(c::EXTRA, row, extra);
    }
}

#[inline]
fn count(
    flows: &mut FlowBatch,
    row: usize,
    is_packet: bool,
    length: Option<u32>,
    packets: ColumnId,
    octets: ColumnId,
) {
    if is_packet {
        flows.set(packets, row, 1u64);
    }
    if let Some(length) = length {
        flows.set(octets, row, u64::from(length));
    }
}

impl Head {
    #[inline]
    fn write(&self, flows: &mut FlowBatch, row: usize) {
        if let Some((rate, pool)) = self.sampling {
            flows.set(c::SAMPLING_RATE, row, rate);
            flows.set(c::SAMPLE_POOL, row, pool);
        }
        flows.set(c::SAMPLE_DROPS, row, self.drops);
        flows.set(c::SOURCE_CLASS, row, self.source.class);
        flows.set(c::SOURCE_INDEX, row, self.source.index);
        if self.input.format == 0 {
            flows.set(c::IN_IF, row, self.input.value);
        }
        let mut reason = self.reason;
        match self.output.format {
            0 => flows.set(c::OUT_IF, row, self.output.value),
            1 => {
                flows.set(c::OUT_IF, row, 0u32);
                reason = reason.or(Some(self.output.value));
            }
            2 => flows.set(c::OUT_IF_COUNT, row, self.output.value),
            _ => {}
        }
        if let Some(reason) = reason {
            flows.set(c::DROP_REASON, row, u16::try_from(reason).unwrap_or(u16::MAX));
        }
    }
}

fn counter(is_expanded: bool, x: &mut Xdr<'_>, rows: &mut FlowBatch) -> Option<()> {
    let sequence = x.u32()?;
    let source = if is_expanded {
        let [class, index] = x.words()?;
        Source::expanded(class, index)
    } else {
        Source::compact(x.u32()?)
    };
    let count = x.u32()?;
    let records = Records::new(x.rest(), count)?;
    for (structure, body) in records {
        counters::decode(structure, body, source, sequence, rows);
    }
    Some(())
}
