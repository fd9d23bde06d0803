//! Flow records of a sample (sFlow v5 flow data, the host, HTTP, drop and transit extensions) to
//! the columns of its row.
//!
//! A record's fields are read in order until its body ends; bodies longer than we know are cut.

use weir_model::column::ElementKey;
use weir_model::columns::flows as c;
use weir_model::{ColumnId, FlowBatch, elements};

use super::EXTRA_PEN;
use super::tunnels;
use super::xdr::{Records, Xdr};
use crate::packet::{Dissected, Link, dissect_into};

/// Names of HTTP methods by sFlow's numbers (sFlow HTTP Structures, enum `http_method`).
pub(super) const METHODS: [&str; 9] =
    ["OTHER", "OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT"];

/// One row being filled from the records of its sample.
pub(super) struct Row<'a> {
    pub(super) flows: &'a mut FlowBatch,
    pub(super) row: usize,
    /// Records without a column, in the layout of the `extra` column.
    pub(super) extra: &'a mut Vec<u8>,
    /// What the sampled header said; empty when there was none.
    pub(super) packet: Dissected,
    /// Octets of the sampled packet, as the best record so far tells them.
    pub(super) length: Option<u32>,
    /// True when a record tells of an application's operation, not of a packet.
    pub(super) is_operation: bool,
    /// True once `tunnel_src_addr` and its like have values.
    pub(super) has_tunnel: bool,
}

