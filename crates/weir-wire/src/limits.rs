//! Bounds on everything that a peer can make grow, and settings of single exporters.

use std::time::Duration;

use weir_model::{Addr, Cidr};

/// Bounds of one [`crate::Collector`]. Each is reached by eviction or refusal, and counted.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Exporters × observation domains. Past it the one silent for longest is forgotten, if it was
    /// silent for `exporter_idle`; else the newcomer's message is refused.
    pub exporters: usize,
    /// Silence after which an exporter may be forgotten.
    pub exporter_idle: Duration,
    /// Source ports (UDP) or connections of one exporter's domain. The oldest goes.
    pub sessions: usize,
    /// Templates of one session. The eighth of them that was defined longest ago goes.
    pub templates: usize,
    /// Octets, roughly, of all templates and names of all exporters together. Past it new ones are
    /// refused until others go.
    pub state_octets: usize,
    /// Fields of one template, scope included. A template with more is refused.
    pub template_fields: usize,
    /// Age after which a UDP template that was not sent again is forgotten.
    pub template_lifetime: Duration,
    /// Octets of parked data, all exporters together. Sets past it are dropped.
    pub parked_octets: usize,
    /// Octets of parked data of one exporter's domain. Sets past it are dropped.
    pub parked_octets_per_exporter: usize,
    /// Age after which parked data is dropped.
    pub parked_age: Duration,
    /// Names and sampling rates learnt from one exporter's domain. Past it new ones are ignored.
    pub names: usize,
    /// Records of one message. Past it the rest of the message's records are dropped.
    pub records: usize,
    /// Settings of single exporters; the first whose block holds the address counts.
    pub settings: Vec<ExporterSettings>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            exporters: 16_384,
            exporter_idle: Duration::from_secs(600),
            sessions: 32,
            templates: 4_096,
            state_octets: 256 << 20,
            template_fields: 1_024,
            template_lifetime: Duration::from_secs(86_400),
            parked_octets: 64 << 20,
            parked_octets_per_exporter: 4 << 20,
            parked_age: Duration::from_secs(1_800),
            names: 8_192,
            records: 8_192,
            settings: Vec::new(),
        }
    }
}

impl Limits {
    /// The settings of the exporter at `addr`; none set if no block holds it.
    pub fn settings_of(&self, addr: Addr) -> Option<&ExporterSettings> {
        self.settings.iter().find(|settings| settings.exporters.contains(addr))
    }
}

/// What is set by hand for the exporters of an address block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExporterSettings {
    /// Which exporters.
    pub exporters: Cidr,
    /// The sampling rate of records that tell none themselves, in place of what options say.
    pub sampling_rate: Option<u32>,
    /// Undo the order in which Antrea 2.4.0–2.6.2's Flow Aggregator put its per-node counters.
    pub repair_antrea_counters: bool,
}
