//! Puts the parts together: probes sources, runs them when they are due, hands rows on.

mod seldom;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use weir_model::{Addr, Clock, FlowBatch, Table, Timestamp};
use weir_telemetry::{LogGate, Registry};

use crate::cache::rows::{self, Identity};
use crate::cache::{CacheCounts, FlowCache};
use crate::config::{MeterPolicy, local_address};
use crate::ledger::{Books, Ledger, Loss};
use crate::metrics;
use crate::moment::{Clocks, Moment};
use crate::owner::tree::ProcessTree;
use crate::owner::{OwnerCounts, Owners};
use crate::source::conntrack::{Conntrack, ConntrackPolicy};
#[cfg(weir_bpf)]
use crate::source::ebpf_drops::EbpfDrops;
#[cfg(weir_bpf)]
use crate::source::ebpf_sockets::EbpfSockets;
#[cfg(weir_bpf)]
use crate::source::ebpf_tcx::EbpfTcx;
use crate::source::host::Host;
use crate::source::inet_diag::{InetDiag, InetDiagPolicy};
use crate::source::interfaces::Interfaces;
use crate::source::sampler::names::NamesTap;
use crate::source::sampler::samples::Sampler;
use crate::source::{Intake, Source, Tier};
use seldom::Seldom;

/// Shortest time between looks at which flows are due: notifications may come a hundred times a second.
const EXPIRE_EVERY: Duration = Duration::from_millis(50);
/// Longest pause between looks at what is due.
const TICK: Duration = Duration::from_millis(500);
/// Pause after something came between polls: a flood of it then costs a hundred looks a second.
const BREATH: Duration = Duration::from_millis(10);
/// How often sockets are listed beside a better source.
const SUPPLEMENT: Duration = Duration::from_secs(15);
/// Time after which a source that failed is polled again.
const RETRY: Duration = Duration::from_secs(5);

/// What became of the rows that [`RowSink::accept`] was given: `None` is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// The flows.
    pub flows: Option<Loss>,
    /// The counters.
    pub counters: Option<Loss>,
}

/// Takes rows: the store, an exporter, a test. Called from one thread; it may block, and metering
/// then looks less often.
pub trait RowSink: Send + Sync {
    /// Takes the rows of both batches, which are sealed and may be empty. The caller clears them
    /// afterwards, so an implementation copies, or puts another batch in place of what it takes.
    fn accept(&self, flows: &mut FlowBatch, counters: &mut FlowBatch) -> Taken;
}

/// What metering needs of the rest.
pub struct Deps {
    /// Where metrics are registered.
    pub registry: Registry,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where rows go.
    pub sink: Arc<dyn RowSink>,
}

/// One source that was found to run at the start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceStatus {
    /// Name.
    pub name: &'static str,
    /// Polls that failed.
    pub errors: u64,
    /// What it counted, by name.
    pub counts: Vec<(&'static str, u64)>,
}

/// Everything that metering knows of itself at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterStatus {
    /// It is switched on.
    pub enabled: bool,
    /// What runs, and what does not and why.
    pub tiers: Vec<Tier>,
    /// Sources that were started.
    pub sources: Vec<SourceStatus>,
    /// Flows in the cache.
    pub flows: usize,
    /// Flows of which an end is in a pod, within five seconds.
    pub flows_of_pods: u64,
    /// Flows that it may hold.
    pub flows_max: usize,
    /// What happened in the cache.
    pub cache: CacheCounts,
    /// What happened in the search for owners.
    pub owners: OwnerCounts,
    /// The ledger.
    pub books: Books,
    /// `exporter_addr` of its rows.
    pub addr: Addr,
    /// When it began.
    pub started_at: Timestamp,
    /// When rows were last handed on.
    pub last_rows_at: Option<Timestamp>,
}

pub(crate) struct Shared {
    status: Mutex<MeterStatus>,
    processes: Mutex<ProcessTree>,
    ledger: Ledger,
    stopping: AtomicBool,
}

impl Shared {
    pub(crate) fn status(&self) -> MeterStatus {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        status.books = self.ledger.books();
        status
    }

