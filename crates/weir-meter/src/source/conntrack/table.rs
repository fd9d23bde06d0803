//! Entries of one namespace's table that are followed: what is new of each becomes an observation.
//!
//! Invariant: whatever an entry has counted is told at most once. What it had counted before
//! metering began, or while it could not be followed, is in its totals alone.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use weir_model::Timestamp;

use super::known::{EntryKey, Known, expiry, has_ports, span};
use super::message::{self, Entry, is_over};
use super::translations::Translations;
use crate::cache::{Count, FlowCache, Moment, Observed, SourceKind};

const IPPROTO_UDP: u8 = 17;
/// Dumps without an entry after which it is gone. One may have missed it: the kernel walks a table
/// that changes meanwhile.
const MISSED_MAX: u32 = 2;

/// Looks in which a better source may still be on its way, and those between looks for it later.
const YOUNG: u8 = 3;
const LOOKS_BETWEEN: u64 = 12;

/// What is not followed.
#[derive(Debug, Clone, Default)]
pub(super) struct Exclusions {
    /// UDP ports of tunnels, whose inner packets are flows of their own.
    pub(super) tunnel_ports: Vec<u16>,
    /// Zones that are followed; none named is all.
    pub(super) zones: Vec<u16>,
}

/// How an entry came to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// The kernel told that it began.
    Begun,
    /// It was in a dump.
    Dumped,
    /// The kernel told that it ended.
    Over,
}

/// What the table counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TableCounts {
    /// Entries followed now.
    pub(super) entries: u64,
    /// Entries of tunnels in the last dump, which are left out.
    pub(super) tunnels: u64,
    /// Entries without counters in the last dump.
    pub(super) uncounted: u64,
    /// Times that an entry was left out because there were too many.
    pub(super) untracked: u64,
    /// Entries that made room for ones that began.
    pub(super) evicted: u64,
    /// Connections whose end alone was told.
    pub(super) short: u64,
    /// Entries that went without being told.
    pub(super) vanished: u64,
}

/// What of the rest a table needs.
pub(super) struct Bench<'a> {
    pub(super) cache: &'a mut FlowCache,
    pub(super) translations: &'a mut Translations,
    pub(super) now: Moment,
}

#[derive(Debug)]
pub(super) struct Table {
    /// The namespace's number; 0 is our own.
    space: u32,
    max: usize,
    exclusions: Exclusions,
    entries: HashMap<EntryKey, Known>,
    order: BTreeMap<u64, EntryKey>,
    serial: u64,
    dump: u32,
    look: u64,
    last_dump: Option<Timestamp>,
    last_look: Option<Timestamp>,
    /// Some entries are not followed, so one that is new in a dump may be old.
    is_lossy: bool,
    dumping: TableCounts,
    counts: TableCounts,
}

impl Table {
    /// A table that follows nothing yet.
    pub(super) fn new(space: u32, exclusions: Exclusions) -> Table {
        Table {
            space,
            max: 0,
            exclusions,
            entries: HashMap::new(),
            order: BTreeMap::new(),
            serial: 0,
            dump: 0,
            look: 0,
            last_dump: None,
            last_look: None,
            is_lossy: false,
            dumping: TableCounts::default(),
            counts: TableCounts::default(),
        }
    }

    pub(super) fn counts(&self) -> TableCounts {
        TableCounts { entries: self.entries.len() as u64, ..self.counts }
    }

    /// From now on at most `max` entries are followed.
    pub(super) fn limit(&mut self, max: usize) {
        self.max = max;
    }

    /// Begins a dump.
    pub(super) fn begin_dump(&mut self) {
        self.dump = self.dump.wrapping_add(1);
        self.dumping = TableCounts::default();
    }

