//! Configuration: one list of keys with their defaults and documentation, filled in layers
//! (defaults, one TOML file, `WEIR_SECTION__KEY`, `--set section.key=value`, other flags).
//!
//! Invariant: a key that is not in the list is an error that names the nearest one, so a
//! misspelt setting never passes silently. Only the binary reads files and the environment;
//! components get the policy of their own section from [`policies`].

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub mod agent;
pub mod keys;
pub mod layers;
pub mod policies;
pub mod words;

use keys::sections;
use words::{Block, Endpoint, List, Octets, Rate, Span};

pub use layers::{Layers, Problems};

/// The file that is read when it exists and no other is named.
pub const SYSTEM_FILE: &str = "/etc/weir/weir.toml";

/// Who may ask over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// On loopback anyone whose Host and Origin are local, beyond it only who shows a token.
    Token,
    /// Anyone who can reach the port.
    None,
}

sections! {
    /// What is logged, on standard error.
    log: LogConfig {
        /// A level (error, warn, info, debug, trace), or levels by module: "warn,weir_ingest=debug".
        level: String = "\"info\"";
    }

    /// Where records, templates and token hashes are kept.
    data: DataConfig {
        /// The data folder. It is made if it does not exist.
        folder: PathBuf = "\"./weir-data\"";
    }

    /// Receiving: NetFlow v5, v7, v9, IPFIX and sFlow v5 on any port.
    ingest: IngestConfig {
        /// UDP ports. A port alone listens on all addresses, IPv4 and IPv6.
        udp: List<Endpoint> = "[2055, 2056, 4739, 6343]";
        /// TCP ports for IPFIX, plain or within TLS: each takes both.
        tcp: List<Endpoint> = "[4739, 4740]";
        /// The collector's certificate (PEM, with those between it and its CA); empty speaks no
        /// TLS. Changed files are taken without a restart.
        tls_certificate: PathBuf = "\"\"";
        /// Its private key (PEM).
        tls_key: PathBuf = "\"\"";
        /// When set, exporters that speak TLS must show a certificate that a CA in this file signed.
        tls_client_ca: PathBuf = "\"\"";
        /// Refuses TCP connections that do not speak TLS.
        tls_only: bool = "false";
        /// Address blocks that may send, as in ["10.0.0.0/8"]; empty allows all.
        allow: List<Block> = "[]";
        /// Receive buffer to ask the kernel for, per UDP socket; net.core.rmem_max bounds it.
        receive_buffer: Octets = "\"32MiB\"";
        /// Threads that receive; 0 picks one per four cores.
        receive_threads: usize = "0";
        /// Threads that decode; 0 picks one per core.
        decode_threads: usize = "0";
        /// Datagrams that may wait between receiving and decoding; past it arrivals are dropped
        /// and counted.
        queue_max: Octets = "\"64MiB\"";
        /// Exporters and observation domains that are known at once.
        exporters_max: usize = "16384";
        /// Templates of one exporter's session.
        templates_max: usize = "4096";
        /// Age at which a UDP template that was not sent again is forgotten.
        template_lifetime: Span = "\"24h\"";
        /// Data whose template has not come yet: how much may wait, and for how long.
        parked_max: Octets = "\"64MiB\"";
        /// See parked_max.
        parked_age: Span = "\"30m\"";
        /// TCP connections at once.
        connections_max: usize = "2048";
        /// Silence after which a TCP connection is closed.
        connection_idle: Span = "\"1h\"";
        /// Sampling rates of exporters that tell none, as in ["10.0.0.0/24=512"].
        sampling_rates: List<Rate> = "[]";
        /// Exporters that are Antrea 2.4.0 to 2.6.2, whose counters came in the wrong order.
        repair_antrea_counters: List<Block> = "[]";
    }

    /// Metering: the connections of the machine that Weir runs on (docs/meter.md).
    meter: MeterConfig {
        /// Meters this machine. The demo does not unless this is set.
        enabled: bool = "true";
        /// Shortest time between two looks at its sockets.
        interval: Span = "\"1s\"";
        /// Tries eBPF, which counts packets of every socket exactly and knows owners of the shortest
        /// connections. Without the capabilities that it needs the other tiers go on alone.
        ebpf: bool = "true";
        /// Remotes of UDP servers that are counted between two looks; past it packets are counted as
        /// lost.
        peers_max: u32 = "65536";
        /// Interfaces at which eBPF counts packets, as in ["veth*", "eth0", "!docker0"]; empty takes ports
        /// and uplinks: all but loopback, bridges and ends of tunnels.
        interfaces: List<String> = "[]";
        /// How often counters of its interfaces, processors and memory are read.
        counter_interval: Span = "\"20s\"";
        /// Reads connection tracking, where the kernel lets it (CAP_NET_ADMIN): forwarded and
        /// translated connections, and the services behind them.
        conntrack: bool = "true";
        /// Shortest time between two dumps of its table; what begins and ends is told at once.
        conntrack_interval: Span = "\"5s\"";
        /// Lets Weir switch on net.netfilter.nf_conntrack_acct and nf_conntrack_timestamp where
        /// they are off; they stay on. Without them its connections have no octets.
        conntrack_accounting: bool = "false";
        /// UDP ports of tunnels, whose packets it leaves out: what they carry is counted inside.
        conntrack_tunnel_ports: List<u16> = "[4789, 6081, 8472]";
        /// Zones to follow, as in [65520, 65510] for Antrea's; empty follows all.
        conntrack_zones: List<u16> = "[]";
        /// A flow that goes on is reported this often.
        active_timeout: Span = "\"60s\"";
        /// A flow that was silent for this long is reported and is over.
        idle_timeout: Span = "\"15s\"";
        /// Flows at once; past it the one that was silent for longest is reported and is over.
        flows_max: usize = "65536";
        /// Characters of the command lines of processes to keep. They may hold secrets: 0 keeps
        /// none.
        cmdline_max: usize = "0";
        /// Asks docker and podman for names of containers and images, over their sockets where
        /// these may be used.
        runtime_sockets: bool = "true";
        /// Reads names of containers, pods and images from what containerd, CRI-O and podman keep
        /// below /run and /var/lib/containers.
        runtime_folders: bool = "true";
        /// Looks for names of DNS, TLS and HTTP in packets and adds them to flows.
        names: bool = "true";
        /// Keeps packet samples as rows too. They are of packets that flows count already.
        sample_rows: bool = "false";
        /// One packet in this many is a sample.
        sampling_rate: u32 = "400";
        /// Octets of the headers of each sample to keep, for export by sFlow; 256 at most.
        sample_header: usize = "0";
        /// Looks into packets on the loopback interface too.
        packets_of_loopback: bool = "false";
    }

    /// The agent, `weir agent`: meters this machine as the section before says, and exports
    /// (docs/agent.md). The other sections but log are not its.
    agent: AgentConfig {
        /// Destinations: "collector:4739" and "tcp://…" are IPFIX over TCP, "udp://…", "tls://…",
        /// "sflow://…" (packet samples and counters), "json:-" is lines on standard output,
        /// "json:/path" in a file.
        to: List<String> = "[]";
        /// Observation domain of its messages.
        domain: u32 = "0";
        /// Where records are kept while a collector is away, in a folder for each destination.
        folder: PathBuf = "\"./weir-agent-data\"";
        /// Memory for records that a destination does not have yet, before they go to disk.
        buffer_memory: Octets = "\"4MiB\"";
        /// Disk for them, for each destination; past it the oldest are dropped and counted. "0"
        /// keeps nothing on disk: a restart then loses what was not sent.
        buffer_disk: Octets = "\"256MiB\"";
        /// Longest time that a record waits for its message to fill.
        flush_after: Span = "\"1s\"";
        /// Longest message; "0" picks 1400 octets for UDP and 16KiB for connections.
        message_max: Octets = "\"0\"";
        /// How often templates are sent again over UDP.
        template_refresh: Span = "\"60s\"";
        /// PEM file with the certificates that may have signed a collector's; empty takes the
        /// system's.
        ca: String = "\"\"";
        /// PEM file with the agent's own certificate, if collectors want one, and its key.
        certificate: String = "\"\"";
        /// See certificate.
        key: String = "\"\"";
        /// Name that a collector's certificate must be for, where it is not the destination's.
        server_name: String = "\"\"";
        /// Where /metrics, /livez and /api/v1/health are, on loopback; empty: nowhere.
        http: String = "\"127.0.0.1:8009\"";
        /// An antrea-agent.conf, or the ConfigMap that holds it, to take the destination and the
        /// time-outs from.
        antrea_config: String = "\"\"";
    }

    /// Keeping records: how soon they are safe, how long they stay.
    store: StoreConfig {
        /// Longest time between the arrival of a record and the start of its commit. A power cut
        /// loses at most this much.
        commit_interval: Span = "\"200ms\"";
        /// Octets after which a commit starts at once.
        commit_octets: Octets = "\"8MiB\"";
        /// How long flow records are kept; "0" keeps them until octets_max or the disk says no.
        keep_flows: Span = "\"3d\"";
        /// How long counter samples are kept.
        keep_counters: Span = "\"14d\"";
        /// How long options records are kept.
        keep_options: Span = "\"14d\"";
        /// How long sums over a minute are kept.
        keep_minutes: Span = "\"14d\"";
        /// How long sums over five minutes are kept.
        keep_five_minutes: Span = "\"90d\"";
        /// How long sums over an hour are kept.
        keep_hours: Span = "\"400d\"";
        /// Most that the store may take on disk; "0" is no limit. The oldest records go first.
        octets_max: Octets = "\"0\"";
        /// What stays free on the disk: below it records are refused and counted.
        disk_free_min: Octets = "\"512MiB\"";
        /// Memory for what is known of closed segments: bounds of blocks, names. It is read again
        /// when it was given up; a block takes about 3 kB.
        index_cache: Octets = "\"64MiB\"";
        /// Merges small segments into hours, sorted for searches by address.
        compaction: bool = "true";
    }

    /// The API, the status page and the metrics.
    http: HttpConfig {
        /// Address and port. Beyond loopback every request needs a token.
        listen: Endpoint = "\"127.0.0.1:8008\"";
        /// "token", or "none" for closed networks whose scripts send no token.
        auth: Auth = "\"token\"";
        /// Names, besides localhost, that the Host header may have on loopback, for instance
        /// the name of a reverse proxy.
        allowed_hosts: List<String> = "[]";
        /// Connections served at once; more wait.
        connections_max: usize = "256";
        /// Largest request body.
        body_max: Octets = "\"1MiB\"";
        /// Live tails served at once; more are refused.
        tails_max: usize = "8";
        /// Records that one live tail sends in a second; the rest are counted as skipped.
        tail_records_per_second: u32 = "500";
    }

    /// Limits of one query. Past a limit the query ends with an error that says which.
    query: QueryConfig {
        /// Longest run.
        time_max: Span = "\"30s\"";
        /// Most memory for groups, distinct values and sorting.
        memory_max: Octets = "\"256MiB\"";
        /// Most rows in an answer.
        rows_max: usize = "100000";
        /// Queries that run at once; more wait until `time_max` and are then refused.
        concurrent_max: usize = "4";
    }
}

