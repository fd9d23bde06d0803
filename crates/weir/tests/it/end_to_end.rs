//! Exports in, true numbers out, over a restart and a crash.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::weir::{Folder, Serve, capture, command, out, rows};

/// What an independent collector (nfdump 1.7.1) reads from the captures: flows, packets, octets.
const TRUTH: [(&str, u64, u64, u64); 3] = [
    ("ovs-netflow.pcap", 24, 7_784, 9_106_510),
    ("softflowd-v9.pcap", 24, 5_345, 6_259_884),
    ("pmacctd-ipfix.pcap", 24, 5_428, 6_351_785),
];

/// The truth as answers by protocol, largest first.
fn expected() -> Vec<Value> {
    let protocol = |name: &str| match name {
        "ovs-netflow.pcap" => 5,
        "softflowd-v9.pcap" => 9,
        _ => 10,
    };
    let mut rows: Vec<_> = TRUTH.iter().map(|&(name, flows, packets, octets)| {
        json!({"export_protocol": protocol(name), "octets": octets, "packets": packets, "flows": flows})
    }).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row["octets"].as_u64()));
    rows
}

const BY_PROTOCOL: [&str; 4] =
    ["--group-by", "export_protocol", "--measure", "octets,packets,flows"];

#[test]
fn what_was_sent_is_answered_exactly_over_a_restart_and_a_crash() {
    let folder = Folder::new();
    let data = folder.data();
    let serve = Serve::start(&data, &[]);
    serve.replay(&TRUTH.map(|(name, ..)| name), 72);
    assert_eq!(serve.query(&BY_PROTOCOL), expected());
    // The folder answers by itself too: what is committed while a server writes to it, and
    // everything after an orderly stop. A new server answers the same.
    let offline = ["query", "--data", &data, "--output", "ndjson"];
    std::thread::sleep(std::time::Duration::from_millis(1_000));
    assert_eq!(rows(&out(&[&offline[..], &BY_PROTOCOL].concat())), expected());
    serve.stop();
    assert_eq!(rows(&out(&[&offline[..], &BY_PROTOCOL].concat())), expected());
    let serve = Serve::start(&data, &[]);
    assert_eq!(serve.query(&BY_PROTOCOL), expected());

    // A crash loses nothing that was committed: by default within 200 ms.
    serve.replay(&["ovs-netflow.pcap"], 96);
    std::thread::sleep(std::time::Duration::from_millis(1_000));
    serve.kill();
    let serve = Serve::start(&data, &[]);
    let mut twice = expected();
    for row in twice.iter_mut().filter(|row| row["export_protocol"] == 5) {
        *row = json!({"export_protocol": 5, "octets": 2 * 9_106_510, "packets": 2 * 7_784, "flows": 48});
    }
    assert_eq!(serve.query(&BY_PROTOCOL), twice);
}

#[test]
fn records_are_the_flows_that_were_sent() {
    let folder = Folder::new();
    let serve = Serve::start(&folder.data(), &[]);
    serve.replay(&["softflowd-v9.pcap"], 24);
    let records = out(&["records", "--server", &serve.url, "--limit", "1000"]);
    let records = rows(&records);
    assert_eq!(records.len(), 24);
    let sum = |name: &str| records.iter().map(|record| record[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("packets"), sum("octets")), (5_345, 6_259_884));
    let csv =
        out(&["records", "--server", &serve.url, "-o", "csv", "-c", "src_addr,octets", "-l", "3"]);
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!((lines.len(), lines[0]), (4, "src_addr,octets"));
    let table = out(&["query", "--server", &serve.url, "-g", "src_addr", "--limit", "1"]);
    for part in ["src_addr", "(other)", "(total)", "6.26 MB", "rows read from raw"] {
        assert!(table.contains(part), "{part} is not in\n{table}");
    }
}

#[test]
fn counters_are_counted_without_being_asked_for_octets() {
    let folder = Folder::new();
    let serve = Serve::start(&folder.data(), &[]);
    serve.replay(&["ovs-sflow.pcap"], 512);
    // Of the 36 counter samples 29 are of interfaces, 7 of the datapath. They settle apart from
    // the flows.
    let samples = ["--table", "counters", "--filter", "name = \"ifInOctets\""];
    let started = std::time::Instant::now();
    while serve.query(&samples) != [json!({"records": 29})] {
        assert!(started.elapsed().as_secs() < 10, "{:?}", serve.query(&samples));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn following_shows_what_arrives() {
    let folder = Folder::new();
    let serve = Serve::start(&folder.data(), &[]);
    let args = [
        "records",
        "--server",
        &serve.url,
        "--follow",
        "--filter",
        "dst_port = 5201",
        "-c",
        "dst_port,packets",
    ];
    let mut follow = command(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    // Until the tail has begun nothing can arrive at it, so the capture is sent until it does.
    let (found, sent) = std::sync::mpsc::sync_channel(1);
    let udp = serve.udp.clone();
    let sender = std::thread::spawn(move || {
        while sent.recv_timeout(std::time::Duration::from_millis(200)).is_err() {
            out(&["replay", &capture("ovs-netflow.pcap"), "--to", &udp, "--flat-out"]);
        }
    });
    let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    found.send(()).unwrap();
    sender.join().unwrap();
    follow.kill().unwrap();
    follow.wait().unwrap();
    assert_eq!(line["dst_port"], 5201);
    assert_eq!(line["kind"], "flow");
}

#[test]
fn the_demo_has_something_to_ask_about_within_seconds() {
    let folder = Folder::new();
    let serve = Serve::start(&folder.data(), &["--demo"]);
    serve.wait_for("demo captures are replayed");
    let protocols = || -> Vec<u64> {
        let rows = serve.query(&["--group-by", "export_protocol", "--measure", "flows"]);
        let mut found: Vec<_> =
            rows.iter().filter_map(|row| row["export_protocol"].as_u64()).collect();
        found.sort_unstable();
        found
    };
    let started = std::time::Instant::now();
    while protocols() != [5, 9, 10, 105] {
        assert!(started.elapsed() < std::time::Duration::from_secs(15), "{:?}", protocols());
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    serve.stop();
}

#[test]
fn signals_that_come_together_are_one_wish_to_stop() {
    let folder = Folder::new();
    let serve = Serve::start(&folder.data(), &[]);
    // Two kinds, for the kernel makes one of two that are the same.
    serve.stop_by(&["TERM", "INT"]);
}