impl Row<'_> {
    /// Reads all records. The sampled header goes first, because it decides over the others.
    #[inline]
    pub(super) fn fill(&mut self, records: Records<'_>) {
        let mut has_header = false;
        for (format, body) in records {
            if format == 1 {
                has_header = self.header(body).is_some();
                break;
            }
        }
        let mut skip_header = has_header;
        for (format, body) in records {
            match format {
                1 if skip_header => skip_header = false,
                1001 => self.switch(body),
                _ => self.other(format, body, has_header),
            }
        }
    }

    #[inline]
    fn header(&mut self, body: &[u8]) -> Option<()> {
        let mut x = Xdr::new(body);
        let [protocol, frame_length, _stripped] = x.words()?;
        self.length = Some(frame_length);
        let octets = x.opaque()?;
        dissect_into(&mut self.packet, Link(protocol), octets);
        self.packet.write(self.flows, self.row);
        self.packet.write_application(octets, self.flows, self.row);
        self.has_tunnel = self.packet.tunnel.is_some();
        Some(())
    }

    #[inline]
    fn switch(&mut self, body: &[u8]) {
        let Some([src_vlan, src_priority, dst_vlan, dst_priority]) = Xdr::new(body).words() else {
            return self.keep(1001, body);
        };
        // All ones (any number that is no VLAN id) is "unknown".
        if src_vlan < 4096 {
            self.flows.set(c::SRC_VLAN, self.row, src_vlan as u16);
        }
        if dst_vlan < 4096 {
            self.flows.set(c::DST_VLAN, self.row, dst_vlan as u16);
        }
        if src_priority < 8 && self.packet.vlan_priority.is_none() {
            self.flows.set(c::VLAN_PRIORITY, self.row, src_priority as u8);
        }
        // There is one priority column: a priority that changes, or is told only for the packet as
        // it left, is kept as sent. "Unknown, then 0" is what some switches always say.
        let told = if src_priority < 8 { src_priority } else { 0 };
        if dst_priority != told && dst_priority < 8 {
            self.keep(1001, body);
        }
    }

    #[cold]
    fn other(&mut self, format: u32, body: &[u8], has_header: bool) {
        let mut x = Xdr::new(body);
        let x = &mut x;
        // `None` means that the body ended early: what it had is in its columns.
        let _cut_short = match format {
            2 => self.ethernet(x, has_header),
            3 => self.ip(x, 4, has_header),
            4 => self.ip(x, 6, has_header),
            1002 => self.router(x),
            1003 => self.gateway(x),
            1004 => self.user(x),
            1005 => self.url(x),
            1007 => self.nat(x),
            1020 => self.pair(x, c::POST_NAT_SRC_PORT, c::POST_NAT_DST_PORT),
            1006 | 1021..=1030 | 1034 | 1035 => tunnels::record(self, format, body),
            1036 => self.number(x, c::QUEUE_ID),
            1037 => self.acl(x, body),
            1038 => self.text(x, c::DROP_FUNCTION),
            1039 => self.number(x, c::TRANSIT_DELAY_NS),
            1040 => self.number(x, c::QUEUE_DEPTH),
            1041 => self.text(x, c::DROP_FUNCTION).and_then(|()| self.text(x, c::DROP_REASON_NAME)),
            1042 => self.text(x, c::DROP_REASON_NAME),
            1043 => self.timestamp(x),
            2100 | 2101 => self.socket(x, format, body, has_header),
            2201 | 2206 => self.http(x, format, body),
            2209 => self.tcp_info(x),
            2210 => self.entities(x),
            _ => {
                self.is_operation |= matches!(format, 2200 | 2202..=2205 | 2207);
                self.keep(format, body);
                Some(())
            }
        };
    }

    /// Keeps a record as it was sent.
    pub(super) fn keep(&mut self, format: u32, body: &[u8]) {
        let key = ElementKey { pen: EXTRA_PEN | format >> 12, id: (format & 0xfff) as u16 };
        elements::push(self.extra, key, body);
    }

    fn number(&mut self, x: &mut Xdr<'_>, id: ColumnId) -> Option<()> {
        self.flows.set(id, self.row, x.u32()?);
        Some(())
    }

    fn text(&mut self, x: &mut Xdr<'_>, id: ColumnId) -> Option<()> {
        let text = x.text()?;
        if !text.is_empty() {
            self.flows.set_octets(id, self.row, text.as_bytes());
        }
        Some(())
    }

    fn pair(&mut self, x: &mut Xdr<'_>, src: ColumnId, dst: ColumnId) -> Option<()> {
        self.flows.set(src, self.row, x.u32()? as u16);
        self.flows.set(dst, self.row, x.u32()? as u16);
        Some(())
    }

    fn address(&mut self, x: &mut Xdr<'_>, id: ColumnId) -> Option<()> {
        if let Some(addr) = x.address()? {
            self.flows.set(id, self.row, addr);
        }
        Some(())
    }

    /// sampled_ethernet: frame length, source, destination, type.
    fn ethernet(&mut self, x: &mut Xdr<'_>, has_header: bool) -> Option<()> {
        let length = x.u32()?;
        if has_header && self.packet.src_mac.is_some() {
            return Some(());
        }
        // A frame's length decides over the length of the IP packet in it.
        if !has_header {
            self.length = Some(length);
        }
        self.flows.set(c::SRC_MAC, self.row, x.mac()?);
        self.flows.set(c::DST_MAC, self.row, x.mac()?);
        self.flows.set(c::ETHER_TYPE, self.row, u16::try_from(x.u32()?).ok()?);
        Some(())
    }

    /// sampled_ipv4 and sampled_ipv6: length, protocol, addresses, ports, flags, TOS or priority.
    fn ip(&mut self, x: &mut Xdr<'_>, version: u8, has_header: bool) -> Option<()> {
        let length = x.u32()?;
        if self.packet.ip.is_some() {
            return Some(());
        }
        if !has_header {
            self.length = self.length.or(Some(length));
        }
        let (flows, row) = (&mut *self.flows, self.row);
        let proto = x.u32()? as u8;
        flows.set(c::IP_VERSION, row, version);
        flows.set(c::PROTO, row, proto);
        let mut address = || if version == 4 { x.v4() } else { x.v6() };
        flows.set(c::SRC_ADDR, row, address()?);
        flows.set(c::DST_ADDR, row, address()?);
        let [src, dst, flags, tos] = x.words()?;
        match proto {
            // "or equivalent" (sFlow v5, struct sampled_ipv4): type and code.
            1 | 58 => {
                flows.set(c::ICMP_TYPE, row, src as u8);
                flows.set(c::ICMP_CODE, row, dst as u8);
            }
            6 | 17 | 33 | 132 | 136 => {
                flows.set(c::SRC_PORT, row, src as u16);
                flows.set(c::DST_PORT, row, dst as u16);
            }
            _ => {}
        }
        if proto == 6 {
            flows.set(c::TCP_FLAGS, row, flags as u16);
        }
        flows.set(c::TOS, row, tos as u8);
        Some(())
    }

    fn router(&mut self, x: &mut Xdr<'_>) -> Option<()> {
        self.address(x, c::NEXT_HOP)?;
        self.flows.set(c::SRC_MASK, self.row, x.u32()? as u8);
        self.flows.set(c::DST_MASK, self.row, x.u32()? as u8);
        Some(())
    }

    /// Next hop, own AS, source AS, source peer AS, path, communities, preference. An empty path
    /// means that the destination is in the exporter's own AS, which is `dst_as` then.
    fn gateway(&mut self, x: &mut Xdr<'_>) -> Option<()> {
        self.address(x, c::BGP_NEXT_HOP)?;
        let (flows, row) = (&mut *self.flows, self.row);
        let [own, src, src_peer] = x.words()?;
        flows.set(c::EXPORTER_AS, row, own);
        flows.set(c::SRC_AS, row, src);
        flows.set(c::PREV_AS, row, src_peer);
        let segments = x.u32()?;
        let mut path = Vec::new();
        for _ in 0..segments {
            // Sets and sequences are both walked in the order they were sent.
            x.u32()?;
            path.extend_from_slice(x.word_list()?);
        }
        let hop = |at: usize| path.get(at..at + 4)?.first_chunk().map(|c| u32::from_be_bytes(*c));
        match (hop(0), hop(path.len().saturating_sub(4))) {
            (Some(first), Some(last)) => {
                flows.set(c::NEXT_AS, row, first);
                flows.set(c::DST_AS, row, last);
            }
            _ => flows.set(c::DST_AS, row, own),
        }
        flows.set_octets(c::AS_PATH, row, &path);
        flows.set_octets(c::COMMUNITIES, row, x.word_list()?);
        flows.set(c::LOCAL_PREF, row, x.u32()?);
        Some(())
    }

    fn user(&mut self, x: &mut Xdr<'_>) -> Option<()> {
        x.u32()?;
        self.text(x, c::SRC_USER)?;
        x.u32()?;
        self.text(x, c::DST_USER)
    }

    fn url(&mut self, x: &mut Xdr<'_>) -> Option<()> {
        x.u32()?;
        self.text(x, c::HTTP_URL)?;
        self.text(x, c::HTTP_HOST)
    }

    fn nat(&mut self, x: &mut Xdr<'_>) -> Option<()> {
        self.address(x, c::POST_NAT_SRC_ADDR)?;
        self.address(x, c::POST_NAT_DST_ADDR)
    }

    /// Number and direction have no column, so the record is kept too.
    fn acl(&mut self, x: &mut Xdr<'_>, body: &[u8]) -> Option<()> {
        self.keep(1037, body);
        x.u32()?;
        self.text(x, c::ACL_NAME)
    }

    fn timestamp(&mut self, x: &mut Xdr<'_>) -> Option<()> {
        self.flows.set(c::EVENT_TIME, self.row, i64::try_from(x.u64()?).ok()?);
        Some(())
    }

    /// The socket of the agent's host. Without a packet the peer is the source, since requests
    /// are what is sampled; with one, the record is kept beside it.
    fn socket(
        &mut self,
        x: &mut Xdr<'_>,
        format: u32,
        body: &[u8],
        has_header: bool,
    ) -> Option<()> {
        if has_header {
            self.keep(format, body);
            return Some(());
        }
        let (flows, row) = (&mut *self.flows, self.row);
        flows.set(c::PROTO, row, x.u32()? as u8);
        let mut address = || if format == 2100 { x.v4() } else { x.v6() };
        let (local, remote) = (address()?, address()?);
        flows.set(c::SRC_ADDR, row, remote);
        flows.set(c::DST_ADDR, row, local);
        flows.set(c::IP_VERSION, row, if format == 2100 { 4u8 } else { 6 });
        let [local, remote] = x.words()?;
        flows.set(c::SRC_PORT, row, remote as u16);
        flows.set(c::DST_PORT, row, local as u16);
        Some(())
    }

    /// What has no column (referer, agent, type, octets …) stays in the record, which is kept.
    fn http(&mut self, x: &mut Xdr<'_>, format: u32, body: &[u8]) -> Option<()> {
        self.is_operation = true;
        self.keep(format, body);
        let method = METHODS.get(x.u32()? as usize).unwrap_or(&METHODS[0]);
        self.flows.set_octets(c::HTTP_METHOD, self.row, method.as_bytes());
        // Deviation: agents disagree whether 2201 has the version of HTTP (times 1000) that 2206
        // has. What stands there instead is the length of the path, 255 at most.
        let has_version = format == 2206 || x.clone().u32()? >= 1_000;
        if has_version {
            x.u32()?;
        }
        self.text(x, c::HTTP_URL)?;
        self.text(x, c::HTTP_HOST)?;
        x.opaque()?; // Referer.
        x.opaque()?; // User agent.
        if format == 2206 {
            x.opaque()?; // X-Forwarded-For.
        }
        self.text(x, c::SRC_USER)?;
        x.opaque()?; // Type of the content.
        x.u64()?;
        if format == 2206 {
            x.u64()?;
        }
        self.number(x, c::APP_LATENCY_US)?;
        let status = u16::try_from(x.u32()?).ok()?;
        self.flows.set(c::HTTP_STATUS, self.row, status);
        Some(())
    }

    fn tcp_info(&mut self, x: &mut Xdr<'_>) -> Option<()> {
        self.flows.set(c::TCP_INFO_DIRECTION, self.row, x.u32()? as u8);
        for id in TCP_INFO {
            self.number(x, id)?;
        }
        Some(())
    }

    fn entities(&mut self, x: &mut Xdr<'_>) -> Option<()> {
        for id in [c::ENTITY_SRC, c::ENTITY_DST] {
            let [class, index] = x.words()?;
            self.flows.set(id, self.row, u64::from(class) << 32 | u64::from(index));
        }
        Some(())
    }
}

/// Fields of tcp_info (2209) after its direction, in their order.
pub(super) const TCP_INFO: [ColumnId; 11] = [
    c::SND_MSS,
    c::RCV_MSS,
    c::UNACKED,
    c::LOST,
    c::RETRANSMITS,
    c::PMTU,
    c::RTT_US,
    c::RTT_VAR_US,
    c::CWND,
    c::REORDERING,
    c::RTT_MIN_US,
];
