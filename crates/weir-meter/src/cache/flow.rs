//! One flow of the cache: what is known of it, what of it was reported, and the record made of it.

use std::sync::Arc;
use std::time::Duration;

use weir_model::Timestamp;

use super::names::Names;
use super::observation::{
    Count, Drops, EndReason, Initiator, Nat, Observation, Record, Side, SourceKind, TcpHealth,
    Tunnel,
};
use super::view::Views;
use crate::cache::Moment;
use crate::endpoint::{End, FlowKey};
use crate::owner::Owner;

const IPPROTO_TCP: u8 = 6;
const FIN: u16 = 1;
const RST: u16 = 4;

/// The socket at one end.
#[derive(Debug)]
struct Socket {
    number: u64,
    state: &'static str,
    tcp: TcpHealth,
    owner: Option<Arc<Owner>>,
    user: Option<(u32, Option<Arc<str>>)>,
    /// The best source that told an owner or a user.
    owner_by: Option<SourceKind>,
    netns: u32,
    ended: bool,
}

#[derive(Debug)]
pub(super) struct Flow {
    key: FlowKey,
    initiator: Initiator,
    sockets: [Option<Socket>; 2],
    views: Views,
    /// State and flags by sources that see no socket.
    state: &'static str,
    tcp_flags: u16,
    /// Which ends have sent a FIN, and whether any has sent a RST.
    fins: [bool; 2],
    is_reset: bool,
    tunnel: Option<Tunnel>,
    drops: Option<Drops>,
    pub(super) names: Option<Arc<Names>>,
    start: Timestamp,
    last: Timestamp,
    /// When it came into the cache.
    pub(super) seen: Duration,
    /// When something new was told of it.
    pub(super) changed: Duration,
    /// When a record was made.
    pub(super) reported: Option<Duration>,
    /// When its last end was told gone.
    pub(super) ended: Option<Duration>,
    /// Told since the last record.
    pub(super) is_dirty: bool,
    sent_reported: [Count; 2],
    retransmits_reported: [u32; 2],
}

impl Flow {
    pub(super) fn new(first: &Observation, now: Moment) -> Flow {
        Flow::empty(first.key, first.initiator, (first.first, first.last), now)
    }

    fn empty(
        key: FlowKey,
        initiator: Initiator,
        (start, last): (Timestamp, Timestamp),
        now: Moment,
    ) -> Flow {
        Flow {
            key,
            initiator,
            sockets: [None, None],
            views: Views::default(),
            state: "",
            tcp_flags: 0,
            fins: [false; 2],
            is_reset: false,
            tunnel: None,
            drops: None,
            names: None,
            start,
            last,
            seen: now.mono,
            changed: now.mono,
            reported: None,
            ended: None,
            is_dirty: true,
            sent_reported: [Count::default(); 2],
            retransmits_reported: [0; 2],
        }
    }

    /// An empty flow under another key, as old as this one.
    pub(super) fn emptied(&self, key: FlowKey, initiator: Initiator, now: Moment) -> Flow {
        let times = (self.start, self.last);
        Flow {
            names: self.names.clone(),
            seen: self.seen,
            ..Flow::empty(key, initiator, times, now)
        }
    }

    /// True when the observation is of a later connection between the same endpoints.
    ///
    /// Only TCP's sockets are connections: a datagram to a group reaches many of UDP's at once.
    /// Where sockets are seen, connection tracking does not say where a connection ends.
    pub(super) fn is_other(&self, seen: &Observation) -> bool {
        if seen.socket == 0 {
            let has_sockets = self.sockets.iter().any(Option::is_some);
            return !has_sockets && seen.active && !seen.ended && self.views.is_over_at(seen);
        }
        seen.key.proto == IPPROTO_TCP
            && self.sockets[seen.end.index()].as_ref().is_some_and(|at| at.number != seen.socket)
    }

    /// True when a process at one of its ends is in a pod.
    pub(super) fn has_pod(&self) -> bool {
        let owners = self.sockets.iter().flatten().filter_map(|socket| socket.owner.as_deref());
        owners.into_iter().any(|owner| {
            owner.cgroup.pod_uid.is_some() || owner.named().is_some_and(|named| named.pod.is_some())
        })
    }

    /// The best source that has told of it.
    pub(super) fn best(&self) -> Option<SourceKind> {
        self.views.best()
    }

    pub(super) fn take(&mut self, seen: &Observation, now: Moment) {
        // Why: A record that said who began the connection is not contradicted by the next.
        if seen.initiator.sure && !self.initiator.sure && self.reported.is_none() {
            self.initiator = seen.initiator;
        }
        self.start = self.start.min(seen.first);
        self.last = self.last.max(seen.last);
        self.views.take(seen);
        self.tcp_flags |= seen.tcp_flags;
        self.fins[seen.end.index()] |= seen.tcp_flags & FIN != 0;
        self.is_reset |= seen.tcp_flags & RST != 0;
        self.tunnel = seen.tunnel.or(self.tunnel);
        if let Some(drops) = &seen.drops {
            self.drop(drops);
        }
        match seen.socket {
            0 if !seen.state.is_empty() => self.state = seen.state,
            0 => {}
            _ => self.socket(seen),
        }
        if seen.active {
            self.changed = now.mono;
            self.is_dirty = true;
        }
        let has_ended = match self.sockets.iter().any(Option::is_some) {
            true => self.sockets.iter().flatten().all(|socket| socket.ended),
            // Where no socket tells, the packets do.
            false => self.views.have_ended() || self.is_reset || self.fins == [true; 2],
        };
        self.ended = has_ended.then_some(self.ended.unwrap_or(now.mono));
    }

