//! Puts the parts together: sockets, threads, and the order in which they stop.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use weir_model::{Addr, Clock};
use weir_telemetry::{LogGate, Registry};
use weir_wire::{ExporterStatus, TemplateStatus};

use crate::acknowledge::{AcknowledgeStatus, Acknowledging};
use crate::chunk::Pool;
use crate::connections::{Acceptor, ConnectionBooks, ConnectionStatus};
use crate::door::Door;
use crate::kernel::{SocketBook, SocketStatus, read_proc};
use crate::ledger::{Books, ExporterDrops};
use crate::metrics;
use crate::policy::IngestPolicy;
use crate::queue::Queue;
use crate::receive::Receiver;
use crate::shared::Shared;
use crate::sink::Sink;
use crate::socket::{self, ListenError};
use crate::state;
use crate::tls::{Certificates, TlsError};
use crate::worker::Worker;

/// How often templates and parked data are aged and `/proc/net/udp` is read.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// Why receiving could not start.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// A port could not be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system gave no thread.
    #[error("cannot start thread {name}")]
    Thread {
        /// Which.
        name: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// What waits between receiving and decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueStatus {
    /// Chunks of up to 64 datagrams.
    pub chunks: usize,
    /// Octets of memory they hold.
    pub octets: usize,
    /// Octets from which on arrivals are dropped.
    pub octets_max: usize,
}

/// Everything that ingest knows of itself at one moment.
#[derive(Debug, Clone)]
pub struct IngestStatus {
    /// The ledger.
    pub books: Books,
    /// Drops by exporter.
    pub exporter_drops: Vec<ExporterDrops>,
    /// Exporters and observation domains, with their sequence accounts.
    pub exporters: Vec<ExporterStatus>,
    /// Sets parked at the moment.
    pub parked_sets: u64,
    /// UDP sockets with their kernel loss.
    pub sockets: Vec<SocketStatus>,
    /// Connections.
    pub connections: ConnectionStatus,
    /// Acknowledged streams.
    pub acknowledge: AcknowledgeStatus,
    /// The queue.
    pub queue: QueueStatus,
}

/// The running collecting process.
pub struct Ingest {
    shared: Arc<Shared>,
    queue_octets: usize,
    state_file: Option<PathBuf>,
    udp: Vec<SocketAddr>,
    tcp: Vec<SocketAddr>,
    /// In the order in which they are waited for.
    sources: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
    /// Asks the sink what it has of exporters that begin anew.
    questions: Option<JoinHandle<()>>,
    housekeeper: Option<JoinHandle<()>>,
}

impl Ingest {
    /// Opens the sockets, takes in saved state, registers metrics and starts the threads.
    pub fn start(
        policy: &IngestPolicy,
        registry: &Registry,
        clock: Arc<dyn Clock>,
        sink: Arc<dyn Sink>,
    ) -> Result<Ingest, IngestError> {
        let threads = policy.receivers();
        let door = Door::new(&policy.allow, &policy.limits, threads);
        if let Some(path) = &policy.state_file
            && let Err(error) = state::load(&door, path)
        {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(path = %path.display(), error, "templates of the last run are lost");
        }
        let tls = policy.tls.as_ref();
        let certificates = tls.map(|tls| Certificates::load(tls, &clock)).transpose()?;
        let mut books = Vec::new();
        let sockets = open_udp(policy, threads, &mut books)?;
        let listeners: Vec<TcpListener> =
            policy.tcp.iter().map(|&address| socket::tcp(address)).collect::<Result<_, _>>()?;
        let udp = sockets[0].iter().filter_map(|(socket, _)| socket.local_addr().ok()).collect();
        let tcp = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let shared = Arc::new(Shared {
            door,
            queue: Queue::new(policy.queue_octets, policy.decoders()),
            pool: Pool::default(),
            clock,
            sockets: books,
            connections: ConnectionBooks::default(),
            acknowledging: Acknowledging::new(&sink),
            io_gate: LogGate::new(Duration::from_secs(10)),
            stopping: AtomicBool::new(false),
        });
        metrics::register(registry, &shared, sink.name(), policy.exporter_labels_max);
        let mut ingest = Ingest {
            shared,
            queue_octets: policy.queue_octets,
            state_file: policy.state_file.clone(),
            udp,
            tcp,
            sources: Vec::new(),
            workers: Vec::new(),
            questions: None,
            housekeeper: None,
        };
        match ingest.spawn_all(policy, sockets, (listeners, certificates), &sink) {
            Ok(()) => Ok(ingest),
            Err(error) => {
                ingest.stop();
                Err(error)
            }
        }
    }

