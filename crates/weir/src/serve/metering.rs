//! Metering of this machine as a component: its thread, its rows, and what the API tells of it.

mod processes;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context;
use weir_api::Collecting;
use weir_api::view::processes::ProcessView;
use weir_api::view::{
    AccountView, ExporterView, MeterLedgerView, MeterOwnersView, MeterSourceView, MeterTierView,
    MeterView, SamplingView, SequenceView,
};
use weir_ingest::SinkLoss;
use weir_meter::{
    Account, Deps, Handle, Loss, MeterPolicy, MeterStatus, RowSink, SourceStatus, Taken, Tier,
};
use weir_model::{Clock, FlowBatch};
use weir_telemetry::{Label, Registry};

use super::sink::StoreSink;

/// Metering, as long as it runs and after that.
pub struct Metering {
    handle: Handle,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Metering {
    /// Starts it. Where it is switched off it ends at once, and its status says so.
    pub fn start(
        policy: &MeterPolicy,
        registry: &Registry,
        clock: Arc<dyn Clock>,
        sink: Arc<dyn RowSink>,
    ) -> anyhow::Result<Metering> {
        let deps = Deps { registry: registry.clone(), clock, sink };
        let (handle, task) = weir_meter::build(policy, deps).context("preparing metering")?;
        for tier in handle.status().tiers.iter().filter(|tier| tier.runs) {
            let why_not = tier.why_not.as_deref();
            tracing::info!(tier = tier.name, why_not, costs = tier.costs, "metering this machine");
        }
        let thread = std::thread::Builder::new()
            .name("weir-meter".to_owned())
            .spawn(move || task.run())
            .context("starting the thread of metering")?;
        Ok(Metering { handle, thread: Mutex::new(Some(thread)) })
    }

    /// Stops it and returns when every flow that it held was handed on.
    pub fn stop(&self) {
        self.handle.stop();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("metering ended in a panic");
        }
    }

    /// Adds how it stands to what the API tells: its own part, and this machine as an exporter.
    pub fn add_to(&self, collecting: &mut Collecting) {
        let status = self.handle.status();
        collecting.exporters.extend(exporter(&status));
        collecting.meter = view(&status);
    }

    /// The processes that own metered sockets or did, with their ancestors.
    pub fn processes(&self, pid: Option<u32>) -> Vec<ProcessView> {
        let tree = self.handle.processes();
        let told = pid.map_or_else(|| tree.all(), |pid| tree.chain(pid));
        told.iter().map(processes::view).collect()
    }
}

impl RowSink for StoreSink {
    fn accept(&self, flows: &mut FlowBatch, counters: &mut FlowBatch) -> Taken {
        Taken {
            flows: self.keep_and_show(flows).map(loss),
            counters: self.keep(counters).map(loss),
        }
    }
}

fn loss(loss: SinkLoss) -> Loss {
    match loss {
        SinkLoss::DiskFull => Loss::DiskFull,
        SinkLoss::Io => Loss::Io,
        SinkLoss::Closed => Loss::Closed,
        SinkLoss::Refused | SinkLoss::Panicked => Loss::Refused,
    }
}

fn view(status: &MeterStatus) -> MeterView {
    MeterView {
        enabled: status.enabled,
        addr: status.enabled.then_some(status.addr),
        tiers: status.tiers.iter().map(tier).collect(),
        flows: status.flows as u64,
        flows_max: status.flows_max as u64,
        evicted: status.cache.evicted,
        owners: MeterOwnersView {
            found: status.owners.found,
            nobody: status.owners.nobody,
            hidden_processes: status.owners.hidden,
            containers_named: status.owners.containers.named,
            containers_unknown: status.owners.containers.unknown,
        },
        ledger: MeterLedgerView {
            flows: account(&status.books.flows),
            counters: account(&status.books.counters),
        },
        sources: status.sources.iter().map(source).collect(),
    }
}

/// A line of the table of tiers, for the API and for `weir doctor`.
fn tier(tier: &Tier) -> MeterTierView {
    MeterTierView {
        name: tier.name,
        runs: tier.runs,
        why_not: tier.why_not.clone(),
        costs: tier.costs,
    }
}

fn source(source: &SourceStatus) -> MeterSourceView {
    MeterSourceView {
        name: source.name,
        errors: source.errors,
        counts: source.counts.iter().copied().collect(),
    }
}

fn account(account: &Account) -> AccountView {
    let dropped = Loss::ALL.iter().map(|loss| (loss.value(), account.dropped[loss.index()]));
    AccountView {
        received: account.received,
        kept: account.kept,
        in_flight: account.in_flight(),
        dropped: dropped.filter(|(_, count)| *count > 0).collect(),
    }
}

/// This machine among the exporters, once it has told something.
fn exporter(status: &MeterStatus) -> Option<ExporterView> {
    let last_seen = status.last_rows_at?;
    let dropped = account(&status.books.flows).dropped;
    Some(ExporterView {
        addr: status.addr,
        name: None,
        protocol: "local",
        domain: 0,
        first_seen: status.started_at,
        last_seen,
        messages: 0,
        records: status.books.flows.received + status.books.counters.received,
        octets: 0,
        records_per_second: 0.0,
        octets_per_second: 0.0,
        templates: 0,
        parked_sets: 0,
        names: 0,
        // Every packet is counted.
        sampling: vec![SamplingView { sampler: None, rate: 1 }],
        sequence: SequenceView::default(),
        clock_skew_ms: 0,
        dropped,
    })
}
