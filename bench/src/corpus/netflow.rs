//! IPFIX, NetFlow v9 and v5 datagrams of the model.

use super::{Exporter, SAMPLING, put, set_u16};
use crate::traffic::{Flow, asn, interface, node, v4, v6};

/// Octets of a datagram: 1,500 less IP and UDP headers.
const DATAGRAM: usize = 1_472;

const V4_TEMPLATE: u16 = 256;
const V6_TEMPLATE: u16 = 257;
const OPTIONS_TEMPLATE: u16 = 258;

/// The twenty fields, IPv4 and IPv6: (element, octets) in the order of the record.
const FIELDS: [[(u16, u16); 2]; 20] = [
    [(8, 4), (27, 16)],
    [(12, 4), (28, 16)],
    [(7, 2), (7, 2)],
    [(11, 2), (11, 2)],
    [(4, 1), (4, 1)],
    [(6, 1), (6, 1)],
    [(5, 1), (5, 1)],
    [(10, 4), (10, 4)],
    [(14, 4), (14, 4)],
    [(16, 4), (16, 4)],
    [(17, 4), (17, 4)],
    [(15, 4), (62, 16)],
    [(9, 1), (29, 1)],
    [(13, 1), (30, 1)],
    [(1, 8), (1, 8)],
    [(2, 8), (2, 8)],
    [(152, 8), (152, 8)],
    [(153, 8), (153, 8)],
    [(136, 1), (136, 1)],
    [(61, 1), (61, 1)],
];

/// NetFlow v9 has times relative to the exporter's start.
const V9_TIMES: [(u16, u16); 2] = [(22, 4), (21, 4)];

fn fields(v6: bool, v9: bool) -> impl Iterator<Item = (u16, u16)> {
    FIELDS.iter().enumerate().map(move |(i, field)| match i {
        16 | 17 if v9 => V9_TIMES[i - 16],
        _ => field[usize::from(v6)],
    })
}

fn record_octets(v6: bool, v9: bool) -> usize {
    fields(v6, v9).map(|(_, octets)| usize::from(octets)).sum()
}

/// Octets of the template Sets and the options record.
const TEMPLATES: usize = (4 + 2 * (4 + 20 * 4)) + (4 + 10 + 4 * 4) + (4 + 12) + 8;

fn is_full(waiting: &[Flow], templates: bool, header: usize, v9: bool) -> bool {
    let v6s = waiting.iter().filter(|flow| flow.tuple.v6).count();
    let v4s = waiting.len() - v6s;
    let records = v4s * record_octets(false, v9) + v6s * record_octets(true, v9);
    // Two Set headers with padding, and room for the longer of the next record.
    let used = header + records + 16 + if templates { TEMPLATES } else { 0 };
    used + record_octets(true, v9) > DATAGRAM
}

pub(super) fn ipfix_is_full(waiting: &[Flow], templates: bool) -> bool {
    is_full(waiting, templates, 16, false)
}

pub(super) fn v9_is_full(waiting: &[Flow], templates: bool) -> bool {
    is_full(waiting, templates, 20, true)
}

pub(super) fn ipfix(exporter: &mut Exporter, out: &mut Vec<u8>, now_ms: u64, templates: bool) {
    let start = out.len();
    let seconds = (now_ms / 1_000) as u32;
    let sequence = exporter.sequence.to_be_bytes();
    put(out, &[&[0, 10, 0, 0], &seconds.to_be_bytes(), &sequence]);
    put(out, &[&(exporter.number as u32 + 1).to_be_bytes()]);
    if templates {
        let at = out.len();
        put(out, &[&[0, 2, 0, 0]]);
        put_templates(out, false);
        let length = out.len() - at;
        set_u16(out, at + 2, length);
        // Options template: scope selectorId (302), then samplingPacketInterval and Space.
        put(out, &[&[0, 3, 0, 22], &OPTIONS_TEMPLATE.to_be_bytes(), &[0, 3, 0, 1]]);
        put(out, &[&[1, 46, 0, 4, 1, 49, 0, 4, 1, 50, 0, 4]]);
        put(out, &[&OPTIONS_TEMPLATE.to_be_bytes(), &[0, 16, 0, 0, 0, 1, 0, 0, 0, 1]]);
        put(out, &[&(SAMPLING - 1).to_be_bytes()]);
        exporter.sequence = exporter.sequence.wrapping_add(1);
    }
    put_data(out, &exporter.waiting, |out, flow| {
        put(out, &[&flow.start_ms.to_be_bytes(), &flow.end_ms.to_be_bytes()]);
    });
    let length = out.len() - start;
    set_u16(out, start + 2, length);
    exporter.sequence = exporter.sequence.wrapping_add(exporter.waiting.len() as u32);
}

