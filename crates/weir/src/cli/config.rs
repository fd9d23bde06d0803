//! `weir config`: is the configuration right, and what could it say.

use std::process::ExitCode;

use clap::Subcommand;

use super::Settings;
use super::out::print;
use crate::config::{default_file, policies};

/// Arguments of `weir config`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

const EXAMPLES: &str = "\
Examples:
  weir config check --config /etc/weir/weir.toml
  weir config print-default > weir.toml";

#[derive(Debug, Subcommand)]
enum Action {
    /// Reads every layer and says what is wrong, with the line and the nearest key
    #[command(after_help = "Example:\n  weir config check --set http.listen=0.0.0.0:8008")]
    Check,
    /// Prints every key with its default and its documentation
    #[command(after_help = "Example:\n  weir config print-default > /etc/weir/weir.toml")]
    PrintDefault,
}

impl Args {
    /// Does it.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Check => {
                policies::resolve(settings.layers()?)?;
                print("the configuration is right\n")?;
            }
            Action::PrintDefault => print(&default_file())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
