//! Words into policies: each component gets the policy of its own section, resolved once.
//! What cannot be right is refused here, at the place that set it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use weir_api::ApiPolicy;
use weir_ingest::{ConnectionLimits, IngestPolicy, TlsPolicy};
use weir_meter::cache::CachePolicy;
use weir_meter::owner::OwnerPolicy;
use weir_meter::owner::runtime::RuntimePolicy;
use weir_meter::source::conntrack::ConntrackPolicy;
use weir_meter::{MeterPolicy, SamplingPolicy};
use weir_query::QueryLimits;
use weir_store::{Retention, StorePolicy};
use weir_telemetry::LogPolicy;
use weir_wire::{ExporterSettings, Limits};

use super::words::{Endpoint, Span};
use super::{
    Auth, Config, HttpConfig, IngestConfig, Layers, LogConfig, MeterConfig, Problems, QueryConfig,
    StoreConfig,
};

/// Name of the file in the data folder that keeps templates over a restart.
const TEMPLATES_FILE: &str = "templates";

/// Every component's policy.
#[derive(Debug, Clone)]
pub struct Policies {
    /// Logging.
    pub log: LogPolicy,
    /// Data folder.
    pub folder: PathBuf,
    /// Receiving.
    pub ingest: IngestPolicy,
    /// Metering this machine.
    pub meter: MeterPolicy,
    /// Keeping.
    pub store: StorePolicy,
    /// Limits of a query.
    pub query: QueryLimits,
    /// Limits of the API.
    pub api: ApiPolicy,
    /// The HTTP listener.
    pub http: HttpPolicy,
}

/// The HTTP listener and who may use it.
#[derive(Debug, Clone)]
pub struct HttpPolicy {
    /// Address and port.
    pub listen: SocketAddr,
    /// Who may ask.
    pub auth: Auth,
    /// Further names in Host on loopback.
    pub allowed_hosts: Vec<String>,
    /// Connections at once.
    pub connections_max: usize,
}

impl HttpPolicy {
    /// True when only programs of this machine can connect.
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }
}

/// Checks meanings and makes the policies.
pub fn resolve(mut layers: Layers) -> Result<Policies, Problems> {
    let config = layers.config().clone();
    for (path, value) in [
        ("http.connections_max", config.http.connections_max),
        ("query.rows_max", config.query.rows_max),
        ("query.concurrent_max", config.query.concurrent_max),
        ("ingest.exporters_max", config.ingest.exporters_max),
        ("ingest.templates_max", config.ingest.templates_max),
        ("meter.flows_max", config.meter.flows_max),
        ("meter.peers_max", config.meter.peers_max as usize),
        ("meter.sampling_rate", config.meter.sampling_rate as usize),
    ] {
        if value == 0 {
            layers.refuse(path, "must be at least 1".to_owned());
        }
    }
    for (path, span) in [
        ("query.time_max", config.query.time_max),
        ("store.commit_interval", config.store.commit_interval),
        ("meter.interval", config.meter.interval),
        ("meter.counter_interval", config.meter.counter_interval),
        ("meter.conntrack_interval", config.meter.conntrack_interval),
        ("meter.active_timeout", config.meter.active_timeout),
        ("meter.idle_timeout", config.meter.idle_timeout),
    ] {
        if span.0.is_zero() {
            layers.refuse(path, "must be longer than 0".to_owned());
        }
    }
    if config.ingest.udp.0.is_empty() && config.ingest.tcp.0.is_empty() {
        layers.refuse("ingest.udp", "there must be a UDP or a TCP port to receive on".to_owned());
    }
    refuse_half_tls(&mut layers, &config.ingest);
    let Config { log, data, ingest, meter, agent: _, store, http, query } = layers.finish()?;
    Ok(Policies {
        log: log_policy(&log),
        ingest: ingest_policy(ingest, &data.folder),
        meter: meter_policy(&meter),
        store: store_policy(&store, &data.folder),
        query: query_limits(&query),
        api: api_policy(&http, &query),
        http: HttpPolicy {
            listen: http.listen.0,
            auth: http.auth,
            allowed_hosts: http.allowed_hosts.0,
            connections_max: http.connections_max,
        },
        folder: data.folder,
    })
}

/// A certificate and its key belong together, and what else TLS can do needs them.
fn refuse_half_tls(layers: &mut Layers, config: &IngestConfig) {
    let set = |path: &Path| !path.as_os_str().is_empty();
    match (set(&config.tls_certificate), set(&config.tls_key)) {
        (true, false) => layers.refuse("ingest.tls_certificate", "needs ingest.tls_key".to_owned()),
        (false, true) => layers.refuse("ingest.tls_key", "needs ingest.tls_certificate".to_owned()),
        (true, true) => {}
        (false, false) => {
            let needs = || "needs ingest.tls_certificate and ingest.tls_key".to_owned();
            if set(&config.tls_client_ca) {
                layers.refuse("ingest.tls_client_ca", needs());
            }
            if config.tls_only {
                layers.refuse("ingest.tls_only", needs());
            }
        }
    }
}

