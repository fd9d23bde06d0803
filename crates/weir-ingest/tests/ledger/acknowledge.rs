//! Acknowledged IPFIX: what is told when, and what is kept once whatever is sent again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use weir_ingest::{
    CloseReason, DurableSink, Ingest, IngestPolicy, IngestStatus, Kept, Reason, Sink, SinkLoss,
    Ticket, Verdict,
};
use weir_model::Timestamp;
use weir_model::columns::flows;
use weir_telemetry::Registry;
use weir_testkit::{FakeClock, Ipfix, Template, announcement};
use weir_wire::{Answer, DropReason, Output};

use crate::harness::{NOW, TEMPLATE, policy, records, template};

const US: [u8; 16] = *b"an exporter's id";

/// Keeps what it is given in memory; durable when the test says so.
#[derive(Default)]
struct Shelf {
    /// (instance, domain, number of the message) of each row.
    rows: Mutex<Vec<([u8; 16], u32, u64)>>,
    /// Appends so far, and those that are durable.
    appended: AtomicU64,
    committed: Arc<AtomicU64>,
    verdict: Mutex<Verdict>,
}

impl Shelf {
    fn commit(&self) {
        self.committed.store(self.appended.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    fn always_commit(&self) {
        self.committed.store(u64::MAX, Ordering::SeqCst);
    }

    fn numbers(&self, domain: u32) -> Vec<u64> {
        let rows = self.rows.lock().unwrap();
        let mut numbers: Vec<u64> =
            rows.iter().filter(|(_, d, _)| *d == domain).map(|(_, _, number)| *number).collect();
        numbers.sort_unstable();
        numbers
    }
}

impl Sink for Shelf {
    fn name(&self) -> &'static str {
        "shelf"
    }

    fn accept(&self, output: &mut Output) -> Verdict {
        self.accept_tracked(output).0
    }

    fn durable(&self) -> Option<&dyn DurableSink> {
        Some(self)
    }
}

impl DurableSink for Shelf {
    fn accept_tracked(&self, output: &mut Output) -> (Verdict, Ticket) {
        let verdict = *self.verdict.lock().unwrap();
        if verdict.flows.is_none() {
            let batch = &output.flows;
            let row = |row| {
                let instance = batch.get_octets(flows::EXPORTER_INSTANCE, row)?.try_into().ok()?;
                let domain = batch.get_u64(flows::OBSERVATION_DOMAIN, row)? as u32;
                Some((instance, domain, batch.get_u64(flows::EXPORT_SEQUENCE, row)?))
            };
            self.rows.lock().unwrap().extend((0..batch.rows()).filter_map(row));
        }
        let this = self.appended.fetch_add(1, Ordering::SeqCst) + 1;
        let committed = Arc::clone(&self.committed);
        (verdict, Box::new(move || committed.load(Ordering::SeqCst) >= this))
    }

    fn kept(&self, instance: &[u8; 16], domain: u32, first: u64) -> Kept {
        let rows = self.rows.lock().unwrap();
        let ours = rows.iter().filter(|(i, d, n)| (i, *d) == (instance, domain) && *n >= first);
        Kept { numbers: ours.map(|(_, _, n)| *n..n + 1).collect(), until: u64::MAX }
    }
}

struct Bench {
    ingest: Ingest,
    shelf: Arc<Shelf>,
}

fn start_on(shelf: &Arc<Shelf>, policy: &IngestPolicy) -> Bench {
    let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(NOW)));
    let ingest = Ingest::start(policy, &Registry::new(), clock, Arc::clone(shelf) as _).unwrap();
    Bench { ingest, shelf: Arc::clone(shelf) }
}

fn start() -> Bench {
    start_on(&Arc::default(), &policy())
}

