//! When the sink or the processor cannot keep up.

use std::time::Duration;

use crate::harness::{data, policy, sender, start, templates};
use weir_ingest::{Reason, SinkLoss, Verdict};

#[test]
fn a_blocked_sink_fills_the_queue_and_every_message_past_it_is_counted() {
    let mut policy = policy();
    policy.queue_octets = 1;
    policy.decode_threads = 1;
    let bench = start(&policy);
    let sender = sender(&bench);
    sender.send(&templates(0));
    bench.settled(1);
    bench.sink.block(true);
    let sent = 400;
    for i in 0..sent {
        sender.send(&data(i * 3, 3));
        // Slow enough for the kernel's buffer, which is not what this test is about.
        std::thread::sleep(Duration::from_micros(200));
    }
    let total = u64::from(sent) + 1;
    let books = bench.until("all have arrived", |books| books.messages.received == total);
    let dropped = books.messages.dropped_by(Reason::QueueFull);
    assert!(dropped > 0, "{books:#?}");
    assert_eq!(books.messages.dropped_total(), dropped);
    assert_eq!(books.sets.dropped_by(Reason::QueueFull), dropped, "one Set a message");
    assert!(books.records.in_flight() > 0, "rows wait for the sink");
    bench.sink.block(false);
    let books = bench.settled(total);
    let dropped = books.messages.dropped_by(Reason::QueueFull);
    assert_eq!(books.messages.kept, total - dropped);
    assert_eq!(books.sets.kept, total - dropped);
    assert_eq!(books.records.kept, 3 * (u64::from(sent) - dropped));
    let status = bench.stop();
    // All passed the control pass: our own drops are not the network's.
    assert_eq!(status.exporters[0].sequence.missing, 0);
    assert_eq!(status.sockets[0].kernel_dropped, 0);
    assert_eq!(status.exporter_drops.len(), 1);
    let charged = status.exporter_drops[0].dropped[Reason::QueueFull.number()];
    assert_eq!((charged.messages, charged.sets), (dropped, dropped));
}

#[test]
fn rows_that_the_sink_loses_are_its_own_account() {
    let bench = start(&policy());
    let sender = sender(&bench);
    sender.send(&templates(0));
    sender.send(&data(0, 5));
    bench.settled(2);
    *bench.sink.verdict.lock().unwrap() = Verdict::lost(SinkLoss::DiskFull);
    sender.send(&data(5, 7));
    bench.settled(3);
    *bench.sink.verdict.lock().unwrap() = Verdict::KEPT;
    *bench.sink.panics.lock().unwrap() = true;
    sender.send(&data(12, 2));
    bench.settled(4);
    *bench.sink.panics.lock().unwrap() = false;
    sender.send(&data(14, 1));
    let books = bench.settled(5);
    assert_eq!((books.records.received, books.records.kept), (15, 6));
    assert_eq!(books.sink_lost(SinkLoss::DiskFull), 7);
    assert_eq!(books.sink_lost(SinkLoss::Panicked), 2);
    assert_eq!(books.messages.dropped_total() + books.sets.dropped_total(), 0);
    bench.stop();
}

#[test]
fn stopping_hands_on_everything_that_was_received() {
    let mut policy = policy();
    policy.flush_after = Duration::from_secs(3_600);
    let bench = start(&policy);
    let sender = sender(&bench);
    sender.send(&templates(0));
    for i in 0..50 {
        sender.send(&data(i * 20, 20));
    }
    let status = bench.stop();
    assert_eq!(status.books.messages.kept, 51);
    assert_eq!(status.books.records.kept, 1_000);
}

#[test]
fn what_the_kernel_drops_and_what_arrives_is_what_was_sent() {
    let mut policy = policy();
    policy.receive_buffer_octets = 4_096;
    let bench = start(&policy);
    let sender = sender(&bench);
    let sent = 20_000;
    for _ in 0..sent {
        sender.send(&data(0, 40));
    }
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let socket = &bench.ingest.status().sockets[0];
        if socket.received + socket.kernel_dropped == sent {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{socket:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = bench.stop();
    let socket = &status.sockets[0];
    assert!(socket.kernel_dropped > 0, "{socket:?}");
    assert_eq!(status.books.messages.received, socket.received);
    assert_eq!(status.books.messages.dropped_total(), 0, "kernel loss is not our drop");
}
