//! What the API tells of ingest: plain documents, filled by the binary from ingest's own status,
//! so that the documents stay when ingest changes.

pub mod processes;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use weir_model::{Addr, Timestamp};

fn as_text<T: std::fmt::Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

fn as_text_or_null<T: std::fmt::Display, S: Serializer>(
    value: &Option<T>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}

/// One account of the ledger: `received = kept + in_flight + Σ dropped`, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AccountView {
    /// What arrived.
    pub received: u64,
    /// What reached its end.
    pub kept: u64,
    /// What is on its way.
    pub in_flight: u64,
    /// What was lost, by reason; reasons that never happened are left out.
    pub dropped: BTreeMap<&'static str, u64>,
}

impl AccountView {
    /// True when the account balances.
    pub fn balances(&self) -> bool {
        let dropped: u64 = self.dropped.values().sum();
        self.received == self.kept + self.in_flight + dropped
    }
}

/// The ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LedgerView {
    /// Datagrams, and messages of connections.
    pub messages: AccountView,
    /// Sets of NetFlow v9 and IPFIX, samples of sFlow, messages of v5 and v7.
    pub sets: AccountView,
    /// Records.
    pub records: AccountView,
}

/// One exporter and observation domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExporterView {
    /// Address.
    #[serde(serialize_with = "as_text")]
    pub addr: Addr,
    /// What the exporter calls itself; none where it does not say.
    pub name: Option<String>,
    /// Protocol.
    pub protocol: &'static str,
    /// Observation domain.
    pub domain: u32,
    /// First message.
    #[serde(serialize_with = "as_text")]
    pub first_seen: Timestamp,
    /// Last message.
    #[serde(serialize_with = "as_text")]
    pub last_seen: Timestamp,
    /// Messages so far.
    pub messages: u64,
    /// Records so far.
    pub records: u64,
    /// Octets of messages so far.
    pub octets: u64,
    /// Records a second, over the last ten seconds or so; since the first message before that.
    pub records_per_second: f64,
    /// Octets of messages a second, over the same time.
    pub octets_per_second: f64,
    /// Templates known at the moment.
    pub templates: usize,
    /// Sets that wait for their template.
    pub parked_sets: usize,
    /// Names of interfaces, VRFs and applications known.
    pub names: usize,
    /// Sampling rates known.
    pub sampling: Vec<SamplingView>,
    /// Sequence account.
    pub sequence: SequenceView,
    /// The exporter's clock minus ours, in milliseconds.
    pub clock_skew_ms: i64,
    /// Sets and messages lost, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
}

/// One sampling rate: 1 packet in `rate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SamplingView {
    /// Sampler, if the rate belongs to one.
    pub sampler: Option<u64>,
    /// The rate.
    pub rate: u32,
}

/// What the sequence numbers tell of losses before Weir, in the protocol's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SequenceView {
    /// Units missing so far.
    pub missing: u64,
    /// Times that units went missing.
    pub gaps: u64,
    /// Messages that came late.
    pub reordered: u64,
    /// Messages that came twice.
    pub duplicates: u64,
    /// Times the exporter began anew.
    pub restarts: u64,
}

/// One socket that receives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SocketView {
    /// `udp` or `tcp`.
    pub transport: &'static str,
    /// Local address.
    pub address: String,
    /// Receive buffer that the kernel granted.
    pub buffer_octets: u64,
    /// Datagrams that the kernel dropped because the buffer was full.
    pub kernel_dropped: u64,
}

/// The queue between receiving and decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct QueueView {
    /// Octets that wait.
    pub octets: u64,
    /// Octets that may wait.
    pub octets_max: u64,
}

/// What is lost before it is counted as received, or for want of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Datagrams that the kernel dropped because a receive buffer was full.
    KernelDropped,
    /// Messages dropped because decoding did not keep up.
    QueueFull,
}

/// How much was lost, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LossView {
    /// What is lost.
    pub what: Loss,
    /// Since the start.
    pub total: u64,
    /// In the last five minutes.
    pub recent: u64,
    /// When the losing that goes on now, or the last one, was first seen; none if never.
    #[serde(serialize_with = "as_text_or_null")]
    pub since: Option<Timestamp>,
    /// When it was last seen.
    #[serde(serialize_with = "as_text_or_null")]
    pub last_at: Option<Timestamp>,
}

