//! Sockets that were seen before: what turns the kernel's running totals into what is new.
//!
//! Invariant: of every socket each octet is given to the cache once. What a socket had counted
//! before metering began is its history and no traffic of ours: it shows in totals alone.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use weir_model::{Addr, Timestamp};

use super::message::{SYN_SENT, Socket, fin_received, state_name};
use super::tcp_info::TcpInfo;
use crate::cache::{Count, Initiator, Moment, Observation, SourceKind, TcpHealth};
use crate::endpoint::{End, Endpoint, FlowKey};
use crate::source::Intake;

const IPPROTO_TCP: u8 = 6;
/// Dumps without a socket after which it is gone. One may have missed it: the kernel walks a table
/// that changes meanwhile.
const MISSED_MAX: u32 = 2;

/// Running totals of a socket. Segments are 32 bits in the kernel and wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Totals {
    sent: u64,
    received: u64,
    segs_out: u32,
    segs_in: u32,
    retransmits: u32,
}

impl Totals {
    fn of(info: &TcpInfo, state: u8) -> Totals {
        let received = info.bytes_received.unwrap_or(0);
        Totals {
            // Before 4.19 only what was acknowledged is known, which counts the SYN.
            sent: info.bytes_sent.or(info.bytes_acked).unwrap_or(0),
            received: received.saturating_sub(u64::from(fin_received(state))),
            segs_out: info.segs_out.unwrap_or(0),
            segs_in: info.segs_in.unwrap_or(0),
            retransmits: info.total_retrans.unwrap_or(0),
        }
    }
}

#[derive(Debug)]
struct Known {
    key: FlowKey,
    end: End,
    initiator: Initiator,
    totals: Totals,
    /// Segments since the connection began, in 64 bits.
    sent_packets: u64,
    received_packets: u64,
    state: u8,
    inode: u32,
    uid: u32,
    tcp: TcpHealth,
    /// The owner that the cache was told of.
    owner: Option<u32>,
    dump: u32,
}

/// What the table counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TableCounts {
    /// Sockets known now.
    pub(crate) sockets: u64,
    /// Times that a socket was left out because there were too many.
    pub(crate) untracked: u64,
    /// Connections whose end alone was seen.
    pub(crate) short: u64,
    /// Sockets that went without a notification.
    pub(crate) vanished: u64,
}

#[derive(Debug)]
pub(super) struct Table {
    zone: u32,
    /// The namespace's number, which our own has too; 0 where it is not known.
    netns: u32,
    max: usize,
    sockets: HashMap<u64, Known>,
    listeners: HashSet<Endpoint>,
    listening_ports: HashSet<u16>,
    locals: HashSet<Addr>,
    /// Sockets whose owner is not known yet.
    ownerless: HashSet<u64>,
    dump: u32,
    last_dump: Option<Timestamp>,
    counts: TableCounts,
}

impl Table {
    /// A table of a namespace, whose `zone` is 0 if it is our own; it follows no socket before its first dump begins.
    pub(super) fn new(zone: u32, netns: u32) -> Table {
        Table {
            zone,
            netns,
            max: 0,
            sockets: HashMap::new(),
            listeners: HashSet::new(),
            listening_ports: HashSet::new(),
            locals: HashSet::new(),
            ownerless: HashSet::new(),
            dump: 0,
            last_dump: None,
            counts: TableCounts::default(),
        }
    }

    pub(super) fn counts(&self) -> TableCounts {
        TableCounts { sockets: self.sockets.len() as u64, ..self.counts }
    }

    /// Begins a dump, from which on at most `max` sockets are followed.
    pub(super) fn begin_dump(&mut self, max: usize) {
        self.max = max;
        self.listeners.clear();
        self.listening_ports.clear();
        self.dump = self.dump.wrapping_add(1);
    }

    pub(super) fn listener(&mut self, socket: &Socket) {
        // Bounded as sockets are; past it directions are guessed.
        if self.listeners.len() >= self.max {
            return;
        }
        match socket.local.addr.to_ip().is_unspecified() {
            true => self.listening_ports.insert(socket.local.port),
            false => self.listeners.insert(socket.local),
        };
    }

    /// Takes a socket of a dump. In the `first` dump all that it counted is history.
    pub(super) fn seen(
        &mut self,
        socket: &Socket,
        first: bool,
        now: Moment,
        intake: &mut Intake<'_>,
    ) {
        let Some(info) = socket.info.as_ref().filter(|_| is_connected(socket)) else { return };
        let is_new = !self.sockets.contains_key(&socket.cookie);
        if is_new && !self.admit(socket, first.then_some(info)) {
            return;
        }
        let owner = intake.owners.of(socket.inode, now.mono);
        let Some(known) = self.sockets.get_mut(&socket.cookie) else { return };
        known.dump = self.dump;
        // Why: A closed socket of a connection that goes on has no inode; its owner stays.
        if socket.inode != 0 {
            known.inode = socket.inode;
            known.uid = socket.uid;
        }
        let was = (known.totals, known.state);
        let (sent, received, retransmits) = known.advance(info, socket.state);
        let is_active = is_new || was != (known.totals, known.state);
        let pid = owner.as_ref().map(|owner| owner.pid);
        if pid.is_none() && socket.inode != 0 {
            self.ownerless.insert(socket.cookie);
        }
        if !is_active && (pid.is_none() || pid == known.owner) {
            return;
        }
        known.owner = pid.or(known.owner);
        let (start, last) = span(info, is_new, self.last_dump, now);
        let mut told = known.observation((socket.cookie, self.netns), start, last);
        (told.sent, told.received, told.retransmits) = (sent, received, retransmits);
        told.active = is_active;
        told.owner = owner;
        told.user = Some((known.uid, intake.owners.user(known.uid, now.mono)));
        intake.cache.observe(&told, now);
    }

