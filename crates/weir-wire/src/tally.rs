//! What became of octets, Sets and records: exact integers for the ledger.
//!
//! The books of a collector: `sets = sets_control + sets_decoded + Σ dropped.sets + parked`, where
//! `parked` is what [`crate::Collector::parked_sets`] says now. A NetFlow v5 or v7 message counts
//! as one Set, a sample of sFlow as one Set.

use std::ops::AddAssign;

/// Why something that arrived did not become records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DropReason {
    /// A message of no protocol that Weir speaks.
    UnknownProtocol,
    /// A message whose header or framing is broken.
    MalformedMessage,
    /// A Set or sample whose content is broken, or broken from some record on.
    MalformedSet,
    /// A template that cannot be: too long, too short, empty.
    MalformedTemplate,
    /// A template past its exporter's quota of fields.
    TemplateQuota,
    /// Data whose template did not come in time.
    NoTemplate,
    /// Data without template past the quota of parked octets.
    ParkQuota,
    /// A Set id or sample type that the protocol reserves.
    Reserved,
    /// A message from an exporter past the quota of exporters.
    ExporterQuota,
    /// Records past the quota of one message.
    RecordQuota,
    /// What an exporter that waits for acknowledgements sent again, and is kept.
    Duplicate,
}

impl DropReason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [DropReason; 11] = [
        DropReason::UnknownProtocol,
        DropReason::MalformedMessage,
        DropReason::MalformedSet,
        DropReason::MalformedTemplate,
        DropReason::TemplateQuota,
        DropReason::NoTemplate,
        DropReason::ParkQuota,
        DropReason::Reserved,
        DropReason::ExporterQuota,
        DropReason::RecordQuota,
        DropReason::Duplicate,
    ];

    /// The word for labels and pages.
    pub const fn name(self) -> &'static str {
        match self {
            DropReason::UnknownProtocol => "unknown_protocol",
            DropReason::MalformedMessage => "malformed_message",
            DropReason::MalformedSet => "malformed_set",
            DropReason::MalformedTemplate => "malformed_template",
            DropReason::TemplateQuota => "template_quota",
            DropReason::NoTemplate => "no_template",
            DropReason::ParkQuota => "park_quota",
            DropReason::Reserved => "reserved",
            DropReason::ExporterQuota => "exporter_quota",
            DropReason::RecordQuota => "record_quota",
            DropReason::Duplicate => "duplicate",
        }
    }
}

/// What one reason cost. Records are those whose number is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Whole messages.
    pub messages: u64,
    /// Whole Sets or samples of accepted messages.
    pub sets: u64,
    /// Records of Sets that were decoded in part, or whose number is known.
    pub records: u64,
    /// Octets of all these.
    pub octets: u64,
}

/// Counts of one pass over one message, or sums of many.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Messages whose framing was good.
    pub messages: u64,
    /// Octets of them.
    pub octets: u64,
    /// Sets (samples of sFlow; 1 for NetFlow v5 and v7) of them.
    pub sets: u64,
    /// Sets of templates, options templates and withdrawals.
    pub sets_control: u64,
    /// Data Sets that became records.
    pub sets_decoded: u64,
    /// Data Sets put aside because their template was unknown.
    pub sets_parked: u64,
    /// Parked Sets whose template came; they count as decoded after that.
    pub sets_released: u64,
    /// Rows added to `flows`.
    pub flows: u64,
    /// Rows added to `counters`.
    pub counters: u64,
    /// Rows added to `options`.
    pub options: u64,
    /// Template definitions taken in, repeated ones included.
    pub templates: u64,
    /// Template withdrawals.
    pub withdrawals: u64,
    /// Data Sets decoded with a template that another source port of the exporter sent.
    pub templates_borrowed: u64,
    /// Losses, indexed by [`DropReason`]; boxed since most messages have none and every message
    /// moves its tally around.
    pub drops: Option<Box<Drops>>,
}

/// Losses by [`DropReason`].
pub type Drops = [Dropped; DropReason::ALL.len()];

impl Tally {
    fn entry(&mut self, reason: DropReason) -> &mut Dropped {
        &mut self.drops.get_or_insert_default()[reason as usize]
    }

    /// Losses, indexed by [`DropReason`].
    pub fn drops(&self) -> Drops {
        self.drops.as_deref().copied().unwrap_or_default()
    }

    /// Counts a message that was refused.
    pub fn drop_message(&mut self, reason: DropReason, octets: usize) {
        let entry = self.entry(reason);
        entry.messages += 1;
        entry.octets += octets as u64;
    }

    /// Counts a Set (or sample) that was dropped whole; it must be in `sets` too.
    pub fn drop_set(&mut self, reason: DropReason, octets: usize) {
        let entry = self.entry(reason);
        entry.sets += 1;
        entry.octets += octets as u64;
    }

    /// Counts records lost from a Set that was decoded in part.
    pub fn drop_records(&mut self, reason: DropReason, records: u64, octets: usize) {
        let entry = self.entry(reason);
        entry.records += records;
        entry.octets += octets as u64;
    }

    /// What `reason` cost.
    pub fn dropped(&self, reason: DropReason) -> Dropped {
        self.drops()[reason as usize]
    }

    /// Sets dropped for any reason.
    pub fn dropped_sets(&self) -> u64 {
        self.drops.iter().flat_map(|drops| drops.iter()).map(|entry| entry.sets).sum()
    }

    /// Rows added to any table.
    pub fn records(&self) -> u64 {
        self.flows + self.counters + self.options
    }

    /// Sets that are neither decoded, control, nor dropped: of all passes together, those parked.
    pub fn sets_open(&self) -> i64 {
        self.sets as i64
            - self.sets_control as i64
            - self.sets_decoded as i64
            - self.dropped_sets() as i64
    }
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, other: &Tally) {
        self.messages += other.messages;
        self.octets += other.octets;
        self.sets += other.sets;
        self.sets_control += other.sets_control;
        self.sets_decoded += other.sets_decoded;
        self.sets_parked += other.sets_parked;
        self.sets_released += other.sets_released;
        self.flows += other.flows;
        self.counters += other.counters;
        self.options += other.options;
        self.templates += other.templates;
        self.withdrawals += other.withdrawals;
        self.templates_borrowed += other.templates_borrowed;
        let Some(others) = &other.drops else { return };
        let drops = self.drops.get_or_insert_default();
        for (entry, other) in drops.iter_mut().zip(others.iter()) {
            entry.messages += other.messages;
            entry.sets += other.sets;
            entry.records += other.records;
            entry.octets += other.octets;
        }
    }
}
