//! What is listed: one row a flow or one a group, kept or left out, in an order.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::Duration;

use clap::ValueEnum;
use weir_model::named;

use super::flows::{Flow, Flows, Side};
use super::record::{Key, Owner};

/// What rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GroupBy {
    /// Single flows
    None,
    /// Processes of this machine by name
    Process,
    /// Containers, or pods
    Container,
    /// Addresses of the other end
    Peer,
    /// Ports of the end that was called
    Port,
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// Octets a second, both directions
    Rate,
    /// Octets a second sent by this machine's end
    Out,
    /// Octets a second received by this machine's end
    In,
    /// Round-trip time
    Rtt,
    /// Segments sent again
    Retransmits,
    /// Octets so far
    Octets,
}

/// Which flows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Show {
    /// All
    All,
    /// Those that carry something now
    Talking,
    /// Those with segments sent again
    Retransmitting,
}

macro_rules! cycle {
    ($type:ident: $first:ident $(, $next:ident)*) => {
        impl $type {
            /// The one after it, the first after the last.
            pub fn next(self) -> $type {
                let all = [$type::$first, $($type::$next),*];
                let at = all.iter().position(|one| *one == self).unwrap_or(0);
                all[(at + 1) % all.len()]
            }

            /// Its word on the command line.
            pub fn word(self) -> String {
                self.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())
            }
        }
    };
}
cycle!(GroupBy: None, Process, Container, Peer, Port);
cycle!(SortBy: Rate, Out, In, Rtt, Retransmits, Octets);
cycle!(Show: All, Talking, Retransmitting);

/// What a row is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowId {
    /// One flow.
    Flow(Key),
    /// All flows of a group.
    Group(String),
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is of.
    pub id: RowId,
    /// Flows in it.
    pub flows: usize,
    /// Octets a second, out and in.
    pub rates: [f64; 2],
    /// Round-trip time in microseconds; in a group the mean of those that have one.
    pub rtt_us: Option<u64>,
    /// Segments sent again.
    pub retransmits: Option<u64>,
    /// Octets so far.
    pub octets: u64,
    /// All of it is over.
    pub is_over: bool,
    /// Some rate of it is of a record that is not of just now.
    pub is_old: bool,
    /// Number of the process, where the group has a single one.
    pub pid: Option<u64>,
    rtts: u64,
}

impl Row {
    fn of(flow: &Flow, id: RowId, side: Side, now: Duration) -> Row {
        let rtt_us = flow.last.health.rtt_us;
        Row {
            id,
            flows: 1,
            rates: side.order(flow.rates(now)),
            rtt_us,
            retransmits: flow.retransmits,
            octets: flow.octets_so_far(),
            is_over: flow.is_over(now),
            is_old: flow.is_old(now),
            pid: flow.owner(side).pid,
            rtts: u64::from(rtt_us.is_some()),
        }
    }

