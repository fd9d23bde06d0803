//! sFlow as a destination of an agent: a thread and a bounded queue, the collector found by name.
//!
//! Samples and counters go out within a second and nothing is kept for later: sFlow has no way to
//! tell what is old. Invariant: received = sent + unsent + left out + `queue_full` + `no_address` +
//! in flight, in rows.

mod lookup;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use weir_model::columns::{counters as k, flows as c};
use weir_model::{Addr, FlowBatch, Scalar, Table};
use weir_telemetry::{Exposition, LogGate, Registry};

use self::lookup::{Found, Resolver};
use super::{Exporter, SflowCounts, SflowSettings};

/// Batches that may wait.
const WAITING: usize = 256;
/// Longest time that a sample waits for its datagram to fill.
const TICK: Duration = Duration::from_millis(200);
/// Batches packed before the datagram that waits is sent, full or not.
const BATCHES: usize = 16;

/// A collector of sFlow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SflowTarget {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Number of this process among those that send with this machine's address.
    pub sub_agent: u32,
}

/// How one collector stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SflowStatus {
    /// The destination as it is written.
    pub target: String,
    /// Where datagrams go; `None` before the name was found.
    pub address: Option<SocketAddr>,
    /// What went wrong last, while it does.
    pub error: Option<String>,
    /// Rows handed to it.
    pub received: u64,
    /// Rows for which the queue had no room.
    pub queue_full: u64,
    /// Rows that came while no address was known.
    pub no_address: u64,
    /// Look-ups of the name.
    pub lookups: u64,
    /// Those that found nothing.
    pub lookups_failed: u64,
    /// How often the address changed.
    pub moved: u64,
    /// What was packed and sent.
    pub counts: SflowCounts,
}

impl SflowStatus {
    /// Rows that are neither sent nor lost.
    pub fn in_flight(&self) -> u64 {
        let SflowCounts { rows, rows_unsent, flows_left_out, .. } = self.counts;
        let settled = rows + rows_unsent + flows_left_out + self.queue_full + self.no_address;
        self.received.saturating_sub(settled)
    }
}

#[derive(Debug, Default)]
struct Shared {
    received: AtomicU64,
    full: AtomicU64,
    stopping: AtomicBool,
    /// What the thread knows; the two figures above are not in it.
    status: Mutex<SflowStatus>,
}

impl Shared {
    fn status(&self) -> SflowStatus {
        // Why: The thread's figures first, so that what is settled was received.
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let queue_full = self.full.load(Ordering::Acquire);
        SflowStatus { received: self.received.load(Ordering::Acquire), queue_full, ..status }
    }
}

/// Sends to one collector until it is dropped.
#[derive(Debug)]
pub struct SflowExporter {
    shared: Arc<Shared>,
    sender: Option<SyncSender<Arc<FlowBatch>>>,
    thread: Option<JoinHandle<()>>,
}

impl SflowExporter {
    /// Starts the thread. The agent's address is that of the rows.
    pub fn start(target: SflowTarget, registry: &Registry) -> std::io::Result<SflowExporter> {
        let shared = Arc::new(Shared::default());
        let name = target.to_string();
        shared.status.lock().unwrap_or_else(PoisonError::into_inner).target.clone_from(&name);
        let (sender, receiver) = sync_channel(WAITING);
        let worker = Worker {
            shared: Arc::clone(&shared),
            resolver: Resolver::new(&target),
            sub_agent: target.sub_agent,
            began: Instant::now(),
            exporter: None,
            gate: LogGate::new(Duration::from_secs(30)),
            well: 0,
            status: SflowStatus { target: name, ..SflowStatus::default() },
        };
        let thread = std::thread::Builder::new()
            .name("weir-sflow".to_owned())
            .spawn(move || worker.run(&receiver))?;
        let shown = Arc::clone(&shared);
        registry.on_collect(move |out| expose(&shown.status(), out));
        Ok(SflowExporter { shared, sender: Some(sender), thread: Some(thread) })
    }