impl Bench {
    fn until(&self, what: &str, done: impl Fn(&IngestStatus) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let status = self.ingest.status();
            if done(&status) {
                return;
            }
            assert!(Instant::now() < deadline, "waited in vain until {what}: {status:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn closed(&self, reason: CloseReason, n: u64) {
        self.until(reason.name(), |status| status.connections.closed_by(reason) == n);
    }

    /// Stops; every account balances, and the shelf has what the books say.
    fn stop(self) -> IngestStatus {
        let status = self.ingest.stop();
        let books = &status.books;
        assert_eq!((books.messages.in_flight(), books.sets.in_flight()), (0, 0));
        assert_eq!(books.records.in_flight(), 0);
        assert_eq!(books.flows.kept, self.shelf.rows.lock().unwrap().len() as u64);
        status
    }
}

/// An exporter's connection.
struct Exporter(TcpStream);

impl Exporter {
    fn connect(bench: &Bench) -> Exporter {
        let stream = TcpStream::connect(bench.ingest.tcp_addresses()[0]).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_nodelay(true).unwrap();
        Exporter(stream)
    }

    /// Announces, and hears the first answer.
    fn announced(bench: &Bench, domain: u32, first: u64) -> Exporter {
        let mut exporter = Exporter::connect(bench);
        exporter.send(&announcement(domain, &US, first));
        exporter.send(&Ipfix::new(0, first as u32, domain).template(&template()).build());
        let answer = exporter.answer().unwrap();
        assert_eq!((answer.domain, answer.durable), (domain, first));
        exporter
    }

    fn send(&mut self, octets: &[u8]) {
        self.0.write_all(octets).unwrap();
    }

    /// A message of `n` records from number `number` on.
    fn data(&mut self, domain: u32, number: u64, n: usize) {
        let message = Ipfix::new(0, number as u32, domain).data(TEMPLATE, &records(n));
        self.send(&message.build());
    }

    /// The next answer; `None` when the collector closed.
    fn answer(&mut self) -> Option<Answer> {
        let mut octets = [0; Answer::OCTETS];
        self.0.read_exact(&mut octets).ok()?;
        Some(Answer::decode(&octets).unwrap())
    }

