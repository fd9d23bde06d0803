//! Tier 3: connection tracking by ctnetlink.
//!
//! The kernel tells of entries that begin and end, with final counts, so that a connection shorter
//! than any interval is seen; every interval the table is dumped for what living ones have counted
//! since. An entry has both directions as their packets look, so it knows the service behind an
//! endpoint: the cache joins to one flow what sockets and interfaces tell by either's addresses.
//! Counts are the worst there are (buffers of up to 45 segments) and are told of flows that no
//! other source sees: forwarded ones above all. It needs CAP_NET_ADMIN. Nothing is switched on
//! that is off, unless the configuration says so. docs/meter.md says what is missed.

mod known;
mod message;
mod setting;
mod space;
mod table;
mod translations;

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::namespaces::{self, Others};
use super::{Intake, Source, SourceError, Tier};
use crate::cache::Moment;
use crate::netlink::{Netlink, NetlinkError};
use space::{Doors, Space};
use table::{Bench, Exclusions};
use translations::Translations;

/// Name of the tier.
pub(crate) const NAME: &str = "conntrack";
/// A poll may take one part in so many of the time.
const SHARE: u32 = 20;
/// Longest interval between polls.
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// Part of the interval that lies between dumps for lost notifications.
const HASTE: u32 = 5;
/// What is lost without the tier.
const COSTS: &str =
    "translated addresses, the services behind them, and forwarded traffic are not seen";

/// What of it an operator decides.
#[derive(Debug, Clone)]
pub struct ConntrackPolicy {
    /// Whether it is read.
    pub enabled: bool,
    /// Shortest time between dumps.
    pub interval: Duration,
    /// Accounting and timestamps may be switched on where they are off.
    pub accounting: bool,
    /// UDP ports of tunnels, whose packets are left out.
    pub tunnel_ports: Vec<u16>,
    /// Zones that are followed; none named is all.
    pub zones: Vec<u16>,
    /// Entries followed, in all namespaces together.
    pub entries_max: usize,
    /// Where the process tree is.
    pub proc: PathBuf,
}

impl Default for ConntrackPolicy {
    fn default() -> ConntrackPolicy {
        ConntrackPolicy {
            enabled: true,
            interval: Duration::from_secs(5),
            accounting: false,
            // VXLAN, Geneve, and VXLAN as Linux and flannel had it first.
            tunnel_ports: vec![4_789, 6_081, 8_472],
            zones: Vec::new(),
            entries_max: 131_072,
            proc: PathBuf::from("/proc"),
        }
    }
}

/// The source.
#[derive(Debug)]
pub struct Conntrack {
    policy: ConntrackPolicy,
    exclusions: Exclusions,
    own: Space,
    others: Option<Others<Space>>,
    translations: Translations,
    dumped: Option<Duration>,
}

impl Conntrack {
    /// Asks the kernel once how many entries there are.
    pub fn probe(policy: ConntrackPolicy) -> (Vec<Tier>, Option<Conntrack>) {
        let missing = |why| Tier { is_expected: false, ..Tier::missing(NAME, why, COSTS) };
        if !policy.enabled {
            return (vec![missing("switched off: meter.conntrack = false".to_owned())], None);
        }
        let doors = match Doors::open(policy.accounting) {
            Ok(doors) => doors,
            Err(error) if error.is_forbidden() => {
                return (vec![missing(format!("{error} (it needs CAP_NET_ADMIN)"))], None);
            }
            Err(error) => return (vec![missing(error.to_string())], None),
        };
        let exclusions =
            Exclusions { tunnel_ports: policy.tunnel_ports.clone(), zones: policy.zones.clone() };
        // Whether namespaces may be entered, inet_diag's probe tells.
        let may_enter = namespaces::enter(None, || Ok(())).is_ok();
        let others = namespaces::own().filter(|_| may_enter).map(Others::new);
        let source = Conntrack {
            own: Space::new(doors, 0, &exclusions, true),
            others,
            translations: Translations::new(policy.entries_max),
            exclusions,
            policy,
            dumped: None,
        };
        (vec![source.line()], Some(source))
    }

    /// The line of the table of tiers, as things stand.
    fn line(&self) -> Tier {
        let mut why_not = Vec::new();
        let mut costs = "connections that no rule has tracked are not seen";
        let Some(doors) = &self.own.doors else {
            let why = "nf_conntrack is not loaded: no rule asks for connection tracking";
            return Tier { is_expected: false, ..Tier::missing(NAME, why.to_owned(), COSTS) };
        };
        if !doors.settings.accounting {
            costs = "octets and packets of connections that no other source sees are 0";
            let why = match self.policy.accounting {
                true => "accounting is off and could not be switched on: /proc/sys is read-only",
                false => {
                    "accounting is off: `sysctl -w net.netfilter.nf_conntrack_acct=1` or \
                     meter.conntrack_accounting = true counts connections from then on"
                }
            };
            why_not.push(why.to_owned());
        }
        if let Err(error) = &doors.events {
            costs = "connections shorter than the interval are missed, and the last part of others";
            why_not.push(format!("begins and ends are not told: {error}"));
        }
        let entries = self.own.counts.entries.max(doors.entries.into());
        if entries == 0 {
            why_not.push("the table is empty: no rule asks for connection tracking".to_owned());
        }
        match why_not.is_empty() {
            true => Tier::runs(NAME),
            false => Tier { is_expected: false, ..Tier::partly(NAME, why_not.join("; "), costs) },
        }
    }

