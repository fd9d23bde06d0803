//! The account of connections: opened = open + closed by reason.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use weir_telemetry::Label;

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CloseReason {
    /// The exporter closed it after a whole message.
    Peer,
    /// The exporter closed it in the middle of a message.
    PeerMidMessage,
    /// Reading failed (reset, time-out of the network).
    Io,
    /// Weir is stopping.
    Stopped,
    /// Nothing came for the idle time.
    Idle,
    /// A message, or the first one, did not arrive in its time.
    Slow,
    /// The address is not on the list of allowed exporters.
    NotAllowed,
    /// As many connections as may be.
    TooMany,
    /// As many connections from this address as may be.
    TooManyFromSource,
    /// It began with a TLS record; there is no TLS listener yet.
    Tls,
    /// Its octets are not IPFIX.
    NotIpfix,
    /// A message claims fewer octets than its header, or more than the limit.
    MessageLength,
}

impl CloseReason {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The word for labels, logs and pages.
    pub const fn name(self) -> &'static str {
        match self {
            CloseReason::Peer => "peer",
            CloseReason::PeerMidMessage => "peer_mid_message",
            CloseReason::Io => "io",
            CloseReason::Stopped => "stopped",
            CloseReason::Idle => "idle",
            CloseReason::Slow => "slow",
            CloseReason::NotAllowed => "not_allowed",
            CloseReason::TooMany => "too_many",
            CloseReason::TooManyFromSource => "too_many_from_source",
            CloseReason::Tls => "tls_not_supported",
            CloseReason::NotIpfix => "not_ipfix",
            CloseReason::MessageLength => "message_length",
        }
    }

    /// True when an operator may want to know.
    pub(crate) const fn is_fault(self) -> bool {
        !matches!(self, CloseReason::Peer | CloseReason::Stopped | CloseReason::Idle)
    }
}

impl Label for CloseReason {
    const NAME: &'static str = "reason";
    const ALL: &'static [CloseReason] = &[
        CloseReason::Peer,
        CloseReason::PeerMidMessage,
        CloseReason::Io,
        CloseReason::Stopped,
        CloseReason::Idle,
        CloseReason::Slow,
        CloseReason::NotAllowed,
        CloseReason::TooMany,
        CloseReason::TooManyFromSource,
        CloseReason::Tls,
        CloseReason::NotIpfix,
        CloseReason::MessageLength,
    ];

    fn index(self) -> usize {
        self as usize
    }

    fn value(self) -> &'static str {
        self.name()
    }
}

/// Sums over all connections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionTotals {
    /// Accepted by the kernel, refused ones included.
    pub opened: u64,
    /// Ended, by [`CloseReason`].
    pub closed: [u64; CloseReason::COUNT],
    /// Octets of messages that never arrived whole.
    pub octets_discarded: u64,
}

/// Connections at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionStatus {
    /// Since the start.
    pub totals: ConnectionTotals,
    /// Open ones, by address.
    pub open: HashMap<IpAddr, usize>,
}

impl ConnectionStatus {
    /// Connections that ended for `reason`.
    pub fn closed_by(&self, reason: CloseReason) -> u64 {
        self.totals.closed[reason.index()]
    }
}

/// The same behind its lock.
#[derive(Debug, Default)]
pub(crate) struct ConnectionBooks(Mutex<ConnectionStatus>);

impl ConnectionBooks {
    pub(crate) fn opened(&self) {
        self.lock().totals.opened += 1;
    }

    pub(crate) fn closed(&self, reason: CloseReason, discarded: u64) {
        let mut status = self.lock();
        status.totals.closed[reason.index()] += 1;
        status.totals.octets_discarded += discarded;
    }

    pub(crate) fn set_open(&self, open: HashMap<IpAddr, usize>) {
        self.lock().open = open;
    }

    pub(crate) fn status(&self) -> ConnectionStatus {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, ConnectionStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_in_the_order_of_their_numbers() {
        for (position, reason) in CloseReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), position, "{}", reason.name());
        }
    }
}
