//! `weir token`: who may ask over HTTP.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use weir_api::Tokens;
use weir_model::{Clock, SystemClock};

use super::Settings;
use super::out::{print, say};
use super::table::align;
use super::text::visible;

/// Arguments of `weir token`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// Data folder, instead of data.folder of the configuration
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  weir token new --label grafana   makes a token and shows it, once
  weir token list                  ids, labels and times; tokens themselves are not kept
  weir token revoke 1a2b3c4d       takes effect at the next request";

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a token; it is shown once, only its hash is kept
    #[command(after_help = "Example:\n  weir token new --label grafana > grafana.token")]
    New {
        /// What it is for
        #[arg(long, default_value = "")]
        label: String,
    },
    /// Lists the tokens that there are
    #[command(after_help = "Example:\n  weir token list --data ./weir-data")]
    List,
    /// Forgets a token
    #[command(after_help = "Example:\n  weir token revoke 1a2b3c4d")]
    Revoke {
        /// Id, as `weir token list` shows it
        id: String,
    },
}

impl Args {
    /// Does it.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let folder = match self.data {
            Some(folder) => folder,
            None => settings.load()?.data.folder,
        };
        let tokens = Tokens::in_folder(&folder);
        match self.action {
            Action::New { label } => {
                let (entry, secret) = tokens.create(&label, SystemClock.now())?;
                print(&format!("{}\n", secret.reveal()))?;
                say(&format!(
                    "Token {} made in {}. It is shown only now.\n",
                    entry.id,
                    folder.display()
                ));
            }
            Action::List => {
                let mut lines = vec![["id", "made at", "label"].map(str::to_owned).to_vec()];
                for entry in tokens.list()? {
                    let made_at = entry.made_at.to_string();
                    lines.push(vec![entry.id, made_at, visible(&entry.label)]);
                }
                print(&align(&lines, &[false; 3]))?;
            }
            Action::Revoke { id } => {
                let entry = tokens.revoke(&id)?;
                say(&format!("Token {} {} revoked.\n", entry.id, visible(&entry.label)));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
