//! Fills messages with Sets of templates and records up to the size limit.

use std::time::Duration;

use weir_model::Timestamp;

use super::book::{Book, Refresh};
use super::row::Layout;
use super::{Encoded, EncoderPolicy};

/// Which protocol the messages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    NetFlow9,
    Ipfix,
}

impl Dialect {
    const fn header_octets(self) -> usize {
        match self {
            Dialect::NetFlow9 => 20,
            Dialect::Ipfix => 16,
        }
    }

    /// Set id of templates, or of options templates.
    const fn template_set(self, options: bool) -> u16 {
        match (self, options) {
            (Dialect::NetFlow9, false) => 0,
            (Dialect::NetFlow9, true) => 1,
            (Dialect::Ipfix, false) => 2,
            (Dialect::Ipfix, true) => 3,
        }
    }
}

/// Octets of a Set header.
const SET_HEADER: usize = 4;

/// Where messages go.
pub(super) type Emit<'a> = &'a mut dyn FnMut(&[u8]);

/// The message under construction: one is open at most, and none between two calls of an encoder.
#[derive(Debug)]
pub(super) struct Packer {
    dialect: Dialect,
    policy: EncoderPolicy,
    book: Book,
    now: Timestamp,
    message: Vec<u8>,
    /// The Set that is open.
    set: Option<OpenSet>,
    /// Data records, and records of any kind, in the open message.
    data_records: u32,
    all_records: u16,
    /// Data records (IPFIX) or messages (v9) before the open message.
    sequence: u32,
    /// Messages begun so far.
    messages: u64,
    /// Withdraw all templates at the start of the next message.
    withdraw: bool,
    encoded: Encoded,
}

#[derive(Debug, Clone, Copy)]
struct OpenSet {
    id: u16,
    start: usize,
    /// Octets of the shortest record in it.
    shortest: usize,
}

