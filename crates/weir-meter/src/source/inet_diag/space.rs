//! The sockets of one network namespace: what is asked there, and what is known of it.

use rustix::net::netlink::SOCK_DIAG;

use super::message::{self, LISTEN, SOCK_DIAG_BY_FAMILY, Socket, TCP_DESTROYED, V4, V6};
use super::table::{Table, TableCounts};
use crate::cache::Moment;
use crate::netlink::{Drained, Netlink, NetlinkError};
use crate::source::Intake;

/// Notifications taken at once, before dumps have their turn again.
const DRAIN_MAX: usize = 4_096;

/// Sockets to ask through. They stay in the namespace of the thread that opened them.
#[derive(Debug)]
pub(super) struct Doors {
    pub(super) dumps: Netlink,
    /// Where the kernel tells of destroyed sockets; why it does not, otherwise.
    pub(super) destroyed: Result<Netlink, NetlinkError>,
}

impl Doors {
    /// Opens them in this thread's namespace and asks once. Without `ends` nothing is heard of
    /// destroyed sockets.
    pub(super) fn open(ends: bool) -> Result<Doors, NetlinkError> {
        let mut dumps = Netlink::open(Some(SOCK_DIAG), 0)?;
        dumps.dump(SOCK_DIAG_BY_FAMILY, &message::request(V4, 1 << LISTEN), |_| {})?;
        let destroyed = match ends {
            true => Netlink::open(Some(SOCK_DIAG), TCP_DESTROYED),
            false => Err(NetlinkError::Silent),
        };
        Ok(Doors { dumps, destroyed })
    }
}

/// What a namespace's sockets were asked, beside what its table counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SpaceCounts {
    pub(super) dumps: u64,
    pub(super) interrupted: u64,
    pub(super) lost: u64,
}

#[derive(Debug)]
pub(super) struct Space {
    pub(super) doors: Doors,
    pub(super) table: Table,
    pub(super) counts: SpaceCounts,
    /// What its sockets have counted so far is no traffic of ours.
    has_history: bool,
}

impl Space {
    /// A namespace that nothing is known of yet. `has_history` when it is older than metering.
    pub(super) fn new(doors: Doors, (zone, netns): (u32, u32), has_history: bool) -> Space {
        Space { doors, table: Table::new(zone, netns), counts: SpaceCounts::default(), has_history }
    }

    pub(super) fn table_counts(&self) -> TableCounts {
        self.table.counts()
    }

    /// Takes what the kernel told of destroyed sockets so far.
    pub(super) fn take_destroyed(
        &mut self,
        now: Moment,
        intake: &mut Intake<'_>,
    ) -> Result<(), NetlinkError> {
        let Ok(destroyed) = &mut self.doors.destroyed else { return Ok(()) };
        let table = &mut self.table;
        let drained = destroyed.drain(DRAIN_MAX, |message| {
            if let Some(socket) = Socket::read(message.body) {
                table.destroyed(&socket, now, intake);
            }
        })?;
        self.counts.lost += u64::from(drained == Drained::Lost);
        Ok(())
    }

    /// Looks at every socket. At most `sockets_max` are followed from then on.
    pub(super) fn dump(
        &mut self,
        sockets_max: usize,
        now: Moment,
        intake: &mut Intake<'_>,
    ) -> Result<(), NetlinkError> {
        let Self { doors, table, has_history, .. } = self;
        table.begin_dump(sockets_max);
        for family in [V4, V6] {
            let request = message::request(family, 1 << LISTEN);
            doors.dumps.dump(SOCK_DIAG_BY_FAMILY, &request, |message| {
                if let Some(socket) = Socket::read(message.body) {
                    table.listener(&socket);
                }
            })?;
        }
        for family in [V4, V6] {
            let request = message::request(family, message::CONNECTED);
            let interrupted = doors.dumps.dump(SOCK_DIAG_BY_FAMILY, &request, |message| {
                if let Some(socket) = Socket::read(message.body) {
                    table.seen(&socket, *has_history, now, intake);
                }
            })?;
            self.counts.interrupted += u64::from(interrupted);
        }
        *has_history = false;
        self.counts.dumps += 1;
        table.end_dump(now, intake);
        Ok(())
    }
}
