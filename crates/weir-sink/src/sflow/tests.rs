use super::*;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use weir_model::column::ElementKey;
use weir_model::columns::{counters as k, flows as c};
use weir_model::{Table, Timestamp, elements};
use weir_wire::sflow5::{self, EXTRA_PEN};
use weir_wire::{Output, Received, Tally};

const UPTIME: Duration = Duration::from_secs(60);

fn settings() -> SflowSettings {
    SflowSettings::new("192.0.2.1".parse().unwrap())
}

/// A frame of TCP in IPv4 from port 40,000 + `i`.
fn frame(i: u16) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    frame.extend([0x45, 0, 5, 0xdc, 0, 7, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend((40_000 + i).to_be_bytes());
    frame.extend([1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0, 9, 0, 0, 0, 0]);
    frame.resize(128, 7);
    frame
}

/// Samples of two interfaces in turn, with their headers, and a flow record between each two.
fn samples(n: u16) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    for i in 0..n {
        let row = batch.append_rows(2);
        let frame = frame(i);
        let mut body = Vec::new();
        for word in [1u32, 1_518, 4, frame.len() as u32] {
            body.extend(word.to_be_bytes());
        }
        body.extend(&frame);
        let mut extra = Vec::new();
        elements::push(&mut extra, ElementKey { pen: EXTRA_PEN, id: 1 }, &body);
        batch.set_octets(c::EXTRA, row, &extra);
        batch.set(c::SOURCE_CLASS, row, 0u8);
        batch.set(c::SOURCE_INDEX, row, 2 + u32::from(i % 2));
        batch.set(c::SAMPLING_RATE, row, 400u32);
        batch.set(c::SAMPLE_POOL, row, u32::from(i) * 400);
        batch.set(c::SAMPLE_DROPS, row, 3u32);
        batch.set(c::IN_IF, row, 2u32);
        batch.set(c::OUT_IF, row, 3u32);
        batch.set(c::FRAME_LENGTH, row, 1_518u32);
        batch.set(c::PACKETS, row, 1u64);
        batch.set(c::PACKETS, row + 1, 900u64);
    }
    batch.seal();
    batch
}

/// Counters of two interfaces and of the host.
fn counters() -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Counters);
    let mut add = |source: (u8, u32), structure: u32, name: &str, value: u64| {
        let row = batch.append_rows(1);
        batch.set(k::SOURCE_CLASS, row, source.0);
        batch.set(k::SOURCE_INDEX, row, source.1);
        batch.set(k::STRUCTURE, row, structure);
        batch.set_octets(k::NAME, row, name.as_bytes());
        batch.set(k::VALUE, row, value);
    };
    for index in [2, 3] {
        add((0, index), 1, "ifIndex", index.into());
        add((0, index), 1, "ifInOctets", 1_000);
        add((0, index), 1, "ifPromiscuousMode", 0);
    }
    add((2, 1), 2_004, "mem_total", 1 << 30);
    add((2, 1), 2_004, "swap_out", 9);
    batch.seal();
    batch
}

fn decoded(datagrams: &[Vec<u8>]) -> (Output, Vec<sflow5::Header>) {
    let (mut out, mut tally, mut headers) = (Output::new(), Tally::default(), Vec::new());
    let received = Received::udp(Timestamp(0), (Ipv4Addr::LOCALHOST, 6343).into());
    for datagram in datagrams {
        headers.push(sflow5::header(datagram).unwrap());
        sflow5::decode(datagram, &received, &mut out, &mut tally);
    }
    out.seal();
    assert_eq!(tally.dropped_sets(), 0);
    (out, headers)
}

#[test]
fn samples_and_datagrams_are_numbered_without_gaps() {
    let mut packer = Packer::new(settings());
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for _ in 0..2 {
        packer.flows(&samples(20), UPTIME, |datagram, _| sent.push(datagram.to_vec()));
        packer.counters(&counters(), UPTIME, |datagram, _| sent.push(datagram.to_vec()));
    }
    packer.flush(UPTIME, |datagram, _| sent.push(datagram.to_vec()));
    assert!(sent.len() > 5 && sent.iter().all(|datagram| datagram.len() <= 1_400));
    let (out, headers) = decoded(&sent);
    let numbers: Vec<u32> = headers.iter().map(|header| header.sequence).collect();
    assert_eq!(numbers, (1..=sent.len() as u32).collect::<Vec<_>>());
    assert!(headers.iter().all(|h| h.agent == settings().agent && h.uptime_ms == 60_000));
    // Flow records are left out, samples are all there.
    let counts = packer.counts();
    assert_eq!((counts.flow_samples, counts.flows_left_out, counts.counter_samples), (40, 40, 6));
    let number = |column, row| out.flows.get_u64(column, row).unwrap();
    let ports: Vec<u64> = (0..20).map(|row| number(c::SRC_PORT, row)).collect();
    assert_eq!(ports, (40_000..40_020).collect::<Vec<_>>());
    let totals = (0..40).map(|row| number(c::OCTETS, row) * number(c::SAMPLING_RATE, row));
    assert_eq!(totals.sum::<u64>(), 40 * 400 * 1_518);
    assert_eq!((number(c::SAMPLE_POOL, 19), number(c::SAMPLE_DROPS, 19)), (19 * 400, 3));
    // Each source counts for itself.
    let of = |index: u64| {
        let is_it = |row: &usize| out.counters.get_u64(k::SOURCE_INDEX, *row) == Some(index);
        let rows = (0..out.counters.rows()).filter(is_it);
        let mut numbers: Vec<_> =
            rows.map(|row| out.counters.get_u64(k::SEQUENCE, row).unwrap()).collect();
        numbers.dedup();
        numbers
    };
    assert_eq!((of(2), of(3), of(1)), (vec![1, 2], vec![1, 2], vec![1, 2]));
}

