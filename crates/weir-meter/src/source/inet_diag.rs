//! Tier 4: TCP sockets of this network namespace by NETLINK_SOCK_DIAG, with all of `tcp_info`.
//!
//! Every interval the listeners are dumped, which tell who serves, then the connections. Between
//! dumps the kernel tells of destroyed sockets, so that a connection shorter than the interval is
//! seen with its final counts (without owner: the notification has no inode). Octets are payload:
//! those sent include what was sent again, those received do not. docs/meter.md says what is missed.

mod message;
mod table;
mod tcp_info;

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::net::netlink::SOCK_DIAG;

use super::{Intake, Source, SourceError, Tier};
use crate::cache::Moment;
use crate::netlink::{Drained, Netlink, NetlinkError};
use message::{LISTEN, SOCK_DIAG_BY_FAMILY, Socket, TCP_DESTROYED, V4, V6};
use table::Table;
pub(crate) use table::TableCounts;

/// Name of the tier.
pub(crate) const NAME: &str = "inet_diag";
/// Notifications taken at once, before dumps have their turn again.
const DRAIN_MAX: usize = 4_096;
/// A dump may take one part in so many of the time.
const SHARE: u32 = 20;
/// Longest interval between dumps.
const INTERVAL_MAX: Duration = Duration::from_secs(30);

/// The source.
#[derive(Debug)]
pub struct InetDiag {
    dumps: Netlink,
    destroyed: Option<Netlink>,
    interval: Duration,
    table: Table,
    lost: u64,
    interrupted: u64,
    dumped: u64,
    is_first: bool,
}

impl InetDiag {
    /// Asks the kernel once for listeners, and whether it tells of destroyed sockets.
    pub fn probe(interval: Duration, sockets_max: usize) -> (Tier, Option<InetDiag>) {
        const COSTS: &str = "connections of this machine are not seen";
        let dumps = Netlink::open(Some(SOCK_DIAG), 0).and_then(|mut dumps| {
            dumps.dump(SOCK_DIAG_BY_FAMILY, &message::request(V4, 1 << LISTEN), |_| {})?;
            Ok(dumps)
        });
        let dumps = match dumps {
            Ok(dumps) => dumps,
            Err(error) => return (Tier::missing(NAME, error.to_string(), COSTS), None),
        };
        let (tier, destroyed) = match Netlink::open(Some(SOCK_DIAG), TCP_DESTROYED) {
            Ok(destroyed) => (Tier::runs(NAME), Some(destroyed)),
            Err(error) => {
                let why = format!("ends of connections are not told: {error}");
                let costs =
                    "connections shorter than the interval are missed, and the last part of others";
                (Tier::partly(NAME, why, costs), None)
            }
        };
        let table = Table::new(sockets_max);
        let source = InetDiag {
            dumps,
            destroyed,
            interval,
            table,
            lost: 0,
            interrupted: 0,
            dumped: 0,
            is_first: true,
        };
        (tier, Some(source))
    }

    /// Takes all of what the kernel told of destroyed sockets so far.
    fn take_destroyed(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<(), NetlinkError> {
        let Some(destroyed) = &mut self.destroyed else { return Ok(()) };
        let table = &mut self.table;
        let drained = destroyed.drain(DRAIN_MAX, |message| {
            if let Some(socket) = Socket::read(message.body) {
                table.destroyed(&socket, now, intake);
            }
        })?;
        if drained == Drained::Lost {
            self.lost += 1;
        }
        Ok(())
    }

    fn dump(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<(), NetlinkError> {
        let Self { dumps, table, .. } = self;
        table.begin_listeners();
        for family in [V4, V6] {
            let request = message::request(family, 1 << LISTEN);
            dumps.dump(SOCK_DIAG_BY_FAMILY, &request, |message| {
                if let Some(socket) = Socket::read(message.body) {
                    table.listener(&socket);
                }
            })?;
        }
        let is_first = self.is_first;
        for family in [V4, V6] {
            let request = message::request(family, message::CONNECTED);
            let interrupted = dumps.dump(SOCK_DIAG_BY_FAMILY, &request, |message| {
                if let Some(socket) = Socket::read(message.body) {
                    table.seen(&socket, is_first, now, intake);
                }
            })?;
            self.interrupted += u64::from(interrupted);
        }
        self.is_first = false;
        self.dumped += 1;
        table.end_dump(now, intake);
        Ok(())
    }
}

impl Source for InetDiag {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<Duration, SourceError> {
        let began = Instant::now();
        self.take_destroyed(now, intake)?;
        self.dump(now, intake)?;
        let took = began.elapsed();
        Ok((took * SHARE).clamp(self.interval, INTERVAL_MAX.max(self.interval)))
    }

    fn events(&self) -> Option<BorrowedFd<'_>> {
        self.destroyed.as_ref().map(Netlink::fd)
    }

    fn drain(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<(), SourceError> {
        Ok(self.take_destroyed(now, intake)?)
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let TableCounts { sockets, untracked, short, vanished } = self.table.counts();
        vec![
            ("dumps", self.dumped),
            ("dumps_interrupted", self.interrupted),
            ("notifications_lost", self.lost),
            ("sockets", sockets),
            ("sockets_untracked", untracked),
            ("connections_seen_only_at_their_end", short),
            ("sockets_vanished", vanished),
        ]
    }
}

#[cfg(test)]
mod tests;
