//! Records to octets, the part that NetFlow v9 and IPFIX share: which element carries a column
//! ([`mod@carry`]), one row as fields and octets ([`mod@row`]), which template describes them
//! ([`mod@book`]) and how records fill messages ([`mod@packer`]).
//!
//! The first element of a column's `from` list that the protocol can carry and that is wide enough
//! takes the column out; a null is left out of the record, so rows that lack different columns
//! travel by different templates. IPFIX carries what no element of others can (process names …) by
//! Weir's own (`weir_model::own`), and rows of counters as options records; in v9 they stay behind.
//!
//! Invariant: a message never passes `message_octets_max`, and a template always precedes its
//! data. No clock: `now` is a parameter. Sending is the caller's business.

mod book;
mod carry;
mod counters;
mod packer;
pub(crate) mod parts;
mod row;

use std::time::Duration;

use weir_model::{FlowBatch, Table, Timestamp, columns::options, elements};

pub(crate) use packer::Dialect;
use packer::Packer;
use row::{Draft, RowWriter};

/// How an encoder of NetFlow v9 or IPFIX behaves.
#[derive(Debug, Clone)]
pub struct EncoderPolicy {
    /// Observation domain (v9: source id) of every message.
    pub domain: u32,
    /// Longest message. Default 1,400 octets, which passes most tunnels unfragmented.
    pub message_octets_max: usize,
    /// Send a template again before data that comes this much later; `None` for a connection,
    /// which loses nothing. Default 60 s.
    pub template_refresh: Option<Duration>,
    /// The same after this many messages. Default 1,000.
    pub template_refresh_messages: Option<u32>,
    /// Templates in use at a time; past it all are forgotten and numbered anew. Default 1,024.
    pub templates_max: usize,
    /// When the exporter's uptime was 0: v9 headers and its FIRST/LAST_SWITCHED count from here.
    pub boot: Timestamp,
    /// Tell the columns `exporter_addr` and `observation_domain` as the original exporter's where
    /// a row names no other (RFC 7119): for relays. IPFIX only. Default false.
    pub mediate: bool,
}

impl Default for EncoderPolicy {
    fn default() -> EncoderPolicy {
        EncoderPolicy {
            domain: 0,
            message_octets_max: 1_400,
            template_refresh: Some(Duration::from_secs(60)),
            template_refresh_messages: Some(1_000),
            templates_max: 1_024,
            boot: Timestamp(0),
            mediate: false,
        }
    }
}

/// What one call of an encoder made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoded {
    /// Messages handed out.
    pub messages: u64,
    /// Octets of them.
    pub octets: u64,
    /// Rows in them.
    pub records: u64,
    /// Templates and options templates in them, repeated ones included.
    pub templates: u64,
    /// Rows left out: nothing of them can be carried, or they are longer than a message.
    pub skipped: u64,
}

/// The encoder behind those of NetFlow v9 and IPFIX.
#[derive(Debug)]
pub(crate) struct TemplateEncoder {
    packer: Packer,
}

impl TemplateEncoder {
    pub(crate) fn new(dialect: Dialect, policy: EncoderPolicy) -> TemplateEncoder {
        TemplateEncoder { packer: Packer::new(dialect, policy) }
    }

    /// Encodes every row of `batch` (of flows, counters or options) and hands out full messages and
    /// the last one.
    pub(crate) fn encode(
        &mut self,
        batch: &FlowBatch,
        now: Timestamp,
        emit: &mut dyn FnMut(&[u8]),
    ) -> Encoded {
        self.packer.begin(now);
        let mut draft = Draft::default();
        match batch.table() {
            Table::Flows => {
                let (dialect, boot) = (self.packer.dialect(), self.packer.boot());
                let writer = RowWriter::new(batch, dialect, self.packer.policy(), boot, now);
                for row in 0..batch.rows() {
                    writer.write(batch, row, &mut draft);
                    self.packer.push(&draft.layout, &draft.octets, emit);
                }
            }
            Table::Options => {
                for row in 0..batch.rows() {
                    options_row(self.packer.dialect(), batch, row, &mut draft);
                    self.packer.push(&draft.layout, &draft.octets, emit);
                }
            }
            Table::Counters => {
                for row in 0..batch.rows() {
                    counters::write(self.packer.dialect(), batch, row, &mut draft);
                    self.packer.push(&draft.layout, &draft.octets, emit);
                }
            }
            Table::Rollups => {}
        }
        self.packer.finish(emit)
    }

    /// Forgets what was sent: a new connection knows no template.
    pub(crate) fn restart(&mut self) {
        self.packer.restart();
    }
}

/// Writes an options record: its scope and fields travel as they are.
fn options_row(dialect: Dialect, batch: &FlowBatch, row: usize, draft: &mut Draft) {
    draft.clear();
    let list = |column| batch.get_octets(column, row).unwrap_or_default();
    for mut element in elements::iter(list(options::SCOPE)) {
        if dialect == Dialect::NetFlow9 {
            element.key.id = scope_type(element.key.id);
        }
        draft.element(dialect, element);
    }
    draft.layout.end_scope();
    for element in elements::iter(list(options::FIELDS)) {
        draft.element(dialect, element);
    }
}

/// The v9 scope type that says what the element does: the inverse of what the decoder makes of
/// system, interface, line card, cache and template (RFC 3954 §6.1).
fn scope_type(id: u16) -> u16 {
    match id {
        144 => 1,
        10 => 2,
        141 => 3,
        143 => 4,
        145 => 5,
        id => id,
    }
}
