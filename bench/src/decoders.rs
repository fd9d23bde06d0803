//! Decoding alone: datagrams in memory, one thread, CPU time, the median of five passes.

use std::fmt;
use std::net::SocketAddr;

use weir_model::Timestamp;
use weir_wire::{Collector, Gathering, Limits, Message, Output, Received, Work};

use crate::corpus::{Corpus, Protocol};
use crate::{now_ms, sys};

const PASSES: usize = 5;

/// Datagrams of one chunk, as many as ingest's have: the control pass runs over them, then decoding.
const CHUNK: usize = 64;

/// Rows after which the batch begins anew. Some 1 MB of columns stay in the second-level cache;
/// ingest's batches are larger, and writing them out to memory is counted in the pipeline's figure.
const BATCH_ROWS: usize = 8_192;

/// Result of one protocol.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which.
    pub protocol: Protocol,
    /// Flow records a second of the decoding pass (known templates), in millions.
    pub decode_mps: f64,
    /// Flow records a second of the control pass, in millions.
    pub admit_mps: f64,
    /// Flow records decoded, against those in the corpus.
    pub found: (u64, u64),
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (decoded, truth) = self.found;
        write!(
            f,
            "{:?}: decode {:.1} M/s, control pass {:.1} M/s ({decoded} of {truth} records)",
            self.protocol, self.decode_mps, self.admit_mps
        )
    }
}

/// Measures every protocol, or `only` one.
pub fn run(flows: u64, only: Option<Protocol>) -> Vec<Row> {
    let all = [Protocol::Ipfix, Protocol::V9, Protocol::V5, Protocol::Sflow];
    let wanted = all.into_iter().filter(|protocol| only.is_none_or(|only| only == *protocol));
    wanted.map(|protocol| measure(protocol, flows)).collect()
}

fn measure(protocol: Protocol, flows: u64) -> Row {
    let corpus = Corpus::generate(protocol, flows, 1, now_ms());
    let mut collector = Collector::new(Limits::default());
    let at = Timestamp::from_millis(now_ms() as i64);
    let received = |exporter: usize| {
        let source = SocketAddr::from(([127, 0, 0, exporter as u8 + 1], 9_000));
        Received::udp(at, source)
    };
    let (mut works, mut receipts): (Vec<Work>, Vec<Received>) = Default::default();
    let mut output = Output::new();
    let (mut admits, mut decodes) = (Vec::new(), Vec::new());
    let mut decoded = 0;
    // The first pass learns the templates and is not counted.
    for pass in 0..=PASSES {
        decoded = 0;
        let (mut admit_seconds, mut decode_seconds) = (0.0, 0.0);
        for first in (0..corpus.datagrams.len()).step_by(CHUNK) {
            let chunk = first..(first + CHUNK).min(corpus.datagrams.len());
            let start = sys::thread_cpu_seconds();
            works.clear();
            receipts.clear();
            receipts.extend(chunk.clone().map(|i| received(corpus.datagrams[i].exporter)));
            for (i, received) in chunk.clone().zip(&receipts) {
                works.extend(
                    collector.admit(corpus.datagram(i), received).map(|admitted| admitted.work),
                );
            }
            let between = sys::thread_cpu_seconds();
            let mut gathering = Gathering::default();
            for ((i, work), received) in chunk.zip(&works).zip(&receipts) {
                let message = Message { work, octets: corpus.datagram(i), received };
                decoded += gathering.add(message, &mut output).flows;
            }
            decoded += gathering.finish(&mut output).flows;
            if output.flows.rows() >= BATCH_ROWS {
                output.clear();
            }
            admit_seconds += between - start;
            decode_seconds += sys::thread_cpu_seconds() - between;
        }
        output.clear();
        if pass > 0 {
            admits.push(admit_seconds);
            decodes.push(decode_seconds);
        }
    }
    let [admit_seconds, decode_seconds] = [admits, decodes].map(|mut seconds| {
        seconds.sort_by(f64::total_cmp);
        seconds[PASSES / 2]
    });
    let mps = |seconds: f64| corpus.flows as f64 / seconds / 1e6;
    Row {
        protocol,
        decode_mps: mps(decode_seconds),
        admit_mps: mps(admit_seconds),
        found: (decoded, corpus.flows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::columns::flows;

    /// The corpus is written without the decoder, so their agreement says something of both.
    #[test]
    fn every_protocol_decodes_to_the_sums_of_the_model() {
        for protocol in [Protocol::Ipfix, Protocol::V9, Protocol::V5, Protocol::Sflow] {
            let corpus = Corpus::generate(protocol, 20_000, 7, 1_763_600_000_000);
            let mut decoder = weir_wire::Decoder::new(Limits::default());
            let mut output = Output::new();
            for (i, datagram) in corpus.datagrams.iter().enumerate() {
                let source = SocketAddr::from(([127, 0, 0, datagram.exporter as u8 + 1], 9_000));
                let at = Timestamp::from_millis(1_763_600_000_000);
                decoder
                    .decode(corpus.datagram(i), &Received::udp(at, source), &mut output)
                    .unwrap();
            }
            assert_eq!(output.flows.rows() as u64, corpus.flows, "{protocol:?}");
            assert_eq!(output.flows.rows(), 20_000, "{protocol:?}");
            let missing = decoder.collector().exporters().map(|e| e.sequence.missing).sum::<u64>();
            assert_eq!(missing, 0, "{protocol:?}");
            if protocol == Protocol::Sflow {
                continue;
            }
            let sum = |column| -> u64 {
                (0..output.flows.rows()).filter_map(|row| output.flows.get_u64(column, row)).sum()
            };
            let sums = (sum(flows::OCTETS), sum(flows::PACKETS));
            assert_eq!(sums, (corpus.flow_octets, corpus.flow_packets), "{protocol:?}");
        }
    }
}
