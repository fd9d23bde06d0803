//! The agent's words into policies: destinations, buffers, TLS; metering as `weir serve` has it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use weir_meter::MeterPolicy;
use weir_sink::Destination;
use weir_sink::ipfix::{BufferPolicy, ExportPolicy, Target, TlsFiles};
use weir_sink::sflow::live::SflowTarget;
use weir_telemetry::LogPolicy;

use super::policies::{log_policy, meter_policy, octets};
use super::words::Endpoint;
use super::{AgentConfig, Config, Layers, Problems};
use crate::antrea::Antrea;

/// Everything that `weir agent` is told.
#[derive(Debug, Clone)]
pub struct AgentPolicy {
    /// Logging.
    pub log: LogPolicy,
    /// Metering.
    pub meter: MeterPolicy,
    /// IPFIX destinations.
    pub exports: Vec<ExportPolicy>,
    /// sFlow destinations. With one, packet samples are its own and go nowhere else.
    pub sflow: Vec<SflowTarget>,
    /// Outputs of lines; `None` is standard output.
    pub lines: Vec<Option<PathBuf>>,
    /// IP protocols that are exported; `None` is all.
    pub protocols: Option<Vec<u8>>,
    /// Where its metrics are.
    pub http: Option<SocketAddr>,
}

/// Octets of each packet's headers that go out by sFlow, unless set otherwise (sFlow v5: 128).
const SFLOW_HEADER: usize = 128;

/// Lays what antrea-agent.conf says under what was set by hand: it fills the keys that nobody set.
pub fn add_antrea(layers: &mut Layers, path: &Path, antrea: &Antrea) {
    let flag = format!("--antrea-config {}:", path.display());
    for (key, span) in [
        ("meter.interval", antrea.poll),
        ("meter.active_timeout", antrea.active),
        ("meter.idle_timeout", antrea.idle),
    ] {
        if let Some(span) = span
            && layers.origin(key).is_none()
        {
            layers.flag(&flag, key, &format!("{}s", span.as_secs_f64()));
        }
    }
}

/// Checks meanings and makes the policies.
pub fn resolve(mut layers: Layers, antrea: Option<&Antrea>) -> Result<AgentPolicy, Problems> {
    let config = layers.config().clone();
    if !config.meter.enabled {
        let text = "an agent that does not meter has nothing to export".to_owned();
        layers.refuse("meter.enabled", text);
    }
    for (path, span) in [
        ("meter.interval", config.meter.interval),
        ("meter.counter_interval", config.meter.counter_interval),
        ("meter.active_timeout", config.meter.active_timeout),
        ("meter.idle_timeout", config.meter.idle_timeout),
        ("agent.flush_after", config.agent.flush_after),
    ] {
        if span.0.is_zero() {
            layers.refuse(path, "must be longer than 0".to_owned());
        }
    }
    if config.meter.flows_max == 0 {
        layers.refuse("meter.flows_max", "must be at least 1".to_owned());
    }
    let message_max = config.agent.message_max.0;
    if message_max != 0 && !(512..=65_535).contains(&message_max) {
        let text = format!("{message_max} octets are no message; write 0, or 512 to 65535");
        layers.refuse("agent.message_max", text);
    }
    if config.agent.certificate.is_empty() != config.agent.key.is_empty() {
        let text = "a client certificate needs agent.key, and a key agent.certificate".to_owned();
        layers.refuse("agent.certificate", text);
    }
    let destinations = destinations(&mut layers, &config.agent, antrea);
    let http = http(&mut layers, &config.agent.http);
    let Config { log, meter, agent, .. } = layers.finish()?;
    let (mut exports, mut lines, mut sflow) = (Vec::new(), Vec::new(), Vec::new());
    for destination in destinations {
        match destination {
            Destination::Ipfix(target) => exports.push(export(&agent, target)),
            Destination::Json(place) => lines.push(place),
            Destination::Sflow { host, port } => {
                sflow.push(SflowTarget { host, port, sub_agent: agent.domain });
            }
        }
    }
    let mut meter = meter_policy(&meter);
    if !sflow.is_empty() {
        meter.sampling.rows = true;
        if meter.sampling.header_octets == 0 {
            meter.sampling.header_octets = SFLOW_HEADER;
        }
    }
    Ok(AgentPolicy {
        log: log_policy(&log),
        meter,
        exports,
        sflow,
        lines,
        protocols: antrea.and_then(|antrea| antrea.protocols.clone()),
        http,
    })
}

fn destinations(
    layers: &mut Layers,
    config: &AgentConfig,
    antrea: Option<&Antrea>,
) -> Vec<Destination> {
    let mut destinations: Vec<Destination> = Vec::new();
    for word in &config.to.0 {
        match word.parse() {
            Ok(destination) if destinations.contains(&destination) => {
                layers.refuse("agent.to", format!("`{word}` is named twice"));
            }
            Ok(destination) => destinations.push(destination),
            Err(error) => layers.refuse("agent.to", format!("{error}")),
        }
    }
    if config.to.0.is_empty() {
        destinations.extend(antrea.and_then(|antrea| antrea.collector.clone()));
    }
    if destinations.is_empty() && config.to.0.is_empty() {
        let text = "there is no destination; write --to collector:4739, or agent.to in the file";
        layers.refuse("agent.to", text.to_owned());
    }
    destinations
}

fn http(layers: &mut Layers, text: &str) -> Option<SocketAddr> {
    if text.is_empty() {
        return None;
    }
    match text.parse::<Endpoint>() {
        Ok(Endpoint(address)) if address.ip().to_canonical().is_loopback() => Some(address),
        Ok(_) => {
            let text = "the agent answers on loopback alone; write 127.0.0.1:8009 or nothing";
            layers.refuse("agent.http", text.to_owned());
            None
        }
        Err(error) => {
            layers.refuse("agent.http", error.to_string());
            None
        }
    }
}

