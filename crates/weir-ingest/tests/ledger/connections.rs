//! IPFIX over TCP: framing, bounds, time-outs, and waiting instead of dropping.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{Bench, data, policy, start, templates};
use weir_ingest::CloseReason;

fn connect(bench: &Bench) -> TcpStream {
    let stream = TcpStream::connect(bench.tcp()).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Waits until `n` connections have ended for `reason`.
fn closed(bench: &Bench, reason: CloseReason, n: u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let status = bench.ingest.status().connections;
        if status.closed_by(reason) == n {
            return;
        }
        assert!(Instant::now() < deadline, "waited in vain for {}: {status:?}", reason.name());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn messages_are_cut_out_of_the_stream_however_it_arrives() {
    let bench = start(&policy());
    let stream: Vec<u8> = [templates(0), data(0, 2), data(2, 100), data(102, 1)].concat();
    for piece in [1, 7, 100, 65_536] {
        let mut connection = connect(&bench);
        for part in stream.chunks(piece) {
            connection.write_all(part).unwrap();
        }
        drop(connection);
    }
    let books = bench.settled(16);
    assert_eq!((books.messages.kept, books.records.kept), (16, 4 * 103));
    closed(&bench, CloseReason::Peer, 4);
    let status = bench.stop();
    assert_eq!(status.connections.totals.opened, 4);
    assert_eq!(status.connections.totals.octets_discarded, 0);
    assert_eq!(status.exporters.iter().map(|e| e.sequence.missing).sum::<u64>(), 0);
}

#[test]
fn templates_end_with_their_connection() {
    let bench = start(&policy());
    let mut first = connect(&bench);
    first.write_all(&templates(0)).unwrap();
    drop(first);
    closed(&bench, CloseReason::Peer, 1);
    let mut second = connect(&bench);
    second.write_all(&data(0, 2)).unwrap();
    let books = bench.settled(2);
    assert_eq!((books.records.kept, books.sets.in_flight()), (0, 1));
    drop(second);
    closed(&bench, CloseReason::Peer, 2);
    let books = bench.until("the parked Set went with it", |books| books.sets.in_flight() == 0);
    assert_eq!((books.sets.received, books.sets.kept, books.sets.dropped_total()), (2, 1, 1));
    bench.stop();
}

#[test]
fn what_is_not_ipfix_is_refused_by_its_first_octets() {
    let bench = start(&policy());
    for (octets, reason) in [
        (&[0x16, 3, 1, 2, 0, 1][..], CloseReason::Tls),
        (b"GET / HTTP/1.1\r\n\r\n", CloseReason::NotIpfix),
        (&[0, 9, 0, 1], CloseReason::NotIpfix),
        (&[0, 10, 0, 3], CloseReason::MessageLength),
    ] {
        let before = bench.ingest.status().connections.closed_by(reason);
        let mut connection = connect(&bench);
        connection.write_all(octets).unwrap();
        closed(&bench, reason, before + 1);
        connection.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let answer = connection.read(&mut [0; 16]);
        assert!(!matches!(answer, Ok(n) if n > 0), "closed without a word");
    }
    let status = bench.stop();
    assert_eq!(status.books.messages.received, 0);
    assert_eq!(status.connections.totals.octets_discarded, 6 + 18 + 4 + 4);
}

#[test]
fn a_message_that_never_ends_is_given_up() {
    let mut policy = policy();
    policy.connections.message = Duration::from_millis(200);
    policy.connections.idle = Duration::from_millis(600);
    let bench = start(&policy);
    let silent = connect(&bench);
    closed(&bench, CloseReason::Slow, 1);
    let mut partial = connect(&bench);
    partial.write_all(&templates(0)[..20]).unwrap();
    closed(&bench, CloseReason::Slow, 2);
    let mut idle = connect(&bench);
    idle.write_all(&templates(0)).unwrap();
    closed(&bench, CloseReason::Idle, 1);
    let mut gone = connect(&bench);
    gone.write_all(&[templates(0), data(0, 1)[..30].to_vec()].concat()).unwrap();
    drop(gone);
    closed(&bench, CloseReason::PeerMidMessage, 1);
    drop((silent, partial, idle));
    let status = bench.stop();
    assert_eq!(status.connections.totals.octets_discarded, 20 + 30);
    assert_eq!((status.books.messages.received, status.books.messages.kept), (2, 2));
}

#[test]
fn connections_are_bounded_in_all_and_by_source() {
    let mut policy = policy();
    policy.connections.total = 3;
    policy.connections.per_source = 2;
    let bench = start(&policy);
    let _held: Vec<TcpStream> = (0..3).map(|_| connect(&bench)).collect();
    closed(&bench, CloseReason::TooManyFromSource, 1);
    let from_other = |last: u8| {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, last], 0)).into()).unwrap();
        socket.connect(&bench.tcp().into()).unwrap();
        socket
    };
    let _third = from_other(2);
    let _fourth = from_other(3);
    closed(&bench, CloseReason::TooMany, 1);
    let status = bench.ingest.status().connections;
    let open: usize = status.open.values().sum();
    assert_eq!((status.totals.opened, open), (5, 3));
    bench.stop();
}

#[test]
fn connections_wait_for_a_blocked_sink_and_lose_nothing() {
    let mut policy = policy();
    policy.queue_octets = 1;
    policy.decode_threads = 1;
    let bench = start(&policy);
    bench.sink.block(true);
    let to = bench.tcp();
    let writer = std::thread::spawn(move || {
        let mut connection = TcpStream::connect(to).unwrap();
        connection.write_all(&templates(0)).unwrap();
        for i in 0..3_000 {
            connection.write_all(&data(i * 50, 50)).unwrap();
        }
    });
    bench.until("rows wait", |books| books.records.in_flight() > 0);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(bench.ingest.books().messages.dropped_total(), 0);
    bench.sink.block(false);
    writer.join().unwrap();
    let books = bench.settled(3_001);
    assert_eq!((books.records.kept, books.messages.dropped_total()), (150_000, 0));
    bench.stop();
}