    fn look_for_spaces(&mut self, now: Moment, intake: &mut Intake<'_>) {
        let Self { policy, exclusions, others, translations, .. } = self;
        let Some(others) = others else { return };
        let accounting = policy.accounting;
        let open = |number, path: &Path, has_history| {
            let doors = namespaces::enter(Some(path), move || Doors::open(accounting))?;
            // Why: Most namespaces have no rule that asks for it, and two open sockets each would
            // be paid for nothing.
            let doors = doors.filter(|doors| doors.entries > 0);
            Ok(doors.map(|doors| Space::new(Some(doors), number, exclusions, has_history)))
        };
        others.look(&policy.proc, now.mono, open, |space| {
            space.end(&mut Bench { cache: intake.cache, translations, now });
        });
    }

    /// Looks at every namespace's table.
    fn look_at_all(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<(), NetlinkError> {
        self.dumped = Some(now.mono);
        let Self { policy, own, others, translations, .. } = self;
        let mut to = Bench { cache: intake.cache, translations, now };
        if own.doors.is_none() {
            // Loaded since: a rule asks for it now.
            own.doors = Doors::open(policy.accounting)?;
        }
        own.limit(policy.entries_max);
        own.take_events(&mut to)?;
        own.look(&mut to)?;
        let mut room = policy.entries_max.saturating_sub(own.table_counts().entries as usize);
        let Some(others) = others else { return Ok(()) };
        for space in others.spaces.values_mut() {
            space.limit(room);
            // Why: A namespace that cannot be read any more does not keep the rest unread.
            let read = space.take_events(&mut to);
            if read.and_then(|()| space.look(&mut to)).is_err() {
                others.refused += 1;
            }
            room = room.saturating_sub(space.table_counts().entries as usize);
        }
        Ok(())
    }

    fn spaces(&self) -> impl Iterator<Item = &Space> {
        let others = self.others.iter().flat_map(|others| others.spaces.values());
        std::iter::once(&self.own).chain(others)
    }

    fn spaces_mut(&mut self) -> (impl Iterator<Item = &mut Space>, &mut Translations) {
        let others = self.others.iter_mut().flat_map(|others| others.spaces.values_mut());
        (std::iter::once(&mut self.own).chain(others), &mut self.translations)
    }
}

impl Source for Conntrack {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<Duration, SourceError> {
        let began = Instant::now();
        self.translations.sweep(intake.cache, now);
        self.look_for_spaces(now, intake);
        self.look_at_all(now, intake)?;
        let (shortest, took) = (self.policy.interval, began.elapsed());
        Ok((took * SHARE).clamp(shortest, INTERVAL_MAX.max(shortest)))
    }

    fn events(&self) -> Option<BorrowedFd<'_>> {
        self.own.doors.as_ref()?.events.as_ref().ok().map(Netlink::fd)
    }

    fn drain(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<(), SourceError> {
        let (spaces, translations) = self.spaces_mut();
        let mut to = Bench { cache: intake.cache, translations, now };
        let mut is_behind = false;
        for space in spaces {
            space.take_events(&mut to)?;
            is_behind |= space.is_behind;
        }
        let since = self.dumped.map_or(Duration::MAX, |dumped| now.mono.saturating_sub(dumped));
        // Why: What was lost is made up for by a dump, but a flood that loses some every moment
        // does not have the table read every moment.
        if is_behind && since >= self.policy.interval / HASTE {
            self.look_at_all(now, intake)?;
        }
        Ok(())
    }

    fn tier(&self) -> Option<Tier> {
        Some(self.line())
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let sum = |of: &dyn Fn(&Space) -> u64| self.spaces().map(of).sum();
        let other = |of: &dyn Fn(&Others<Space>) -> u64| self.others.as_ref().map_or(0, of);
        vec![
            ("dumps", sum(&|space| space.counts.dumps)),
            ("dumps_spared", sum(&|space| space.counts.spared)),
            ("entries_asked_for", sum(&|space| space.counts.asked)),
            ("dumps_interrupted", sum(&|space| space.counts.interrupted)),
            ("notifications_lost", sum(&|space| space.lost)),
            ("messages_unreadable", sum(&|space| space.counts.unreadable)),
            ("entries_in_kernel", sum(&|space| space.counts.entries)),
            ("entries", sum(&|space| space.table_counts().entries)),
            ("entries_of_tunnels", sum(&|space| space.table_counts().tunnels)),
            ("entries_without_counters", sum(&|space| space.table_counts().uncounted)),
            ("entries_untracked", sum(&|space| space.table_counts().untracked)),
            ("entries_evicted", sum(&|space| space.table_counts().evicted)),
            ("entries_vanished", sum(&|space| space.table_counts().vanished)),
            ("connections_seen_only_at_their_end", sum(&|space| space.table_counts().short)),
            ("namespaces", self.spaces().count() as u64),
            ("namespaces_refused", other(&|others| others.refused)),
            ("namespaces_untold", other(&|others| others.untold)),
        ]
    }
}

#[cfg(test)]
mod tests;