    /// Reads answers until one says that `number` is durable.
    fn until_durable(&mut self, number: u64) {
        let mut last = 0;
        while last < number {
            let told = self.answer().unwrap().durable;
            assert!(told > last, "went back");
            last = told;
        }
        assert_eq!(last, number);
    }
}

fn duplicates(status: &IngestStatus) -> [u64; 3] {
    let books = &status.books;
    [&books.messages, &books.sets, &books.records]
        .map(|account| account.dropped_by(Reason::Wire(DropReason::Duplicate)))
}

#[test]
fn durable_is_told_when_it_is_and_not_before() {
    let bench = start();
    // Across the 32 bits of the header.
    let first = u64::from(u32::MAX) - 4;
    let mut exporter = Exporter::announced(&bench, 7, first);
    exporter.data(7, first, 10);
    exporter.data(7, first + 10, 5);
    bench.until("rows are kept", |status| status.books.flows.kept == 15);
    exporter.0.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
    assert_eq!(exporter.answer(), None, "nothing is durable yet");
    bench.shelf.commit();
    exporter.0.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    exporter.until_durable(first + 15);
    let numbers = [[first; 10].as_slice(), &[first + 10; 5]].concat();
    assert_eq!(bench.shelf.numbers(7), numbers);
    let status = bench.ingest.status();
    assert_eq!((status.acknowledge.streams, status.acknowledge.in_flight), (1, 0));
    assert_eq!((status.acknowledge.answers, status.connections.open_acknowledged), (2, 1));
    let status = bench.stop();
    assert_eq!(status.exporters.iter().map(|e| e.sequence.missing).sum::<u64>(), 0);
}

#[test]
fn what_is_on_its_way_is_not_taken_twice_when_the_exporter_comes_again() {
    let bench = start();
    let mut exporter = Exporter::announced(&bench, 1, 0);
    (0..4).for_each(|i| exporter.data(1, i * 10, 10));
    bench.until("rows are kept", |status| status.books.flows.kept == 40);
    // Nothing is durable, and the connection breaks.
    drop(exporter);
    let mut exporter = Exporter::announced(&bench, 1, 0);
    (0..6).for_each(|i| exporter.data(1, i * 10, 10));
    bench.until("the new ones are kept", |status| status.books.flows.kept == 60);
    bench.shelf.commit();
    exporter.until_durable(60);
    // Once more, after it was durable.
    drop(exporter);
    let mut exporter = Exporter::announced(&bench, 1, 20);
    (2..7).for_each(|i| exporter.data(1, i * 10, 10));
    bench.until("the new one is kept", |status| status.books.flows.kept == 70);
    bench.shelf.commit();
    exporter.until_durable(70);
    let expected: Vec<u64> = (0..70).map(|i| i / 10 * 10).collect();
    assert_eq!(bench.shelf.numbers(1), expected);
    let status = bench.stop();
    assert_eq!(duplicates(&status), [8, 8, 80]);
    let sequence = status.exporters[0].sequence;
    assert_eq!((sequence.missing, sequence.duplicates, sequence.restarts), (0, 0, 0));
    assert_eq!(status.exporters[0].records_seen, 70 + 3, "with the announcements");
}

#[test]
fn what_an_earlier_run_kept_is_known() {
    let shelf: Arc<Shelf> = Arc::default();
    shelf.always_commit();
    let bench = start_on(&shelf, &policy());
    let mut exporter = Exporter::announced(&bench, 1, 0);
    (0..3).for_each(|i| exporter.data(1, i * 10, 10));
    exporter.until_durable(30);
    bench.stop();
    let kept = shelf.rows.lock().unwrap().len();
    let bench = Bench { shelf: Arc::default(), ..start_on(&shelf, &policy()) };
    let mut exporter = Exporter::announced(&bench, 1, 10);
    (1..5).for_each(|i| exporter.data(1, i * 10, 10));
    exporter.until_durable(50);
    assert_eq!(shelf.rows.lock().unwrap().len(), kept + 20);
    let status = bench.ingest.stop();
    assert_eq!(duplicates(&status), [2, 2, 20]);
    assert_eq!((status.books.messages.in_flight(), status.books.flows.kept), (0, 20));
}

#[test]
fn a_full_disk_closes_without_an_answer_and_what_comes_again_is_taken() {
    let bench = start();
    let mut exporter = Exporter::announced(&bench, 1, 0);
    exporter.data(1, 0, 10);
    bench.until("rows are kept", |status| status.books.flows.kept == 10);
    *bench.shelf.verdict.lock().unwrap() =
        Verdict { flows: Some(SinkLoss::DiskFull), ..Verdict::KEPT };
    exporter.data(1, 10, 10);
    bench.closed(CloseReason::NotKept, 1);
    bench.shelf.commit();
    assert_eq!(exporter.answer(), None);
    *bench.shelf.verdict.lock().unwrap() = Verdict::KEPT;
    bench.shelf.always_commit();
    let mut exporter = Exporter::announced(&bench, 1, 0);
    (0..3).for_each(|i| exporter.data(1, i * 10, 10));
    exporter.until_durable(30);
    let expected: Vec<u64> = (0..30).map(|i| i / 10 * 10).collect();
    assert_eq!(bench.shelf.numbers(1), expected);
    let status = bench.stop();
    assert_eq!(duplicates(&status), [1, 1, 10]);
    assert_eq!(status.books.sink_lost(SinkLoss::DiskFull), 10);
}

#[test]
fn what_a_message_has_no_rows_of_decides_nothing() {
    let bench = start();
    bench.shelf.always_commit();
    *bench.shelf.verdict.lock().unwrap() =
        Verdict { counters: Some(SinkLoss::Io), ..Verdict::KEPT };
    let mut exporter = Exporter::announced(&bench, 1, 0);
    let options = Template::options(777, 1, &[(149, 4), (42, 4)]);
    exporter.send(&Ipfix::new(0, 0, 1).template(&options).data(777, &[0; 8]).build());
    exporter.data(1, 1, 2);
    exporter.until_durable(3);
    let counters = Template::options(778, 1, &[]).enterprise(32_473, 20_006, 4);
    let counters = counters.enterprise(32_473, 20_007, 1);
    exporter.send(&Ipfix::new(0, 3, 1).template(&counters).data(778, b"load\x07").build());
    bench.closed(CloseReason::NotKept, 1);
    assert_eq!(exporter.answer(), None);
    let status = bench.stop();
    assert_eq!((status.books.options.kept, status.books.sink_lost(SinkLoss::Io)), (2, 1));
}

#[test]
fn records_dropped_for_good_count_as_durable() {
    let bench = start();
    bench.shelf.always_commit();
    let mut exporter = Exporter::announced(&bench, 1, 0);
    // A Set whose template never came, and one that is cut off; then a good one.
    exporter.send(&Ipfix::new(0, 0, 1).data(777, &records(3)).build());
    exporter.send(&Ipfix::new(0, 3, 1).set(TEMPLATE, &[0; 7]).build());
    exporter.data(1, 3, 2);
    exporter.until_durable(5);
    *bench.shelf.verdict.lock().unwrap() =
        Verdict { flows: Some(SinkLoss::Refused), ..Verdict::KEPT };
    exporter.data(1, 5, 2);
    exporter.until_durable(7);
    let status = bench.stop();
    assert_eq!(status.books.sets.dropped_by(Reason::Wire(DropReason::NoTemplate)), 1);
    assert_eq!(status.parked_sets, 0, "nothing of an announced stream is parked");
}

#[test]
fn the_newest_connection_has_the_stream() {
    let bench = start();
    bench.shelf.always_commit();
    let mut old = Exporter::announced(&bench, 1, 0);
    let mut new = Exporter::announced(&bench, 1, 0);
    bench.closed(CloseReason::Superseded, 1);
    assert_eq!(old.answer(), None);
    new.data(1, 0, 10);
    new.until_durable(10);
    bench.stop();
}

#[test]
fn an_exporter_that_reads_no_answers_is_closed() {
    let mut policy = policy();
    policy.connections.message = Duration::from_millis(300);
    let bench = start_on(&Arc::default(), &policy);
    bench.shelf.always_commit();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(1).unwrap();
    socket.connect(&bench.ingest.tcp_addresses()[0].into()).unwrap();
    let mut exporter = Exporter(socket.into());
    for domain in 0..60 {
        exporter.send(&announcement(domain, &US, 0));
        exporter.send(&Ipfix::new(0, 0, domain).template(&template()).build());
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut number = 0;
    while bench.ingest.status().connections.closed_by(CloseReason::NotReading) == 0 {
        assert!(Instant::now() < deadline, "{:?}", bench.ingest.status().connections);
        for domain in 0..60 {
            let message = Ipfix::new(0, number, domain).data(TEMPLATE, &records(1));
            let _closed_by_now = exporter.0.write_all(&message.build());
        }
        number += 1;
        std::thread::sleep(Duration::from_millis(60));
    }
    bench.stop();
}

#[test]
fn one_connection_announces_a_bounded_number_of_domains() {
    let bench = start();
    let mut exporter = Exporter::connect(&bench);
    for domain in 0..65 {
        exporter.send(&announcement(domain, &US, 0));
    }
    bench.closed(CloseReason::TooManyStreams, 1);
    bench.stop();
}

#[test]
fn a_sink_that_keeps_nothing_answers_nobody() {
    let bench = crate::harness::start(&policy());
    let mut stream = TcpStream::connect(bench.tcp()).unwrap();
    stream.write_all(&announcement(1, &US, 0)).unwrap();
    stream.write_all(&crate::harness::templates(0)).unwrap();
    stream.write_all(&crate::harness::data(0, 5)).unwrap();
    let books = bench.settled(3);
    assert_eq!((books.flows.kept, books.options.kept), (5, 1));
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(stream.read(&mut [0; 16]).is_err(), "no answer");
    bench.stop();
}
