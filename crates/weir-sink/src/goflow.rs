//! goflow v3: the text line of 3.4.2 with its irregular commas, the regular line, the JSON (all
//! values strings) and the protobuf (`flowprotob.FlowMessage`) of the last v3.

use std::fmt::Write as _;
use std::io::{self, Write};

use weir_model::{FlowBatch, Mac, Table};

use crate::flow_message::{Encap, FlowMessage, addr_octets, addr_text};
use crate::format::RecordWriter;
use crate::protobuf::Message;

/// Which of goflow v3's forms to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// The line that goflow 3.4.2 prints.
    Text342,
    /// The line of the last v3: other order, no commas.
    TextV3,
    /// One JSON object a line.
    Json,
    /// Messages, each behind its length as a varint (`-proto.fixedlen`).
    Protobuf,
}

/// Writes flow records as goflow v3 does.
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
            if self.style == Style::Protobuf {
                self.octets.clear();
                protobuf(&message).delimit(&mut self.octets);
                self.out.write_all(&self.octets)?;
                continue;
            }
            self.line.clear();
            match self.style {
                Style::Json => json(&message, &mut self.line),
                style => text(&message, style, &mut self.line),
            }
            self.line.push('\n');
            self.out.write_all(self.line.as_bytes())?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Names and values in the order of the last v3, up to `DstNet`; the rest is the same in both.
fn fields(m: &FlowMessage) -> Vec<(&'static str, String)> {
    let addr = |a| addr_text(a, "<nil>");
    let n = |v: u64| v.to_string();
    let label = |i: usize| m.mpls_label.get(i).copied().unwrap_or(0).to_string();
    let ttl = |i: usize| m.mpls_ttl.get(i).copied().unwrap_or(0).to_string();
    let last = m.mpls_label.len().saturating_sub(1);
    let encap = m.encap.clone().unwrap_or_default();
    vec![
        ("Type", m.kind_name().to_owned()),
        ("TimeReceived", (m.time_received_ns.div_euclid(1_000_000_000)).to_string()),
        ("SequenceNum", n(m.sequence_num)),
        ("SamplingRate", n(m.sampling_rate)),
        ("SamplerAddress", addr(m.sampler_address)),
        ("TimeFlowStart", m.time_flow_start_s.to_string()),
        ("TimeFlowEnd", m.time_flow_end_s.to_string()),
        ("Bytes", n(m.bytes)),
        ("Packets", n(m.packets)),
        ("SrcAddr", addr(m.src_addr)),
        ("DstAddr", addr(m.dst_addr)),
        ("Etype", n(m.etype)),
        ("Proto", n(m.proto)),
        ("SrcPort", n(m.src_port)),
        ("DstPort", n(m.dst_port)),
        ("InIf", n(m.in_if)),
        ("OutIf", n(m.out_if)),
        ("SrcMac", Mac(m.src_mac).to_string()),
        ("DstMac", Mac(m.dst_mac).to_string()),
        ("SrcVlan", n(m.src_vlan)),
        ("DstVlan", n(m.dst_vlan)),
        ("VlanId", n(m.vlan_id)),
        ("IngressVrfID", n(m.ingress_vrf_id)),
        ("EgressVrfID", n(m.egress_vrf_id)),
        ("IPTos", n(m.ip_tos)),
        ("ForwardingStatus", n(m.forwarding_status)),
        ("IPTTL", n(m.ip_ttl)),
        ("TCPFlags", n(m.tcp_flags)),
        ("IcmpType", n(m.icmp_type)),
        ("IcmpCode", n(m.icmp_code)),
        ("IPv6FlowLabel", n(m.ipv6_flow_label)),
        ("FragmentId", n(m.fragment_id)),
        ("FragmentOffset", n(m.fragment_offset)),
        ("BiFlowDirection", n(m.biflow_direction)),
        ("SrcAS", n(m.src_as)),
        ("DstAS", n(m.dst_as)),
        ("NextHop", addr(m.next_hop)),
        ("NextHopAS", n(m.next_hop_as)),
        ("SrcNet", n(m.src_net)),
        ("DstNet", n(m.dst_net)),
        ("HasEncap", m.encap.is_some().to_string()),
        ("SrcAddrEncap", addr(encap.src_addr)),
        ("DstAddrEncap", addr(encap.dst_addr)),
        ("ProtoEncap", n(encap.proto)),
        ("EtypeEncap", n(encap.etype)),
        ("IPTosEncap", n(encap.tos)),
        ("IPTTLEncap", n(encap.ttl)),
        ("IPv6FlowLabelEncap", n(encap.flow_label)),
        ("FragmentIdEncap", n(encap.fragment_id)),
        ("FragmentOffsetEncap", n(encap.fragment_offset)),
        ("HasMPLS", (!m.mpls_label.is_empty()).to_string()),
        ("MPLSCount", m.mpls_label.len().to_string()),
        ("MPLS1TTL", ttl(0)),
        ("MPLS1Label", label(0)),
        ("MPLS2TTL", ttl(1)),
        ("MPLS2Label", label(1)),
        ("MPLS3TTL", ttl(2)),
        ("MPLS3Label", label(2)),
        ("MPLSLastTTL", ttl(last)),
        ("MPLSLastLabel", label(last)),
        ("HasPPP", "false".to_owned()),
        ("PPPAddressControl", "0".to_owned()),
    ]
}

