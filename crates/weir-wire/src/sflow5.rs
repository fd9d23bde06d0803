//! sFlow version 5 (sflow.org, `sflow_version_5.txt` and its extensions): datagrams to rows.
//!
//! [`header`] is what the control pass needs; [`decode`] appends the rows of every sample;
//! [`encode`] makes datagrams from rows. A flow sample or a discarded packet is one row of
//! `flows`, each counter of a counter sample one row of `counters`.
//!
//! Invariant: blame is smallest. A body shorter or longer than we know gives the fields that are
//! there; a record that runs past its sample spoils that sample; a sample that runs past the
//! datagram spoils itself and what follows. Every step moves forward by at least eight octets.
//!
//! **What the columns hold.** `octets` is the frame length and `packets` 1, for a sampled header;
//! for `sampled_ethernet`, `sampled_ipv4` or `sampled_ipv6` alone it is the length in that record.
//! Rates are never multiplied in. A discarded-packet notification has `drop_reason`,
//! `dropped_octets` and `dropped_packets` and leaves `octets` and `packets` null: the packet did
//! not pass, and notifications are not sampled. A sampled header decides over sampled_ethernet,
//! sampled_ipv4 and sampled_ipv6 in the same sample.
//!
//! **Records without a column** are kept in `extra` under the private number
//! [`EXTRA_PEN`]` | enterprise` and the record's format as id, body as sent. IANA's numbers are
//! far below 2³¹, so they never meet those of IPFIX.

pub mod counters;
pub mod encode;
mod realtime;
mod records;
mod sample;
mod tunnels;
mod xdr;

use weir_model::columns::{counters as k, flows as c};
use weir_model::{Addr, FlowBatch};

use crate::error::MessageError;
use crate::output::Output;
use crate::protocol::Protocol;
use crate::received::Received;
use crate::tally::{DropReason, Tally};
use xdr::Xdr;

/// Value of `export_protocol` in rows that came by sFlow v5.
pub const EXPORT_PROTOCOL: u8 = 105;

/// Bit that marks the enterprise number of an sFlow structure in `extra`.
pub const EXTRA_PEN: u32 = 0x8000_0000;

/// Interface value for the agent itself ("internal", sFlow v5 §5.3).
pub const INTERNAL_IF: u32 = 0x3fff_ffff;

/// Octets of the shortest header: version, agent address of type 0, four words.
const HEADER_MIN: usize = 24;

/// Header of a datagram (sFlow v5, struct `sample_datagram_v5`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Address of the agent; `::` when the agent gives none (address type 0).
    pub agent: Addr,
    /// Sub-agent.
    pub sub_agent: u32,
    /// Sequence number of the datagram within the sub-agent.
    pub sequence: u32,
    /// Milliseconds since the agent booted.
    pub uptime_ms: u32,
    /// Samples that the datagram claims to hold.
    pub samples: u32,
}

impl Header {
    /// The exporter's address: the agent's, or the sender's when the agent gave none.
    pub fn exporter(&self, received: &Received) -> Addr {
        if self.agent == Addr::UNSPECIFIED { received.addr() } else { self.agent }
    }
}

/// Reads the header: all that the control pass needs.
pub fn header(octets: &[u8]) -> Result<Header, MessageError> {
    read_header(octets).map(|(header, _)| header)
}

fn read_header(octets: &[u8]) -> Result<(Header, &[u8]), MessageError> {
    let have = octets.len();
    let short = |need| MessageError::ShortHeader { protocol: Protocol::Sflow5, need, have };
    let mut x = Xdr::new(octets);
    let version = x.u32().ok_or(short(HEADER_MIN))?;
    if version != 5 {
        return Err(MessageError::BadHeader { offset: 0, value: version });
    }
    let kind = x.u32().ok_or(short(HEADER_MIN))?;
    let (agent, length) = match kind {
        0 => (Some(Addr::UNSPECIFIED), 0),
        1 => (x.v4(), 4),
        2 => (x.v6(), 16),
        value => return Err(MessageError::BadHeader { offset: 4, value }),
    };
    let short = || short(HEADER_MIN + length);
    let header = Header {
        agent: agent.ok_or_else(short)?,
        sub_agent: x.u32().ok_or_else(short)?,
        sequence: x.u32().ok_or_else(short)?,
        uptime_ms: x.u32().ok_or_else(short)?,
        samples: x.u32().ok_or_else(short)?,
    };
    Ok((header, x.rest()))
}

