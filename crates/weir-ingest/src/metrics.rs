//! The books as metrics, read at every scrape.

mod connections;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use weir_model::Addr;
use weir_telemetry::{CappedLabels, Exposition, Label, OTHER, Registry};
use weir_wire::{Dropped, Protocol};

use crate::ledger::{Account, Books, REASONS, Reason, TableBooks};
use crate::shared::Shared;
use crate::sink::SinkLoss;

/// Registers the source of ingest's metrics. It holds no part of ingest alive.
pub(crate) fn register(
    registry: &Registry,
    shared: &Arc<Shared>,
    sink: &'static str,
    exporters_max: usize,
) {
    let shared: Weak<Shared> = Arc::downgrade(shared);
    let labels = Mutex::new(CappedLabels::new(exporters_max));
    registry.on_collect(move |out| {
        let Some(shared) = shared.upgrade() else { return };
        let books = shared.door.ledger.books().clone();
        ledger(out, &books);
        tables(out, &books, sink);
        sockets(out, &shared);
        connections::collect(out, &shared);
        let mut labels = labels.lock().unwrap_or_else(PoisonError::into_inner);
        exporters(out, &shared, &mut labels);
    });
}

fn ledger(out: &mut Exposition, books: &Books) {
    account(out, &books.messages, &MESSAGES);
    account(out, &books.sets, &SETS);
    account(out, &books.records, &RECORDS);
    let octets = "Octets of messages received";
    out.counter("weir_ingest_octets_received_total", octets, &[], books.octets);
    let singles = [
        ("weir_ingest_templates_total", "Template definitions taken in", books.templates),
        ("weir_ingest_template_withdrawals_total", "Templates withdrawn", books.withdrawals),
        (
            "weir_ingest_sets_parked_total",
            "Sets put aside for want of a template",
            books.sets_parked,
        ),
        ("weir_ingest_sets_released_total", "Parked Sets whose template came", books.sets_released),
        (
            "weir_ingest_templates_borrowed_total",
            "Sets decoded with a template of another source port",
            books.templates_borrowed,
        ),
        ("weir_ingest_batches_total", "Batches handed to the sink", books.batches),
    ];
    for (name, help, value) in singles {
        out.counter(name, help, &[], value);
    }
    for reason in Reason::ALL {
        out.counter(
            "weir_ingest_octets_dropped_total",
            "Octets dropped, by reason",
            &[("reason", reason.name())],
            books.octets_dropped[reason.number()],
        );
    }
}

/// Names of an account's four families.
struct Names {
    received: &'static str,
    kept: &'static str,
    dropped: &'static str,
    in_flight: &'static str,
    what: &'static str,
}

const MESSAGES: Names = Names {
    received: "weir_ingest_messages_received_total",
    kept: "weir_ingest_messages_kept_total",
    dropped: "weir_ingest_messages_dropped_total",
    in_flight: "weir_ingest_messages_in_flight",
    what: "Datagrams and messages of connections",
};

const SETS: Names = Names {
    received: "weir_ingest_sets_received_total",
    kept: "weir_ingest_sets_kept_total",
    dropped: "weir_ingest_sets_dropped_total",
    in_flight: "weir_ingest_sets_in_flight",
    what: "Sets",
};

const RECORDS: Names = Names {
    received: "weir_ingest_records_received_total",
    kept: "weir_ingest_records_kept_total",
    dropped: "weir_ingest_records_dropped_total",
    in_flight: "weir_ingest_records_in_flight",
    what: "Records",
};

fn account(out: &mut Exposition, account: &Account, names: &Names) {
    let help = |end| format!("{} {end}", names.what);
    out.counter(names.received, &help("received"), &[], account.received);
    out.counter(names.kept, &help("kept"), &[], account.kept);
    out.gauge(names.in_flight, &help("in flight"), &[], account.in_flight() as f64);
    for reason in Reason::ALL {
        let labels = [("reason", reason.name())];
        let dropped = account.dropped_by(reason);
        out.counter(names.dropped, &help("dropped, by reason"), &labels, dropped);
    }
}

fn tables(out: &mut Exposition, books: &Books, sink: &str) {
    let tables: [(&str, &TableBooks); 3] =
        [("flows", &books.flows), ("counters", &books.counters), ("options", &books.options)];
    for (table, books) in tables {
        let decoded = "Records decoded, by table";
        out.counter(
            "weir_ingest_records_decoded_total",
            decoded,
            &[("table", table)],
            books.decoded,
        );
        let labels = [("sink", sink), ("table", table)];
        let kept = "Records that the sink took";
        out.counter("weir_ingest_sink_records_kept_total", kept, &labels, books.kept);
        for loss in SinkLoss::ALL {
            let labels = [("sink", sink), ("table", table), ("reason", loss.value())];
            let dropped = "Records that the sink lost, by reason";
            let lost = books.lost[loss.index()];
            out.counter("weir_ingest_sink_records_dropped_total", dropped, &labels, lost);
        }
    }
}

