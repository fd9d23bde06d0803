//! `weir doctor`: what this machine lacks for collecting without loss, each with its remedy.

mod certificates;

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use weir_meter::MeterPolicy;
use weir_model::{Clock, SystemClock, Timestamp};
use weir_store::{DiskFiles, Files};

use super::Settings;
use super::out::print;
use crate::config::policies::{Policies, resolve};

/// Arguments of `weir doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

const EXAMPLES: &str = "\
Examples:
  weir doctor                                    what the configuration needs
  weir doctor --set ingest.receive_buffer=64MiB  what it would need

Exit status 1 when something would keep Weir from running, or exporters from reaching it.";

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    Good,
    /// Nothing to do about it.
    Note,
    Warning,
    Fault,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    grade: Grade,
    subject: String,
    found: String,
    remedy: Option<String>,
}

impl Finding {
    fn good(subject: &str, found: impl Into<String>) -> Finding {
        Finding { grade: Grade::Good, subject: subject.into(), found: found.into(), remedy: None }
    }

    fn bad(
        grade: Grade,
        subject: &str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        let remedy = Some(remedy.into());
        Finding { grade, subject: subject.into(), found: found.into(), remedy }
    }
}

impl Args {
    /// Checks and prints.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let policies = resolve(settings.layers()?)?;
        let findings = examine(&policies);
        print(&report(&findings))?;
        let faults = findings.iter().any(|finding| finding.grade == Grade::Fault);
        Ok(if faults { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn examine(policies: &Policies) -> Vec<Finding> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let capabilities = effective_capabilities(&status);
    let rmem_max = fs::read_to_string("/proc/sys/net/core/rmem_max").ok();
    let mut findings = vec![receive_buffer(
        rmem_max.and_then(|text| text.trim().parse().ok()),
        policies.ingest.receive_buffer_octets,
        capabilities,
    )];
    findings.push(privileges(lowest_port(policies), capabilities));
    findings.extend(ports(policies, capabilities));
    findings.push(folder(&policies.folder));
    findings.push(disk(policies));
    findings.push(clock(SystemClock.now(), time_keeper()));
    findings.push(descriptors(
        &fs::read_to_string("/proc/self/limits").unwrap_or_default(),
        policies.http.connections_max + policies.ingest.connections.total,
    ));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    findings.extend(certificates::certificates(policies.ingest.tls.as_ref(), &clock));
    findings.extend(metering(&policies.meter, capabilities));
    findings
}

/// Which tiers of metering would run here, and what the others cost.
fn metering(policy: &MeterPolicy, capabilities: u64) -> Vec<Finding> {
    let note = |subject: &str, found: String| Finding {
        grade: Grade::Note,
        ..Finding::good(subject, found)
    };
    if !policy.enabled {
        return vec![note("meter", "this machine is not metered: meter.enabled = false".into())];
    }
    let mut findings: Vec<Finding> = weir_meter::probe(policy).iter().map(tier).collect();
    if capabilities & READ_OTHERS != READ_OTHERS {
        findings.push(note(
            "meter owners",
            "processes of other users are known by user id alone: naming them needs \
             CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
                .into(),
        ));
    }
    findings
}

fn tier(tier: &weir_meter::Tier) -> Finding {
    let subject = format!("meter {}", tier.name);
    let Some(why_not) = &tier.why_not else { return Finding::good(&subject, "runs") };
    let found = match tier.costs {
        Some(costs) => format!("{why_not}: {costs}"),
        None => why_not.clone(),
    };
    match tier.is_expected {
        false => Finding { grade: Grade::Note, ..Finding::good(&subject, found) },
        true => Finding::bad(
            Grade::Warning,
            &subject,
            found,
            "let the sandbox allow AF_NETLINK and /proc, or set meter.enabled = false",
        ),
    }
}

/// Bit of CAP_NET_BIND_SERVICE (capabilities(7)).
const BIND_SERVICE: u64 = 1 << 10;
/// Bits of CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE: descriptors of other users' processes.
const READ_OTHERS: u64 = 1 << 2 | 1 << 19;
/// Bit of CAP_NET_ADMIN: may pass net.core.rmem_max.
const NET_ADMIN: u64 = 1 << 12;

fn effective_capabilities(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}

fn lowest_port(policies: &Policies) -> u16 {
    let flows = policies.ingest.udp.iter().chain(&policies.ingest.tcp);
    let ports = flows.chain(std::iter::once(&policies.http.listen)).map(SocketAddr::port);
    ports.filter(|port| *port > 0).min().unwrap_or(u16::MAX)
}

/// What the process may do beyond any other, and what it would need to.
fn privileges(lowest_port: u16, capabilities: u64) -> Finding {
    const SUBJECT: &str = "capabilities";
    if lowest_port < 1024 && capabilities & BIND_SERVICE == 0 {
        return Finding::bad(
            Grade::Fault,
            SUBJECT,
            format!("port {lowest_port} needs CAP_NET_BIND_SERVICE"),
            "AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit, or choose a port above 1023",
        );
    }
    let held: Vec<&str> = [(BIND_SERVICE, "CAP_NET_BIND_SERVICE"), (NET_ADMIN, "CAP_NET_ADMIN")]
        .into_iter()
        .filter(|(bit, _)| capabilities & bit != 0)
        .map(|(_, name)| name)
        .collect();
    match held.is_empty() {
        true => Finding::good(SUBJECT, "none, and collecting needs none (metering: below)"),
        false => Finding::good(SUBJECT, held.join(", ")),
    }
}

fn receive_buffer(rmem_max: Option<usize>, wanted: usize, capabilities: u64) -> Finding {
    const SUBJECT: &str = "receive buffer";
    match rmem_max {
        None => Finding::bad(
            Grade::Warning,
            SUBJECT,
            "net.core.rmem_max cannot be read",
            "look at the warning of `weir serve` about granted buffers",
        ),
        Some(max) if max >= wanted => {
            Finding::good(SUBJECT, format!("net.core.rmem_max is {max}, {wanted} are wanted"))
        }
        Some(max) if capabilities & NET_ADMIN != 0 => Finding::good(
            SUBJECT,
            format!("net.core.rmem_max is {max}, but CAP_NET_ADMIN may pass it"),
        ),
        Some(max) => Finding::bad(
            Grade::Warning,
            SUBJECT,
            format!("net.core.rmem_max is {max}, {wanted} are wanted: bursts will be lost"),
            format!(
                "sysctl -w net.core.rmem_max={wanted} && \
                 echo net.core.rmem_max={wanted} > /etc/sysctl.d/60-weir.conf"
            ),
        ),
    }
}

fn ports(policies: &Policies, capabilities: u64) -> Vec<Finding> {
    let udp = policies.ingest.udp.iter().map(|address| ("udp", *address));
    let tcp = policies.ingest.tcp.iter().map(|address| ("tcp", *address));
    let http = std::iter::once(("http", policies.http.listen));
    udp.chain(tcp).chain(http).map(|(kind, address)| port(kind, address, capabilities)).collect()
}

fn port(kind: &str, address: SocketAddr, capabilities: u64) -> Finding {
    let subject = format!("port {kind} {}", address.port());
    let bound = match kind {
        "udp" => UdpSocket::bind(address).map(drop),
        _ => TcpListener::bind(address).map(drop),
    };
    match bound {
        Ok(()) => Finding::good(&subject, "free"),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Finding::bad(
            Grade::Warning,
            &subject,
            "in use",
            "by a Weir that runs? else `ss -lunpt` names the program; stop it or choose another port",
        ),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Finding::bad(
            Grade::Fault,
            &subject,
            match capabilities & BIND_SERVICE {
                0 => "ports below 1024 need CAP_NET_BIND_SERVICE".to_owned(),
                _ => error.to_string(),
            },
            "setcap cap_net_bind_service+ep on the program, or choose a port above 1023",
        ),
        Err(error) => Finding::bad(
            Grade::Fault,
            &subject,
            format!("cannot listen on {address}: {error}"),
            "choose an address of this machine: `ip address` lists them",
        ),
    }
}

/// Writes and removes a file, in the folder or in the nearest parent that exists.
fn folder(folder: &Path) -> Finding {
    const SUBJECT: &str = "data folder";
    let existing = nearest_existing(folder);
    let probe = existing.join(format!(".weir-doctor-{}", std::process::id()));
    match fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)) {
        Ok(()) => Finding::good(SUBJECT, format!("{} can be written", folder.display())),
        Err(error) => Finding::bad(
            Grade::Fault,
            SUBJECT,
            format!("{} cannot be written: {error}", existing.display()),
            "chown it to the user that Weir runs as, or name another with --data",
        ),
    }
}

