//! A collector of the tests: decodes what comes, answers as it is told to, and can be killed.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use weir_model::columns::{flows, options};
use weir_model::{FlowBatch, SystemClock, Table, Timestamp, elements, own};
use weir_sink::ipfix::{Deps, ExportPolicy, ExportStatus, Exporter, Target, Transport};
use weir_telemetry::Registry;
use weir_wire::{Decoder, Limits, Output, Received, SessionId};

/// What a collector does with an exporter that asks for acknowledgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Says nothing.
    Silent,
    /// Acknowledges all that it has decoded.
    Answers,
    /// Answers with something else.
    Nonsense,
}

/// What outlives connections: the collector's disk.
#[derive(Debug, Default)]
pub struct Kept {
    /// (number of the record, port in it): what was decoded, once.
    pub ports: BTreeMap<u64, u16>,
    /// Records that came again.
    pub repeats: u64,
    /// Octets of announcements: instance and first number.
    pub announced: Vec<(Vec<u8>, u64)>,
    /// A message began elsewhere than the one before ended.
    pub jumps: u64,
    pub counters: u64,
    pub messages: u64,
    pub octets: u64,
    pub connections: u64,
}

pub struct Collector {
    pub address: SocketAddr,
    pub kept: Arc<Mutex<Kept>>,
    stop: Arc<AtomicBool>,
    /// Octets after which a connection is cut; 0 never.
    pub cut_after: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Collector {
    pub fn start(address: &str, manner: Manner, kept: Arc<Mutex<Kept>>) -> Collector {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, cut_after) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, cut, disk) = (Arc::clone(&stop), Arc::clone(&cut_after), Arc::clone(&kept));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, peer)) => {
                        disk.lock().unwrap().connections += 1;
                        serve(stream, peer, manner, &disk, &stopped, &cut);
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        Collector { address, kept, stop, cut_after, thread: Some(thread) }
    }

    pub fn target(&self) -> Target {
        Target {
            transport: Transport::Tcp,
            host: "127.0.0.1".to_owned(),
            port: self.address.port(),
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ended = self.thread.take().unwrap().join();
    }
}

fn serve(
    mut stream: TcpStream,
    peer: SocketAddr,
    manner: Manner,
    kept: &Mutex<Kept>,
    stop: &AtomicBool,
    cut: &AtomicU64,
) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut reader = Reader::new(peer);
    let (mut buffer, mut chunk) = (Vec::new(), [0; 8_192]);
    let mut read = 0;
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut chunk) {
            Ok(0) => return,
            Ok(came) => {
                buffer.extend_from_slice(&chunk[..came]);
                read += came as u64;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
        while buffer.len() >= 4 {
            let length = usize::from(u16::from_be_bytes([buffer[2], buffer[3]]));
            if buffer.len() < length {
                break;
            }
            let message: Vec<u8> = buffer.drain(..length).collect();
            reader.take(&message, &mut kept.lock().unwrap());
        }
        // Killed between the read and the answer: what was read may be kept or not.
        let limit = cut.load(Ordering::Relaxed);
        if limit > 0 && read >= limit {
            return;
        }
        let answer = match manner {
            Manner::Silent => continue,
            Manner::Nonsense => b"HTTP/1.1 400 Bad".to_vec(),
            Manner::Answers => {
                let mut frame = b"WAK1".to_vec();
                frame.extend_from_slice(&reader.domain.to_be_bytes());
                frame.extend_from_slice(&reader.next.to_be_bytes());
                frame
            }
        };
        if reader.announced && stream.write_all(&answer).is_err() {
            return;
        }
    }
}

/// Decodes the messages of one connection.
pub struct Reader {
    decoder: Decoder,
    received: Received,
    pub announced: bool,
    pub domain: u32,
    /// Number after the last record.
    pub next: u64,
}

