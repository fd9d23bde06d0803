//! `weir agent` from outside: to a Weir that serves, to pipes, killed, and told nonsense.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::metering::{Agent, connections, field, serve, wait_count};
use crate::weir::{Folder, err, run};

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

/// Records tell of a parent its number and its program; what ntop wants beside is asked of metering.
#[test]
fn lines_tell_who_began_the_owner_of_a_socket() {
    let folder = Folder::new();
    let mut agent = Agent::start(&folder, &["--to", "json:-"]);
    let mut lines = BufReader::new(agent.child.stdout.take().unwrap()).lines();
    let began = Instant::now();
    let me = std::process::id();
    let father = loop {
        connections(3, 100);
        let line = lines.next().unwrap().unwrap();
        let row: Value = serde_json::from_str(&line).unwrap();
        if row["LOCAL_PROCESS"]["PID"] == me && row["LOCAL_FATHER_PROCESS"]["VM_SIZE"].is_u64() {
            break row["LOCAL_FATHER_PROCESS"].clone();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{row:#}");
    };
    let parent = std::os::unix::process::parent_id();
    assert_eq!(father["PID"], parent, "{father}");
    use std::os::unix::fs::MetadataExt;
    let of_parent = std::fs::metadata(format!("/proc/{parent}")).unwrap();
    assert_eq!(father["UID"], of_parent.uid(), "{father}");
    assert_eq!(father["GID"], of_parent.gid(), "{father}");
    assert!(father["PROCESS_PATH"].is_string() && father["VM_PEAK"].is_u64(), "{father}");
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
        (&["agent", "--to", "sflow://"][..], "names no host"),
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
