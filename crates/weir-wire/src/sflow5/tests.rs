use super::*;
use std::net::SocketAddr;
use weir_model::{Timestamp, json};

mod corpus;
mod identity;
mod samples;

/// Receipt from 192.0.2.9, so that a fallback to the sender shows.
fn received() -> Received {
    Received::udp(Timestamp(1_700_000_000_000_000_000), SocketAddr::from(([192, 0, 2, 9], 6343)))
}

/// Decodes datagrams into one output, and checks each on the way.
fn decode_all<'a>(datagrams: impl IntoIterator<Item = &'a [u8]>) -> (Output, Tally) {
    let (mut out, mut tally) = (Output::new(), Tally::default());
    for datagram in datagrams {
        check(datagram);
        decode(datagram, &received(), &mut out, &mut tally);
    }
    out.seal();
    (out, tally)
}

/// Rows as JSON without the columns that every row of a datagram shares.
fn lines(batch: &FlowBatch) -> Vec<String> {
    const SHARED: [&str; 12] = [
        "kind",
        "received_at",
        "exporter_port",
        "export_protocol",
        "sequence",
        "exporter_addr",
        "observation_domain",
        "sub_agent",
        "uptime_ms",
        "source_class",
        "source_index",
        "sample_drops",
    ];
    (0..batch.rows())
        .map(|row| {
            let mut line = Vec::new();
            json::write_row(batch, row, &mut line);
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(&line).unwrap();
            let mut kept: Vec<_> =
                object.into_iter().filter(|(name, _)| !SHARED.contains(&name.as_str())).collect();
            kept.sort_by_key(|(name, _)| batch.table().find(name).map_or(0, |def| def.id.index()));
            kept.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// Builds a datagram by hand, independent of the encoder: words and octets in order.
#[derive(Default)]
struct Wire(Vec<u8>);

impl Wire {
    fn words(mut self, words: &[u32]) -> Wire {
        words.iter().for_each(|word| self.0.extend_from_slice(&word.to_be_bytes()));
        self
    }

    fn octets(mut self, octets: &[u8]) -> Wire {
        self.0.extend_from_slice(octets);
        self
    }

    fn text(self, text: &str) -> Wire {
        let padding = text.len().next_multiple_of(4) - text.len();
        self.words(&[text.len() as u32]).octets(text.as_bytes()).octets(&[0; 3][..padding])
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    Wire::default().words(words).0
}

/// format, length, body.
fn record(format: u32, body: &[u8]) -> Vec<u8> {
    Wire::default().words(&[format, body.len() as u32]).octets(body).0
}

/// A compact flow sample: rate 400, pool 9, interfaces 1 to 2.
fn flow_sample(records: &[Vec<u8>]) -> Vec<u8> {
    let head = words(&[1, 7, 400, 9, 0, 1, 2, records.len() as u32]);
    record(1, &[head, records.concat()].concat())
}

fn counter_sample(records: &[Vec<u8>]) -> Vec<u8> {
    record(2, &[words(&[5, 2 << 24 | 1, records.len() as u32]), records.concat()].concat())
}

/// From agent 192.0.2.1, sub-agent 3, datagram 11, uptime 12 s.
fn datagram(samples: &[Vec<u8>]) -> Vec<u8> {
    [words(&[5, 1, 0xc000_0201, 3, 11, 12_000, samples.len() as u32]), samples.concat()].concat()
}
