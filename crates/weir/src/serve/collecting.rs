//! Ingest's status as the API tells it, while ingest runs and after it has stopped.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use weir_api::Collecting;
use weir_api::view::{
    AccountView, ExporterView, LedgerView, QueueView, SamplingView, SequenceView, SocketView,
};
use weir_ingest::{Account, ExporterDrops, Ingest, IngestStatus, Reason};
use weir_model::Addr;
use weir_wire::{Dropped, ExporterStatus};

/// Ingest, as long as it runs; its last status after that.
pub struct Running(Mutex<State>);

enum State {
    Running(Box<Ingest>),
    Stopped(Box<Collecting>),
}

impl Running {
    /// Takes ingest over.
    pub fn new(ingest: Ingest) -> Running {
        Running(Mutex::new(State::Running(Box::new(ingest))))
    }

    /// How things stand.
    pub fn status(&self) -> Collecting {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Running(ingest) => collecting(&ingest.status()),
            State::Stopped(last) => Collecting::clone(last),
        }
    }

    /// Stops ingest and returns when everything it had received was handed on.
    pub fn stop(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = match &*state {
            State::Running(ingest) => Box::new(collecting(&ingest.status())),
            State::Stopped(_) => return,
        };
        if let State::Running(ingest) = std::mem::replace(&mut *state, State::Stopped(last)) {
            *state = State::Stopped(Box::new(collecting(&ingest.stop())));
        }
    }
}

fn collecting(status: &IngestStatus) -> Collecting {
    let books = &status.books;
    let drops: HashMap<Addr, &ExporterDrops> = status
        .exporter_drops
        .iter()
        .filter_map(|drops| Some((Addr::from(drops.exporter?), drops)))
        .collect();
    Collecting {
        exporters: status.exporters.iter().map(|e| exporter(e, drops.get(&e.addr))).collect(),
        ledger: LedgerView {
            messages: account(&books.messages),
            sets: account(&books.sets),
            records: account(&books.records),
        },
        sockets: status
            .sockets
            .iter()
            .map(|socket| SocketView {
                transport: "udp",
                address: socket.address.to_string(),
                buffer_octets: socket.buffer_octets as u64,
                kernel_dropped: socket.kernel_dropped,
            })
            .collect(),
        queue: QueueView {
            octets: status.queue.octets as u64,
            octets_max: status.queue.octets_max as u64,
        },
        connections: status.connections.open.values().sum(),
    }
}

fn account(account: &Account) -> AccountView {
    let dropped = Reason::ALL.into_iter().map(|reason| (reason.name(), account.dropped_by(reason)));
    AccountView {
        received: account.received,
        kept: account.kept,
        in_flight: account.in_flight(),
        dropped: dropped.filter(|(_, count)| *count > 0).collect(),
    }
}

fn exporter(status: &ExporterStatus, drops: Option<&&ExporterDrops>) -> ExporterView {
    let lost = |dropped: &Dropped| dropped.messages + dropped.sets;
    let dropped: BTreeMap<&'static str, u64> = drops.map_or_else(BTreeMap::new, |drops| {
        let reasons = Reason::ALL.into_iter().zip(&drops.dropped);
        let counts = reasons.map(|(reason, dropped)| (reason.name(), lost(dropped)));
        counts.filter(|(_, count)| *count > 0).collect()
    });
    let sequence = &status.sequence;
    ExporterView {
        addr: status.addr,
        protocol: status.protocol.name(),
        domain: status.domain,
        first_seen: status.first_seen,
        last_seen: status.last_seen,
        messages: status.tally.messages,
        records: status.records_seen,
        octets: status.tally.octets,
        templates: status.templates,
        parked_sets: status.parked_sets,
        names: status.names,
        sampling: status
            .sampling
            .iter()
            .map(|&(sampler, rate)| SamplingView { sampler, rate })
            .collect(),
        sequence: SequenceView {
            missing: sequence.missing,
            gaps: sequence.gaps,
            reordered: sequence.reordered,
            duplicates: sequence.duplicates,
            restarts: sequence.restarts,
        },
        clock_skew_ms: status.clock_skew_ns / 1_000_000,
        dropped,
    }
}
