//! The part of the buffer that is on disk: segments, oldest first, of which the last may be open.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::folder::Folder;
use super::segment::{MAGIC, Message, Template, put_message, put_template, scan};
use super::state::{self, State};

/// Octets after which a segment is closed.
const SEGMENT_MAX: u64 = 1 << 20;
/// What a segment counts for at least: a file is a block, and an entry of this list.
const SEGMENT_MIN: u64 = 4_096;
/// Longest time that appended octets wait for a sync.
const SYNC_AFTER: Duration = Duration::from_secs(1);
/// Pause after a failed write.
const RETRY: Duration = Duration::from_secs(5);

struct Segment {
    name: String,
    octets: u64,
    /// First number and records of each message that is not released.
    index: VecDeque<(u64, u32)>,
}

impl Segment {
    fn end(&self) -> u64 {
        self.index.back().map_or(0, |(first, records)| first + u64::from(*records))
    }

    fn records(&self) -> u64 {
        self.index.iter().map(|(_, records)| u64::from(*records)).sum()
    }

    fn counted(&self) -> u64 {
        self.octets.max(SEGMENT_MIN)
    }
}

/// The segment that is appended to: always the last of the list.
struct Writer {
    templates: Vec<Arc<Template>>,
    unsynced_since: Option<Duration>,
}

pub(super) struct Disk {
    folder: Box<dyn Folder>,
    segments: VecDeque<Segment>,
    writer: Option<Writer>,
    /// Number of the next segment's name.
    next_name: u64,
    /// The segment that was read last.
    loaded: Option<(String, Vec<Arc<Message>>)>,
    records: u64,
    octets: u64,
    end: u64,
    damaged: u64,
    errors: u64,
    retry_at: Duration,
}

impl Disk {
    /// Takes over what lies in the folder, but for messages that end before `released`.
    pub(super) fn open(folder: Box<dyn Folder>, released: u64) -> io::Result<Disk> {
        let mut disk = Disk {
            folder,
            segments: VecDeque::new(),
            writer: None,
            next_name: 0,
            loaded: None,
            records: 0,
            octets: 0,
            end: 0,
            damaged: 0,
            errors: 0,
            retry_at: Duration::ZERO,
        };
        let mut names: Vec<String> =
            disk.folder.list()?.into_iter().map(|(name, _)| name).collect();
        names.retain(|name| number(name).is_some());
        names.sort();
        for name in names {
            disk.next_name = number(&name).map_or(0, |number| number + 1).max(disk.next_name);
            disk.adopt(name, released);
        }
        Ok(disk)
    }

    fn adopt(&mut self, name: String, released: u64) {
        let Ok(octets) = self.folder.read(&name) else {
            self.errors += 1;
            return;
        };
        let found = scan(&octets);
        self.end = found.messages.last().map_or(0, Message::end).max(self.end);
        let kept = found.messages.iter().filter(|message| message.end() > released);
        let index: VecDeque<_> = kept.map(|message| (message.first, message.records)).collect();
        // A file whose numbers do not follow is not ours to send.
        let follows = self.segments.back().map_or(0, Segment::end) <= found.first();
        if index.is_empty() || !follows {
            self.damaged += index.iter().map(|(_, records)| u64::from(*records)).sum::<u64>();
            self.remove(&name);
            return;
        }
        let segment = Segment { name, octets: octets.len() as u64, index };
        self.records += segment.records();
        self.octets += segment.counted();
        self.segments.push_back(segment);
    }

    pub(super) fn first(&self) -> Option<u64> {
        self.segments.front()?.index.front().map(|(first, _)| *first)
    }

    /// The number after the last record that is kept.
    pub(super) fn last_end(&self) -> Option<u64> {
        self.segments.back().map(Segment::end)
    }

