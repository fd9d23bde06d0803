//! Tier 4: TCP sockets by NETLINK_SOCK_DIAG, with all of `tcp_info`.
//!
//! Every interval the listeners are dumped, which tell who serves, then the connections. Between
//! dumps the kernel tells of destroyed sockets, so that a connection shorter than the interval is
//! seen with its final counts (without owner: the notification has no inode). Octets are payload:
//! those sent include what was sent again, those received do not. docs/meter.md says what is missed.
//! Our own network namespace needs no privilege; others are looked into where `setns` is allowed.

pub(super) mod message;
mod space;
mod table;
mod tcp_info;

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::namespaces::{self, Others};
use super::{Intake, Source, SourceError, Tier};
use crate::cache::Moment;
use crate::netlink::Netlink;
use space::{Doors, Space};

/// Name of the tier.
pub(crate) const NAME: &str = "inet_diag";
/// Name of the part of it that other namespaces are.
const NAMESPACES: &str = "network_namespaces";
/// Longest interval between looks.
const INTERVAL_MAX: Duration = Duration::from_secs(30);

/// What of it an operator decides.
#[derive(Debug, Clone)]
pub struct InetDiagPolicy {
    /// Shortest time between looks.
    pub interval: Duration,
    /// Ask to be told of destroyed sockets. Where a better source tells of every end it would only
    /// cost.
    pub ends: bool,
    /// A look may take one part in so many of the time.
    pub share: u32,
    /// Sockets followed, in all namespaces together.
    pub sockets_max: usize,
    /// Where the process tree is.
    pub proc: PathBuf,
}

/// The source.
#[derive(Debug)]
pub struct InetDiag {
    policy: InetDiagPolicy,
    own: Space,
    others: Option<Others<Space>>,
}

impl InetDiag {
    /// Asks the kernel once for listeners, whether it tells of destroyed sockets, and whether
    /// other namespaces may be entered.
    pub fn probe(policy: InetDiagPolicy) -> (Vec<Tier>, Option<InetDiag>) {
        const COSTS: &str = "connections of this machine are not seen";
        let doors = match Doors::open(policy.ends) {
            Ok(doors) => doors,
            Err(error) => return (vec![Tier::missing(NAME, error.to_string(), COSTS)], None),
        };
        let tier = match &doors.destroyed {
            Ok(_) => Tier::runs(NAME),
            Err(_) if !policy.ends => Tier::runs(NAME),
            Err(error) => {
                let why = format!("ends of connections are not told: {error}");
                let costs =
                    "connections shorter than the interval are missed, and the last part of others";
                Tier::partly(NAME, why, costs)
            }
        };
        let ends = policy.ends;
        let entered = namespaces::enter(None, move || Doors::open(ends)).map(drop);
        let own = namespaces::own();
        let spaces = match (&entered, own) {
            (Ok(()), Some(_)) => Tier::runs(NAMESPACES),
            (Ok(()), None) => Tier::optional(NAMESPACES, "/proc names no namespaces".to_owned()),
            (Err(error), _) => {
                Tier::optional(NAMESPACES, format!("{error} (it needs CAP_SYS_ADMIN)"))
            }
        };
        let others = own.filter(|_| entered.is_ok()).map(Others::new);
        let netns = own.and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
        let own = Space::new(doors, (0, netns), true);
        (vec![tier, spaces], Some(InetDiag { policy, own, others }))
    }
}

/// Finds namespaces that are new and gives up those that nobody is in.
fn look(others: &mut Others<Space>, policy: &InetDiagPolicy, now: Moment, intake: &mut Intake<'_>) {
    let ends = policy.ends;
    let open = |number, path: &Path, has_history| {
        let doors = namespaces::enter(Some(path), move || Doors::open(ends))?;
        Ok(Some(Space::new(doors, (number, number), has_history)))
    };
    others.look(&policy.proc, now.mono, open, |space| {
        // What was told of its sockets meanwhile is taken; the rest vanishes with it.
        let _unread = space.take_destroyed(now, intake);
        space.table.end(now, intake);
    });
}

impl Source for InetDiag {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<Duration, SourceError> {
        let began = Instant::now();
        self.own.take_destroyed(now, intake)?;
        self.own.dump(self.policy.sockets_max, now, intake)?;
        if let Some(others) = &mut self.others {
            look(others, &self.policy, now, intake);
            let mut room =
                self.policy.sockets_max.saturating_sub(self.own.table_counts().sockets as usize);
            for space in others.spaces.values_mut() {
                // Why: A namespace that cannot be read any more does not keep the rest unread.
                let read = space.take_destroyed(now, intake);
                if read.and_then(|()| space.dump(room, now, intake)).is_err() {
                    others.refused += 1;
                }
                room = room.saturating_sub(space.table_counts().sockets as usize);
            }
        }
        intake.owners.search(now.mono);
        let tables = self.spaces_mut().map(|space| &mut space.table);
        tables.for_each(|table| table.tell_owners(now, intake));
        let (shortest, took) = (self.policy.interval, began.elapsed());
        Ok((took * self.policy.share).clamp(shortest, INTERVAL_MAX.max(shortest)))
    }

    fn events(&self) -> Option<BorrowedFd<'_>> {
        self.own.doors.destroyed.as_ref().ok().map(Netlink::fd)
    }

    fn drain(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<(), SourceError> {
        for space in self.spaces_mut() {
            space.take_destroyed(now, intake)?;
        }
        Ok(())
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let others = self.others.iter().flat_map(|others| others.spaces.values());
        let spaces: Vec<&Space> = std::iter::once(&self.own).chain(others).collect();
        let sum = |of: &dyn Fn(&Space) -> u64| spaces.iter().map(|space| of(space)).sum();
        let other = |of: &dyn Fn(&Others<Space>) -> u64| self.others.as_ref().map_or(0, of);
        vec![
            ("dumps", sum(&|space| space.counts.dumps)),
            ("dumps_interrupted", sum(&|space| space.counts.interrupted)),
            ("notifications_lost", sum(&|space| space.counts.lost)),
            ("sockets", sum(&|space| space.table_counts().sockets)),
            ("sockets_untracked", sum(&|space| space.table_counts().untracked)),
            ("connections_seen_only_at_their_end", sum(&|space| space.table_counts().short)),
            ("sockets_vanished", sum(&|space| space.table_counts().vanished)),
            ("namespaces", spaces.len() as u64),
            ("namespaces_refused", other(&|others| others.refused)),
            ("namespaces_untold", other(&|others| others.untold)),
        ]
    }
}

impl InetDiag {
    fn spaces_mut(&mut self) -> impl Iterator<Item = &mut Space> {
        let others = self.others.iter_mut().flat_map(|others| others.spaces.values_mut());
        std::iter::once(&mut self.own).chain(others)
    }
}

#[cfg(test)]
mod tests;