/// The store's folder within the data folder: what is beside it is not the store's.
pub fn store_folder(data: &Path) -> PathBuf {
    data.join("store")
}

pub(super) fn log_policy(config: &LogConfig) -> LogPolicy {
    LogPolicy { level: config.level.clone(), ..LogPolicy::default() }
}

fn ingest_policy(config: IngestConfig, data: &Path) -> IngestPolicy {
    let addresses = |list: Vec<Endpoint>| list.into_iter().map(|endpoint| endpoint.0).collect();
    let blocks = config.repair_antrea_counters.0.iter().map(|block| block.0);
    let settings = settings(&config, blocks.collect());
    IngestPolicy {
        udp: addresses(config.udp.0),
        tcp: addresses(config.tcp.0),
        receive_threads: config.receive_threads,
        decode_threads: config.decode_threads,
        receive_buffer_octets: octets(config.receive_buffer),
        queue_octets: octets(config.queue_max),
        allow: config.allow.0.into_iter().map(|block| block.0).collect(),
        connections: ConnectionLimits {
            total: config.connections_max,
            idle: config.connection_idle.0,
            plain_refused: config.tls_only,
            ..ConnectionLimits::default()
        },
        tls: Some(config.tls_certificate).filter(|path| !path.as_os_str().is_empty()).map(
            |certificate| TlsPolicy {
                certificate,
                key: config.tls_key,
                client_ca: Some(config.tls_client_ca).filter(|path| !path.as_os_str().is_empty()),
            },
        ),
        limits: Limits {
            exporters: config.exporters_max,
            templates: config.templates_max,
            template_lifetime: config.template_lifetime.0,
            parked_octets: octets(config.parked_max),
            parked_age: config.parked_age.0,
            settings,
            ..Limits::default()
        },
        state_file: Some(data.join(TEMPLATES_FILE)),
        ..IngestPolicy::default()
    }
}

/// How this machine is metered, by a server and by `weir top` alike.
pub fn meter_policy(config: &MeterConfig) -> MeterPolicy {
    let policy = MeterPolicy::default();
    let first_report = policy.cache.first_report.min(config.active_timeout.0);
    MeterPolicy {
        enabled: config.enabled,
        interval: config.interval.0,
        ebpf: config.ebpf,
        peers_max: config.peers_max,
        interfaces: config.interfaces.0.clone(),
        share: policy.share,
        counter_interval: config.counter_interval.0,
        // Why: A connection within this machine is one flow and has two sockets.
        sockets_max: config.flows_max.saturating_mul(2),
        conntrack: ConntrackPolicy {
            enabled: config.conntrack,
            interval: config.conntrack_interval.0,
            accounting: config.conntrack_accounting,
            tunnel_ports: config.conntrack_tunnel_ports.0.clone(),
            zones: config.conntrack_zones.0.clone(),
            // Why: Entries outlive their flows, by two minutes after the last packet.
            entries_max: config.flows_max.saturating_mul(2),
            ..policy.conntrack
        },
        cache: CachePolicy {
            active_timeout: config.active_timeout.0,
            idle_timeout: config.idle_timeout.0,
            flows_max: config.flows_max,
            first_report,
        },
        owners: OwnerPolicy {
            cmdline_max: config.cmdline_max,
            sockets_max: config.flows_max.saturating_mul(2),
            runtimes: runtime_policy(config),
            ..policy.owners
        },
        sampling: SamplingPolicy {
            names: config.names,
            rows: config.sample_rows,
            rate: config.sampling_rate,
            loopback: config.packets_of_loopback,
            header_octets: config.sample_header,
        },
    }
}

fn runtime_policy(config: &MeterConfig) -> RuntimePolicy {
    let mut policy = RuntimePolicy::default();
    if !config.runtime_sockets {
        policy.sockets.clear();
    }
    if !config.runtime_folders {
        policy.folders.clear();
        policy.lists.clear();
    }
    policy
}

