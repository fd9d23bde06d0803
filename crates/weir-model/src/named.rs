//! Names of enumerated values and flags: what `proto = tcp` and `tcp_flags has syn` mean.

mod drop_reasons;
mod protocols;

pub use drop_reasons::DROP_REASONS;
pub use protocols::PROTOCOLS;

/// Names of a column's values.
#[derive(Debug, Clone, Copy)]
pub enum Named {
    /// One name a value.
    Enum(&'static [(u64, &'static str)]),
    /// One name a bit.
    Flags(&'static [(u64, &'static str)]),
}

impl Named {
    /// The rows of the list.
    pub const fn rows(&self) -> &'static [(u64, &'static str)] {
        match self {
            Named::Enum(rows) | Named::Flags(rows) => rows,
        }
    }

    /// The value behind `name`, letter case aside.
    pub fn value(&self, name: &str) -> Option<u64> {
        self.rows().iter().find(|(_, n)| n.eq_ignore_ascii_case(name)).map(|(value, _)| *value)
    }

    /// The name of `value` in an enumeration, the names of its bits in a set of flags; empty
    /// where there is none.
    pub fn text(&self, value: u64) -> String {
        match self {
            Named::Enum(rows) => {
                rows.iter().find(|(v, _)| *v == value).map(|(_, n)| *n).unwrap_or_default().into()
            }
            Named::Flags(rows) => {
                let set = rows.iter().filter(|(bit, _)| value & bit != 0).map(|(_, name)| *name);
                set.collect::<Vec<_>>().join("|")
            }
        }
    }
}

/// IP protocol numbers (IANA).
pub static PROTO: Named = Named::Enum(PROTOCOLS);

/// TCP header flags (RFC 9293 §3.1, RFC 3168; NS of RFC 3540).
pub static TCP_FLAGS: Named = Named::Flags(&[
    (0x001, "fin"),
    (0x002, "syn"),
    (0x004, "rst"),
    (0x008, "psh"),
    (0x010, "ack"),
    (0x020, "urg"),
    (0x040, "ece"),
    (0x080, "cwr"),
    (0x100, "ns"),
]);

/// Flow export protocols, by the version number in their header; sFlow v5, whose 5 is taken, is 105.
/// 200 is no protocol: the machine that Weir runs on was metered by Weir itself.
pub static EXPORT_PROTOCOL: Named = Named::Enum(&[
    (5, "netflow5"),
    (7, "netflow7"),
    (9, "netflow9"),
    (10, "ipfix"),
    (105, "sflow5"),
    (200, "local"),
]);

/// Ethernet types that flow records name.
pub static ETHER_TYPE: Named = Named::Enum(&[
    (0x0800, "ipv4"),
    (0x0806, "arp"),
    (0x86dd, "ipv6"),
    (0x8847, "mpls"),
    (0x8848, "mpls_multicast"),
    (0x88cc, "lldp"),
]);

/// `flowDirection` (IE 61).
pub static DIRECTION: Named = Named::Enum(&[(0, "ingress"), (1, "egress")]);

/// `biflowDirection` (IE 239, RFC 5103 §6.3).
pub static BIFLOW_DIRECTION: Named =
    Named::Enum(&[(0, "arbitrary"), (1, "initiator"), (2, "reverse_initiator"), (3, "perimeter")]);

/// `flowEndReason` (IE 136).
pub static END_REASON: Named = Named::Enum(&[
    (1, "idle_timeout"),
    (2, "active_timeout"),
    (3, "end_of_flow"),
    (4, "forced_end"),
    (5, "lack_of_resources"),
]);

/// `natEvent` (IE 230).
pub static NAT_EVENT: Named = Named::Enum(&[
    (1, "nat_translation_create"),
    (2, "nat_translation_delete"),
    (3, "nat_addresses_exhausted"),
    (4, "nat44_session_create"),
    (5, "nat44_session_delete"),
    (6, "nat64_session_create"),
    (7, "nat64_session_delete"),
    (8, "nat44_bib_create"),
    (9, "nat44_bib_delete"),
    (10, "nat64_bib_create"),
    (11, "nat64_bib_delete"),
    (12, "nat_ports_exhausted"),
    (13, "quota_exceeded"),
    (14, "address_binding_create"),
    (15, "address_binding_delete"),
    (16, "port_block_allocation"),
    (17, "port_block_deallocation"),
    (18, "threshold_reached"),
]);

