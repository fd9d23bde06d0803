//! `weir goflow`: goflow's flags, log lines and record lines, as a script of goflow's sees them.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use crate::weir::{capture, command, err, out, run};

fn free_port() -> String {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

#[test]
fn a_listener_prints_goflows_lines_and_logs() {
    let port = free_port();
    let arguments = ["goflow", "-kafka=false", "-sflow=false", "-nfl=false", "-nf=true"];
    let mut child = command(&arguments)
        .args(["-nf.addr", "127.0.0.1", "-nf.port", &port])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(log.next().unwrap().unwrap().contains("Starting GoFlow"));
    let listening = log.next().unwrap().unwrap();
    assert!(listening.contains(&format!("Listening on UDP 127.0.0.1:{port}")), "{listening}");
    assert!(listening.contains("Type=NetFlow"), "{listening}");
    let (line, lines) = mpsc::sync_channel(1_000);
    let printed = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        for text in printed.lines().map_while(Result::ok) {
            let _nobody_waits = line.try_send(text);
        }
    });
    let name = "softflowd-v9.pcap";
    out(&["replay", &capture(name), "--to", &format!("127.0.0.1:{port}"), "--flat-out"]);
    let decoded = out(&["decode", &capture(name), "--format", "goflow"]);
    // The time of arrival and the sender are this run's; the rest is the capture's.
    let rest = |text: &str| text.split_once(" Bytes:").map(|(_, rest)| rest.to_owned());
    for expected in decoded.lines() {
        let line = lines.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(line.starts_with("Type:NETFLOW_V9 TimeReceived:"), "{line}");
        assert_eq!(rest(&line), rest(expected));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_unknown_flag_ends_it_as_goflow_would() {
    let output = run(&["goflow", "-kafka=false", "-sflw=true"]);
    assert_eq!(output.status.code(), Some(2));
    let text = err(&output);
    assert!(text.starts_with("flag provided but not defined: -sflw\n"), "{text}");
    assert!(text.contains("Usage of goflow:"), "{text}");
}