    /// Hands rows to the thread. Never waits; what finds no room is counted.
    pub fn offer(&self, batch: &Arc<FlowBatch>) {
        if !matches!(batch.table(), Table::Flows | Table::Counters) {
            return;
        }
        let rows = batch.rows() as u64;
        self.shared.received.fetch_add(rows, Ordering::AcqRel);
        let Some(sender) = &self.sender else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            sender.try_send(Arc::clone(batch))
        {
            self.shared.full.fetch_add(rows, Ordering::AcqRel);
        }
    }

    /// How things stand.
    pub fn status(&self) -> SflowStatus {
        self.shared.status()
    }

    /// Sends what waits and ends.
    pub fn stop(mut self) -> SflowStatus {
        self.end();
        self.status()
    }

    fn end(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.sender = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(to = %self.status().target, "an sFlow exporter ended in a panic");
        }
    }
}

impl Drop for SflowExporter {
    fn drop(&mut self) {
        self.end();
    }
}

struct Worker {
    shared: Arc<Shared>,
    resolver: Resolver,
    sub_agent: u32,
    began: Instant,
    exporter: Option<Exporter>,
    gate: LogGate<()>,
    /// Rounds in which datagrams went out, since one was refused.
    well: u32,
    status: SflowStatus,
}

impl Worker {
    fn run(mut self, receiver: &Receiver<Arc<FlowBatch>>) {
        loop {
            self.look();
            // Rows wait in the queue for the first answer about the name.
            let stopping = self.shared.stopping.load(Ordering::Acquire);
            if self.status.address.is_none() && self.resolver.is_busy() && !stopping {
                std::thread::sleep(TICK / 10);
                continue;
            }
            match receiver.recv_timeout(TICK) {
                Ok(batch) => self.pack(&batch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            receiver.try_iter().take(BATCHES).for_each(|batch| self.pack(&batch));
            self.flush();
        }
        self.flush();
    }

    /// Follows the name: at the start, after a refusal, and from time to time.
    fn look(&mut self) {
        let now = self.began.elapsed();
        match self.resolver.poll(now, self.status.address) {
            None => return,
            Some(Found::Address(address)) => {
                self.status.lookups += 1;
                self.send_to(address);
            }
            Some(Found::Nothing(error)) => {
                self.status.lookups += 1;
                self.status.lookups_failed += 1;
                self.complain(format!("the collector's name is not found: {error}"));
            }
        }
        self.publish();
    }

    fn send_to(&mut self, address: SocketAddr) {
        if self.status.address == Some(address) {
            return;
        }
        let moved = match &mut self.exporter {
            Some(exporter) => exporter.reconnect(address),
            None => Ok(()),
        };
        match moved {
            Ok(()) => {
                self.status.moved += u64::from(self.status.address.is_some());
                self.status.address = Some(address);
                tracing::info!(to = self.status.target, %address, "sending sFlow");
            }
            Err(error) => self.complain(format!("{address}: {error}")),
        }
    }

    fn pack(&mut self, batch: &FlowBatch) {
        let uptime = self.began.elapsed();
        match self.exporter(batch) {
            Some(exporter) if batch.table() == Table::Flows => exporter.flows(batch, uptime),
            Some(exporter) => exporter.counters(batch, uptime),
            None => self.status.no_address += batch.rows() as u64,
        }
    }

    /// The exporter, which begins with the first rows: they say the agent's address.
    fn exporter(&mut self, batch: &FlowBatch) -> Option<&mut Exporter> {
        if self.exporter.is_none() {
            let settings = SflowSettings {
                sub_agent: self.sub_agent,
                ..SflowSettings::new(agent_address(batch)?)
            };
            match Exporter::connect(self.status.address?, settings) {
                Ok(exporter) => self.exporter = Some(exporter),
                Err(error) => {
                    self.complain(error.to_string());
                    self.resolver.failed(self.began.elapsed());
                }
            }
        }
        self.exporter.as_mut()
    }

    fn flush(&mut self) {
        let now = self.began.elapsed();
        if let Some(exporter) = &mut self.exporter {
            let before = self.status.counts.datagrams;
            exporter.flush(now);
            self.status.counts = exporter.counts();
            let has_sent = self.status.counts.datagrams > before;
            if let Some(kind) = exporter.take_refusal() {
                self.well = 0;
                self.resolver.failed(now);
                self.complain(format!("datagrams are refused: {kind}"));
            } else if has_sent {
                self.well = self.well.saturating_add(1);
                // Why: A refusal comes with the datagram after the one that was refused.
                if self.well >= 2 {
                    self.status.error = None;
                    self.resolver.works();
                }
            }
        }
        self.publish();
    }

    fn complain(&mut self, error: String) {
        if let Some(suppressed) = self.gate.admit(()) {
            tracing::warn!(to = self.status.target, error, suppressed, "sFlow is not sent");
        }
        self.status.error = Some(error);
    }

    fn publish(&self) {
        let mut shown = self.shared.status.lock().unwrap_or_else(PoisonError::into_inner);
        shown.clone_from(&self.status);
    }
}

fn agent_address(batch: &FlowBatch) -> Option<Addr> {
    let id = if batch.table() == Table::Flows { c::EXPORTER_ADDR } else { k::EXPORTER_ADDR };
    match batch.get(id, 0) {
        Some(Scalar::Addr(addr)) => Some(addr),
        _ => None,
    }
}

impl std::fmt::Display for SflowTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "sflow://[{}]:{}", self.host, self.port),
            false => write!(f, "sflow://{}:{}", self.host, self.port),
        }
    }
}

