//! Ingest's status as the API tells it, while ingest runs and after it has stopped.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use weir_api::Collecting;
use weir_api::view::processes::ProcessView;
use weir_api::view::{
    AccountView, ExporterView, FieldView, LedgerView, MeterView, QueueView, SamplingView,
    SecureView, SequenceView, SocketView, TemplateView, TemplatesView,
};
use weir_ingest::{
    Account, ConnectionStatus, ExporterDrops, HandshakeFault, Ingest, IngestStatus, Reason,
};
use weir_model::{Addr, Clock, SystemClock};
use weir_telemetry::Label;
use weir_wire::template::{Field, VARIABLE};
use weir_wire::{Dropped, ExporterStatus, TemplateStatus};

use super::losses::Losses;
use super::metering::Metering;
use super::rates::Rates;

/// Ingest, as long as it runs; its last status after that. Metering beside it.
pub struct Running {
    state: Mutex<State>,
    metering: Metering,
    rates: Mutex<Rates>,
    losses: Mutex<Losses>,
}

/// Templates that are told at once.
const TEMPLATES_MAX: usize = 256;

enum State {
    Running(Box<Ingest>),
    Stopped(Box<Collecting>),
}

impl Running {
    /// Takes both over.
    pub fn new(ingest: Ingest, metering: Metering) -> Running {
        Running {
            state: Mutex::new(State::Running(Box::new(ingest))),
            metering,
            rates: Mutex::default(),
            losses: Mutex::default(),
        }
    }

    /// How things stand.
    pub fn status(&self) -> Collecting {
        let mut status = match &*self.state() {
            State::Running(ingest) => collecting(&ingest.status()),
            State::Stopped(last) => Collecting::clone(last),
        };
        self.metering.add_to(&mut status);
        let rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.fill(&mut status.exporters, Instant::now());
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        status.losses = losses.told(&status, SystemClock.now());
        status
    }

    /// Templates that an exporter told.
    pub fn templates(&self, addr: Addr, domain: Option<u32>) -> TemplatesView {
        match &*self.state() {
            State::Running(ingest) => templates(ingest.templates(addr, domain, TEMPLATES_MAX)),
            State::Stopped(_) => TemplatesView::default(),
        }
    }

    /// Processes that own metered sockets or did, with their ancestors.
    pub fn processes(&self, pid: Option<u32>) -> Vec<ProcessView> {
        self.metering.processes(pid)
    }

    /// Takes the counts that rates are measured from. Call it every ten seconds.
    pub fn sample(&self) {
        let mut status = match &*self.state() {
            State::Running(ingest) => collecting(&ingest.status()),
            State::Stopped(_) => return,
        };
        self.metering.add_to(&mut status);
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.sample(&status.exporters, Instant::now());
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        losses.sample(&status, SystemClock.now());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops both and returns when everything they had received or metered was handed on.
    pub fn stop(&self) {
        self.metering.stop();
        let mut state = self.state();
        let last = match &*state {
            State::Running(ingest) => Box::new(collecting(&ingest.status())),
            State::Stopped(_) => return,
        };
        if let State::Running(ingest) = std::mem::replace(&mut *state, State::Stopped(last)) {
            *state = State::Stopped(Box::new(collecting(&ingest.stop())));
        }
    }
}

/// Samples every ten seconds, off the threads that serve connections.
pub fn sample_regularly(running: &Arc<Running>) -> tokio::task::JoinHandle<()> {
    let running = Arc::clone(running);
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_secs(10));
        loop {
            tick.tick().await;
            let running = Arc::clone(&running);
            let sampled = tokio::task::spawn_blocking(move || running.sample()).await;
            if sampled.is_err() {
                return;
            }
        }
    })
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
        secure: secure(&status.connections),
        losses: Vec::new(),
        meter: MeterView::default(),
    }
}

fn secure(status: &ConnectionStatus) -> SecureView {
    let failed = HandshakeFault::ALL.iter().zip(status.totals.handshakes_failed);
    let failed = failed.filter(|(_, n)| *n > 0).map(|(fault, n)| (fault.value(), n));
    let certificates = &status.certificates;
    SecureView {
        tls: certificates.enabled,
        mutual: certificates.mutual,
        connections_tls: status.open_tls,
        connections_acknowledged: status.open_acknowledged,
        handshakes_failed: failed.collect(),
        certificate_expires: certificates.certificate_expires,
        client_ca_expires: certificates.client_ca_expires,
        reloads_failed: certificates.reload_failures,
    }
}

fn templates((told, left_out): (Vec<TemplateStatus>, usize)) -> TemplatesView {
    let field = |(at, field): (usize, &Field), scope: Option<usize>| FieldView {
        pen: field.key.pen,
        id: field.key.id,
        name: weir_registry::element(field.key.pen, field.key.id).map(|element| element.name),
        length: Some(field.length).filter(|length| *length != VARIABLE),
        scope: scope.is_some_and(|scope| at < scope),
    };
    let template = |told: TemplateStatus| TemplateView {
        id: told.id,
        kind: if told.scope.is_some() { "options" } else { "data" },
        session: match told.session {
            0 => format!("port {}", told.port),
            id => format!("connection {id}"),
        },
        refreshed_at: told.defined,
        fields: told.fields.iter().enumerate().map(|f| field(f, told.scope)).collect(),
    };
    TemplatesView { templates: told.into_iter().map(template).collect(), left_out }
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
        // No protocol tells the name of an exporter in what Weir reads of it so far.
        name: None,
        protocol: status.protocol.name(),
        domain: status.domain,
        first_seen: status.first_seen,
        last_seen: status.last_seen,
        messages: status.tally.messages,
        records: status.records_seen,
        octets: status.tally.octets,
        records_per_second: 0.0,
        octets_per_second: 0.0,
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
