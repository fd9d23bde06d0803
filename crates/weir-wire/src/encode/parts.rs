//! Records to IPFIX in parts: messages of data alone, and the templates that they need apart, for
//! an exporter that keeps messages and sends them again, on other connections and after a restart.
//!
//! One message is open between calls, so that messages are full however few rows come at a time;
//! its records stand together by template. Invariants: a message never passes the limit; a template
//! is handed out before the first message that uses it; flows and other tables never share a
//! message. Export time and sequence number are left to who sends.

use weir_model::{FlowBatch, Table, Timestamp};

use super::book::Book;
use super::packer::Dialect;
use super::row::{Draft, RowWriter};
use super::{EncoderPolicy, counters, options_row};

const HEADER: usize = 16;
const SET_HEADER: usize = 4;

/// One part of what is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// A template. It holds for all messages after it, until another has its id.
    Template {
        /// Its id.
        id: u16,
        /// It is an options template.
        options: bool,
        /// The template record, as it stands in a Set.
        record: &'a [u8],
    },
    /// A message of data Sets. Export time and sequence number in its header are 0.
    Message {
        /// The message.
        octets: &'a [u8],
        /// Data records in it.
        records: u32,
    },
}

/// What became of the rows of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Rows that are or will be in messages.
    pub records: u64,
    /// Rows left out: nothing of them can be carried, or they are longer than a message.
    pub skipped: u64,
}

/// Makes parts of batches of flows, counters and options records.
///
/// ```
/// use weir_model::{FlowBatch, Table, columns::flows};
/// use weir_wire::{encode::EncoderPolicy, ipfix::parts::{Part, PartsEncoder}};
/// let mut batch = FlowBatch::new(Table::Flows);
/// batch.append_rows(1);
/// batch.set_octets(flows::SRC_PROCESS, 0, b"curl");
/// let mut encoder = PartsEncoder::new(EncoderPolicy::default());
/// let mut templates = 0;
/// encoder.push(&batch, &mut |part| templates += usize::from(matches!(part, Part::Template { .. })));
/// assert_eq!((templates, encoder.waiting()), (1, 1));
/// let mut messages = 0;
/// encoder.flush(&mut |part| messages += usize::from(matches!(part, Part::Message { records: 1, .. })));
/// assert_eq!((messages, encoder.waiting()), (1, 0));
/// ```
#[derive(Debug)]
pub struct PartsEncoder {
    policy: EncoderPolicy,
    book: Book,
    draft: Draft,
    template: Vec<u8>,
    message: Vec<u8>,
    sets: Vec<OpenSet>,
    /// Octets that the open message would have.
    octets: usize,
    records: u32,
    table: Table,
}

#[derive(Debug)]
struct OpenSet {
    id: u16,
    body: Vec<u8>,
}

/// Where parts go.
type Emit<'a> = &'a mut dyn FnMut(Part<'_>);

impl PartsEncoder {
    /// Of `policy` the domain, the limit of octets and of templates count.
    pub fn new(policy: EncoderPolicy) -> PartsEncoder {
        PartsEncoder {
            book: Book::new(policy.templates_max),
            policy,
            draft: Draft::default(),
            template: Vec::new(),
            message: Vec::new(),
            sets: Vec::new(),
            octets: HEADER,
            records: 0,
            table: Table::Flows,
        }
    }

    /// Records in the open message.
    pub fn waiting(&self) -> u32 {
        self.records
    }

    /// Takes every row of `batch`, and hands out the messages that are full.
    pub fn push(&mut self, batch: &FlowBatch, emit: Emit<'_>) -> Taken {
        let mut taken = Taken::default();
        if batch.table() != self.table {
            self.flush(emit);
            self.table = batch.table();
        }
        let mut draft = std::mem::take(&mut self.draft);
        let at = Timestamp(0);
        let writer = (batch.table() == Table::Flows)
            .then(|| RowWriter::new(batch, Dialect::Ipfix, &self.policy, at, at));
        for row in 0..batch.rows() {
            match (&writer, batch.table()) {
                (Some(writer), _) => writer.write(batch, row, &mut draft),
                (None, Table::Counters) => counters::write(Dialect::Ipfix, batch, row, &mut draft),
                (None, Table::Options) => options_row(Dialect::Ipfix, batch, row, &mut draft),
                (None, _) => draft.clear(),
            }
            match self.record(&draft, emit) {
                true => taken.records += 1,
                false => taken.skipped += 1,
            }
        }
        self.draft = draft;
        taken
    }

    /// Adds a record to the open message; false when it cannot be sent.
    fn record(&mut self, draft: &Draft, emit: Emit<'_>) -> bool {
        let (layout, record) = (&draft.layout, &draft.octets);
        let limit = self.policy.message_octets_max.min(usize::from(u16::MAX));
        let longest = record.len().max(layout.template_octets());
        if record.is_empty() || layout.scopes == Some(0) || HEADER + SET_HEADER + longest > limit {
            return false;
        }
        if self.book.is_full_for(layout) {
            // Why: The ids begin anew, and what is open still means the old ones.
            self.flush(emit);
            self.book.clear();
        }
        let entry = self.book.entry(layout);
        let id = entry.id;
        if entry.sent.is_none() {
            entry.sent = Some((Timestamp(0), 0));
            self.template.clear();
            layout.write_template(Dialect::Ipfix, id, &mut self.template);
            let options = layout.scopes.is_some();
            emit(Part::Template { id, options, record: &self.template });
        }
        let place = |sets: &[OpenSet]| sets.iter().position(|set| set.id == id);
        let header = if place(&self.sets).is_some() { 0 } else { SET_HEADER };
        if self.octets + header + record.len() > limit {
            self.flush(emit);
        }
        match place(&self.sets).and_then(|at| self.sets.get_mut(at)) {
            Some(set) => set.body.extend_from_slice(record),
            None => {
                self.octets += SET_HEADER;
                self.sets.push(OpenSet { id, body: record.clone() });
            }
        }
        self.octets += record.len();
        self.records += 1;
        true
    }

    /// Hands out the open message, if it has records.
    pub fn flush(&mut self, emit: Emit<'_>) {
        if self.records == 0 {
            return;
        }
        self.message.clear();
        self.message.extend_from_slice(&10u16.to_be_bytes());
        self.message.extend_from_slice(&(self.octets as u16).to_be_bytes());
        self.message.extend_from_slice(&[0; 8]);
        self.message.extend_from_slice(&self.policy.domain.to_be_bytes());
        for set in self.sets.drain(..) {
            self.message.extend_from_slice(&set.id.to_be_bytes());
            let length = (SET_HEADER + set.body.len()) as u16;
            self.message.extend_from_slice(&length.to_be_bytes());
            self.message.extend_from_slice(&set.body);
        }
        debug_assert_eq!(self.message.len(), self.octets);
        emit(Part::Message { octets: &self.message, records: self.records });
        (self.octets, self.records) = (HEADER, 0);
    }
}
