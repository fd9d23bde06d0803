//! `weir serve`: its flags, laid over the configuration.

use std::process::ExitCode;

use anyhow::Context;

use super::Settings;
use crate::config::Layers;
use crate::config::policies::{Policies, resolve};

/// Data folder of the demo, unless another is named.
const DEMO_FOLDER: &str = "./weir-demo-data";

/// Arguments of `weir serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Data folder (data.folder)
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Where to receive, instead of the configured ports: 2055, udp:127.0.0.1:2055, tcp:4739;
    /// may be repeated
    #[arg(long, value_name = "[udp:|tcp:][ADDRESS:]PORT")]
    listen: Vec<String>,
    /// Where the API and the status page are (http.listen)
    #[arg(long, value_name = "ADDRESS:PORT")]
    http: Option<String>,
    /// Replays captures that ship with Weir in a loop, re-timed to now, into ./weir-demo-data
    #[arg(long)]
    demo: bool,
}

const EXAMPLES: &str = "\
Examples:
  weir serve                                  data in ./weir-data, HTTP on 127.0.0.1:8008
  weir serve --data /var/lib/weir --http 0.0.0.0:8008
  weir serve --listen 9995 --listen tcp:4739  other ports
  weir serve --demo                           something true to ask about, within seconds

SIGTERM and SIGINT stop it in order; every received record is safe then.";

impl Args {
    /// Serves.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let policies = self.policies(settings.layers()?)?;
        weir_telemetry::init_logging(&policies.log)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("weir-http")
            .enable_all()
            .build()
            .context("starting the threads of the API")?;
        runtime.block_on(crate::serve::run(policies, self.demo))?;
        Ok(ExitCode::SUCCESS)
    }

    fn policies(&self, mut layers: Layers) -> anyhow::Result<Policies> {
        match &self.data {
            Some(folder) => layers.flag("--data", "data.folder", folder),
            None if self.demo => layers.flag("--demo", "data.folder", DEMO_FOLDER),
            None => {}
        }
        // Why: What the demo shows is the captures; the machine's own traffic would hide them.
        if self.demo && layers.origin("meter.enabled").is_none() {
            layers.flag("--demo", "meter.enabled", "false");
        }
        if let Some(address) = &self.http {
            layers.flag("--http", "http.listen", address);
        }
        if !self.listen.is_empty() {
            let of = |transport: &str| -> Vec<&str> {
                let words = self.listen.iter().map(String::as_str);
                words.filter_map(|word| strip(word, transport)).collect()
            };
            layers.flag("--listen", "ingest.udp", &of("udp").join(","));
            layers.flag("--listen", "ingest.tcp", &of("tcp").join(","));
        }
        Ok(resolve(layers)?)
    }
}

/// The endpoint of `word` if it is of `transport`; without a transport it is UDP.
fn strip<'a>(word: &'a str, transport: &str) -> Option<&'a str> {
    for (prefix, is) in [("udp:", "udp"), ("tcp:", "tcp")] {
        if let Some(endpoint) = word.strip_prefix(prefix) {
            return (is == transport).then(|| endpoint.trim_start_matches("//"));
        }
    }
    (transport == "udp").then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_configuration() {
        let mut layers = Layers::default();
        layers.assignment("http.listen=127.0.0.1:1");
        let args = Args {
            data: None,
            listen: ["9995", "tcp:127.0.0.1:4739", "udp://:6343"].map(str::to_owned).to_vec(),
            http: Some("[::1]:80".to_owned()),
            demo: true,
        };
        let policies = args.policies(layers).unwrap();
        assert_eq!(policies.http.listen, "[::1]:80".parse().unwrap());
        let any = |port: u16| std::net::SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port));
        assert_eq!(policies.ingest.udp, [any(9995), any(6343)]);
        assert_eq!(policies.ingest.tcp, ["127.0.0.1:4739".parse().unwrap()]);
        assert_eq!(policies.store.dir, std::path::Path::new("./weir-demo-data/store"));
    }
}
