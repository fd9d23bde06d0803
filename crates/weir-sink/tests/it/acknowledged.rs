//! Collectors that acknowledge: every record once, whoever is killed.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use weir_sink::ipfix::{Exporter, Link};

use crate::collector::{Collector, Folder, Kept, Manner, counters, deps, policy, rows, wait};

#[test]
fn what_is_acknowledged_is_settled_and_the_books_balance() {
    let collector = Collector::start("127.0.0.1:0", Manner::Answers, Arc::default());
    let exporter = Exporter::start(policy(collector.target()), &deps()).unwrap();
    for i in 0..20 {
        exporter.offer(&rows(i * 100, 100));
    }
    exporter.offer(&counters(30));
    let status = wait(&exporter, 20, |status| status.account.acknowledged == 2_030);
    assert_eq!((status.account.received, status.account.in_flight()), (2_030, 0));
    assert_eq!((status.account.unacknowledged, status.account.dropped), (0, [0; 5]));
    assert_eq!((status.link, status.buffered), (Link::Connected, (0, 0, 0)));
    exporter.stop();
    let kept = collector.kept.lock().unwrap();
    let mut ports: Vec<_> = kept.ports.values().copied().collect();
    ports.sort_unstable();
    assert_eq!(ports, (0..2_000).collect::<Vec<u16>>());
    assert_eq!((kept.repeats, kept.jumps, kept.counters), (0, 0, 30));
    assert_eq!(kept.announced.len(), 1, "{:?}", kept.announced);
}

#[test]
fn a_collector_that_is_killed_again_and_again_gets_every_record() {
    let folder = Folder::new();
    let kept = Arc::new(Mutex::new(Kept::default()));
    let mut collector = Collector::start("127.0.0.1:0", Manner::Answers, Arc::clone(&kept));
    let address = collector.address.to_string();
    let mut policy = policy(collector.target());
    policy.buffer.disk_max = 64 << 20;
    policy.buffer.memory_max = 64 << 10;
    policy.buffer.spill_after = Duration::from_millis(100);
    policy.buffer.folder = Some(folder.0.clone());
    let exporter = Exporter::start(policy, &deps()).unwrap();
    let mut sent = 0;
    for round in 0..20u64 {
        // Cut in the middle of what it gets, at another place each time.
        collector.cut_after.store(1_000 + 7_919 * round % 30_000, Ordering::Relaxed);
        for _ in 0..10 {
            exporter.offer(&rows(sent, 300));
            sent += 300;
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(collector);
        collector = Collector::start(&address, Manner::Answers, Arc::clone(&kept));
    }
    collector.cut_after.store(0, Ordering::Relaxed);
    let status = wait(&exporter, 60, |status| status.account.acknowledged == sent as u64);
    assert_eq!((status.account.in_flight(), status.account.dropped), (0, [0; 5]));
    assert!(status.lost_connections > 0);
    exporter.stop();
    let kept = kept.lock().unwrap();
    assert_eq!(kept.ports.len(), sent, "every record, each number once");
    assert!(kept.ports.keys().copied().eq(0..sent as u64), "no number is left out");
    assert!(kept.connections > 5, "{}", kept.connections);
    let instance = &kept.announced[0].0;
    assert!(kept.announced.iter().all(|(other, _)| other == instance));
}

#[test]
fn what_a_stopped_agent_held_is_sent_by_the_next_under_the_same_numbers() {
    let folder = Folder::new();
    let kept = Arc::new(Mutex::new(Kept::default()));
    let collector = Collector::start("127.0.0.1:0", Manner::Silent, Arc::clone(&kept));
    let (address, target) = (collector.address.to_string(), collector.target());
    let mut policy = policy(target);
    policy.buffer.disk_max = 64 << 20;
    policy.buffer.folder = Some(folder.0.clone());
    let exporter = Exporter::start(policy.clone(), &deps()).unwrap();
    exporter.offer(&rows(0, 1_000));
    // It was sent and nobody answered: whether it arrived is not known.
    wait(&exporter, 20, |status| status.sent.0 > 0 && status.buffered.0 == 1_000);
    drop(collector);
    exporter.offer(&rows(1_000, 500));
    let status = exporter.stop();
    assert_eq!((status.link, status.account.dropped), (Link::Stopped, [0; 5]));
    assert_eq!(status.account.in_flight(), 1_500, "it is on disk");

    let collector = Collector::start(&address, Manner::Answers, Arc::clone(&kept));
    let exporter = Exporter::start(policy.clone(), &deps()).unwrap();
    assert_eq!(exporter.status().account.received, 1_500);
    exporter.offer(&rows(1_500, 100));
    wait(&exporter, 20, |status| status.account.acknowledged == 1_600);
    // Two agents on one folder would give numbers twice.
    let second = Exporter::start(policy, &deps()).err().unwrap().to_string();
    assert!(second.starts_with("the buffer folder"), "{second}");
    exporter.stop();
    drop(collector);
    let kept = kept.lock().unwrap();
    assert!(kept.ports.keys().copied().eq(0..1_600));
    assert_eq!(kept.announced.iter().map(|(_, first)| *first).collect::<Vec<_>>()[..1], [0]);
}

#[test]
fn an_answer_that_is_none_ends_the_connection() {
    let collector = Collector::start("127.0.0.1:0", Manner::Nonsense, Arc::default());
    let exporter = Exporter::start(policy(collector.target()), &deps()).unwrap();
    exporter.offer(&rows(0, 10));
    let status = wait(&exporter, 20, |status| status.lost_connections > 0);
    let error = wait(&exporter, 20, |status| status.error.is_some()).error.unwrap();
    assert!(error.contains("no acknowledgement"), "{error}");
    assert_eq!(status.account.acknowledged + status.account.unacknowledged, 0);
    let status = exporter.stop();
    let account = status.account;
    assert_eq!(account.received, 10);
    assert_eq!(account.in_flight(), 0, "{account:?}");
}
