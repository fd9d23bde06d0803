//! Datagrams of the traffic model, made once and kept in memory.
//!
//! Eight exporters, one observation domain each; templates in every hundredth datagram of an
//! exporter. Written without `weir-wire`, so that it can judge the decoders.

mod netflow;
mod sflow;

use crate::traffic::{Flow, Traffic};

/// Exporters of the model: 127.0.0.1 to 127.0.0.8 on loopback.
pub const EXPORTERS: usize = 8;

/// Sampling of sFlow, and what options say.
pub const SAMPLING: u32 = 1_000;

/// A datagram with templates comes every so many of an exporter.
const TEMPLATE_EVERY: u64 = 100;

/// Export protocols that the generator speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// IPFIX, 20 fields.
    Ipfix,
    /// NetFlow v9, 20 fields.
    V9,
    /// NetFlow v5, IPv4 only.
    V5,
    /// sFlow v5: flow samples with 128-octet headers.
    Sflow,
}

/// One datagram of a corpus.
#[derive(Debug, Clone, Copy)]
pub struct Datagram {
    /// Where it starts in [`Corpus::octets`].
    pub start: usize,
    /// Its length.
    pub len: usize,
    /// Which exporter sends it.
    pub exporter: usize,
    /// Flow records (flow samples) in it.
    pub flows: u64,
    /// What it adds to its exporter's sequence number.
    pub sequence: u32,
}

/// Datagrams in the order in which they are sent, and the truth about them.
#[derive(Debug)]
pub struct Corpus {
    /// Which protocol.
    pub protocol: Protocol,
    /// All octets, one datagram after the other.
    pub octets: Vec<u8>,
    /// Where each is.
    pub datagrams: Vec<Datagram>,
    /// Flow records in all.
    pub flows: u64,
    /// Sum of their octets.
    pub flow_octets: u64,
    /// Sum of their packets.
    pub flow_packets: u64,
}

impl Corpus {
    /// At least `flows` flow records: the last datagrams of every exporter are sent as they are.
    pub fn generate(protocol: Protocol, flows: u64, seed: u64, base_ms: u64) -> Corpus {
        let v6_share = if protocol == Protocol::V5 { 0.0 } else { 0.2 };
        let mut traffic = Traffic::new(seed, base_ms, v6_share);
        let mut corpus = Corpus {
            protocol,
            octets: Vec::new(),
            datagrams: Vec::new(),
            flows: 0,
            flow_octets: 0,
            flow_packets: 0,
        };
        let mut exporters: Vec<Exporter> = (0..EXPORTERS).map(Exporter::new).collect();
        for drawn in 0..flows {
            let flow = traffic.draw();
            let now_ms = base_ms + drawn * 1_000 / crate::traffic::FLOWS_PER_SECOND;
            let at = crate::traffic::node(flow.tuple.src) as usize % EXPORTERS;
            let exporter = &mut exporters[at];
            exporter.waiting.push(flow);
            if exporter.is_full(protocol) {
                exporter.send(&mut corpus, now_ms);
            }
        }
        let end_ms = base_ms + flows * 1_000 / crate::traffic::FLOWS_PER_SECOND;
        for exporter in exporters.iter_mut().filter(|exporter| !exporter.waiting.is_empty()) {
            exporter.send(&mut corpus, end_ms);
        }
        corpus
    }

    /// Octets of datagram `i`.
    pub fn datagram(&self, i: usize) -> &[u8] {
        let datagram = self.datagrams[i];
        &self.octets[datagram.start..datagram.start + datagram.len]
    }

    /// All datagrams, each after its length (32 bits, little-endian).
    pub fn framed(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.octets.len() + 4 * self.datagrams.len());
        for i in 0..self.datagrams.len() {
            let datagram = self.datagram(i);
            put(&mut octets, &[&(datagram.len() as u32).to_le_bytes(), datagram]);
        }
        octets
    }

    /// Moves every sequence number on, so that the corpus can be sent once more without a gap.
    pub fn turn(&mut self) {
        let mut sums = [0u32; EXPORTERS];
        for datagram in &self.datagrams {
            sums[datagram.exporter] = sums[datagram.exporter].wrapping_add(datagram.sequence);
        }
        let offset = match self.protocol {
            Protocol::Ipfix => 8,
            Protocol::V9 => 12,
            Protocol::V5 | Protocol::Sflow => 16,
        };
        for datagram in &self.datagrams {
            let at = datagram.start + offset;
            let Some(field) = self.octets[at..].first_chunk_mut::<4>() else { continue };
            let sequence = u32::from_be_bytes(*field).wrapping_add(sums[datagram.exporter]);
            *field = sequence.to_be_bytes();
        }
    }
}

/// One exporter: what waits for its next datagram, and its counters.
#[derive(Debug)]
pub(crate) struct Exporter {
    number: usize,
    waiting: Vec<Flow>,
    datagrams: u64,
    sequence: u32,
    /// sFlow: sequence of samples.
    samples: u32,
    boot_ms: Option<u64>,
}

impl Exporter {
    fn new(number: usize) -> Exporter {
        Exporter {
            number,
            waiting: Vec::new(),
            datagrams: 0,
            sequence: 0,
            samples: 0,
            boot_ms: None,
        }
    }

    fn is_full(&self, protocol: Protocol) -> bool {
        let templates = self.datagrams.is_multiple_of(TEMPLATE_EVERY);
        match protocol {
            Protocol::Ipfix => netflow::ipfix_is_full(&self.waiting, templates),
            Protocol::V9 => netflow::v9_is_full(&self.waiting, templates),
            Protocol::V5 => self.waiting.len() >= 30,
            // 1 to 7 samples a datagram: as a switch sends what has gathered.
            Protocol::Sflow => self.waiting.len() as u64 > self.datagrams * 5 % 7,
        }
    }

    fn send(&mut self, corpus: &mut Corpus, now_ms: u64) {
        let start = corpus.octets.len();
        let before = self.sequence;
        let templates = self.datagrams.is_multiple_of(TEMPLATE_EVERY);
        let boot_ms = *self.boot_ms.get_or_insert(now_ms - 3_600_000);
        match corpus.protocol {
            Protocol::Ipfix => netflow::ipfix(self, &mut corpus.octets, now_ms, templates),
            Protocol::V9 => netflow::v9(self, &mut corpus.octets, now_ms, boot_ms, templates),
            Protocol::V5 => netflow::v5(self, &mut corpus.octets, now_ms, boot_ms),
            Protocol::Sflow => sflow::datagram(self, &mut corpus.octets, now_ms, boot_ms),
        }
        corpus.datagrams.push(Datagram {
            start,
            len: corpus.octets.len() - start,
            exporter: self.number,
            flows: self.waiting.len() as u64,
            sequence: self.sequence.wrapping_sub(before),
        });
        corpus.flows += self.waiting.len() as u64;
        corpus.flow_octets += self.waiting.iter().map(|flow| flow.octets).sum::<u64>();
        corpus.flow_packets += self.waiting.iter().map(|flow| flow.packets).sum::<u64>();
        self.waiting.clear();
        self.datagrams += 1;
    }
}

pub(crate) fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

pub(crate) fn set_u16(out: &mut [u8], at: usize, value: usize) {
    let value = u16::try_from(value).unwrap_or(u16::MAX).to_be_bytes();
    out[at..at + 2].copy_from_slice(&value);
}
