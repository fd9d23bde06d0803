//! What metering costs: `meter_cost [CONNECTIONS] [SECONDS] [PROCESSES]` opens connections within
//! this process, sends a little over each of them, starts so many processes a second that connect
//! and end two seconds later, meters the machine, and prints processor time and memory.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for a terminal")]

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_meter::{Deps, MeterPolicy, RowSink, Taken, build};
use weir_model::{FlowBatch, SystemClock};
use weir_telemetry::Registry;

struct Nowhere;

impl RowSink for Nowhere {
    fn accept(&self, _flows: &mut FlowBatch, _counters: &mut FlowBatch) -> Taken {
        Taken::default()
    }
}

/// Processor time of the thread of metering, and the memory of the process.
fn spent() -> (f64, u64) {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let stat = tasks
        .map(|task| fs::read_to_string(task.path().join("stat")).unwrap_or_default())
        .find(|stat| stat.contains("(metering)"))
        .unwrap_or_default();
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    let rss = rss.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0);
    ((ticks(11) + ticks(12)) / 100.0, rss)
}

/// What a process does that `main` starts.
fn connect_for_two_seconds(port: &str) {
    let _open = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
    std::thread::sleep(Duration::from_secs(2));
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("connect") {
        return connect_for_two_seconds(&arguments.next().unwrap());
    }
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let connections = arguments.next().unwrap_or(1_000);
    let seconds = arguments.next().unwrap_or(20);
    let processes = arguments.next().unwrap_or(0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut ends: Vec<(TcpStream, TcpStream)> = (0..connections)
        .map(|_| {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (client, listener.accept().unwrap().0)
        })
        .collect();
    let deps =
        Deps { registry: Registry::new(), clock: Arc::new(SystemClock), sink: Arc::new(Nowhere) };
    let (handle, task) = build(&MeterPolicy::default(), deps).unwrap();
    let thread =
        std::thread::Builder::new().name("metering".into()).spawn(move || task.run()).unwrap();
    let began = Instant::now();
    let mut children = Vec::new();
    while began.elapsed() < Duration::from_secs(seconds) {
        for (client, _) in &mut ends {
            client.write_all(b"x").unwrap();
        }
        children.retain_mut(|child: &mut Child| child.try_wait().is_ok_and(|end| end.is_none()));
        let program = std::env::current_exe().unwrap();
        for _ in 0..processes {
            children.push(Command::new(&program).args(["connect", &port]).spawn().unwrap());
            drop(listener.accept().unwrap());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    let (cpu, rss) = spent();
    let status = handle.status();
    let share = 100.0 * cpu / began.elapsed().as_secs_f64();
    println!(
        "{connections} connections, {processes} processes a second, {seconds} s: {cpu:.2} s of one \
         core ({share:.1} %), {rss} kB"
    );
    println!("{} flows, {} rows, {:?}", status.flows, status.books.flows.kept, status.sources);
    println!("{:?}", status.owners);
    handle.stop();
    thread.join().unwrap();
}
