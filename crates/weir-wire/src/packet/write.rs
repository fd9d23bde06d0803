//! From dissected headers to the columns of one row.

use weir_model::FlowBatch;
use weir_model::columns::flows as c;

use super::{Dissected, IpHeader, LABELS_MAX, LabelStack, Transport, Tunnel};

impl Dissected {
    /// Sets what was seen in row `row` of a batch of flows; other columns stay as they are.
    #[inline]
    pub fn write(&self, batch: &mut FlowBatch, row: usize) {
        if let Some(mac) = self.dst_mac {
            batch.set(c::DST_MAC, row, mac);
        }
        if let Some(mac) = self.src_mac {
            batch.set(c::SRC_MAC, row, mac);
        }
        if let Some(ether_type) = self.ether_type {
            batch.set(c::ETHER_TYPE, row, ether_type);
        }
        if let Some(vlan) = self.vlan {
            self.write_tags(vlan, batch, row);
        }
        if let Some(ip) = &self.ip {
            ip.write(batch, row);
        }
        self.transport.write(batch, row);
        if !self.mpls.entries().is_empty() {
            self.mpls.write(batch, row);
        }
        if let Some(tunnel) = &self.tunnel {
            tunnel.write(batch, row);
        }
    }

    fn write_tags(&self, vlan: u16, batch: &mut FlowBatch, row: usize) {
        batch.set(c::VLAN, row, vlan);
        if let Some(priority) = self.vlan_priority {
            batch.set(c::VLAN_PRIORITY, row, priority);
        }
        if let Some(inner) = self.inner_vlan {
            batch.set(c::INNER_VLAN, row, inner);
        }
    }
}

impl IpHeader {
    #[inline]
    fn write(&self, batch: &mut FlowBatch, row: usize) {
        batch.set(c::IP_VERSION, row, self.version);
        if let Some(src) = self.src {
            batch.set(c::SRC_ADDR, row, src);
        }
        if let Some(dst) = self.dst {
            batch.set(c::DST_ADDR, row, dst);
        }
        if let Some(proto) = self.proto {
            batch.set(c::PROTO, row, proto);
        }
        if let Some(tos) = self.tos {
            batch.set(c::TOS, row, tos);
        }
        if let Some(ttl) = self.ttl {
            batch.set(c::TTL, row, ttl);
        }
        if let Some(fragment) = self.fragment {
            batch.set(c::FRAGMENT_ID, row, fragment.id);
            batch.set(c::FRAGMENT_OFFSET, row, fragment.offset);
            batch.set(c::FRAGMENT_FLAGS, row, fragment.flags);
        }
        if let Some(label) = self.flow_label {
            batch.set(c::FLOW_LABEL, row, label);
        }
    }
}

impl Transport {
    #[inline]
    fn write(&self, batch: &mut FlowBatch, row: usize) {
        if let Some((src, dst)) = self.ports {
            batch.set(c::SRC_PORT, row, src);
            batch.set(c::DST_PORT, row, dst);
        }
        if let Some(flags) = self.tcp_flags {
            batch.set(c::TCP_FLAGS, row, flags);
        }
        if let Some((kind, code)) = self.icmp {
            batch.set(c::ICMP_TYPE, row, kind);
            batch.set(c::ICMP_CODE, row, code);
        }
    }
}

impl LabelStack {
    #[cold]
    fn write(&self, batch: &mut FlowBatch, row: usize) {
        let (mut labels, mut ttls) = ([0; LABELS_MAX * 4], [0; LABELS_MAX * 4]);
        let entries = self.entries();
        for (i, (label, ttl)) in entries.iter().enumerate() {
            labels[i * 4..i * 4 + 4].copy_from_slice(&label.to_be_bytes());
            ttls[i * 4 + 3] = *ttl;
        }
        batch.set_octets(c::MPLS_LABELS, row, &labels[..entries.len() * 4]);
        batch.set_octets(c::MPLS_TTLS, row, &ttls[..entries.len() * 4]);
    }
}

impl Tunnel {
    #[cold]
    fn write(&self, batch: &mut FlowBatch, row: usize) {
        batch.set(c::TUNNEL_KIND, row, self.kind as u8);
        if let Some(id) = self.id {
            batch.set(c::TUNNEL_ID, row, id);
        }
        if let Some((src, dst)) = self.ports {
            batch.set(c::TUNNEL_SRC_PORT, row, src);
            batch.set(c::TUNNEL_DST_PORT, row, dst);
        }
        let Some(outer) = &self.outer else { return };
        if let Some(src) = outer.src {
            batch.set(c::TUNNEL_SRC_ADDR, row, src);
        }
        if let Some(dst) = outer.dst {
            batch.set(c::TUNNEL_DST_ADDR, row, dst);
        }
        if let Some(proto) = outer.proto {
            batch.set(c::TUNNEL_PROTO, row, proto);
        }
        if let Some(tos) = outer.tos {
            batch.set(c::TUNNEL_TOS, row, tos);
        }
        if let Some(ttl) = outer.ttl {
            batch.set(c::TUNNEL_TTL, row, ttl);
        }
    }
}
