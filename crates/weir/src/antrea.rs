//! antrea-agent.conf as Antrea reads it: what of it is about the flow exporter, so that a node that
//! ran Antrea's exporter runs Weir's with the same file. Knows the names of today
//! (`flowExporter.*`) and of v1.0 (`flowCollectorAddr` … `enableTLSToFlowAggregator` on top).

use std::time::Duration;

use weir_sink::Destination;
use weir_sink::ipfix::Transport;

mod yaml;

use yaml::Value;

/// Name under which a ConfigMap holds the file.
const FILE: &str = "antrea-agent.conf";
/// Least that Antrea takes for flowPollInterval.
const POLL_MIN: Duration = Duration::from_secs(1);

/// What the file says of the flow exporter; `None` is not said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Antrea {
    /// `flowExporter.enable`, else the feature gate `FlowExporter`.
    pub enable: Option<bool>,
    /// `flowCollectorAddr`, with TLS as the file has it; its default where none is said.
    pub collector: Option<Destination>,
    /// `flowPollInterval`.
    pub poll: Option<Duration>,
    /// `activeFlowExportTimeout`.
    pub active: Option<Duration>,
    /// `idleFlowExportTimeout`.
    pub idle: Option<Duration>,
    /// `protocolFilter` as IP protocols; `None` is all.
    pub protocols: Option<Vec<u8>>,
    /// What was taken, for the log: `name=value`.
    pub taken: Vec<String>,
    /// Keys that are none of the flow exporter's.
    pub ignored: usize,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text}")]
pub struct AntreaError {
    /// Line of the file, from 1; of the block in a ConfigMap.
    pub line: usize,
    /// What is wrong and what to write.
    pub text: String,
}

/// Reads a file, or the ConfigMap that holds it.
pub fn read(text: &str) -> Result<Antrea, AntreaError> {
    let entries =
        yaml::read(text).map_err(|(line, text)| AntreaError { line, text: text.to_owned() })?;
    let block = entries.iter().find_map(|entry| match &entry.value {
        Value::Block(block) if entry.path.ends_with(FILE) => Some(block),
        _ => None,
    });
    if let Some(block) = block {
        return read(block);
    }
    let mut found = Found::default();
    for entry in &entries {
        found.take(&entry.path, &entry.value).map_err(|text| AntreaError {
            line: entry.line,
            text: format!("{}: {text}", entry.path),
        })?;
    }
    found.finish()
}

#[derive(Default)]
struct Found {
    antrea: Antrea,
    address: Option<Destination>,
    /// The address stands on top, as in v1.0, where TLS is a key of its own.
    on_top: bool,
    tls: Option<bool>,
    gate: Option<bool>,
}

impl Found {
    fn take(&mut self, path: &str, value: &Value) -> Result<(), String> {
        let (inner, name) = match path.strip_prefix("flowExporter.") {
            Some(name) => (true, name),
            None => (false, path),
        };
        match (name, value) {
            ("featureGates.FlowExporter", Value::Scalar(text)) if !inner => {
                self.gate = Some(boolean(text)?);
            }
            ("enable", Value::Scalar(text)) if inner => self.antrea.enable = Some(boolean(text)?),
            ("enableTLSToFlowAggregator", Value::Scalar(text)) => self.tls = Some(boolean(text)?),
            ("flowCollectorAddr", Value::Scalar(text)) => {
                self.address = Some(text.parse().map_err(|error| format!("{error}"))?);
                self.on_top = !inner;
            }
            ("flowPollInterval", Value::Scalar(text)) => {
                let poll = duration(text)?;
                if poll < POLL_MIN {
                    return Err(format!("`{text}` is shorter than 1s"));
                }
                self.antrea.poll = Some(poll);
            }
            ("activeFlowExportTimeout", Value::Scalar(text)) => {
                self.antrea.active = Some(positive(text)?);
            }
            ("idleFlowExportTimeout", Value::Scalar(text)) => {
                self.antrea.idle = Some(positive(text)?);
            }
            ("protocolFilter", Value::List(names)) => {
                let protocols: Result<Vec<u8>, String> =
                    names.iter().map(|name| protocol(name)).collect();
                // Why: Antrea takes an empty list for all.
                self.antrea.protocols = Some(protocols?).filter(|list| !list.is_empty());
            }
            _ => {
                self.antrea.ignored += 1;
                return Ok(());
            }
        }
        let text = match value {
            Value::Scalar(text) | Value::Block(text) => text.clone(),
            Value::List(items) => items.join(","),
        };
        self.antrea.taken.push(format!("{name}={text}"));
        Ok(())
    }

    fn finish(self) -> Result<Antrea, AntreaError> {
        let Found { mut antrea, address, on_top, tls, gate } = self;
        antrea.enable = antrea.enable.or(gate);
        let default = || {
            let word = match tls {
                // Why: Who names TLS apart has a v1.0 file, and its default address.
                Some(_) => "flow-aggregator.flow-aggregator.svc:4739:tcp",
                None => "flow-aggregator/flow-aggregator:4739:tls",
            };
            word.parse().map_err(|error| AntreaError { line: 0, text: format!("{error}") })
        };
        let mut destination = match address {
            Some(destination) => destination,
            None => default()?,
        };
        // In v1.0 TLS is on unless it is switched off, and is over TCP only.
        let wants_tls = tls.unwrap_or(on_top);
        if let Destination::Ipfix(target) = &mut destination
            && target.transport == Transport::Tcp
            && wants_tls
        {
            target.transport = Transport::Tls;
        }
        antrea.collector = Some(destination);
        Ok(antrea)
    }
}

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("`{text}` is not true or false")),
    }
}

fn protocol(name: &str) -> Result<u8, String> {
    match name.to_ascii_lowercase().as_str() {
        "tcp" => Ok(6),
        "udp" => Ok(17),
        "sctp" => Ok(132),
        _ => Err(format!("`{name}` is no protocol; there are tcp, udp and sctp")),
    }
}

fn positive(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err(format!("`{text}` must be longer than 0")),
        duration => Ok(duration),
    }
}

/// A duration as Go writes it: numbers with `ns us µs ms s m h`, one after the other (`1m30s`).
pub fn duration(text: &str) -> Result<Duration, String> {
    let refused =
        || format!("`{text}` is not a duration like 5s, 1m30s or 300ms (ns us µs ms s m h)");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refused)?;
        let (number, after) = rest.split_at(digits);
        let number: f64 = number.parse().map_err(|_| refused())?;
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        seconds += number
            * match unit {
                "ns" => 1e-9,
                // Two characters look like this: micro sign and Greek mu.
                "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                _ => return Err(refused()),
            };
        rest = after;
    }
    match text.is_empty() {
        true => Err(refused()),
        false => Duration::try_from_secs_f64(seconds).map_err(|_| refused()),
    }
}

#[cfg(test)]
mod tests;
