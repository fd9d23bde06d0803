//! `weir goflow`: goflow's command line, log lines and output, so that what was written for it
//! works with one word more.

use std::io::{self, IsTerminal};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use weir_sink::Format;

use super::out::{print, say};
use crate::live::Live;

/// Arguments of `weir goflow`: Go's flags, which clap cannot read.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true, after_help = EXAMPLES)]
pub struct Args {
    /// goflow's own flags; `weir goflow -help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
    words: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  weir goflow -kafka=false -sflow=true -nf=true
  weir goflow -kafka=false -nf.port 9995 -logfmt json";

/// A flag of goflow 3.4.2: name, default, meaning. A default of `true` or `false` makes it boolean.
type Flag = (&'static str, &'static str, &'static str);

const FLAGS: &[Flag] = &[
    ("kafka", "true", "Enable Kafka (not in this version of Weir: say -kafka=false)"),
    ("kafka.brokers", "127.0.0.1:9092,[::1]:9092", "Kafka brokers list separated by commas"),
    ("kafka.hashing", "false", "Enable partitioning by hash instead of random"),
    (
        "kafka.key",
        "SamplerAddr,DstAS",
        "Kafka list of fields to do hashing on (partition) separated by commas",
    ),
    ("kafka.log.err", "false", "Log Kafka errors"),
    ("kafka.sasl", "false", "Use SASL to connect to Kafka"),
    ("kafka.srv", "", "SRV record containing a list of Kafka brokers (or use kafka.out.brokers)"),
    ("kafka.tls", "false", "Use TLS to connect to Kafka"),
    ("kafka.topic", "flow-messages", "Kafka topic to produce to"),
    (
        "kafka.version",
        "0.11.0.0",
        "Log message version (must be a version that parses per sarama.ParseKafkaVersion)",
    ),
    ("logfmt", "normal", "Log formatter"),
    ("loglevel", "info", "Log level"),
    (
        "metrics.addr",
        ":8080",
        "Metrics address (accepted and not served: `weir serve` has metrics)",
    ),
    ("metrics.path", "/metrics", "Metrics path"),
    ("nf", "true", "Enable NetFlow/IPFIX"),
    ("nf.addr", "", "NetFlow/IPFIX listening address"),
    ("nf.port", "2055", "NetFlow/IPFIX listening port"),
    ("nf.reuseport", "false", "Enable so_reuseport for NetFlow/IPFIX"),
    ("nfl", "true", "Enable NetFlow v5"),
    ("nfl.addr", "", "NetFlow v5 listening address"),
    ("nfl.port", "2056", "NetFlow v5 listening port"),
    ("nfl.reuseport", "false", "Enable so_reuseport for NetFlow v5"),
    ("proto.fixedlen", "false", "Enable fixed length protobuf"),
    ("sflow", "true", "Enable sFlow"),
    ("sflow.addr", "", "sFlow listening address"),
    ("sflow.port", "6343", "sFlow listening port"),
    ("sflow.reuseport", "false", "Enable so_reuseport for sFlow"),
    ("templates.path", "/templates", "NetFlow/IPFIX templates list"),
    ("v", "false", "Print version"),
    ("workers", "1", "Number of workers per collector"),
];

/// The listeners in the order in which goflow's log shows them.
const LISTENERS: [(&str, &str); 3] =
    [("nfl", "NetFlowLegacy"), ("sflow", "sFlow"), ("nf", "NetFlow")];

/// What the words asked for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Run(Vec<(&'static str, String)>),
    Help,
}

/// Reads words as Go's `flag` package does: `-name`, `--name`, `-name=value`, `-name value`.
fn parse(words: &[String]) -> Result<Asked, String> {
    let mut set: Vec<(&'static str, String)> = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(name) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else { break };
        if name.is_empty() {
            break;
        }
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        if matches!(name, "h" | "help") {
            return Ok(Asked::Help);
        }
        let flag = FLAGS.iter().find(|(known, ..)| *known == name);
        let &(name, default, _) =
            flag.ok_or_else(|| format!("flag provided but not defined: -{name}"))?;
        let boolean = matches!(default, "true" | "false");
        let value = match value {
            Some(value) => value,
            None if boolean => "true".to_owned(),
            None => {
                words.next().cloned().ok_or_else(|| format!("flag needs an argument: -{name}"))?
            }
        };
        if boolean && truth(&value).is_none() {
            return Err(format!("invalid boolean value {value:?} for -{name}: parse error"));
        }
        set.push((name, value));
    }
    Ok(Asked::Run(set))
}

/// The words that Go's `strconv.ParseBool` takes.
fn truth(word: &str) -> Option<bool> {
    match word {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn usage() -> String {
    let mut text = String::from("Usage of goflow:\n");
    for (name, default, meaning) in FLAGS {
        let kind = if matches!(*default, "true" | "false") { "" } else { " string" };
        let default = match *default {
            "" | "false" => String::new(),
            default => format!(" (default {default})"),
        };
        text.push_str(&format!("  -{name}{kind}\n    \t{meaning}{default}\n"));
    }
    text
}

struct Flags(Vec<(&'static str, String)>);

impl Flags {
    /// The last value given, else the default.
    fn get(&self, name: &str) -> &str {
        let given = self.0.iter().rev().find(|(known, _)| *known == name);
        let default = FLAGS.iter().find(|(known, ..)| *known == name).map_or("", |flag| flag.1);
        given.map_or(default, |(_, value)| value)
    }

    fn is(&self, name: &str) -> bool {
        truth(self.get(name)).unwrap_or(false)
    }

    fn address(&self, listener: &str) -> anyhow::Result<SocketAddr> {
        let port = self.get(&format!("{listener}.port"));
        let port =
            port.parse().with_context(|| format!("-{listener}.port: `{port}` is no port"))?;
        let address = self.get(&format!("{listener}.addr"));
        let address = match address {
            "" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            text => text
                .parse()
                .with_context(|| format!("-{listener}.addr: `{text}` is no IP address"))?,
        };
        Ok(SocketAddr::new(address, port))
    }
}

/// Log lines as logrus prints them.
struct Log {
    started: Instant,
    json: bool,
    colour: bool,
}

impl Log {
    fn line(&self, level: &str, text: &str, kind: Option<&str>) {
        say(&self.format(level, text, kind, self.started.elapsed().as_secs()));
    }

    fn format(&self, level: &str, text: &str, kind: Option<&str>, seconds: u64) -> String {
        if self.json {
            let level = if level == "INFO" { "info" } else { "fatal" };
            let kind = kind.map_or(String::new(), |kind| format!("\"Type\":\"{kind}\","));
            return format!("{{{kind}\"level\":\"{level}\",\"msg\":{text:?}}}\n");
        }
        let code = if level == "INFO" { 36 } else { 31 };
        let paint = |word: &str| match self.colour {
            true => format!("\u{1b}[{code}m{word}\u{1b}[0m"),
            false => word.to_owned(),
        };
        let fields = kind.map_or(String::new(), |kind| format!(" {}={kind}", paint("Type")));
        let line = format!("{}[{seconds:04}] {text:<44} {fields}", paint(level));
        format!("{}\n", line.trim_end())
    }
}

impl Args {
    /// Listens and prints until interrupted.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let flags = match parse(&self.words) {
            Ok(Asked::Run(set)) => Flags(set),
            Ok(Asked::Help) => {
                say(&usage());
                return Ok(ExitCode::SUCCESS);
            }
            Err(error) => {
                say(&format!("{error}\n{}", usage()));
                return Ok(ExitCode::from(2));
            }
        };
        if flags.is("v") {
            print(&format!("GoFlow (Weir {})\n", env!("CARGO_PKG_VERSION")))?;
            return Ok(ExitCode::SUCCESS);
        }
        let json = flags.get("logfmt") == "json";
        let log = Log { started: Instant::now(), json, colour: io::stderr().is_terminal() };
        log.line("INFO", "Starting GoFlow", None);
        if flags.is("kafka") {
            log.line("FATA", "Weir has no Kafka output yet: say -kafka=false", None);
            return Ok(ExitCode::FAILURE);
        }
        let (mut addresses, mut listening) = (Vec::new(), Vec::new());
        for (listener, kind) in LISTENERS.iter().filter(|(listener, _)| flags.is(listener)) {
            let (host, port) =
                (flags.get(&format!("{listener}.addr")), flags.get(&format!("{listener}.port")));
            listening.push((format!("Listening on UDP {host}:{port}"), kind));
            addresses.push(flags.address(listener)?);
        }
        let format = if json { Format::GoflowJson } else { Format::Goflow };
        let live = match Live::start(addresses, format.writer(io::stdout()), false) {
            Ok(live) => live,
            Err(error) => {
                let text = format!("Fatal error: could not listen to UDP ({error:#})");
                log.line("FATA", &text, None);
                return Ok(ExitCode::FAILURE);
            }
        };
        // Why: Not before the sockets are there: whoever waits for the line may send at once.
        for (text, kind) in &listening {
            log.line("INFO", text, Some(kind));
        }
        live.wait()?;
        live.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_published_command_line_is_understood() {
        let Ok(Asked::Run(set)) = parse(&words("-kafka=false -sflow=true -nf=true")) else {
            panic!("refused")
        };
        let flags = Flags(set);
        let on = ["kafka", "sflow", "nf", "nfl"].map(|name| flags.is(name));
        assert_eq!(on, [false, true, true, true]);
        let ports = LISTENERS.map(|(listener, _)| flags.address(listener).unwrap().port());
        assert_eq!(ports, [2056, 6343, 2055]);
    }

    #[test]
    fn flags_are_read_as_go_reads_them() {
        let run = |line| match parse(&words(line)) {
            Ok(Asked::Run(set)) => Ok(set),
            Ok(Asked::Help) => panic!("help"),
            Err(error) => Err(error),
        };
        let port = run("--nf.port 9995 -nf=0").unwrap();
        assert_eq!(port, [("nf.port", "9995".to_owned()), ("nf", "0".to_owned())]);
        assert_eq!(run("-nope").unwrap_err(), "flag provided but not defined: -nope");
        assert_eq!(run("-nf.port").unwrap_err(), "flag needs an argument: -nf.port");
        let error = run("-nf=maybe").unwrap_err();
        assert_eq!(error, "invalid boolean value \"maybe\" for -nf: parse error");
        assert_eq!(parse(&words("-help")), Ok(Asked::Help));
    }

    #[test]
    fn log_lines_are_those_of_the_published_session() {
        let log = Log { started: Instant::now(), json: false, colour: false };
        assert_eq!(log.format("INFO", "Starting GoFlow", None, 0), "INFO[0000] Starting GoFlow\n");
        assert_eq!(
            log.format("INFO", "Listening on UDP :2056", Some("NetFlowLegacy"), 0),
            "INFO[0000] Listening on UDP :2056                        Type=NetFlowLegacy\n"
        );
    }
}
