//! Requests and answers of ctnetlink (linux/netfilter/nfnetlink_conntrack.h).
//!
//! A message is `struct nfgenmsg` (family, version, resource id: 4 octets) and attributes, whose
//! numbers are in network order. Attributes of a wrong length are taken for absent; an entry
//! without its two tuples or its id is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weir_model::{Addr, Timestamp};

use crate::cache::Count;
use crate::endpoint::Endpoint;
use crate::netlink::attributes;

/// NFNL_SUBSYS_CTNETLINK and IPCTNL_MSG_CT_NEW: an entry in a dump, or one that began or changed.
pub(super) const ENTRY: u16 = 1 << 8;
/// IPCTNL_MSG_CT_GET.
pub(super) const GET: u16 = 1 << 8 | 1;
/// IPCTNL_MSG_CT_DELETE: an entry that ended.
pub(super) const DELETED: u16 = 1 << 8 | 2;
/// IPCTNL_MSG_CT_GET_STATS.
pub(super) const GET_STATS: u16 = 1 << 8 | 5;
/// NFNLGRP_CONNTRACK_NEW (1) and NFNLGRP_CONNTRACK_DESTROY (3), as bits.
///
/// Why: not UPDATE, which tells each step of every handshake: the next dump tells what came of it.
pub(super) const EVENTS: u32 = 1 << 0 | 1 << 2;

/// NLA_F_NESTED.
const NESTED: u16 = 1 << 15;
/// Octets of `struct nfgenmsg`.
const HEADER: usize = 4;

const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_STATUS: u16 = 3;
const CTA_PROTOINFO: u16 = 4;
const CTA_TIMEOUT: u16 = 7;
const CTA_MARK: u16 = 8;
const CTA_COUNTERS_ORIG: u16 = 9;
const CTA_COUNTERS_REPLY: u16 = 10;
const CTA_ID: u16 = 12;
const CTA_TUPLE_MASTER: u16 = 14;
const CTA_ZONE: u16 = 18;
const CTA_TIMESTAMP: u16 = 20;
const CTA_LABELS: u16 = 22;

/// IP_CT_TCP_FLAG_BE_LIBERAL, which the kernel sets in both directions of a connection that it
/// found under way.
const BE_LIBERAL: u8 = 0x08;

/// ICMP and ICMPv6 of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Icmp {
    pub(super) kind: u8,
    pub(super) code: u8,
    pub(super) id: u16,
}

/// One direction of a connection, as its packets look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tuple {
    pub(super) proto: u8,
    /// Source; port 0 where the protocol has none.
    pub(super) src: Endpoint,
    /// Destination.
    pub(super) dst: Endpoint,
    pub(super) icmp: Option<Icmp>,
    /// Zone of this direction alone.
    pub(super) zone: Option<u16>,
}

/// What is known of TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tcp {
    pub(super) state: Option<u8>,
    /// It was found under way, so that who began it is not known.
    pub(super) is_picked_up: bool,
}

/// One entry of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: u32,
    pub(super) original: Tuple,
    pub(super) reply: Tuple,
    /// The connection that this one belongs to (FTP's data and the like).
    pub(super) master: Option<Tuple>,
    /// IPS_* bits.
    pub(super) status: u32,
    /// Seconds that are left.
    pub(super) timeout: Option<u32>,
    pub(super) mark: u32,
    pub(super) zone: u16,
    pub(super) labels: Option<[u8; 16]>,
    /// What the originator sent; `None` without accounting.
    pub(super) sent: Option<Count>,
    /// What came back.
    pub(super) received: Option<Count>,
    /// When it began; `None` without timestamps.
    pub(super) start: Option<Timestamp>,
    /// When it ended.
    pub(super) stop: Option<Timestamp>,
    pub(super) tcp: Option<Tcp>,
}

