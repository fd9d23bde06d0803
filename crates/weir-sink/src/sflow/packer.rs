//! Rows to numbered datagrams, without a socket.

use std::collections::HashMap;
use std::time::Duration;

use weir_model::columns::{counters as k, flows as c};
use weir_model::{ColumnId, FlowBatch};
use weir_wire::sflow5::encode::Encoder;

use super::SflowSettings;

/// Data sources whose samples are numbered. Limit: interfaces of a large node are some hundreds;
/// past it all numbers begin again, which collectors take for a restart of the agent.
const SOURCES_MAX: usize = 16_384;

/// Class and index of a data source.
type Source = (u64, u64);

/// What an exporter did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SflowCounts {
    /// Packets and dropped packets told.
    pub flow_samples: u64,
    /// Counter samples told.
    pub counter_samples: u64,
    /// Rows that are flow records, which sFlow cannot tell.
    pub flows_left_out: u64,
    /// Datagrams handed to the system.
    pub datagrams: u64,
    /// Their octets.
    pub octets: u64,
    /// Datagrams that the system did not take.
    pub datagrams_unsent: u64,
    /// Rows in the datagrams handed to the system.
    pub rows: u64,
    /// Rows in those that it did not take.
    pub rows_unsent: u64,
    /// How often numbering began again for want of room.
    pub renumbered: u64,
}

/// Packs rows into datagrams.
#[derive(Debug)]
pub struct Packer {
    encoder: Encoder,
    flow_sequences: HashMap<Source, u32>,
    counter_sequences: HashMap<Source, u32>,
    counts: SflowCounts,
    /// Rows in the datagram that waits.
    waiting: u64,
}

impl Packer {
    /// A packer that has sent nothing.
    pub fn new(settings: SflowSettings) -> Packer {
        let SflowSettings { agent, sub_agent, datagram_max } = settings;
        Packer {
            encoder: Encoder::new(agent, sub_agent, datagram_max),
            flow_sequences: HashMap::new(),
            counter_sequences: HashMap::new(),
            counts: SflowCounts::default(),
            waiting: 0,
        }
    }

    /// What it did so far; it does not send, so it counts no datagrams.
    pub fn counts(&self) -> SflowCounts {
        self.counts
    }

    /// Packs the packet samples among the rows and gives each datagram that is full, with the
    /// number of rows in it, to `send`.
    pub fn flows(&mut self, batch: &FlowBatch, uptime: Duration, mut send: impl FnMut(&[u8], u64)) {
        for row in 0..batch.rows() {
            if !is_sample(batch, row) {
                self.counts.flows_left_out += 1;
                continue;
            }
            let source = source(batch, row, c::SOURCE_CLASS, c::SOURCE_INDEX);
            let sequence = next(&mut self.flow_sequences, source, &mut self.counts.renumbered);
            if self.encoder.flow(batch, row, sequence, None).is_err() {
                self.flush(uptime, &mut send);
                // Proof: an empty datagram takes any sample.
                let _taken = self.encoder.flow(batch, row, sequence, None);
            }
            self.counts.flow_samples += 1;
            self.waiting += 1;
        }
    }

    /// Packs the rows of counters and gives each datagram that is full to `send`.
    pub fn counters(
        &mut self,
        batch: &FlowBatch,
        uptime: Duration,
        mut send: impl FnMut(&[u8], u64),
    ) {
        let mut rows = 0..batch.rows();
        while !rows.is_empty() {
            let source = source(batch, rows.start, k::SOURCE_CLASS, k::SOURCE_INDEX);
            let sequence = next(&mut self.counter_sequences, source, &mut self.counts.renumbered);
            let packed =
                self.encoder.counters_numbered(batch, rows.clone(), sequence).or_else(|_| {
                    self.flush(uptime, &mut send);
                    self.encoder.counters_numbered(batch, rows.clone(), sequence)
                });
            // Proof: an empty datagram takes any sample, so the second try has an end.
            let began = std::mem::replace(&mut rows.start, packed.unwrap_or(rows.end));
            self.waiting += (rows.start - began) as u64;
            self.counts.counter_samples += 1;
        }
    }

    /// Gives the datagram that waits, if there is one, to `send`.
    pub fn flush(&mut self, uptime: Duration, mut send: impl FnMut(&[u8], u64)) {
        // The field wraps after 49 days (sFlow v5, struct sample_datagram_v5).
        if let Some(datagram) = self.encoder.finish(uptime.as_millis() as u32) {
            send(datagram, std::mem::take(&mut self.waiting));
        }
    }
}

/// A row that tells of one packet: a sample, or a packet that was dropped.
fn is_sample(batch: &FlowBatch, row: usize) -> bool {
    let has = |id| batch.get(id, row).is_some();
    has(c::FRAME_LENGTH) || (has(c::DROP_REASON) && has(c::SAMPLE_DROPS))
}

fn source(batch: &FlowBatch, row: usize, class: ColumnId, index: ColumnId) -> Source {
    (batch.get_u64(class, row).unwrap_or(0), batch.get_u64(index, row).unwrap_or(0))
}

fn next(sequences: &mut HashMap<Source, u32>, source: Source, renumbered: &mut u64) -> u32 {
    if sequences.len() >= SOURCES_MAX && !sequences.contains_key(&source) {
        sequences.clear();
        *renumbered += 1;
    }
    let sequence = sequences.entry(source).or_default();
    *sequence = sequence.wrapping_add(1);
    *sequence
}
