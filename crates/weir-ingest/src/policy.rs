//! What an operator decides about receiving, once words have become meaning.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use weir_model::Cidr;
use weir_wire::Limits;

/// UDP ports that exporters use: 2055 and 2056 NetFlow, 4739 IPFIX, 6343 sFlow. Each takes any
/// protocol.
pub const UDP_PORTS: [u16; 4] = [2055, 2056, 4739, 6343];

/// Ports of IPFIX over TCP and over TLS (RFC 7011 §10.3.4, §11.1). Each takes both.
pub const TCP_PORTS: [u16; 2] = [4739, 4740];

/// How Weir receives.
#[derive(Debug, Clone)]
pub struct IngestPolicy {
    /// UDP addresses to listen on. `[::]` takes IPv4 too; where the kernel has no IPv6, it becomes
    /// `0.0.0.0`.
    pub udp: Vec<SocketAddr>,
    /// TCP addresses to listen on, for IPFIX.
    pub tcp: Vec<SocketAddr>,
    /// Threads that receive, each with a socket of its own on every UDP address
    /// (`SO_REUSEPORT`). 0 picks one per four cores, at most 8: receiving costs little.
    pub receive_threads: usize,
    /// Threads that decode. 0 picks one per core.
    pub decode_threads: usize,
    /// Rows come in the order of the records on the wire, for output that is read line by line. Else
    /// Sets of one template are decoded together, which is faster. One decode thread keeps the
    /// order of messages too.
    pub in_order: bool,
    /// Receive buffer to ask for, per UDP socket.
    pub receive_buffer_octets: usize,
    /// Octets of datagrams that may wait between receiving and decoding. Past it, arrivals are
    /// dropped and counted (`queue_full`).
    pub queue_octets: usize,
    /// Age at which decoded rows are handed to the sink even if the batch is not full.
    pub flush_after: Duration,
    /// Exporters that may send; empty allows all.
    pub allow: Vec<Cidr>,
    /// Bounds of the TCP listener.
    pub connections: ConnectionLimits,
    /// TLS on the TCP ports; without it, TLS is refused.
    pub tls: Option<TlsPolicy>,
    /// Bounds of templates, exporters and parked data, for all receive threads together.
    pub limits: Limits,
    /// Where templates and options knowledge are kept over a restart.
    pub state_file: Option<PathBuf>,
    /// How often they are written.
    pub state_interval: Duration,
    /// Exporters with metrics of their own; the rest are summed under `other`.
    pub exporter_labels_max: usize,
}

/// Bounds of connections.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Connections at a time.
    pub total: usize,
    /// Connections at a time from one address.
    pub per_source: usize,
    /// Silence after which a connection is closed. RFC 7011 lets exporters be silent for long.
    pub idle: Duration,
    /// Time that a message may take to arrive whole, and a new connection to send its first one.
    pub message: Duration,
    /// Most octets of a message.
    pub message_octets: usize,
    /// Connections that are not TLS are refused.
    pub plain_refused: bool,
}

/// Files that TLS needs, all PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsPolicy {
    /// The collector's certificate, and those between it and its CA.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// When set, clients must show a certificate that one of these signed.
    pub client_ca: Option<PathBuf>,
}

impl Default for ConnectionLimits {
    fn default() -> ConnectionLimits {
        ConnectionLimits {
            total: 2_048,
            per_source: 16,
            idle: Duration::from_secs(3_600),
            message: Duration::from_secs(30),
            message_octets: 65_535,
            plain_refused: false,
        }
    }
}

impl Default for IngestPolicy {
    fn default() -> IngestPolicy {
        let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        IngestPolicy {
            udp: UDP_PORTS.map(any).into(),
            tcp: TCP_PORTS.map(any).into(),
            receive_threads: 0,
            decode_threads: 0,
            in_order: false,
            receive_buffer_octets: 32 << 20,
            queue_octets: 64 << 20,
            flush_after: Duration::from_millis(100),
            allow: Vec::new(),
            connections: ConnectionLimits::default(),
            tls: None,
            limits: Limits::default(),
            state_file: None,
            state_interval: Duration::from_secs(60),
            exporter_labels_max: 1_000,
        }
    }
}

impl IngestPolicy {
    /// Receive threads after `0` was resolved.
    pub fn receivers(&self) -> usize {
        if self.receive_threads > 0 { self.receive_threads } else { (cores() / 4).clamp(1, 8) }
    }

    /// Decode threads after `0` was resolved.
    pub fn decoders(&self) -> usize {
        if self.decode_threads > 0 { self.decode_threads } else { cores() }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