#[test]
fn sources_without_end_are_bounded() {
    let mut packer = Packer::new(settings());
    let mut batch = samples(1);
    for index in 0..40_000u32 {
        batch.set(c::SOURCE_INDEX, 0, index);
        packer.flows(&batch, UPTIME, |_, _| {});
    }
    assert_eq!(packer.counts().renumbered, 2);
}

#[test]
fn what_the_system_does_not_take_is_counted() {
    let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut exporter = Exporter::connect(collector.local_addr().unwrap(), settings()).unwrap();
    exporter.flows(&samples(20), UPTIME);
    exporter.flush(UPTIME);
    let sent = exporter.counts();
    assert_eq!(sent.datagrams_unsent, 0);
    let mut buffer = [0; 2_048];
    let octets: usize = (0..sent.datagrams).map(|_| collector.recv(&mut buffer).unwrap()).sum();
    assert_eq!(octets as u64, sent.octets);
    drop(collector);
    exporter.flows(&samples(20), UPTIME);
    exporter.flush(UPTIME);
    let after = exporter.counts();
    assert_eq!(after.datagrams + after.datagrams_unsent, sent.datagrams * 2);
    assert!(after.datagrams_unsent > 0, "the port is closed");
}

/// Kills a child when the test is over.
struct Collector(Child);

impl Drop for Collector {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// A port that nobody has at the moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn sfcapd_reads_the_same_sums() {
    if run("sfcapd", &["-V"]).is_none() || run("nfdump", &["-V"]).is_none() {
        return eprintln!("SKIPPED interoperation with nfdump: sfcapd is not installed");
    }
    let folder = std::env::temp_dir().join(format!("weir-sfcapd-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (path, port) = (folder.to_str().unwrap(), free_port());
    let mut sfcapd = Command::new("sfcapd");
    sfcapd.args(["-w", path, "-l", path, "-p", &port.to_string(), "-b", "127.0.0.1", "-t", "60"]);
    sfcapd.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = Collector(sfcapd.spawn().unwrap());
    std::thread::sleep(Duration::from_millis(700));
    let to = (Ipv4Addr::LOCALHOST, port).into();
    let mut exporter = Exporter::connect(to, settings()).unwrap();
    for _ in 0..5 {
        exporter.flows(&samples(40), UPTIME);
        exporter.counters(&counters(), UPTIME);
        exporter.flush(UPTIME);
    }
    assert_eq!(exporter.counts().datagrams_unsent, 0);
    std::thread::sleep(Duration::from_millis(700));
    let pid = child.0.id().to_string();
    run("kill", &["-TERM", &pid]);
    child.0.wait().unwrap();
    let text = run("nfdump", &["-R", path, "-q", "-N", "-o", "fmt:%pkt %byt %sp"]).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let rows: Vec<Vec<u64>> = text
        .lines()
        .map(|line| line.split_whitespace().map_while(|word| word.parse().ok()).collect())
        .filter(|row: &Vec<u64>| row.len() == 3)
        .collect();
    let sum = |at: usize| rows.iter().map(|row| row[at]).sum::<u64>();
    assert_eq!(rows.len(), 200, "{text}");
    assert_eq!(sum(0), 200 * 400, "packets times the rate");
    assert_eq!(sum(1), 200 * 400 * 1_518, "octets of the frame times the rate");
}

#[test]
fn tshark_finds_no_fault() {
    if run("tshark", &["-v"]).is_none() {
        return eprintln!("SKIPPED interoperation with tshark: it is not installed");
    }
    let mut packer = Packer::new(settings());
    let mut sent: Vec<Vec<u8>> = Vec::new();
    packer.flows(&samples(40), UPTIME, |datagram, _| sent.push(datagram.to_vec()));
    packer.counters(&counters(), UPTIME, |datagram, _| sent.push(datagram.to_vec()));
    packer.flush(UPTIME, |datagram, _| sent.push(datagram.to_vec()));
    let file = std::env::temp_dir().join(format!("weir-sflow-{}.pcap", std::process::id()));
    std::fs::write(&file, pcap(&sent)).unwrap();
    let path = file.to_str().unwrap();
    let decode = ["-d", "udp.port==6343,sflow"];
    let faults = ["-Y", "_ws.malformed || _ws.expert.severity >= 0x600000"];
    let found = run("tshark", &[&["-r", path][..], &decode, &faults].concat()).unwrap();
    let fields = ["-T", "fields", "-e", "sflow_245.numsamples", "-e", "sflow_245.sequence_number"];
    let text = run("tshark", &[&["-r", path][..], &decode, &fields].concat()).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(found, "");
    let numbers = text.lines().map(|line| line.split_once('\t').unwrap().0);
    let samples: u32 = numbers.map(|number| number.parse::<u32>().unwrap()).sum();
    assert_eq!(samples, 43, "{text}");
}

/// The datagrams as UDP in IPv4 in a capture without link layer (LINKTYPE_IPV4).
fn pcap(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>();
    let mut file = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 228]);
    for datagram in datagrams {
        let length = (datagram.len() + 28) as u32;
        file.extend(words(&[0, 0, length, length]));
        file.extend([0x45, 0]);
        file.extend((length as u16).to_be_bytes());
        file.extend([0, 1, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        file.extend([0x9c, 0x40, 0x18, 0xc7]);
        file.extend((length as u16 - 20).to_be_bytes());
        file.extend([0, 0]);
        file.extend(datagram);
    }
    file
}
