//! The account of connections: opened = open + closed by reason.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use weir_telemetry::Label;

use crate::tls::{HandshakeFault, TlsStatus};

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
    /// It began with a TLS record, and no certificate is configured.
    Tls,
    /// Its octets are not IPFIX.
    NotIpfix,
    /// A message claims fewer octets than its header, or more than the limit.
    MessageLength,
    /// The client's certificate was refused.
    TlsCertificate,
    /// The handshake of TLS failed otherwise.
    TlsHandshake,
    /// TLS broke after the handshake.
    TlsBroken,
    /// It is not TLS, and only TLS is taken.
    PlainRefused,
    /// The exporter does not read our answers.
    NotReading,
    /// Records could not be kept for the moment; the exporter still has them.
    NotKept,
    /// The exporter came again on another connection.
    Superseded,
    /// More announced streams than may be, or too scattered.
    TooManyStreams,
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
            CloseReason::Tls => "tls_not_configured",
            CloseReason::NotIpfix => "not_ipfix",
            CloseReason::MessageLength => "message_length",
            CloseReason::TlsCertificate => "tls_certificate",
            CloseReason::TlsHandshake => "tls_handshake",
            CloseReason::TlsBroken => "tls_broken",
            CloseReason::PlainRefused => "plain_refused",
            CloseReason::NotReading => "not_reading",
            CloseReason::NotKept => "not_kept",
            CloseReason::Superseded => "superseded",
            CloseReason::TooManyStreams => "too_many_streams",
        }
    }

    /// True when an operator may want to know.
    pub(crate) const fn is_fault(self) -> bool {
        use CloseReason::{Idle, Peer, Stopped, Superseded};
        !matches!(self, Peer | Stopped | Idle | Superseded)
    }

    /// What an operator can do, where that is not plain.
    pub(crate) const fn remedy(self) -> Option<&'static str> {
        match self {
            CloseReason::Tls => {
                Some("set ingest.tls_certificate and ingest.tls_key, see docs/tls.md")
            }
            CloseReason::PlainRefused => {
                Some("have the exporter speak TLS, or unset ingest.tls_only")
            }
            CloseReason::NotAllowed => Some("add the exporter to ingest.allow"),
            CloseReason::TooMany => Some("raise ingest.connections_max"),
            CloseReason::NotKept => Some("see what the store says of its disk"),
            _ => None,
        }
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
        CloseReason::TlsCertificate,
        CloseReason::TlsHandshake,
        CloseReason::TlsBroken,
        CloseReason::PlainRefused,
        CloseReason::NotReading,
        CloseReason::NotKept,
        CloseReason::Superseded,
        CloseReason::TooManyStreams,
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
    /// Connections that began as IPFIX does (or as nothing that is known).
    pub plain: u64,
    /// Connections that began as TLS does.
    pub tls: u64,
    /// Handshakes that came to their end.
    pub handshakes: u64,
    /// Handshakes that failed, by [`HandshakeFault`].
    pub handshakes_failed: [u64; HandshakeFault::COUNT],
}

/// Connections at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionStatus {
    /// Since the start.
    pub totals: ConnectionTotals,
    /// Open ones, by address.
    pub open: HashMap<IpAddr, usize>,
    /// Those of them that are TLS.
    pub open_tls: usize,
    /// Those of them whose exporters wait for acknowledgements.
    pub open_acknowledged: usize,
    /// What is known of the certificates.
    pub certificates: TlsStatus,
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

    pub(crate) fn kind(&self, tls: bool) {
        let totals = &mut self.lock().totals;
        *(if tls { &mut totals.tls } else { &mut totals.plain }) += 1;
    }

    pub(crate) fn handshake(&self) {
        self.lock().totals.handshakes += 1;
    }

    pub(crate) fn handshake_failed(&self, fault: HandshakeFault) {
        self.lock().totals.handshakes_failed[fault.index()] += 1;
    }

    pub(crate) fn set_certificates(&self, certificates: TlsStatus) {
        self.lock().certificates = certificates;
    }

    /// Open ones by address, and how many of them are TLS and acknowledged.
    pub(crate) fn set_open(&self, open: HashMap<IpAddr, usize>, kinds: (usize, usize)) {
        let mut status = self.lock();
        status.open = open;
        (status.open_tls, status.open_acknowledged) = kinds;
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
