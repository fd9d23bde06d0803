//! The flow message of goflow and goflow2: one struct for what both families of formats show.
//!
//! Deviations from what Weir stores, because existing readers expect goflow's ways: an absent
//! number is 0; of a sampled packet in a tunnel the *outer* addresses are `src_addr`/`dst_addr` and
//! the inner ones `encap`; times are rounded down per header as goflow rounds them.

use weir_model::batch::FlowBatch;
use weir_model::column::ColumnId;
use weir_model::columns::flows;
use weir_model::json::u32_list;
use weir_model::{Addr, Scalar, Timestamp};

/// Value of `tunnel_kind` for GRE: the one encapsulation that goflow v3 looks into.
const GRE: u64 = 2;
const SFLOW5: u64 = 105;

/// Inner addresses of an encapsulated packet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the published message")]
pub struct Encap {
    pub src_addr: Option<Addr>,
    pub dst_addr: Option<Addr>,
    pub proto: u64,
    pub etype: u64,
    pub tos: u64,
    pub ttl: u64,
    pub flow_label: u64,
    pub fragment_id: u64,
    pub fragment_offset: u64,
}

/// One flow as goflow's message shows it. Names are goflow2's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the published message")]
pub struct FlowMessage {
    pub kind: u64,
    pub time_received_ns: i64,
    pub sequence_num: u64,
    pub sampling_rate: u64,
    pub sampler_address: Option<Addr>,
    pub time_flow_start_ns: i64,
    pub time_flow_end_ns: i64,
    /// Seconds as goflow v3 computes them from the message header.
    pub time_flow_start_s: i64,
    pub time_flow_end_s: i64,
    pub bytes: u64,
    pub packets: u64,
    pub src_addr: Option<Addr>,
    pub dst_addr: Option<Addr>,
    pub etype: u64,
    pub proto: u64,
    pub src_port: u64,
    pub dst_port: u64,
    pub in_if: u64,
    pub out_if: u64,
    pub src_mac: u64,
    pub dst_mac: u64,
    pub src_vlan: u64,
    pub dst_vlan: u64,
    pub vlan_id: u64,
    pub ingress_vrf_id: u64,
    pub egress_vrf_id: u64,
    pub ip_tos: u64,
    pub forwarding_status: u64,
    pub ip_ttl: u64,
    pub ip_flags: u64,
    pub tcp_flags: u64,
    pub icmp_type: u64,
    pub icmp_code: u64,
    pub ipv6_flow_label: u64,
    pub fragment_id: u64,
    pub fragment_offset: u64,
    pub biflow_direction: u64,
    pub flow_direction: u64,
    pub src_as: u64,
    pub dst_as: u64,
    pub next_hop: Option<Addr>,
    pub next_hop_as: u64,
    pub src_net: u64,
    pub dst_net: u64,
    pub bgp_next_hop: Option<Addr>,
    pub bgp_communities: Vec<u32>,
    pub as_path: Vec<u32>,
    pub mpls_ttl: Vec<u32>,
    pub mpls_label: Vec<u32>,
    pub mpls_ip: Option<Addr>,
    pub observation_domain_id: u64,
    pub observation_point_id: u64,
    pub encap: Option<Encap>,
}

impl FlowMessage {
    /// Row `row` of a batch of flow records.
    pub fn from_row(batch: &FlowBatch, row: usize) -> FlowMessage {
        let reader = Row { batch, row };
        let mut message = FlowMessage::default();
        reader.header(&mut message);
        reader.times(&mut message);
        reader.packet(&mut message);
        reader.link(&mut message);
        reader.route(&mut message);
        if reader.number(flows::EXPORT_PROTOCOL) == SFLOW5 {
            reader.unwrap_tunnel(&mut message);
        }
        message
    }

    /// Name of the protocol in goflow's enumeration.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            1 => "SFLOW_5",
            2 => "NETFLOW_V5",
            3 => "NETFLOW_V9",
            4 => "IPFIX",
            _ => "FLOWUNKNOWN",
        }
    }
}

struct Row<'a> {
    batch: &'a FlowBatch,
    row: usize,
}

