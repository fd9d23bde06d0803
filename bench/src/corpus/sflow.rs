//! sFlow v5 datagrams of the model: flow samples with 128-octet Ethernet/IPv4/TCP headers, and an
//! interface counter sample every twenty datagrams.

use super::{Exporter, SAMPLING, put};
use crate::traffic::{Flow, interface, node, v4, v6};

/// Octets of the sampled header.
const HEADER: usize = 128;

fn words(out: &mut Vec<u8>, words: &[u32]) {
    words.iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()));
}

pub(super) fn datagram(exporter: &mut Exporter, out: &mut Vec<u8>, now_ms: u64, boot_ms: u64) {
    let counters = exporter.datagrams.is_multiple_of(20);
    let samples = exporter.waiting.len() as u32 + u32::from(counters);
    let agent = [127, 0, 0, exporter.number as u8 + 1];
    exporter.sequence = exporter.sequence.wrapping_add(1);
    words(out, &[5, 1]);
    put(out, &[&agent]);
    words(out, &[0, exporter.sequence, (now_ms - boot_ms) as u32, samples]);
    let flows = std::mem::take(&mut exporter.waiting);
    for flow in &flows {
        exporter.samples = exporter.samples.wrapping_add(1);
        flow_sample(out, flow, exporter.samples);
    }
    exporter.waiting = flows;
    if counters {
        counter_sample(out, exporter.sequence);
    }
}

fn flow_sample(out: &mut Vec<u8>, flow: &Flow, sequence: u32) {
    let (input, output) = (interface(flow.tuple.src), interface(flow.tuple.dst));
    let record = 16 + HEADER as u32;
    words(out, &[1, 32 + 8 + record]);
    words(out, &[sequence, input, SAMPLING, sequence.wrapping_mul(SAMPLING), 0, input, output, 1]);
    let length = (flow.octets / flow.packets) as u32 + 14;
    words(out, &[1, record, 1, length + 4, 4, HEADER as u32]);
    let start = out.len();
    ethernet(out, flow, length as u16 - 14);
    out.resize(start + HEADER, 0);
}

fn ethernet(out: &mut Vec<u8>, flow: &Flow, length: u16) {
    let tuple = &flow.tuple;
    let mac = |endpoint: u32| {
        let [_, _, n0, n1] = node(endpoint).to_be_bytes();
        [2, 0, 0, n0, n1, endpoint as u8]
    };
    put(out, &[&mac(tuple.dst), &mac(tuple.src)]);
    if tuple.v6 {
        let payload = length.saturating_sub(40).to_be_bytes();
        put(out, &[&[0x86, 0xdd], &[0x60, 0, 0, 0], &payload, &[tuple.proto, 64]]);
        put(out, &[&v6(tuple.src), &v6(tuple.dst)]);
    } else {
        put(out, &[&[8, 0], &[0x45, flow.tos], &length.to_be_bytes(), &[0, 0, 0x40, 0]]);
        put(out, &[&[64, tuple.proto, 0, 0], &v4(tuple.src), &v4(tuple.dst)]);
    }
    put(out, &[&tuple.src_port.to_be_bytes(), &tuple.dst_port.to_be_bytes()]);
    put(out, &[&[0; 8], &[0x50, flow.flags, 0xff, 0xff, 0, 0, 0, 0]]);
}

fn counter_sample(out: &mut Vec<u8>, sequence: u32) {
    words(out, &[2, 12 + 8 + 88, sequence, 1, 1]);
    words(out, &[1, 88, 1, 6, 2, 0x540b_e400, 1, 3]);
    let counters: [u32; 16] = std::array::from_fn(|i| sequence.wrapping_mul(i as u32 + 1));
    words(out, &counters);
}