/// Appends the rows of every sample. Counts `sets` (one a sample), `sets_decoded`, `flows`,
/// `counters` and drops in `tally`; messages and octets were counted by the control pass.
///
/// Octets after the last sample that the header announces are ignored, as other collectors do.
/// A datagram that ends before its announced samples do counts one dropped sample.
pub fn decode(octets: &[u8], received: &Received, out: &mut Output, tally: &mut Tally) {
    let Ok((header, mut rest)) = read_header(octets) else {
        tally.sets += 1;
        tally.drop_set(DropReason::MalformedSet, octets.len());
        return;
    };
    let (first_flow, first_counter) = (out.flows.rows(), out.counters.rows());
    let mut extra = Vec::new();
    for _ in 0..header.samples {
        tally.sets += 1;
        let Some((format, body, next)) = next_sample(rest) else {
            tally.drop_set(DropReason::MalformedSet, rest.len());
            break;
        };
        match sample::decode(format, body, &header, out, &mut extra) {
            Ok(()) => tally.sets_decoded += 1,
            Err(reason) => tally.drop_set(reason, rest.len() - next.len()),
        }
        rest = next;
    }
    let exporter = header.exporter(received);
    let flows = out.flows.rows() - first_flow;
    if flows > 0 {
        stamp_flows(&mut out.flows, first_flow, &header, exporter, received);
    }
    let counters = out.counters.rows() - first_counter;
    if counters > 0 {
        stamp_counters(&mut out.counters, first_counter, &header, exporter, received);
    }
    tally.flows += flows as u64;
    tally.counters += counters as u64;
}

/// Splits off the first sample: its format, its body, and what follows.
fn next_sample(octets: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let mut x = Xdr::new(octets);
    let format = x.u32()?;
    let length = x.u32()? as usize;
    let rest = x.rest();
    let body = rest.get(..length)?;
    if length.is_multiple_of(4) {
        return Some((format, body, &rest[length..]));
    }
    // Deviation: lengths that are no multiple of 4. XDR pads what follows; agents that do not
    // know it put the next sample right behind. Whichever place holds a sample that fits is taken.
    let padded = rest.get(length.next_multiple_of(4)..);
    let next = padded.filter(|next| next.is_empty() || fits(next)).unwrap_or(&rest[length..]);
    Some((format, body, next))
}

fn fits(octets: &[u8]) -> bool {
    let mut x = Xdr::new(octets);
    let (format, length) = (x.u32(), x.u32());
    matches!(format, Some(1..=5)) && length.is_some_and(|n| x.rest().len() >= n as usize)
}

fn stamp_flows(
    flows: &mut FlowBatch,
    first: usize,
    header: &Header,
    exporter: Addr,
    received: &Received,
) {
    let n = flows.rows() - first;
    flows.fill(c::RECEIVED_AT, first, n, received.at.0);
    flows.fill(c::EXPORTER_ADDR, first, n, exporter);
    flows.fill(c::EXPORTER_PORT, first, n, received.source.port());
    flows.fill(c::EXPORT_PROTOCOL, first, n, EXPORT_PROTOCOL);
    flows.fill(c::OBSERVATION_DOMAIN, first, n, header.sub_agent);
    flows.fill(c::SEQUENCE, first, n, header.sequence);
}

fn stamp_counters(
    counters: &mut FlowBatch,
    first: usize,
    header: &Header,
    exporter: Addr,
    received: &Received,
) {
    let n = counters.rows() - first;
    counters.fill(k::RECEIVED_AT, first, n, received.at.0);
    counters.fill(k::EXPORTER_ADDR, first, n, exporter);
    counters.fill(k::SUB_AGENT, first, n, header.sub_agent);
    counters.fill(k::UPTIME_MS, first, n, header.uptime_ms);
}

/// Decodes `octets` and asserts what must hold whatever they are: books balance, rows and
/// interned octets stay within what the datagram's own size allows, and a second pass says the
/// same. Part of [`crate::check::check_sflow`].
pub(crate) fn check(octets: &[u8]) {
    use std::net::{Ipv4Addr, SocketAddr};
    let source = SocketAddr::from((Ipv4Addr::LOCALHOST, 6343));
    let received = Received::udp(weir_model::Timestamp(0), source);
    let mut runs = [(Output::new(), Tally::default()), (Output::new(), Tally::default())];
    for (out, tally) in &mut runs {
        decode(octets, &received, out, tally);
        assert_eq!(tally.sets, tally.sets_decoded + tally.dropped_sets(), "books balance");
        assert_eq!(tally.flows, out.flows.rows() as u64);
        assert_eq!(tally.counters, out.counters.rows() as u64);
        // A flow sample needs 40 octets, a counter 4 and a text or list item 4.
        assert!(out.flows.rows() <= octets.len() / 32, "rows are bounded by octets");
        assert!(out.counters.rows() <= octets.len() / 4 + 8, "counters are bounded by octets");
        let interned = out.flows.interner().octets() + out.counters.interner().octets();
        assert!(interned <= octets.len() * 24 + 4096, "{interned} octets from {}", octets.len());
        out.seal();
    }
    let [(a, left), (b, right)] = &runs;
    assert_eq!(left, right);
    for (id, column) in a.flows.columns() {
        assert_eq!(column, b.flows.column(id));
    }
}

#[cfg(test)]
mod tests;