impl Reader {
    pub fn new(peer: SocketAddr) -> Reader {
        let at = Timestamp::from_seconds(1_700_000_000);
        let mut received = Received::udp(at, peer);
        (received.transport, received.session) = (weir_wire::Transport::Tcp, SessionId(1));
        let decoder = Decoder::new(Limits::default());
        Reader { decoder, received, announced: false, domain: 0, next: 0 }
    }

    pub fn take(&mut self, message: &[u8], kept: &mut Kept) {
        let mut out = Output::new();
        let tally = self.decoder.decode(message, &self.received, &mut out).unwrap();
        assert_eq!(tally.dropped_sets() + tally.sets_parked, 0, "every template came in time");
        out.seal();
        kept.messages += 1;
        kept.octets += message.len() as u64;
        let low = u32::from_be_bytes(message[8..12].try_into().unwrap());
        self.domain = u32::from_be_bytes(message[12..16].try_into().unwrap());
        if let Some(fields) = out.options.get_octets(options::FIELDS, 0) {
            let instance = elements::find(fields, own::EXPORTER_INSTANCE, 0).unwrap();
            let first = elements::find(fields, own::FIRST_SEQUENCE, 0).unwrap();
            let first = u64::from_be_bytes(first.try_into().unwrap());
            assert!(!self.announced && low == (first as u32).wrapping_sub(1), "first and once");
            (self.announced, self.next) = (true, first);
            kept.announced.push((instance.to_vec(), first));
            return;
        }
        if tally.records() == 0 {
            return;
        }
        let ahead = low.wrapping_sub(self.next as u32);
        kept.jumps += u64::from(ahead != 0);
        self.next += u64::from(ahead);
        kept.counters += out.counters.rows() as u64;
        for row in 0..out.flows.rows() {
            let port = out.flows.get_u64(flows::SRC_PORT, row).unwrap() as u16;
            let number = self.next + row as u64;
            if let Some(before) = kept.ports.insert(number, port) {
                assert_eq!(before, port, "number {number} means one record");
                kept.repeats += 1;
            }
        }
        self.next += tally.records();
    }
}

pub fn deps() -> Deps {
    Deps { registry: Registry::new(), clock: Arc::new(SystemClock), random: || 0 }
}

/// Quick pauses; the answer of a collector is waited for long enough for a loaded machine.
pub fn policy(target: Target) -> ExportPolicy {
    let mut policy = ExportPolicy::new(target);
    policy.flush_after = Duration::from_millis(20);
    policy.reconnect = (Duration::from_millis(10), Duration::from_millis(50));
    policy.domain = 7;
    policy
}

/// Rows whose source ports count from `from`; every third has a process, so templates alternate.
pub fn rows(from: usize, count: usize) -> Arc<FlowBatch> {
    let mut batch = FlowBatch::new(Table::Flows);
    let start = batch.append_rows(count);
    for i in 0..count {
        batch.set(flows::SRC_PORT, start + i, (from + i) as u16);
        batch.set(flows::OCTETS, start + i, 1_000u64);
        if (from + i).is_multiple_of(3) {
            batch.set_octets(flows::SRC_PROCESS, start + i, b"curl");
        }
    }
    batch.seal();
    Arc::new(batch)
}

pub fn counters(count: usize) -> Arc<FlowBatch> {
    use weir_model::columns::counters as c;
    let mut batch = FlowBatch::new(Table::Counters);
    let start = batch.append_rows(count);
    for i in start..start + count {
        batch.set_octets(c::NAME, i, b"ifInOctets");
        batch.set(c::VALUE, i, i as u64);
    }
    batch.seal();
    Arc::new(batch)
}

/// Waits until `done` holds of the exporter's status, for at most so many seconds.
pub fn wait(
    exporter: &Exporter,
    seconds: u64,
    done: impl Fn(&ExportStatus) -> bool,
) -> ExportStatus {
    let began = Instant::now();
    loop {
        let status = exporter.status();
        if done(&status) {
            return status;
        }
        assert!(began.elapsed() < Duration::from_secs(seconds), "{status:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A folder of the test's own, removed with it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("weir-sink-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}
