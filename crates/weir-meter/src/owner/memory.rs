//! A bounded memory of processes, the exited included.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::process::Owner;

/// A process: its id, and when it started in clock ticks since boot.
pub(super) type Key = (u32, u64);

/// One process that is remembered.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) owner: Arc<Owner>,
    /// When its files were read.
    pub(super) looked: Duration,
    /// When it was last seen to be the process that it was.
    pub(super) checked: Duration,
    /// It owns metered sockets, or did.
    pub(super) owns: bool,
    ticket: u64,
}

/// Processes by pid and start, at most `max`; the one that was asked for longest ago goes first.
#[derive(Debug)]
pub(super) struct Memory {
    max: usize,
    known: HashMap<Key, Entry>,
    used: BTreeMap<u64, Key>,
    /// Latest start of a pid, to name parents that are gone.
    latest: HashMap<u32, u64>,
    ticket: u64,
    pub(super) evicted: u64,
    /// Grows whenever anything in it changes.
    pub(super) version: u64,
}

impl Memory {
    pub(super) fn new(max: usize) -> Memory {
        Memory {
            max: max.max(1),
            known: HashMap::new(),
            used: BTreeMap::new(),
            latest: HashMap::new(),
            ticket: 0,
            evicted: 0,
            version: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.known.values()
    }

    /// A process, which is thereby asked for.
    pub(super) fn touch(&mut self, key: Key) -> Option<&mut Entry> {
        let entry = self.known.get_mut(&key)?;
        self.ticket += 1;
        self.used.remove(&entry.ticket);
        entry.ticket = self.ticket;
        self.used.insert(self.ticket, key);
        Some(entry)
    }

    /// The process that had this pid last.
    pub(super) fn latest(&self, pid: u32) -> Option<&Arc<Owner>> {
        let key = (pid, *self.latest.get(&pid)?);
        self.known.get(&key).map(|entry| &entry.owner)
    }

    /// It owns sockets.
    pub(super) fn owns(&mut self, key: Key) {
        if let Some(entry) = self.known.get_mut(&key)
            && !entry.owns
        {
            entry.owns = true;
            self.version += 1;
        }
    }

    /// Remembers a process, or what is new of it.
    pub(super) fn keep(&mut self, owner: Owner, now: Duration) -> Arc<Owner> {
        let key = (owner.pid, owner.started);
        let owner = Arc::new(owner);
        self.version += 1;
        self.ticket += 1;
        let (looked, checked, ticket) = (now, now, self.ticket);
        let owns = self.known.get(&key).is_some_and(|before| before.owns);
        let entry = Entry { owner: Arc::clone(&owner), looked, checked, owns, ticket };
        if let Some(before) = self.known.insert(key, entry) {
            self.used.remove(&before.ticket);
        }
        self.used.insert(ticket, key);
        self.latest.insert(key.0, key.1);
        while self.known.len() > self.max {
            let Some((_, oldest)) = self.used.pop_first() else { break };
            self.known.remove(&oldest);
            if self.latest.get(&oldest.0) == Some(&oldest.1) {
                self.latest.remove(&oldest.0);
            }
            self.evicted += 1;
        }
        owner
    }
}