    fn spawn_all(
        &mut self,
        policy: &IngestPolicy,
        sockets: Vec<Vec<(UdpSocket, usize)>>,
        (listeners, certificates): (Vec<TcpListener>, Option<Certificates>),
        sink: &Arc<dyn Sink>,
    ) -> Result<(), IngestError> {
        for number in 0..policy.decoders() {
            let worker = Worker {
                number,
                shared: Arc::clone(&self.shared),
                sink: Arc::clone(sink),
                flush_after: policy.flush_after,
                in_order: policy.in_order,
            };
            self.workers.push(spawn(format!("weir-decode-{number}"), || worker.run())?);
        }
        for (number, sockets) in sockets.into_iter().enumerate().filter(|(_, s)| !s.is_empty()) {
            let receiver = Receiver { sockets, shared: Arc::clone(&self.shared) };
            self.sources.push(spawn(format!("weir-receive-{number}"), || receiver.run())?);
        }
        if !listeners.is_empty() {
            let (limits, shared) = (policy.connections.clone(), Arc::clone(&self.shared));
            if shared.acknowledging.is_on() {
                let shared = Arc::clone(&shared);
                let answer = move || shared.acknowledging.answer_questions();
                self.questions = Some(spawn("weir-repeats".to_owned(), answer)?);
            }
            let acceptor = Acceptor { listeners, limits, certificates, shared };
            self.sources.push(spawn("weir-tcp".to_owned(), || acceptor.run())?);
        }
        let (shared, state_file) = (Arc::clone(&self.shared), self.state_file.clone());
        let interval = policy.state_interval;
        let keep = move || keep_house(&shared, state_file, interval);
        self.housekeeper = Some(spawn("weir-house".to_owned(), keep)?);
        Ok(())
    }

    /// UDP addresses that it listens on, with the ports that were given.
    pub fn udp_addresses(&self) -> &[SocketAddr] {
        &self.udp
    }

    /// TCP addresses that it listens on, with the ports that were given.
    pub fn tcp_addresses(&self) -> &[SocketAddr] {
        &self.tcp
    }

    /// The ledger alone: cheaper than [`Ingest::status`], and exact at one moment.
    pub fn books(&self) -> Books {
        self.shared.door.ledger.books().clone()
    }

    /// Templates that an exporter told (of one domain, or of all), at most `most`, and how many
    /// more there are.
    pub fn templates(
        &self,
        addr: Addr,
        domain: Option<u32>,
        most: usize,
    ) -> (Vec<TemplateStatus>, usize) {
        self.shared.door.templates(addr, domain, most)
    }

    /// How things stand. Reads `/proc/net/udp`.
    pub fn status(&self) -> IngestStatus {
        read_proc(&self.shared.sockets);
        let (chunks, octets) = self.shared.queue.depth();
        IngestStatus {
            books: self.books(),
            exporter_drops: self.shared.door.ledger.exporter_drops(),
            exporters: self.shared.door.exporters(),
            parked_sets: self.shared.door.parked_sets(),
            sockets: self.shared.sockets.iter().map(SocketBook::status).collect(),
            connections: self.shared.connections.status(),
            acknowledge: self.shared.acknowledging.status(),
            queue: QueueStatus { chunks, octets, octets_max: self.queue_octets },
        }
    }

    /// Stops: takes in what has arrived, decodes what waits, hands on all rows, saves state. Gives
    /// the last status, in which nothing is in flight but parked Sets.
    pub fn stop(mut self) -> IngestStatus {
        self.shutdown();
        self.status()
    }

    fn shutdown(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        join(self.sources.drain(..));
        self.shared.queue.close();
        join(self.workers.drain(..));
        self.shared.acknowledging.close();
        join(self.questions.take().into_iter());
        if let Some(housekeeper) = self.housekeeper.take() {
            housekeeper.thread().unpark();
            join(std::iter::once(housekeeper));
            save_state(&self.shared, self.state_file.as_deref());
        }
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Opens every UDP address once per thread and keeps a book for each socket.
fn open_udp(
    policy: &IngestPolicy,
    threads: usize,
    books: &mut Vec<SocketBook>,
) -> Result<Vec<Vec<(UdpSocket, usize)>>, ListenError> {
    let mut sockets: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
    for &asked in &policy.udp {
        let mut address = asked;
        socket::udp_is_free(asked)?;
        for (thread, sockets) in sockets.iter_mut().enumerate() {
            let socket = socket::udp(address, policy.receive_buffer_octets)?;
            // The first socket may be given a port, or IPv4 for want of IPv6; the others follow.
            address = socket.local_addr().unwrap_or(address);
            books.push(SocketBook::new(&socket, address, thread));
            sockets.push((socket, books.len() - 1));
        }
    }
    Ok(sockets)
}

fn keep_house(shared: &Shared, state_file: Option<PathBuf>, interval: Duration) {
    let mut saved = Instant::now();
    while !shared.is_stopping() {
        std::thread::park_timeout(HOUSEKEEPING);
        shared.door.expire(shared.clock.now());
        read_proc(&shared.sockets);
        if saved.elapsed() >= interval {
            saved = Instant::now();
            save_state(shared, state_file.as_deref());
        }
    }
}

fn save_state(shared: &Shared, path: Option<&std::path::Path>) {
    let Some(path) = path else { return };
    if let Err(error) = state::save(&shared.door, path) {
        tracing::warn!(path = %path.display(), %error, "templates are not kept for a restart");
    }
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, IngestError> {
    let thread = std::thread::Builder::new().name(name.clone());
    thread.spawn(run).map_err(|source| IngestError::Thread { name, source })
}

fn join(threads: impl Iterator<Item = JoinHandle<()>>) {
    for thread in threads {
        let name = thread.thread().name().unwrap_or_default().to_owned();
        if thread.join().is_err() {
            tracing::error!(thread = name, "thread ended in a panic");
        }
    }
}
