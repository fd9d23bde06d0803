//! Programs of others read what is exported: nfcapd with nfdump, and tshark. Equal sums, no errors.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use weir_model::columns::flows;
use weir_model::{Addr, FlowBatch, Table, Timestamp};
use weir_sink::ipfix::{Exporter, Target, Transport};

use crate::collector::{Folder, counters, deps, policy, wait};

const ROWS: u64 = 2_000;

fn is_here(program: &str) -> bool {
    // tshark takes -V for a wish to capture.
    let flag = if program == "tshark" { "--version" } else { "-V" };
    let mut command = Command::new(program);
    let here = command.arg(flag).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !here {
        eprintln!("SKIPPED interoperation: {program} is not here");
    }
    here
}

/// Flows as metering has them: both directions, processes, TCP health; IPv4 and IPv6.
fn flows_of_a_node(numbers: std::ops::Range<u64>) -> Arc<FlowBatch> {
    let mut batch = FlowBatch::new(Table::Flows);
    let start = batch.append_rows(numbers.clone().count());
    let end = Timestamp::from_seconds(1_700_000_000);
    for (at, i) in numbers.enumerate() {
        let row = start + at;
        let addr = |last: u64| match i % 4 {
            0 => Addr(0x2001_0db8 << 96 | u128::from(last)),
            _ => Addr::v4(0x0a00_0000 | last as u32),
        };
        batch.set(flows::SRC_ADDR, row, addr(i % 250 + 1));
        batch.set(flows::DST_ADDR, row, addr(i % 50 + 300));
        batch.set(flows::SRC_PORT, row, 40_000 + i as u16);
        batch.set(flows::DST_PORT, row, 443u16);
        batch.set(flows::PROTO, row, 6u8);
        batch.set(flows::OCTETS, row, 100 + i);
        batch.set(flows::PACKETS, row, 1 + i % 9);
        batch.set(flows::REVERSE_OCTETS, row, 7_000 + i);
        batch.set(flows::REVERSE_PACKETS, row, 2 + i % 5);
        batch.set(flows::OCTETS_TOTAL, row, 100 + i);
        batch.set(flows::FLOW_START, row, end.minus(Duration::from_secs(5)).0);
        batch.set(flows::FLOW_END, row, end.0);
        batch.set(flows::BIFLOW_DIRECTION, row, 1u8);
        batch.set(flows::END_REASON, row, 3u8);
        batch.set_octets(flows::TCP_STATE, row, b"ESTABLISHED");
        batch.set(flows::RTT_US, row, 350u32);
        if i.is_multiple_of(2) {
            batch.set_octets(flows::SRC_PROCESS, row, b"curl");
            batch.set(flows::SRC_PID, row, 4_711u32);
        }
    }
    batch.seal();
    Arc::new(batch)
}

fn expected() -> (u64, u64) {
    ((0..ROWS).map(|i| 100 + i).sum(), (0..ROWS).map(|i| 1 + i % 9).sum())
}

