//! The command line: one module per subcommand, each with its arguments and its `run`.
//!
//! Standard output carries answers and nothing else; progress and errors go to standard error.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, Layers, read_file};

pub mod agent;
pub mod client;
pub mod completions;
pub mod config;
pub mod decode;
pub mod doctor;
pub mod export;
pub mod goflow;
pub mod import;
pub mod out;
pub mod query;
pub mod records;
pub mod replay;
pub mod serve;
pub mod table;
pub mod text;
pub mod token;
pub mod top;

/// Receives NetFlow, IPFIX and sFlow, keeps every record, and answers at once.
#[derive(Debug, Parser)]
#[command(name = "weir", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  weir serve                                     receive and answer, data in ./weir-data
  weir serve --demo                              the same on captures that ship with Weir
  weir query --from -1h --group-by src_addr      the ten sources that sent most
  weir records --filter 'dst_port = 53' --follow what comes in now
  weir top                                       live flows of this machine
  weir agent --to collector:4739                 meter this machine and export it
  weir doctor                                    what this machine lacks

Configuration: /etc/weir/weir.toml or --config, then WEIR_SECTION__KEY, then --set.
`weir config print-default` shows every key.";

/// Where the configuration comes from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Settings {
    /// Configuration file, instead of /etc/weir/weir.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one key, after the file and the environment; may be repeated
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

impl Settings {
    /// The layers in their order; flags of a subcommand come after them.
    pub fn layers(&self) -> anyhow::Result<Layers> {
        let mut layers = Layers::default();
        read_file(&mut layers, self.config.as_deref())?;
        layers.environment(std::env::vars());
        for text in &self.set {
            layers.assignment(text);
        }
        Ok(layers)
    }

    /// The merged configuration, for subcommands that have no flags of their own about it.
    pub fn load(&self) -> anyhow::Result<Config> {
        Ok(self.layers()?.finish()?)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receives, keeps and answers, until it is told to stop
    Serve(serve::Args),
    /// Meters this machine and exports, keeping nothing but what is on its way
    Agent(agent::Args),
    /// Asks for sums, rates and rankings
    Query(query::Args),
    /// Shows raw records, newest first, or as they arrive
    Records(records::Args),
    /// Shows live flows and their rates, of this machine or of a running Weir
    Top(top::Args),
    /// Decodes a capture, or what arrives, to one line a record
    Decode(decode::Args),
    /// Sends the exports of a capture to a collector
    Replay(replay::Args),
    /// Writes records of a data folder to a Parquet, CSV or JSON file
    Export(export::Args),
    /// Reads Parquet, CSV or a capture into a data folder
    Import(import::Args),
    /// Does what goflow does, with goflow's flags and output
    Goflow(goflow::Args),
    /// Checks what this machine needs to collect without loss
    Doctor(doctor::Args),
    /// Makes, lists and revokes tokens
    Token(token::Args),
    /// Checks the configuration or prints its defaults
    Config(config::Args),
    /// Prints a completion script for a shell
    Completions(completions::Args),
}

/// Runs the subcommand that the command line names.
pub fn run() -> anyhow::Result<ExitCode> {
    let Cli { settings, command } = Cli::parse();
    match command {
        Command::Serve(args) => args.run(&settings),
        Command::Agent(args) => args.run(&settings),
        Command::Query(args) => args.run(&settings),
        Command::Records(args) => args.run(&settings),
        Command::Top(args) => args.run(&settings),
        Command::Decode(args) => args.run(),
        Command::Replay(args) => args.run(),
        Command::Export(args) => args.run(&settings),
        Command::Import(args) => args.run(&settings),
        Command::Goflow(args) => args.run(),
        Command::Doctor(args) => args.run(&settings),
        Command::Token(args) => args.run(&settings),
        Command::Config(args) => args.run(&settings),
        Command::Completions(args) => args.run(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_subcommand_has_examples_and_consistent_arguments() {
        let command = Cli::command();
        command.clone().debug_assert();
        for sub in command.get_subcommands() {
            let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "`weir {} --help` has no example", sub.get_name());
        }
    }
}
