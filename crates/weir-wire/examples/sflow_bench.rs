//! Measures how many sFlow samples a second one thread decodes, header dissection included.
//!
//! `cargo run --release -p weir-wire --example sflow_bench [SECONDS]`: datagrams of one to seven
//! flow samples with 128-octet headers and the switch record, decoded in memory into batches that
//! are handed on (cleared) when full. Prints samples per second of CPU time, once for
//! Ethernet/IPv4/TCP alone (the bar) and once for a mix with a VLAN tag, IPv6, UDP and VXLAN.

use std::net::{Ipv4Addr, SocketAddr};

use weir_model::columns::flows as c;
use weir_model::{Addr, FlowBatch, Table, Timestamp};
use weir_wire::packet::Link;
use weir_wire::sflow5::{self, encode::Encoder, encode::RawHeader};
use weir_wire::{Output, Received, Tally};

/// A multiplicative generator is random enough for addresses and ports.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 24
}

fn frame(state: &mut u64) -> [u8; 128] {
    let mut frame = [0; 128];
    frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
    frame[14..26].copy_from_slice(&[0x45, 0, 5, 0xdc, 0, 7, 0x40, 0, 64, 6, 0, 0]);
    let random = next(state).to_be_bytes();
    frame[5] = random[3];
    frame[11] = random[4];
    frame[18..20].copy_from_slice(&random[6..]);
    frame[26..34].copy_from_slice(&[10, random[5], random[6], 7, 10, random[7], random[4], 9]);
    frame[34..38].copy_from_slice(&[random[5], random[6], 1, 0xbb]);
    frame[46..48].copy_from_slice(&[0x50, 0x10]);
    frame
}

/// Every fourth frame tagged, every fourth IPv6 with UDP, every eighth in VXLAN.
fn mixed(state: &mut u64) -> [u8; 128] {
    let plain = frame(state);
    let mut mixed = plain;
    match next(state) & 7 {
        0 | 1 => {
            mixed[12..18].copy_from_slice(&[0x81, 0, 0, 10, 8, 0]);
            mixed[18..].copy_from_slice(&plain[14..124]);
        }
        2 | 3 => {
            mixed[12..22].copy_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0, 0, 60, 17, 64]);
            mixed[22..24].copy_from_slice(&[0xfd, 0]);
        }
        4 => {
            mixed[23] = 17;
            mixed[36..50].copy_from_slice(&[0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 5, 0]);
            mixed[50..].copy_from_slice(&plain[..78]);
        }
        _ => {}
    }
    mixed
}

fn datagrams(state: &mut u64, frame: fn(&mut u64) -> [u8; 128]) -> Vec<(Vec<u8>, u64)> {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(1);
    (0..4_096u64)
        .map(|i| {
            let agent = Addr::v4(0xc000_0200 | (i as u32 & 15));
            let mut encoder = Encoder::new(agent, 0, 1_600);
            let samples = 1 + i % 7;
            for sequence in 0..samples {
                let frame = frame(state);
                batch.set(c::SOURCE_INDEX, 0, sequence as u32);
                batch.set(c::SAMPLING_RATE, 0, 400u32);
                batch.set(c::SAMPLE_POOL, 0, next(state) as u32);
                batch.set(c::SAMPLE_DROPS, 0, 0u32);
                batch.set(c::IN_IF, 0, next(state) as u32 & 63);
                batch.set(c::OUT_IF, 0, next(state) as u32 & 63);
                batch.set(c::SRC_VLAN, 0, 10u16);
                batch.set(c::DST_VLAN, 0, 10u16);
                let (link, octets) = (Link::ETHERNET, &frame);
                let header = RawHeader { link, frame_length: 1518, stripped: 4, octets };
                // The largest datagram has 28 + 7 * 216 octets: there is always room.
                let _room = encoder.flow(&batch, 0, sequence as u32, Some(header));
            }
            let octets = encoder.finish(i as u32).unwrap_or_default().to_vec();
            (octets, samples)
        })
        .collect()
}

/// CPU time of this process in clock ticks of 10 ms (proc(5), fields 14 and 15).
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(3u64);
    for (name, frame) in [("IPv4/TCP", frame as fn(&mut u64) -> [u8; 128]), ("mixed", mixed)] {
        let datagrams = datagrams(&mut 42, frame);
        let (tally, expected, cpu) = measure(&datagrams, seconds);
        let rate = tally.flows as f64 / cpu / 1e6;
        println!("{name}: {rate:.2} M samples/s of CPU ({} in {cpu:.2} s)", tally.flows);
        if tally.flows != expected || tally.dropped_sets() != 0 {
            println!("WRONG: expected {expected} samples, {} dropped", tally.dropped_sets());
            std::process::exit(1);
        }
    }
}

/// Decodes the datagrams again and again. Gives what came of it, samples sent, and CPU seconds.
fn measure(datagrams: &[(Vec<u8>, u64)], seconds: u64) -> (Tally, u64, f64) {
    let source = SocketAddr::from((Ipv4Addr::LOCALHOST, 6343));
    let mut received = Received::udp(Timestamp(0), source);
    let (mut out, mut tally, mut expected) = (Output::new(), Tally::default(), 0);
    let start = cpu_ticks();
    while cpu_ticks() - start < seconds * 100 {
        for (octets, samples) in datagrams {
            received.at.0 += 1_000;
            sflow5::decode(octets, &received, &mut out, &mut tally);
            expected += samples;
            if out.is_full() {
                out.clear();
            }
        }
    }
    (tally, expected, (cpu_ticks() - start) as f64 / 100.0)
}
