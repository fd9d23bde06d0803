//! What exporting costs: `export_bench [RECORDS]` sends records with the columns that metering fills
//! to a collector on loopback that acknowledges and does nothing else, then to nobody with a buffer
//! on disk, and prints processor time of the exporter's thread and memory.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for a terminal")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_model::columns::flows as c;
use weir_model::{Addr, FlowBatch, SystemClock, Table, Timestamp};
use weir_sink::ipfix::{Deps, ExportPolicy, Exporter, Target, Transport};
use weir_telemetry::Registry;

const BATCH: usize = 10_000;

/// Processor seconds of the exporter's thread.
fn cpu() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let stat = tasks
        .map(|task| fs::read_to_string(task.path().join("stat")).unwrap_or_default())
        .find(|stat| stat.contains("(weir-export)"))
        .unwrap_or_default();
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    rss.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0) / 1_024
}

fn rows() -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    let start = batch.append_rows(BATCH);
    let now = Timestamp::from_seconds(1_800_000_000).0;
    for row in start..start + BATCH {
        let n = row as u32;
        for (column, last) in [(c::SRC_ADDR, n % 250), (c::DST_ADDR, n % 5_000)] {
            batch.set(column, row, Addr::v4(0x0a00_0000 | last));
        }
        for (column, port) in [(c::SRC_PORT, row as u16), (c::DST_PORT, 443)] {
            batch.set(column, row, port);
        }
        for column in [c::FLOW_START, c::FLOW_END] {
            batch.set(column, row, now);
        }
        for column in [c::PROTO, c::IP_VERSION, c::BIFLOW_DIRECTION, c::END_REASON] {
            batch.set(column, row, 4u8);
        }
        for column in [
            c::OCTETS,
            c::PACKETS,
            c::REVERSE_OCTETS,
            c::REVERSE_PACKETS,
            c::OCTETS_TOTAL,
            c::PACKETS_TOTAL,
            c::REVERSE_OCTETS_TOTAL,
            c::REVERSE_PACKETS_TOTAL,
            c::FLOW_ID,
        ] {
            batch.set(column, row, u64::from(n) * 1_001);
        }
        for column in [
            c::SRC_PID,
            c::SRC_PARENT_PID,
            c::SRC_UID,
            c::RTT_US,
            c::RTT_MIN_US,
            c::RTT_VAR_US,
            c::RETRANSMITS,
            c::CWND,
            c::SND_MSS,
            c::PMTU,
            c::SAMPLING_RATE,
        ] {
            batch.set(column, row, n % 9_000 + 1);
        }
        for (column, text) in [
            (c::SRC_PROCESS, "nginx"),
            (c::SRC_EXE, "/usr/sbin/nginx"),
            (c::SRC_USER, "www-data"),
            (c::SRC_UNIT, "nginx.service"),
            (c::TCP_STATE, "ESTABLISHED"),
        ] {
            batch.set_octets(column, row, text.as_bytes());
        }
    }
    batch.seal();
    batch
}

/// Reads and acknowledges by what the headers say.
fn collect(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut message = vec![0; 65_536];
    let mut told = Instant::now();
    loop {
        if stream.read_exact(&mut message[..16]).is_err() {
            return;
        }
        let length = usize::from(u16::from_be_bytes([message[2], message[3]]));
        if stream.read_exact(&mut message[16..length]).is_err() {
            return;
        }
        if told.elapsed() >= Duration::from_millis(100) {
            told = Instant::now();
            // All before this message: sequence numbers of a run stay below 2^32.
            let sequence: [u8; 4] = message[8..12].try_into().unwrap();
            let frame = [b"WAK1\0\0\0\0\0\0\0\0", &sequence[..]].concat();
            if stream.write_all(&frame).is_err() {
                return;
            }
        }
    }
}

fn measure(name: &str, policy: ExportPolicy, records: u64) {
    let deps = Deps { registry: Registry::new(), clock: Arc::new(SystemClock), random: || 0 };
    let exporter = Exporter::start(policy, &deps).unwrap();
    let batch = Arc::new(rows());
    let began = Instant::now();
    let mut sent = 0;
    while sent < records {
        // As much as the thread takes, and no queue that fills.
        while exporter.status().account.in_flight() > 200_000
            && exporter.status().buffered.0 + 100_000 < exporter.status().account.in_flight()
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        exporter.offer(&batch);
        sent += BATCH as u64;
        std::thread::sleep(Duration::from_micros(500));
    }
    while exporter.status().account.in_flight() > exporter.status().buffered.0 + 1_000 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (cpu, wall, status) = (cpu(), began.elapsed().as_secs_f64(), exporter.status());
    println!(
        "{name}: {sent} records in {wall:.2} s, {cpu:.2} s of processor: {:.0} records/s a core, \
         {:.0} octets a record, memory {} MB, dropped {:?}",
        sent as f64 / cpu.max(0.01),
        status.sent.1 as f64 / sent as f64,
        memory(),
        status.account.dropped,
    );
}

fn main() {
    let records = std::env::args().nth(1).map_or(2_000_000, |text| text.parse().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || collect(&listener));
    let target = |port| Target { transport: Transport::Tcp, host: "127.0.0.1".to_owned(), port };
    let mut near = ExportPolicy::new(target(port));
    // What comes in the 100 ms between two answers, at a rate that no machine meters.
    near.buffer.memory_max = 256 << 20;
    measure("encode, send, acknowledged", near, records);
    let folder = std::env::temp_dir().join(format!("export-bench-{}", std::process::id()));
    let mut away = ExportPolicy::new(target(1));
    away.buffer.disk_max = 1 << 30;
    away.buffer.folder = Some(folder.clone());
    measure("encode, collector away, kept on disk", away, records);
    fs::remove_dir_all(folder).unwrap();
}
