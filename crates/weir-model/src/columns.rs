//! The column table: the only list of what a record has.
//!
//! A row: number, constant, name, type, unit, group, role, elements that feed the column (the one
//! that carries it out first), description, then what is out of the ordinary (`null_if`, `named`,
//! `stored`). Numbers are the index in a batch and the id on disk: append only, never reuse.

use crate::column::{ColumnDef, ColumnId, ColumnType, ElementKey, Group, NullIf, Role};
use crate::named;
use crate::units::Unit;

/// Enterprise number of reverse elements (RFC 5103).
pub const PEN_REVERSE: u32 = 29_305;
/// Enterprise number of Antrea.
pub const PEN_ANTREA: u32 = 56_506;
/// Enterprise number of VMware, under which Open vSwitch exports.
pub const PEN_VMWARE: u32 = 6_876;
/// Enterprise number of ntop.
pub const PEN_NTOP: u32 = 35_632;

const fn ie(id: u16) -> ElementKey {
    ElementKey { pen: 0, id }
}
const fn rev(id: u16) -> ElementKey {
    ElementKey { pen: PEN_REVERSE, id }
}
const fn antrea(id: u16) -> ElementKey {
    ElementKey { pen: PEN_ANTREA, id }
}
const fn ovs(id: u16) -> ElementKey {
    ElementKey { pen: PEN_VMWARE, id }
}
const fn ntop(id: u16) -> ElementKey {
    ElementKey { pen: PEN_NTOP, id }
}