/// Under the names that destinations of IPFIX have, as far as they mean the same.
fn expose(status: &SflowStatus, out: &mut Exposition) {
    let to = [("to", status.target.as_str())];
    let counts = &status.counts;
    let connected = f64::from(u8::from(status.address.is_some() && status.error.is_none()));
    out.gauge("weir_export_connected", "1 while messages go out", &to, connected);
    for (name, help, value) in [
        ("weir_export_records_total", "records handed to the destination", status.received),
        (
            "weir_export_records_unacknowledged_total",
            "records that the socket took and nobody answers for",
            counts.rows,
        ),
        ("weir_export_messages_total", "messages sent, repeated ones included", counts.datagrams),
        ("weir_export_octets_total", "octets sent", counts.octets),
        (
            "weir_export_datagrams_refused_total",
            "datagrams refused by ICMP",
            counts.datagrams_unsent,
        ),
        ("weir_export_sflow_moved_total", "changes of the collector's address", status.moved),
        ("weir_export_sflow_renumbered_total", "times that numbers began again", counts.renumbered),
    ] {
        out.counter(name, help, &to, value);
    }
    for (reason, rows) in [
        ("queue_full", status.queue_full),
        ("no_address", status.no_address),
        ("refused", counts.rows_unsent),
        ("not_sflow", counts.flows_left_out),
    ] {
        out.counter(
            "weir_export_records_dropped_total",
            "records lost before they were sent for sure",
            &[("to", &status.target), ("reason", reason)],
            rows,
        );
    }
    for (kind, samples) in [("flow", counts.flow_samples), ("counter", counts.counter_samples)] {
        let labels = [("to", status.target.as_str()), ("kind", kind)];
        out.counter("weir_export_sflow_samples_total", "samples made", &labels, samples);
    }
    let found = status.lookups - status.lookups_failed;
    for (outcome, lookups) in [("found", found), ("failed", status.lookups_failed)] {
        let labels = [("to", status.target.as_str()), ("outcome", outcome)];
        out.counter("weir_export_sflow_lookups_total", "look-ups of its name", &labels, lookups);
    }
    let in_flight = status.in_flight() as f64;
    out.gauge("weir_export_records_in_flight", "records not settled", &to, in_flight);
}

#[cfg(test)]
mod tests;