pub(super) fn v9(
    exporter: &mut Exporter,
    out: &mut Vec<u8>,
    now_ms: u64,
    boot_ms: u64,
    templates: bool,
) {
    let count = exporter.waiting.len() as u16 + if templates { 4 } else { 0 };
    let (uptime, seconds) = ((now_ms - boot_ms) as u32, (now_ms / 1_000) as u32);
    put(out, &[&[0, 9], &count.to_be_bytes(), &uptime.to_be_bytes(), &seconds.to_be_bytes()]);
    put(out, &[&exporter.sequence.to_be_bytes(), &(exporter.number as u32 + 1).to_be_bytes()]);
    if templates {
        let at = out.len();
        put(out, &[&[0, 0, 0, 0]]);
        put_templates(out, true);
        let length = out.len() - at;
        set_u16(out, at + 2, length);
        // Options template: scope System, then samplingInterval and samplingAlgorithm.
        put(out, &[&[0, 1, 0, 24], &OPTIONS_TEMPLATE.to_be_bytes(), &[0, 4, 0, 8]]);
        put(out, &[&[0, 1, 0, 4, 0, 34, 0, 4, 0, 35, 0, 1, 0, 0]]);
        put(out, &[&OPTIONS_TEMPLATE.to_be_bytes(), &[0, 16, 0, 0, 0, 1]]);
        put(out, &[&SAMPLING.to_be_bytes(), &[2, 0, 0, 0]]);
    }
    put_data(out, &exporter.waiting, |out, flow| {
        let relative = |ms: u64| ((ms - boot_ms) as u32).to_be_bytes();
        put(out, &[&relative(flow.start_ms), &relative(flow.end_ms)]);
    });
    exporter.sequence = exporter.sequence.wrapping_add(1);
}

fn put_templates(out: &mut Vec<u8>, v9: bool) {
    for (id, v6) in [(V4_TEMPLATE, false), (V6_TEMPLATE, true)] {
        put(out, &[&id.to_be_bytes(), &20u16.to_be_bytes()]);
        for (element, octets) in fields(v6, v9) {
            put(out, &[&element.to_be_bytes(), &octets.to_be_bytes()]);
        }
    }
}

/// Two data Sets, IPv4 and IPv6, padded to four octets.
fn put_data(out: &mut Vec<u8>, flows: &[Flow], times: impl Fn(&mut Vec<u8>, &Flow)) {
    for (id, v6) in [(V4_TEMPLATE, false), (V6_TEMPLATE, true)] {
        let at = out.len();
        put(out, &[&id.to_be_bytes(), &[0, 0]]);
        for flow in flows.iter().filter(|flow| flow.tuple.v6 == v6) {
            put_record(out, flow, &times);
        }
        if out.len() == at + 4 {
            out.truncate(at);
            continue;
        }
        while !(out.len() - at).is_multiple_of(4) {
            out.push(0);
        }
        let length = out.len() - at;
        set_u16(out, at + 2, length);
    }
}

fn put_record(out: &mut Vec<u8>, flow: &Flow, times: &impl Fn(&mut Vec<u8>, &Flow)) {
    let tuple = &flow.tuple;
    // The next hop is the destination's node.
    let hop = node(tuple.dst) * 110;
    if tuple.v6 {
        put(out, &[&v6(tuple.src), &v6(tuple.dst)]);
    } else {
        put(out, &[&v4(tuple.src), &v4(tuple.dst)]);
    }
    put(out, &[&tuple.src_port.to_be_bytes(), &tuple.dst_port.to_be_bytes()]);
    put(out, &[&[tuple.proto, flow.flags, flow.tos]]);
    put(out, &[&interface(tuple.src).to_be_bytes(), &interface(tuple.dst).to_be_bytes()]);
    put(out, &[&asn(tuple.src).to_be_bytes(), &asn(tuple.dst).to_be_bytes()]);
    if tuple.v6 {
        put(out, &[&v6(hop), &[64, 64]]);
    } else {
        put(out, &[&v4(hop), &[24, 24]]);
    }
    put(out, &[&flow.octets.to_be_bytes(), &flow.packets.to_be_bytes()]);
    times(out, flow);
    put(out, &[&[flow.end_reason, flow.direction()]]);
}

pub(super) fn v5(exporter: &mut Exporter, out: &mut Vec<u8>, now_ms: u64, boot_ms: u64) {
    let uptime = ((now_ms - boot_ms) as u32).to_be_bytes();
    let (seconds, nanos) = ((now_ms / 1_000) as u32, (now_ms % 1_000) as u32 * 1_000_000);
    put(out, &[&[0, 5], &(exporter.waiting.len() as u16).to_be_bytes(), &uptime]);
    put(out, &[&seconds.to_be_bytes(), &nanos.to_be_bytes(), &exporter.sequence.to_be_bytes()]);
    put(out, &[&[0, exporter.number as u8 + 1], &(SAMPLING as u16 | 1 << 14).to_be_bytes()]);
    for flow in &exporter.waiting {
        let tuple = &flow.tuple;
        let relative = |ms: u64| ((ms - boot_ms) as u32).to_be_bytes();
        put(out, &[&v4(tuple.src), &v4(tuple.dst), &v4(node(tuple.dst) * 110)]);
        put(out, &[&(interface(tuple.src) as u16).to_be_bytes()]);
        put(out, &[&(interface(tuple.dst) as u16).to_be_bytes()]);
        put(out, &[&(flow.packets as u32).to_be_bytes(), &(flow.octets as u32).to_be_bytes()]);
        put(out, &[&relative(flow.start_ms), &relative(flow.end_ms)]);
        put(out, &[&tuple.src_port.to_be_bytes(), &tuple.dst_port.to_be_bytes()]);
        put(out, &[&[0, flow.flags, tuple.proto, flow.tos]]);
        put(out, &[&(asn(tuple.src) as u16).to_be_bytes(), &(asn(tuple.dst) as u16).to_be_bytes()]);
        put(out, &[&[24, 24, 0, 0]]);
    }
    exporter.sequence = exporter.sequence.wrapping_add(exporter.waiting.len() as u32);
}