fn sockets(out: &mut Exposition, shared: &Shared) {
    for book in &shared.sockets {
        let status = book.status();
        let (address, thread) = (status.address.to_string(), status.thread.to_string());
        let labels = [("address", address.as_str()), ("thread", thread.as_str())];
        let counters = [
            (
                "weir_ingest_socket_datagrams_total",
                "Datagrams read from the socket",
                status.received,
            ),
            (
                "weir_ingest_socket_kernel_dropped_total",
                "Datagrams that the kernel dropped because the receive buffer was full",
                status.kernel_dropped,
            ),
        ];
        for (name, help, value) in counters {
            out.counter(name, help, &labels, value);
        }
        let waiting = "Octets in the receive buffer at the last look, kernel overhead included";
        out.gauge(
            "weir_ingest_socket_waiting_octets",
            waiting,
            &labels,
            status.waiting_octets as f64,
        );
        let granted = "Receive buffer granted by the kernel";
        out.gauge(
            "weir_ingest_socket_buffer_octets",
            granted,
            &labels,
            status.buffer_octets as f64,
        );
    }
    let (chunks, octets) = shared.queue.depth();
    out.gauge("weir_ingest_queue_chunks", "Chunks that wait for decoding", &[], chunks as f64);
    out.gauge("weir_ingest_queue_octets", "Octets that wait for decoding", &[], octets as f64);
    let parked = "Sets parked at the moment for want of a template";
    out.gauge("weir_ingest_sets_waiting", parked, &[], shared.door.parked_sets() as f64);
}

/// Figures of one series of exporters: one (address, protocol), or all past the cap.
#[derive(Default, Clone, Copy)]
struct Figures {
    messages: u64,
    records: u64,
    missing: u64,
    reordered: u64,
    duplicates: u64,
    restarts: u64,
    templates: u64,
}

fn exporters(out: &mut Exposition, shared: &Shared, labels: &mut CappedLabels<Addr>) {
    let mut series = std::collections::BTreeMap::<(Option<Addr>, Protocol), Figures>::new();
    for exporter in shared.door.exporters() {
        let addr = labels.admit(&exporter.addr).then_some(exporter.addr);
        let figures = series.entry((addr, exporter.protocol)).or_default();
        figures.messages += exporter.tally.messages;
        figures.records += exporter.records_seen;
        figures.missing += exporter.sequence.missing;
        figures.reordered += exporter.sequence.reordered;
        figures.duplicates += exporter.sequence.duplicates;
        figures.restarts += exporter.sequence.restarts;
        figures.templates += exporter.templates as u64;
    }
    for ((addr, protocol), figures) in &series {
        let addr = addr.map_or_else(|| OTHER.to_owned(), |addr| addr.to_string());
        exporter(out, &[("exporter", &addr), ("protocol", protocol.name())], figures);
    }
    let mut dropped = std::collections::BTreeMap::<Option<Addr>, [Dropped; REASONS]>::new();
    for drops in shared.door.ledger.exporter_drops() {
        let addr = drops.exporter.map(Addr::from).filter(|addr| labels.admit(addr));
        let sums = dropped.entry(addr).or_default();
        for (sum, n) in sums.iter_mut().zip(drops.dropped) {
            sum.messages += n.messages;
            sum.sets += n.sets;
            sum.records += n.records;
        }
    }
    for (addr, sums) in &dropped {
        let addr = addr.map_or_else(|| OTHER.to_owned(), |addr| addr.to_string());
        for reason in Reason::ALL {
            exporter_drops(out, &addr, reason, sums[reason.number()]);
        }
    }
}

fn exporter(out: &mut Exposition, labels: &[(&str, &str)], figures: &Figures) {
    let counters = [
        ("weir_ingest_exporter_messages_total", "Messages, by exporter", figures.messages),
        ("weir_ingest_exporter_records_total", "Records seen, by exporter", figures.records),
        (
            "weir_ingest_exporter_sequence_missing_total",
            "Units (v5, v7 flows; v9 and sFlow messages; IPFIX records) missing before decoding",
            figures.missing,
        ),
        (
            "weir_ingest_exporter_sequence_reordered_total",
            "Messages that came late, by exporter",
            figures.reordered,
        ),
        (
            "weir_ingest_exporter_sequence_duplicates_total",
            "Messages that came twice, by exporter",
            figures.duplicates,
        ),
        (
            "weir_ingest_exporter_restarts_total",
            "Times that the exporter began anew",
            figures.restarts,
        ),
    ];
    for (name, help, value) in counters {
        out.counter(name, help, labels, value);
    }
    let help = "Templates known, by exporter";
    out.gauge("weir_ingest_exporter_templates", help, labels, figures.templates as f64);
}

fn exporter_drops(out: &mut Exposition, addr: &str, reason: Reason, dropped: Dropped) {
    let units = [("message", dropped.messages), ("set", dropped.sets), ("record", dropped.records)];
    for (unit, value) in units.into_iter().filter(|(_, value)| *value > 0) {
        let labels = [("exporter", addr), ("reason", reason.name()), ("unit", unit)];
        let help = "Dropped by Weir itself, by exporter, reason and unit";
        out.counter("weir_ingest_exporter_dropped_total", help, &labels, value);
    }
}
