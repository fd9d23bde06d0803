//! The account of what metering made: received = kept + dropped by reason + in flight.

use std::sync::{Mutex, MutexGuard, PoisonError};

use weir_telemetry::Label;

/// Why rows were lost after they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Loss {
    /// No room on the disk.
    DiskFull,
    /// Reading or writing failed.
    Io,
    /// What takes them is shutting down.
    Closed,
    /// What takes them found them at fault.
    Refused,
}

impl Loss {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();
}

impl Label for Loss {
    const NAME: &'static str = "reason";
    const ALL: &'static [Loss] = &[Loss::DiskFull, Loss::Io, Loss::Closed, Loss::Refused];

    fn index(self) -> usize {
        self as usize
    }

    fn value(self) -> &'static str {
        match self {
            Loss::DiskFull => "disk_full",
            Loss::Io => "io",
            Loss::Closed => "closed",
            Loss::Refused => "refused",
        }
    }
}

/// Rows of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Rows made.
    pub received: u64,
    /// Rows that were taken.
    pub kept: u64,
    /// Rows that were not, by [`Loss`].
    pub dropped: [u64; Loss::COUNT],
}

impl Account {
    /// Made, and neither kept nor dropped so far.
    pub fn in_flight(&self) -> u64 {
        self.received - self.kept - self.dropped.iter().sum::<u64>()
    }

    fn settle(&mut self, rows: u64, loss: Option<Loss>) {
        match loss {
            None => self.kept += rows,
            Some(loss) => self.dropped[loss.index()] += rows,
        }
    }
}

/// Both accounts at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Books {
    /// Flow records.
    pub flows: Account,
    /// Counters.
    pub counters: Account,
}

/// The books, behind their lock.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Books>);

impl Ledger {
    pub(crate) fn books(&self) -> Books {
        *self.lock()
    }

    /// Rows were made: flows and counters.
    pub(crate) fn made(&self, flows: u64, counters: u64) {
        let mut books = self.lock();
        books.flows.received += flows;
        books.counters.received += counters;
    }

    /// They came to their end.
    pub(crate) fn settled(&self, flows: (u64, Option<Loss>), counters: (u64, Option<Loss>)) {
        let mut books = self.lock();
        books.flows.settle(flows.0, flows.1);
        books.counters.settle(counters.0, counters.1);
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        // Each entry is written whole under one lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_kept_lost_or_on_its_way() {
        let ledger = Ledger::default();
        ledger.made(5, 3);
        assert_eq!((ledger.books().flows.in_flight(), ledger.books().counters.in_flight()), (5, 3));
        ledger.settled((5, None), (3, Some(Loss::DiskFull)));
        let books = ledger.books();
        assert_eq!((books.flows.kept, books.flows.in_flight()), (5, 0));
        assert_eq!((books.counters.dropped, books.counters.in_flight()), ([3, 0, 0, 0], 0));
    }
}
