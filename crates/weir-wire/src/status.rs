//! What a collector knows about each exporter.

use weir_model::{Addr, Timestamp};

use crate::protocol::Protocol;
use crate::tally::Tally;
use crate::template::Field;

/// The sequence account of an exporter's domain, in its protocol's own unit: v5 and v7 flows, v9
/// messages, IPFIX data records, sFlow datagrams. All are estimates of what was lost before
/// decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SequenceStatus {
    /// Units missing so far; what comes late is taken off again.
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

/// One exporter and observation domain.
#[derive(Debug, Clone)]
pub struct ExporterStatus {
    /// Its address (agent address in sFlow).
    pub addr: Addr,
    /// Protocol.
    pub protocol: Protocol,
    /// Observation domain (v9 source id, v5 engine, sFlow sub-agent).
    pub domain: u32,
    /// Source ports or connections seen at the moment.
    pub sessions: usize,
    /// First message.
    pub first_seen: Timestamp,
    /// Last message.
    pub last_seen: Timestamp,
    /// Counts of the control pass: messages, Sets, templates, drops. Records are counted where
    /// they are decoded, except `records_seen`.
    pub tally: Tally,
    /// Data records seen in Sets with a template (v5, v7: flows; sFlow: samples).
    pub records_seen: u64,
    /// Sequence account.
    pub sequence: SequenceStatus,
    /// Templates known at the moment.
    pub templates: usize,
    /// Templates evicted by quota or expired.
    pub templates_evicted: u64,
    /// Sets parked at the moment.
    pub parked_sets: usize,
    /// Octets parked at the moment.
    pub parked_octets: usize,
    /// Sampling rates known, by sampler id; `None` is the rate of no sampler in particular.
    pub sampling: Vec<(Option<u64>, u32)>,
    /// Interface, VRF and application names known.
    pub names: usize,
    /// Header time of the last message minus our time of receipt, in nanoseconds.
    pub clock_skew_ns: i64,
}

/// One template that an exporter told.
#[derive(Debug, Clone)]
pub struct TemplateStatus {
    /// Its id.
    pub id: u16,
    /// Source port of the session that defined it.
    pub port: u16,
    /// Connection that defined it; 0 over UDP.
    pub session: u64,
    /// Fields in the order of the record; those of the scope come first.
    pub fields: Vec<Field>,
    /// Number of scope fields; `None` for a data template.
    pub scope: Option<usize>,
    /// When it was last defined.
    pub defined: Timestamp,
}
