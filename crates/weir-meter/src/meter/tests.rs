mod containers;

use super::*;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Mutex;
use weir_model::SystemClock;
use weir_model::columns::{counters, flows};

/// Keeps every row as JSON-like pairs that the tests ask for.
#[derive(Default)]
struct Kept {
    flows: Mutex<Option<FlowBatch>>,
    counters: Mutex<Vec<(String, u32)>>,
    loss: Mutex<Taken>,
}

impl RowSink for Kept {
    fn accept(&self, flows: &mut FlowBatch, counts: &mut FlowBatch) -> Taken {
        let mut kept = self.flows.lock().unwrap();
        kept.get_or_insert_with(|| FlowBatch::new(Table::Flows)).append(flows);
        let rows = (0..counts.rows()).map(|row| {
            let name = counts.get_octets(counters::NAME, row).unwrap_or_default();
            let structure = counts.get_u64(counters::STRUCTURE, row).unwrap_or(0);
            (String::from_utf8_lossy(name).into_owned(), structure as u32)
        });
        self.counters.lock().unwrap().extend(rows);
        *self.loss.lock().unwrap()
    }
}

impl Kept {
    /// The rows of connections with this port at one end.
    fn with_port<T>(&self, port: u16, each: impl Fn(&FlowBatch, usize) -> T) -> Vec<T> {
        let kept = self.flows.lock().unwrap();
        let Some(batch) = kept.as_ref() else { return Vec::new() };
        let is_ours = |row: &usize| {
            [flows::SRC_PORT, flows::DST_PORT]
                .iter()
                .any(|column| batch.get_u64(*column, *row) == Some(port.into()))
        };
        (0..batch.rows()).filter(is_ours).map(|row| each(batch, row)).collect()
    }
}

fn started(policy: MeterPolicy) -> (Handle, std::thread::JoinHandle<()>, Arc<Kept>, Registry) {
    let (kept, registry) = (Arc::new(Kept::default()), Registry::new());
    let sink = Arc::clone(&kept) as Arc<dyn RowSink>;
    let deps = Deps { registry: registry.clone(), clock: Arc::new(SystemClock), sink };
    let (handle, task) = build(&policy, deps).unwrap();
    (handle, std::thread::spawn(move || task.run()), kept, registry)
}

fn quick() -> MeterPolicy {
    let mut policy = MeterPolicy { interval: Duration::from_millis(20), ..MeterPolicy::default() };
    policy.cache.first_report = Duration::from_millis(300);
    policy
}

fn wait_for(mut done: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it did not come");
}

fn text(batch: &FlowBatch, column: weir_model::ColumnId, row: usize) -> String {
    String::from_utf8_lossy(batch.get_octets(column, row).unwrap_or_default()).into_owned()
}

