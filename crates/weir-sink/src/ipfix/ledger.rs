//! The account of one destination: received = acknowledged + unacknowledged + dropped by reason +
//! in flight, in records.

use std::sync::{Mutex, MutexGuard, PoisonError};

use weir_telemetry::Label;

/// Why a record was lost here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Loss {
    /// Rows came faster than they were made into messages.
    QueueFull,
    /// No element carries anything of it, or it is longer than a message.
    Unsendable,
    /// The collector was away until memory and disk were full: the oldest went.
    BufferFull,
    /// What lay on disk could not be read again.
    Damaged,
    /// The agent stopped and had no disk to keep it on.
    Stopped,
}

impl Label for Loss {
    const NAME: &'static str = "reason";
    const ALL: &'static [Loss] =
        &[Loss::QueueFull, Loss::Unsendable, Loss::BufferFull, Loss::Damaged, Loss::Stopped];

    fn index(self) -> usize {
        self as usize
    }

    fn value(self) -> &'static str {
        match self {
            Loss::QueueFull => "queue_full",
            Loss::Unsendable => "unsendable",
            Loss::BufferFull => "buffer_full",
            Loss::Damaged => "damaged",
            Loss::Stopped => "stopped",
        }
    }
}

/// Records of one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Handed to it, and found on disk at the start.
    pub received: u64,
    /// The collector has said that they are safe.
    pub acknowledged: u64,
    /// The socket took them, and the collector says nothing.
    pub unacknowledged: u64,
    /// Lost here, by [`Loss`].
    pub dropped: [u64; Loss::ALL.len()],
}

impl Account {
    /// Received and not settled so far.
    pub fn in_flight(&self) -> u64 {
        let settled = self.acknowledged + self.unacknowledged + self.dropped.iter().sum::<u64>();
        self.received.saturating_sub(settled)
    }
}

/// The account, behind its lock.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Account>);

impl Ledger {
    pub(crate) fn account(&self) -> Account {
        *self.lock()
    }

    pub(crate) fn received(&self, records: u64) {
        self.lock().received += records;
    }

    /// Records left the buffer: the collector has them, or so the socket's word goes.
    pub(crate) fn sent(&self, records: u64, acknowledged: bool) {
        let mut account = self.lock();
        match acknowledged {
            true => account.acknowledged += records,
            false => account.unacknowledged += records,
        }
    }

    pub(crate) fn dropped(&self, loss: Loss, records: u64) {
        self.lock().dropped[loss.index()] += records;
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        // Each entry is written whole under one lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