fn nearest_existing(folder: &Path) -> &Path {
    let named = folder.ancestors().find(|path| path.exists());
    // Why: the ancestors of a relative path end with the empty path, which is this folder.
    named.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn disk(policies: &Policies) -> Finding {
    const SUBJECT: &str = "disk";
    let files: Arc<dyn Files> = Arc::new(DiskFiles);
    let existing = nearest_existing(&policies.folder);
    let space = match files.space(existing) {
        Ok(space) => space,
        Err(error) => {
            let remedy = "check that the data folder lies on a local file system";
            return Finding::bad(Grade::Warning, SUBJECT, error.to_string(), remedy);
        }
    };
    let (free, needed) = (space.free, policies.store.disk_free_min);
    let text = format!("{} MiB are free, {} MiB stay free", free >> 20, needed >> 20);
    match free {
        free if free <= needed => Finding::bad(
            Grade::Fault,
            SUBJECT,
            format!("{text}: records would be refused"),
            "free space, name another disk with --data, or lower store.disk_free_min",
        ),
        free if free < 4 * needed => Finding::bad(
            Grade::Warning,
            SUBJECT,
            text,
            "a million flows take some 20 MB: watch the forecast on the status page",
        ),
        _ => Finding::good(SUBJECT, text),
    }
}

/// The program that keeps the clock right, if one is seen.
fn time_keeper() -> Option<String> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some("systemd-timesyncd has synchronised".to_owned());
    }
    let entries = fs::read_dir("/proc").ok()?;
    entries.flatten().find_map(|entry| {
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        let name = name.trim();
        matches!(name, "chronyd" | "ntpd" | "ntpsec" | "openntpd" | "ptp4l" | "phc2sys")
            .then(|| format!("{name} runs"))
    })
}

