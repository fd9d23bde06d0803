//! What an operator decides about one destination. Words become this once, in the binary.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams: nothing is kept for a collector that is away.
    Udp,
    /// A connection.
    Tcp,
    /// A connection under TLS 1.2 or 1.3.
    Tls,
}

impl Transport {
    /// The word for it in addresses, labels and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        }
    }

    /// True where a connection is kept.
    pub const fn is_stream(self) -> bool {
        matches!(self, Transport::Tcp | Transport::Tls)
    }
}

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// How.
    pub transport: Transport,
    /// Name or address, without brackets. Names are looked up at each connection.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { transport, host, port } = self;
        match host.contains(':') {
            true => write!(f, "{}://[{host}]:{port}", transport.name()),
            false => write!(f, "{}://{host}:{port}", transport.name()),
        }
    }
}

/// Files of TLS, in PEM. They are read at each connection, so that renewed ones need no restart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFiles {
    /// Certificates that may have signed the collector's; those of the system if none is named.
    pub ca: Option<PathBuf>,
    /// This exporter's certificate, the intermediate ones after it.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Name that the collector's certificate must be for; the host's if none is set.
    pub server_name: Option<String>,
}

/// What is kept while the collector is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufferPolicy {
    /// Octets of messages in memory. Past it they go to disk.
    pub memory_max: usize,
    /// Octets on disk. Past it the oldest are dropped and counted. 0: memory alone.
    pub disk_max: u64,
    /// Folder of this destination.
    pub folder: Option<PathBuf>,
    /// Age at which a message that is not acknowledged goes to disk.
    pub spill_after: Duration,
}

impl Default for BufferPolicy {
    fn default() -> BufferPolicy {
        BufferPolicy {
            memory_max: 4 << 20,
            disk_max: 0,
            folder: None,
            spill_after: Duration::from_secs(5),
        }
    }
}

/// One destination.
#[derive(Debug, Clone)]
pub struct ExportPolicy {
    /// Where to.
    pub target: Target,
    /// Observation domain of all messages.
    pub domain: u32,
    /// Longest message; 0 picks 1,400 octets for UDP and 16 KiB for connections.
    pub message_octets_max: usize,
    /// Longest time that a record waits for its message to fill.
    pub flush_after: Duration,
    /// Templates are sent again over UDP at this age at the latest.
    pub template_refresh: Duration,
    /// TLS.
    pub tls: TlsFiles,
    /// The buffer.
    pub buffer: BufferPolicy,
    /// Shortest and longest pause between attempts to connect.
    pub reconnect: (Duration, Duration),
    /// Longest that a stop waits for what is on its way.
    pub stop_after: Duration,
    /// Time without an answer after which a collector counts as one that does not acknowledge.
    pub answer_after: Duration,
}

impl ExportPolicy {
    /// Defaults for a destination.
    pub fn new(target: Target) -> ExportPolicy {
        ExportPolicy {
            target,
            domain: 0,
            message_octets_max: 0,
            flush_after: Duration::from_secs(1),
            template_refresh: Duration::from_secs(60),
            tls: TlsFiles::default(),
            buffer: BufferPolicy::default(),
            reconnect: (Duration::from_millis(500), Duration::from_secs(30)),
            stop_after: Duration::from_secs(3),
            answer_after: Duration::from_secs(10),
        }
    }

    /// Octets that a message may have.
    pub(crate) fn message_limit(&self) -> usize {
        match (self.message_octets_max, self.target.transport) {
            // Why: Passes most tunnels unfragmented.
            (0, Transport::Udp) => 1_400,
            (0, _) => 16 << 10,
            (set, _) => set.clamp(512, 65_535),
        }
    }
}