impl Entry {
    /// Reads the body of a message.
    pub(super) fn read(body: &[u8]) -> Option<Entry> {
        let (mut id, mut original, mut reply) = (None, None, None);
        let (mut master, mut zone) = (None, None);
        let (mut status, mut timeout, mut mark, mut labels) = (0, None, 0, None);
        let (mut sent, mut received, mut tcp) = (None, None, None);
        let (mut start, mut stop) = (None, None);
        for (kind, value) in attributes(body.get(HEADER..)?) {
            match kind {
                CTA_TUPLE_ORIG => original = tuple(value),
                CTA_TUPLE_REPLY => reply = tuple(value),
                CTA_TUPLE_MASTER => master = tuple(value),
                CTA_ID => id = be32(value),
                CTA_STATUS => status = be32(value).unwrap_or(0),
                CTA_TIMEOUT => timeout = be32(value),
                CTA_MARK => mark = be32(value).unwrap_or(0),
                CTA_ZONE => zone = be16(value),
                CTA_LABELS => labels = value.try_into().ok().filter(|bits| *bits != [0; 16]),
                CTA_COUNTERS_ORIG => sent = counters(value),
                CTA_COUNTERS_REPLY => received = counters(value),
                CTA_TIMESTAMP => (start, stop) = timestamps(value),
                CTA_PROTOINFO => tcp = protoinfo(value),
                _ => {}
            }
        }
        let (mut original, mut reply): (Tuple, Tuple) = (original?, reply?);
        // As elsewhere, a flow has type and code of what was asked in the responder's port.
        if let Some(Icmp { kind, code, .. }) = original.icmp {
            original.dst.port = u16::from_be_bytes([kind, code]);
            reply.src.port = original.dst.port;
        }
        let is_one = original.proto == reply.proto;
        let zone = zone.or(original.zone).or(reply.zone).unwrap_or(0);
        is_one.then_some(Entry {
            id: id?,
            original,
            reply,
            master,
            status,
            timeout,
            mark,
            zone,
            labels,
            sent,
            received,
            start,
            stop,
            tcp,
        })
    }

    /// Addresses or ports of the reply are not those of the original turned round.
    pub(super) fn is_translated(&self) -> bool {
        self.original.src != self.reply.dst || self.original.dst != self.reply.src
    }
}

/// The body of a request for all entries, of one `zone` if it is given (Linux 6.8; those before it
/// answer with all).
pub(super) fn request(zone: Option<u16>) -> Vec<u8> {
    // AF_UNSPEC: both families in one walk.
    let mut body = vec![0; HEADER];
    if let Some(zone) = zone {
        attribute(&mut body, CTA_ZONE, &zone.to_be_bytes());
    }
    body
}

/// The body of a request for the one entry between these, and its zone.
pub(super) fn request_one(proto: u8, src: Endpoint, dst: Endpoint, zone: u16) -> Vec<u8> {
    let (is_v4, addresses) = (src.addr.as_v4().is_some(), [src.addr, dst.addr]);
    let mut ip = Vec::new();
    for (i, addr) in addresses.into_iter().enumerate() {
        match addr.to_ip() {
            IpAddr::V4(addr) => attribute(&mut ip, 1 + i as u16, &addr.octets()),
            IpAddr::V6(addr) => attribute(&mut ip, 3 + i as u16, &addr.octets()),
        }
    }
    let mut transport = Vec::new();
    attribute(&mut transport, 1, &[proto]);
    attribute(&mut transport, 2, &src.port.to_be_bytes());
    attribute(&mut transport, 3, &dst.port.to_be_bytes());
    let mut tuple = Vec::new();
    attribute(&mut tuple, 1 | NESTED, &ip);
    attribute(&mut tuple, 2 | NESTED, &transport);
    let mut body = vec![if is_v4 { 2 } else { 10 }, 0, 0, 0];
    attribute(&mut body, CTA_TUPLE_ORIG | NESTED, &tuple);
    if zone != 0 {
        attribute(&mut body, CTA_ZONE, &zone.to_be_bytes());
    }
    body
}

/// Appends an attribute. Everything that is asked for is far shorter than 64 KiB.
fn attribute(to: &mut Vec<u8>, kind: u16, value: &[u8]) {
    to.extend_from_slice(&((4 + value.len()) as u16).to_ne_bytes());
    to.extend_from_slice(&kind.to_ne_bytes());
    to.extend_from_slice(value);
    to.resize(to.len().next_multiple_of(4), 0);
}

/// Entries of the table and most that it may have, in an answer to GET_STATS.
pub(super) fn stats(body: &[u8]) -> (Option<u32>, Option<u32>) {
    let mut found = (None, None);
    for (kind, value) in attributes(body.get(HEADER..).unwrap_or_default()) {
        match kind {
            1 => found.0 = be32(value),
            2 => found.1 = be32(value),
            _ => {}
        }
    }
    found
}

