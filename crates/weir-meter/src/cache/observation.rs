//! What sources tell the cache: counts, health, owners, translations and names.

use std::sync::Arc;

use weir_model::Timestamp;

use super::names::Names;
use crate::endpoint::{End, Endpoint, FlowKey};
use crate::owner::Owner;

/// Octets and packets of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Octets; of what, the source says (docs/meter.md).
    pub octets: u64,
    /// Packets.
    pub packets: u64,
}

impl Count {
    pub(crate) fn add(&mut self, more: Count) {
        self.octets = self.octets.saturating_add(more.octets);
        self.packets = self.packets.saturating_add(more.packets);
    }

    pub(crate) fn minus(self, less: Count) -> Count {
        Count {
            octets: self.octets.saturating_sub(less.octets),
            packets: self.packets.saturating_sub(less.packets),
        }
    }
}

/// How a TCP connection fares, as one of its ends sees it. Null where the kernel is too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is the column of its name")]
pub struct TcpHealth {
    pub rtt_us: Option<u32>,
    pub rtt_min_us: Option<u32>,
    pub rtt_max_us: Option<u32>,
    pub rtt_var_us: Option<u32>,
    pub lost: Option<u32>,
    pub unacked: Option<u32>,
    pub reordering: Option<u32>,
    pub cwnd: Option<u32>,
    pub snd_mss: Option<u32>,
    pub rcv_mss: Option<u32>,
    pub pmtu: Option<u32>,
    pub delivery_rate: Option<u64>,
}

impl TcpHealth {
    /// Takes what `newer` knows; what it does not know stays.
    pub(crate) fn update(&mut self, newer: &TcpHealth) {
        macro_rules! take {
            ($($field:ident),*) => { $(self.$field = newer.$field.or(self.$field);)* };
        }
        take!(rtt_us, rtt_min_us, rtt_max_us, rtt_var_us, lost, unacked, reordering, cwnd);
        take!(snd_mss, rcv_mss, pmtu, delivery_rate);
    }
}

/// Who began a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Initiator {
    /// The end that did.
    pub end: End,
    /// False when it was guessed from the ports.
    pub sure: bool,
}

/// A source of flows, the one whose counts are believed first in front: `metered_by`.
///
/// Packets of a socket are counted with their headers and owner; on an interface with their
/// headers; `tcp_info` counts payload; connection tracking counts buffers of up to 45 segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// eBPF at the control groups' sockets.
    EbpfSockets,
    /// eBPF at interfaces.
    EbpfTcx,
    /// Sockets by NETLINK_SOCK_DIAG.
    InetDiag,
    /// Connection tracking.
    Conntrack,
    /// Where packets are dropped: it counts nothing else.
    EbpfDrops,
}

impl SourceKind {
    /// The word for it in `metered_by`, the table of tiers, metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            SourceKind::EbpfSockets => "ebpf_sockets",
            SourceKind::EbpfTcx => "ebpf_tcx",
            SourceKind::InetDiag => "inet_diag",
            SourceKind::Conntrack => "conntrack",
            SourceKind::EbpfDrops => "ebpf_drops",
        }
    }
}

/// An interface at which packets of a flow were seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its index (`in_if`, `out_if`).
    pub index: u32,
    /// Its name.
    pub name: Arc<str>,
    /// They left by it; else they came in by it.
    pub is_egress: bool,
}

/// The outer packet that carried a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tunnel {
    /// Value of `tunnel_kind`.
    pub kind: u8,
    /// Outer addresses, in the direction of the initiator as far as known.
    pub src: weir_model::Addr,
    /// See `src`.
    pub dst: weir_model::Addr,
    /// VNI or key.
    pub id: u32,
}

/// Packets of a flow that the kernel dropped, since the last observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drops {
    /// How many.
    pub count: Count,
    /// Number of the reason on this kernel; they differ between kernels.
    pub reason: u16,
    /// The kernel's own name of it.
    pub name: Arc<str>,
}

/// What a source tells of a connection, looked at from one of its ends. Counts are since it told
/// the last time.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Who tells.
    pub source: SourceKind,
    /// Where packets were seen, for sources that look at interfaces.
    pub interface: Option<Interface>,
    /// The connection.
    pub key: FlowKey,
    /// The end that was looked at, or from which `sent` went out.
    pub end: End,
    /// Who began it.
    pub initiator: Initiator,
    /// Number of the socket, never used twice: the same endpoints with another are another flow.
    /// 0 where the source sees packets and no socket.
    pub socket: u64,
    /// Number of the table in which a source that sees no socket found the connection: several may
    /// hold it, each with counts of the same packets. 0 where there is no such thing.
    pub place: u64,
    /// Sent by this end since the last observation.
    pub sent: Count,
    /// Received by this end since the last observation.
    pub received: Count,
    /// Sent by this end since the connection began.
    pub sent_total: Count,
    /// Received by this end since the connection began.
    pub received_total: Count,
    /// Segments that this end sent again since the last observation.
    pub retransmits: u32,
    /// Packets that were dropped.
    pub drops: Option<Drops>,
    /// State by its name in RFC 9293; empty where it is not known.
    pub state: &'static str,
    /// TCP flags of all packets, or-ed; 0 where they are not known.
    pub tcp_flags: u16,
    /// Health.
    pub tcp: TcpHealth,
    /// The process, if it is known by now.
    pub owner: Option<Arc<Owner>>,
    /// User id and name, if they are known.
    pub user: Option<(u32, Option<Arc<str>>)>,
    /// Network namespace of the socket, by the inode of its file; 0 where it is not known.
    pub netns: u32,
    /// The outer packet.
    pub tunnel: Option<Tunnel>,
    /// First packet, as far as the source can tell.
    pub first: Timestamp,
    /// Last packet, as far as the source can tell.
    pub last: Timestamp,
    /// Anything but the owner is new: an idle flow is not kept alive by a name that was found.
    pub active: bool,
    /// The socket is gone, or the source sees this connection no more.
    pub ended: bool,
}

