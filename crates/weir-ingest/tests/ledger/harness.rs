//! A running collecting process, a sink that can be blocked, and senders.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use weir_ingest::{Books, Ingest, IngestPolicy, IngestStatus, Sink, Verdict};
use weir_model::Timestamp;
use weir_telemetry::Registry;
use weir_testkit::{FakeClock, Ipfix, Template};
use weir_wire::Output;

/// The time of all tests.
pub const NOW: i64 = 1_763_600_000;

/// Template of the tests: addresses, octets, packets; 24 octets a record.
pub const TEMPLATE: u16 = 256;

pub fn template() -> Template {
    Template::new(TEMPLATE, &[(8, 4), (12, 4), (1, 8), (2, 8)])
}

/// `n` records of [`template`].
pub fn records(n: usize) -> Vec<u8> {
    let record = |i: usize| {
        let mut record = vec![10, 0, 0, i as u8, 10, 0, 1, i as u8];
        record.extend_from_slice(&(i as u64 * 100).to_be_bytes());
        record.extend_from_slice(&(i as u64).to_be_bytes());
        record
    };
    (0..n).flat_map(record).collect()
}

/// A message of domain 1 that carries the template and no data.
pub fn templates(sequence: u32) -> Vec<u8> {
    Ipfix::new(NOW as u32, sequence, 1).template(&template()).build()
}

/// A message of domain 1 with `n` records.
pub fn data(sequence: u32, n: usize) -> Vec<u8> {
    Ipfix::new(NOW as u32, sequence, 1).data(TEMPLATE, &records(n)).build()
}

/// Counts rows; gives a verdict set by the test; waits while it is blocked.
#[derive(Default)]
pub struct CountingSink {
    pub flows: AtomicU64,
    pub counters: AtomicU64,
    pub options: AtomicU64,
    pub verdict: Mutex<Verdict>,
    pub panics: Mutex<bool>,
    blocked: Mutex<bool>,
    unblocked: Condvar,
}

impl CountingSink {
    pub fn block(&self, blocked: bool) {
        *self.blocked.lock().unwrap() = blocked;
        self.unblocked.notify_all();
    }

    pub fn kept(&self) -> u64 {
        [&self.flows, &self.counters, &self.options].map(|n| n.load(Ordering::SeqCst)).iter().sum()
    }
}

impl Sink for CountingSink {
    fn name(&self) -> &'static str {
        "test"
    }

    fn accept(&self, output: &mut Output) -> Verdict {
        let mut blocked = self.blocked.lock().unwrap();
        while *blocked {
            blocked = self.unblocked.wait(blocked).unwrap();
        }
        drop(blocked);
        assert!(!*self.panics.lock().unwrap(), "the test asked for this");
        let verdict = *self.verdict.lock().unwrap();
        for (count, batch, lost) in [
            (&self.flows, &output.flows, verdict.flows),
            (&self.counters, &output.counters, verdict.counters),
            (&self.options, &output.options, verdict.options),
        ] {
            if lost.is_none() {
                count.fetch_add(batch.rows() as u64, Ordering::SeqCst);
            }
        }
        verdict
    }
}

/// Unblocks the sink before ingest is dropped: a test that fails while it is blocked must end, and
/// ingest hands on what waits before it does.
struct OpenOnDrop(Arc<CountingSink>);

impl Drop for OpenOnDrop {
    fn drop(&mut self) {
        self.0.block(false);
    }
}

/// One running process.
pub struct Bench {
    /// First, so that it is dropped first.
    _open: OpenOnDrop,
    pub ingest: Ingest,
    pub sink: Arc<CountingSink>,
    pub clock: Arc<FakeClock>,
    pub registry: Registry,
}

/// A policy for loopback with ports given by the kernel.
pub fn policy() -> IngestPolicy {
    IngestPolicy {
        udp: vec!["127.0.0.1:0".parse().unwrap()],
        tcp: vec!["127.0.0.1:0".parse().unwrap()],
        receive_threads: 1,
        decode_threads: 2,
        flush_after: Duration::from_millis(5),
        ..IngestPolicy::default()
    }
}

pub fn start(policy: &IngestPolicy) -> Bench {
    let sink = Arc::new(CountingSink::default());
    let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(NOW)));
    let registry = Registry::new();
    let ingest = Ingest::start(policy, &registry, clock.clone(), sink.clone()).unwrap();
    Bench { _open: OpenOnDrop(Arc::clone(&sink)), ingest, sink, clock, registry }
}

impl Bench {
    pub fn udp(&self) -> SocketAddr {
        self.ingest.udp_addresses()[0]
    }

    pub fn tcp(&self) -> SocketAddr {
        self.ingest.tcp_addresses()[0]
    }

    /// Waits until `done` says so of the books.
    pub fn until(&self, what: &str, done: impl Fn(&Books) -> bool) -> Books {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let books = self.ingest.books();
            if done(&books) {
                return books;
            }
            assert!(Instant::now() < deadline, "waited in vain until {what}: {books:#?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until `n` messages have arrived and nothing but parked Sets is in flight.
    pub fn settled(&self, n: u64) -> Books {
        self.until(&format!("{n} messages are settled"), |books| {
            let flying = books.messages.in_flight() + books.records.in_flight();
            books.messages.received == n && flying == 0
        })
    }

    /// Stops, and checks what holds at the end of every test.
    pub fn stop(self) -> IngestStatus {
        let status = self.ingest.stop();
        let books = &status.books;
        assert_eq!(books.messages.in_flight(), 0);
        assert_eq!(books.records.in_flight(), 0);
        assert_eq!(books.sets.in_flight(), status.parked_sets, "only parked Sets are in flight");
        assert_eq!(books.records.kept, self.sink.kept(), "the sink has what the books say");
        let tables = [books.flows, books.counters, books.options];
        assert_eq!(tables.iter().map(|table| table.kept).sum::<u64>(), books.records.kept);
        assert_eq!((status.queue.chunks, status.queue.octets), (0, 0));
        let closed: u64 = status.connections.totals.closed.iter().sum();
        assert_eq!(status.connections.totals.opened, closed);
        status
    }
}

/// A sender on loopback.
pub struct Sender {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Sender {
    pub fn new(from: impl Into<IpAddr>, to: SocketAddr) -> Sender {
        Sender { socket: UdpSocket::bind((from.into(), 0)).unwrap(), to }
    }

    pub fn send(&self, datagram: &[u8]) {
        assert_eq!(self.socket.send_to(datagram, self.to).unwrap(), datagram.len());
    }

    pub fn send_to(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.to = to;
        self.send(datagram);
    }

    pub fn answers(&self) -> bool {
        self.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        self.socket.recv(&mut [0; 16]).is_ok()
    }
}

/// A sender at 127.0.0.1.
pub fn sender(bench: &Bench) -> Sender {
    Sender::new([127, 0, 0, 1], bench.udp())
}
