//! Metering as metrics, read from its status at every scrape.

mod antrea;

use std::path::PathBuf;
use std::sync::Arc;

use weir_telemetry::{Exposition, Label, Registry};

use crate::ledger::{Account, Loss};
use crate::meter::{MeterStatus, Shared};
use crate::owner::OwnerCounts;

/// Adds metering's metrics to every scrape. `proc` is where the process tree is.
pub(crate) fn register(registry: &Registry, shared: &Arc<Shared>, proc: PathBuf) {
    let shared = Arc::clone(shared);
    registry.on_collect(move |out| {
        let status = shared.status();
        expose(&status, out);
        if status.enabled {
            antrea::expose(&proc, status.flows_of_pods, out);
        }
    });
}

fn expose(status: &MeterStatus, out: &mut Exposition) {
    out.gauge(
        "weir_meter_enabled",
        "1 while metering is switched on",
        &[],
        f64::from(u8::from(status.enabled)),
    );
    for tier in &status.tiers {
        let runs = f64::from(u8::from(tier.runs));
        out.gauge("weir_meter_tier_runs", "1 while the tier runs", &[("tier", tier.name)], runs);
    }
    for source in &status.sources {
        let name = [("source", source.name)];
        out.counter("weir_meter_source_errors_total", "polls that failed", &name, source.errors);
        for (what, count) in &source.counts {
            out.gauge(
                "weir_meter_source_count",
                "what a source counted of itself, by name",
                &[("source", source.name), ("what", what)],
                *count as f64,
            );
        }
    }
    out.gauge("weir_meter_flows", "flows in the cache", &[], status.flows as f64);
    out.gauge(
        "weir_meter_flows_max",
        "flows that the cache may hold",
        &[],
        status.flows_max as f64,
    );
    out.counter("weir_meter_flows_begun_total", "flows that came in", &[], status.cache.begun);
    for (end, count) in [
        ("end_of_flow", status.cache.ended),
        ("idle_timeout", status.cache.idle),
        ("lack_of_resources", status.cache.evicted),
    ] {
        out.counter("weir_meter_flows_left_total", "flows that left", &[("end", end)], count);
    }
    out.counter(
        "weir_meter_absorbed_octets_total",
        "octets that a source told of a flow after a better source had told them",
        &[],
        status.cache.absorbed_octets,
    );
    out.counter(
        "weir_meter_absorbed_drops_total",
        "packets dropped of flows that had left, which no row tells",
        &[],
        status.cache.absorbed_drops,
    );
    out.gauge(
        "weir_meter_translations",
        "translated connections known",
        &[],
        status.cache.translations as f64,
    );
    out.counter(
        "weir_meter_translations_evicted_total",
        "translated connections forgotten because there were too many",
        &[],
        status.cache.translations_evicted,
    );
    out.counter(
        "weir_meter_names_given_up_total",
        "names in sampled packets whose flow never came",
        &[],
        status.cache.names_given_up,
    );
    for (table, account) in [("flows", &status.books.flows), ("counters", &status.books.counters)] {
        expose_account(table, account, out);
    }
    expose_owners(&status.owners, out);
}

fn expose_owners(owners: &OwnerCounts, out: &mut Exposition) {
    for (result, count) in [
        ("found", owners.found),
        ("nobody", owners.nobody),
        ("vanished", owners.vanished),
        ("untracked", owners.untracked),
    ] {
        let labels = [("result", result)];
        out.counter("weir_meter_owners_total", "searches for owners of sockets", &labels, count);
    }
    out.counter(
        "weir_meter_descriptors_read_total",
        "descriptors looked at in search of owners",
        &[],
        owners.links,
    );
    out.gauge(
        "weir_meter_processes_hidden",
        "processes whose descriptors may not be read",
        &[],
        owners.hidden as f64,
    );
    out.gauge(
        "weir_meter_processes_known",
        "processes remembered, the exited included",
        &[],
        owners.processes as f64,
    );
    out.counter(
        "weir_meter_processes_evicted_total",
        "processes forgotten because there were too many",
        &[],
        owners.processes_evicted,
    );
    let containers = &owners.containers;
    for (result, count) in [
        ("named", containers.named),
        ("unknown", containers.unknown),
        ("refused", containers.refused),
        ("evicted", containers.evicted),
    ] {
        let labels = [("result", result)];
        out.counter("weir_meter_containers_total", "look-ups of containers", &labels, count);
    }
    out.counter(
        "weir_meter_cgroups_untold_total",
        "control groups not looked at because there were too many",
        &[],
        owners.cgroups_untold,
    );
}

fn expose_account(table: &str, account: &Account, out: &mut Exposition) {
    let labels = [("table", table)];
    out.counter("weir_meter_rows_total", "rows made", &labels, account.received);
    out.counter("weir_meter_rows_kept_total", "rows taken by the store", &labels, account.kept);
    for loss in Loss::ALL {
        out.counter(
            "weir_meter_rows_dropped_total",
            "rows lost after they were made",
            &[("table", table), (Loss::NAME, loss.value())],
            account.dropped[loss.index()],
        );
    }
}