/// A field of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldView {
    /// Enterprise; 0 for IANA's elements.
    pub pen: u32,
    /// Element.
    pub id: u16,
    /// Its name, where it is known.
    pub name: Option<&'static str>,
    /// Octets; none when each record says.
    pub length: Option<u16>,
    /// True for a field of the scope.
    pub scope: bool,
}

/// A template that an exporter told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TemplateView {
    /// Its id.
    pub id: u16,
    /// `data` or `options`.
    pub kind: &'static str,
    /// The source port or connection that defined it.
    pub session: String,
    /// When it was last defined.
    #[serde(serialize_with = "as_text")]
    pub refreshed_at: Timestamp,
    /// Its fields in the order of the record.
    pub fields: Vec<FieldView>,
}

/// The templates of an exporter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct TemplatesView {
    /// By id.
    pub templates: Vec<TemplateView>,
    /// How many more there are than are given.
    pub left_out: usize,
}

/// What ingest is doing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Collecting {
    /// Exporters, any order.
    pub exporters: Vec<ExporterView>,
    /// The ledger.
    pub ledger: LedgerView,
    /// Sockets.
    pub sockets: Vec<SocketView>,
    /// The queue.
    pub queue: QueueView,
    /// Open TCP connections.
    pub connections: usize,
    /// TLS and acknowledgements on them.
    pub secure: SecureView,
    /// What was lost when.
    pub losses: Vec<LossView>,
    /// Metering of this machine.
    pub meter: MeterView,
}

/// TLS and acknowledgements on TCP connections.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SecureView {
    /// TLS is spoken.
    pub tls: bool,
    /// Exporters that speak it must show a certificate.
    pub mutual: bool,
    /// Open connections that speak it.
    pub connections_tls: usize,
    /// Open connections whose exporters wait for acknowledgements.
    pub connections_acknowledged: usize,
    /// Handshakes that failed, by reason.
    pub handshakes_failed: BTreeMap<&'static str, u64>,
    /// When the collector's certificate ends.
    #[serde(serialize_with = "as_text_or_null")]
    pub certificate_expires: Option<Timestamp>,
    /// When the first certificate of the client CA ends.
    #[serde(serialize_with = "as_text_or_null")]
    pub client_ca_expires: Option<Timestamp>,
    /// Changed certificates that could not be used: the old ones are in use.
    pub reloads_failed: u64,
}

/// Metering of this machine.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct MeterView {
    /// It is switched on.
    pub enabled: bool,
    /// `exporter_addr` of its rows; none while it is off.
    #[serde(serialize_with = "as_text_or_null")]
    pub addr: Option<Addr>,
    /// What runs, and what does not and why; empty while it is off.
    pub tiers: Vec<MeterTierView>,
    /// Flows that are metered now.
    pub flows: u64,
    /// Flows that may be.
    pub flows_max: u64,
    /// Flows that were reported early because there were too many.
    pub evicted: u64,
    /// Owners of sockets.
    pub owners: MeterOwnersView,
    /// Its account, apart from that of what is received.
    pub ledger: MeterLedgerView,
    /// What each source counted.
    pub sources: Vec<MeterSourceView>,
}

/// One tier of metering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeterTierView {
    /// Name.
    pub name: &'static str,
    /// It runs, if only in part.
    pub runs: bool,
    /// Why it does not, or only in part.
    pub why_not: Option<String>,
    /// What is not seen because of that.
    pub costs: Option<&'static str>,
}

/// How the search for owners of sockets went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct MeterOwnersView {
    /// Owners found.
    pub found: u64,
    /// Sockets of which no process was found.
    pub nobody: u64,
    /// Processes whose descriptors may not be read.
    pub hidden_processes: u64,
    /// Containers that their runtime named.
    pub containers_named: u64,
    /// Look-ups of containers in which no runtime could tell a name.
    pub containers_unknown: u64,
}

/// The accounts of metering.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct MeterLedgerView {
    /// Flow records.
    pub flows: AccountView,
    /// Counters.
    pub counters: AccountView,
}

/// One source of metering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeterSourceView {
    /// Name.
    pub name: &'static str,
    /// Polls that failed.
    pub errors: u64,
    /// What it counted of itself, by name.
    pub counts: BTreeMap<&'static str, u64>,
}
