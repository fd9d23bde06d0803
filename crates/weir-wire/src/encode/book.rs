//! The templates that an encoder has given numbers to.

use std::time::Duration;

use hashbrown::HashMap;
use weir_model::Timestamp;

use super::row::Layout;

/// Lowest id of a template (RFC 7011 §3.4.1).
const FIRST_ID: u16 = 256;

/// A template and when it was last sent.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: u16,
    pub(super) sent: Option<(Timestamp, u64)>,
}

/// When a template is due again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refresh {
    pub(super) after: Option<Duration>,
    pub(super) messages: Option<u32>,
}

/// Layouts and their ids. Bounded: past `limit` all are forgotten and numbered anew, so a stream
/// of ever new layouts costs templates, not memory.
#[derive(Debug)]
pub(super) struct Book {
    limit: usize,
    entries: HashMap<Layout, Entry>,
}

impl Book {
    pub(super) fn new(limit: usize) -> Book {
        let ids = usize::from(u16::MAX - FIRST_ID);
        Book { limit: limit.clamp(1, ids), entries: HashMap::new() }
    }

    /// True when `layout` is new and there is no room for it.
    pub(super) fn is_full_for(&self, layout: &Layout) -> bool {
        self.entries.len() >= self.limit && !self.entries.contains_key(layout)
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The template of `layout`, numbered now if it is new.
    pub(super) fn entry(&mut self, layout: &Layout) -> &mut Entry {
        let next = FIRST_ID + self.entries.len() as u16;
        self.entries.entry_ref(layout).or_insert(Entry { id: next, sent: None })
    }
}

impl From<&Layout> for Layout {
    fn from(layout: &Layout) -> Layout {
        layout.clone()
    }
}

impl Entry {
    /// True when the template must go before its data in message number `message`.
    pub(super) fn is_due(&self, now: Timestamp, message: u64, refresh: Refresh) -> bool {
        let Some((at, sent_in)) = self.sent else { return true };
        refresh.after.is_some_and(|after| now.since(at) >= after)
            || refresh.messages.is_some_and(|n| message.saturating_sub(sent_in) >= u64::from(n))
    }
}
