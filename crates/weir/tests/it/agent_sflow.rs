//! `weir agent` as an sFlow agent, to collectors of two makers.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_testkit::skip_aloud;

use crate::metering::{Agent, connections, count, serve};
use crate::weir::{Folder, Serve};

/// sfcapd of nfdump, where it is installed.
struct Sfcapd {
    child: Child,
    port: u16,
    folder: String,
}

impl Sfcapd {
    fn start(folder: &Folder) -> Option<Sfcapd> {
        let path = folder.0.join("sfcapd").display().to_string();
        std::fs::create_dir_all(&path).unwrap();
        let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut command = Command::new("sfcapd");
        command.args(["-w", &path, "-l", &path, "-p", &port.to_string(), "-b", "127.0.0.1"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Some(Sfcapd { child: command.spawn().ok()?, port, folder: path })
    }

    /// Ends it; gives the sum of packets times the rate.
    fn packets(mut self) -> u64 {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap();
        let args = ["-R", &self.folder, "-q", "-N", "-o", "fmt:%pkt"];
        let output = Command::new("nfdump").args(args).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter_map(|line| line.trim().parse::<u64>().ok()).sum()
    }
}

impl Drop for Sfcapd {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// How many counters of each structure the server has.
fn structures(serve: &Serve) -> Vec<(u64, u64)> {
    let args = ["--table", "counters", "--group-by", "structure", "--measure", "records"];
    let rows = serve.query(&[&args[..], &["--limit", "100"]].concat());
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap();
    rows.iter().map(|row| (number(row, "structure"), number(row, "records"))).collect()
}

#[test]
fn samples_and_counters_arrive_and_samples_go_nowhere_else() {
    let folder = Folder::new();
    let (collector, _) = serve(&folder, "127.0.0.1:0");
    let others = Folder::new();
    let (flows, tcp) = serve(&others, "127.0.0.1:0");
    let sflow = format!("sflow://{}", collector.udp);
    let mut args = vec!["--to", &sflow, "--to", &tcp];
    args.extend(["--set", "meter.counter_interval=1s", "--set", "meter.sampling_rate=4"]);
    args.extend(["--set", "meter.packets_of_loopback=true"]);
    let sfcapd = Sfcapd::start(&folder);
    let to_sfcapd = sfcapd.as_ref().map(|sfcapd| format!("sflow://localhost:{}", sfcapd.port));
    if let Some(to) = &to_sfcapd {
        args.extend(["--to", to]);
        std::thread::sleep(Duration::from_millis(700));
    }
    let agent = Agent::start(&folder, &args);
    let samples = agent.health()["meter"]["tiers"]
        .as_array()
        .unwrap()
        .iter()
        .any(|tier| tier["name"] == "packet_sampling" && tier["runs"] == true);
    if !samples {
        skip_aloud("packet samples by sFlow", "packets cannot be seen here (CAP_NET_RAW)");
    }
    let port = connections(100, 20_000);
    let wanted: Vec<u64> = vec![1, 1_005, 2_000, 2_001, 2_003, 2_004, 2_005, 2_006, 2_007, 2_010];
    let began = Instant::now();
    let samples_of = format!("dst_port = {port} or src_port = {port}");
    loop {
        let found = structures(&collector);
        let has = |structure: &u64| found.iter().any(|(known, _)| known == structure);
        let samples_came = !samples || count(&collector, &["--filter", &samples_of]) > 10;
        if wanted.iter().all(has) && samples_came {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{found:?} {samples_came}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let health = agent.health();
    let status = &health["sflow"][0];
    assert_eq!((&status["to"], &status["error"]), (&sflow.into(), &Value::Null), "{status:#}");
    assert!(status["samples"]["counter"].as_u64() > Some(1), "{status:#}");
    agent.wait("/destinations/0/records/acknowledged", |records| records > 100);
    agent.stop();
    // What went by sFlow is samples of the rate; what went by IPFIX is flows alone.
    if samples {
        let args = ["--filter", &samples_of, "--group-by", "sampling_rate,export_protocol"];
        let rows = collector.query(&[&args[..], &["--measure", "records"]].concat());
        assert_eq!((rows.len(), &rows[0]["sampling_rate"]), (1, &4.into()), "{rows:?}");
        let sfcapd = sfcapd.map(Sfcapd::packets);
        assert!(sfcapd.is_none_or(|packets| packets > 100 && packets % 4 == 0), "{sfcapd:?}");
    }
    assert!(count(&flows, &["--filter", &format!("dst_port = {port}")]) > 0);
    assert_eq!(count(&flows, &["--filter", "metered_by = 'packet_sampling'"]), 0);
    assert!(count(&flows, &["--table", "counters"]) > 0, "counters go to all");
    flows.stop();
    collector.stop();
}
