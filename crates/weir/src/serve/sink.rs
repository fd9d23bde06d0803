//! Where the batches of ingest and of metering go: the store keeps them, the live tail shows them.

use std::sync::Arc;
use std::time::Duration;

use weir_api::Hub;
use weir_ingest::{DurableSink, Kept, Sink, SinkLoss, Ticket, Verdict};
use weir_model::FlowBatch;
use weir_store::{Store, StoreErrorKind};
use weir_telemetry::LogGate;
use weir_wire::Output;
use weir_wire::acknowledge::Instance;

use super::kept::kept;

/// The store as a sink.
#[derive(Debug)]
pub struct StoreSink {
    store: Store,
    hub: Hub,
    gate: LogGate<&'static str>,
}

impl StoreSink {
    /// Keeps in `store`, shows in `hub`.
    pub fn new(store: Store, hub: Hub) -> StoreSink {
        StoreSink { store, hub, gate: LogGate::new(Duration::from_secs(10)) }
    }

    /// Keeps a batch; gives its ticket, or why it was lost.
    fn append(&self, batch: &FlowBatch) -> Result<Option<weir_store::Ticket>, SinkLoss> {
        if batch.is_empty() {
            return Ok(None);
        }
        let error = match self.store.append(batch) {
            Ok(ticket) => return Ok(Some(ticket)),
            Err(error) => error,
        };
        let kind = error.kind();
        // A full disk refuses every batch: the log is gated, the ledger is exact.
        if let Some(suppressed) = self.gate.admit(kind.name()) {
            tracing::error!(%error, rows = batch.rows(), suppressed, "records refused by the store");
        }
        Err(match kind {
            StoreErrorKind::DiskFull => SinkLoss::DiskFull,
            StoreErrorKind::Closed => SinkLoss::Closed,
            StoreErrorKind::Io | StoreErrorKind::Backlog | StoreErrorKind::TimedOut => SinkLoss::Io,
            StoreErrorKind::Locked | StoreErrorKind::Damaged | StoreErrorKind::Version => {
                SinkLoss::Refused
            }
        })
    }

    pub(super) fn keep(&self, batch: &FlowBatch) -> Option<SinkLoss> {
        self.append(batch).err()
    }

    pub(super) fn keep_and_show(&self, flows: &mut FlowBatch) -> Option<SinkLoss> {
        self.append_and_show(flows).err()
    }

    /// Keeps the flows; while somebody watches, the batch goes on to them instead of back to the
    /// worker, so that watching costs no copy.
    fn append_and_show(
        &self,
        flows: &mut FlowBatch,
    ) -> Result<Option<weir_store::Ticket>, SinkLoss> {
        if flows.is_empty() || !self.hub.is_watched() {
            return self.append(flows);
        }
        let batch = Arc::new(std::mem::replace(flows, FlowBatch::new(flows.table())));
        let kept = self.append(&batch);
        if kept.is_ok() {
            self.hub.publish(&batch);
        }
        kept
    }
}

impl Sink for StoreSink {
    fn name(&self) -> &'static str {
        "store"
    }

    fn accept(&self, output: &mut Output) -> Verdict {
        self.accept_tracked(output).0
    }

    fn durable(&self) -> Option<&dyn DurableSink> {
        Some(self)
    }
}

impl DurableSink for StoreSink {
    fn accept_tracked(&self, output: &mut Output) -> (Verdict, Ticket) {
        let kept = [
            self.append_and_show(&mut output.flows),
            self.append(&output.counters),
            self.append(&output.options),
        ];
        let [flows, counters, options] = [0, 1, 2].map(|table| kept[table].as_ref().err().copied());
        let tickets: Vec<_> = kept.into_iter().flatten().flatten().collect();
        let ticket = move || tickets.iter().all(weir_store::Ticket::is_durable);
        (Verdict { flows, counters, options }, Box::new(ticket))
    }

    fn kept(&self, instance: &Instance, domain: u32, first: u64) -> Kept {
        kept(&self.store.snapshot(), instance, domain, first)
    }
}
