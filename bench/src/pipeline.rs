//! Runs a collector as a child, sends it flows, and measures it from outside.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::corpus::{Corpus, Protocol};
use crate::{load, now_ms, sys};

/// One run of the pipeline.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Which protocol.
    #[arg(long, value_enum, default_value = "ipfix")]
    pub protocol: Protocol,
    /// How many flow records.
    #[arg(long, default_value_t = 2_000_000)]
    pub flows: u64,
    /// Flow records a second; 0 for as fast as it goes.
    #[arg(long, default_value_t = 200_000.0)]
    pub rate: f64,
    /// Distinct flow records; sent round and round.
    #[arg(long, default_value_t = 2_000_000)]
    pub corpus: u64,
    /// Where the store lies; without it rows are thrown away.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Compact at the end.
    #[arg(long)]
    pub compact: bool,
    /// Ask for the top sources and the top 5-tuples.
    #[arg(long)]
    pub queries: bool,
}

/// What one run showed.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What was sent.
    pub sent: load::Sent,
    /// Flow records kept.
    pub flows: u64,
    /// Dropped by the kernel.
    pub kernel: u64,
    /// Dropped by the collector.
    pub dropped: u64,
    /// CPU seconds until everything was durable.
    pub cpu_durable: f64,
    /// CPU seconds with compaction.
    pub cpu_compacted: f64,
    /// Octets on disk, when durable and after compaction.
    pub octets: [u64; 2],
    /// Most memory until everything was durable, in MiB.
    pub rss_mib: f64,
    /// CPU seconds of the top-ten queries (sources, 5-tuples), per ten million rows.
    pub queries: [f64; 2],
}

impl Outcome {
    /// CPU seconds per million flows kept.
    pub fn cpu_per_million(&self) -> f64 {
        self.cpu_durable / self.flows.max(1) as f64 * 1e6
    }

    /// Flow records that were sent and not kept.
    pub fn lost(&self) -> u64 {
        self.sent.flows - self.flows.min(self.sent.flows)
    }

    /// Flow records sent a second.
    pub fn rate(&self) -> f64 {
        self.sent.flows as f64 / self.sent.seconds
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_flow = |octets: u64| octets as f64 / self.flows.max(1) as f64;
        write!(
            f,
            "{:.3} M flows/s for {:.1} s: {} sent, {} kept, {} lost (kernel {} and own {} messages); \
             {:.3} CPU s/M durable, {:.3} compacted; {:.1} octets/flow durable, {:.1} compacted; \
             {:.0} MiB; top sources {:.3}, top 5-tuples {:.3} CPU s per 10 M",
            self.rate() / 1e6,
            self.sent.seconds,
            self.sent.flows,
            self.flows,
            self.lost(),
            self.kernel,
            self.dropped,
            self.cpu_per_million(),
            self.cpu_compacted / self.flows.max(1) as f64 * 1e6,
            per_flow(self.octets[0]),
            per_flow(self.octets[1]),
            self.rss_mib,
            self.queries[0],
            self.queries[1],
        )
    }
}

/// Runs the pipeline once, with a corpus of its own.
pub fn run(options: &Options) -> Result<Outcome> {
    let distinct = options.corpus.min(options.flows);
    let mut corpus = Corpus::generate(options.protocol, distinct, 1, now_ms());
    run_with(options, &mut corpus)
}

/// Runs the pipeline once.
pub fn run_with(options: &Options, corpus: &mut Corpus) -> Result<Outcome> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("collect").stdin(Stdio::piped()).stdout(Stdio::piped());
    if let Some(data) = &options.data {
        command.arg("--data").arg(data);
    }
    if options.compact {
        command.arg("--compact");
    }
    if options.queries {
        command.arg("--queries");
    }
    let mut child = command.spawn().context("starting the collector")?;
    let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
    let first = lines.next().context("the collector said nothing")??;
    let to: SocketAddr = first.strip_prefix("listening ").context("no address")?.parse()?;
    let sent = load::send(corpus, to, options.flows, options.rate)?;
    std::thread::sleep(Duration::from_millis(200));
    drop(child.stdin.take());
    let result = lines.next().context("the collector ended early")??;
    let usage = sys::wait(child.id())?;
    if !usage.ok {
        bail!("the collector failed");
    }
    let fields: HashMap<&str, f64> = result
        .split_ascii_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
        .collect();
    let field = |name: &str| fields.get(name).copied().with_context(|| format!("no {name}"));
    let flows = field("flows")?;
    let per_rows = |seconds: f64| seconds / flows.max(1.0) * 1e7;
    Ok(Outcome {
        sent,
        flows: flows as u64,
        kernel: field("kernel")? as u64,
        dropped: field("dropped")? as u64,
        cpu_durable: field("cpu_durable")?,
        cpu_compacted: field("cpu_compacted")?,
        octets: [field("octets_durable")? as u64, field("octets_compacted")? as u64],
        rss_mib: field("rss_mib")?,
        queries: [per_rows(field("top_sources")?), per_rows(field("top_tuples")?)],
    })
}
