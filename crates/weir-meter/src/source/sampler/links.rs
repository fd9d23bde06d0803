//! Interfaces: which of them count, so that a packet does once, and how many packets they had.
//!
//! A packet passes several interfaces of a machine: a port of a bridge and the bridge, a VLAN's
//! and the one below it, in by one and out by another. It counts where it is first: on the way in
//! at interfaces that have no other below them, on the way out only if this machine sent it.
//! Limit: packets whose source address is translated to one of this machine's count twice.

use std::collections::{HashMap, HashSet};

use weir_model::Addr;

use crate::netlink::{Message, Netlink, NetlinkError, attributes, u32_at, u64_at};

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFLA_LINKINFO: u16 = 18;
const IFLA_STATS64: u16 = 23;
const IFLA_INFO_KIND: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// Kinds of interfaces whose packets pass another interface too, as they are or in a tunnel that
/// the dissector opens.
const UPPER: [&[u8]; 14] = [
    b"bridge",
    b"bond",
    b"team",
    b"vlan",
    b"vrf",
    b"macvlan",
    b"macvtap",
    b"ipvlan",
    b"vxlan",
    b"geneve",
    b"gretap",
    b"ip6gretap",
    b"gre",
    b"ipip",
];
/// Most interfaces and addresses remembered; of others every packet counts.
const TABLE_MAX: usize = 16_384;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link {
    is_upper: bool,
    /// Packets in and out, by the interface's own account.
    packets: u64,
}

/// Interfaces and addresses of this network namespace, as of the last look.
#[derive(Debug)]
pub(super) struct Links {
    netlink: Netlink,
    table: Table,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    links: HashMap<u32, Link>,
    local: HashSet<Addr>,
}

impl Links {
    pub(super) fn open() -> Result<Links, NetlinkError> {
        let mut links = Links { netlink: Netlink::open(None, 0)?, table: Table::default() };
        links.look()?;
        Ok(links)
    }

    /// Asks the kernel.
    pub(super) fn look(&mut self) -> Result<(), NetlinkError> {
        let Table { links, local } = &mut self.table;
        links.clear();
        self.netlink.dump(RTM_GETLINK, &[0; 16], |message| {
            if let Some((index, link)) = link(&message)
                && links.len() < TABLE_MAX
            {
                links.insert(index, link);
            }
        })?;
        local.clear();
        self.netlink.dump(RTM_GETADDR, &[0; 8], |message| {
            if let Some(addr) = address(&message)
                && local.len() < TABLE_MAX
            {
                local.insert(addr);
            }
        })?;
        Ok(())
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }
}

impl Table {
    /// True where a packet with this source address counts.
    pub(super) fn counts(&self, interface: u32, is_outgoing: bool, src: Option<Addr>) -> bool {
        let is_upper = self.links.get(&interface).is_some_and(|link| link.is_upper);
        // What has no address of IP (ARP and the like) is not forwarded.
        let is_forwarded = is_outgoing && src.is_some_and(|src| !self.local.contains(&src));
        !is_upper && !is_forwarded
    }

    /// Packets of every interface.
    pub(super) fn all(&self) -> HashMap<u32, u64> {
        self.links.iter().map(|(index, link)| (*index, link.packets)).collect()
    }

    /// Packets that the interface has had.
    pub(super) fn packets(&self, interface: u32) -> Option<u64> {
        self.links.get(&interface).map(|link| link.packets)
    }
}

fn link(message: &Message<'_>) -> Option<(u32, Link)> {
    let rest = message.body.get(16..).filter(|_| message.kind == RTM_NEWLINK)?;
    let mut link = Link { is_upper: false, packets: 0 };
    for (kind, value) in attributes(rest) {
        match kind {
            IFLA_LINKINFO => {
                let is_kind = |(kind, _): &(u16, &[u8])| *kind == IFLA_INFO_KIND;
                let name = attributes(value).find(is_kind).map(|(_, name)| name);
                let name = name.and_then(|name| name.split(|octet| *octet == 0).next());
                link.is_upper = name.is_some_and(|name| UPPER.contains(&name));
            }
            IFLA_STATS64 => {
                let packets = |at| u64_at(value, at).unwrap_or(0);
                link.packets = packets(0).wrapping_add(packets(8));
            }
            _ => {}
        }
    }
    Some((u32_at(message.body, 4)?, link))
}

fn address(message: &Message<'_>) -> Option<Addr> {
    let rest = message.body.get(8..).filter(|_| message.kind == RTM_NEWADDR)?;
    let mut found = None;
    for (kind, value) in attributes(rest) {
        let addr = match *value {
            [a, b, c, d] => Addr::v4(u32::from_be_bytes([a, b, c, d])),
            _ => match value.first_chunk::<16>() {
                Some(octets) if value.len() == 16 => Addr::v6(*octets),
                _ => continue,
            },
        };
        match kind {
            // Of a point-to-point link the other attribute is the peer's.
            IFA_LOCAL => return Some(addr),
            IFA_ADDRESS => found = Some(addr),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut octets = ((value.len() + 4) as u16).to_ne_bytes().to_vec();
        octets.extend(kind.to_ne_bytes());
        octets.extend(value);
        octets.resize(octets.len().next_multiple_of(4), 0);
        octets
    }

    #[test]
    fn kinds_with_another_below_them_are_upper() {
        for (kind, is_upper) in [(&b"bridge\0"[..], true), (b"veth\0", false), (b"vlan\0", true)] {
            let mut body = vec![0; 16];
            body[4..8].copy_from_slice(&7u32.to_ne_bytes());
            body.extend(attribute(IFLA_LINKINFO, &attribute(IFLA_INFO_KIND, kind)));
            let stats = [10u64.to_ne_bytes(), 32u64.to_ne_bytes()].concat();
            body.extend(attribute(IFLA_STATS64, &stats));
            let message = Message { kind: RTM_NEWLINK, flags: 0, body: &body };
            assert_eq!(link(&message), Some((7, Link { is_upper, packets: 42 })));
        }
    }

    #[test]
    fn a_packet_counts_where_it_is_first() {
        let (ours, other) = (Addr::v4(1), Addr::v4(2));
        let link = |is_upper| Link { is_upper, packets: 0 };
        let table =
            Table { links: [(1, link(false)), (2, link(true))].into(), local: [ours].into() };
        assert!(table.counts(1, false, Some(other)), "comes in");
        assert!(table.counts(1, true, Some(ours)), "goes out from here");
        assert!(!table.counts(1, true, Some(other)), "is forwarded, and counted when it came in");
        assert!(table.counts(1, true, None), "is no IP");
        assert!(!table.counts(2, false, Some(other)), "has passed the interface below");
        assert!(table.counts(9, false, Some(other)), "by an interface that is new");
    }

    #[test]
    fn the_local_address_of_a_point_to_point_link_is_ours() {
        let mut body = vec![0; 8];
        body.extend(attribute(IFA_ADDRESS, &[192, 0, 2, 1]));
        body.extend(attribute(IFA_LOCAL, &[192, 0, 2, 2]));
        let message = Message { kind: RTM_NEWADDR, flags: 0, body: &body };
        assert_eq!(address(&message), Some(Addr::v4(0xc000_0202)));
    }
}
