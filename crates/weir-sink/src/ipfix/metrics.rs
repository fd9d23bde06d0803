//! Destinations as metrics, read from their status at every scrape.

use std::sync::Arc;

use weir_telemetry::{Exposition, Label, Registry};

use super::exporter::{ExportStatus, Link, Shared};
use super::ledger::Loss;

/// Adds a destination's metrics to every scrape.
pub(super) fn register(registry: &Registry, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    registry.on_collect(move |out| expose(&shared.status(), out));
}

fn expose(status: &ExportStatus, out: &mut Exposition) {
    let to = [("to", status.target.as_str())];
    let account = &status.account;
    let connected = f64::from(u8::from(status.link == Link::Connected));
    out.gauge("weir_export_connected", "1 while messages go out", &to, connected);
    for (name, help, value) in [
        ("weir_export_records_total", "records handed to the destination", account.received),
        (
            "weir_export_records_acknowledged_total",
            "records that the collector said are safe",
            account.acknowledged,
        ),
        (
            "weir_export_records_unacknowledged_total",
            "records that the socket took and nobody answers for",
            account.unacknowledged,
        ),
        ("weir_export_messages_total", "messages sent, repeated ones included", status.sent.0),
        ("weir_export_octets_total", "octets sent", status.sent.1),
        ("weir_export_templates_total", "templates sent", status.sent.2),
        (
            "weir_export_connections_lost_total",
            "connections that ended otherwise than by a stop",
            status.lost_connections,
        ),
        ("weir_export_datagrams_refused_total", "datagrams refused by ICMP", status.refused),
        ("weir_export_disk_errors_total", "writes to the buffer that failed", status.disk_errors),
    ] {
        out.counter(name, help, &to, value);
    }
    for loss in Loss::ALL {
        out.counter(
            "weir_export_records_dropped_total",
            "records lost before they were sent for sure",
            &[("to", &status.target), (Loss::NAME, loss.value())],
            account.dropped[loss.index()],
        );
    }
    let (records, memory, disk) = status.buffered;
    let in_flight = account.in_flight() as f64;
    out.gauge("weir_export_records_in_flight", "records not settled", &to, in_flight);
    out.gauge("weir_export_buffer_records", "records in the buffer", &to, records as f64);
    for (place, octets) in [("memory", memory), ("disk", disk)] {
        out.gauge(
            "weir_export_buffer_octets",
            "octets in the buffer",
            &[("to", &status.target), ("place", place)],
            octets as f64,
        );
    }
}
