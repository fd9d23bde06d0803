//! What travels from receive threads to decode workers: many messages in one reused buffer.

use std::sync::{Mutex, PoisonError};

use weir_wire::{Received, Released, Work};

use crate::acknowledge::Noted;
use crate::sys::SLOT;

/// Datagrams of one chunk.
pub(crate) const SLOTS: usize = 64;

/// Octets of a chunk, long datagrams aside.
pub(crate) const CHUNK_OCTETS: usize = SLOTS * SLOT;

/// Chunks kept for reuse; more are freed.
const POOL_MAX: usize = 64;

/// One admitted message.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What to decode.
    pub work: Work,
    /// How it came.
    pub received: Received,
    /// Where its octets start in the chunk.
    pub start: usize,
    /// How many they are.
    pub len: usize,
    /// Sets that decoding will settle, released ones included.
    pub open_sets: u64,
    /// Parked Sets that this message's templates released.
    pub released: Vec<Released>,
    /// What its exporter waits to hear of, if it does.
    pub noted: Option<Noted>,
}

/// A buffer with the messages in it. Slots for datagrams come first; what does not fit a slot, and
/// messages of connections, are appended behind.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub octets: Vec<u8>,
    pub entries: Vec<Entry>,
    /// Slots used so far.
    pub slots: usize,
}

impl Chunk {
    fn new() -> Chunk {
        Chunk { octets: vec![0; CHUNK_OCTETS], entries: Vec::with_capacity(SLOTS), slots: 0 }
    }

    /// The slots that are still free.
    pub(crate) fn free_slots(&mut self) -> &mut [u8] {
        &mut self.octets[self.slots * SLOT..CHUNK_OCTETS]
    }

    /// Appends a message behind the slots and says where it starts.
    pub(crate) fn append(&mut self, message: &[u8]) -> usize {
        let start = self.octets.len();
        self.octets.extend_from_slice(message);
        start
    }

    /// The octets of an entry.
    pub(crate) fn octets_of(&self, entry: &Entry) -> &[u8] {
        self.octets.get(entry.start..entry.start + entry.len).unwrap_or_default()
    }

    /// True when the next read may find no room.
    pub(crate) fn is_full(&self) -> bool {
        self.slots >= SLOTS || self.octets.len() >= 2 * CHUNK_OCTETS
    }

    /// Empties the chunk and keeps its memory, within bounds.
    pub(crate) fn reset(&mut self) {
        self.entries.clear();
        self.slots = 0;
        self.octets.truncate(CHUNK_OCTETS);
        if self.octets.capacity() > 2 * CHUNK_OCTETS {
            self.octets.shrink_to(CHUNK_OCTETS);
        }
    }

    /// What the chunk weighs in the queue's bound: all of its memory, however few messages.
    pub(crate) fn weight(&self) -> usize {
        self.octets.len()
    }
}

/// Empty chunks, to be used again.
#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<Vec<Chunk>>);

impl Pool {
    /// An empty chunk.
    pub(crate) fn take(&self) -> Chunk {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_else(Chunk::new)
    }

    /// Takes a chunk back.
    pub(crate) fn give(&self, mut chunk: Chunk) {
        chunk.reset();
        let mut chunks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if chunks.len() < POOL_MAX {
            chunks.push(chunk);
        }
    }
}
