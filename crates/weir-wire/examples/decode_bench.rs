//! Decoding rate of one thread: IPFIX and NetFlow v9 records of 20 fields, 18 a datagram, from
//! datagrams in memory with a known template to filled columns of a reused batch.
//!
//! `cargo run --release -p weir-wire --example decode_bench [seconds]`. Rates are per CPU second
//! of this thread (Linux `schedstat`), the median of the rounds, since shared machines are noisy.

use std::net::SocketAddr;
use std::time::Instant;

use weir_model::Timestamp;
use weir_testkit::message::{Ipfix, NetFlow9, Template};
use weir_wire::{Collector, Gathering, Limits, Message, Output, Received, Work};

const RECORDS: usize = 18;
const DATAGRAMS: usize = 3_600;
/// Datagrams that go through both passes together, as a receiving thread hands them on.
const CHUNK: usize = 64;

/// Twenty fields: addresses, ports, protocol, flags, counters, times, interfaces, routing.
const FIELDS: [(u16, u16); 20] = [
    (8, 4),
    (12, 4),
    (7, 2),
    (11, 2),
    (4, 1),
    (6, 1),
    (5, 1),
    (1, 8),
    (2, 8),
    (152, 8),
    (153, 8),
    (10, 4),
    (14, 4),
    (16, 4),
    (17, 4),
    (15, 4),
    (9, 1),
    (13, 1),
    (136, 1),
    (61, 1),
];

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(3.0);
    let mut lines = Vec::new();
    for protocol in ["ipfix", "netflow9"] {
        let Cost { admitting, decoding, both } = measure(protocol, seconds);
        lines.push(format!(
            "{protocol}: admit {:.0} ns a datagram, decode {:.1} M records/s, both {:.1} M records/s",
            admitting * 1e9 / DATAGRAMS as f64,
            (DATAGRAMS * RECORDS) as f64 / decoding / 1e6,
            (DATAGRAMS * RECORDS) as f64 / both / 1e6,
        ));
    }
    let text = lines.join("\n") + "\n";
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes()).expect("stdout is open");
}

/// Median CPU seconds for all datagrams: each pass over all of them, and both chunk by chunk.
struct Cost {
    admitting: f64,
    decoding: f64,
    both: f64,
}

fn measure(protocol: &str, seconds: f64) -> Cost {
    let source: SocketAddr = "192.0.2.1:2055".parse().expect("an address");
    let received = Received::udp(Timestamp::from_seconds(1_700_000_000), source);
    let mut collector = Collector::new(Limits::default());
    let template = Template::new(256, &FIELDS);
    let first = match protocol {
        "ipfix" => Ipfix::new(1_700_000_000, 0, 7).template(&template).build(),
        _ => NetFlow9::new(1, 9_000, 1_700_000_000, 0, 7).template(&template).build(),
    };
    collector.admit(&first, &received).expect("the template is good");
    let datagrams: Vec<Vec<u8>> = (0..DATAGRAMS).map(|n| datagram(protocol, n)).collect();
    let mut works: Vec<Work> = Vec::with_capacity(DATAGRAMS);
    let mut out = Output::new();
    let (mut admits, mut decodes, mut boths) = (Vec::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    while began.elapsed().as_secs_f64() < seconds || admits.len() < 5 {
        admits.push(cpu_of(|| {
            works.clear();
            for octets in &datagrams {
                works.push(collector.admit(octets, &received).expect("framing is good").work);
            }
        }));
        decodes.push(cpu_of(|| {
            out.clear();
            for (chunk, works) in datagrams.chunks(CHUNK).zip(works.chunks(CHUNK)) {
                decode(chunk, works, &received, &mut out);
            }
        }));
        boths.push(cpu_of(|| {
            out.clear();
            for chunk in datagrams.chunks(CHUNK) {
                works.clear();
                for octets in chunk {
                    works.push(collector.admit(octets, &received).expect("framing is good").work);
                }
                decode(chunk, &works, &received, &mut out);
            }
        }));
        assert_eq!(out.flows.rows(), DATAGRAMS * RECORDS);
    }
    Cost { admitting: median(admits), decoding: median(decodes), both: median(boths) }
}

fn decode(chunk: &[Vec<u8>], works: &[Work], received: &Received, out: &mut Output) {
    let mut gathering = Gathering::default();
    for (octets, work) in chunk.iter().zip(works) {
        gathering.add(Message { work, octets, received }, out);
    }
    gathering.finish(out);
}

/// CPU seconds of one call, from enough calls to be far above the clock's grain of some ms.
fn cpu_of(mut call: impl FnMut()) -> f64 {
    let (start, mut calls) = (cpu(), 0);
    loop {
        for _ in 0..16 {
            call();
        }
        calls += 16;
        let spent = cpu() - start;
        if spent > 0.15 {
            return spent / f64::from(calls);
        }
    }
}

fn datagram(protocol: &str, number: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for record in 0..RECORDS {
        let seed = (number * RECORDS + record) as u64;
        let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for (position, (_, length)) in FIELDS.iter().enumerate() {
            let value = match position {
                7 => 40 + mixed % 9_000,
                8 => 1 + mixed % 9,
                9 | 10 => 1_700_000_000_000 + seed,
                _ => mixed >> position,
            };
            let octets = value.to_be_bytes();
            body.extend_from_slice(&octets[8 - usize::from(*length)..]);
        }
    }
    let sequence = (number * RECORDS) as u32;
    match protocol {
        "ipfix" => Ipfix::new(1_700_000_000, sequence, 7).data(256, &body).build(),
        _ => NetFlow9::new(18, 9_000, 1_700_000_000, 1 + number as u32, 7).data(256, &body).build(),
    }
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos: f64 = text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
    nanos / 1e9
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
