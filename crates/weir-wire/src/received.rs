//! How a message reached us: facts that its octets do not tell.

use std::net::SocketAddr;

use weir_model::{Addr, Timestamp};

use crate::acknowledge::Instance;

/// What carried a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams: templates live per source address and port.
    Udp,
    /// A TCP connection: templates live as long as it does.
    Tcp,
    /// A TLS connection.
    Tls,
    /// A file of messages; treated as a connection.
    File,
}

/// Number of a transport session, given by who accepted it; never reused while the program runs.
/// 0 for UDP, whose sessions are told apart by source address and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionId(pub u64);

/// Receipt of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// When, by our own clock.
    pub at: Timestamp,
    /// From where.
    pub source: SocketAddr,
    /// By what.
    pub transport: Transport,
    /// In which session.
    pub session: SessionId,
    /// Its place in what an exporter has announced, where it has.
    pub origin: Option<Origin>,
}

/// Place of a message in the stream of an exporter that understands acknowledgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Whose stream.
    pub instance: Instance,
    /// Number of the first of the message's records.
    pub number: u64,
    /// Its records are kept already: they are dropped as duplicates.
    pub repeat: bool,
}

impl Received {
    /// Receipt of a UDP datagram.
    pub fn udp(at: Timestamp, source: SocketAddr) -> Received {
        Received { at, source, transport: Transport::Udp, session: SessionId(0), origin: None }
    }

    /// Address of the sender.
    pub fn addr(&self) -> Addr {
        Addr::from(self.source.ip())
    }
}