impl Row<'_> {
    fn number(&self, id: ColumnId) -> u64 {
        self.batch.get_u64(id, self.row).unwrap_or(0)
    }

    fn either(&self, first: ColumnId, second: ColumnId) -> u64 {
        self.batch.get_u64(first, self.row).unwrap_or_else(|| self.number(second))
    }

    fn addr(&self, id: ColumnId) -> Option<Addr> {
        match self.batch.get(id, self.row)? {
            Scalar::Addr(addr) => Some(addr),
            _ => None,
        }
    }

    fn time(&self, id: ColumnId) -> Option<i64> {
        match self.batch.get(id, self.row)? {
            Scalar::I64(time) => Some(time),
            _ => None,
        }
    }

    fn list(&self, id: ColumnId) -> Vec<u32> {
        self.batch.get_octets(id, self.row).map(|o| u32_list(o).collect()).unwrap_or_default()
    }

    fn header(&self, m: &mut FlowMessage) {
        m.kind = match self.number(flows::EXPORT_PROTOCOL) {
            SFLOW5 => 1,
            5 => 2,
            9 => 3,
            10 => 4,
            _ => 0,
        };
        m.sequence_num = self.number(flows::SEQUENCE);
        m.sampling_rate = self.number(flows::SAMPLING_RATE);
        m.sampler_address = self.addr(flows::EXPORTER_ADDR);
        m.observation_domain_id = self.number(flows::OBSERVATION_DOMAIN);
        m.observation_point_id = self.number(flows::OBSERVATION_POINT);
    }

    fn times(&self, m: &mut FlowMessage) {
        let received = self.time(flows::RECEIVED_AT).unwrap_or(0);
        m.time_received_ns = received;
        let sampled = m.kind == 1;
        let of = |id| if sampled { Some(received) } else { self.time(id) };
        let (start, end) = (of(flows::FLOW_START), of(flows::FLOW_END));
        m.time_flow_start_ns = start.unwrap_or(0);
        m.time_flow_end_ns = end.unwrap_or(0);
        // goflow subtracts whole seconds of uptime from the whole seconds of the header; rounding
        // the result of the exact subtraction would differ by one.
        let header = self.time(flows::EXPORT_TIME).filter(|_| matches!(m.kind, 2 | 3));
        let seconds = |time: Option<i64>| match (time, header) {
            (None, _) => 0,
            (Some(time), Some(sent)) if sent >= time => {
                Timestamp(sent).seconds() - Timestamp(sent - time).seconds()
            }
            (Some(time), _) => Timestamp(time).seconds(),
        };
        m.time_flow_start_s = seconds(start);
        m.time_flow_end_s = seconds(end);
    }

    fn packet(&self, m: &mut FlowMessage) {
        m.bytes = self.either(flows::OCTETS, flows::POST_OCTETS);
        m.packets = self.either(flows::PACKETS, flows::POST_PACKETS);
        m.src_addr = self.addr(flows::SRC_ADDR);
        m.dst_addr = self.addr(flows::DST_ADDR);
        m.etype = self.batch.get_u64(flows::ETHER_TYPE, self.row).unwrap_or_else(|| {
            match m.src_addr.or(m.dst_addr).map(|addr| addr.as_v4().is_some()) {
                Some(true) => 0x0800,
                Some(false) => 0x86dd,
                None => 0,
            }
        });
        m.proto = self.number(flows::PROTO);
        m.src_port = self.number(flows::SRC_PORT);
        m.dst_port = self.number(flows::DST_PORT);
        m.ip_tos = self.number(flows::TOS);
        m.ip_ttl = self.number(flows::TTL);
        m.ip_flags = self.number(flows::FRAGMENT_FLAGS);
        m.tcp_flags = self.number(flows::TCP_FLAGS);
        // NetFlow v5 hides ICMP's type and code in the destination port, and goflow leaves them there.
        if m.kind != 2 {
            m.icmp_type = self.number(flows::ICMP_TYPE);
            m.icmp_code = self.number(flows::ICMP_CODE);
        }
        m.ipv6_flow_label = self.number(flows::FLOW_LABEL);
        m.fragment_id = self.number(flows::FRAGMENT_ID);
        m.fragment_offset = self.number(flows::FRAGMENT_OFFSET);
        m.biflow_direction = self.number(flows::BIFLOW_DIRECTION);
        m.flow_direction = self.number(flows::DIRECTION);
        m.forwarding_status = self.number(flows::FORWARDING_STATUS);
    }

    fn link(&self, m: &mut FlowMessage) {
        m.in_if = self.number(flows::IN_IF);
        m.out_if = self.number(flows::OUT_IF);
        m.src_mac = self.either(flows::SRC_MAC, flows::POST_SRC_MAC);
        m.dst_mac = self.either(flows::DST_MAC, flows::POST_DST_MAC);
        m.src_vlan = self.number(flows::SRC_VLAN);
        m.dst_vlan = self.number(flows::DST_VLAN);
        m.vlan_id = self.either(flows::VLAN, flows::SRC_VLAN);
        m.ingress_vrf_id = self.number(flows::INGRESS_VRF);
        m.egress_vrf_id = self.number(flows::EGRESS_VRF);
        m.mpls_label = self.list(flows::MPLS_LABELS);
        m.mpls_ttl = self.list(flows::MPLS_TTLS);
        m.mpls_ip = self.addr(flows::MPLS_TOP_ADDR);
    }

    fn route(&self, m: &mut FlowMessage) {
        m.src_as = self.number(flows::SRC_AS);
        m.dst_as = self.number(flows::DST_AS);
        m.next_hop = self.addr(flows::NEXT_HOP).or_else(|| self.addr(flows::BGP_NEXT_HOP));
        m.bgp_next_hop = self.addr(flows::BGP_NEXT_HOP);
        m.next_hop_as = self.number(flows::NEXT_AS);
        m.src_net = self.number(flows::SRC_MASK);
        m.dst_net = self.number(flows::DST_MASK);
        m.bgp_communities = self.list(flows::COMMUNITIES);
        m.as_path = self.list(flows::AS_PATH);
    }

    fn unwrap_tunnel(&self, m: &mut FlowMessage) {
        let Some(outer_src) = self.addr(flows::TUNNEL_SRC_ADDR) else { return };
        let inner = Encap {
            src_addr: m.src_addr,
            dst_addr: m.dst_addr,
            proto: m.proto,
            etype: m.etype,
            tos: m.ip_tos,
            ttl: m.ip_ttl,
            flow_label: m.ipv6_flow_label,
            fragment_id: m.fragment_id,
            fragment_offset: m.fragment_offset,
        };
        m.src_addr = Some(outer_src);
        m.dst_addr = self.addr(flows::TUNNEL_DST_ADDR);
        m.etype = if outer_src.as_v4().is_some() { 0x0800 } else { 0x86dd };
        m.proto = self.number(flows::TUNNEL_PROTO);
        m.ip_tos = self.number(flows::TUNNEL_TOS);
        m.ip_ttl = self.number(flows::TUNNEL_TTL);
        (m.ipv6_flow_label, m.fragment_id, m.fragment_offset) = (0, 0, 0);
        if self.number(flows::TUNNEL_KIND) == GRE {
            m.encap = Some(inner);
        } else {
            m.src_port = self.number(flows::TUNNEL_SRC_PORT);
            m.dst_port = self.number(flows::TUNNEL_DST_PORT);
        }
    }
}

/// An address as goflow's protobuf carries it: 4 or 16 octets, none when absent.
pub(crate) fn addr_octets(addr: Option<Addr>) -> Vec<u8> {
    match addr {
        None => Vec::new(),
        Some(addr) => match addr.as_v4() {
            Some(v4) => v4.to_be_bytes().to_vec(),
            None => addr.octets().to_vec(),
        },
    }
}

/// An address as Go prints it, `absent` when there is none.
pub(crate) fn addr_text(addr: Option<Addr>, absent: &str) -> String {
    addr.map_or_else(|| absent.to_owned(), |addr| addr.to_string())
}
