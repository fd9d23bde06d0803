//! One destination as its owner sees it: rows in, status out, stop.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use weir_model::{Clock, FlowBatch};
use weir_telemetry::{LogGate, Registry};

use super::buffer::folder::{DiskFolder, Folder};
use super::buffer::{Bounds, Buffer};
use super::ledger::{Account, Ledger, Loss};
use super::metrics;
use super::policy::{ExportPolicy, Transport};
use super::queue::Queue;
use super::session::Progress;
use super::tls::{self, TlsError};
use super::worker::Worker;

/// What an exporter needs of the rest.
#[derive(Clone)]
pub struct Deps {
    /// Where metrics are registered.
    pub registry: Registry,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// A random number, for the jitter of reconnects.
    pub random: fn() -> u32,
}

/// Why an exporter cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder of the buffer.
    #[error("the buffer folder {path} cannot be used: {cause}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system said; `WouldBlock` means that another agent holds it.
        cause: io::Error,
    },
    /// The files of TLS.
    #[error("TLS to {to}: {cause}")]
    Tls {
        /// The destination.
        to: String,
        /// What is wrong.
        cause: TlsError,
    },
    /// A thread or a pipe could not be made.
    #[error("starting the exporter")]
    Start(#[from] io::Error),
}

/// How it stands with the collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// An attempt is under way or due.
    Away,
    /// Messages go out.
    Connected,
    /// It was stopped.
    Stopped,
}

/// Everything that an exporter knows of itself at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportStatus {
    /// Where to.
    pub target: String,
    /// How it stands.
    pub link: Link,
    /// Why the last attempt or connection failed.
    pub error: Option<String>,
    /// The account, in records.
    pub account: Account,
    /// Records and octets in the buffer: in memory, on disk.
    pub buffered: (u64, u64, u64),
    /// Messages, octets and templates sent, repeated ones included.
    pub sent: (u64, u64, u64),
    /// Connections that ended otherwise than by a stop.
    pub lost_connections: u64,
    /// Datagrams that the other machine refused.
    pub refused: u64,
    /// Writes to the buffer's folder that failed.
    pub disk_errors: u64,
}

#[derive(Debug, Default)]
struct Counts {
    messages: AtomicU64,
    octets: AtomicU64,
    templates: AtomicU64,
    refused: AtomicU64,
    lost: AtomicU64,
    records: AtomicU64,
    memory: AtomicU64,
    disk: AtomicU64,
    disk_errors: AtomicU64,
}

pub(super) struct Shared {
    target: String,
    pub(super) queue: Queue,
    pub(super) ledger: Ledger,
    pub(super) stopping: AtomicBool,
    pub(super) gate: LogGate<()>,
    link: Mutex<(Link, Option<String>)>,
    counts: Counts,
    wake: UnixStream,
}

impl Shared {
    pub(super) fn wake(&self) {
        // A full pipe wakes as well, and a thread that has ended need not hear.
        let _heard = (&self.wake).write(&[1]);
    }

    pub(super) fn set_link(&self, link: Link, error: Option<String>) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = (link, error);
    }

    pub(super) fn count(&self, progress: &Progress) {
        let add = |counter: &AtomicU64, n| counter.fetch_add(n, Ordering::Relaxed);
        add(&self.counts.messages, progress.messages);
        add(&self.counts.octets, progress.octets);
        add(&self.counts.templates, progress.templates);
        add(&self.counts.refused, progress.refused);
    }

    pub(super) fn disconnected(&self) {
        self.counts.lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn tell_buffer(&self, buffer: &Buffer) {
        let (memory, disk) = buffer.octets();
        self.counts.records.store(buffer.records(), Ordering::Relaxed);
        self.counts.memory.store(memory, Ordering::Relaxed);
        self.counts.disk.store(disk, Ordering::Relaxed);
        self.counts.disk_errors.store(buffer.disk_errors(), Ordering::Relaxed);
    }

    pub(super) fn status(&self) -> ExportStatus {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (link, error) = self.link.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let counts = &self.counts;
        ExportStatus {
            target: self.target.clone(),
            link,
            error,
            account: self.ledger.account(),
            buffered: (get(&counts.records), get(&counts.memory), get(&counts.disk)),
            sent: (get(&counts.messages), get(&counts.octets), get(&counts.templates)),
            lost_connections: get(&counts.lost),
            refused: get(&counts.refused),
            disk_errors: get(&counts.disk_errors),
        }
    }
}