fn clock(now: Timestamp, keeper: Option<String>) -> Finding {
    const SUBJECT: &str = "clock";
    // 2025-01-01: before this program was written.
    if now.seconds() < 1_735_689_600 {
        let remedy = "set it: records are filed by the time they arrive";
        return Finding::bad(Grade::Fault, SUBJECT, format!("it is {now}, which is past"), remedy);
    }
    match keeper {
        Some(keeper) => Finding::good(SUBJECT, keeper),
        None => Finding::bad(
            Grade::Warning,
            SUBJECT,
            "no program that keeps it right was seen",
            "run chrony or systemd-timesyncd, unless the host of this container does",
        ),
    }
}

fn descriptors(limits: &str, connections: usize) -> Finding {
    const SUBJECT: &str = "open files";
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|rest| rest.split_whitespace().next());
    let wanted = connections + 256;
    match soft.map(str::parse::<usize>) {
        Some(Ok(soft)) if soft < wanted => Finding::bad(
            Grade::Warning,
            SUBJECT,
            format!("{soft} are allowed, {wanted} may be wanted"),
            format!("LimitNOFILE={wanted} in the unit, or `ulimit -n {wanted}`"),
        ),
        Some(Ok(soft)) => Finding::good(SUBJECT, format!("{soft} are allowed")),
        // "unlimited", or no such file.
        _ => Finding::good(SUBJECT, "no limit"),
    }
}

fn report(findings: &[Finding]) -> String {
    let mut out = String::new();
    let width = findings.iter().map(|finding| finding.subject.len()).max().unwrap_or(0).max(16);
    for finding in findings {
        let mark = match finding.grade {
            Grade::Good => "ok  ",
            Grade::Note => "note",
            Grade::Warning => "warn",
            Grade::Fault => "FAIL",
        };
        out.push_str(&format!("{mark}  {:<width$}  {}\n", finding.subject, finding.found));
        if let Some(remedy) = &finding.remedy {
            out.push_str(&format!("      {:<width$}  -> {remedy}\n", ""));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_receive_buffer_names_its_remedy() {
        let finding = receive_buffer(Some(212_992), 16 << 20, 0);
        assert_eq!(
            report(&[finding]),
            "warn  receive buffer    net.core.rmem_max is 212992, 16777216 are wanted: bursts will be lost\n\
             \u{20}                       -> sysctl -w net.core.rmem_max=16777216 && echo net.core.rmem_max=16777216 > /etc/sysctl.d/60-weir.conf\n"
        );
        assert_eq!(receive_buffer(Some(16 << 20), 16 << 20, 0).grade, Grade::Good);
    }

    #[test]
    fn a_taken_port_and_a_foreign_address_are_told_apart() {
        let held = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        assert_eq!(port("udp", address, 0).found, "in use");
        assert_eq!(port("udp", "192.0.2.1:0".parse().unwrap(), 0).grade, Grade::Fault);
        drop(held);
        assert_eq!(port("udp", address, 0).found, "free");
    }

    #[test]
    fn a_low_port_needs_a_capability() {
        assert_eq!(privileges(514, 0).found, "port 514 needs CAP_NET_BIND_SERVICE");
        assert_eq!(privileges(514, BIND_SERVICE).found, "CAP_NET_BIND_SERVICE");
        assert_eq!(privileges(2055, 0).found, "none, and collecting needs none (metering: below)");
    }

    #[test]
    fn a_clock_in_the_past_is_a_fault() {
        assert_eq!(clock(Timestamp::from_seconds(3), None).grade, Grade::Fault);
        let now = Timestamp::from_seconds(1_800_000_000);
        assert_eq!(clock(now, None).grade, Grade::Warning);
        assert_eq!(clock(now, Some("chronyd runs".into())).grade, Grade::Good);
    }

    #[test]
    fn limits_and_capabilities_are_read_from_proc() {
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            100                  4096                 files\n";
        assert_eq!(descriptors(limits, 512).grade, Grade::Warning);
        assert_eq!(descriptors(limits, 0).grade, Grade::Warning);
        assert_eq!(descriptors("", 512).grade, Grade::Good);
        assert_eq!(
            effective_capabilities("Name:\tx\nCapEff:\t0000000000001400\n"),
            NET_ADMIN | BIND_SERVICE
        );
    }
}
