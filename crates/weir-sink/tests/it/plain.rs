//! Collectors of others: over UDP, and over TCP without acknowledgement.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use weir_sink::ipfix::{Exporter, Link, Target, Transport};

use crate::collector::{Collector, Kept, Manner, Reader, counters, deps, policy, rows, wait};

#[test]
fn a_collector_that_says_nothing_is_believed_by_its_socket() {
    let collector = Collector::start("127.0.0.1:0", Manner::Silent, Arc::default());
    let mut policy = policy(collector.target());
    policy.answer_after = Duration::from_millis(300);
    let exporter = Exporter::start(policy, &deps()).unwrap();
    exporter.offer(&rows(0, 500));
    let held = wait(&exporter, 20, |status| status.sent.0 > 0);
    assert_eq!((held.account.unacknowledged, held.account.in_flight()), (0, 500), "not so soon");
    wait(&exporter, 20, |status| status.account.unacknowledged == 500);
    // From now on the socket's word is enough.
    exporter.offer(&rows(500, 500));
    let status = exporter.stop();
    assert_eq!((status.account.unacknowledged, status.account.in_flight()), (1_000, 0));
    assert_eq!(status.account.acknowledged, 0);
    drop(collector.kept.lock().unwrap());
    let began = std::time::Instant::now();
    while collector.kept.lock().unwrap().ports.len() < 1_000 {
        assert!(began.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn nothing_listens_and_what_is_past_the_bound_is_counted() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let target = Target { transport: Transport::Tcp, host: "127.0.0.1".to_owned(), port };
    let mut policy = policy(target);
    policy.buffer.memory_max = 40_000;
    let exporter = Exporter::start(policy, &deps()).unwrap();
    for i in 0..100 {
        exporter.offer(&rows(i * 100, 100));
    }
    let status = wait(&exporter, 20, |status| {
        status.error.is_some() && status.account.dropped[2] > 0 && status.buffered.0 > 0
    });
    assert_eq!(status.link, Link::Away);
    let (records, memory, disk) = status.buffered;
    assert!(memory <= 40_000 && disk == 0 && records > 0, "{status:?}");
    let status = exporter.stop();
    assert_eq!(status.account.in_flight(), 0, "without a disk a stop loses the rest, and says so");
    assert_eq!(status.account.dropped.iter().sum::<u64>(), 10_000);
    assert!(status.account.dropped[4] > 0 && status.account.dropped[2] > 0, "{status:?}");
}

#[test]
fn datagrams_are_full_and_numbered_and_templates_come_again() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let port = socket.local_addr().unwrap().port();
    let target = Target { transport: Transport::Udp, host: "127.0.0.1".to_owned(), port };
    let mut policy = policy(target);
    policy.template_refresh = Duration::from_millis(400);
    let exporter = Exporter::start(policy, &deps()).unwrap();
    exporter.offer(&rows(0, 3_000));
    exporter.offer(&counters(5));
    wait(&exporter, 20, |status| status.account.unacknowledged == 3_005);
    std::thread::sleep(Duration::from_millis(450));
    exporter.offer(&rows(3_000, 10));
    let status = wait(&exporter, 20, |status| status.account.unacknowledged == 3_010 + 5);
    assert_eq!(status.account.in_flight(), 0);
    assert_eq!(status.sent.2, 5, "two of flows, one of counters, two of flows again");
    let (mut kept, mut data) = (Kept::default(), Vec::new());
    let mut reader = Reader::new("127.0.0.1:1".parse().unwrap());
    let mut datagram = [0; 2_000];
    while let Ok((length, _)) = socket.recv_from(&mut datagram) {
        assert!(length <= 1_400);
        reader.take(&datagram[..length], &mut kept);
        if datagram[17] > 3 || datagram[16] > 0 {
            data.push(length);
        }
    }
    assert_eq!((kept.ports.len(), kept.counters, kept.jumps), (3_010, 5, 0));
    let full = data.iter().filter(|length| **length > 1_300).count();
    assert!(full + 4 >= data.len(), "messages are full: {data:?}");
    exporter.stop();
}

#[test]
fn a_refused_datagram_is_counted_and_the_next_is_sent() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let target = Target { transport: Transport::Udp, host: "localhost".to_owned(), port };
    let exporter = Exporter::start(policy(target), &deps()).unwrap();
    for i in 0..20 {
        exporter.offer(&rows(i * 10, 10));
        std::thread::sleep(Duration::from_millis(30));
    }
    let status = wait(&exporter, 20, |status| status.account.in_flight() == 0);
    assert!(status.refused > 0, "{status:?}");
    assert_eq!((status.account.unacknowledged, status.lost_connections), (200, 0));
}
