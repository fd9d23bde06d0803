//! A real process that is killed: the test runs itself again as a writer, reads from its output
//! what was committed, kills it, and looks.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use weir_model::SystemClock;

use super::*;
use crate::{DiskFiles, Store};

const FOLDER: &str = "WEIR_TEST_STORE_FOLDER";

fn real(dir: &std::path::Path) -> (Store, OpenReport) {
    let mut policy = StorePolicy::new(dir);
    policy.segment_octets = 200 << 10;
    policy.commit_interval = Duration::from_millis(5);
    policy.maintenance_interval = Duration::from_millis(20);
    policy.disk_free_min = 0;
    Store::open(policy, Arc::new(SystemClock), Arc::new(DiskFiles)).unwrap()
}

/// Appends until it is killed, and says which rows are committed.
fn write_for_ever(dir: &std::path::Path) {
    let (store, _) = real(dir);
    let first = rows(&store.snapshot(), "writer").last().map_or(0, |last| last + 1);
    let mut out = std::io::stdout();
    for n in 0u64.. {
        let ids = first + n * 100..first + n * 100 + 100;
        let ticket =
            store.append(&batch(ids.clone(), weir_model::Clock::now(&SystemClock))).unwrap();
        ticket.wait(Duration::from_secs(10)).unwrap();
        writeln!(out, "committed {}", ids.end).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_process_killed_at_any_moment_keeps_what_it_called_committed() {
    if let Some(dir) = std::env::var_os(FOLDER) {
        write_for_ever(std::path::Path::new(&dir));
    }
    let dir = std::env::temp_dir().join(format!("weir-store-kill-{}", std::process::id()));
    let name =
        "store::tests::process::a_process_killed_at_any_moment_keeps_what_it_called_committed";
    let mut committed = 0;
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(FOLDER, &dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wanted = 5 + round * 17;
        let mut seen = 0;
        while seen < wanted {
            let line = lines.next().expect("the writer goes on until it is killed").unwrap();
            if let Some(end) = line.strip_prefix("committed ") {
                committed = end.parse().unwrap();
                seen += 1;
            }
        }
        child.kill().unwrap();
        for line in lines {
            if let Some(end) = line.unwrap().strip_prefix("committed ") {
                committed = end.parse().unwrap();
            }
        }
        child.wait().unwrap();
        let (store, report) = real(&dir);
        let found = rows(&store.snapshot(), "after the kill");
        assert!(found.len() as u64 >= committed, "{} of {committed}", found.len());
        assert_eq!(found, (0..found.len() as u64).collect(), "round {round}");
        assert_eq!(report.quarantined, []);
        committed = found.len() as u64;
        store.close().unwrap();
        check_rollups(&store.snapshot(), "after the kill");
    }
    let (reader, _) = Store::open_read_only(&dir, Arc::new(DiskFiles)).unwrap();
    assert_eq!(rows(&reader.snapshot(), "read only").len() as u64, committed);
    std::fs::remove_dir_all(&dir).unwrap();
}