impl Packer {
    pub(super) fn new(dialect: Dialect, policy: EncoderPolicy) -> Packer {
        Packer {
            dialect,
            book: Book::new(policy.templates_max),
            policy,
            now: Timestamp(0),
            message: Vec::new(),
            set: None,
            data_records: 0,
            all_records: 0,
            sequence: 0,
            messages: 0,
            withdraw: false,
            encoded: Encoded::default(),
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn policy(&self) -> &EncoderPolicy {
        &self.policy
    }

    /// Time of the header in whole seconds, and the uptime then, which wraps after 49 days.
    fn header_times(&self) -> (u32, u32) {
        let seconds = self.now.seconds().clamp(0, i64::from(u32::MAX)) as u32;
        let at = Timestamp::from_seconds(seconds.into());
        (seconds, at.since(self.policy.boot).as_millis() as u32)
    }

    /// When the header's uptime was 0.
    pub(super) fn boot(&self) -> Timestamp {
        let (seconds, uptime) = self.header_times();
        let uptime = Duration::from_millis(uptime.into());
        Timestamp::from_seconds(seconds.into()).minus(uptime)
    }

    /// Takes the time of the messages to come.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Forgets what was sent and starts counting anew.
    pub(super) fn restart(&mut self) {
        self.book.clear();
        self.sequence = 0;
        self.withdraw = false;
    }

    /// Adds a record, its template before it if that is due.
    pub(super) fn push(&mut self, layout: &Layout, record: &[u8], emit: Emit<'_>) {
        let scopeless = self.dialect == Dialect::Ipfix && layout.scopes == Some(0);
        if record.is_empty() || scopeless {
            self.encoded.skipped += 1;
            return;
        }
        if self.book.is_full_for(layout) {
            self.flush(emit);
            self.book.clear();
            self.withdraw =
                self.dialect == Dialect::Ipfix && self.policy.template_refresh.is_none();
        }
        let limit = self.policy.message_octets_max.min(usize::from(u16::MAX));
        if !self.message.is_empty() && self.message.len() + self.need(layout, record) > limit {
            self.flush(emit);
        }
        if self.message.is_empty() {
            let withdrawal = if self.withdraw { 2 * (SET_HEADER + 4) } else { 0 };
            let header = self.dialect.header_octets() + withdrawal;
            if header + self.need(layout, record) > limit {
                self.encoded.skipped += 1;
                return;
            }
            self.open_message();
        }
        let id = self.template(layout);
        self.open_set(id, record.len());
        self.message.extend_from_slice(record);
        self.data_records += 1;
        self.all_records = self.all_records.saturating_add(1);
        self.encoded.records += 1;
    }

    /// Hands out the last message and says what was made since [`Packer::begin`].
    pub(super) fn finish(&mut self, emit: Emit<'_>) -> Encoded {
        self.flush(emit);
        std::mem::take(&mut self.encoded)
    }

    /// Octets that a record takes at the most: its Set's header and padding, its template.
    fn need(&mut self, layout: &Layout, record: &[u8]) -> usize {
        let message = self.messages + u64::from(self.message.is_empty());
        let refresh = self.refresh();
        let due = self.book.entry(layout).is_due(self.now, message, refresh);
        let template = if due { 2 * SET_HEADER + layout.template_octets() } else { 0 };
        template + SET_HEADER + record.len() + 3
    }

    fn refresh(&self) -> Refresh {
        Refresh {
            after: self.policy.template_refresh,
            messages: self.policy.template_refresh_messages,
        }
    }

    fn open_message(&mut self) {
        self.message.resize(self.dialect.header_octets(), 0);
        self.messages += 1;
        if std::mem::take(&mut self.withdraw) {
            for id in [2u16, 3] {
                self.open_set(id, 4);
                self.put(id);
                self.put(0);
            }
        }
    }

    /// The id of `layout`, whose template is written first if it is due.
    fn template(&mut self, layout: &Layout) -> u16 {
        let (now, messages, refresh) = (self.now, self.messages, self.refresh());
        let entry = self.book.entry(layout);
        let id = entry.id;
        if !entry.is_due(now, messages, refresh) {
            return id;
        }
        entry.sent = Some((now, messages));
        self.open_set(self.dialect.template_set(layout.scopes.is_some()), usize::MAX);
        layout.write_template(self.dialect, id, &mut self.message);
        self.all_records = self.all_records.saturating_add(1);
        self.encoded.templates += 1;
        id
    }

    fn put(&mut self, value: u16) {
        self.message.extend_from_slice(&value.to_be_bytes());
    }

    /// Continues the Set `id` if it is the open one, else closes that and opens it.
    fn open_set(&mut self, id: u16, record: usize) {
        if let Some(set) = self.set.as_mut().filter(|set| set.id == id) {
            set.shortest = set.shortest.min(record);
            return;
        }
        self.close_set();
        self.set = Some(OpenSet { id, start: self.message.len(), shortest: record });
        self.put(id);
        self.put(0);
    }

    fn close_set(&mut self) {
        let Some(set) = self.set.take() else { return };
        let padding = self.message.len().wrapping_neg() % 4;
        // v9 wants Sets to end on 4 octets (RFC 3954 §5.3); padding as long as a record would be
        // taken for one.
        if self.dialect == Dialect::NetFlow9 && padding < set.shortest {
            self.message.resize(self.message.len() + padding, 0);
        }
        let length = ((self.message.len() - set.start) as u16).to_be_bytes();
        self.message[set.start + 2..set.start + 4].copy_from_slice(&length);
    }

    fn flush(&mut self, emit: Emit<'_>) {
        if self.message.is_empty() {
            return;
        }
        self.close_set();
        let (seconds, uptime) = self.header_times();
        let (domain, sequence) = (self.policy.domain, self.sequence);
        let words = match self.dialect {
            Dialect::Ipfix => {
                let length = self.message.len() as u16;
                self.sequence = self.sequence.wrapping_add(self.data_records);
                self.head(10, length, &[seconds, sequence, domain])
            }
            Dialect::NetFlow9 => {
                self.sequence = self.sequence.wrapping_add(1);
                self.head(9, self.all_records, &[uptime, seconds, sequence, domain])
            }
        };
        debug_assert_eq!(words, self.dialect.header_octets());
        emit(&self.message);
        self.encoded.messages += 1;
        self.encoded.octets += self.message.len() as u64;
        self.message.clear();
        (self.data_records, self.all_records) = (0, 0);
    }

    /// Writes the header's fields and says how many octets they are.
    fn head(&mut self, version: u16, second: u16, words: &[u32]) -> usize {
        self.message[..2].copy_from_slice(&version.to_be_bytes());
        self.message[2..4].copy_from_slice(&second.to_be_bytes());
        for (i, word) in words.iter().enumerate() {
            self.message[4 + 4 * i..8 + 4 * i].copy_from_slice(&word.to_be_bytes());
        }
        4 + 4 * words.len()
    }
}
