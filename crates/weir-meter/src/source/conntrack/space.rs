//! Connection tracking of one network namespace: what is asked there, and what is known of it.

use std::time::Duration;

use rustix::net::netlink::NETFILTER;

use super::known::EntryKey;
use super::message::{self, DELETED, ENTRY, Entry};
use super::setting::{self, Settings};
use super::table::{Bench, Exclusions, Sight, Table, TableCounts};
use crate::netlink::{Drained, Message, NLMSG_ERROR, Netlink, NetlinkError};

/// NLM_F_EXCL and NLM_F_CREATE in a notification: the entry is new.
const NLM_F_NEW: u16 = 0x200 | 0x400;
/// Notifications taken at once, before dumps have their turn again.
const DRAIN_MAX: usize = 4_096;
/// How often everything is looked at where single entries are asked for in between.
const RECONCILE: Duration = Duration::from_secs(60);
/// Questions at once: their answers, 4 KiB each in the kernel's account, fit any receive buffer.
const QUESTIONS_AT_ONCE: usize = 16;
/// Buckets that are walked in the time of one question.
// Cost: 42 ns a bucket, 2.3 µs an entry of a dump, 7 µs a question on the machine of docs/meter.md.
const BUCKETS_PER_QUESTION: usize = 160;
/// Entries that are dumped in that time.
const ENTRIES_PER_QUESTION: usize = 3;
/// Times that a loss is read past at once.
const LOSSES_MAX: usize = 4;

/// Sockets to ask through. They stay in the namespace of the thread that opened them.
#[derive(Debug)]
pub(super) struct Doors {
    dumps: Netlink,
    /// Where the kernel tells of entries that begin and end; why it does not, otherwise.
    pub(super) events: Result<Netlink, NetlinkError>,
    pub(super) settings: Settings,
    /// Entries when they were opened.
    pub(super) entries: u32,
    /// Buckets of the table, which all namespaces share.
    buckets: usize,
}

impl Doors {
    /// Opens them in this thread's namespace and asks once; `None` where there is no connection
    /// tracking. `accounting`: counters may be switched on there.
    pub(super) fn open(accounting: bool) -> Result<Option<Doors>, NetlinkError> {
        // Why: Asking would load what is asked for, and nothing is changed on the machine.
        let Some(settings) = Settings::read() else { return Ok(None) };
        let mut dumps = Netlink::open(Some(NETFILTER), 0)?;
        let entries = entries(&mut dumps)?;
        let settings = if accounting { settings.switch_on() } else { settings };
        let events = Netlink::open(Some(NETFILTER), message::EVENTS);
        Ok(Some(Doors { dumps, events, settings, entries, buckets: setting::buckets() }))
    }
}

fn entries(dumps: &mut Netlink) -> Result<u32, NetlinkError> {
    let mut entries = 0;
    dumps.ask(message::GET_STATS, &message::request(None), |answer| {
        entries = message::stats(answer.body).0.unwrap_or(0);
    })?;
    Ok(entries)
}

/// What a namespace's table was asked, beside what is known of its entries.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SpaceCounts {
    pub(super) dumps: u64,
    /// Entries asked for by themselves.
    pub(super) asked: u64,
    /// Dumps that were spared, for the table was empty.
    pub(super) spared: u64,
    pub(super) interrupted: u64,
    /// Messages that are no entries.
    pub(super) unreadable: u64,
    /// Entries in the kernel at the last look.
    pub(super) entries: u64,
}

#[derive(Debug)]
pub(super) struct Space {
    /// `None` until there is connection tracking.
    pub(super) doors: Option<Doors>,
    table: Table,
    pub(super) counts: SpaceCounts,
    zone: Option<u16>,
    /// What its entries have counted so far is no traffic of ours.
    has_history: bool,
    /// Times that notifications were lost.
    pub(super) lost: u64,
    /// They were, so a dump is owed.
    pub(super) is_behind: bool,
    /// When all was looked at.
    dumped: Option<Duration>,
}

impl Space {
    /// A namespace that nothing is known of yet. `has_history` when it is older than metering.
    pub(super) fn new(
        doors: Option<Doors>,
        number: u32,
        policy: &Exclusions,
        has_history: bool,
    ) -> Space {
        let zone = match policy.zones[..] {
            [zone] => Some(zone),
            _ => None,
        };
        Space {
            doors,
            table: Table::new(number, policy.clone()),
            counts: SpaceCounts::default(),
            zone,
            has_history,
            lost: 0,
            is_behind: false,
            dumped: None,
        }
    }

    pub(super) fn table_counts(&self) -> TableCounts {
        self.table.counts()
    }

