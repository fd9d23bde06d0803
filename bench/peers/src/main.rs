//! NetGauze `flow-pkt` and `netflow_parser` on the datagrams of `weir-bench corpus`: one thread, in
//! memory, CPU time, the median of five passes over the file with templates known.
//!
//! `weir-bench-peers FILE`; prints `name records seconds`.

mod sys;

use bytes::BytesMut;
use netflow_parser::{NetflowPacket, NetflowParser};
use netgauze_flow_pkt::codec::FlowInfoCodec;
use netgauze_flow_pkt::{FlowInfo, ipfix, netflow};
use tokio_util::codec::Decoder;

use sys::cpu_seconds;

const PASSES: usize = 5;

fn median(name: &str, mut pass: impl FnMut() -> usize) {
    let mut seconds = Vec::new();
    let mut records = pass();
    for _ in 0..PASSES {
        let before = cpu_seconds();
        records = pass();
        seconds.push(cpu_seconds() - before);
    }
    seconds.sort_by(f64::total_cmp);
    println!("{name} {records} {:.4}", seconds[PASSES / 2]);
}

fn netgauze(message: &FlowInfo) -> usize {
    match message {
        FlowInfo::IPFIX(packet) => packet
            .sets()
            .iter()
            .map(|set| if let ipfix::Set::Data { records, .. } = set { records.len() } else { 0 })
            .sum(),
        FlowInfo::NetFlowV9(packet) => packet
            .sets()
            .iter()
            .map(|set| if let netflow::Set::Data { records, .. } = set { records.len() } else { 0 })
            .sum(),
    }
}

fn parser(packet: &NetflowPacket) -> usize {
    use netflow_parser::variable_versions::{ipfix, v9};
    match packet {
        NetflowPacket::V5(packet) => packet.flowsets.len(),
        NetflowPacket::V9(packet) => packet
            .flowsets
            .iter()
            .map(|set| match &set.body {
                v9::FlowSetBody::Data(data) => data.fields.len(),
                _ => 0,
            })
            .sum(),
        NetflowPacket::IPFix(packet) => packet
            .flowsets
            .iter()
            .map(|set| match &set.body {
                ipfix::FlowSetBody::Data(data) => data.fields.len(),
                _ => 0,
            })
            .sum(),
        _ => 0,
    }
}

fn main() {
    let path = std::env::args().nth(1).expect("usage: weir-bench-peers FILE");
    let octets = std::fs::read(path).expect("the file can be read");
    let mut datagrams = Vec::new();
    let mut rest = &octets[..];
    while let Some((length, tail)) = rest.split_first_chunk() {
        let (datagram, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
        datagrams.push(datagram);
        rest = tail;
    }
    // NetGauze keeps templates by id alone, so that exporters with the same templates can share.
    let mut codec = FlowInfoCodec::new();
    let mut buffer = BytesMut::with_capacity(1 << 16);
    median("netgauze", || {
        let mut records = 0;
        for datagram in &datagrams {
            buffer.clear();
            buffer.extend_from_slice(datagram);
            if let Ok(Some(message)) = codec.decode(&mut buffer) {
                records += netgauze(&message);
            }
        }
        records
    });
    let mut netflow = NetflowParser::default();
    median("netflow_parser", || {
        let parse = |datagram: &&[u8]| -> usize {
            netflow.parse_bytes(datagram).packets.iter().map(parser).sum()
        };
        datagrams.iter().map(parse).sum()
    });
}