/// `firewallEvent` (IE 233).
pub static FIREWALL_EVENT: Named = Named::Enum(&[
    (0, "ignore"),
    (1, "created"),
    (2, "deleted"),
    (3, "denied"),
    (4, "alert"),
    (5, "update"),
]);

/// Upper two bits of `forwardingStatus` (IE 89) with the common reasons.
pub static FORWARDING_STATUS: Named = Named::Enum(&[
    (0, "unknown"),
    (64, "forwarded"),
    (65, "forwarded_fragmented"),
    (66, "forwarded_not_fragmented"),
    (128, "dropped"),
    (129, "dropped_acl_deny"),
    (130, "dropped_acl_drop"),
    (131, "dropped_unroutable"),
    (132, "dropped_adjacency"),
    (133, "dropped_fragmentation_df"),
    (134, "dropped_bad_header_checksum"),
    (135, "dropped_bad_total_length"),
    (136, "dropped_bad_header_length"),
    (137, "dropped_bad_ttl"),
    (138, "dropped_policer"),
    (139, "dropped_wred"),
    (140, "dropped_rpf"),
    (141, "dropped_for_us"),
    (142, "dropped_bad_output_interface"),
    (143, "dropped_hardware"),
    (192, "consumed"),
    (193, "consumed_punt_adjacency"),
    (194, "consumed_incomplete_adjacency"),
    (195, "consumed_for_us"),
]);

/// What a tunnel's outer headers were.
pub static TUNNEL_KIND: Named = Named::Enum(&[
    (1, "vxlan"),
    (2, "gre"),
    (3, "geneve"),
    (4, "ipip"),
    (5, "gtpu"),
    (6, "srv6"),
    (7, "mpls"),
    (8, "eompls"),
    (9, "nvgre"),
    (10, "lisp"),
    (11, "stt"),
    (12, "ipsec_gre"),
    (13, "erspan"),
    (14, "teredo"),
]);

/// Antrea's `flowType` (PEN 56506, element 137).
pub static FLOW_TYPE: Named =
    Named::Enum(&[(1, "intra_node"), (2, "inter_node"), (3, "to_external"), (4, "from_external")]);

/// Antrea's policy types (elements 115, 118).
pub static POLICY_TYPE: Named = Named::Enum(&[
    (1, "k8s_network_policy"),
    (2, "antrea_network_policy"),
    (3, "antrea_cluster_network_policy"),
    (4, "k8s_cluster_network_policy"),
]);

/// Antrea's rule actions (elements 139, 140).
pub static POLICY_ACTION: Named =
    Named::Enum(&[(0, "no_action"), (1, "allow"), (2, "drop"), (3, "reject")]);

/// Reasons of discarded packets.
pub static DROP_REASON: Named = Named::Enum(DROP_REASONS);

/// Class of an sFlow data source.
pub static SOURCE_CLASS: Named =
    Named::Enum(&[(0, "interface"), (1, "vlan"), (2, "physical_entity"), (3, "logical_entity")]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_find_each_other() {
        assert_eq!(PROTO.value("TCP"), Some(6));
        assert_eq!(PROTO.text(17), "udp");
        assert_eq!(PROTO.text(255), "reserved");
        assert_eq!(TCP_FLAGS.text(0x12), "syn|ack");
        assert_eq!(TCP_FLAGS.value("syn"), Some(2));
        assert_eq!(DIRECTION.text(9), "");
        assert_eq!(DROP_REASON.text(303), "split_horizon");
        assert_eq!(
            (DROP_REASON.value("tc_egress"), DROP_REASON.text(366)),
            (Some(36), "tc_egress".into())
        );
    }
}
