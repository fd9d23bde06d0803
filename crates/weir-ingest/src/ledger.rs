//! The ledger: what arrived, what was kept, what was dropped and why, as exact integers.
//!
//! Messages (datagrams and messages of connections), Sets and records each have an [`Account`]
//! with `received = kept + dropped + in flight`. One lock guards all of them and is taken once per
//! chunk, so a snapshot is exact at any moment. Losses before us are not in here: sequence gaps are
//! estimates of the exporters' status, kernel loss is counted per socket.

mod exporters;
mod reason;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use weir_wire::{Output, Tally};

use crate::sink::{SinkLoss, Verdict};
pub use exporters::{ExporterDrops, REASONS};
pub use reason::Reason;

/// One account of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// What arrived.
    pub received: u64,
    /// What reached its end: messages and Sets decoded, records taken by the sink.
    pub kept: u64,
    /// What was lost on the way, by [`Reason`].
    pub dropped: [u64; Reason::COUNT],
}

impl Account {
    /// Lost, for all reasons.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Lost for `reason`.
    pub fn dropped_by(&self, reason: Reason) -> u64 {
        self.dropped[reason.number()]
    }

    /// Received, and neither kept nor dropped so far.
    pub fn in_flight(&self) -> u64 {
        self.received - self.kept - self.dropped_total()
    }

    pub(crate) fn drop(&mut self, reason: Reason, n: u64) {
        self.dropped[reason.number()] += n;
    }
}

/// Records of one table, from decoding to the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableBooks {
    /// Rows decoded.
    pub decoded: u64,
    /// Rows that the sink took.
    pub kept: u64,
    /// Rows that the sink lost, by [`SinkLoss`].
    pub lost: [u64; SinkLoss::COUNT],
}

/// All books at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Books {
    /// Datagrams and messages of connections.
    pub messages: Account,
    /// Sets (samples of sFlow; 1 for a message of NetFlow v5 or v7). Parked Sets are in flight.
    pub sets: Account,
    /// Records of all tables. Records of a Set that could not be read are not known, and not
    /// counted here: their Sets are.
    pub records: Account,
    /// Flow records by stage.
    pub flows: TableBooks,
    /// Counters by stage.
    pub counters: TableBooks,
    /// Options records by stage.
    pub options: TableBooks,
    /// Octets of messages received.
    pub octets: u64,
    /// Octets of what was dropped, by [`Reason`].
    pub octets_dropped: [u64; Reason::COUNT],
    /// Template definitions taken in, repeated ones included.
    pub templates: u64,
    /// Template withdrawals taken in.
    pub withdrawals: u64,
    /// Data Sets decoded with a template that another source port of the exporter sent.
    pub templates_borrowed: u64,
    /// Data Sets put aside because their template was unknown.
    pub sets_parked: u64,
    /// Parked Sets whose template came.
    pub sets_released: u64,
    /// Batches handed to the sink.
    pub batches: u64,
}

impl Books {
    /// Counts what a pass over messages found.
    pub(crate) fn count(&mut self, tally: &Tally) {
        self.sets.received += tally.sets;
        self.sets.kept += tally.sets_control + tally.sets_decoded;
        self.records.received += tally.records();
        self.flows.decoded += tally.flows;
        self.counters.decoded += tally.counters;
        self.options.decoded += tally.options;
        self.templates += tally.templates;
        self.withdrawals += tally.withdrawals;
        self.templates_borrowed += tally.templates_borrowed;
        self.sets_parked += tally.sets_parked;
        self.sets_released += tally.sets_released;
        for (reason, dropped) in Reason::of_wire(tally) {
            self.sets.drop(reason, dropped.sets);
            // Records that decoding refused were received too, though they never were rows.
            self.records.received += dropped.records;
            self.records.drop(reason, dropped.records);
            self.octets_dropped[reason.number()] += dropped.octets;
        }
    }

    /// Settles the rows of a batch that the sink has seen.
    pub(crate) fn settle(&mut self, rows: [u64; 3], verdict: Verdict) {
        let verdicts = [verdict.flows, verdict.counters, verdict.options];
        let tables = [&mut self.flows, &mut self.counters, &mut self.options];
        for ((table, rows), verdict) in tables.into_iter().zip(rows).zip(verdicts) {
            match verdict {
                None => {
                    table.kept += rows;
                    self.records.kept += rows;
                }
                Some(loss) => {
                    table.lost[loss as usize] += rows;
                    self.records.drop(Reason::Sink(loss), rows);
                }
            }
        }
        self.batches += 1;
    }

    /// Rows that the sink lost for `reason`, all tables together.
    pub fn sink_lost(&self, reason: SinkLoss) -> u64 {
        self.records.dropped_by(Reason::Sink(reason))
    }
}

/// Rows per table of an output.
pub(crate) fn rows_of(output: &Output) -> [u64; 3] {
    [&output.flows, &output.counters, &output.options].map(|batch| batch.rows() as u64)
}

/// The books and the drops per exporter, behind their locks.
#[derive(Debug)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
    exporters: Mutex<exporters::Exporters>,
}

impl Ledger {
    pub(crate) fn new(exporters_max: usize) -> Ledger {
        Ledger {
            books: Mutex::default(),
            exporters: Mutex::new(exporters::Exporters::new(exporters_max)),
        }
    }

    /// The books, to write several entries at once.
    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        // A panic elsewhere leaves whole entries: each is written under one lock.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Charges an exporter with a drop.
    pub(crate) fn charge(&self, exporter: IpAddr, reason: Reason, messages: u64, sets: u64) {
        let dropped = weir_wire::Dropped { messages, sets, ..Default::default() };
        self.exporters().charge(exporter, reason, dropped);
    }

    /// Charges an exporter with the drops of a tally. Costs nothing when there are none.
    pub(crate) fn charge_tally(&self, exporter: IpAddr, tally: &Tally) {
        for (reason, dropped) in Reason::of_wire(tally) {
            self.exporters().charge(exporter, reason, dropped);
        }
    }

    /// Drops of each exporter that had some.
    pub(crate) fn exporter_drops(&self) -> Vec<ExporterDrops> {
        self.exporters().snapshot()
    }

    fn exporters(&self) -> MutexGuard<'_, exporters::Exporters> {
        self.exporters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_wire::DropReason;

    #[test]
    fn records_balance_from_decoding_to_a_sink_that_lost_one_table() {
        let mut tally =
            Tally { sets: 3, sets_decoded: 2, flows: 5, options: 2, ..Tally::default() };
        tally.drop_set(DropReason::MalformedSet, 20);
        tally.drop_records(DropReason::RecordQuota, 4, 80);
        let mut books = Books::default();
        books.count(&tally);
        assert_eq!((books.sets.in_flight(), books.records.in_flight()), (0, 7));
        let verdict = Verdict { options: Some(SinkLoss::DiskFull), ..Verdict::KEPT };
        books.settle([5, 0, 2], verdict);
        assert_eq!((books.records.received, books.records.kept), (11, 5));
        assert_eq!(books.records.dropped_by(Reason::Wire(DropReason::RecordQuota)), 4);
        assert_eq!(books.sink_lost(SinkLoss::DiskFull), 2);
        assert_eq!(books.records.in_flight(), 0);
        assert_eq!(books.options, TableBooks { decoded: 2, kept: 0, lost: [2, 0, 0, 0, 0] });
    }
}