fn export(config: &AgentConfig, target: Target) -> ExportPolicy {
    let file = |text: &String| Some(PathBuf::from(text)).filter(|_| !text.is_empty());
    let folder = config.folder.join(folder_name(&target));
    let mut policy = ExportPolicy::new(target);
    policy.domain = config.domain;
    policy.message_octets_max = octets(config.message_max);
    policy.flush_after = config.flush_after.0;
    policy.template_refresh = config.template_refresh.0;
    policy.tls = TlsFiles {
        ca: file(&config.ca),
        certificate: file(&config.certificate),
        key: file(&config.key),
        server_name: Some(config.server_name.clone()).filter(|name| !name.is_empty()),
    };
    // Why: A datagram is gone when it is sent, so over UDP nothing waits for long.
    let disk = if policy.target.transport.is_stream() { config.buffer_disk.0 } else { 0 };
    policy.buffer = BufferPolicy {
        memory_max: octets(config.buffer_memory),
        disk_max: disk,
        folder: Some(folder),
        ..BufferPolicy::default()
    };
    policy
}

/// A name that is one folder and no other destination's.
fn folder_name(target: &Target) -> String {
    let word = format!("{}-{}-{}", target.transport.name(), target.host, target.port);
    word.bytes().fold(String::new(), |mut name, octet| {
        match octet {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' => name.push(char::from(octet)),
            _ => name.push_str(&format!("%{octet:02x}")),
        }
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(settings: &[&str]) -> Result<AgentPolicy, String> {
        let mut layers = Layers::default();
        settings.iter().for_each(|text| layers.assignment(text));
        resolve(layers, None).map_err(|problems| problems.to_string())
    }

    #[test]
    fn destinations_get_what_is_theirs() {
        let policy = policy(&[
            "agent.to=collector, udp://[fd00::1]:9995, json:-, json:/x",
            "agent.domain=9",
            "agent.server_name=c.example",
            "agent.http=",
        ])
        .unwrap();
        assert_eq!((policy.http, policy.lines), (None, vec![None, Some("/x".into())]));
        let [tcp, udp] = policy.exports.as_slice() else { panic!() };
        assert_eq!((tcp.domain, tcp.tls.server_name.as_deref()), (9, Some("c.example")));
        assert_eq!(tcp.buffer.disk_max, 256 << 20);
        let folder = Path::new("./weir-agent-data");
        assert_eq!(tcp.buffer.folder, Some(folder.join("tcp-collector-4739")));
        assert_eq!(udp.buffer.disk_max, 0);
        assert_eq!(udp.buffer.folder, Some(folder.join("udp-fd00%3a%3a1-9995")));
    }

    #[test]
    fn an_sflow_destination_wants_samples_with_their_headers() {
        let sampling = |settings: &[&str]| policy(settings).unwrap().meter.sampling;
        assert!(!sampling(&["agent.to=c"]).rows);
        let policy = policy(&["agent.to=sflow://[fd00::1]", "agent.domain=3"]).unwrap();
        let to = SflowTarget { host: "fd00::1".to_owned(), port: 6_343, sub_agent: 3 };
        assert_eq!((policy.sflow, policy.exports.len()), (vec![to], 0));
        assert!(policy.meter.sampling.rows);
        assert_eq!(policy.meter.sampling.header_octets, 128);
        let by_hand = sampling(&["agent.to=sflow://c", "meter.sample_header=64"]);
        assert_eq!(by_hand.header_octets, 64);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_remedy() {
        for (settings, part) in [
            (&[][..], "there is no destination; write --to"),
            (&["agent.to=sflow://c,sflow://c:6343"][..], "is named twice"),
            (&["agent.to=c,tcp://c:4739"][..], "is named twice"),
            (&["agent.to=c", "agent.http=0.0.0.0:80"][..], "on loopback alone"),
            (&["agent.to=c", "agent.certificate=/x"][..], "needs agent.key"),
            (&["agent.to=c", "agent.message_max=100"][..], "write 0, or 512 to 65535"),
            (&["agent.to=c", "meter.enabled=false"][..], "nothing to export"),
            (&["agent.to=c", "meter.idle_timeout=0s"][..], "must be longer than 0"),
        ] {
            let error = policy(settings).unwrap_err();
            assert!(error.contains(part), "{settings:?}: {error}");
        }
    }

    #[test]
    fn antreas_file_fills_what_nobody_set() {
        let text = "flowExporter:\n  flowCollectorAddr: c:1:udp\n  flowPollInterval: 5s\n  \
                    activeFlowExportTimeout: 90s\n  protocolFilter: [tcp]\n";
        let antrea = crate::antrea::read(text).unwrap();
        let mut layers = Layers::default();
        layers.assignment("meter.active_timeout=7s");
        add_antrea(&mut layers, Path::new("a.conf"), &antrea);
        let policy = resolve(layers, Some(&antrea)).unwrap();
        assert_eq!(policy.exports[0].target.to_string(), "udp://c:1");
        assert_eq!(policy.meter.interval.as_secs(), 5);
        assert_eq!(policy.meter.cache.active_timeout.as_secs(), 7, "set by hand");
        assert_eq!(policy.protocols, Some(vec![6]));
        let mut layers = Layers::default();
        layers.assignment("agent.to=other");
        let policy = resolve(layers, Some(&antrea)).unwrap();
        assert_eq!(policy.exports.len(), 1);
        assert_eq!(policy.exports[0].target.host, "other", "a destination by hand wins");
    }
}
