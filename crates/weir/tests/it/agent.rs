//! `weir agent` from outside: to a Weir that serves, to pipes, killed, and told nonsense.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::weir::{Folder, Serve, command, err, run};

/// A running agent. Dropping it kills it.
struct Agent {
    child: Child,
    url: String,
    log: Receiver<String>,
}

impl Agent {
    fn start(folder: &Folder, args: &[&str]) -> Agent {
        let data = folder.0.join("agent").display().to_string();
        let fixed = ["agent", "--data", &data, "--http", "127.0.0.1:0"];
        let quick = ["--set", "meter.idle_timeout=2s", "--set", "meter.interval=200ms"];
        let mut child = command(&[&fixed[..], &quick, args].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (line, log) = sync_channel(10_000);
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for text in stderr.lines().map_while(Result::ok) {
                let _nobody_waits = line.try_send(text);
            }
        });
        let mut agent = Agent { child, url: String::new(), log };
        let ready = agent.wait_for("weir agent is ready");
        agent.url = ready.split(" http=").nth(1).unwrap().trim().to_owned();
        agent
    }

    fn wait_for(&self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.log.recv_timeout(Duration::from_secs(30)) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("`{text}` is not in the log: {seen:#?}"),
            }
        }
    }

    fn health(&self) -> Value {
        let mut answer = ureq::get(format!("{}api/v1/health", self.url)).call().unwrap();
        answer.body_mut().read_json().unwrap()
    }

    /// Waits until the first destination's figure passes `done`.
    fn wait(&self, pointer: &str, done: impl Fn(u64) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let health = self.health();
            if health.pointer(pointer).and_then(Value::as_u64).is_some_and(&done) {
                return health;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{pointer}: {health:#}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Stops it in order; gives what each destination said at the end.
    fn stop(mut self) -> Vec<String> {
        let id = self.child.id().to_string();
        assert!(
            std::process::Command::new("kill")
                .args(["-s", "TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        assert!(self.child.wait().unwrap().success());
        self.log.iter().filter(|line| line.contains("stopped exporting")).collect()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A number in a line of the log.
fn field(line: &str, name: &str) -> u64 {
    let (_, rest) = line.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("{line}"));
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// Connections within this machine, of so many octets each; gives the port.
fn connections(count: usize, octets: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for _ in 0..count {
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(&vec![7; octets]).unwrap();
        drop(client);
        server.read_to_end(&mut Vec::new()).unwrap();
    }
    port
}

/// A Weir that serves on UDP and TCP, and its TCP port.
fn serve(folder: &Folder, tcp: &str) -> (Serve, String) {
    let serve = Serve::start(&folder.data(), &["--listen", &format!("tcp:{tcp}")]);
    let address = serve.tcp.clone();
    (serve, address)
}

fn count(serve: &Serve, filter: &[&str]) -> u64 {
    let rows = serve.query(&[filter, &["--measure", "records"]].concat());
    rows.first().and_then(|row| row["records"].as_u64()).unwrap_or(0)
}

/// Waits until the server has so many of them.
fn wait_count(serve: &Serve, filter: &[&str], expected: u64) {
    let began = Instant::now();
    while count(serve, filter) != expected {
        let found = count(serve, filter);
        assert!(began.elapsed() < Duration::from_secs(30), "{found} of {expected} {filter:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_the_agent_meters_is_what_the_server_has() {
    let folder = Folder::new();
    let (serve, tcp) = serve(&folder, "127.0.0.1:0");
    let file = folder.0.join("flows.json");
    let (udp, json) = (format!("udp://{}", serve.udp), format!("json:{}", file.display()));
    // Without a disk the word of the socket counts at a stop, also of a collector that does not answer.
    let memory = ["--set", "agent.buffer_disk=0"];
    let to = ["--to", &tcp, "--to", &udp, "--to", &json];
    let agent = Agent::start(&folder, &[&memory[..], &to].concat());
    let port = connections(30, 12_345);
    agent.wait("/destinations/0/records/received", |records| records > 30);
    agent.wait("/meter/ledger/flows/kept", |records| records > 30);
    std::thread::sleep(Duration::from_secs(3));
    let stopped = agent.stop();
    let sent: Vec<u64> = stopped
        .iter()
        .map(|line| {
            assert_eq!((field(line, "dropped"), field(line, "kept_on_disk")), (0, 0), "{line}");
            field(line, "records")
        })
        .collect();
    assert_eq!((sent.len(), sent[0]), (2, sent[1]), "{stopped:?}");
    // Both ways bring every row: those of flows and those of counters.
    // The file has the flows alone.
    let lines = std::fs::read_to_string(&file).unwrap();
    let flows = lines.lines().count() as u64;
    assert!(flows >= 30 && flows < sent[0], "{flows} {sent:?}");
    wait_count(&serve, &["--table", "counters"], 2 * (sent[0] - flows));
    wait_count(&serve, &[], 2 * flows);
    // Octets of a connection and its owner came through, whichever way.
    let filter = format!("dst_port = {port}");
    let args = ["--filter", &filter, "--group-by", "src_pid,export_protocol,src_process"];
    let row = serve.query(&[&args[..], &["--measure", "octets"]].concat()).remove(0);
    assert_eq!(row["export_protocol"], 10, "{row}");
    assert!(row["octets"].as_u64() >= Some(2 * 30 * 12_345), "{row}");
    serve.stop();
}

/// The collector is away, the agent is killed under load: what was on disk arrives once, and no
/// number is given twice.
#[test]
fn a_killed_agent_sends_what_it_kept() {
    let folder = Folder::new();
    // A port that is free, for later.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let agent = Agent::start(&folder, &["--to", &free]);
    let port = connections(200, 1_000);
    agent.wait("/destinations/0/buffer/disk_octets", |octets| octets > 10_000);
    // What else runs on this machine fills it too: ours is there after 2 s of idling, 1 s of filling
    // and 5 s in memory.
    std::thread::sleep(Duration::from_secs(10));
    // Load goes on while it is killed.
    let more = std::thread::spawn(|| connections(200, 1_000));
    std::thread::sleep(Duration::from_millis(100));
    drop(agent);
    more.join().unwrap();

    let (serve, _) = serve(&folder, &free);
    let agent = Agent::start(&folder, &["--to", &free]);
    let health = agent.wait("/destinations/0/records/received", |records| records > 0);
    let kept = health["destinations"][0]["records"]["received"].as_u64().unwrap();
    assert!(kept > 0, "{health:#}");
    agent.wait("/destinations/0/lost_connections", |lost| lost == 0);
    let began = Instant::now();
    let filter = format!("dst_port = {port}");
    let octets = || {
        let args = ["--filter", &filter, "--measure", "records,octets"];
        serve.query(&args).first().map(|row| (row["records"].as_u64(), row["octets"].as_u64()))
    };
    while octets().is_none_or(|(records, _)| records < Some(1)) {
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", octets());
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(3));
    let (records, octets) = octets().unwrap();
    assert!(records <= Some(400) && records > Some(50), "{records:?}");
    // With headers where they are counted; nothing twice in any case.
    assert!(octets < Some(200 * 1_600), "{octets:?}");
    agent.stop();
    serve.stop();
}

#[test]
fn lines_go_to_standard_output_until_nobody_reads() {
    let folder = Folder::new();
    let mut agent = Agent::start(&folder, &["--to", "json:-"]);
    let mut lines = BufReader::new(agent.child.stdout.take().unwrap());
    connections(3, 100);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let row: Value = serde_json::from_str(&line).unwrap();
    assert!(row.is_object(), "{line}");
    drop(lines);
    let began = Instant::now();
    let ended = loop {
        if let Some(status) = agent.child.try_wait().unwrap() {
            break status;
        }
        connections(1, 10);
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(ended.success(), "{ended}");
}

#[test]
fn antreas_configuration_is_taken_as_it_stands() {
    let folder = Folder::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = folder.0.join("antrea.yaml");
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  antrea-agent.conf: |\n    featureGates:\n      \
         FlowExporter: true\n    flowCollectorAddr: \"127.0.0.1:{port}:tcp\"\n    \
         flowPollInterval: \"1s\"\n    enableTLSToFlowAggregator: false\n"
    );
    std::fs::write(&config, text).unwrap();
    let agent = Agent::start(&folder, &["--antrea-config", &config.display().to_string()]);
    let (mut stream, _) = listener.accept().unwrap();
    let mut head = [0; 4];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[..2], [0, 10], "IPFIX");
    assert_eq!(agent.health()["destinations"][0]["to"], format!("tcp://127.0.0.1:{port}"));
}

#[test]
fn mistakes_are_told_with_their_remedy() {
    for (args, part) in [
        (&["agent"][..], "there is no destination; write --to collector:4739"),
        (&["agent", "--to", "sflow://c"][..], "sFlow export is not built into this version"),
        (&["agent", "--to", "c:99999"][..], "is no port"),
        (
            &["agent", "--to", "tls://c", "--ca", "/nowhere.pem", "--data", "/tmp/x"][..],
            "/nowhere.pem cannot be read",
        ),
        (&["agent", "--antrea-config", "/nowhere.conf"][..], "reading /nowhere.conf"),
    ] {
        let output = run(&[args, &["--http", "127.0.0.1:0"]].concat());
        assert!(!output.status.success());
        assert!(err(&output).contains(part), "{args:?}: {}", err(&output));
    }
}

/// Between Weir and Weir: whoever is killed, every flow and counter is there once.
#[test]
fn a_server_that_is_killed_again_and_again_has_every_record_once() {
    let folder = Folder::new();
    let (mut server, tcp) = serve(&folder, "127.0.0.1:0");
    let agent = Agent::start(&folder, &["--to", &tcp]);
    for _ in 0..4 {
        connections(100, 1_000);
        std::thread::sleep(Duration::from_millis(1_500));
        server.kill();
        connections(100, 1_000);
        server = serve(&folder, &tcp).0;
    }
    agent.wait("/destinations/0/records/acknowledged", |records| records > 200);
    let health = agent.wait("/destinations/0/lost_connections", |lost| lost > 0);
    assert_eq!(health["destinations"][0]["records"]["unacknowledged"], 0, "{health:#}");
    let began = Instant::now();
    while agent.health()["destinations"][0]["connected"] != true {
        assert!(began.elapsed() < Duration::from_secs(40), "{:#}", agent.health());
        std::thread::sleep(Duration::from_millis(100));
    }
    let settled = agent.health()["destinations"][0]["records"]["received"].as_u64().unwrap();
    agent.wait("/destinations/0/records/acknowledged", |records| records >= settled);
    // A stop waits until what is on its way is acknowledged.
    let stopped = agent.stop().remove(0);
    let records = field(&stopped, "records");
    assert_eq!(field(&stopped, "acknowledged"), records, "{stopped}");
    // All are there, once.
    let (flows, counters) = (count(&server, &[]), count(&server, &["--table", "counters"]));
    assert!(flows > 200 && counters > 0, "{flows} {counters}");
    assert_eq!(flows + counters, records);
    // Whoever runs on this machine is metered too: one port may have many peers in a message.
    let twice = server.query(&[
        "--group-by",
        "export_sequence,flow_id,src_addr,src_port,dst_addr,dst_port,end_reason,octets_total",
        "--measure",
        "records",
        "--limit",
        "1",
    ]);
    assert_eq!(twice[0]["records"], 1, "{twice:?}");
    server.stop();
}