/// Separators of 3.4.2 after these fields; one blank after every other.
fn separator_342(name: &str) -> (&'static str, &'static str) {
    match name {
        "MPLS2TTL" => (":", ", "),
        "MPLS2Label" => (": ", ", "),
        _ => (":", " "),
    }
}

fn text(m: &FlowMessage, style: Style, line: &mut String) {
    let fields = fields(m);
    let last = fields.len() - 1;
    for (i, (name, value)) in fields.iter().enumerate() {
        let (colon, gap) = if style == Style::Text342 { separator_342(name) } else { (":", " ") };
        // Writing to a string has no error to report.
        let _infallible = write!(line, "{name}{colon}{value}{}", if i == last { "" } else { gap });
    }
}

fn json(m: &FlowMessage, line: &mut String) {
    line.push('{');
    for (i, (name, value)) in fields(m).iter().enumerate() {
        // Names and values are digits, hex and letters of our own making: nothing to escape.
        let comma = if i == 0 { "" } else { "," };
        let _infallible = write!(line, "{comma}\"{name}\":\"{value}\"");
    }
    line.push('}');
}

fn protobuf(m: &FlowMessage) -> Message {
    let mut p = Message::default();
    let seconds = |ns: i64| u64::try_from(ns.div_euclid(1_000_000_000)).unwrap_or(0);
    p.uint(1, m.kind);
    p.uint(2, seconds(m.time_received_ns));
    p.uint(3, m.sampling_rate);
    p.uint(4, m.sequence_num);
    p.uint(5, u64::try_from(m.time_flow_end_s).unwrap_or(0));
    p.octets(6, &addr_octets(m.src_addr));
    p.octets(7, &addr_octets(m.dst_addr));
    p.uint(9, m.bytes);
    p.uint(10, m.packets);
    p.octets(11, &addr_octets(m.sampler_address));
    p.octets(12, &addr_octets(m.next_hop));
    let middle = [
        (13, m.next_hop_as),
        (14, m.src_as),
        (15, m.dst_as),
        (16, m.src_net),
        (17, m.dst_net),
        (18, m.in_if),
        (19, m.out_if),
        (20, m.proto),
        (21, m.src_port),
        (22, m.dst_port),
        (23, m.ip_tos),
        (24, m.forwarding_status),
        (25, m.ip_ttl),
        (26, m.tcp_flags),
        (27, m.src_mac),
        (28, m.dst_mac),
        (29, m.vlan_id),
        (30, m.etype),
        (31, m.icmp_type),
        (32, m.icmp_code),
        (33, m.src_vlan),
        (34, m.dst_vlan),
        (35, m.fragment_id),
        (36, m.fragment_offset),
        (37, m.ipv6_flow_label),
        (38, u64::try_from(m.time_flow_start_s).unwrap_or(0)),
        (39, m.ingress_vrf_id),
        (40, m.egress_vrf_id),
        (41, m.biflow_direction),
        (42, m.flow_direction),
    ];
    middle.into_iter().for_each(|(number, value)| p.uint(number, value));
    if let Some(encap) = &m.encap {
        encap_fields(encap, &mut p);
    }
    mpls_fields(m, &mut p);
    p
}

fn encap_fields(encap: &Encap, p: &mut Message) {
    p.uint(43, 1);
    p.octets(44, &addr_octets(encap.src_addr));
    p.octets(45, &addr_octets(encap.dst_addr));
    let rest = [
        (46, encap.proto),
        (47, encap.etype),
        (48, encap.tos),
        (49, encap.ttl),
        (50, encap.flow_label),
        (51, encap.fragment_id),
        (52, encap.fragment_offset),
    ];
    rest.into_iter().for_each(|(number, value)| p.uint(number, value));
}

fn mpls_fields(m: &FlowMessage, p: &mut Message) {
    if m.mpls_label.is_empty() {
        return;
    }
    p.uint(53, 1);
    p.uint(54, m.mpls_label.len() as u64);
    let last = m.mpls_label.len() - 1;
    for (number, i) in [(55, 0), (57, 1), (59, 2), (61, last)] {
        p.uint(number, m.mpls_ttl.get(i).copied().unwrap_or(0).into());
        p.uint(number + 1, m.mpls_label.get(i).copied().unwrap_or(0).into());
    }
}

#[cfg(test)]
mod tests;