    fn update(&self, change: impl FnOnce(&mut MeterStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Asks how metering stands, and stops it. Dropping it stops it too.
pub struct Handle {
    shared: Arc<Shared>,
    wake: UnixStream,
}

impl Handle {
    /// How things stand; after the stop, how they stood at the end.
    pub fn status(&self) -> MeterStatus {
        self.shared.status()
    }

    /// The processes that own metered sockets or did, with their ancestors.
    pub fn processes(&self) -> ProcessTree {
        self.shared.processes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the task to report what it holds and to end. Returns at once.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // A task that has ended hears nothing, and need not.
        let _gone = (&self.wake).write(&[1]);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Running {
    source: Box<dyn Source>,
    due: Duration,
    errors: u64,
    /// Place in the table of tiers, and the line that the probe wrote.
    tier: usize,
    probed: Tier,
}

/// The metering process, inert until it runs.
pub struct Task {
    shared: Arc<Shared>,
    clocks: Clocks,
    sink: Arc<dyn RowSink>,
    identity: Identity,
    sources: Vec<Running>,
    cache: FlowCache,
    owners: Owners,
    flows: FlowBatch,
    counters: FlowBatch,
    woken: UnixStream,
    gate: LogGate<&'static str>,
    /// When flows that are due are looked for next.
    expire_due: Duration,
    seldom: Seldom,
}

/// What a probe found: lines for the table of tiers, its own first, and the source if it runs.
type Probed = (Vec<Tier>, Option<Box<dyn Source>>);

fn boxed<S: Source + 'static>((tiers, source): (Vec<Tier>, Option<S>)) -> Probed {
    (tiers, source.map(|source| Box::new(source) as Box<dyn Source>))
}

fn sources(policy: &MeterPolicy) -> Vec<Probed> {
    let (interfaces, interfaces_source) = Interfaces::probe(policy.counter_interval);
    let (host, host_source) = Host::probe(policy.counter_interval);
    #[cfg(weir_bpf)]
    let [sockets, packets, drops] = bpf_sources(policy);
    #[cfg(not(weir_bpf))]
    let [sockets, packets, drops]: [Probed; 3] =
        [(crate::source::built_without_bpf(), None), (Vec::new(), None), (Vec::new(), None)];
    // Why: Where packets of every socket are counted, the kernel's own list of sockets only adds who
    // listens and how the silent ones fare; a rare look is enough.
    let (interval, ends) = match sockets.1.is_some() {
        true => (policy.interval.max(SUPPLEMENT), false),
        false => (policy.interval, true),
    };
    let (names, names_source) = NamesTap::probe(&policy.sampling);
    let (samples, samples_source) = Sampler::probe(policy.sampling);
    vec![
        sockets,
        packets,
        drops,
        boxed(InetDiag::probe(InetDiagPolicy {
            interval,
            ends,
            share: policy.share,
            sockets_max: policy.sockets_max,
            proc: policy.owners.proc.clone(),
        })),
        boxed(Conntrack::probe(ConntrackPolicy {
            proc: policy.owners.proc.clone(),
            ..policy.conntrack.clone()
        })),
        boxed((vec![interfaces], interfaces_source)),
        boxed((vec![host], host_source)),
        boxed((vec![names], names_source)),
        boxed((vec![samples], samples_source)),
    ]
}

/// The eBPF tiers. The kernel's types are read once for all of them, and let go of.
#[cfg(weir_bpf)]
fn bpf_sources(policy: &MeterPolicy) -> [Probed; 3] {
    use crate::bpf::{BpfError, Types, sys};
    let types = match policy.ebpf {
        true => Types::read(),
        false => Err(BpfError::NotPermitted("meter.ebpf")),
    };
    let types_read = types.as_ref();
    let pace = (policy.interval, policy.share);
    let sources = [
        boxed(EbpfSockets::probe(policy.ebpf_sockets(), types_read)),
        boxed(EbpfTcx::probe(policy.ebpf_tcx(), types_read)),
        boxed(EbpfDrops::probe(policy.ebpf, pace, types_read)),
    ];
    drop(types);
    sys::give_back_memory();
    sources
}

/// What would run here, without running it.
pub fn probe(policy: &MeterPolicy) -> Vec<Tier> {
    sources(policy).into_iter().flat_map(|(tiers, _)| tiers).collect()
}

/// Probes the sources and registers metrics. Nothing is metered until the task runs; where the
/// policy says that nothing is to be, the task ends at once.
pub fn build(policy: &MeterPolicy, deps: Deps) -> std::io::Result<(Handle, Task)> {
    let (mut tiers, mut running) = (Vec::new(), Vec::new());
    if policy.enabled {
        for (lines, source) in sources(policy) {
            if let (Some(source), Some(first)) = (source, lines.first()) {
                let (tier_at, probed) = (tiers.len(), first.clone());
                running.push(Running {
                    source,
                    due: Duration::ZERO,
                    errors: 0,
                    tier: tier_at,
                    probed,
                });
            }
            tiers.extend(lines);
        }
    }
    let identity = Identity { addr: local_address() };
    let status = MeterStatus {
        enabled: policy.enabled,
        tiers,
        sources: Vec::new(),
        flows: 0,
        flows_of_pods: 0,
        flows_max: policy.cache.flows_max,
        cache: CacheCounts::default(),
        owners: OwnerCounts::default(),
        books: Books::default(),
        addr: identity.addr,
        started_at: deps.clock.now(),
        last_rows_at: None,
    };
    let shared = Arc::new(Shared {
        status: Mutex::new(status),
        processes: Mutex::default(),
        ledger: Ledger::default(),
        stopping: AtomicBool::new(!policy.enabled),
    });
    metrics::register(&deps.registry, &shared, policy.owners.proc.clone());
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    let task = Task {
        shared: Arc::clone(&shared),
        clocks: Clocks::new(deps.clock),
        sink: deps.sink,
        identity,
        sources: running,
        cache: FlowCache::new(policy.cache),
        owners: Owners::new(policy.owners.clone()),
        flows: FlowBatch::new(Table::Flows),
        counters: FlowBatch::new(Table::Counters),
        woken,
        gate: LogGate::new(Duration::from_secs(60)),
        expire_due: Duration::ZERO,
        seldom: Seldom::new(policy.owners.proc.clone()),
    };
    Ok((Handle { shared, wake }, task))
}

impl Task {
    /// Meters until it is stopped, then reports every flow that it holds.
    pub fn run(mut self) {
        while !self.is_stopping() {
            self.step();
            if self.wait() {
                self.drain();
                std::thread::sleep(BREATH);
            }
        }
        let now = self.clocks.now();
        self.cache.flush(now);
        self.hand_on(now);
        self.tell();
        self.tell_seldom(now.mono);
    }

    fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Relaxed)
    }

    /// Polls what is due and hands on what became due.
    fn step(&mut self) {
        let mut now = self.clocks.now();
        for i in 0..self.sources.len() {
            if now.mono >= self.sources[i].due {
                self.poll(i, now);
                now = self.clocks.now();
            }
        }
        if now.mono >= self.expire_due {
            self.expire_due = now.mono + EXPIRE_EVERY;
            self.cache.expire(now);
        }
        self.hand_on(now);
        self.tell();
        self.tell_seldom(now.mono);
    }

    fn poll(&mut self, i: usize, now: Moment) {
        let Self { sources, cache, owners, counters, identity, .. } = self;
        let running = &mut sources[i];
        let mut intake = Intake { cache, owners, counters, identity: *identity };
        let polled = running.source.poll(now, &mut intake);
        let tier = match polled {
            Ok(next) => {
                running.due = self.clocks.now().mono + next;
                running.source.tier().unwrap_or_else(|| running.probed.clone())
            }
            Err(error) => {
                running.due = now.mono + RETRY;
                running.errors += 1;
                let name = running.source.name();
                if let Some(suppressed) = self.gate.admit(name) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(source = name, error, suppressed, "a source of metering failed");
                }
                let why_not = Some(error.to_string());
                Tier { runs: false, why_not, ..running.probed.clone() }
            }
        };
        let at = running.tier;
        self.shared.update(|status| {
            if let Some(line) = status.tiers.get_mut(at) {
                *line = tier;
            }
        });
    }

    fn drain(&mut self) {
        let now = self.clocks.now();
        let Self { sources, cache, owners, counters, identity, .. } = self;
        for running in sources {
            let mut intake = Intake { cache, owners, counters, identity: *identity };
            if let Err(error) = running.source.drain(now, &mut intake) {
                running.errors += 1;
                let name = running.source.name();
                if let Some(suppressed) = self.gate.admit(name) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(source = name, error, suppressed, "notifications were not read");
                }
            }
        }
    }

