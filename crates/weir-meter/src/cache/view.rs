//! Views: what one source counted of a flow, and whose counts are told.
//!
//! Several sources may see one connection, and one source may see it at several places. Each view
//! is summed by itself; a direction is told from the best source that counted it, so that nothing
//! is counted twice and nothing is lost when a source comes late or goes.

use super::observation::{Count, Interface, Observation, SourceKind};
use crate::endpoint::{End, FlowKey};

const IPPROTO_TCP: u8 = 6;

/// Most views of one flow. Limit: two sockets by two sources, connection tracking, and a dozen
/// interfaces; past it a further interface is only noted where it is known already.
const VIEWS_MAX: usize = 18;

/// What one source saw at one place. Counts are by the end that sent.
#[derive(Debug)]
pub(super) struct View {
    pub(super) source: SourceKind,
    pub(super) interface: Option<Interface>,
    pub(super) socket: u64,
    pub(super) place: u64,
    /// The end at which it looks.
    pub(super) end: End,
    pub(super) sums: [Count; 2],
    pub(super) totals: [Count; 2],
    pub(super) retransmits: u32,
    pub(super) ended: bool,
}

impl View {
    fn of(seen: &Observation) -> View {
        View {
            source: seen.source,
            interface: seen.interface.clone(),
            socket: seen.socket,
            place: seen.place,
            end: seen.end,
            sums: Default::default(),
            totals: Default::default(),
            retransmits: 0,
            ended: false,
        }
    }

    fn is_of(&self, seen: &Observation) -> bool {
        let place = |at: &Option<Interface>| at.as_ref().map(|at| (at.index, at.is_egress));
        let is_same_socket = match (self.socket, seen.socket) {
            (0, 0) => true,
            (0, _) | (_, 0) => false,
            (known, told) => known == told || each_has_one_socket(seen.key),
        };
        self.source == seen.source
            && is_same_socket
            && self.place == seen.place
            && place(&self.interface) == place(&seen.interface)
            // A source of packets may look from either end; one of sockets is at its own.
            && (self.socket == 0 || self.end == seen.end)
    }
}

/// True when each datagram of the flow has one socket at each end: what several sockets tell, one
/// after another or sharing a port, is added. A datagram to a group reaches many sockets, of which
/// the one that saw most is told.
// Limit: what is sent to the broadcast address of an IPv4 subnet that does not end in 255 is taken for one
// socket's, for masks are not known here.
fn each_has_one_socket(key: FlowKey) -> bool {
    let is_group = |end| {
        let addr = key.endpoint(end).addr;
        addr.to_ip().is_multicast() || addr.as_v4().is_some_and(|v4| v4.to_be_bytes()[3] == 255)
    };
    key.proto != IPPROTO_TCP && !is_group(End::Low) && !is_group(End::High)
}

/// All views of a flow.
#[derive(Debug, Default)]
pub(super) struct Views(Vec<View>);

impl Views {
    /// Adds what was seen to its view.
    pub(super) fn take(&mut self, seen: &Observation) {
        let at = match self.0.iter().position(|view| view.is_of(seen)) {
            Some(at) => at,
            None if self.0.len() >= VIEWS_MAX => return,
            None => {
                self.0.push(View::of(seen));
                self.0.len() - 1
            }
        };
        let view = &mut self.0[at];
        view.socket = seen.socket;
        let (own, other) = (seen.end.index(), seen.end.other().index());
        view.sums[own].add(seen.sent);
        view.sums[other].add(seen.received);
        view.totals[own] = seen.sent_total;
        view.totals[other] = seen.received_total;
        view.retransmits = view.retransmits.saturating_add(seen.retransmits);
        view.ended |= seen.ended;
    }

    /// Takes the views of the same flow under another key. `swap` when its ends are the other way.
    pub(super) fn merge(&mut self, other: Views, swap: bool) {
        for mut view in other.0 {
            if swap {
                view.end = view.end.other();
                view.sums.swap(0, 1);
                view.totals.swap(0, 1);
            }
            if self.0.len() < VIEWS_MAX {
                self.0.push(view);
            }
        }
    }

    /// What `end` sent: sum since the cache holds the flow, and total.
    ///
    /// Of the best source the socket that sent it, else the place where most of it was seen: a
    /// place that was passed later, or by a part of the packets, has seen less.
    pub(super) fn sent_by(&self, end: End) -> (Count, Count) {
        let best = self.0.iter().map(|view| view.source).min();
        let rank = |view: &&View| {
            let is_own = view.socket != 0 && view.end == end;
            (is_own, view.sums[end.index()].octets, view.totals[end.index()].octets)
        };
        let views = self.0.iter().filter(|view| Some(view.source) == best);
        let view = views.max_by_key(rank);
        view.map_or_else(Default::default, |view| {
            (view.sums[end.index()], view.totals[end.index()])
        })
    }

    /// The best view of the socket at `end`.
    pub(super) fn socket_at(&self, end: End) -> Option<&View> {
        let views = self.0.iter().filter(|view| view.socket != 0 && view.end == end);
        views.min_by_key(|view| view.source)
    }

    /// True when every place but sockets has said that it is over.
    pub(super) fn have_ended(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|view| view.ended)
    }

    /// True when the table that tells of it has told of an end before: its entry is another now.
    pub(super) fn is_over_at(&self, seen: &Observation) -> bool {
        seen.place != 0 && self.0.iter().any(|view| view.ended && view.is_of(seen))
    }

    /// Sources, the best first.
    pub(super) fn sources(&self) -> Vec<SourceKind> {
        let mut sources: Vec<SourceKind> = self.0.iter().map(|view| view.source).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    /// The best source.
    pub(super) fn best(&self) -> Option<SourceKind> {
        self.0.iter().map(|view| view.source).min()
    }

    /// Interfaces, the one that saw most first, each once.
    pub(super) fn interfaces(&self) -> Vec<Interface> {
        let seen = |view: &&View| view.sums[0].octets.saturating_add(view.sums[1].octets);
        let mut views: Vec<&View> = self.0.iter().filter(|view| view.interface.is_some()).collect();
        views.sort_by_key(|view| std::cmp::Reverse(seen(view)));
        let mut found: Vec<Interface> = Vec::new();
        for interface in views.into_iter().filter_map(|view| view.interface.as_ref()) {
            if !found.iter().any(|known| known.index == interface.index) {
                found.push(interface.clone());
            }
        }
        found
    }

    /// By which interface the packets of `end` came in, and left.
    pub(super) fn through(&self, end: End) -> [Option<Interface>; 2] {
        [false, true].map(|is_egress| {
            let views = self.0.iter().filter(|view| view.sums[end.index()].packets > 0);
            let views = views
                .filter(|view| view.interface.as_ref().is_some_and(|at| at.is_egress == is_egress));
            let most = views.max_by_key(|view| view.sums[end.index()].octets);
            most.and_then(|view| view.interface.clone())
        })
    }
}