    /// Takes an entry. With `history` an entry that is not known yet has counted what is no
    /// traffic of ours.
    pub(super) fn seen(&mut self, entry: &Entry, sight: Sight, history: bool, to: &mut Bench<'_>) {
        if !self.is_wanted(entry) {
            return;
        }
        let key = EntryKey::of(entry);
        match self.entries.get(&key).map(|known| known.compare(entry)) {
            // What began was in a dump that was read before the notification.
            Some(_) if sight == Sight::Begun => return,
            // Why: The memory of an entry that is gone, and with it the id, is used again at once.
            Some(Ordering::Greater) => self.vanish(key, to),
            Some(Ordering::Less) => return,
            Some(Ordering::Equal) | None => {}
        }
        let is_new = !self.entries.contains_key(&key);
        if is_new && !self.admit(entry, sight, history, to) {
            return;
        }
        let Some(known) = self.entries.get_mut(&key) else { return };
        known.dump = self.dump;
        known.translate(self.space, entry, to);
        let (had_state, had_ended) = (known.state, known.ended);
        let (sent, received) = known.advance(entry);
        let spoke = known.spoke(entry, to.now) || known.state != had_state;
        known.ended |= sight == Sight::Over || known.state.is_some_and(is_over);
        // What was over when metering began is nothing that is seen now.
        let is_news = is_new && !(history && known.ended);
        let has_counted = sent != Count::default() || received != Count::default();
        let is_active = is_news || has_counted || (spoke && !is_new);
        if is_active || (known.ended != had_ended && !is_new) {
            let floor = self.last_look.unwrap_or(to.now.wall);
            let span = span(entry, (is_new, sight), floor, to.now);
            let mut told = known.observation(self.space, &key, span);
            (told.sent, told.received) = (sent, received);
            // Why: An end without news opens no flow. Nor does what a better source tells of, not
            // even when that source has fallen silent since: its octets were told.
            told.active = is_active && !known.has_better;
            let seen = to.cache.observe(&told, to.now);
            known.has_better |= seen == Observed::Better;
        }
        if sight == Sight::Over {
            self.remove(key, to);
        }
    }

    /// Ends what the dump did not have any more.
    pub(super) fn end_dump(&mut self, to: &mut Bench<'_>) {
        let dump = self.dump;
        let gone = |known: &Known| dump.wrapping_sub(known.dump) >= MISSED_MAX;
        let gone: Vec<EntryKey> =
            self.entries.iter().filter(|(_, known)| gone(known)).map(|(key, _)| *key).collect();
        for key in gone {
            self.vanish(key, to);
        }
        self.counts.tunnels = self.dumping.tunnels;
        self.counts.uncounted = self.dumping.uncounted;
        self.counts.untracked += self.dumping.untracked;
        self.is_lossy = self.dumping.untracked > 0;
        self.last_dump = Some(to.now.wall);
        self.end_look(to.now);
    }

    /// Everything that is wanted was looked at.
    pub(super) fn end_look(&mut self, now: Moment) {
        self.last_look = Some(now.wall);
    }

    /// Ends everything: the namespace is gone.
    pub(super) fn end(&mut self, to: &mut Bench<'_>) {
        let all: Vec<EntryKey> = self.entries.keys().copied().collect();
        for key in all {
            self.vanish(key, to);
        }
    }

    fn is_wanted(&mut self, entry: &Entry) -> bool {
        let Exclusions { tunnel_ports, zones } = &self.exclusions;
        let is_tunnel =
            entry.original.proto == IPPROTO_UDP && tunnel_ports.contains(&entry.original.dst.port);
        self.dumping.tunnels += u64::from(is_tunnel);
        let is_wanted = !is_tunnel && (zones.is_empty() || zones.contains(&entry.zone));
        self.dumping.uncounted += u64::from(is_wanted && entry.sent.is_none());
        is_wanted
    }