    /// Waits for what is due next, or for the stop. True when a source has something before that.
    fn wait(&self) -> bool {
        let now = self.clocks.now().mono;
        let due = self.sources.iter().map(|running| running.due.saturating_sub(now)).min();
        let timeout = due.unwrap_or(TICK).min(TICK);
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(0),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let mut fds = vec![PollFd::new(&self.woken, PollFlags::IN)];
        let events = self.sources.iter().filter_map(|running| running.source.events());
        fds.extend(events.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        // An interruption counts as a time-out.
        poll(&mut fds, Some(&timeout)).is_ok()
            && fds.iter().skip(1).any(|fd| !fd.revents().is_empty())
    }

    /// Makes rows of the cache's records and hands them on, a batch at a time.
    fn hand_on(&mut self, now: Moment) {
        for record in self.cache.take_records() {
            if self.flows.is_full() {
                self.hand_over(now);
            }
            rows::push(&mut self.flows, &record, self.identity, now.wall);
        }
        self.hand_over(now);
        for i in 0..self.sources.len() {
            if let Some(rows) = self.sources[i].source.rows() {
                rows.seal();
                self.flows.append(rows);
                rows.clear();
                self.hand_over(now);
            }
        }
    }

    fn hand_over(&mut self, now: Moment) {
        if self.flows.is_empty() && self.counters.is_empty() {
            return;
        }
        let rows = (self.flows.rows() as u64, self.counters.rows() as u64);
        self.shared.ledger.made(rows.0, rows.1);
        self.flows.seal();
        self.counters.seal();
        let taken = self.sink.accept(&mut self.flows, &mut self.counters);
        self.shared.ledger.settled((rows.0, taken.flows), (rows.1, taken.counters));
        self.flows.clear();
        self.counters.clear();
        self.shared.update(|status| status.last_rows_at = Some(now.wall));
    }

    fn tell(&self) {
        let sources = self.sources.iter().map(|running| SourceStatus {
            name: running.source.name(),
            errors: running.errors,
            counts: running.source.counts(),
        });
        let sources = sources.collect();
        self.shared.update(|status| {
            status.sources = sources;
            status.flows = self.cache.len();
            status.cache = self.cache.counts();
            status.owners = self.owners.counts();
        });
    }
}

#[cfg(test)]
mod tests;