fn reverse() -> (u64, u64) {
    ((0..ROWS).map(|i| 7_000 + i).sum(), (0..ROWS).map(|i| 2 + i % 5).sum())
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn nfdump_counts_the_same() {
    if !is_here("nfcapd") || !is_here("nfdump") {
        return;
    }
    let folder = Folder::new();
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut nfcapd = Command::new("nfcapd");
    nfcapd.args(["-b", "127.0.0.1", "-p", &port.to_string(), "-t", "300", "-w"]).arg(&folder.0);
    let mut nfcapd = Running(nfcapd.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    // It has begun when nobody else can have the port.
    while UdpSocket::bind(("127.0.0.1", port)).is_ok() {
        std::thread::sleep(Duration::from_millis(50));
    }
    let target = Target { transport: Transport::Udp, host: "127.0.0.1".to_owned(), port };
    let exporter = Exporter::start(policy(target), &deps()).unwrap();
    // Not more at once than a receive buffer of an ordinary machine holds.
    for first in (0..ROWS).step_by(100) {
        exporter.offer(&flows_of_a_node(first..first + 100));
        std::thread::sleep(Duration::from_millis(30));
    }
    exporter.offer(&counters(20));
    wait(&exporter, 20, |status| status.account.unacknowledged == ROWS + 20);
    exporter.stop();
    std::thread::sleep(Duration::from_millis(500));
    let id = nfcapd.0.id().to_string();
    Command::new("kill").args(["-s", "TERM", &id]).status().unwrap();
    nfcapd.0.wait().unwrap();

    let output = Command::new("nfdump").arg("-R").arg(&folder.0).arg("-I").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("{name} is not in {text}")).trim().parse().unwrap()
    };
    // nfdump counts both directions of a record in its sums, and the forward one by protocol.
    let ((octets, packets), reverse) = (expected(), reverse());
    assert_eq!(number("Flows"), ROWS, "{text}");
    assert_eq!((number("Bytes_tcp"), number("Packets_tcp")), (octets, packets), "{text}");
    assert_eq!(number("Bytes"), octets + reverse.0, "{text}");
    assert_eq!(number("Packets"), packets + reverse.1, "{text}");
    assert_eq!(number("Sequence failures"), 0, "{text}");
}

/// A capture file (raw IPv4, link type 101) of datagrams to the port of IPFIX.
fn pcap(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend_from_slice(&[0xff, 0xff, 0, 0, 101, 0, 0, 0]);
    for (i, message) in messages.iter().enumerate() {
        let udp = (message.len() + 8) as u16;
        let mut packet = vec![0x45, 0];
        packet.extend_from_slice(&(udp + 20).to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        for word in [40_000, 4_739, udp, 0] {
            packet.extend_from_slice(&word.to_be_bytes());
        }
        packet.extend_from_slice(message);
        for word in [1_700_000_000, i as u32, packet.len() as u32, packet.len() as u32] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(&packet);
    }
    file
}

fn tshark(file: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-d", "udp.port==4739,cflow"]).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Over a connection, where the announcement stands too.
#[test]
fn tshark_finds_no_fault() {
    if !is_here("tshark") {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = Target { transport: Transport::Tcp, host: "127.0.0.1".to_owned(), port };
    let exporter = Exporter::start(policy(target), &deps()).unwrap();
    exporter.offer(&flows_of_a_node(0..ROWS));
    exporter.offer(&counters(20));
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let (mut octets, mut messages) = (Vec::new(), Vec::new());
    let _timed_out = std::io::Read::read_to_end(&mut stream, &mut octets);
    let mut rest = octets.as_slice();
    while let Some([_, _, l0, l1]) = rest.first_chunk() {
        let (message, after) = rest.split_at(u16::from_be_bytes([*l0, *l1]).into());
        messages.push(message.to_vec());
        rest = after;
    }
    exporter.stop();
    assert!(messages.len() > 5 && messages.iter().any(|message| message.len() > 15_000));
    let folder = Folder::new();
    let file = folder.0.join("export.pcap");
    std::fs::write(&file, pcap(&messages)).unwrap();

    let faults = tshark(&file, &["-Y", "_ws.malformed or _ws.expert.severity >= 6291456"]);
    assert_eq!(faults, "", "nothing is malformed, and nothing is worth a warning");
    let sums = |field: &str| -> u64 {
        let text = tshark(&file, &["-T", "fields", "-E", "aggregator=,", "-e", field]);
        let numbers = text.split([',', '\n']).filter(|word| !word.is_empty());
        numbers.map(|word| word.parse::<u64>().unwrap()).sum()
    };
    // tshark has one field for both directions' deltas.
    let ((octets, packets), reverse) = (expected(), reverse());
    assert_eq!(sums("cflow.octets"), octets + reverse.0);
    assert_eq!(sums("cflow.packets"), packets + reverse.1);
    let ports = tshark(&file, &["-T", "fields", "-E", "aggregator=,", "-e", "cflow.srcport"]);
    assert_eq!(ports.split([',', '\n']).filter(|port| !port.is_empty()).count(), ROWS as usize);
}
