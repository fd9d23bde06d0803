//! Where the batches of ingest and of metering go: the store keeps them, the live tail shows them.

use std::sync::Arc;
use std::time::Duration;

use weir_api::Hub;
use weir_ingest::{Sink, SinkLoss, Verdict};
use weir_model::FlowBatch;
use weir_store::{Store, StoreErrorKind};
use weir_telemetry::LogGate;
use weir_wire::Output;

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

    pub(super) fn keep(&self, batch: &FlowBatch) -> Option<SinkLoss> {
        if batch.is_empty() {
            return None;
        }
        let error = self.store.append(batch).err()?;
        let kind = error.kind();
        // A full disk refuses every batch: the log is gated, the ledger is exact.
        if let Some(suppressed) = self.gate.admit(kind.name()) {
            tracing::error!(%error, rows = batch.rows(), suppressed, "records refused by the store");
        }
        Some(match kind {
            StoreErrorKind::DiskFull => SinkLoss::DiskFull,
            StoreErrorKind::Closed => SinkLoss::Closed,
            StoreErrorKind::Io | StoreErrorKind::Backlog | StoreErrorKind::TimedOut => SinkLoss::Io,
            StoreErrorKind::Locked | StoreErrorKind::Damaged | StoreErrorKind::Version => {
                SinkLoss::Refused
            }
        })
    }

    /// Keeps the flows; while somebody watches, the batch goes on to them instead of back to the
    /// worker, so that watching costs no copy.
    pub(super) fn keep_and_show(&self, flows: &mut FlowBatch) -> Option<SinkLoss> {
        if flows.is_empty() || !self.hub.is_watched() {
            return self.keep(flows);
        }
        let batch = Arc::new(std::mem::replace(flows, FlowBatch::new(flows.table())));
        let loss = self.keep(&batch);
        if loss.is_none() {
            self.hub.publish(&batch);
        }
        loss
    }
}

impl Sink for StoreSink {
    fn name(&self) -> &'static str {
        "store"
    }

    fn accept(&self, output: &mut Output) -> Verdict {
        Verdict {
            flows: self.keep_and_show(&mut output.flows),
            counters: self.keep(&output.counters),
            options: self.keep(&output.options),
        }
    }
}
