//! The table of bars: what was promised, what was measured, what the peer beside us did.

use std::path::PathBuf;

use anyhow::Result;

use crate::corpus::{Corpus, Protocol};
use crate::pipeline::{self, Outcome};
use crate::{decoders, nfdump, now_ms};

/// How much work to do.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Folder for data; removed and made anew.
    #[arg(long, default_value = "bench-data")]
    dir: PathBuf,
    /// A tenth of the flows: for a quick look.
    #[arg(long)]
    quick: bool,
}

/// One row of the table.
#[derive(Debug)]
struct Bar {
    what: String,
    bar: String,
    measured: String,
    peer: String,
    pass: bool,
}

/// What nfdump did with the same flows.
struct Beside {
    steady: nfdump::Outcome,
    lz4: nfdump::Outcome,
    /// CPU seconds per ten million flows: top sources, top 5-tuples.
    queries: [f64; 2],
}

fn bar(what: &str, bar: &str, measured: String, pass: bool) -> Bar {
    Bar { what: what.into(), bar: bar.into(), measured, peer: String::new(), pass }
}

/// Measures everything and prints the table.
pub fn run(options: &Options) -> Result<()> {
    if options.dir.exists() {
        std::fs::remove_dir_all(&options.dir)?;
    }
    std::fs::create_dir_all(&options.dir)?;
    let scale = if options.quick { 10 } else { 1 };
    let mut bars = decoder_bars(1_000_000 / scale);
    compare_decoders(options, 1_000_000 / scale, &mut bars)?;
    eprintln!("making flows …");
    let mut corpus = Corpus::generate(Protocol::Ipfix, 10_000_000 / scale, 1, now_ms());
    let steady = pipeline_run(options, &mut corpus, 4_000_000 / scale, 400_000.0, "steady")?;
    let fast = pipeline_run(options, &mut corpus, 20_000_000 / scale, 2_050_000.0, "fast")?;
    let peers_here = if nfdump::is_installed() {
        let dir = options.dir.join("nfcapd");
        let steady =
            nfdump::run(&mut corpus, 4_000_000 / scale, 400_000.0, &dir.join("steady"), &[])?;
        let lz4 =
            nfdump::run(&mut corpus, 4_000_000 / scale, 400_000.0, &dir.join("lz4"), &["-y"])?;
        let raw = dir.join("steady");
        let sources = nfdump::query(&raw, &["-s", "srcip/bytes", "-n", "10"])?;
        let tuples = nfdump::query(&raw, &["-s", "record/bytes", "-n", "10"])?;
        let per_rows = |seconds: f64| seconds / steady.flows.max(1) as f64 * 1e7;
        Some(Beside { queries: [sources, tuples].map(per_rows), steady, lz4 })
    } else {
        eprintln!("nfdump is not installed: no ratios (apt-get install nfdump)");
        None
    };
    bars.extend(pipeline_bars(&steady, &fast, peers_here.as_ref()));
    print_table(&bars);
    Ok(())
}

fn pipeline_run(
    options: &Options,
    corpus: &mut Corpus,
    flows: u64,
    rate: f64,
    name: &str,
) -> Result<Outcome> {
    let run = pipeline::Options {
        protocol: corpus.protocol,
        flows,
        rate,
        corpus: flows,
        data: Some(options.dir.join(name)),
        compact: true,
        queries: true,
    };
    let outcome = pipeline::run_with(&run, corpus)?;
    eprintln!("{name}: {outcome}");
    Ok(outcome)
}

fn decoder_bars(flows: u64) -> Vec<Bar> {
    let rows = decoders::run(flows, None);
    rows.iter()
        .map(|row| {
            eprintln!("{row}");
            let least = if row.protocol == Protocol::Sflow { 5.0 } else { 30.0 };
            let exact = row.found.0 == row.found.1;
            bar(
                &format!("decode {:?}, one thread", row.protocol),
                &format!(">= {least} M records/s"),
                format!("{:.1} M records/s", row.decode_mps),
                exact && row.decode_mps >= least,
            )
        })
        .collect()
}

