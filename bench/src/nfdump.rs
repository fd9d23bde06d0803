//! nfcapd and nfdump (Debian package `nfdump`) beside us, in the same run.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::corpus::Corpus;
use crate::{load, sys};

/// What nfcapd did with the same datagrams.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// CPU seconds per million flows.
    pub cpu_per_million: f64,
    /// Flow records that nfdump finds in its files.
    pub flows: u64,
    /// Octets of its files.
    pub octets: u64,
}

/// True when both programs are here.
pub fn is_installed() -> bool {
    let runs =
        |name| Command::new(name).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    runs("nfcapd").is_ok() && runs("nfdump").is_ok()
}

/// Runs nfcapd; `flags` choose the compression (none: uncompressed; `-z`: LZO; `-y`: LZ4).
pub fn run(
    corpus: &mut Corpus,
    flows: u64,
    rate: f64,
    dir: &Path,
    flags: &[&str],
) -> Result<Outcome> {
    std::fs::create_dir_all(dir)?;
    // A port that is free now.
    let to = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
    let child = Command::new("nfcapd")
        .args(["-b", "127.0.0.1", "-p", &to.port().to_string(), "-B", "8388608", "-t", "300", "-w"])
        .arg(dir)
        .args(flags)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("starting nfcapd")?;
    std::thread::sleep(Duration::from_millis(500));
    load::send(corpus, to, flows, rate)?;
    std::thread::sleep(Duration::from_millis(500));
    sys::terminate(child.id());
    let usage = sys::wait(child.id())?;
    let mut octets = 0;
    for entry in std::fs::read_dir(dir)? {
        octets += entry?.metadata()?.len();
    }
    let counted = Command::new("nfdump").arg("-R").arg(dir).arg("-I").output()?;
    let text = String::from_utf8_lossy(&counted.stdout);
    let kept = text.lines().filter_map(|line| line.strip_prefix("Flows:"));
    let kept: u64 = kept.filter_map(|n| n.trim().parse::<u64>().ok()).sum();
    Ok(Outcome {
        cpu_per_million: usage.cpu_seconds / kept.max(1) as f64 * 1e6,
        flows: kept,
        octets,
    })
}

/// CPU seconds of one nfdump query over a folder.
pub fn query(dir: &Path, arguments: &[&str]) -> Result<f64> {
    let child = Command::new("nfdump")
        .arg("-R")
        .arg(dir)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(sys::wait(child.id())?.cpu_seconds)
}