    /// The number after the last that was found at the start.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn records(&self) -> u64 {
        self.records
    }

    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    pub(super) fn errors(&self) -> u64 {
        self.errors
    }

    pub(super) fn take_damaged(&mut self) -> u64 {
        std::mem::take(&mut self.damaged)
    }

    pub(super) fn write_state(&mut self, state: &State) -> io::Result<()> {
        let written = self.folder.replace(state::NAME, &state.encode());
        self.errors += u64::from(written.is_err());
        written
    }

    /// Appends messages, and says how many the disk took.
    pub(super) fn append(&mut self, messages: &[Arc<Message>], now: Duration) -> usize {
        if now < self.retry_at {
            return 0;
        }
        for (at, message) in messages.iter().enumerate() {
            if self.append_one(message, now).is_err() {
                self.errors += 1;
                self.retry_at = now + RETRY;
                // What was written in part is cut away; the next segment is another file anyway.
                if let (Some(_), Some(last)) = (self.writer.take(), self.segments.back()) {
                    let _scan_stops_there = self.folder.truncate(&last.name, last.octets);
                    self.forget_if_empty();
                }
                return at;
            }
        }
        messages.len()
    }

    fn append_one(&mut self, message: &Arc<Message>, now: Duration) -> io::Result<()> {
        let mut octets = Vec::with_capacity(message.octets.len() + 64);
        if self.writer.is_none() {
            let name = format!("{:020}.seg", self.next_name);
            self.next_name += 1;
            self.segments.push_back(Segment { name, octets: 0, index: VecDeque::new() });
            self.octets += SEGMENT_MIN;
            self.writer = Some(Writer { templates: Vec::new(), unsynced_since: None });
            octets.extend_from_slice(MAGIC);
        }
        let (Some(writer), Some(segment)) = (&mut self.writer, self.segments.back_mut()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        for template in &message.templates {
            if !writer.templates.contains(template) {
                put_template(&mut octets, template);
                writer.templates.retain(|known| known.id != template.id);
                writer.templates.push(Arc::clone(template));
            }
        }
        put_message(&mut octets, message);
        self.folder.append(&segment.name, &octets)?;
        writer.unsynced_since.get_or_insert(now);
        let before = segment.counted();
        segment.octets += octets.len() as u64;
        self.octets += segment.counted() - before;
        segment.index.push_back((message.first, message.records));
        self.records += u64::from(message.records);
        if segment.octets >= SEGMENT_MAX {
            self.close();
        }
        Ok(())
    }

    /// A segment to which nothing was written is no segment.
    fn forget_if_empty(&mut self) {
        if self.segments.back().is_some_and(|segment| segment.index.is_empty())
            && let Some(segment) = self.segments.pop_back()
        {
            self.forget(&segment, 0);
        }
    }

    /// Syncs and closes the open segment.
    pub(super) fn close(&mut self) {
        if let (Some(_), Some(segment)) = (self.writer.take(), self.segments.back()) {
            let name = segment.name.clone();
            self.errors += u64::from(self.folder.sync(&name).is_err());
        }
    }

    pub(super) fn sync_due(&mut self, now: Duration) {
        let (Some(writer), Some(segment)) = (&mut self.writer, self.segments.back()) else {
            return;
        };
        if writer.unsynced_since.is_some_and(|since| now.saturating_sub(since) >= SYNC_AFTER) {
            writer.unsynced_since = None;
            self.errors += u64::from(self.folder.sync(&segment.name).is_err());
        }
    }

    /// Tries again at once what failed before.
    pub(super) fn retry_now(&mut self) {
        self.retry_at = Duration::ZERO;
    }

    /// Drops the oldest until the bound holds; gives the records that were lost.
    pub(super) fn bound(&mut self, octets_max: u64) -> u64 {
        let mut lost = 0;
        while self.octets > octets_max && !self.segments.is_empty() {
            lost += self.drop_oldest();
        }
        lost
    }

    /// Drops the oldest segment; gives its records.
    pub(super) fn drop_oldest(&mut self) -> u64 {
        let Some(segment) = self.segments.pop_front() else { return 0 };
        if self.segments.is_empty() {
            self.writer = None;
        }
        let records = segment.records();
        self.forget(&segment, records);
        records
    }

    fn forget(&mut self, segment: &Segment, records: u64) {
        self.records -= records;
        self.octets -= segment.counted();
        if self.loaded.as_ref().is_some_and(|(name, _)| *name == segment.name) {
            self.loaded = None;
        }
        self.remove(&segment.name);
    }

    fn remove(&mut self, name: &str) {
        // What could not be removed is found, and sent again, by the next run.
        self.errors += u64::from(self.folder.remove(name).is_err());
    }

    /// Lets go of messages that end before `up_to`; gives their records.
    pub(super) fn release(&mut self, up_to: u64) -> u64 {
        let before = self.records;
        while let Some(segment) = self.segments.front_mut() {
            while let Some((first, records)) = segment.index.front().copied()
                && first + u64::from(records) <= up_to
            {
                segment.index.pop_front();
                self.records -= u64::from(records);
            }
            if !segment.index.is_empty() {
                break;
            }
            self.drop_oldest();
        }
        before - self.records
    }

    /// The first message from number `from` on. A segment that cannot be read again is lost and
    /// counted.
    pub(super) fn message_from(&mut self, from: u64) -> Option<Arc<Message>> {
        loop {
            let at = self.segments.iter().position(|segment| segment.end() > from)?;
            if at + 1 == self.segments.len() {
                self.close();
            }
            let name = self.segments.get(at)?.name.clone();
            if self.loaded.as_ref().is_none_or(|(loaded, _)| *loaded != name) {
                let octets = self.folder.read(&name).unwrap_or_default();
                let messages = scan(&octets).messages.into_iter().map(Arc::new).collect();
                self.loaded = Some((name.clone(), messages));
            }
            let (_, messages) = self.loaded.as_ref()?;
            let segment = self.segments.get_mut(at)?;
            let whole = messages.last().map_or(0, |message| message.end());
            let at_next = segment.index.partition_point(|(first, _)| *first < from);
            let next = segment.index.get(at_next).map(|(first, _)| *first);
            let at_next = messages.partition_point(|message| Some(message.first) < next);
            let found = messages.get(at_next).filter(|message| Some(message.first) == next);
            if let Some(message) = found {
                return Some(Arc::clone(message));
            }
            // Torn or unreadable from here on.
            let mut lost = 0;
            segment.index.retain(|(first, records)| {
                let gone = *first >= whole;
                lost += if gone { u64::from(*records) } else { 0 };
                !gone
            });
            // Whole as far as it goes, and yet the message is not there: nothing of it can be told.
            if lost == 0 {
                lost = segment.records();
                segment.index.clear();
            }
            self.damaged += lost;
            self.records -= lost;
            if segment.index.is_empty()
                && let Some(segment) = self.segments.remove(at)
            {
                self.forget(&segment, 0);
            }
        }
    }
}

impl super::segment::Scan {
    fn first(&self) -> u64 {
        self.messages.first().map_or(0, |message| message.first)
    }
}

fn number(name: &str) -> Option<u64> {
    name.strip_suffix(".seg").filter(|stem| stem.len() == 20)?.parse().ok()
}