    fn add(&mut self, other: &Row) {
        self.flows += other.flows;
        self.rates = [self.rates[0] + other.rates[0], self.rates[1] + other.rates[1]];
        let rtts = self.rtts + other.rtts;
        let sum = |row: &Row| row.rtt_us.unwrap_or(0).saturating_mul(row.rtts);
        self.rtt_us = sum(self).saturating_add(sum(other)).checked_div(rtts);
        self.rtts = rtts;
        self.retransmits = match (self.retransmits, other.retransmits) {
            (Some(ours), Some(theirs)) => Some(ours.saturating_add(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        self.octets = self.octets.saturating_add(other.octets);
        self.is_over &= other.is_over;
        self.is_old |= other.is_old;
        self.pid = self.pid.filter(|_| self.pid == other.pid);
    }
}

/// How rows are made.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrangement {
    /// What rows are.
    pub group: GroupBy,
    /// What comes first.
    pub sort: SortBy,
    /// Least first.
    pub is_reversed: bool,
    /// Which flows are kept.
    pub show: Show,
    /// The group whose flows alone are kept.
    pub within: Option<(GroupBy, String)>,
}

/// The rows, in their order.
pub fn rows(flows: &Flows, how: &Arrangement, now: Duration) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for flow in flows.iter().filter(|flow| is_kept(flow, how, now)) {
        if how.group == GroupBy::None {
            rows.push(Row::of(flow, RowId::Flow(flow.last.key), flow.side(), now));
            continue;
        }
        for side in sides(flow, how.group) {
            let name = group_of(flow, side, how.group);
            let row = Row::of(flow, RowId::Group(name.clone()), side, now);
            match places.get(&name) {
                Some(&place) => rows[place].add(&row),
                None => {
                    places.insert(name, rows.len());
                    rows.push(row);
                }
            }
        }
    }
    rows.sort_by(|a, b| compare(a, b, how));
    rows
}

fn is_kept(flow: &Flow, how: &Arrangement, now: Duration) -> bool {
    let shown = match how.show {
        Show::All => true,
        Show::Talking => flow.rates(now).iter().sum::<f64>() > 0.0,
        Show::Retransmitting => flow.retransmits > Some(0),
    };
    shown
        && how.within.as_ref().is_none_or(|(group, name)| {
            sides(flow, *group).any(|side| group_of(flow, side, *group) == *name)
        })
}

/// The ends that a flow is counted for: a connection within this machine has a process at each.
fn sides(flow: &Flow, group: GroupBy) -> impl Iterator<Item = Side> + use<> {
    let [src, dst] = match group {
        GroupBy::None | GroupBy::Port => [false; 2],
        GroupBy::Process | GroupBy::Peer => flow.local(),
        GroupBy::Container => [0, 1].map(|i| container(&flow.last.owners[i]).is_some()),
    };
    let neither = (!src && !dst).then(|| flow.side());
    src.then_some(Side::Src).into_iter().chain(dst.then_some(Side::Dst)).chain(neither)
}

/// The group of a flow, looked at from `side`.
pub fn group_of(flow: &Flow, side: Side, group: GroupBy) -> String {
    let key = &flow.last.key;
    match group {
        GroupBy::None => String::new(),
        GroupBy::Process => process(flow.owner(side)).unwrap_or_else(|| "(unknown)".to_owned()),
        GroupBy::Container => {
            container(flow.owner(side)).unwrap_or_else(|| "(no container)".to_owned())
        }
        GroupBy::Peer => match side {
            Side::Src => key.dst.0.to_string(),
            Side::Dst => key.src.0.to_string(),
        },
        GroupBy::Port => format!("{}/{}", key.dst.1, proto(key.proto)),
    }
}

/// Name of the process, else whose it is.
pub fn process(owner: &Owner) -> Option<String> {
    let of = |user: &dyn std::fmt::Display| format!("(of user {user})");
    let user = owner.user.as_ref().map(|user| of(user)).or(owner.uid.map(|uid| of(&uid)));
    owner.process.as_deref().map(str::to_owned).or(user)
}

/// Name of the container, its short id, or its pod.
pub fn container(owner: &Owner) -> Option<String> {
    let id = owner.container_id.as_deref().map(|id| id.chars().take(12).collect());
    let name = owner.container.as_deref().map(str::to_owned);
    name.or(id).or_else(|| owner.pod.as_deref().map(str::to_owned))
}

/// Name of the protocol, or its number.
pub fn proto(number: u8) -> String {
    match named::PROTO.text(number.into()) {
        name if name.is_empty() => number.to_string(),
        name => name,
    }
}

/// Most first, those without a value last whatever the direction; then what goes on, what carried
/// more, and by name, so that equal rows keep their places.
fn compare(a: &Row, b: &Row, how: &Arrangement) -> Ordering {
    let value = |row: &Row| match how.sort {
        SortBy::Rate => Some(row.rates[0] + row.rates[1]),
        SortBy::Out => Some(row.rates[0]),
        SortBy::In => Some(row.rates[1]),
        SortBy::Rtt => row.rtt_us.map(|us| us as f64),
        SortBy::Retransmits => row.retransmits.map(|count| count as f64),
        SortBy::Octets => Some(row.octets as f64),
    };
    let order = match (value(a), value(b)) {
        (Some(a), Some(b)) if how.is_reversed => a.total_cmp(&b),
        (Some(a), Some(b)) => b.total_cmp(&a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    let more = || a.is_over.cmp(&b.is_over).then(b.octets.cmp(&a.octets));
    order.then_with(more).then_with(|| a.id.cmp(&b.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::flows::tests::{LOOKS, at, owner, record};

    const PLAIN: Arrangement = Arrangement {
        group: GroupBy::None,
        sort: SortBy::Rate,
        is_reversed: false,
        show: Show::All,
        within: None,
    };

    /// Three flows: curl sends 100 and gets 900, ssh sends 10 with two segments again, and curl
    /// gets 5,000 of a server within this machine.
    fn flows() -> Flows {
        let mut flows = Flows::default();
        flows.take(record(1, 1, [100, 900], Some(2)), LOOKS, at(1));
        let mut ssh = record(2, 1, [10, 0], Some(2));
        (ssh.owners[0], ssh.retransmits, ssh.health.rtt_us) = (owner("ssh", 9), Some(2), None);
        flows.take(ssh, LOOKS, at(1));
        let mut within = record(3, 1, [0, 5_000], Some(2));
        within.owners[1] = owner("nginx", 8);
        within.health.rtt_us = Some(500);
        flows.take(within, LOOKS, at(1));
        flows
    }

    fn ports(how: &Arrangement) -> Vec<u16> {
        let port = |row: &Row| match &row.id {
            RowId::Flow(key) => key.src.1,
            RowId::Group(name) => panic!("{name}"),
        };
        rows(&flows(), how, at(1)).iter().map(port).collect()
    }

    #[test]
    fn each_order_has_its_first() {
        for (sort, expected) in [
            (SortBy::Rate, [3, 1, 2]),
            (SortBy::Out, [1, 2, 3]),
            (SortBy::In, [3, 1, 2]),
            (SortBy::Rtt, [1, 3, 2]),
            (SortBy::Retransmits, [2, 3, 1]),
            (SortBy::Octets, [3, 1, 2]),
        ] {
            assert_eq!(ports(&Arrangement { sort, ..PLAIN }), expected, "{sort:?}");
        }
        let reversed = Arrangement { sort: SortBy::Rtt, is_reversed: true, ..PLAIN };
        assert_eq!(ports(&reversed), [3, 1, 2], "what has no value stays last");
    }

    #[test]
    fn a_connection_within_the_machine_is_each_process_s_own() {
        let how = Arrangement { group: GroupBy::Process, ..PLAIN };
        let rows = rows(&flows(), &how, at(1));
        let told: Vec<_> = rows.iter().map(|row| (row.id.clone(), row.flows, row.rates)).collect();
        let group = |name: &str| RowId::Group(name.to_owned());
        assert_eq!(
            told,
            [
                (group("curl"), 2, [100.0, 5_900.0]),
                (group("nginx"), 1, [5_000.0, 0.0]),
                (group("ssh"), 1, [10.0, 0.0]),
            ]
        );
        assert_eq!((rows[0].rtt_us, rows[0].pid, rows[0].octets), (Some(1_000), Some(7), 6_000));
        assert_eq!(flows().total(at(1)).rates, [110.0, 5_900.0], "the total has it once");
    }

    #[test]
    fn groups_by_peer_port_and_container() {
        let names = |group| {
            let rows = rows(&flows(), &Arrangement { group, ..PLAIN }, at(1));
            rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
        };
        let group = |name: &str| RowId::Group(name.to_owned());
        assert_eq!(names(GroupBy::Peer), [group("10.0.0.2"), group("10.0.0.1")]);
        assert_eq!(names(GroupBy::Port), [group("443/tcp")]);
        assert_eq!(names(GroupBy::Container), [group("(no container)")]);
        let mut pods = Flows::default();
        let mut flow = record(1, 1, [1, 1], Some(2));
        flow.owners[0].container_id = Some("0123456789abcdef".into());
        flow.owners[1].pod = Some("shop/web-0".into());
        pods.take(flow, LOOKS, at(1));
        let how = Arrangement { group: GroupBy::Container, ..PLAIN };
        let ids: Vec<_> = rows(&pods, &how, at(1)).into_iter().map(|row| row.id).collect();
        assert_eq!(ids, [group("0123456789ab"), group("shop/web-0")]);
        let mut called = record(2, 1, [1, 1], Some(2));
        called.owners = [Owner::default(), Owner { pod: Some("db-0".into()), ..Owner::default() }];
        pods.take(called, LOOKS, at(1));
        assert_eq!(
            rows(&pods, &how, at(1)).len(),
            3,
            "the end that has a container is looked from"
        );
    }

    #[test]
    fn rows_are_kept_by_what_is_shown_and_by_their_group() {
        let talking = Arrangement { show: Show::Talking, ..PLAIN };
        assert_eq!(rows(&flows(), &talking, at(9)).len(), 0);
        assert_eq!(ports(&Arrangement { show: Show::Retransmitting, ..PLAIN }), [2]);
        let within = Some((GroupBy::Process, "nginx".to_owned()));
        assert_eq!(ports(&Arrangement { within, ..PLAIN }), [3]);
    }

    #[test]
    fn keys_cycle_through_all() {
        assert_eq!(SortBy::Octets.next(), SortBy::Rate);
        assert_eq!(GroupBy::None.next().word(), "process");
        assert_eq!(Show::Retransmitting.next(), Show::All);
    }
}