/// Names of TCP's states in connection tracking, which follows both ends at once.
pub(super) fn state_name(state: u8) -> Option<&'static str> {
    const NAMES: [&str; 10] = [
        "NONE",
        "SYN_SENT",
        "SYN_RECV",
        "ESTABLISHED",
        "FIN_WAIT",
        "CLOSE_WAIT",
        "LAST_ACK",
        "TIME_WAIT",
        "CLOSE",
        "SYN_SENT2",
    ];
    NAMES.get(usize::from(state)).copied()
}

/// TIME_WAIT and CLOSE: nothing more is expected, though the entry stays for up to two minutes.
pub(super) fn is_over(state: u8) -> bool {
    matches!(state, 7 | 8)
}

fn tuple(octets: &[u8]) -> Option<Tuple> {
    let (mut addresses, mut transport, mut zone) = (None, None, None);
    for (kind, value) in attributes(octets) {
        match kind {
            1 => addresses = ip(value),
            2 => transport = proto(value),
            3 => zone = be16(value),
            _ => {}
        }
    }
    let ((src, dst), (proto, ports, icmp)) = (addresses?, transport?);
    let at = |addr, port| Endpoint { addr, port };
    Some(Tuple { proto, src: at(src, ports.0), dst: at(dst, ports.1), icmp, zone })
}

fn ip(octets: &[u8]) -> Option<(Addr, Addr)> {
    let v4 = |value: &[u8]| {
        let octets: [u8; 4] = value.try_into().ok()?;
        Some(Addr::from(IpAddr::V4(Ipv4Addr::from(octets))))
    };
    let v6 = |value: &[u8]| {
        let octets: [u8; 16] = value.try_into().ok()?;
        Some(Addr::from(IpAddr::V6(Ipv6Addr::from(octets))))
    };
    let (mut src, mut dst) = (None, None);
    for (kind, value) in attributes(octets) {
        match kind {
            1 => src = v4(value),
            2 => dst = v4(value),
            3 => src = v6(value),
            4 => dst = v6(value),
            _ => {}
        }
    }
    Some((src?, dst?))
}

type Transport = (u8, (u16, u16), Option<Icmp>);

fn proto(octets: &[u8]) -> Option<Transport> {
    let (mut number, mut ports) = (None, (0, 0));
    let (mut id, mut kind, mut code) = (None, None, None);
    for (attribute, value) in attributes(octets) {
        match attribute {
            1 => number = octet(value),
            2 => ports.0 = be16(value)?,
            3 => ports.1 = be16(value)?,
            4 | 7 => id = be16(value),
            5 | 8 => kind = octet(value),
            6 | 9 => code = octet(value),
            _ => {}
        }
    }
    let icmp = || Some(Icmp { kind: kind?, code: code?, id: id? });
    Some((number?, ports, icmp()))
}

fn counters(octets: &[u8]) -> Option<Count> {
    let (mut packets, mut sum) = (None, None);
    for (kind, value) in attributes(octets) {
        match kind {
            1 => packets = be64(value),
            2 => sum = be64(value),
            _ => {}
        }
    }
    Some(Count { octets: sum?, packets: packets? })
}

fn timestamps(octets: &[u8]) -> (Option<Timestamp>, Option<Timestamp>) {
    let mut found = (None, None);
    let time = |value| i64::try_from(be64(value)?).ok().filter(|time| *time > 0).map(Timestamp);
    for (kind, value) in attributes(octets) {
        match kind {
            1 => found.0 = time(value),
            2 => found.1 = time(value),
            _ => {}
        }
    }
    found
}

fn protoinfo(octets: &[u8]) -> Option<Tcp> {
    // 1 is TCP; DCCP and SCTP have states of their own.
    let (_, tcp) = attributes(octets).find(|(kind, _)| *kind == 1)?;
    let mut state = None;
    let mut liberal = [false; 2];
    for (kind, value) in attributes(tcp) {
        match kind {
            1 => state = octet(value),
            // Flags and their mask.
            4 | 5 => {
                liberal[usize::from(kind - 4)] =
                    matches!(value, [flags, _] if flags & BE_LIBERAL != 0);
            }
            _ => {}
        }
    }
    Some(Tcp { state, is_picked_up: liberal == [true; 2] })
}

fn octet(value: &[u8]) -> Option<u8> {
    <[u8; 1]>::try_from(value).ok().map(|[octet]| octet)
}

fn be16(value: &[u8]) -> Option<u16> {
    value.try_into().ok().map(u16::from_be_bytes)
}

fn be32(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

fn be64(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}