    /// Takes a notification. A socket that no dump has seen was shorter than the interval.
    pub(super) fn destroyed(&mut self, socket: &Socket, now: Moment, intake: &mut Intake<'_>) {
        let Some(info) = socket.info.as_ref().filter(|_| is_connected(socket)) else { return };
        let is_new = !self.sockets.contains_key(&socket.cookie);
        if is_new {
            let history = self.last_dump.is_none().then_some(info);
            if !self.admit(socket, history) {
                return;
            }
            self.counts.short += 1;
        }
        let Some(mut known) = self.sockets.remove(&socket.cookie) else { return };
        self.ownerless.remove(&socket.cookie);
        // Why: The state is CLOSE by now, so whether the last octet received was the peer's FIN
        // is known only if a dump saw the state that follows it.
        let last_state = known.state;
        let (sent, received, retransmits) =
            known.advance(info, if fin_received(last_state) { last_state } else { socket.state });
        known.state = socket.state;
        let (start, last) = span(info, is_new, self.last_dump, now);
        let mut told = known.observation((socket.cookie, self.netns), start, last);
        (told.sent, told.received, told.retransmits) = (sent, received, retransmits);
        told.owner = intake.owners.of(known.inode, now.mono);
        told.user =
            (known.inode != 0).then(|| (known.uid, intake.owners.user(known.uid, now.mono)));
        (told.active, told.ended) = (true, true);
        intake.owners.forget(known.inode);
        intake.cache.observe(&told, now);
    }

    /// Tells the owners that were found since their sockets were seen.
    pub(super) fn tell_owners(&mut self, now: Moment, intake: &mut Intake<'_>) {
        for cookie in std::mem::take(&mut self.ownerless) {
            let Some(known) = self.sockets.get_mut(&cookie) else { continue };
            let Some(owner) = intake.owners.of(known.inode, now.mono) else { continue };
            known.owner = Some(owner.pid);
            let mut told = known.observation((cookie, self.netns), now.wall, Timestamp(i64::MIN));
            told.owner = Some(owner);
            intake.cache.observe(&told, now);
        }
    }

    /// Ends every socket: the namespace is gone.
    pub(super) fn end(&mut self, now: Moment, intake: &mut Intake<'_>) {
        self.dump = self.dump.wrapping_add(MISSED_MAX);
        self.end_dump(now, intake);
    }

    /// Ends what the dump did not have any more.
    pub(super) fn end_dump(&mut self, now: Moment, intake: &mut Intake<'_>) {
        let (dump, netns, counts) = (self.dump, self.netns, &mut self.counts);
        self.sockets.retain(|cookie, known| {
            if dump.wrapping_sub(known.dump) < MISSED_MAX {
                return true;
            }
            counts.vanished += 1;
            intake.owners.forget(known.inode);
            let mut told = known.observation((*cookie, netns), now.wall, Timestamp(i64::MIN));
            (told.active, told.ended) = (true, true);
            intake.cache.observe(&told, now);
            false
        });
        self.locals.clear();
        self.locals.extend(self.sockets.values().map(|known| known.key.endpoint(known.end).addr));
        self.last_dump = Some(now.wall);
    }

    /// Makes room for a socket and decides who began its connection. `history` is what it had
    /// counted before it was ours to count.
    fn admit(&mut self, socket: &Socket, history: Option<&TcpInfo>) -> bool {
        if self.sockets.len() >= self.max {
            self.counts.untracked += 1;
            return false;
        }
        let (key, end) = FlowKey::new(self.zone(socket), IPPROTO_TCP, socket.local, socket.remote);
        let totals = history.map_or_else(Totals::default, |info| Totals::of(info, socket.state));
        let known = Known {
            key,
            end,
            initiator: self.initiator(socket, end),
            totals,
            sent_packets: totals.segs_out.into(),
            received_packets: totals.segs_in.into(),
            state: socket.state,
            inode: socket.inode,
            uid: socket.uid,
            tcp: TcpHealth::default(),
            owner: None,
            dump: self.dump,
        };
        self.sockets.insert(socket.cookie, known);
        true
    }

