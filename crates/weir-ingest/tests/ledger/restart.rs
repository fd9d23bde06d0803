//! Templates outlive the process.

use crate::harness::{data, policy, sender, start, templates};

#[test]
fn templates_outlive_a_restart_and_a_damaged_file_does_not_stop_the_start() {
    let dir = std::env::temp_dir().join(format!("weir-ingest-restart-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let mut policy = policy();
    policy.state_file = Some(dir.join("templates.state"));
    let bench = start(&policy);
    let mut sender = sender(&bench);
    sender.send(&templates(0));
    bench.settled(1);
    bench.stop();

    policy.receive_threads = 2;
    let bench = start(&policy);
    sender.send_to(bench.udp(), &data(0, 4));
    let books = bench.settled(1);
    assert_eq!((books.records.kept, books.sets.in_flight()), (4, 0));
    bench.stop();

    std::fs::write(dir.join("templates.state"), b"weir templates 1\xff\xff").unwrap();
    let bench = start(&policy);
    sender.send_to(bench.udp(), &data(4, 4));
    let books = bench.settled(1);
    assert_eq!((books.records.kept, books.sets.in_flight()), (0, 1), "it waits for its template");
    bench.stop();
    std::fs::remove_dir_all(&dir).unwrap();
}
