//! Connections, TLS and acknowledged streams as metrics.

use weir_model::Timestamp;
use weir_telemetry::{Exposition, Label};

use crate::acknowledge::AcknowledgeStatus;
use crate::connections::{CloseReason, ConnectionStatus};
use crate::shared::Shared;
use crate::tls::{HandshakeFault, TlsStatus};

pub(super) fn collect(out: &mut Exposition, shared: &Shared) {
    let status = shared.connections.status();
    connections(out, &status);
    tls(out, &status);
    certificates(out, &status.certificates);
    acknowledged(out, &shared.acknowledging.status(), status.open_acknowledged);
}

fn connections(out: &mut Exposition, status: &ConnectionStatus) {
    let opened = "Connections accepted, refused ones included";
    out.counter("weir_ingest_connections_opened_total", opened, &[], status.totals.opened);
    for reason in CloseReason::ALL {
        out.counter(
            "weir_ingest_connections_closed_total",
            "Connections that ended, by reason",
            &[("reason", reason.value())],
            status.closed_by(*reason),
        );
    }
    let open: usize = status.open.values().sum();
    out.gauge("weir_ingest_connections_open", "Connections open", &[], open as f64);
    out.counter(
        "weir_ingest_connections_octets_discarded_total",
        "Octets of messages that never arrived whole",
        &[],
        status.totals.octets_discarded,
    );
    for (kind, n) in [("plain", status.totals.plain), ("tls", status.totals.tls)] {
        let help = "Connections that have begun to send, by kind";
        out.counter("weir_ingest_connections_begun_total", help, &[("kind", kind)], n);
    }
    let help = "Connections open that speak TLS";
    out.gauge("weir_ingest_connections_open_tls", help, &[], status.open_tls as f64);
}

fn tls(out: &mut Exposition, status: &ConnectionStatus) {
    let handshakes = "Handshakes of TLS that came to their end";
    out.counter("weir_ingest_tls_handshakes_total", handshakes, &[], status.totals.handshakes);
    for fault in HandshakeFault::ALL {
        out.counter(
            "weir_ingest_tls_handshakes_failed_total",
            "Handshakes of TLS that failed, by reason",
            &[("reason", fault.value())],
            status.totals.handshakes_failed[fault.index()],
        );
    }
}

fn certificates(out: &mut Exposition, status: &TlsStatus) {
    if !status.enabled {
        return;
    }
    let ends = [("own", status.certificate_expires), ("client_ca", status.client_ca_expires)];
    for (which, end) in ends {
        let Some(Timestamp(nanos)) = end else { continue };
        out.gauge(
            "weir_ingest_tls_certificate_expiry_seconds",
            "When the certificate ends, in seconds since 1970",
            &[("certificate", which)],
            (nanos / 1_000_000_000) as f64,
        );
    }
    let reloads = "Times that changed certificates were taken";
    out.counter("weir_ingest_tls_reloads_total", reloads, &[], status.reloads);
    let failed = "Times that changed certificates could not be used, and the old ones stayed";
    out.counter("weir_ingest_tls_reloads_failed_total", failed, &[], status.reload_failures);
}

fn acknowledged(out: &mut Exposition, status: &AcknowledgeStatus, connections: usize) {
    let gauges = [
        (
            "weir_ingest_connections_open_acknowledged",
            "Connections open whose exporters wait for acknowledgements",
            connections,
        ),
        (
            "weir_ingest_acknowledged_streams",
            "Exporters and observation domains that wait for acknowledgements",
            status.streams,
        ),
        (
            "weir_ingest_acknowledged_messages_in_flight",
            "Messages that are not acknowledged because they are not durable yet",
            status.in_flight,
        ),
    ];
    for (name, help, value) in gauges {
        out.gauge(name, help, &[], value as f64);
    }
    let answers = "Acknowledgements sent";
    out.counter("weir_ingest_acknowledgements_total", answers, &[], status.answers);
    let questions = "Times that the store was asked what it has of an exporter";
    out.counter("weir_ingest_acknowledge_questions_total", questions, &[], status.questions);
    out.counter(
        "weir_ingest_acknowledge_questions_milliseconds_total",
        "How long those took, in all",
        &[],
        u64::try_from(status.asking.as_millis()).unwrap_or(u64::MAX),
    );
}
