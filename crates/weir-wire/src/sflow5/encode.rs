//! Rows to sFlow v5 datagrams: for the sink, the agent, the load generator and the tests.
//!
//! A row becomes a discarded-packet sample when it has `drop_reason` and no `sampling_rate`, else
//! a flow sample, in the expanded form only where the compact one cannot say it. With a
//! [`RawHeader`], or a header record (0:1) kept in `extra`, the packet is told by its octets; without
//! one by sampled_ethernet and sampled_ipv4 or sampled_ipv6 from the columns.
//!
//! A sample of several packets (a buffer of segments: `packets` is how many, `frame_length` what
//! each takes) is sent as one of that many times the rate: sFlow's samples are of one packet.
//!
//! Invariant: for what these structures can say, decoding gives the row's columns back. What they
//! cannot say (null interfaces, fragments, TTL without a header …) is left out, never invented.

mod counters;
mod flow;
mod out;

use std::ops::Range;

use weir_model::{Addr, FlowBatch};

use crate::packet::Link;
use out::Out;

/// Octets that Host sFlow and most switches keep a datagram under.
pub const DATAGRAM_MAX: usize = 1400;

/// The first octets of a packet, as sampled.
#[derive(Debug, Clone, Copy)]
pub struct RawHeader<'a> {
    /// What the first octet belongs to.
    pub link: Link,
    /// Octets of the whole packet before sampling.
    pub frame_length: u32,
    /// Octets taken off its end before `frame_length` was cut to the header (often 4, the FCS).
    pub stripped: u32,
    /// The octets.
    pub octets: &'a [u8],
}

/// The datagram holds other samples and has no room for this one: [`Encoder::finish`] it, then
/// try again. The datagram is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("datagram of {octets} octets has no room for a sample of {needed}")]
pub struct Full {
    /// Octets of the datagram so far.
    pub octets: usize,
    /// Octets of the sample.
    pub needed: usize,
}

/// Builds the datagrams of one sub-agent, one after the other.
///
/// ```
/// use weir_model::{FlowBatch, Table, columns::flows};
/// use weir_wire::sflow5::{encode::{Encoder, DATAGRAM_MAX}, header};
/// let mut rows = FlowBatch::new(Table::Flows);
/// rows.append_rows(1);
/// rows.set(flows::SAMPLING_RATE, 0, 400u32);
/// let mut encoder = Encoder::new("192.0.2.1".parse().unwrap(), 7, DATAGRAM_MAX);
/// encoder.flow(&rows, 0, 1, None).unwrap();
/// let datagram = encoder.finish(60_000).unwrap();
/// assert_eq!(header(datagram).unwrap().sub_agent, 7);
/// ```
#[derive(Debug)]
pub struct Encoder {
    agent: Addr,
    sub_agent: u32,
    octets_max: usize,
    sequence: u32,
    samples: u32,
    out: Out,
    finished: bool,
}

impl Encoder {
    /// An encoder whose datagrams come from `agent` and hold up to `octets_max` octets; a single
    /// sample longer than that makes a datagram of its own. `::` is sent as "no address".
    pub fn new(agent: Addr, sub_agent: u32, octets_max: usize) -> Encoder {
        let mut encoder = Encoder {
            agent,
            sub_agent,
            octets_max,
            sequence: 0,
            samples: 0,
            out: Out::default(),
            finished: false,
        };
        encoder.begin();
        encoder
    }

    /// Adds row `row` of a batch of flows as sample number `sequence` of its data source.
    pub fn flow(
        &mut self,
        batch: &FlowBatch,
        row: usize,
        sequence: u32,
        header: Option<RawHeader<'_>>,
    ) -> Result<(), Full> {
        self.sample(|out| flow::sample(out, batch, row, sequence, header))
    }

    /// Adds the rows of a batch of counters from `rows.start` on that belong to one counter sample
    /// (same data source and sequence) and gives the first row after them, at most `rows.end`.
    ///
    /// Fields that the rows leave out between others are sent as unknown.
    pub fn counters(&mut self, batch: &FlowBatch, rows: Range<usize>) -> Result<usize, Full> {
        self.counters_numbered(batch, rows, 0)
    }

    /// As [`Encoder::counters`], as sample number `sequence` where the rows themselves have none.
    pub fn counters_numbered(
        &mut self,
        batch: &FlowBatch,
        rows: Range<usize>,
        sequence: u32,
    ) -> Result<usize, Full> {
        if rows.is_empty() {
            return Ok(rows.end);
        }
        let end = counters::group_end(batch, rows.clone());
        self.sample(|out| counters::sample(out, batch, rows.start..end, sequence))?;
        Ok(end)
    }

    /// Samples in the datagram so far.
    pub fn samples(&self) -> u32 {
        if self.finished { 0 } else { self.samples }
    }

    /// Completes the datagram; the next sample begins another. `None` when it has no sample.
    pub fn finish(&mut self, uptime_ms: u32) -> Option<&[u8]> {
        if self.finished || self.samples == 0 {
            return None;
        }
        self.finished = true;
        self.sequence = self.sequence.wrapping_add(1);
        let at = self.head_length() - 12;
        self.out.put_u32(at, self.sequence);
        self.out.put_u32(at + 4, uptime_ms);
        self.out.put_u32(at + 8, self.samples);
        Some(self.out.octets())
    }

    fn head_length(&self) -> usize {
        let address = match (self.agent, self.agent.as_v4()) {
            (Addr::UNSPECIFIED, _) => 0,
            (_, Some(_)) => 4,
            (_, None) => 16,
        };
        24 + address
    }

    fn begin(&mut self) {
        self.samples = 0;
        self.finished = false;
        self.out.clear();
        self.out.u32(5);
        self.out.address((self.agent != Addr::UNSPECIFIED).then_some(self.agent));
        // Sequence, uptime and number of samples are put in when the datagram is finished.
        self.out.words(&[self.sub_agent, 0, 0, 0]);
    }

    fn sample(&mut self, write: impl FnOnce(&mut Out)) -> Result<(), Full> {
        if self.finished {
            self.begin();
        }
        let before = self.out.octets().len();
        write(&mut self.out);
        let after = self.out.octets().len();
        if after > self.octets_max && self.samples > 0 {
            self.out.truncate(before);
            return Err(Full { octets: before, needed: after - before });
        }
        self.samples += 1;
        Ok(())
    }
}