    /// Where the addresses mean something. Addresses that a namespace has for itself alone mean
    /// something in it; all others are taken for one plan of addresses, so that the two ends of a
    /// connection between namespaces are one flow.
    fn zone(&self, socket: &Socket) -> u32 {
        match socket.local.addr.to_ip().is_loopback() || socket.remote.addr.to_ip().is_loopback() {
            true => self.zone,
            false => 0,
        }
    }

    /// Who began the connection: who does not listen; else, guessed, who has the higher port.
    /// Both ends of a loopback connection come to the same answer.
    fn initiator(&self, socket: &Socket, end: End) -> Initiator {
        let listens =
            |at: Endpoint| self.listeners.contains(&at) || self.listening_ports.contains(&at.port);
        let (local, remote) = (socket.local, socket.remote);
        let is_ours = remote.addr.to_ip().is_loopback() || self.locals.contains(&remote.addr);
        match (listens(local), is_ours && listens(remote)) {
            (true, false) => Initiator { end: end.other(), sure: true },
            (false, true) => Initiator { end, sure: true },
            _ if socket.state == SYN_SENT => Initiator { end, sure: true },
            // Lower ports are those of services.
            _ if local.port < remote.port => Initiator { end: end.other(), sure: false },
            _ if local.port > remote.port => Initiator { end, sure: false },
            _ => Initiator { end: End::Low, sure: false },
        }
    }
}

impl Known {
    /// Takes newer totals and says what is new. Totals that went back tell nothing.
    fn advance(&mut self, info: &TcpInfo, state: u8) -> (Count, Count, u32) {
        let now = Totals::of(info, state);
        let was = std::mem::replace(&mut self.totals, now);
        self.state = state;
        self.tcp = health(info);
        let packets = |now: u32, was: u32| u64::from(now.wrapping_sub(was));
        let sent = Count {
            octets: now.sent.saturating_sub(was.sent),
            packets: packets(now.segs_out, was.segs_out),
        };
        let received = Count {
            octets: now.received.saturating_sub(was.received),
            packets: packets(now.segs_in, was.segs_in),
        };
        self.sent_packets += sent.packets;
        self.received_packets += received.packets;
        (sent, received, now.retransmits.saturating_sub(was.retransmits))
    }

    /// An observation with totals and health and nothing new.
    fn observation(
        &self,
        (cookie, netns): (u64, u32),
        first: Timestamp,
        last: Timestamp,
    ) -> Observation {
        let mut told = Observation::new(
            SourceKind::InetDiag,
            (self.key, self.end),
            self.initiator,
            (first, last),
        );
        (told.socket, told.netns) = (cookie, netns);
        told.sent_total = Count { octets: self.totals.sent, packets: self.sent_packets };
        told.received_total =
            Count { octets: self.totals.received, packets: self.received_packets };
        told.state = state_name(self.state).unwrap_or("UNKNOWN");
        told.tcp = self.tcp;
        told.active = false;
        told
    }
}

/// A listener that is destroyed, or a socket that never was connected, is no connection.
fn is_connected(socket: &Socket) -> bool {
    socket.remote.port != 0
}

/// First and last packet of what is told now. Whatever is new happened since the last dump, and
/// before the first dump nothing was ours to see.
fn span(
    info: &TcpInfo,
    is_new: bool,
    last_dump: Option<Timestamp>,
    now: Moment,
) -> (Timestamp, Timestamp) {
    let floor = last_dump.unwrap_or(now.wall);
    let last = now.wall.minus(silence(info)).max(floor).min(now.wall);
    let first = if is_new { now.wall.minus(age(info)).max(floor).min(last) } else { last };
    (first, last)
}

/// How long the connection was silent.
fn silence(info: &TcpInfo) -> Duration {
    let times = [info.last_data_sent, info.last_data_recv, info.last_ack_recv];
    Duration::from_millis(times.into_iter().flatten().min().unwrap_or(0).into())
}

/// How long ago the older of its two directions spoke: a lower bound of its age.
fn age(info: &TcpInfo) -> Duration {
    let times = [info.last_data_sent, info.last_data_recv];
    Duration::from_millis(times.into_iter().flatten().max().unwrap_or(0).into())
}

fn health(info: &TcpInfo) -> TcpHealth {
    TcpHealth {
        // 0 is "not measured yet", and so is the highest number for the lowest.
        rtt_us: info.rtt.filter(|rtt| *rtt > 0),
        rtt_min_us: info.min_rtt.filter(|rtt| *rtt > 0 && *rtt != u32::MAX),
        rtt_max_us: None,
        rtt_var_us: info.rttvar.filter(|_| info.rtt.is_some_and(|rtt| rtt > 0)),
        lost: info.lost,
        unacked: info.unacked,
        reordering: info.reordering,
        cwnd: info.snd_cwnd,
        snd_mss: info.snd_mss,
        rcv_mss: info.rcv_mss,
        pmtu: info.pmtu.filter(|pmtu| *pmtu > 0),
        delivery_rate: info.delivery_rate.filter(|rate| *rate > 0),
    }
}