impl Observation {
    /// An observation that tells nothing but that there is such a connection.
    pub fn new(
        source: SourceKind,
        (key, end): (FlowKey, End),
        initiator: Initiator,
        (first, last): (Timestamp, Timestamp),
    ) -> Observation {
        Observation {
            source,
            interface: None,
            key,
            end,
            initiator,
            socket: 0,
            place: 0,
            sent: Count::default(),
            received: Count::default(),
            sent_total: Count::default(),
            received_total: Count::default(),
            retransmits: 0,
            drops: None,
            state: "",
            tcp_flags: 0,
            tcp: TcpHealth::default(),
            owner: None,
            user: None,
            netns: 0,
            tunnel: None,
            first,
            last,
            active: true,
            ended: false,
        }
    }
}

/// Why a record was made: `flowEndReason` (IE 136).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum EndReason {
    /// Silent for the idle time-out; the flow left the cache.
    IdleTimeout = 1,
    /// Goes on.
    ActiveTimeout = 2,
    /// The connection ended.
    EndOfFlow = 3,
    /// Metering stops.
    ForcedEnd = 4,
    /// The cache was full.
    LackOfResources = 5,
}

/// One end of a flow, as the best source that looked at it from there tells. Counts are since the
/// cache holds the flow.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// Number of the socket.
    pub socket: u64,
    /// Sent by this end.
    pub sent: Count,
    /// Received by this end.
    pub received: Count,
    /// Sent by this end since the connection began.
    pub sent_total: Count,
    /// Received by this end since the connection began.
    pub received_total: Count,
    /// Segments sent again.
    pub retransmits: u32,
    /// Latest state.
    pub state: &'static str,
    /// Latest health.
    pub tcp: TcpHealth,
    /// The process.
    pub owner: Option<Arc<Owner>>,
    /// User id and name.
    pub user: Option<(u32, Option<Arc<str>>)>,
    /// Network namespace of the socket; 0 where it is not known.
    pub netns: u32,
}

/// What is reported of a flow: initiator to responder is forward.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// IP protocol.
    pub proto: u8,
    /// The initiator's endpoint.
    pub src: Endpoint,
    /// The responder's endpoint.
    pub dst: Endpoint,
    /// False when the initiator was guessed.
    pub sure: bool,
    /// Why.
    pub reason: EndReason,
    /// First packet.
    pub start: Timestamp,
    /// Last packet, never before the first.
    pub end: Timestamp,
    /// Since the last record.
    pub forward: Count,
    /// Since the last record.
    pub reverse: Count,
    /// Since the connection began.
    pub forward_total: Count,
    /// Since the connection began.
    pub reverse_total: Count,
    /// Segments that the initiator sent again since the last record, if its end was seen.
    pub retransmits: Option<u32>,
    /// The same of the responder.
    pub reverse_retransmits: Option<u32>,
    /// Packets dropped since the last record, with the most frequent reason.
    pub drops: Option<Drops>,
    /// State by a source that sees no socket; empty where a side has it.
    pub state: &'static str,
    /// TCP flags of all packets so far, or-ed; 0 where they are not known.
    pub tcp_flags: u16,
    /// The initiator's end, if its socket was seen.
    pub src_side: Option<Side>,
    /// The responder's end, if its socket was seen.
    pub dst_side: Option<Side>,
    /// How addresses were translated on the way.
    pub nat: Option<Nat>,
    /// The outer packet.
    pub tunnel: Option<Tunnel>,
    /// Interfaces at which it was seen, from the one whose counts are the highest.
    pub interfaces: Vec<Interface>,
    /// By which of them the initiator's packets came in, and left.
    pub through: [Option<Interface>; 2],
    /// Sources that saw it, the one whose counts these are first.
    pub sources: Vec<SourceKind>,
    /// Names found in sampled packets.
    pub names: Option<Arc<Names>>,
}

/// How connection tracking translated a connection. The flow's own endpoints are the initiator's
/// before and the responder's after translation: the two that packets really went between.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nat {
    /// What the initiator asked for, where it is not the responder: a service.
    pub service: Option<Endpoint>,
    /// What the responder saw in place of the initiator.
    pub masquerade: Option<Endpoint>,
    /// Zone; 0 is the ordinary one.
    pub zone: u16,
    /// Mark.
    pub mark: u32,
    /// Labels, where there are any.
    pub labels: Option<[u8; 16]>,
}
