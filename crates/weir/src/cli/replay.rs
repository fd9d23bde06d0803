//! `weir replay`: the exports in a capture, sent to a collector.

use std::io::{BufReader, IsTerminal};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use weir_model::{Clock, SystemClock, Timestamp};

use super::out::say;
use super::text::human;
use crate::replay::{Datagram, Pace, Progress, Senders, play, read};

/// Arguments of `weir replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Capture file, pcap or pcapng
    file: PathBuf,
    /// Collector to send to
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// So many times as fast as it was recorded
    #[arg(long, value_name = "TIMES", default_value_t = 1.0, conflicts_with = "flat_out")]
    speed: f64,
    /// As fast as the socket takes it
    #[arg(long)]
    flat_out: bool,
    /// Sets the export times in NetFlow v5, v7, v9 and IPFIX headers to now. Flow times that
    /// count from the exporter's uptime move along; absolute flow times in records do not.
    #[arg(long)]
    retime: bool,
    /// Begins anew at the end, until interrupted
    #[arg(long = "loop")]
    again: bool,
}

const EXAMPLES: &str = "\
Examples:
  weir replay exports.pcap --to 127.0.0.1:2055 --retime
  weir replay exports.pcap --to [2001:db8::1]:4739 --speed 10
  weir replay exports.pcap --to 127.0.0.1:2055 --flat-out --loop

Every datagram that NetFlow, IPFIX or sFlow is recognised in is sent, each original sender from
a socket of its own; on loopback from an address of its own. IPFIX that was recorded over TCP is
sent as datagrams.";

impl Args {
    /// Sends.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let pace = match (self.flat_out, self.speed) {
            (true, _) => Pace::FlatOut,
            (false, speed) if speed.is_finite() && speed > 0.0 => Pace::Times(speed),
            (false, speed) => bail!("--speed {speed}: must be more than 0"),
        };
        let target = resolve(&self.to)?;
        let reading = || format!("reading {}", self.file.display());
        let file = std::fs::File::open(&self.file).with_context(reading)?;
        let datagrams = read(BufReader::new(file)).with_context(reading)?;
        if datagrams.is_empty() {
            bail!("{} holds no NetFlow, IPFIX or sFlow", self.file.display());
        }
        let mut senders = Senders::new(target);
        let now = || SystemClock.now();
        let now: Option<&dyn Fn() -> Timestamp> = if self.retime { Some(&now) } else { None };
        let mut bar = Bar::new(&datagrams);
        loop {
            let mut wait = |time| {
                std::thread::sleep(time);
                true
            };
            let sent = play(&datagrams, &mut senders, pace, now, &mut wait, &mut |p| bar.tell(p))
                .with_context(|| format!("sending to {target}"))?;
            bar.end_round(sent);
            if !self.again {
                break;
            }
        }
        bar.finish(target);
        Ok(ExitCode::SUCCESS)
    }
}

fn resolve(text: &str) -> anyhow::Result<SocketAddr> {
    let mut found = text.to_socket_addrs().with_context(|| {
        format!("--to {text}: expected an address or name with port, like 127.0.0.1:2055")
    })?;
    found.next().with_context(|| format!("--to {text}: the name has no address"))
}

/// Progress on standard error, if a person is there to see it.
struct Bar {
    total: u64,
    rounds: u64,
    before: Progress,
    started: Instant,
    drawn: Instant,
    shown: bool,
}

const WIDTH: usize = 30;

impl Bar {
    fn new(datagrams: &[Datagram]) -> Bar {
        Bar {
            total: datagrams.len() as u64,
            rounds: 0,
            before: Progress::default(),
            started: Instant::now(),
            drawn: Instant::now(),
            shown: std::io::stderr().is_terminal(),
        }
    }

    fn tell(&mut self, progress: Progress) {
        if !self.shown || self.drawn.elapsed() < Duration::from_millis(100) {
            return;
        }
        self.drawn = Instant::now();
        say(&format!("\r{}\x1b[K", bar_text(progress.datagrams, self.total, self.rounds)));
    }

    fn end_round(&mut self, sent: Progress) {
        self.rounds += 1;
        self.before.datagrams += sent.datagrams;
        self.before.octets += sent.octets;
    }

    fn finish(&self, target: SocketAddr) {
        let Progress { datagrams, octets } = self.before;
        let seconds = self.started.elapsed().as_secs_f64();
        let clear = if self.shown { "\r\x1b[K" } else { "" };
        say(&format!(
            "{clear}{datagrams} datagrams, {} sent to {target} in {seconds:.1} s\n",
            human(octets as f64, "octets")
        ));
    }
}

fn bar_text(done: u64, total: u64, rounds: u64) -> String {
    let filled = usize::try_from(done * WIDTH as u64 / total.max(1)).unwrap_or(WIDTH).min(WIDTH);
    let round = if rounds == 0 { String::new() } else { format!(", round {}", rounds + 1) };
    format!("[{}{}] {done} of {total}{round}", "#".repeat(filled), "-".repeat(WIDTH - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills() {
        assert_eq!(bar_text(0, 10, 0), format!("[{}] 0 of 10", "-".repeat(30)));
        assert_eq!(
            bar_text(5, 10, 1),
            format!("[{}{}] 5 of 10, round 2", "#".repeat(15), "-".repeat(15))
        );
        assert_eq!(bar_text(0, 0, 0), format!("[{}] 0 of 0", "-".repeat(30)));
    }

    #[test]
    fn a_target_without_port_is_explained() {
        let error = resolve("collector").unwrap_err();
        assert_eq!(
            error.to_string(),
            "--to collector: expected an address or name with port, like 127.0.0.1:2055"
        );
        assert_eq!(resolve("[::1]:9").unwrap(), "[::1]:9".parse().unwrap());
    }
}