    /// Makes room for an entry, unless it is one of a full table's dump.
    fn admit(&mut self, entry: &Entry, sight: Sight, history: bool, to: &mut Bench<'_>) -> bool {
        if self.entries.len() >= self.max {
            let oldest = self.order.first_key_value().map(|(_, key)| *key);
            match oldest.filter(|_| sight == Sight::Begun) {
                Some(oldest) => {
                    self.remove(oldest, to);
                    self.counts.evicted += 1;
                    self.is_lossy = true;
                }
                // The end of one that is not followed is told, and needs no room.
                None if sight == Sight::Over => {}
                None => {
                    match sight {
                        Sight::Dumped => self.dumping.untracked += 1,
                        _ => self.counts.untracked += 1,
                    }
                    self.is_lossy = true;
                    return false;
                }
            }
        }
        self.counts.short += u64::from(sight == Sight::Over);
        let began_since = entry.start.zip(self.last_dump).is_some_and(|(start, at)| start > at);
        let is_old = history || (self.is_lossy && sight != Sight::Begun && !began_since);
        let (sent, received) = match is_old {
            true => (entry.sent.unwrap_or_default(), entry.received.unwrap_or_default()),
            false => Default::default(),
        };
        self.serial += 1;
        let key = EntryKey::of(entry);
        let known = Known {
            serial: self.serial,
            sent,
            received,
            zone: entry.zone,
            state: None,
            expiry: expiry(entry, to.now),
            translation: None,
            start: entry.start,
            is_picked_up: entry.tcp.is_some_and(|tcp| tcp.is_picked_up),
            looks: 0,
            is_simple: has_ports(key.proto) && entry.original.zone.is_none(),
            has_better: false,
            ended: false,
            dump: self.dump,
        };
        self.order.insert(self.serial, key);
        self.entries.insert(key, known);
        true
    }

    /// Entries whose counts nobody else tells and that may have counted since; `None` when they are
    /// more than `few`, or some of them cannot be asked for one by one.
    pub(super) fn wanted(&mut self, few: usize, to: &mut Bench<'_>) -> Option<Vec<EntryKey>> {
        self.look = self.look.wrapping_add(1);
        let mut wanted = Vec::new();
        for (key, known) in &mut self.entries {
            if known.has_better || known.ended {
                continue;
            }
            // Why: Whether a better source has come is cheaper to know than what was counted, but
            // not so cheap that it is looked for each time where there was none.
            let is_young = known.looks < YOUNG;
            if is_young || known.serial.wrapping_add(self.look) % LOOKS_BETWEEN == 0 {
                let (flow, _) = key.flow(self.space);
                known.has_better = to.cache.has_better(flow, SourceKind::Conntrack, to.now);
                known.looks += u8::from(is_young);
            }
            if known.has_better {
                continue;
            }
            if !known.is_simple || wanted.len() >= few {
                return None;
            }
            wanted.push(*key);
        }
        Some(wanted)
    }

    /// The body of a request for it.
    pub(super) fn request(&self, key: &EntryKey) -> Vec<u8> {
        let zone = self.entries.get(key).map_or(0, |known| known.zone);
        message::request_one(key.proto, key.src, key.dst, zone)
    }

    /// It was asked for, and is not there.
    pub(super) fn missing(&mut self, key: EntryKey, to: &mut Bench<'_>) {
        self.vanish(key, to);
        // Why: Should it be in a dump all the same, it is not told twice.
        self.is_lossy = true;
    }

    /// Tells that an entry is gone, of which nothing more is known.
    fn vanish(&mut self, key: EntryKey, to: &mut Bench<'_>) {
        let Some(known) = self.entries.get_mut(&key) else { return };
        let was = std::mem::replace(&mut known.ended, true);
        self.counts.vanished += 1;
        if !was {
            let span = (to.now.wall, Timestamp(i64::MIN));
            let told = known.observation(self.space, &key, span);
            to.cache.observe(&told, to.now);
        }
        self.remove(key, to);
    }

    fn remove(&mut self, key: EntryKey, to: &mut Bench<'_>) {
        let Some(known) = self.entries.remove(&key) else { return };
        self.order.remove(&known.serial);
        if let Some(translation) = known.translation {
            to.translations.release(&translation, to.cache, to.now);
        }
    }
}
