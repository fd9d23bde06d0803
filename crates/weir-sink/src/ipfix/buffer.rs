//! Messages that the collector does not have for sure: the newest in memory, the older ones on
//! disk, in the order of their numbers.
//!
//! A message goes to disk when memory is full or when it was not released for a while, so a
//! collector that answers costs no disk at all. Invariants: memory and disk are bounded, and past
//! both the oldest go and are counted; a number is given once in the life of an instance, also over
//! a crash. Sync: a segment is synced when it is full, closed or a second old; the state file before
//! any of its numbers is used. Time is a parameter.

mod disk;
pub(crate) mod folder;
pub(crate) mod segment;
pub(crate) mod state;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use disk::Disk;
use folder::Folder;
use segment::{Message, Template, used};
use state::State;

use super::ledger::Loss;

/// Numbers that are reserved at a time. A crash skips what is left of them.
const BLOCK: u64 = 16_384;
/// Least that is left of a block when the next one is reserved.
const MARGIN: u64 = 4_096;

/// Bounds of a buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) memory_max: usize,
    pub(crate) disk_max: u64,
    pub(crate) spill_after: Duration,
}

/// Makes the 16 octets of a new instance.
pub(crate) type MakeInstance = Box<dyn FnMut() -> [u8; 16] + Send>;

struct Kept {
    message: Arc<Message>,
    at: Duration,
}

/// See the module.
pub(crate) struct Buffer {
    bounds: Bounds,
    make_instance: MakeInstance,
    state: State,
    /// The state is on disk as it is here, or there is no disk.
    state_failing: bool,
    next: u64,
    memory: VecDeque<Kept>,
    memory_octets: usize,
    memory_records: u64,
    disk: Option<Disk>,
    /// What the encoder means by its ids now.
    templates: Vec<Arc<Template>>,
    /// Number from which on messages are to be sent.
    cursor: u64,
    losses: [u64; 2],
    restored: u64,
}

/// Places in [`Buffer::losses`].
const FULL: usize = 0;
const DAMAGED: usize = 1;

