//! goflow2 v2 (`flowpb.FlowMessage`): protobuf behind its length, and JSON with bare numbers.

use std::fmt::Write as _;
use std::io::{self, Write};

use weir_model::named::PROTO;
use weir_model::{Addr, FlowBatch, Mac, Table};

use crate::flow_message::{FlowMessage, addr_octets, addr_text};
use crate::format::RecordWriter;
use crate::protobuf::Message;

/// Which of goflow2's forms to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One JSON object a line.
    Json,
    /// Messages, each behind its length as a varint (`-format=bin`).
    Protobuf,
}

/// Writes flow records as goflow2 does.
pub struct Writer<W> {
    out: W,
    style: Style,
    line: String,
    octets: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// A writer to `out` in `style`.
    pub fn new(out: W, style: Style) -> Writer<W> {
        Writer { out, style, line: String::new(), octets: Vec::new() }
    }
}

impl<W: Write + Send> RecordWriter for Writer<W> {
    fn write(&mut self, batch: &FlowBatch) -> io::Result<()> {
        if batch.table() != Table::Flows {
            return Ok(());
        }
        for row in 0..batch.rows() {
            let message = FlowMessage::from_row(batch, row);
            match self.style {
                Style::Json => {
                    self.line.clear();
                    json(&message, &mut self.line);
                    self.out.write_all(self.line.as_bytes())?;
                }
                Style::Protobuf => {
                    self.octets.clear();
                    protobuf(&message).delimit(&mut self.octets);
                    self.out.write_all(&self.octets)?;
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A value of the message before it becomes protobuf or JSON.
enum Value {
    Number(u64),
    Octets(Option<Addr>),
    Addresses(Vec<Addr>),
    List(Vec<u32>),
    Mac(u64),
    EtherType(u64),
    Proto(u64),
    Network(Option<Addr>, u64),
    Kind,
}

/// Every field in the order of its number.
fn fields(m: &FlowMessage) -> Vec<(u32, &'static str, Value)> {
    use Value::{Addresses, EtherType, List, Network, Number, Octets, Proto};
    let ns = |time: i64| Number(u64::try_from(time).unwrap_or(0));
    vec![
        (1, "type", Value::Kind),
        (3, "sampling_rate", Number(m.sampling_rate)),
        (4, "sequence_num", Number(m.sequence_num)),
        (6, "src_addr", Octets(m.src_addr)),
        (7, "dst_addr", Octets(m.dst_addr)),
        (9, "bytes", Number(m.bytes)),
        (10, "packets", Number(m.packets)),
        (11, "sampler_address", Octets(m.sampler_address)),
        (12, "next_hop", Octets(m.next_hop)),
        (13, "next_hop_as", Number(m.next_hop_as)),
        (14, "src_as", Number(m.src_as)),
        (15, "dst_as", Number(m.dst_as)),
        (16, "src_net", Network(m.src_addr, m.src_net)),
        (17, "dst_net", Network(m.dst_addr, m.dst_net)),
        (18, "in_if", Number(m.in_if)),
        (19, "out_if", Number(m.out_if)),
        (20, "proto", Proto(m.proto)),
        (21, "src_port", Number(m.src_port)),
        (22, "dst_port", Number(m.dst_port)),
        (23, "ip_tos", Number(m.ip_tos)),
        (24, "forwarding_status", Number(m.forwarding_status)),
        (25, "ip_ttl", Number(m.ip_ttl)),
        (26, "tcp_flags", Number(m.tcp_flags)),
        (27, "src_mac", Value::Mac(m.src_mac)),
        (28, "dst_mac", Value::Mac(m.dst_mac)),
        (29, "vlan_id", Number(m.vlan_id)),
        (30, "etype", EtherType(m.etype)),
        (31, "icmp_type", Number(m.icmp_type)),
        (32, "icmp_code", Number(m.icmp_code)),
        (33, "src_vlan", Number(m.src_vlan)),
        (34, "dst_vlan", Number(m.dst_vlan)),
        (35, "fragment_id", Number(m.fragment_id)),
        (36, "fragment_offset", Number(m.fragment_offset)),
        (37, "ipv6_flow_label", Number(m.ipv6_flow_label)),
        (38, "ip_flags", Number(m.ip_flags)),
        (70, "observation_domain_id", Number(m.observation_domain_id)),
        (71, "observation_point_id", Number(m.observation_point_id)),
        (80, "mpls_ttl", List(m.mpls_ttl.clone())),
        (81, "mpls_label", List(m.mpls_label.clone())),
        (82, "mpls_ip", Addresses(m.mpls_ip.into_iter().collect())),
        (100, "bgp_next_hop", Octets(m.bgp_next_hop)),
        (101, "bgp_communities", List(m.bgp_communities.clone())),
        (102, "as_path", List(m.as_path.clone())),
        // How the packet was layered is not kept: what readers find is a packet that tells nothing.
        (103, "layer_stack", List(Vec::new())),
        (104, "layer_size", List(Vec::new())),
        (105, "ipv6_routing_header_addresses", Addresses(Vec::new())),
        (106, "ipv6_routing_header_seg_left", Number(0)),
        (110, "time_received_ns", ns(m.time_received_ns)),
        (111, "time_flow_start_ns", ns(m.time_flow_start_ns)),
        (112, "time_flow_end_ns", ns(m.time_flow_end_ns)),
    ]
}

fn protobuf(m: &FlowMessage) -> Message {
    let mut p = Message::default();
    for (number, _, value) in fields(m) {
        match value {
            Value::Kind => p.uint(number, m.kind),
            Value::Number(v) | Value::Mac(v) | Value::EtherType(v) | Value::Proto(v) => {
                p.uint(number, v);
            }
            Value::Network(_, v) => p.uint(number, v),
            Value::Octets(addr) => p.octets(number, &addr_octets(addr)),
            Value::Addresses(addrs) => {
                addrs.iter().for_each(|addr| p.octets(number, &addr_octets(Some(*addr))));
            }
            Value::List(list) => p.packed(number, &list),
        }
    }
    p
}

fn json(m: &FlowMessage, line: &mut String) {
    line.push('{');
    for (i, (_, name, value)) in fields(m).into_iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        // Writing to a string has no error to report.
        let _infallible = match value {
            Value::Kind => write!(line, "{comma}\"{name}\":\"{}\"", m.kind_name()),
            Value::Number(v) => write!(line, "{comma}\"{name}\":{v}"),
            Value::Octets(addr) => write!(line, "{comma}\"{name}\":\"{}\"", addr_text(addr, "")),
            Value::Mac(v) => write!(line, "{comma}\"{name}\":\"{}\"", Mac(v)),
            Value::EtherType(v) => write!(line, "{comma}\"{name}\":\"{}\"", ether_type(v)),
            Value::Proto(v) => write!(line, "{comma}\"{name}\":\"{}\"", protocol(v)),
            Value::Network(addr, v) => {
                write!(line, "{comma}\"{name}\":\"{}\"", network(addr, v))
            }
            Value::Addresses(addrs) => {
                let quoted: Vec<String> = addrs.iter().map(|addr| format!("\"{addr}\"")).collect();
                write!(line, "{comma}\"{name}\":[{}]", quoted.join(","))
            }
            Value::List(list) => write!(line, "{comma}\"{name}\":{}", list_text(&list)),
        };
    }
    line.push_str("}\n");
}

fn ether_type(value: u64) -> &'static str {
    match value {
        0x0800 => "IPv4",
        0x0806 => "ARP",
        0x86dd => "IPv6",
        _ => "",
    }
}

/// IANA's keyword with its own letter case where goflow2's readers match on it.
fn protocol(value: u64) -> String {
    match value {
        58 => "IPv6-ICMP".to_owned(),
        43 => "IPv6-Route".to_owned(),
        44 => "IPv6-Frag".to_owned(),
        59 => "IPv6-NoNxt".to_owned(),
        60 => "IPv6-Opts".to_owned(),
        4 => "IPv4".to_owned(),
        41 => "IPv6".to_owned(),
        _ => PROTO.text(value).to_uppercase(),
    }
}

/// The route's prefix as text; the mask's own family when there is no address.
fn network(addr: Option<Addr>, length: u64) -> String {
    let length = u8::try_from(length).unwrap_or(u8::MAX);
    format!("{}/{length}", addr.unwrap_or(Addr::v4(0)).prefix(length, length))
}

fn list_text(list: &[u32]) -> String {
    let items: Vec<String> = list.iter().map(u32::to_string).collect();
    format!("[{}]", items.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::columns::flows;

    fn batch() -> FlowBatch {
        let mut batch = FlowBatch::new(Table::Flows);
        batch.append_rows(1);
        batch.set(flows::EXPORT_PROTOCOL, 0, 10u8);
        batch.set(flows::SRC_ADDR, 0, "10.1.2.3".parse::<Addr>().unwrap());
        batch.set(flows::SRC_MASK, 0, 8u8);
        batch.set(flows::PROTO, 0, 6u8);
        batch.set(flows::OCTETS, 0, 1u64 << 40);
        batch.set(flows::FLOW_START, 0, 1_700_000_000_000_000_001i64);
        batch.set_octets(flows::AS_PATH, 0, &[0, 0, 0, 7, 0, 0, 0, 9]);
        batch.set(flows::MPLS_TOP_ADDR, 0, "10.9.9.9".parse::<Addr>().unwrap());
        batch
    }

    fn write(style: Style) -> Vec<u8> {
        let mut out = Vec::new();
        Writer::new(&mut out, style).write(&batch()).unwrap();
        out
    }

    #[test]
    fn json_has_bare_numbers_and_named_protocols() {
        let value: serde_json::Value = serde_json::from_slice(&write(Style::Json)).unwrap();
        assert_eq!(value["type"], "IPFIX");
        assert_eq!(value["src_addr"], "10.1.2.3");
        assert_eq!(value["dst_addr"], "");
        assert_eq!(value["src_net"], "10.0.0.0/8");
        assert_eq!(value["dst_net"], "0.0.0.0/0");
        assert_eq!(value["etype"], "IPv4");
        assert_eq!(value["proto"], "TCP");
        assert_eq!(value["bytes"], 1u64 << 40);
        assert_eq!(value["time_flow_start_ns"], 1_700_000_000_000_000_001u64);
        assert_eq!(value["as_path"], serde_json::json!([7, 9]));
        assert_eq!(value["mpls_ip"], serde_json::json!(["10.9.9.9"]));
        assert_eq!(value["layer_stack"], serde_json::json!([]));
    }

    #[test]
    fn protobuf_leaves_out_zero_and_packs_lists() {
        let out = write(Style::Protobuf);
        assert_eq!(usize::from(out[0]), out.len() - 1);
        let has = |part: &[u8]| out.windows(part.len()).any(|w| w == part);
        assert!(has(&[0x08, 4, 6 << 3 | 2, 4, 10, 1, 2, 3]), "type, then src_addr");
        assert!(has(&[0xb2, 0x06, 2, 7, 9]), "as_path is field 102, packed");
        assert!(has(&[0x92, 0x05, 4, 10, 9, 9, 9]), "mpls_ip is field 82");
        assert!(!has(&[0xa8, 1]), "no src_port");
    }
}
