//! Acknowledged IPFIX from outside: a collector that is killed again and again has every record
//! once. The exporter here speaks docs/formats/acknowledgement.md as it is written there.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use weir_testkit::{Dice, Ipfix, Template, announcement};

use crate::weir::{Folder, Serve, out};

const DOMAIN: u32 = 42;
const INSTANCE: [u8; 16] = *b"killed and alive";
const KILLS: u64 = 20;

/// Templates of flows, of counters and of other options records.
const TEMPLATES: [u16; 3] = [256, 257, 258];

/// Messages that the exporter holds at most: past it, it waits.
const HELD_MAX: usize = 4_000;

/// What test and exporter share.
#[derive(Default)]
struct Wires {
    /// Where the collector is.
    to: Mutex<Option<SocketAddr>>,
    /// No new records from now on.
    enough: AtomicBool,
    /// Everything made so far was acknowledged, and the exporter is gone.
    done: AtomicBool,
    made: AtomicU64,
    /// Of them flows, counters and options records.
    made_of: [AtomicU64; 3],
    acknowledged: AtomicU64,
    connections: AtomicU64,
    sent_again: AtomicU64,
}

/// An exporter with its buffer.
struct Exporter {
    wires: Arc<Wires>,
    /// Messages that are not acknowledged: number of the first record, records, octets.
    held: VecDeque<(u64, u64, Vec<u8>)>,
    next: u64,
    dice: Dice,
}

