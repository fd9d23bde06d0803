//! Load generator, whole-pipeline benchmark and the table of bars (`make bench`).
//!
//! Beside the flow of data: it stands where exporters stand, and measures from outside. The
//! datagrams are written without `weir-wire`.
#![deny(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

mod collect;
mod corpus;
mod decoders;
mod load;
mod nfdump;
mod pipeline;
mod report;
#[expect(unsafe_code, reason = "sendmmsg and wait4 are not in the standard library")]
mod sys;
mod traffic;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::corpus::{Corpus, Protocol};

/// Benchmarks of Weir.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sends the traffic model to a collector.
    Load {
        /// Where to.
        #[arg(long)]
        to: SocketAddr,
        /// Which protocol.
        #[arg(long, value_enum, default_value = "ipfix")]
        protocol: Protocol,
        /// How many flow records.
        #[arg(long, default_value_t = 1_000_000)]
        flows: u64,
        /// Flow records a second; 0 for as fast as it goes.
        #[arg(long, default_value_t = 100_000.0)]
        rate: f64,
        /// Flow records made before the first is sent; then they are sent round and round.
        #[arg(long, default_value_t = 1_000_000)]
        corpus: u64,
    },
    /// Writes datagrams to a file, each after its length (32 bits, little-endian).
    Corpus {
        /// Where to.
        #[arg(long)]
        out: PathBuf,
        /// Which protocol.
        #[arg(long, value_enum, default_value = "ipfix")]
        protocol: Protocol,
        /// How many flow records.
        #[arg(long, default_value_t = 1_000_000)]
        flows: u64,
    },
    /// Decodes in memory, one thread.
    Decoders {
        /// How many flow records.
        #[arg(long, default_value_t = 1_000_000)]
        flows: u64,
        /// Only this one: for a profiler.
        #[arg(long)]
        protocol: Option<Protocol>,
    },
    /// Receives and stores until its standard input ends: what `pipeline` measures.
    Collect(collect::Options),
    /// Packets in, durable rows out, at one rate.
    Pipeline(pipeline::Options),
    /// Everything, with nfdump beside it where it is installed, as the table of bars.
    Bars(report::Options),
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Load { to, protocol, flows, rate, corpus } => {
            let mut corpus = Corpus::generate(protocol, corpus.min(flows), 1, now_ms());
            let sent = load::send(&mut corpus, to, flows, rate)?;
            println!(
                "sent {} flows in {} datagrams, {:.3} M flows/s",
                sent.flows,
                sent.datagrams,
                sent.flows as f64 / sent.seconds / 1e6
            );
        }
        Command::Corpus { out, protocol, flows } => {
            let corpus = Corpus::generate(protocol, flows, 1, now_ms());
            std::fs::write(&out, corpus.framed())?;
            println!("{} flows in {} datagrams", corpus.flows, corpus.datagrams.len());
        }
        Command::Decoders { flows, protocol } => {
            decoders::run(flows, protocol).iter().for_each(|row| println!("{row}"))
        }
        Command::Collect(options) => collect::run(&options)?,
        Command::Pipeline(options) => println!("{}", pipeline::run(&options)?),
        Command::Bars(options) => report::run(&options)?,
    }
    Ok(())
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
