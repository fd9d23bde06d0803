//! The agent's health document.

use serde_json::{Map, Value, json};
use weir_meter::{Account, MeterStatus};
use weir_sink::ipfix::{ExportStatus, Link, Loss};
use weir_sink::sflow::live::SflowStatus;
use weir_telemetry::Label;

use super::outputs::{Outputs, Statuses};

/// How metering and every destination stand. `ok` while each destination is connected.
pub fn health(outputs: &Outputs, meter: &MeterStatus) -> Value {
    let Statuses { exporters, lines, sflow } = outputs.status();
    let well = exporters.iter().all(|status| status.link == Link::Connected)
        && sflow.iter().all(|status| status.address.is_some() && status.error.is_none());
    let lines = lines.iter().map(|status| {
        json!({
            "to": status.target,
            "records": status.received,
            "written": status.written,
            "dropped": { "queue_full": status.queue_full, "io": status.io },
        })
    });
    let tiers = meter.tiers.iter().map(|tier| {
        json!({ "name": tier.name, "runs": tier.runs, "why_not": tier.why_not, "costs": tier.costs })
    });
    json!({
        "status": if well { "ok" } else { "degraded" },
        "destinations": exporters.iter().map(destination).collect::<Vec<_>>(),
        "sflow": sflow.iter().map(collector).collect::<Vec<_>>(),
        "lines": lines.collect::<Vec<_>>(),
        "meter": {
            "tiers": tiers.collect::<Vec<_>>(),
            "flows": meter.flows,
            "flows_max": meter.flows_max,
            "ledger": {
                "flows": account(&meter.books.flows),
                "counters": account(&meter.books.counters),
            },
        },
    })
}

fn destination(status: &ExportStatus) -> Value {
    let account = &status.account;
    let dropped: Map<String, Value> = Loss::ALL
        .iter()
        .map(|loss| (loss.value().to_owned(), account.dropped[loss.index()].into()))
        .collect();
    let (records, memory, disk) = status.buffered;
    json!({
        "to": status.target,
        "connected": status.link == Link::Connected,
        "error": status.error,
        "records": {
            "received": account.received,
            "acknowledged": account.acknowledged,
            "unacknowledged": account.unacknowledged,
            "dropped": dropped,
            "in_flight": account.in_flight(),
        },
        "buffer": { "records": records, "memory_octets": memory, "disk_octets": disk },
        "disk_errors": status.disk_errors,
        "lost_connections": status.lost_connections,
    })
}

fn collector(status: &SflowStatus) -> Value {
    let counts = &status.counts;
    json!({
        "to": status.target,
        "address": status.address.map(|address| address.to_string()),
        "error": status.error,
        "records": {
            "received": status.received,
            "sent": counts.rows,
            "dropped": {
                "queue_full": status.queue_full,
                "no_address": status.no_address,
                "refused": counts.rows_unsent,
                "not_sflow": counts.flows_left_out,
            },
            "in_flight": status.in_flight(),
        },
        "samples": { "flow": counts.flow_samples, "counter": counts.counter_samples },
        "datagrams": { "sent": counts.datagrams, "refused": counts.datagrams_unsent },
        "lookups": { "made": status.lookups, "failed": status.lookups_failed },
        "moved": status.moved,
    })
}

fn account(account: &Account) -> Value {
    json!({
        "received": account.received,
        "kept": account.kept,
        "in_flight": account.in_flight(),
        "dropped": account.dropped.iter().sum::<u64>(),
    })
}