/// Runs the other decoders, where `bench/run` built them, and adds the ratios.
fn compare_decoders(options: &Options, flows: u64, bars: &mut [Bar]) -> Result<()> {
    let Some(program) = std::env::var_os("WEIR_BENCH_PEERS") else { return Ok(()) };
    for (bar, protocol) in bars.iter_mut().zip([Protocol::Ipfix, Protocol::V9]) {
        let path = options.dir.join("datagrams");
        std::fs::write(&path, Corpus::generate(protocol, flows, 1, now_ms()).framed())?;
        let output = std::process::Command::new(&program).arg(&path).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mps = |line: &str| -> Option<(String, f64)> {
            let mut words = line.split_ascii_whitespace();
            let (name, records) = (words.next()?, words.next()?.parse::<f64>().ok()?);
            Some((name.to_owned(), records / words.next()?.parse::<f64>().ok()? / 1e6))
        };
        let found: Vec<_> = text.lines().filter_map(mps).collect();
        let words = found.iter().map(|(name, mps)| format!("{name} {mps:.1} M/s"));
        bar.peer = words.collect::<Vec<_>>().join(", ");
    }
    Ok(())
}

fn pipeline_bars(steady: &Outcome, fast: &Outcome, peers: Option<&Beside>) -> Vec<Bar> {
    let cpu = steady.cpu_per_million();
    let mut durable = bar(
        "packets in, durable rows out",
        "<= 0.35 CPU s/M",
        format!("{cpu:.3} CPU s/M"),
        cpu <= 0.35 && steady.lost() == 0,
    );
    let all = steady.cpu_compacted / steady.flows.max(1) as f64 * 1e6;
    let compacted = bar(
        "the same with compaction and rollups",
        "<= 0.60 CPU s/M",
        format!("{all:.3} CPU s/M"),
        all <= 0.6,
    );
    let rate = bar(
        "rate for 10 s without loss",
        ">= 2 M flows/s, 0 lost",
        format!("{:.2} M flows/s, {} lost", fast.rate() / 1e6, fast.lost()),
        fast.rate() >= 2e6 && fast.lost() == 0,
    );
    let per_flow = fast.octets[1] as f64 / fast.flows.max(1) as f64;
    let mut disk = bar(
        "disk after compaction",
        "<= 17 octets/flow",
        format!("{per_flow:.1} octets/flow"),
        per_flow > 0.0 && per_flow <= 17.0,
    );
    let memory = bar(
        "memory",
        "<= 512 MiB",
        format!("{:.0} MiB at 0.4 M/s, {:.0} at 2 M/s", steady.rss_mib, fast.rss_mib),
        steady.rss_mib <= 512.0,
    );
    if let Some(Beside { steady: raw, lz4, .. }) = peers {
        let ratio = cpu / raw.cpu_per_million;
        durable.peer = format!("{ratio:.2} x nfcapd ({:.3}), bar 1.1", raw.cpu_per_million);
        durable.pass &= ratio <= 1.1;
        let nfdump_per_flow = lz4.octets as f64 / lz4.flows.max(1) as f64;
        let ratio = per_flow / nfdump_per_flow;
        disk.peer = format!("{ratio:.2} x nfdump LZ4 ({nfdump_per_flow:.1}), bar 0.37");
        disk.pass &= ratio <= 0.37;
    }
    let mut bars = vec![durable, compacted, rate, disk, memory];
    let questions = [("top 10 sources, 10 M flows", 0.1), ("top 10 5-tuples, 10 M flows", 1.5)];
    for (i, (what, most)) in questions.into_iter().enumerate() {
        let seconds = fast.queries[i];
        let promised = format!("<= {most} CPU s");
        let mut row = bar(what, &promised, format!("{seconds:.3} CPU s"), seconds <= most);
        if let Some(beside) = peers {
            row.peer =
                format!("{:.3} x nfdump ({:.2})", seconds / beside.queries[i], beside.queries[i]);
        }
        bars.push(row);
    }
    bars
}

fn print_table(bars: &[Bar]) {
    println!("{:<40} {:<24} {:<32} {:<40} pass", "bar", "promised", "measured", "beside us");
    for bar in bars {
        let pass = if bar.pass { "yes" } else { "NO" };
        println!("{:<40} {:<24} {:<32} {:<40} {pass}", bar.what, bar.bar, bar.measured, bar.peer);
    }
}