impl Exporter {
    fn run(mut self) {
        while !self.wires.done.load(Ordering::SeqCst) {
            let to = *self.wires.to.lock().unwrap();
            if let Some(stream) = to.and_then(|to| TcpStream::connect(to).ok()) {
                let _broken = self.connected(stream);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn connected(&mut self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_millis(1)))?;
        stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        self.wires.connections.fetch_add(1, Ordering::SeqCst);
        let first = self.held.front().map_or(self.next, |(number, ..)| *number);
        stream.write_all(&announcement(DOMAIN, &INSTANCE, first))?;
        for template in templates() {
            let message = Ipfix::new(now(), first as u32, DOMAIN).template(&template);
            stream.write_all(&message.build())?;
        }
        for (_, _, octets) in &self.held {
            stream.write_all(octets)?;
            self.wires.sent_again.fetch_add(1, Ordering::SeqCst);
        }
        let mut answers = Vec::new();
        loop {
            self.hear(&mut stream, &mut answers)?;
            let enough = self.wires.enough.load(Ordering::SeqCst);
            if enough && self.held.is_empty() {
                self.wires.done.store(true, Ordering::SeqCst);
                return Ok(());
            }
            if !enough && self.held.len() < HELD_MAX {
                for _ in 0..4 {
                    self.make();
                    let (_, _, octets) = self.held.back().unwrap();
                    stream.write_all(octets)?;
                }
            }
        }
    }

    /// Makes a message of some records of one table, which have their numbers in them.
    fn make(&mut self) {
        let table = [0, 0, 1, 2][self.dice.below(4)];
        let n = if table == 2 { 1 } else { 1 + self.dice.below(40) as u64 };
        let records: Vec<u8> =
            (self.next..self.next + n).flat_map(|number| record(table, number)).collect();
        let message = Ipfix::new(now(), self.next as u32, DOMAIN);
        let message = message.data(TEMPLATES[table], &records).build();
        self.held.push_back((self.next, n, message));
        self.next += n;
        self.wires.made_of[table].fetch_add(n, Ordering::SeqCst);
        self.wires.made.store(self.next, Ordering::SeqCst);
    }

    /// Reads answers, and lets go of what they say is durable.
    fn hear(&mut self, stream: &mut TcpStream, answers: &mut Vec<u8>) -> std::io::Result<()> {
        let mut octets = [0; 256];
        match stream.read(&mut octets) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => answers.extend_from_slice(&octets[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        while let Some((frame, rest)) = answers.split_first_chunk::<16>() {
            assert_eq!((&frame[..4], &frame[4..8]), (&b"WAK1"[..], &DOMAIN.to_be_bytes()[..]));
            let durable = u64::from_be_bytes(*frame.last_chunk().unwrap());
            let before = self.wires.acknowledged.fetch_max(durable, Ordering::SeqCst);
            assert!(durable >= before.min(self.next), "went back");
            assert!(durable <= self.next, "more than was sent");
            while self.held.front().is_some_and(|(number, n, _)| number + n <= durable) {
                self.held.pop_front();
            }
            *answers = rest.to_vec();
        }
        Ok(())
    }
}

fn templates() -> [Template; 3] {
    let [flows, counters, options] = TEMPLATES;
    [
        Template::new(flows, &[(8, 4), (12, 4), (1, 8), (2, 8)]),
        // Name, index of the source; value.
        Template::options(counters, 2, &[])
            .enterprise(32_473, 20_006, 4)
            .enterprise(32_473, 20_004, 4)
            .enterprise(32_473, 20_007, 8),
        Template::options(options, 1, &[(149, 4), (42, 8)]),
    ]
}

fn record(table: usize, number: u64) -> Vec<u8> {
    let octets = number.to_be_bytes();
    match table {
        0 => [&[10, 0, 0, 1, 10, 0, 0, 2][..], &octets, &1u64.to_be_bytes()].concat(),
        1 => [&b"made"[..], &(number as u32).to_be_bytes(), &octets].concat(),
        _ => [&DOMAIN.to_be_bytes()[..], &octets].concat(),
    }
}

fn now() -> u32 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as u32
}

/// What `/metrics` says of a counter with these labels.
fn counter(serve: &Serve, name: &str) -> u64 {
    let mut answer = ureq::get(format!("{}metrics", serve.url)).call().unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

const DUPLICATES: &str = "weir_ingest_messages_dropped_total{reason=\"duplicate\"}";

#[test]
fn every_record_is_kept_once_by_a_collector_that_is_killed_twenty_times_under_load() {
    let folder = Folder::new();
    let data = folder.data();
    let wires = Arc::new(Wires::default());
    let exporter =
        Exporter { wires: Arc::clone(&wires), held: VecDeque::new(), next: 0, dice: Dice::new(7) };
    let exporter = std::thread::spawn(|| exporter.run());
    let (mut dice, mut duplicates) = (Dice::new(11), 0);
    let start = || {
        let serve = Serve::start(&data, &["--listen", "tcp:127.0.0.1:0"]);
        *wires.to.lock().unwrap() = Some(serve.tcp.parse().unwrap());
        serve
    };
    for _ in 0..KILLS {
        let serve = start();
        let heard = wires.acknowledged.load(Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(200 + dice.below(500) as u64));
        let deadline = Instant::now() + Duration::from_secs(20);
        while wires.acknowledged.load(Ordering::SeqCst) == heard {
            assert!(Instant::now() < deadline, "nothing is acknowledged");
            std::thread::sleep(Duration::from_millis(7));
        }
        duplicates += counter(&serve, DUPLICATES);
        // Wherever the commit and the answer are by now.
        std::thread::sleep(Duration::from_millis(dice.below(300) as u64));
        serve.kill();
    }
    let serve = start();
    wires.enough.store(true, Ordering::SeqCst);
    exporter.join().unwrap();
    duplicates += counter(&serve, DUPLICATES);
    let made = wires.made.load(Ordering::SeqCst);
    assert_eq!(wires.acknowledged.load(Ordering::SeqCst), made);
    assert!(wires.connections.load(Ordering::SeqCst) > KILLS);

    let made_of = [0, 1, 2].map(|table| wires.made_of[table].load(Ordering::SeqCst));
    assert_eq!(made_of.iter().sum::<u64>(), made);
    let flows = serve.query(&["--measure", "flows"]);
    assert_eq!(flows[0]["flows"].as_u64(), Some(made_of[0]));
    // A counter has its number as index of its source; options records are one a message.
    for (at, table, number) in [(1, "counters", "source_index"), (2, "options", "export_sequence")]
    {
        let numbered = ["--table", table, "--filter", "export_sequence >= 0"];
        let ask = |more: &[&str]| serve.query(&[&numbered, more].concat());
        let most = ask(&["--group-by", number, "--measure", "records", "--limit", "1"]);
        assert_eq!(most[0]["records"], 1, "{table}: {most:?}");
        let all = ask(&["--measure", "records"]);
        assert_eq!(all[0]["records"].as_u64(), Some(made_of[at]), "{table}");
    }
    serve.stop();
    let file = folder.0.join("all.csv");
    out(&["export", "--data", &data, "--out", file.to_str().unwrap()]);
    let text = std::fs::read_to_string(&file).unwrap();
    let mut lines = text.lines();
    let column = lines.next().unwrap().split(',').position(|name| name == "octets").unwrap();
    let number = |line: &str| line.split(',').nth(column).unwrap().parse::<u64>().unwrap();
    let mut numbers: Vec<u64> = lines.map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers.len() as u64, made_of[0]);
    assert!(numbers.is_sorted_by(|a, b| a < b), "every number once");
    assert!(duplicates > 0, "no message was sent again that was kept: the test shows nothing");
    println!(
        "{made} records, by table {made_of:?}; {duplicates} messages came again that were kept, of {} sent again",
        wires.sent_again.load(Ordering::SeqCst)
    );
}
