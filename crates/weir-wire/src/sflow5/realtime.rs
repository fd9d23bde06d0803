//! InMon's messages of enterprise 4300 in the place of samples: rtmetric (named numbers of a
//! program) and rtflow (named fields of one flow), as Host sFlow's `json` module sends them.

use weir_model::column::ElementKey;
use weir_model::columns::{counters as k, flows as c};
use weir_model::{FlowBatch, elements};

use super::counters::RTMETRIC_STRUCTURE;
use super::xdr::{Xdr, clean};
use super::{EXTRA_PEN, Header};

/// rtmetric: data source, then name, type and value of each metric. Types 0 text, 1 and 2
/// counters, 3 and 4 gauges of 32 and 64 bits, 5 float, 6 double.
pub(super) fn metrics(x: &mut Xdr<'_>, header: &Header, rows: &mut FlowBatch) -> Option<()> {
    let source = x.text()?;
    let count = x.u32()?;
    for _ in 0..count {
        let Some((name, value)) = metric(x) else { break };
        let row = rows.append_rows(1);
        rows.set_octets(k::SOURCE_NAME, row, source.as_bytes());
        rows.set(k::STRUCTURE, row, RTMETRIC_STRUCTURE);
        rows.set_octets(k::NAME, row, clean(name).as_bytes());
        // The message has no sequence of its own; the datagram's tells the messages apart.
        rows.set(k::SEQUENCE, row, header.sequence);
        match value {
            Metric::Text(text) => rows.set_octets(k::VALUE_TEXT, row, clean(text).as_bytes()),
            Metric::Number(number) => rows.set(k::VALUE, row, number),
            Metric::Fraction(number) => rows.set(k::VALUE_F, row, number),
        }
    }
    Some(())
}

enum Metric<'a> {
    Text(&'a [u8]),
    Number(u64),
    Fraction(f64),
}

fn metric<'a>(x: &mut Xdr<'a>) -> Option<(&'a [u8], Metric<'a>)> {
    let name = x.opaque()?;
    let value = match x.u32()? {
        0 => Metric::Text(x.opaque()?),
        1 | 3 => Metric::Number(x.u32()?.into()),
        2 | 4 => Metric::Number(x.u64()?),
        5 => Metric::Fraction(f32::from_bits(x.u32()?).into()),
        6 => Metric::Fraction(f64::from_bits(x.u64()?)),
        // The length of an unknown type is unknown: nothing after it can be read.
        _ => return None,
    };
    Some((name, value))
}

/// rtflow: data source, sampling rate, reserved, then name, type and value of each field. The
/// names are the program's own. Those of sFlow-RT's flow keys go to their columns; the whole
/// message is kept in `extra`.
pub(super) fn flow(x: &mut Xdr<'_>, body: &[u8], flows: &mut FlowBatch) -> Option<()> {
    x.opaque()?;
    let [rate, _reserved, count] = x.words()?;
    let row = flows.append_rows(1);
    flows.set(c::SAMPLING_RATE, row, rate);
    for _ in 0..count {
        if field(x, flows, row).is_none() {
            break;
        }
    }
    let mut extra = Vec::with_capacity(body.len() + 8);
    elements::push(&mut extra, ElementKey { pen: EXTRA_PEN | 4300, id: 1003 }, body);
    flows.set_octets(c::EXTRA, row, &extra);
    Some(())
}

/// Types 0 text, 1 MAC, 2 IPv4, 3 IPv6, 4 and 5 numbers of 32 and 64 bits, 6 float, 7 double.
fn field(x: &mut Xdr<'_>, flows: &mut FlowBatch, row: usize) -> Option<()> {
    let name = x.opaque()?;
    match x.u32()? {
        0 => {
            x.opaque()?;
        }
        1 => {
            let mac = x.mac()?;
            match name {
                b"macsource" => flows.set(c::SRC_MAC, row, mac),
                b"macdestination" => flows.set(c::DST_MAC, row, mac),
                _ => {}
            }
        }
        kind @ (2 | 3) => {
            let addr = if kind == 2 { x.v4()? } else { x.v6()? };
            match name {
                b"ipsource" | b"ip6source" => flows.set(c::SRC_ADDR, row, addr),
                b"ipdestination" | b"ip6destination" => flows.set(c::DST_ADDR, row, addr),
                _ => {}
            }
        }
        4 => number(name, x.u32()?.into(), flows, row),
        5 => number(name, x.u64()?, flows, row),
        6 => {
            x.u32()?;
        }
        7 => {
            x.u64()?;
        }
        _ => return None,
    }
    Some(())
}

fn number(name: &[u8], value: u64, flows: &mut FlowBatch, row: usize) {
    match name {
        b"bytes" => flows.set(c::OCTETS, row, value),
        b"frames" => flows.set(c::PACKETS, row, value),
        b"ipprotocol" | b"ip6nexthdr" => flows.set(c::PROTO, row, value as u8),
        b"tcpsourceport" | b"udpsourceport" => flows.set(c::SRC_PORT, row, value as u16),
        b"tcpdestinationport" | b"udpdestinationport" => flows.set(c::DST_PORT, row, value as u16),
        _ => {}
    }
}