macro_rules! columns {
    ($($id:literal $konst:ident $name:literal $ty:ident $unit:ident $group:ident $role:ident
       [$($from:expr),*] $doc:literal $(, $key:ident: $value:expr)*;)*) => {
        $(#[doc = $doc] pub const $konst: ColumnId = ColumnId($id);)*
        /// Every column of the table; the index is the number.
        pub const DEFS: &[ColumnDef] = &[$(ColumnDef {
            id: $konst,
            name: $name,
            ty: ColumnType::$ty,
            unit: Unit::$unit,
            group: Group::$group,
            role: Role::$role,
            from: &[$($from),*],
            doc: $doc,
            $($key: $value,)*
            ..ColumnDef::BASE
        }),*];
    };
}

/// Flow records and packet samples.
pub mod flows {
    use super::*;
    columns! {
        0 RECEIVED_AT "received_at" Time None Time Time [] "When Weir received the record, by its own clock";
        1 EXPORT_TIME "export_time" Time None Time Time [] "When the exporter sent the message, from its header";
        2 FLOW_START "flow_start" Time None Time Time [ie(152), ie(150), ie(154), ie(156), ie(22), ie(158)] "When the first packet of the flow was seen";
        3 FLOW_END "flow_end" Time None Time Time [ie(153), ie(151), ie(155), ie(157), ie(21), ie(159)] "When the last packet of the flow was seen";
        4 EVENT_TIME "event_time" Time None Time Time [ie(323), ie(322), ie(324), ie(325)] "When the reported event happened (NAT, firewall, sampled packet)";
        5 EXPORTER_ADDR "exporter_addr" Addr None Exporter Dimension [] "Address of the exporter: source of the datagram; the agent address in sFlow";
        6 EXPORTER_PORT "exporter_port" U16 None Exporter Dimension [] "Source port of the transport session", stored: false;
        7 EXPORT_PROTOCOL "export_protocol" U8 None Exporter Dimension [] "Protocol that carried the record", named: Some(&named::EXPORT_PROTOCOL);
        8 OBSERVATION_DOMAIN "observation_domain" U32 None Exporter Dimension [ie(149)] "Observation domain (v9 source id, v5 engine type and id, sFlow sub-agent)";
        9 OBSERVATION_POINT "observation_point" U64 None Exporter Dimension [ie(138)] "Observation point within the domain";
        10 SEQUENCE "sequence" U32 None Exporter Dimension [] "Sequence number of the message", stored: false;
        11 TEMPLATE_ID "template_id" U16 None Exporter Dimension [] "Template that described the record", stored: false;
        12 ORIGINAL_EXPORTER_ADDR "original_exporter_addr" Addr None Exporter Dimension [ie(403), ie(404), ie(130), ie(131)] "Exporter that a mediator received the record from", null_if: Some(NullIf::Zero);
        13 ORIGINAL_DOMAIN "original_domain" U32 None Exporter Dimension [ie(405)] "Observation domain that a mediator received the record from";
        14 SRC_ADDR "src_addr" Addr None Key Dimension [ie(8), ie(27)] "Source address";
        15 DST_ADDR "dst_addr" Addr None Key Dimension [ie(12), ie(28)] "Destination address";
        16 SRC_PORT "src_port" U16 None Key Dimension [ie(7), ie(180), ie(182)] "Source port of TCP, UDP, SCTP";
        17 DST_PORT "dst_port" U16 None Key Dimension [ie(11), ie(181), ie(183)] "Destination port of TCP, UDP, SCTP";
        18 PROTO "proto" U8 None Key Dimension [ie(4)] "IP protocol", named: Some(&named::PROTO);
        19 IP_VERSION "ip_version" U8 None Key Dimension [ie(60)] "IP version";
        20 ICMP_TYPE "icmp_type" U8 None Key Dimension [ie(176), ie(178), ie(32), ie(139)] "ICMP type";
        21 ICMP_CODE "icmp_code" U8 None Key Dimension [ie(177), ie(179), ie(32), ie(139)] "ICMP code";
        22 TOS "tos" U8 None Key Dimension [ie(5)] "IP type of service (DSCP and ECN) or traffic class";
        23 POST_TOS "post_tos" U8 None Key Dimension [ie(55)] "Type of service as the packet left";
        24 TTL "ttl" U8 None Key Dimension [ie(192), ie(52)] "IP time to live or hop limit";
        25 TTL_MAX "ttl_max" U8 None Key Dimension [ie(53)] "Highest time to live seen";
        26 FRAGMENT_ID "fragment_id" U32 None Key Dimension [ie(54)] "IP fragment identification";
        27 FRAGMENT_OFFSET "fragment_offset" U16 None Key Dimension [ie(88)] "IP fragment offset in units of 8 octets";
        28 FRAGMENT_FLAGS "fragment_flags" U8 None Key Dimension [ie(197)] "IP fragment flags";
        29 FLOW_LABEL "flow_label" U32 None Key Dimension [ie(31)] "IPv6 flow label";
        30 TCP_FLAGS "tcp_flags" U16 None Key Dimension [ie(6)] "TCP flags of all packets, or-ed", named: Some(&named::TCP_FLAGS);
        31 FLOW_ID "flow_id" U64 None Key Dimension [ie(148)] "Exporter's own number of the flow";
        32 DIRECTION "direction" U8 None Key Dimension [ie(61)] "Direction relative to the observation point", named: Some(&named::DIRECTION);
        33 BIFLOW_DIRECTION "biflow_direction" U8 None Key Dimension [ie(239)] "How the two directions of a biflow were told apart", named: Some(&named::BIFLOW_DIRECTION);
        34 END_REASON "end_reason" U8 None Key Dimension [ie(136)] "Why the flow was reported", named: Some(&named::END_REASON);
        35 SRC_MAC "src_mac" Mac None Link Dimension [ie(56)] "Source MAC address";
        36 DST_MAC "dst_mac" Mac None Link Dimension [ie(80)] "Destination MAC address";
        37 POST_SRC_MAC "post_src_mac" Mac None Link Dimension [ie(81)] "Source MAC address as the packet left";
        38 POST_DST_MAC "post_dst_mac" Mac None Link Dimension [ie(57)] "Destination MAC address as the packet left";
        39 ETHER_TYPE "ether_type" U16 None Link Dimension [ie(256)] "Ethernet type of the payload", named: Some(&named::ETHER_TYPE);
        40 SRC_VLAN "src_vlan" U16 None Link Dimension [ie(58)] "VLAN in which the packet came";
        41 DST_VLAN "dst_vlan" U16 None Link Dimension [ie(59)] "VLAN in which the packet left";
        42 VLAN "vlan" U16 None Link Dimension [ie(243)] "VLAN id of the outer 802.1Q tag";
        43 INNER_VLAN "inner_vlan" U16 None Link Dimension [ie(245)] "VLAN id of the inner (customer) tag";
        44 VLAN_PRIORITY "vlan_priority" U8 None Link Dimension [ie(244)] "Priority of the outer tag";
        45 MPLS_LABELS "mpls_labels" U32List None Link Dimension [ie(70), ie(71), ie(72), ie(73), ie(74), ie(75), ie(76), ie(77), ie(78), ie(79)] "MPLS labels, outermost first";
        46 MPLS_TTLS "mpls_ttls" U32List None Link Dimension [] "Time to live of each MPLS label, outermost first";
        47 MPLS_TOP_TYPE "mpls_top_type" U8 None Link Dimension [ie(46)] "Who assigned the top MPLS label";
        48 MPLS_TOP_ADDR "mpls_top_addr" Addr None Link Dimension [ie(47), ie(140)] "Address that the top MPLS label leads to";
        49 MPLS_VPN_RD "mpls_vpn_rd" Bytes None Link Dimension [ie(90)] "Route distinguisher of the VPN";
        50 IN_IF "in_if" U32 None Link Dimension [ie(10)] "Interface the packet came in by (ifIndex)";
        51 OUT_IF "out_if" U32 None Link Dimension [ie(14)] "Interface the packet left by (ifIndex); 0 dropped or unknown";
        52 IN_PHYS_IF "in_phys_if" U32 None Link Dimension [ie(252)] "Physical interface the packet came in by";
        53 OUT_PHYS_IF "out_phys_if" U32 None Link Dimension [ie(253)] "Physical interface the packet left by";
        54 IN_IF_NAME "in_if_name" Str None Link Dimension [ie(82)] "Name of the ingress interface, as its exporter told it";
        55 OUT_IF_NAME "out_if_name" Str None Link Dimension [] "Name of the egress interface, as its exporter told it";
        56 OUT_IF_COUNT "out_if_count" U32 None Link Dimension [] "Number of egress interfaces of a multicast or flooded packet";
        57 INGRESS_VRF "ingress_vrf" U32 None Link Dimension [ie(234)] "VRF the packet came in by";
        58 EGRESS_VRF "egress_vrf" U32 None Link Dimension [ie(235)] "VRF the packet left by";
        59 VRF_NAME "vrf_name" Str None Link Dimension [ie(236)] "Name of the ingress VRF";
        60 SRC_AS "src_as" U32 None Route Dimension [ie(16)] "AS number of the source";
        61 DST_AS "dst_as" U32 None Route Dimension [ie(17)] "AS number of the destination";
        62 PREV_AS "prev_as" U32 None Route Dimension [ie(129)] "AS number of the previous hop";
        63 NEXT_AS "next_as" U32 None Route Dimension [ie(128)] "AS number of the next hop";
        64 NEXT_HOP "next_hop" Addr None Route Dimension [ie(15), ie(62)] "Address of the next hop";
        65 BGP_NEXT_HOP "bgp_next_hop" Addr None Route Dimension [ie(18), ie(63)] "Address of the BGP next hop";
        66 SRC_MASK "src_mask" U8 None Route Dimension [ie(9), ie(29)] "Prefix length of the source route";
        67 DST_MASK "dst_mask" U8 None Route Dimension [ie(13), ie(30)] "Prefix length of the destination route";
        68 AS_PATH "as_path" U32List None Route Dimension [] "AS path to the destination";
        69 COMMUNITIES "communities" U32List None Route Dimension [] "BGP communities of the destination route";
        70 LOCAL_PREF "local_pref" U32 None Route Dimension [] "BGP local preference";
        71 FORWARDING_STATUS "forwarding_status" U8 None Route Dimension [ie(89)] "Forwarded, dropped or consumed, and why", named: Some(&named::FORWARDING_STATUS);
        72 OCTETS "octets" U64 Octets Counter Scaled [ie(1), ie(231)] "Octets since the last report";
        73 PACKETS "packets" U64 Packets Counter Scaled [ie(2), ie(298)] "Packets since the last report";
        74 REVERSE_OCTETS "reverse_octets" U64 Octets Counter Scaled [rev(1), ie(232)] "Octets of the other direction since the last report";
        75 REVERSE_PACKETS "reverse_packets" U64 Packets Counter Scaled [rev(2), ie(299)] "Packets of the other direction since the last report";
        76 OCTETS_TOTAL "octets_total" U64 Octets Counter Total [ie(85)] "Octets since the flow began";
        77 PACKETS_TOTAL "packets_total" U64 Packets Counter Total [ie(86)] "Packets since the flow began";
        78 REVERSE_OCTETS_TOTAL "reverse_octets_total" U64 Octets Counter Total [rev(85)] "Octets of the other direction since the flow began";
        79 REVERSE_PACKETS_TOTAL "reverse_packets_total" U64 Packets Counter Total [rev(86)] "Packets of the other direction since the flow began";
        80 POST_OCTETS "post_octets" U64 Octets Counter Scaled [ie(23)] "Octets as they left (v9 OUT_BYTES)";
        81 POST_PACKETS "post_packets" U64 Packets Counter Scaled [ie(24)] "Packets as they left (v9 OUT_PKTS)";
        82 L2_OCTETS "l2_octets" U64 Octets Counter Scaled [ie(352)] "Octets with link-layer headers since the last report";
        83 L2_OCTETS_TOTAL "l2_octets_total" U64 Octets Counter Total [ie(353)] "Octets with link-layer headers since the flow began";
        84 DROPPED_OCTETS "dropped_octets" U64 Octets Counter Scaled [ie(132)] "Octets dropped since the last report";
        85 DROPPED_PACKETS "dropped_packets" U64 Packets Counter Scaled [ie(133)] "Packets dropped since the last report";
        86 FLOWS "flows" U64 Flows Counter Measure [ie(3)] "Flows that the exporter put into this one record";
        87 IP_LENGTH_MIN "ip_length_min" U64 Octets Counter Measure [ie(25)] "Shortest IP packet";
        88 IP_LENGTH_MAX "ip_length_max" U64 Octets Counter Measure [ie(26)] "Longest IP packet";
        89 FRAME_LENGTH "frame_length" U32 Octets Counter Measure [ie(312)] "Length of the sampled frame";
        90 POST_NAT_SRC_ADDR "post_nat_src_addr" Addr None Nat Dimension [ie(225), ie(281), ie(40001)] "Source address after translation";
        91 POST_NAT_DST_ADDR "post_nat_dst_addr" Addr None Nat Dimension [ie(226), ie(282), ie(40002)] "Destination address after translation";
        92 POST_NAT_SRC_PORT "post_nat_src_port" U16 None Nat Dimension [ie(227), ie(40003)] "Source port after translation";
        93 POST_NAT_DST_PORT "post_nat_dst_port" U16 None Nat Dimension [ie(228), ie(40004)] "Destination port after translation";
        94 NAT_EVENT "nat_event" U8 None Nat Dimension [ie(230)] "What happened to the translation", named: Some(&named::NAT_EVENT);
        95 FIREWALL_EVENT "firewall_event" U8 None Nat Dimension [ie(233), ie(40005)] "What the firewall did (NSEL)", named: Some(&named::FIREWALL_EVENT);
        96 FIREWALL_EXT_EVENT "firewall_ext_event" U16 None Nat Dimension [ie(33002)] "Cisco NSEL extended event code";
        97 TUNNEL_KIND "tunnel_kind" U8 None Tunnel Dimension [ovs(891)] "Encapsulation of the packet", named: Some(&named::TUNNEL_KIND);
        98 TUNNEL_SRC_ADDR "tunnel_src_addr" Addr None Tunnel Dimension [ovs(893)] "Outer source address";
        99 TUNNEL_DST_ADDR "tunnel_dst_addr" Addr None Tunnel Dimension [ovs(894)] "Outer destination address";
        100 TUNNEL_PROTO "tunnel_proto" U8 None Tunnel Dimension [ovs(895)] "Outer IP protocol", named: Some(&named::PROTO);
        101 TUNNEL_SRC_PORT "tunnel_src_port" U16 None Tunnel Dimension [ovs(896)] "Outer source port";
        102 TUNNEL_DST_PORT "tunnel_dst_port" U16 None Tunnel Dimension [ovs(897)] "Outer destination port";
        103 TUNNEL_ID "tunnel_id" U64 None Tunnel Dimension [ovs(892), ie(351), ie(296)] "Tunnel key: VNI, GRE key, TEID";
        104 TUNNEL_TOS "tunnel_tos" U8 None Tunnel Dimension [] "Outer type of service";
        105 TUNNEL_TTL "tunnel_ttl" U8 None Tunnel Dimension [] "Outer time to live";
        106 VIRTUAL_OBS_ID "virtual_obs_id" Str None Tunnel Dimension [ovs(898)] "Virtual observation id (Open vSwitch)", null_if: Some(NullIf::Empty);
        107 SAMPLING_RATE "sampling_rate" U32 None Sampling Dimension [] "One packet in this many was looked at; null is unknown and counts as 1";
        108 SAMPLER_ID "sampler_id" U64 None Sampling Dimension [ie(48), ie(302)] "Sampler (v9) or selector (IPFIX) that picked the packets";
        109 SAMPLING_ALGORITHM "sampling_algorithm" U16 None Sampling Dimension [ie(35), ie(304)] "How packets were picked";
        110 SAMPLE_POOL "sample_pool" U32 Packets Sampling Total [] "Packets that could have been sampled so far";
        111 SAMPLE_DROPS "sample_drops" U32 Packets Sampling Total [] "Samples that the exporter lost so far";
        112 SOURCE_CLASS "source_class" U8 None Sampling Dimension [] "Class of the sFlow data source", named: Some(&named::SOURCE_CLASS);
        113 SOURCE_INDEX "source_index" U32 None Sampling Dimension [] "Index of the sFlow data source";
        114 SRC_NAMESPACE "src_namespace" Str None Kubernetes Dimension [antrea(100)] "Source namespace", null_if: Some(NullIf::Empty);
        115 SRC_POD "src_pod" Str None Kubernetes Dimension [antrea(101)] "Source pod", null_if: Some(NullIf::Empty);
        116 SRC_NODE "src_node" Str None Kubernetes Dimension [antrea(104)] "Source node", null_if: Some(NullIf::Empty);
        117 SRC_WORKLOAD "src_workload" Str None Kubernetes Dimension [] "Source workload (Deployment, StatefulSet, DaemonSet, Job)";
        118 SRC_WORKLOAD_KIND "src_workload_kind" Str None Kubernetes Dimension [] "Kind of the source workload";
        119 SRC_ZONE "src_zone" Str None Kubernetes Dimension [] "Source zone";
        120 SRC_POD_LABELS "src_pod_labels" Str None Kubernetes Dimension [antrea(143)] "Source pod labels, as JSON", null_if: Some(NullIf::Empty);
        121 SRC_POD_UUID "src_pod_uuid" Bytes None Kubernetes Dimension [antrea(159)] "Source pod uid", null_if: Some(NullIf::AllZero);
        122 SRC_NODE_UUID "src_node_uuid" Bytes None Kubernetes Dimension [antrea(161)] "Source node uid", null_if: Some(NullIf::AllZero);
        123 DST_NAMESPACE "dst_namespace" Str None Kubernetes Dimension [antrea(102)] "Destination namespace", null_if: Some(NullIf::Empty);
        124 DST_POD "dst_pod" Str None Kubernetes Dimension [antrea(103)] "Destination pod", null_if: Some(NullIf::Empty);
        125 DST_NODE "dst_node" Str None Kubernetes Dimension [antrea(105)] "Destination node", null_if: Some(NullIf::Empty);
        126 DST_WORKLOAD "dst_workload" Str None Kubernetes Dimension [] "Destination workload (Deployment, StatefulSet, DaemonSet, Job)";
        127 DST_WORKLOAD_KIND "dst_workload_kind" Str None Kubernetes Dimension [] "Kind of the destination workload";
        128 DST_ZONE "dst_zone" Str None Kubernetes Dimension [] "Destination zone";
        129 DST_POD_LABELS "dst_pod_labels" Str None Kubernetes Dimension [antrea(144)] "Destination pod labels, as JSON", null_if: Some(NullIf::Empty);
        130 DST_POD_UUID "dst_pod_uuid" Bytes None Kubernetes Dimension [antrea(160)] "Destination pod uid", null_if: Some(NullIf::AllZero);
        131 DST_NODE_UUID "dst_node_uuid" Bytes None Kubernetes Dimension [antrea(162)] "Destination node uid", null_if: Some(NullIf::AllZero);
        132 SRC_SERVICE "src_service" Str None Kubernetes Dimension [] "Source service, as namespace/name:port";
        133 DST_SERVICE "dst_service" Str None Kubernetes Dimension [antrea(109)] "Destination service, as namespace/name:port", null_if: Some(NullIf::Empty);
        134 DST_SERVICE_ADDR "dst_service_addr" Addr None Kubernetes Dimension [antrea(168), antrea(169), antrea(106), antrea(107)] "Address of the service before translation", null_if: Some(NullIf::Zero);
        135 DST_SERVICE_PORT "dst_service_port" U16 None Kubernetes Dimension [antrea(108)] "Port of the service before translation", null_if: Some(NullIf::Zero);
        136 DST_SERVICE_UUID "dst_service_uuid" Bytes None Kubernetes Dimension [antrea(163)] "Service uid", null_if: Some(NullIf::AllZero);
        137 FLOW_TYPE "flow_type" U8 None Kubernetes Dimension [antrea(137)] "Intra-node, inter-node, to or from external", named: Some(&named::FLOW_TYPE);
        138 CLUSTER_ID "cluster_id" Str None Kubernetes Dimension [antrea(158)] "Cluster", null_if: Some(NullIf::Empty);
        139 PROXY_SNAT_ADDR "proxy_snat_addr" Addr None Kubernetes Dimension [antrea(170), antrea(171)] "Address that the service proxy put in place of the client's", null_if: Some(NullIf::Zero);
        140 PROXY_SNAT_PORT "proxy_snat_port" U16 None Kubernetes Dimension [antrea(172)] "Port that the service proxy put in place of the client's", null_if: Some(NullIf::Zero);
        141 EGRESS_NAME "egress_name" Str None Kubernetes Dimension [antrea(153)] "Egress through which the pod left the cluster", null_if: Some(NullIf::Empty);
        142 EGRESS_ADDR "egress_addr" Addr None Kubernetes Dimension [antrea(154)] "Address that the Egress gave the flow", null_if: Some(NullIf::Zero);
        143 EGRESS_NODE "egress_node" Str None Kubernetes Dimension [antrea(157)] "Node of the Egress", null_if: Some(NullIf::Empty);
        144 EGRESS_UUID "egress_uuid" Bytes None Kubernetes Dimension [antrea(166)] "Egress uid", null_if: Some(NullIf::AllZero);
        145 EGRESS_NODE_UUID "egress_node_uuid" Bytes None Kubernetes Dimension [antrea(167)] "Egress node uid", null_if: Some(NullIf::AllZero);
        146 INGRESS_POLICY "ingress_policy" Str None Policy Dimension [antrea(110)] "Ingress network policy that matched", null_if: Some(NullIf::Empty);
        147 INGRESS_POLICY_NAMESPACE "ingress_policy_namespace" Str None Policy Dimension [antrea(111)] "Namespace of the ingress policy", null_if: Some(NullIf::Empty);
        148 INGRESS_POLICY_TYPE "ingress_policy_type" U8 None Policy Dimension [antrea(115)] "Kind of the ingress policy", named: Some(&named::POLICY_TYPE);
        149 INGRESS_POLICY_RULE "ingress_policy_rule" Str None Policy Dimension [antrea(141)] "Rule of the ingress policy", null_if: Some(NullIf::Empty);
        150 INGRESS_POLICY_ACTION "ingress_policy_action" U8 None Policy Dimension [antrea(139)] "What the ingress policy did", named: Some(&named::POLICY_ACTION);
        151 INGRESS_POLICY_UUID "ingress_policy_uuid" Bytes None Policy Dimension [antrea(164)] "Ingress policy uid", null_if: Some(NullIf::AllZero);
        152 EGRESS_POLICY "egress_policy" Str None Policy Dimension [antrea(112)] "Egress network policy that matched", null_if: Some(NullIf::Empty);
        153 EGRESS_POLICY_NAMESPACE "egress_policy_namespace" Str None Policy Dimension [antrea(113)] "Namespace of the egress policy", null_if: Some(NullIf::Empty);
        154 EGRESS_POLICY_TYPE "egress_policy_type" U8 None Policy Dimension [antrea(118)] "Kind of the egress policy", named: Some(&named::POLICY_TYPE);
        155 EGRESS_POLICY_RULE "egress_policy_rule" Str None Policy Dimension [antrea(142)] "Rule of the egress policy", null_if: Some(NullIf::Empty);
        156 EGRESS_POLICY_ACTION "egress_policy_action" U8 None Policy Dimension [antrea(140)] "What the egress policy did", named: Some(&named::POLICY_ACTION);
        157 EGRESS_POLICY_UUID "egress_policy_uuid" Bytes None Policy Dimension [antrea(165)] "Egress policy uid", null_if: Some(NullIf::AllZero);
        158 SRC_NODE_PACKETS_TOTAL "src_node_packets_total" U64 Packets Kubernetes Total [antrea(120)] "Packets total as the source node counted them";
        159 SRC_NODE_OCTETS_TOTAL "src_node_octets_total" U64 Octets Kubernetes Total [antrea(121)] "Octets total as the source node counted them";
        160 SRC_NODE_PACKETS "src_node_packets" U64 Packets Kubernetes Measure [antrea(122)] "Packets as the source node counted them";
        161 SRC_NODE_OCTETS "src_node_octets" U64 Octets Kubernetes Measure [antrea(123)] "Octets as the source node counted them";
        162 SRC_NODE_REVERSE_PACKETS_TOTAL "src_node_reverse_packets_total" U64 Packets Kubernetes Total [antrea(124)] "Reverse packets total as the source node counted them";
        163 SRC_NODE_REVERSE_OCTETS_TOTAL "src_node_reverse_octets_total" U64 Octets Kubernetes Total [antrea(125)] "Reverse octets total as the source node counted them";
        164 SRC_NODE_REVERSE_PACKETS "src_node_reverse_packets" U64 Packets Kubernetes Measure [antrea(126)] "Reverse packets as the source node counted them";
        165 SRC_NODE_REVERSE_OCTETS "src_node_reverse_octets" U64 Octets Kubernetes Measure [antrea(127)] "Reverse octets as the source node counted them";
        166 DST_NODE_PACKETS_TOTAL "dst_node_packets_total" U64 Packets Kubernetes Total [antrea(128)] "Packets total as the destination node counted them";
        167 DST_NODE_OCTETS_TOTAL "dst_node_octets_total" U64 Octets Kubernetes Total [antrea(129)] "Octets total as the destination node counted them";
        168 DST_NODE_PACKETS "dst_node_packets" U64 Packets Kubernetes Measure [antrea(130)] "Packets as the destination node counted them";
        169 DST_NODE_OCTETS "dst_node_octets" U64 Octets Kubernetes Measure [antrea(131)] "Octets as the destination node counted them";
        170 DST_NODE_REVERSE_PACKETS_TOTAL "dst_node_reverse_packets_total" U64 Packets Kubernetes Total [antrea(132)] "Reverse packets total as the destination node counted them";
        171 DST_NODE_REVERSE_OCTETS_TOTAL "dst_node_reverse_octets_total" U64 Octets Kubernetes Total [antrea(133)] "Reverse octets total as the destination node counted them";
        172 DST_NODE_REVERSE_PACKETS "dst_node_reverse_packets" U64 Packets Kubernetes Measure [antrea(134)] "Reverse packets as the destination node counted them";
        173 DST_NODE_REVERSE_OCTETS "dst_node_reverse_octets" U64 Octets Kubernetes Measure [antrea(135)] "Reverse octets as the destination node counted them";
        174 THROUGHPUT "throughput" U64 BitsPerSecond Kubernetes Measure [antrea(145)] "Rate since the last report";
        175 REVERSE_THROUGHPUT "reverse_throughput" U64 BitsPerSecond Kubernetes Measure [antrea(146)] "Rate of the other direction since the last report";
        176 SRC_NODE_THROUGHPUT "src_node_throughput" U64 BitsPerSecond Kubernetes Measure [antrea(147)] "Rate as the source node counted it";
        177 DST_NODE_THROUGHPUT "dst_node_throughput" U64 BitsPerSecond Kubernetes Measure [antrea(148)] "Rate as the destination node counted it";
        178 SRC_NODE_REVERSE_THROUGHPUT "src_node_reverse_throughput" U64 BitsPerSecond Kubernetes Measure [antrea(149)] "Rate of the other direction as the source node counted it";
        179 DST_NODE_REVERSE_THROUGHPUT "dst_node_reverse_throughput" U64 BitsPerSecond Kubernetes Measure [antrea(150)] "Rate of the other direction as the destination node counted it";
        180 SRC_NODE_FLOW_END "src_node_flow_end" Time None Kubernetes Time [antrea(151)] "End of the flow as the source node saw it";
        181 DST_NODE_FLOW_END "dst_node_flow_end" Time None Kubernetes Time [antrea(152)] "End of the flow as the destination node saw it";
        182 TCP_STATE "tcp_state" Str None Tcp Dimension [antrea(136)] "State of the TCP connection", null_if: Some(NullIf::Empty);
        183 SRC_PROCESS "src_process" Str None Process Dimension [] "Name of the source process";
        184 SRC_PID "src_pid" U32 None Process Dimension [] "Process id of the source process";
        185 SRC_PARENT_PID "src_parent_pid" U32 None Process Dimension [] "Process id of the parent of the source process";
        186 SRC_PARENT_PROCESS "src_parent_process" Str None Process Dimension [] "Name of the parent of the source process";
        187 SRC_EXE "src_exe" Str None Process Dimension [] "Path of the program of the source process";
        188 SRC_CMDLINE "src_cmdline" Str None Process Dimension [] "Command line of the source process";
        189 SRC_UID "src_uid" U32 None Process Dimension [] "User id of the source process";
        190 SRC_USER "src_user" Str None Process Dimension [ie(371), ie(40000), ie(56702), ntop(121)] "User of the source process or address";
        191 SRC_CONTAINER "src_container" Str None Process Dimension [] "Name of the source container";
        192 SRC_CONTAINER_ID "src_container_id" Str None Process Dimension [] "Id of the source container";
        193 SRC_IMAGE "src_image" Str None Process Dimension [] "Image of the source container";
        194 SRC_UNIT "src_unit" Str None Process Dimension [] "systemd unit of the source process";
        195 DST_PROCESS "dst_process" Str None Process Dimension [] "Name of the destination process";
        196 DST_PID "dst_pid" U32 None Process Dimension [] "Process id of the destination process";
        197 DST_PARENT_PID "dst_parent_pid" U32 None Process Dimension [] "Process id of the parent of the destination process";
        198 DST_PARENT_PROCESS "dst_parent_process" Str None Process Dimension [] "Name of the parent of the destination process";
        199 DST_EXE "dst_exe" Str None Process Dimension [] "Path of the program of the destination process";
        200 DST_CMDLINE "dst_cmdline" Str None Process Dimension [] "Command line of the destination process";
        201 DST_UID "dst_uid" U32 None Process Dimension [] "User id of the destination process";
        202 DST_USER "dst_user" Str None Process Dimension [] "User of the destination process or address";
        203 DST_CONTAINER "dst_container" Str None Process Dimension [] "Name of the destination container";
        204 DST_CONTAINER_ID "dst_container_id" Str None Process Dimension [] "Id of the destination container";
        205 DST_IMAGE "dst_image" Str None Process Dimension [] "Image of the destination container";
        206 DST_UNIT "dst_unit" Str None Process Dimension [] "systemd unit of the destination process";
        207 RTT_US "rtt_us" U32 Microseconds Tcp Measure [] "Smoothed round-trip time";
        208 RTT_MIN_US "rtt_min_us" U32 Microseconds Tcp Measure [] "Lowest round-trip time";
        209 RTT_MAX_US "rtt_max_us" U32 Microseconds Tcp Measure [] "Highest round-trip time";
        210 RTT_VAR_US "rtt_var_us" U32 Microseconds Tcp Measure [] "Variation of the round-trip time";
        211 RETRANSMITS "retransmits" U32 Packets Tcp Measure [ntop(109)] "Segments sent again since the last report";
        212 REVERSE_RETRANSMITS "reverse_retransmits" U32 Packets Tcp Measure [ntop(110)] "Segments that the other side sent again";
        213 LOST "lost" U32 Packets Tcp Measure [] "Segments that the sender believes lost";
        214 UNACKED "unacked" U32 Packets Tcp Measure [] "Segments sent and not yet acknowledged";
        215 REORDERING "reordering" U32 Packets Tcp Measure [] "Degree of reordering that the sender allows for";
        216 CWND "cwnd" U32 Packets Tcp Measure [] "Congestion window";
        217 SND_MSS "snd_mss" U32 Octets Tcp Measure [] "Maximum segment size, sending";
        218 RCV_MSS "rcv_mss" U32 Octets Tcp Measure [] "Maximum segment size, receiving";
        219 PMTU "pmtu" U32 Octets Tcp Measure [] "Path MTU";
        220 DELIVERY_RATE "delivery_rate" U64 OctetsPerSecond Tcp Measure [] "Rate at which data was delivered";
        221 CLIENT_LATENCY_US "client_latency_us" U32 Microseconds Tcp Measure [] "Half of the handshake, on the side of the client";
        222 SERVER_LATENCY_US "server_latency_us" U32 Microseconds Tcp Measure [] "Half of the handshake, on the side of the server";
        223 APP_LATENCY_US "app_latency_us" U32 Microseconds Tcp Measure [] "Time from request to first response";
        224 TCP_INFO_DIRECTION "tcp_info_direction" U8 None Tcp Dimension [] "Direction of the sampled packet on the host that reported TCP state: 1 received, 2 sent";
        225 APP "app" Str None App Dimension [ie(96), ntop(119), antrea(155), ie(56701)] "Application", null_if: Some(NullIf::Empty);
        226 APP_ID "app_id" Bytes None App Dimension [ie(95)] "Application id: classification engine and selector (RFC 6759)";
        227 L7_PROTO "l7_proto" U32 None App Dimension [ntop(118)] "Application protocol number of nDPI";
        228 DNS_QUERY "dns_query" Str None App Dimension [] "Name asked for";
        229 DNS_QTYPE "dns_qtype" U16 None App Dimension [] "Type of the DNS question";
        230 DNS_RCODE "dns_rcode" U8 None App Dimension [] "DNS response code";
        231 DNS_LATENCY_US "dns_latency_us" U32 Microseconds App Measure [] "Time from DNS query to response";
        232 TLS_SNI "tls_sni" Str None App Dimension [ntop(188)] "Server name of the TLS handshake";
        233 TLS_ALPN "tls_alpn" Str None App Dimension [] "Application protocol of the TLS handshake";
        234 HTTP_HOST "http_host" Str None App Dimension [ie(460)] "HTTP host";
        235 HTTP_METHOD "http_method" Str None App Dimension [ie(459)] "HTTP method";
        236 HTTP_URL "http_url" Str None App Dimension [ie(461)] "HTTP target";
        237 HTTP_STATUS "http_status" U16 None App Dimension [ie(457)] "HTTP status code";
        238 HTTP_VALUES "http_values" Str None App Dimension [antrea(156)] "Antrea's HTTP transactions, as JSON", null_if: Some(NullIf::Empty);
        239 DROP_REASON "drop_reason" U16 None Other Dimension [] "Why the packet was discarded", named: Some(&named::DROP_REASON);
        240 DROP_REASON_NAME "drop_reason_name" Str None Other Dimension [] "Kernel's or switch's own name of the reason";
        241 DROP_FUNCTION "drop_function" Str None Other Dimension [] "Function or trap group that discarded the packet";
        242 SRC_COUNTRY "src_country" Str None Geo Dimension [ntop(101)] "Country of the source address";
        243 DST_COUNTRY "dst_country" Str None Geo Dimension [ntop(103)] "Country of the destination address";
        244 SRC_CITY "src_city" Str None Geo Dimension [ntop(102)] "City of the source address";
        245 DST_CITY "dst_city" Str None Geo Dimension [ntop(104)] "City of the destination address";
        246 SRC_NAME "src_name" Str None Geo Dimension [ntop(491)] "Name of the source address";
        247 DST_NAME "dst_name" Str None Geo Dimension [ntop(492)] "Name of the destination address";
        248 ENTITY_SRC "entity_src" U64 None Sampling Dimension [] "sFlow entity of the source: class in the upper, index in the lower 32 bits";
        249 ENTITY_DST "entity_dst" U64 None Sampling Dimension [] "sFlow entity of the destination: class in the upper, index in the lower 32 bits";
        250 QUEUE_ID "queue_id" U32 None Other Dimension [] "Egress queue";
        251 TRANSIT_DELAY_NS "transit_delay_ns" U32 None Other Measure [] "Time the packet spent in the switch, in nanoseconds";
        252 QUEUE_DEPTH "queue_depth" U32 Octets Other Measure [] "Octets in the queue when the packet left";
        253 ACL_NAME "acl_name" Str None Policy Dimension [] "Access list that matched";
        254 OBSERVERS "observers" Bytes None Other Dimension [] "Observation points that saw the flow too";
        255 PARTIAL "partial" U8 None Other Dimension [] "1 when only one of two expected views of the flow came";
        256 DUPLICATE "duplicate" U8 None Other Dimension [] "1 when a better observer reported the same flow";
        257 EXTRA "extra" Elements None Other Dimension [] "Elements without a column, as sent; filter with ie(pen, id)";
        258 EXPORTER_AS "exporter_as" U32 None Route Dimension [] "AS number of the exporter itself (sFlow gateway record)";
        259 METERED_BY "metered_by" Str None Exporter Dimension [] "Sources of the metering process that saw the flow, the one whose counts these are first";
        260 CT_ZONE "ct_zone" U16 None Nat Dimension [] "Connection tracking zone";
        261 CT_MARK "ct_mark" U32 None Nat Dimension [] "Connection tracking mark";
        262 CT_LABELS "ct_labels" Bytes None Nat Dimension [] "Connection tracking labels, 16 octets";
        263 EXPORTER_INSTANCE "exporter_instance" Bytes None Exporter Dimension [] "Number that an exporter which understands acknowledgements has given itself, 16 octets";
        264 EXPORT_SEQUENCE "export_sequence" U64 None Exporter Dimension [] "Number of the first record of the message, counted by that exporter in 64 bits";
        265 SRC_GID "src_gid" U32 None Process Dimension [] "Group id of the source process";
        266 SRC_GROUP "src_group" Str None Process Dimension [] "Group of the source process";
        267 SRC_VM_SIZE "src_vm_size" U64 Octets Process Measure [] "Virtual memory of the source process";
        268 SRC_VM_PEAK "src_vm_peak" U64 Octets Process Measure [] "Most virtual memory that the source process has had";
        269 SRC_PARENT_EXE "src_parent_exe" Str None Process Dimension [] "Path of the program of the parent of the source process";
        270 SRC_PROCESS_START "src_process_start" Time None Process Time [] "When the source process started";
        271 SRC_RUNTIME "src_runtime" Str None Process Dimension [] "Runtime of the source container";
        272 SRC_NETNS "src_netns" U32 None Process Dimension [] "Network namespace of the source socket, by its inode";
        273 DST_GID "dst_gid" U32 None Process Dimension [] "Group id of the destination process";
        274 DST_GROUP "dst_group" Str None Process Dimension [] "Group of the destination process";
        275 DST_VM_SIZE "dst_vm_size" U64 Octets Process Measure [] "Virtual memory of the destination process";
        276 DST_VM_PEAK "dst_vm_peak" U64 Octets Process Measure [] "Most virtual memory that the destination process has had";
        277 DST_PARENT_EXE "dst_parent_exe" Str None Process Dimension [] "Path of the program of the parent of the destination process";
        278 DST_PROCESS_START "dst_process_start" Time None Process Time [] "When the destination process started";
        279 DST_RUNTIME "dst_runtime" Str None Process Dimension [] "Runtime of the destination container";
        280 DST_NETNS "dst_netns" U32 None Process Dimension [] "Network namespace of the destination socket, by its inode";
    }
}

/// Counters of sFlow counter samples, one a row.
pub mod counters {
    use super::*;
    columns! {
        0 RECEIVED_AT "received_at" Time None Time Time [] "When Weir received the counter sample, by its own clock";
        1 EXPORTER_ADDR "exporter_addr" Addr None Exporter Dimension [] "Agent address";
        2 SUB_AGENT "sub_agent" U32 None Exporter Dimension [] "Sub-agent id";
        3 SOURCE_CLASS "source_class" U8 None Exporter Dimension [] "Class of the data source", named: Some(&named::SOURCE_CLASS);
        4 SOURCE_INDEX "source_index" U32 None Exporter Dimension [] "Index of the data source";
        5 STRUCTURE "structure" U32 None Key Dimension [] "Counter structure: enterprise << 12 | format";
        6 NAME "name" Str None Key Dimension [] "Name of the counter";
        7 VALUE "value" U64 None Counter Total [] "Value, if it is an unsigned number";
        8 VALUE_F "value_f" F64 None Counter Measure [] "Value, if it is a fraction or signed";
        9 VALUE_TEXT "value_text" Str None Other Dimension [] "Value, if it is text or octets (hex)";
        10 SEQUENCE "sequence" U32 None Exporter Dimension [] "Sequence number of the sample", stored: false;
        11 UPTIME_MS "uptime_ms" U32 Milliseconds Time Measure [] "Uptime of the agent when it sent", stored: false;
        12 SOURCE_NAME "source_name" Str None Exporter Dimension [] "Name of the data source, where it has one instead of a number (rtmetric)";
        13 EXPORTER_INSTANCE "exporter_instance" Bytes None Exporter Dimension [] "Number that an exporter which understands acknowledgements has given itself, 16 octets";
        14 EXPORT_SEQUENCE "export_sequence" U64 None Exporter Dimension [] "Number of the first record of the message, counted by that exporter in 64 bits";
        15 OBSERVATION_DOMAIN "observation_domain" U32 None Exporter Dimension [] "Observation domain of the message with that number";
    }
}

/// Options records of NetFlow v9 and IPFIX.
pub mod options {
    use super::*;
    columns! {
        0 RECEIVED_AT "received_at" Time None Time Time [] "When Weir received the record, by its own clock";
        1 EXPORT_TIME "export_time" Time None Time Time [] "When the exporter sent the message, from its header";
        2 EXPORTER_ADDR "exporter_addr" Addr None Exporter Dimension [] "Address of the exporter";
        3 EXPORT_PROTOCOL "export_protocol" U8 None Exporter Dimension [] "Protocol that carried the record", named: Some(&named::EXPORT_PROTOCOL);
        4 OBSERVATION_DOMAIN "observation_domain" U32 None Exporter Dimension [] "Observation domain";
        5 TEMPLATE_ID "template_id" U16 None Exporter Dimension [] "Options template that described the record";
        6 SCOPE "scope" Elements None Key Dimension [] "What the record is about (v9 scopes as elements: system 144, interface 10, line card 141, cache 143, template 145)";
        7 FIELDS "fields" Elements None Other Dimension [] "What the record says";
        8 EXPORTER_INSTANCE "exporter_instance" Bytes None Exporter Dimension [] "Number that an exporter which understands acknowledgements has given itself, 16 octets";
        9 EXPORT_SEQUENCE "export_sequence" U64 None Exporter Dimension [] "Number of the first record of the message, counted by that exporter in 64 bits";
    }
}

/// Sums of flow records, made by the store. Dimensions have the names and types that they have in
/// [`flows`]; a dimension that is not of the row's cube is null.
pub mod rollups {
    use super::*;
    columns! {
        0 RECEIVED_AT "received_at" Time None Time Time [] "Start of the bucket of time";
        1 CUBE "cube" U8 None Key Dimension [] "Which set of dimensions the row is summed over";
        2 EXPORTER_ADDR "exporter_addr" Addr None Exporter Dimension [] "Address of the exporter";
        3 IN_IF "in_if" U32 None Link Dimension [] "Interface the packets came in by";
        4 OUT_IF "out_if" U32 None Link Dimension [] "Interface the packets left by";
        5 PROTO "proto" U8 None Key Dimension [] "IP protocol", named: Some(&named::PROTO);
        6 DST_PORT "dst_port" U16 None Key Dimension [] "Destination port";
        7 SRC_AS "src_as" U32 None Route Dimension [] "AS number of the source";
        8 DST_AS "dst_as" U32 None Route Dimension [] "AS number of the destination";
        9 SRC_COUNTRY "src_country" Str None Geo Dimension [] "Country of the source address";
        10 DST_COUNTRY "dst_country" Str None Geo Dimension [] "Country of the destination address";
        11 SRC_ADDR "src_addr" Addr None Key Dimension [] "Source address";
        12 DST_ADDR "dst_addr" Addr None Key Dimension [] "Destination address";
        13 FLOWS "flows" U64 Flows Counter Measure [] "Flow records that the row sums up";
        14 OCTETS "octets" U64 Octets Counter Measure [] "Sum of octets as exported; null when no record had any";
        15 PACKETS "packets" U64 Packets Counter Measure [] "Sum of packets as exported";
        16 OCTETS_SCALED "octets_scaled" U64 Octets Counter Measure [] "Sum of octets times sampling rate";
        17 PACKETS_SCALED "packets_scaled" U64 Packets Counter Measure [] "Sum of packets times sampling rate";
        18 REVERSE_OCTETS "reverse_octets" U64 Octets Counter Measure [] "Sum of octets of the other direction";
        19 REVERSE_PACKETS "reverse_packets" U64 Packets Counter Measure [] "Sum of packets of the other direction";
        20 REVERSE_OCTETS_SCALED "reverse_octets_scaled" U64 Octets Counter Measure [] "Sum of octets of the other direction times sampling rate";
        21 REVERSE_PACKETS_SCALED "reverse_packets_scaled" U64 Packets Counter Measure [] "Sum of packets of the other direction times sampling rate";
    }
}

#[cfg(test)]
mod tests {
    use crate::column::{Role, Table};
    use std::collections::HashSet;

    #[test]
    fn numbers_are_positions_and_names_are_unique() {
        for table in Table::ALL {
            let mut names = HashSet::new();
            for (position, def) in table.columns().iter().enumerate() {
                assert_eq!(def.id.index(), position, "{}", def.name);
                assert!(names.insert(def.name), "{} twice", def.name);
                assert!(!def.doc.is_empty() && !def.doc.ends_with('.'), "{}", def.name);
            }
        }
    }

    #[test]
    fn dimensions_of_rollups_are_those_of_flows() {
        let dimensions =
            |def: &&crate::ColumnDef| def.role == Role::Dimension && def.name != "cube";
        for def in Table::Rollups.columns().iter().filter(dimensions) {
            assert_eq!(
                Some(def.ty),
                Table::Flows.find(def.name).map(|flow| flow.ty),
                "{}",
                def.name
            );
        }
    }

    #[test]
    fn totals_are_never_summed() {
        for def in Table::Flows.columns().iter().filter(|def| def.name.ends_with("_total")) {
            assert_eq!(def.role, Role::Total, "{}", def.name);
        }
    }
}