/// The default configuration file, with its documentation as comments.
pub fn default_file() -> String {
    let mut text = String::from(
        "# Weir's configuration: every key with its default. A key that is left out keeps it.\n\
         # Each can also be set as WEIR_SECTION__KEY or --set section.key=value, in this order.\n",
    );
    for section in SECTIONS {
        text.push('\n');
        push_comment(&mut text, section.doc);
        text.push_str(&format!("[{}]\n", section.name));
        for key in section.keys {
            let name = key.path.split_once('.').map_or(key.path, |(_, name)| name);
            push_comment(&mut text, key.doc);
            text.push_str(&format!("{name} = {}\n", key.default));
        }
    }
    text
}

fn push_comment(text: &mut String, lines: &[&str]) {
    for line in lines {
        text.push_str(&format!("#{line}\n"));
    }
}

/// Reads the file layer: `path` if given, else the system's file if there is one.
pub fn read_file(layers: &mut Layers, path: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    use anyhow::Context;
    let system = Path::new(SYSTEM_FILE);
    let path = match path {
        Some(path) => path,
        None if system.exists() => system,
        None => return Ok(None),
    };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading the configuration file {}", path.display()))?;
    layers.file(path, &text);
    Ok(Some(path.to_owned()))
}

#[cfg(test)]
mod tests;