impl Buffer {
    /// Opens the buffer, with what an earlier run left in `folder`.
    pub(crate) fn open(
        bounds: Bounds,
        folder: Option<Box<dyn Folder>>,
        mut make_instance: MakeInstance,
    ) -> io::Result<Buffer> {
        let mut state = State { instance: make_instance(), next: 0, released: 0 };
        let mut next = 0;
        let mut disk = None;
        if let Some(folder) = folder {
            let kept = match folder.read(state::NAME) {
                Ok(octets) => State::decode(&octets),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            let opened = Disk::open(folder, kept.map_or(0, |state| state.released))?;
            if let Some(kept) = kept {
                state = kept;
            }
            next = state.next.max(opened.end());
            disk = Some(opened);
        }
        let restored = disk.as_ref().map_or(0, Disk::records);
        let mut buffer = Buffer {
            bounds,
            make_instance,
            state: State { next, ..state },
            state_failing: false,
            next,
            memory: VecDeque::new(),
            memory_octets: 0,
            memory_records: 0,
            disk,
            templates: Vec::new(),
            cursor: 0,
            losses: [0; 2],
            restored,
        };
        buffer.reserve()?;
        buffer.collect_damage();
        buffer.rewind();
        Ok(buffer)
    }

    /// Records that an earlier run left.
    pub(crate) fn restored(&self) -> u64 {
        self.restored
    }

    /// The 16 octets of this exporter. They change where numbers could not be kept apart otherwise.
    pub(crate) fn instance(&self) -> [u8; 16] {
        self.state.instance
    }

    /// Number of the oldest record that is kept; of the next one where none is.
    pub(crate) fn first(&self) -> u64 {
        let on_disk = self.disk.as_ref().and_then(Disk::first);
        on_disk.or_else(|| self.memory.front().map(|kept| kept.message.first)).unwrap_or(self.next)
    }

    /// Number of the next record.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Records that are kept.
    pub(crate) fn records(&self) -> u64 {
        self.memory_records + self.disk.as_ref().map_or(0, Disk::records)
    }

    /// Octets in memory and on disk.
    pub(crate) fn octets(&self) -> (u64, u64) {
        (self.memory_octets as u64, self.disk.as_ref().map_or(0, Disk::octets))
    }

    /// Failed writes to the disk so far.
    pub(crate) fn disk_errors(&self) -> u64 {
        self.disk.as_ref().map_or(0, Disk::errors)
    }

    /// Losses since the last call.
    pub(crate) fn take_losses(&mut self) -> [(Loss, u64); 2] {
        let [full, damaged] = std::mem::take(&mut self.losses);
        [(Loss::BufferFull, full), (Loss::Damaged, damaged)]
    }

    /// What an id means from now on.
    pub(crate) fn define(&mut self, template: Template) {
        self.templates.retain(|known| known.id != template.id);
        self.templates.push(Arc::new(template));
    }

    /// Keeps a message and gives its records their numbers. False where it uses a template that was
    /// never defined.
    pub(crate) fn append(&mut self, octets: &[u8], records: u32, now: Duration) -> bool {
        let Some(templates) = used(octets, self.templates.iter()) else { return false };
        let message = Message { first: self.next, records, octets: octets.into(), templates };
        self.next += u64::from(records);
        if self.next + MARGIN > self.state.next {
            self.reserve_or_part();
        }
        self.memory_octets += cost(&message);
        self.memory_records += u64::from(records);
        self.memory.push_back(Kept { message: Arc::new(message), at: now });
        if self.memory_octets > self.bounds.memory_max {
            self.make_room(now);
        }
        true
    }

    /// Sends from the oldest on again.
    pub(crate) fn rewind(&mut self) {
        self.cursor = self.first();
    }

    /// The next message to send, which counts as sent.
    pub(crate) fn next_to_send(&mut self) -> Option<Arc<Message>> {
        let cursor = self.cursor;
        let from_disk = self.disk.as_mut().and_then(|disk| disk.message_from(cursor));
        self.collect_damage();
        let message = from_disk.or_else(|| {
            let at = self.memory.partition_point(|kept| kept.message.first < cursor);
            self.memory.get(at).map(|kept| Arc::clone(&kept.message))
        })?;
        self.cursor = message.end();
        Some(message)
    }

    /// True when everything was sent.
    pub(crate) fn is_sent(&self) -> bool {
        // Why: Not `next`. After a crash the numbers between the last message and it were never used.
        let in_memory = self.memory.back().map(|kept| kept.message.end());
        let end = in_memory.or_else(|| self.disk.as_ref().and_then(Disk::last_end));
        end.is_none_or(|end| self.cursor >= end)
    }

    /// Lets go of all messages that end before `up_to`; gives their records.
    pub(crate) fn release(&mut self, up_to: u64) -> u64 {
        let mut records = 0;
        if let Some(disk) = &mut self.disk {
            records += disk.release(up_to);
            if disk.records() > 0 {
                return records;
            }
        }
        while let Some(kept) = self.memory.front().filter(|kept| kept.message.end() <= up_to) {
            records += u64::from(kept.message.records);
            self.pop();
        }
        records
    }

    fn pop(&mut self) -> Option<Kept> {
        let kept = self.memory.pop_front()?;
        self.memory_octets -= cost(&kept.message);
        self.memory_records -= u64::from(kept.message.records);
        Some(kept)
    }

    /// What is due: old messages go to disk, segments are synced, failures are tried again.
    pub(crate) fn tick(&mut self, now: Duration) {
        let old = |kept: &&Kept| now.saturating_sub(kept.at) >= self.bounds.spill_after;
        let due = self.memory.iter().take_while(old).count();
        self.spill(due, now);
        if let Some(disk) = &mut self.disk {
            disk.sync_due(now);
        }
        if self.state_failing {
            self.reserve_or_part();
        }
    }

    /// Moves the oldest `count` messages to disk, as far as it takes them.
    fn spill(&mut self, count: usize, now: Duration) {
        if self.bounds.disk_max == 0 || count == 0 {
            return;
        }
        let Some(disk) = &mut self.disk else { return };
        let messages: Vec<_> =
            self.memory.iter().take(count).map(|kept| Arc::clone(&kept.message)).collect();
        let took = disk.append(&messages, now);
        self.losses[FULL] += disk.bound(self.bounds.disk_max);
        for _ in 0..took {
            self.pop();
        }
    }

    /// Memory is full: half of it goes to disk, else away.
    fn make_room(&mut self, now: Duration) {
        let mut octets = 0;
        let half = self.bounds.memory_max / 2;
        let count = self.memory.iter().take_while(|kept| {
            octets += cost(&kept.message);
            octets <= half
        });
        let count = count.count().max(1);
        self.spill(count, now);
        if self.memory_octets > self.bounds.memory_max
            && let Some(disk) = self.disk.as_mut().filter(|disk| disk.records() > 0)
        {
            // Why: The disk takes no more. The oldest go first, and their room may be enough.
            self.losses[FULL] += disk.drop_oldest();
            disk.retry_now();
            self.spill(count, now);
        }
        while self.memory_octets > self.bounds.memory_max
            && let Some(kept) = self.pop()
        {
            self.losses[FULL] += u64::from(kept.message.records);
        }
    }

    fn collect_damage(&mut self) {
        self.losses[DAMAGED] += self.disk.as_mut().map_or(0, Disk::take_damaged);
    }

    /// Reserves numbers; where they cannot be and none are left, takes another instance: it has used
    /// none.
    fn reserve_or_part(&mut self) {
        let failing = self.reserve().is_err();
        if failing && self.next >= self.state.next {
            self.state.instance = (self.make_instance)();
            self.state.next = self.next + BLOCK;
        }
    }

    fn reserve(&mut self) -> io::Result<()> {
        let state = State { next: self.next + BLOCK, released: self.first(), ..self.state };
        self.write_state(state)
    }

    fn write_state(&mut self, state: State) -> io::Result<()> {
        if let Some(disk) = &mut self.disk {
            let written = disk.write_state(&state);
            self.state_failing = written.is_err();
            written?;
        }
        self.state = state;
        Ok(())
    }

    /// Becomes another exporter: the collector knows numbers that this one has not used.
    pub(crate) fn part(&mut self) {
        self.state.instance = (self.make_instance)();
        // A failure is tried again at the next tick.
        let _retried = self.reserve();
    }

    /// Tells the state file how far the collector is, so that a crash sends less again.
    pub(crate) fn note_released(&mut self) {
        let on_disk = self.disk.as_ref().is_some_and(|disk| disk.records() > 0);
        if on_disk && self.first() > self.state.released {
            let _retried = self.reserve();
        }
    }

    /// Puts all on disk, for a later run. Gives the records that could not be.
    pub(crate) fn close(mut self, now: Duration) -> (u64, [(Loss, u64); 2]) {
        self.spill(self.memory.len(), now);
        let left = self.memory_records;
        let (next, released) = (self.next, self.first());
        if let Some(disk) = &mut self.disk {
            disk.close();
        }
        let _told = self.write_state(State { next, released, ..self.state });
        self.collect_damage();
        (left, self.take_losses())
    }
}

/// Octets that a message takes in memory, roughly.
fn cost(message: &Message) -> usize {
    message.octets.len() + 128
}

#[cfg(test)]
mod tests;
