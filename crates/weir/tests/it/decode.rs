//! `weir decode` on captures that ship with the project: what it prints, and its exit code.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::weir::{command, err, run};

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../weir-wire/tests/fixtures");
    folder.join(name).display().to_string()
}

/// Runs `weir decode -` with this input.
fn decode(input: &[u8]) -> Output {
    let mut command = command(&["decode", "-", "--summary", "json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A reader that gave up early closes the pipe: its output tells.
    let _closed = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn summary(output: &Output) -> Value {
    serde_json::from_str(&err(output)).unwrap()
}

/// A capture of softflowd's NetFlow v5.
fn netflow5() -> Vec<u8> {
    std::fs::read(fixture("corpus/generated/generated-softflowd-nf5.pcap")).unwrap()
}

#[test]
fn a_capture_read_to_its_end_is_a_success_whatever_is_in_it() {
    let whole = netflow5();
    let output = decode(&whole);
    let records = lines(&output);
    assert_eq!((output.status.code(), records.is_empty()), (Some(0), false));
    assert_eq!(summary(&output)["flows"], records.len());
    assert!(records.iter().all(|record| record["kind"] == "flow"));
    // The recorder was stopped within a packet.
    let output = decode(&whole[..whole.len() - 1]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(summary(&output)["capture"]["truncated"], true);
    // The version of the first message: file header, record header, Ethernet, IP, UDP.
    let mut broken = whole;
    broken[24 + 16 + 14 + 20 + 8] = 0xff;
    let output = decode(&broken);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(summary(&output)["errors"], serde_json::json!({ "unknown_protocol": 1 }));
}

#[test]
fn an_input_that_cannot_be_read_to_its_end_is_told_by_the_exit_code() {
    assert_eq!(run(&["decode", "/no/such/file"]).status.code(), Some(2));
    assert_eq!(decode(b"no capture at all").status.code(), Some(2));
    let whole = netflow5();
    let records = lines(&decode(&whole));
    let output = decode(&[&whole[..], &[0xff; 16]].concat());
    assert_eq!((output.status.code(), lines(&output)), (Some(2), records));
    let damage = summary(&output)["damage"].as_str().unwrap().to_owned();
    assert!(damage.contains("impossible length"), "{damage}");
}

#[test]
fn a_discarded_packet_is_a_flow_with_its_reason() {
    let output = run(&["decode", &fixture("corpus/goflow2/goflow2-sflow-drop-egressqueue.pcap")]);
    let records = lines(&output);
    let first = &records[0];
    assert_eq!((&first["kind"], first["drop_reason"].is_u64()), (&"flow".into(), true));
    assert_eq!((first["dropped_packets"].as_u64(), first.get("packets")), (Some(1), None));
}