/// Exports to one destination until it is dropped.
pub struct Exporter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    /// Opens the buffer and starts the thread. The collector need not be there.
    pub fn start(policy: ExportPolicy, deps: &Deps) -> Result<Exporter, ExportError> {
        let target = policy.target.to_string();
        if policy.target.transport == Transport::Tls {
            // Files that are wrong now are an operator's mistake, told at once.
            tls::client(&policy.tls, &policy.target.host)
                .map_err(|cause| ExportError::Tls { to: target.clone(), cause })?;
        }
        let buffer = buffer(&policy)?;
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            target,
            queue: Queue::default(),
            ledger: Ledger::default(),
            stopping: AtomicBool::new(false),
            gate: LogGate::new(Duration::from_secs(30)),
            link: Mutex::new((Link::Away, None)),
            counts: Counts::default(),
            wake,
        });
        shared.ledger.received(buffer.restored());
        metrics::register(&deps.registry, &shared);
        let (clock, random) = (Arc::clone(&deps.clock), deps.random);
        let worker = Worker::new(Arc::clone(&shared), policy, clock, random, buffer, woken);
        let thread = std::thread::Builder::new()
            .name("weir-export".to_owned())
            .spawn(move || worker.run())?;
        Ok(Exporter { shared, thread: Some(thread) })
    }

    /// Hands rows of flows, counters or options to the thread. Never waits; what finds no room is
    /// counted.
    pub fn offer(&self, batch: &Arc<FlowBatch>) {
        let rows = batch.rows() as u64;
        if rows == 0 {
            return;
        }
        self.shared.ledger.received(rows);
        let stopped = self.shared.stopping.load(Ordering::Relaxed);
        if stopped || !self.shared.queue.offer(batch) {
            let loss = if stopped { Loss::Stopped } else { Loss::QueueFull };
            self.shared.ledger.dropped(loss, rows);
        }
        self.shared.wake();
    }

    /// How things stand.
    pub fn status(&self) -> ExportStatus {
        self.shared.status()
    }

    /// Asks the thread to send what it has and to end. Returns at once.
    pub fn begin_stop(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.wake();
    }

    /// Stops and waits for the end, then tells how things stood.
    pub fn stop(mut self) -> ExportStatus {
        self.end();
        self.status()
    }

    fn end(&mut self) {
        self.begin_stop();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(to = %self.shared.target, "the exporter ended in a panic");
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.end();
    }
}

fn buffer(policy: &ExportPolicy) -> Result<Buffer, ExportError> {
    let bounds = Bounds {
        memory_max: policy.buffer.memory_max.max(policy.message_limit() * 2),
        disk_max: policy.buffer.disk_max,
        spill_after: policy.buffer.spill_after,
    };
    let path = policy.buffer.folder.clone().filter(|_| policy.buffer.disk_max > 0);
    let failed = |path: &PathBuf| {
        let path = path.clone();
        move |cause| ExportError::Folder { path, cause }
    };
    let folder = match &path {
        Some(path) => {
            let folder = DiskFolder::open(path.clone()).map_err(failed(path))?;
            Some(Box::new(folder) as Box<dyn Folder>)
        }
        None => None,
    };
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
    let make = Box::new(move || {
        let made = seed;
        // Cost: a failure here would repeat an instance; the first call has shown that it works.
        let _filled = getrandom::fill(&mut seed);
        made
    });
    let shown = path.unwrap_or_default();
    Buffer::open(bounds, folder, make).map_err(failed(&shown))
}