#[test]
fn connections_become_rows_whose_account_balances() {
    let mut policy = quick();
    policy.cache.active_timeout = Duration::from_millis(100);
    let (handle, thread, kept, registry) = started(policy);
    if handle.status().tiers.iter().any(|tier| tier.name == "inet_diag" && !tier.runs) {
        eprintln!("SKIPPED metering of this machine: {:?}", handle.status().tiers);
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    wait_for(|| handle.status().last_rows_at.is_some());
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let rows = |kept: &Kept| {
        kept.with_port(port, |batch, row| {
            (
                batch.get_u64(flows::DST_PORT, row),
                batch.get_u64(flows::SRC_PID, row),
                batch.get_u64(flows::DST_PID, row),
                batch.get_u64(flows::EXPORT_PROTOCOL, row),
                batch.get_u64(flows::BIFLOW_DIRECTION, row),
                text(batch, flows::TCP_STATE, row),
            )
        })
    };
    let pid = Some(u64::from(std::process::id()));
    let port = Some(u64::from(port));
    let expected = (port, pid, pid, Some(200), Some(1), "ESTABLISHED".to_owned());
    // The first row may be older than the look that names the owners.
    wait_for(|| {
        client.write_all(b"x").unwrap();
        rows(&kept).last() == Some(&expected)
    });
    drop((client, server));
    wait_for(|| rows(&kept).last().is_some_and(|row| row.5 != "ESTABLISHED"));
    handle.stop();
    thread.join().unwrap();
    let status = handle.status();
    for account in [status.books.flows, status.books.counters] {
        assert_eq!((account.received, account.in_flight()), (account.kept, 0));
        assert!(account.kept > 0);
    }
    let kept_rows = kept.flows.lock().unwrap().as_ref().map_or(0, FlowBatch::rows) as u64;
    assert_eq!(kept_rows, status.books.flows.kept);
    assert_eq!(status.flows, 0, "nothing stays in the cache at the stop");
    let metrics = registry.render();
    for line in
        ["weir_meter_tier_runs{tier=\"inet_diag\"} 1", "weir_meter_rows_total{table=\"flows\"}"]
    {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let counters = kept.counters.lock().unwrap();
    for wanted in [("ifInOctets", 1), ("load_one", 2_003), ("mem_total", 2_004)] {
        assert!(counters.iter().any(|(name, of)| (name.as_str(), *of) == wanted), "{wanted:?}");
    }
}

#[test]
fn what_the_sink_loses_is_charged_to_its_reason() {
    let (handle, thread, kept, _) = started(quick());
    *kept.loss.lock().unwrap() = Taken { flows: None, counters: Some(Loss::DiskFull) };
    wait_for(|| handle.status().books.counters.received > 0);
    handle.stop();
    thread.join().unwrap();
    let books = handle.status().books;
    assert_eq!(books.counters.in_flight(), 0);
    assert!(books.counters.dropped[0] + books.counters.kept == books.counters.received);
}

#[test]
fn metering_that_is_off_ends_at_once_and_says_so() {
    let (handle, thread, _, registry) = started(MeterPolicy { enabled: false, ..quick() });
    thread.join().unwrap();
    let status = handle.status();
    assert!(!status.enabled && status.tiers.is_empty());
    assert_eq!(status.books, Books::default());
    assert!(registry.render().contains("weir_meter_enabled 0"));
}

#[test]
fn the_child_that_serves_is_the_owner() {
    let mut policy = quick();
    policy.cache.active_timeout = Duration::from_millis(100);
    let (handle, thread, kept, _) = started(policy);
    if !handle.status().tiers.iter().any(|tier| tier.name == "inet_diag" && tier.runs) {
        eprintln!("SKIPPED the child that serves: sockets cannot be read");
        return;
    }
    // The child inherits the accepted socket as its standard input; then the parent lets go of it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    // The parent has the socket for so long that it is found to be the owner.
    std::thread::sleep(Duration::from_millis(100));
    let socket: std::os::fd::OwnedFd = server.into();
    let mut child = Command::new("cat").stdin(socket).stdout(std::process::Stdio::null()).spawn();
    let child = child.as_mut().expect("cat is everywhere");
    let owner = |kept: &Kept| {
        kept.with_port(port, |batch, row| {
            (
                batch.get_u64(flows::DST_PID, row),
                text(batch, flows::DST_PROCESS, row),
                batch.get_u64(flows::DST_PARENT_PID, row),
            )
        })
    };
    let pids = (Some(u64::from(child.id())), Some(u64::from(std::process::id())));
    wait_for(|| {
        client.write_all(b"x").unwrap();
        owner(&kept).last() == Some(&(pids.0, "cat".to_owned(), pids.1))
    });
    // Its chain of ancestors is told, up to the first process that can be seen.
    let id = child.id();
    let chain = || handle.processes().chain(id);
    wait_for(|| chain().last().is_some_and(|process| process.owner.comm == "cat"));
    let told = chain();
    let last = |back: usize| &told[told.len() - back];
    assert_eq!(
        (last(1).owner.pid, last(1).owns_sockets, last(1).exited),
        (child.id(), true, false)
    );
    assert_eq!(last(2).owner.pid, std::process::id());
    assert_eq!(told[0].owner.parent_started, None);
    let began = last(1).owner.started_at.unwrap().since(Timestamp(0));
    let now = SystemClock.now().since(Timestamp(0));
    assert!(began < now + Duration::from_secs(2) && now < began + Duration::from_secs(600));
    drop(client);
    child.wait().unwrap();
    assert!(chain().last().is_some_and(|process| process.exited), "remembered after its end");
    handle.stop();
    thread.join().unwrap();
}

#[test]
fn names_of_packets_join_their_flow_and_samples_are_rows_beside_it() {
    let mut policy = quick();
    policy.cache.active_timeout = Duration::from_millis(100);
    policy.sampling.loopback = true;
    policy.sampling.rows = true;
    policy.sampling.rate = 1;
    let (handle, thread, kept, _) = started(policy);
    let runs = |name| handle.status().tiers.iter().any(|tier| tier.name == name && tier.runs);
    if !["packet_names", "packet_sampling", "inet_diag"].into_iter().all(runs) {
        eprintln!("SKIPPED names in packets: {:?}", handle.status().tiers);
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"GET /a?b HTTP/1.1\r\nHost: example.org\r\n\r\n").unwrap();
    server.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    let rows = |kept: &Kept, is_sample: bool| {
        let all = kept.with_port(port, |batch, row| {
            let names = [flows::APP, flows::HTTP_HOST, flows::HTTP_METHOD, flows::HTTP_URL];
            let status = batch.get_u64(flows::HTTP_STATUS, row);
            let by = text(batch, flows::METERED_BY, row);
            (by, names.map(|column| text(batch, column, row)), status)
        });
        all.into_iter()
            .filter(|(by, ..)| (by == "packet_sampling") == is_sample)
            .collect::<Vec<_>>()
    };
    let request = ["http", "example.org", "GET", "/a"].map(str::to_owned);
    wait_for(|| {
        client.write_all(b"x").unwrap();
        // The flow has what both directions told.
        let is_told = |(_, names, status): &(_, _, _)| *names == request && *status == Some(204);
        rows(&kept, false).last().is_some_and(is_told)
    });
    drop((client, server));
    handle.stop();
    thread.join().unwrap();
    let samples = rows(&kept, true);
    let with = |told: fn(&[String; 4], Option<u64>) -> bool| {
        samples.iter().filter(|(_, names, status)| told(names, *status)).count()
    };
    // Each packet on loopback is seen twice and counts once.
    assert_eq!(with(|names, _| names[2] == "GET"), 1, "{samples:?}");
    assert_eq!(with(|_, status| status == Some(204)), 1);
    let books = handle.status().books.flows;
    assert_eq!((books.received, books.in_flight()), (books.kept, 0), "samples are in the account");
}