/// One list of settings from two: the first entry that holds an exporter counts, so an entry for
/// a repair also tells the rate of the smallest block with a rate that holds the repaired block.
fn settings(config: &IngestConfig, repaired: Vec<weir_model::Cidr>) -> Vec<ExporterSettings> {
    let size = |block: &weir_model::Cidr| block.last.0 - block.first.0;
    let mut rates: Vec<_> = config.sampling_rates.0.clone();
    rates.sort_by_key(|rate| size(&rate.exporters));
    let rate_of = |block: &weir_model::Cidr| {
        let holds =
            |outer: &weir_model::Cidr| outer.contains(block.first) && outer.contains(block.last);
        rates.iter().find(|rate| holds(&rate.exporters)).map(|rate| rate.rate)
    };
    let is_repaired = |block: &weir_model::Cidr| {
        repaired.iter().any(|outer| outer.contains(block.first) && outer.contains(block.last))
    };
    let mut settings: Vec<ExporterSettings> = repaired
        .iter()
        .map(|&exporters| ExporterSettings {
            exporters,
            sampling_rate: rate_of(&exporters),
            repair_antrea_counters: true,
        })
        .chain(rates.iter().map(|rate| ExporterSettings {
            exporters: rate.exporters,
            sampling_rate: Some(rate.rate),
            repair_antrea_counters: is_repaired(&rate.exporters),
        }))
        .collect();
    settings.sort_by_key(|setting| size(&setting.exporters));
    settings
}

pub(super) fn octets(octets: super::words::Octets) -> usize {
    usize::try_from(octets.0).unwrap_or(usize::MAX)
}

/// How the store of a data folder is kept, for a server and for `weir import` alike.
pub fn store_policy(config: &StoreConfig, data: &Path) -> StorePolicy {
    let mut policy = StorePolicy::new(store_folder(data));
    let keep = |span: Span| Some(span.0).filter(|span| *span > Duration::ZERO);
    policy.commit_interval = config.commit_interval.0;
    policy.commit_octets = octets(config.commit_octets);
    policy.disk_free_min = config.disk_free_min.0;
    policy.index_cache = octets(config.index_cache);
    policy.compaction.enabled = config.compaction;
    policy.retention = Retention {
        flows: keep(config.keep_flows),
        counters: keep(config.keep_counters),
        options: keep(config.keep_options),
        minute: keep(config.keep_minutes),
        five_minutes: keep(config.keep_five_minutes),
        hour: keep(config.keep_hours),
        octets_max: Some(config.octets_max.0).filter(|octets| *octets > 0),
    };
    policy
}

/// Limits of one query, for a server and for `weir query --data` alike.
pub fn query_limits(config: &QueryConfig) -> QueryLimits {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    QueryLimits {
        memory: octets(config.memory_max),
        time: config.time_max.0,
        threads: cores,
        rows: config.rows_max,
        ..QueryLimits::default()
    }
}

fn api_policy(http: &HttpConfig, query: &QueryConfig) -> ApiPolicy {
    ApiPolicy {
        body_max: octets(http.body_max),
        queries_max: query.concurrent_max,
        tails_max: http.tails_max,
        tail_records_per_second: http.tail_records_per_second,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(assignments: &[&str]) -> Layers {
        let mut layers = Layers::default();
        for text in assignments {
            layers.assignment(text);
        }
        layers
    }

    #[test]
    fn the_defaults_are_the_components_own() {
        let policies = resolve(layers(&[])).unwrap();
        let (ingest, store) = (IngestPolicy::default(), StorePolicy::new("./weir-data/store"));
        let ours = IngestPolicy { state_file: None, ..policies.ingest };
        assert_eq!(format!("{ours:?}"), format!("{ingest:?}"));
        assert_eq!(format!("{:?}", policies.store), format!("{store:?}"));
        assert_eq!(format!("{:?}", policies.meter), format!("{:?}", MeterPolicy::default()));
        assert!(policies.http.is_loopback());
        assert_eq!(policies.http.listen.port(), 8008);
    }

    #[test]
    fn what_cannot_be_right_is_refused_where_it_was_set() {
        let refused = resolve(layers(&["query.rows_max=0", "ingest.udp=", "ingest.tcp="]));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "--set query.rows_max=0: query.rows_max: must be at least 1\n\
             --set ingest.udp=: ingest.udp: there must be a UDP or a TCP port to receive on"
        );
    }

    #[test]
    fn the_smallest_block_decides_about_an_exporter() {
        let policies = resolve(layers(&[
            "ingest.sampling_rates=10.0.0.0/8=512,10.1.0.0/16=64",
            "ingest.repair_antrea_counters=10.1.2.0/24",
        ]))
        .unwrap();
        let of = |addr: &str| {
            let settings = policies.ingest.limits.settings_of(addr.parse().unwrap()).unwrap();
            (settings.sampling_rate, settings.repair_antrea_counters)
        };
        assert_eq!(of("10.9.0.1"), (Some(512), false));
        assert_eq!(of("10.1.9.1"), (Some(64), false));
        assert_eq!(of("10.1.2.3"), (Some(64), true));
    }
}