    /// At most `max` entries are followed from now on.
    pub(super) fn limit(&mut self, max: usize) {
        self.table.limit(max);
    }

    /// Takes what the kernel told of entries so far.
    pub(super) fn take_events(&mut self, to: &mut Bench<'_>) -> Result<(), NetlinkError> {
        let Self { doors, table, counts, has_history, lost, is_behind, .. } = self;
        let Some(Doors { events: Ok(events), .. }) = doors else { return Ok(()) };
        let mut take = |message: Message<'_>| match (read(&message), sight(&message)) {
            (Some(entry), Some(sight)) => table.seen(&entry, sight, *has_history, to),
            (_, None) => {}
            (None, _) => counts.unreadable += 1,
        };
        // Why: All that waits is older than the dump that makes up for what was lost.
        for _ in 0..LOSSES_MAX {
            if events.drain(DRAIN_MAX, &mut take)? != Drained::Lost {
                break;
            }
            *lost += 1;
            *is_behind = true;
        }
        Ok(())
    }

    /// Looks at what entries have counted.
    ///
    /// Where the kernel tells of begins and ends, what no better source tells of is asked for one by
    /// one while that costs less than a dump of everything, which comes once a minute then.
    pub(super) fn look(&mut self, to: &mut Bench<'_>) -> Result<(), NetlinkError> {
        let Some(doors) = &mut self.doors else { return Ok(()) };
        self.counts.entries = entries(&mut doors.dumps)?.into();
        let now = to.now.mono;
        let is_fresh = self.dumped.is_some_and(|at| now.saturating_sub(at) < RECONCILE);
        if is_fresh && doors.events.is_ok() && !self.is_behind {
            let few = doors.buckets / BUCKETS_PER_QUESTION
                + self.counts.entries as usize / ENTRIES_PER_QUESTION;
            if let Some(wanted) = self.table.wanted(few, to) {
                return self.ask(&wanted, to);
            }
        }
        self.dump(to)
    }

    fn ask(&mut self, wanted: &[EntryKey], to: &mut Bench<'_>) -> Result<(), NetlinkError> {
        let Self { doors, table, counts, .. } = self;
        let Some(doors) = doors else { return Ok(()) };
        for keys in wanted.chunks(QUESTIONS_AT_ONCE) {
            let bodies: Vec<Vec<u8>> = keys.iter().map(|key| table.request(key)).collect();
            doors.dumps.ask_each(message::GET, &bodies, |which, answer| {
                match (read(&answer), keys.get(which)) {
                    (Some(entry), _) => table.seen(&entry, Sight::Dumped, false, to),
                    (None, Some(key)) if answer.kind == NLMSG_ERROR => table.missing(*key, to),
                    (None, _) => counts.unreadable += 1,
                }
            })?;
            counts.asked += keys.len() as u64;
        }
        table.end_look(to.now);
        Ok(())
    }

    /// Looks at every entry.
    fn dump(&mut self, to: &mut Bench<'_>) -> Result<(), NetlinkError> {
        let Self { doors, table, counts, has_history, .. } = self;
        let Some(doors) = doors else { return Ok(()) };
        // Cost: A dump walks the buckets of all namespaces' entries, some milliseconds where there
        // are 262,144, to find none.
        let is_empty = counts.entries == 0 && table.counts().entries == 0;
        table.begin_dump();
        if is_empty {
            counts.spared += 1;
        } else {
            let body = message::request(self.zone);
            let interrupted =
                doors.dumps.dump(message::GET, &body, |message| match read(&message) {
                    Some(entry) => table.seen(&entry, Sight::Dumped, *has_history, to),
                    None => counts.unreadable += 1,
                })?;
            counts.interrupted += u64::from(interrupted);
            counts.dumps += 1;
        }
        table.end_dump(to);
        *has_history = false;
        self.dumped = Some(to.now.mono);
        self.is_behind = false;
        Ok(())
    }

    /// Ends everything: the namespace is gone.
    pub(super) fn end(&mut self, to: &mut Bench<'_>) {
        // What was told meanwhile is taken; the rest goes with it.
        let _unread = self.take_events(to);
        self.table.end(to);
    }
}

fn read(message: &Message<'_>) -> Option<Entry> {
    matches!(message.kind, ENTRY | DELETED).then(|| Entry::read(message.body))?
}

/// What a notification says of its entry; `None` for what was not asked for.
fn sight(message: &Message<'_>) -> Option<Sight> {
    match message.kind {
        ENTRY if message.flags & NLM_F_NEW != 0 => Some(Sight::Begun),
        DELETED => Some(Sight::Over),
        _ => None,
    }
}
