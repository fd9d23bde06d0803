//! Decode workers: chunks from the queue to rows, rows in batches to the sink.
//!
//! A worker owns one [`Output`]; it is handed on when full, or when its oldest row has waited for
//! the flush time. Invariant: a message is settled in the books when it is decoded, a row when the
//! sink has seen it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_wire::{Gathering, Message, Output, Released, Tally};

use crate::acknowledge::Noted;
use crate::chunk::{Chunk, Entry};
use crate::ledger::rows_of;
use crate::queue::Popped;
use crate::shared::Shared;
use crate::sink::{Sink, SinkLoss, Ticket, Verdict};

/// One decode thread.
pub(crate) struct Worker {
    pub(crate) number: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) flush_after: Duration,
    pub(crate) in_order: bool,
}

/// Rows gathered so far, and since when.
struct Gathered {
    output: Output,
    tally: Tally,
    since: Option<Instant>,
    /// Messages among them that exporters wait to hear of. Never more than rows and messages of a
    /// batch, since a flush takes them.
    noted: Vec<Noted>,
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.output.is_empty() && self.noted.is_empty()
    }
}

impl Worker {
    /// Decodes until the queue is closed and empty, then hands on the rest.
    pub(crate) fn run(self) {
        let (output, noted) = (Output::new(), Vec::new());
        let mut gathered = Gathered { output, tally: Tally::default(), since: None, noted };
        loop {
            let due = gathered.since.map(|since| since + self.flush_after);
            let patience =
                due.map_or(self.flush_after, |due| due.saturating_duration_since(Instant::now()));
            match self.shared.queue.pop(self.number, patience) {
                Popped::Chunk(chunk) => self.decode(chunk, &mut gathered),
                Popped::TimedOut => {}
                Popped::Closed => break,
            }
            if due.is_some_and(|due| Instant::now() >= due) {
                self.flush(&mut gathered);
            }
        }
        self.flush(&mut gathered);
    }

    fn decode(&self, chunk: Chunk, gathered: &mut Gathered) {
        let mut gathering = Gathering::default();
        for entry in &chunk.entries {
            self.decode_entry(&chunk, entry, &mut gathering, gathered);
        }
        gathered.tally += &gathering.finish(&mut gathered.output);
        let mut books = self.shared.door.ledger.books();
        books.count(&std::mem::take(&mut gathered.tally));
        books.messages.kept += chunk.entries.len() as u64;
        drop(books);
        self.shared.pool.give(chunk);
        if gathered.since.is_none() && !gathered.is_empty() {
            gathered.since = Some(Instant::now());
        }
        if gathered.output.is_full() {
            self.flush(gathered);
        }
    }

    fn decode_entry<'a>(
        &self,
        chunk: &'a Chunk,
        entry: &'a Entry,
        gathering: &mut Gathering<'a>,
        gathered: &mut Gathered,
    ) {
        let Entry { work, received, released, .. } = entry;
        let own = Message { work, octets: chunk.octets_of(entry), received };
        for message in released.iter().map(Released::message).chain([own]) {
            let rows = gathering.rows_max() + message.work.records_max();
            if gathered.output.flows.room() < rows || gathered.output.is_full() {
                gathered.tally += &gathering.finish(&mut gathered.output);
                self.flush(gathered);
            }
            let tally = if self.in_order {
                weir_wire::decode(message, &mut gathered.output)
            } else {
                gathering.add(message, &mut gathered.output)
            };
            self.shared.door.ledger.charge_tally(message.received.source.ip(), &tally);
            gathered.tally += &tally;
        }
        // Its rows are all in this output, or on their way into it: no flush comes in between.
        gathered.noted.extend(entry.noted);
    }

    /// Hands the rows to the sink.
    fn flush(&self, gathered: &mut Gathered) {
        gathered.since = None;
        if gathered.output.is_empty() {
            let nothing = std::mem::take(&mut gathered.noted);
            return self.shared.acknowledging.handed(nothing, Verdict::KEPT, None);
        }
        // Rows must be in the books before the sink's word on them is.
        self.shared.door.ledger.books().count(&std::mem::take(&mut gathered.tally));
        gathered.output.seal();
        let rows = rows_of(&gathered.output);
        let noted = std::mem::take(&mut gathered.noted);
        let (verdict, ticket) = self.accept(&mut gathered.output, !noted.is_empty());
        self.shared.door.ledger.books().settle(rows, verdict);
        self.shared.acknowledging.handed(noted, verdict, ticket);
        gathered.output.clear();
    }

    /// A sink that panics loses its rows, not the thread that decodes for everyone.
    fn accept(&self, output: &mut Output, tracked: bool) -> (Verdict, Option<Ticket>) {
        let durable = self.sink.durable().filter(|_| tracked);
        let accepted = catch_unwind(AssertUnwindSafe(|| match durable {
            Some(sink) => {
                let (verdict, ticket) = sink.accept_tracked(output);
                (verdict, Some(ticket))
            }
            None => (self.sink.accept(output), None),
        }));
        accepted.unwrap_or_else(|_| {
            tracing::error!(sink = self.sink.name(), "sink panicked, its rows are lost");
            // Whatever half of them it had taken out is not looked at again.
            *output = Output::new();
            (Verdict::lost(SinkLoss::Panicked), None)
        })
    }
}