    fn socket(&mut self, seen: &Observation) {
        let socket = self.sockets[seen.end.index()].get_or_insert_with(|| Socket {
            number: seen.socket,
            state: "",
            tcp: TcpHealth::default(),
            owner: None,
            user: None,
            owner_by: None,
            netns: 0,
            ended: false,
        });
        // Why: Of UDP's the next of the same port goes on where one has ended.
        socket.ended = seen.ended || (socket.ended && socket.number == seen.socket);
        socket.number = seen.socket;
        if !seen.state.is_empty() {
            socket.state = seen.state;
        }
        socket.tcp.update(&seen.tcp);
        if seen.netns != 0 {
            socket.netns = seen.netns;
        }
        // Why: Of a socket that several processes hold, a search of descriptors finds the first, a
        // program in the kernel the one that uses it.
        let tells_owner = seen.owner.is_some() || seen.user.is_some();
        if tells_owner && socket.owner_by.is_none_or(|by| seen.source <= by) {
            socket.owner_by = Some(seen.source);
            socket.owner = seen.owner.clone().or(socket.owner.take());
            socket.user = seen.user.clone().or(socket.user.take());
        }
    }

    fn drop(&mut self, seen: &Drops) {
        match &mut self.drops {
            Some(drops) => {
                // The reason of the larger part is told.
                if seen.count.packets > drops.count.packets {
                    (drops.reason, drops.name) = (seen.reason, Arc::clone(&seen.name));
                }
                drops.count.add(seen.count);
            }
            None => self.drops = Some(seen.clone()),
        }
    }

    /// Takes all of `other`, the same flow under another key that nothing was reported of. `swap`
    /// when its lower end is our higher one.
    pub(super) fn merge(&mut self, other: Flow, swap: bool) {
        self.views.merge(other.views, swap);
        for (i, socket) in other.sockets.into_iter().enumerate() {
            let at = if swap { 1 - i } else { i };
            if socket.is_some() && self.sockets[at].is_none() {
                self.sockets[at] = socket;
            }
        }
        self.tcp_flags |= other.tcp_flags;
        self.tunnel = self.tunnel.or(other.tunnel);
        if let Some(drops) = &other.drops {
            self.drop(drops);
        }
        self.start = self.start.min(other.start);
        self.last = self.last.max(other.last);
        self.is_dirty = true;
    }

    /// Makes a record of what is not reported yet.
    pub(super) fn report(&mut self, reason: EndReason, nat: Option<&Nat>, now: Moment) -> Record {
        let (src, dst) = (self.initiator.end, self.initiator.end.other());
        let mut sent = |end: End| {
            let (sum, total) = self.views.sent_by(end);
            let reported = &mut self.sent_reported[end.index()];
            let delta = sum.minus(*reported);
            // Why: The larger of the two, so that a view that comes late, whose figure may be
            // smaller than what another has told, does not report a part of it twice.
            reported.add(delta);
            (delta, total)
        };
        let ((forward, forward_total), (reverse, reverse_total)) = (sent(src), sent(dst));
        let mut again = |end: End| {
            let sum = self.views.socket_at(end)?.retransmits;
            let reported = &mut self.retransmits_reported[end.index()];
            let delta = sum.saturating_sub(*reported);
            *reported += delta;
            Some(delta)
        };
        let (retransmits, reverse_retransmits) = (again(src), again(dst));
        self.reported = Some(now.mono);
        self.is_dirty = false;
        Record {
            proto: self.key.proto,
            src: self.key.endpoint(src),
            dst: self.key.endpoint(dst),
            sure: self.initiator.sure,
            reason,
            start: self.start,
            end: self.last.max(self.start),
            forward,
            reverse,
            forward_total,
            reverse_total,
            retransmits,
            reverse_retransmits,
            drops: self.drops.take(),
            state: self.state,
            tcp_flags: self.tcp_flags,
            src_side: self.side(src),
            dst_side: self.side(dst),
            nat: nat.cloned(),
            tunnel: self.tunnel,
            interfaces: self.views.interfaces(),
            through: self.views.through(src),
            sources: self.views.sources(),
            names: self.names.clone(),
        }
    }

    fn side(&self, end: End) -> Option<Side> {
        let socket = self.sockets[end.index()].as_ref()?;
        let view = self.views.socket_at(end)?;
        let (own, other) = (end.index(), end.other().index());
        Some(Side {
            socket: socket.number,
            sent: view.sums[own],
            received: view.sums[other],
            sent_total: view.totals[own],
            received_total: view.totals[other],
            retransmits: view.retransmits,
            state: socket.state,
            tcp: socket.tcp,
            owner: socket.owner.clone(),
            user: socket.user.clone(),
            netns: socket.netns,
        })
    }
}
