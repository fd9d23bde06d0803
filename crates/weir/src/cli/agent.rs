//! `weir agent`: its flags, laid over the configuration.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::Settings;
use crate::antrea::{self, Antrea};
use crate::config::Layers;
use crate::config::agent::{AgentPolicy, add_antrea, resolve};

/// Arguments of `weir agent`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Where to export to, instead of the configured destinations; may be repeated: `HOST[:PORT]`
    /// and tcp:// are IPFIX over TCP, udp://, tls://, sflow:// (packet samples and counters), json:-
    /// (lines on standard output), json:/path (agent.to)
    #[arg(long, value_name = "DESTINATION")]
    to: Vec<String>,
    /// Where records are kept while a collector is away (agent.folder)
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// PEM file with the certificates that may have signed a collector's (agent.ca)
    #[arg(long, value_name = "FILE")]
    ca: Option<String>,
    /// PEM file with the agent's own certificate (agent.certificate)
    #[arg(long, value_name = "FILE")]
    certificate: Option<String>,
    /// PEM file with the key of that certificate (agent.key)
    #[arg(long, value_name = "FILE")]
    key: Option<String>,
    /// Name that a collector's certificate must be for (agent.server_name)
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Where /metrics, /livez and /api/v1/health are, on loopback; empty: nowhere (agent.http)
    #[arg(long, value_name = "ADDRESS:PORT")]
    http: Option<String>,
    /// An antrea-agent.conf, or the ConfigMap that holds it: destination and time-outs are taken
    /// from it where nothing else sets them (agent.antrea_config)
    #[arg(long, value_name = "FILE")]
    antrea_config: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  weir agent --to collector:4739              IPFIX over TCP; between Weir and Weir nothing is lost
  weir agent --to tls://collector --ca ca.pem --certificate me.pem --key me.key
  weir agent --to udp://10.0.0.1 --to json:-  several destinations, each on its own
  weir agent --to sflow://collector           packet samples and counters, as an sFlow agent
  weir agent --antrea-config antrea-agent.conf

SIGTERM and SIGINT stop it in order: metering, what waits, the exporters. What a collector does not
have then is kept in the folder and sent by the next start.";

impl Args {
    /// Meters and exports.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let (policy, antrea) = self.policy(settings.layers()?)?;
        weir_telemetry::init_logging(&policy.log)?;
        if let Some((path, antrea)) = &antrea {
            tell(path, antrea);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting the thread of the agent")?;
        runtime.block_on(crate::agent::run(policy))?;
        Ok(ExitCode::SUCCESS)
    }

    fn policy(
        &self,
        mut layers: Layers,
    ) -> anyhow::Result<(AgentPolicy, Option<(PathBuf, Antrea)>)> {
        for (flag, key, value) in [
            ("--data", "agent.folder", &self.data),
            ("--ca", "agent.ca", &self.ca),
            ("--certificate", "agent.certificate", &self.certificate),
            ("--key", "agent.key", &self.key),
            ("--server-name", "agent.server_name", &self.server_name),
            ("--http", "agent.http", &self.http),
            ("--antrea-config", "agent.antrea_config", &self.antrea_config),
        ] {
            if let Some(value) = value {
                layers.flag(flag, key, value);
            }
        }
        if !self.to.is_empty() {
            layers.flag("--to", "agent.to", &self.to.join(","));
        }
        let antrea = match layers.config().agent.antrea_config.as_str() {
            "" => None,
            path => Some((PathBuf::from(path), read(Path::new(path))?)),
        };
        if let Some((path, antrea)) = &antrea {
            add_antrea(&mut layers, path, antrea);
        }
        let policy = resolve(layers, antrea.as_ref().map(|(_, antrea)| antrea))?;
        Ok((policy, antrea))
    }
}

fn read(path: &Path) -> anyhow::Result<Antrea> {
    let name = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", name()))?;
    antrea::read(&text).with_context(name)
}

fn tell(path: &Path, antrea: &Antrea) {
    let taken = antrea.taken.join(" ");
    let ignored = antrea.ignored;
    tracing::info!(file = %path.display(), taken, ignored, "Antrea's configuration was read");
    if antrea.taken.is_empty() {
        tracing::warn!(
            file = %path.display(),
            "nothing in this file is about Antrea's flow exporter: its defaults are taken"
        );
    }
    if antrea.enable == Some(false) {
        tracing::warn!(
            file = %path.display(),
            "Antrea's flow exporter is switched off in this file; this agent exports all the same"
        );
    }
}
