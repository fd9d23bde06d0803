//! Tier 2: packets at interfaces by eBPF. Flows that no local socket has: forwarded, bridged, of pods whose
//! runtime hides their sockets; and what an overlay carries.
//!
//! `tcx.bpf.c` counts at ports and uplinks, in and out; here its map is emptied every interval. A packet that
//! passes several interfaces is in several views of one flow, of which the highest is told. Interfaces
//! that come and go are followed. Programs are first in the chain and say "next": others' programs
//! run as before.

mod layout;
mod links;

use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aya::maps::{MapData, PerCpuArray};
use aya::programs::tc::{
    NlOptions, SchedClassifierLinkId, TcAttachOptions, TcAttachType, qdisc_add_clsact,
};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier};

use super::kernel_time::Times;
use super::{Intake, Source, SourceError, Tier};
use crate::bpf::pair::Pair;
use crate::bpf::{BpfError, Object, Types};
use crate::cache::{Count, Initiator, Interface, Moment, Observation, SourceKind, Tunnel};
use crate::endpoint::{End, FlowKey};
use crate::netlink::Netlink;
use layout::Seen;
use links::Link;

/// Name of the tier.
pub(crate) const NAME: &str = "ebpf_tcx";
/// What is not seen without it.
pub(crate) const COSTS: &str = "traffic that this machine forwards is not seen";
/// Longest interval between looks.
const INTERVAL_MAX: Duration = Duration::from_secs(30);
/// How often interfaces are listed anew, beside what is told of them.
const LIST: Duration = Duration::from_secs(30);
/// Most interfaces looked at.
const LINKS_MAX: usize = 1_024;
/// Notifications taken at once.
const CHANGES_MAX: usize = 1_024;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const ICMPV6: u8 = 58;
const SYN: u16 = 2;
const ACK: u16 = 16;

/// What of it an operator decides.
#[derive(Debug, Clone)]
pub struct EbpfTcxPolicy {
    /// It is tried.
    pub enabled: bool,
    /// Shortest time between looks.
    pub interval: Duration,
    /// A look may take one part in so many of the time.
    pub share: u32,
    /// Flows between two looks; past it packets of further ones are not counted, which is counted.
    pub flows_max: u32,
    /// Names of interfaces in which `*` stands for anything, `!` in front leaves out. Empty takes ports and uplinks.
    pub interfaces: Vec<String>,
}

/// An interface that is looked at.
#[derive(Debug)]
struct Attached {
    name: Arc<str>,
    links: [SchedClassifierLinkId; 2],
}

/// What it counted of itself.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    told: u64,
    refused: u64,
    too_many: u64,
}

/// The source. The programs run for as long as it lives.
pub struct EbpfTcx {
    policy: EbpfTcxPolicy,
    object: Object,
    flows: Pair,
    lost: PerCpuArray<MapData, u64>,
    netlink: Netlink,
    changes: Option<Netlink>,
    attached: HashMap<u32, Attached>,
    is_stale: bool,
    listed: Option<Duration>,
    counted: Counted,
}

impl std::fmt::Debug for EbpfTcx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EbpfTcx").field("attached", &self.attached).finish_non_exhaustive()
    }
}

/// The programs and their maps.
pub(crate) fn object(types: &Types, flows_max: u32) -> Result<Object, BpfError> {
    let octets = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/ebpf_tcx.o"));
    Object::load(types, octets, &[("flows0", flows_max), ("flows1", flows_max)])
}

impl EbpfTcx {
    /// Loads the programs, and attaches them to the interfaces that are there.
    pub(crate) fn probe(
        policy: EbpfTcxPolicy,
        types: Result<&Types, &BpfError>,
    ) -> (Vec<Tier>, Option<EbpfTcx>) {
        let missing = |why: String| Tier { is_expected: false, ..Tier::missing(NAME, why, COSTS) };
        if !policy.enabled {
            return (vec![missing("switched off (meter.ebpf)".to_owned())], None);
        }
        let because = |error: &BpfError| {
            let why = error.with_needs("CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN");
            (vec![missing(why)], None)
        };
        match types.map(|types| EbpfTcx::start(policy, types)) {
            Ok(Ok(source)) => (vec![Tier::runs(NAME)], Some(source)),
            Ok(Err(error)) => because(&error),
            Err(error) => because(error),
        }
    }

    fn start(policy: EbpfTcxPolicy, types: &Types) -> Result<EbpfTcx, BpfError> {
        let max = policy.flows_max;
        let mut object = object(types, max)?;
        for name in ["weir_in", "weir_out"] {
            object.load_classifier(name)?;
        }
        let netlink = |groups| {
            Netlink::open(None, groups).map_err(|error| BpfError::System {
                call: "netlink",
                source: std::io::Error::other(error),
            })
        };
        let lost = object.take_map("lost")?;
        let mut source = EbpfTcx {
            flows: Pair::take(&mut object, ["flows0", "flows1"], max)?,
            lost: PerCpuArray::try_from(lost).map_err(|error| BpfError::System {
                call: "opening a map",
                source: std::io::Error::other(error),
            })?,
            netlink: netlink(0)?,
            changes: netlink(links::CHANGES).ok(),
            policy,
            object,
            attached: HashMap::new(),
            is_stale: true,
            listed: None,
            counted: Counted::default(),
        };
        source.follow(Duration::ZERO);
        Ok(source)
    }

    /// Attaches to interfaces that are new, and lets go of those that are gone.
    fn follow(&mut self, now: Duration) {
        let is_due = self.listed.is_none_or(|listed| now.saturating_sub(listed) >= LIST);
        if !self.is_stale && !is_due {
            return;
        }
        let mut found: Vec<Link> = Vec::new();
        let patterns = &self.policy.interfaces;
        let asked = self.netlink.dump(links::RTM_GETLINK, &links::REQUEST, |message| {
            if message.kind == links::RTM_NEWLINK {
                let link = Link::read(message.body);
                found.extend(link.filter(|link| links::is_wanted(link, patterns)));
            }
        });
        if asked.is_err() {
            return;
        }
        (self.is_stale, self.listed) = (false, Some(now));
        let gone: Vec<u32> = self.attached.keys().copied().collect();
        for index in gone.into_iter().filter(|gone| !found.iter().any(|l| l.index == *gone)) {
            self.let_go(index);
        }
        for link in found {
            if let Some(attached) = self.attached.get_mut(&link.index) {
                attached.name = links::shown(&link.name);
            } else if self.attached.len() >= LINKS_MAX {
                self.counted.too_many += 1;
            } else {
                self.attach(&link);
            }
        }
    }

    fn attach(&mut self, link: &Link) {
        let places = [("weir_in", TcAttachType::Ingress), ("weir_out", TcAttachType::Egress)];
        let mut ids = Vec::new();
        for (name, place) in places {
            let Ok(program) = self.object.program::<SchedClassifier>(name) else { return };
            match attach(program, &link.name, place) {
                Ok(id) => ids.push(id),
                Err(error) => {
                    self.counted.refused += 1;
                    let (interface, error) = (link.name.as_str(), &error as &dyn std::error::Error);
                    tracing::debug!(interface, error, "an interface cannot be looked at");
                }
            }
        }
        match <[_; 2]>::try_from(ids) {
            Ok(links) => {
                let name = links::shown(&link.name);
                self.attached.insert(link.index, Attached { name, links });
            }
            // Half of it would tell half of every flow.
            Err(half) => {
                let program = self.object.program::<SchedClassifier>("weir_in");
                if let (Ok(program), Some(id)) = (program, half.into_iter().next()) {
                    let _was_there = program.detach(id);
                }
            }
        }
    }

    fn let_go(&mut self, index: u32) {
        let Some(attached) = self.attached.remove(&index) else { return };
        for (name, id) in ["weir_in", "weir_out"].into_iter().zip(attached.links) {
            if let Ok(program) = self.object.program::<SchedClassifier>(name) {
                // With the interface its programs are gone already.
                let _was_there = program.detach(id);
            }
        }
    }

    fn take_flows(&mut self, times: Times, intake: &mut Intake<'_>) -> Result<(), SourceError> {
        let mut found = Vec::new();
        let drained = self.flows.drain::<{ layout::KEY }, { layout::FLOW }>(|key, value| {
            found.push(Seen::read(key, value));
        });
        self.counted.told += drained.map_err(SourceError::Bpf)? as u64;
        // Who was seen first has begun, where no flag says so.
        found.sort_by_key(|seen| seen.first_ns);
        for seen in &found {
            let name = match self.attached.get(&seen.interface) {
                Some(attached) => Arc::clone(&attached.name),
                None => "?".into(),
            };
            intake.cache.observe(&observation(seen, name, times), times.now);
        }
        Ok(())
    }
}

/// First in the chain of tcx; where the kernel has none (before 6.6), a filter of clsact.
fn attach(
    program: &mut SchedClassifier,
    interface: &str,
    place: TcAttachType,
) -> Result<SchedClassifierLinkId, ProgramError> {
    let first = TcAttachOptions::TcxOrder(LinkOrder::first());
    program.attach_with_options(interface, place, first).or_else(|_| {
        // It is there already where somebody else has filters, and then it stays theirs.
        let _exists = qdisc_add_clsact(interface);
        let options = TcAttachOptions::Netlink(NlOptions::default());
        program.attach_with_options(interface, place, options)
    })
}

fn observation(seen: &Seen, name: Arc<str>, times: Times) -> Observation {
    let (key, end) = FlowKey::new(0, seen.proto, seen.src, seen.dst);
    let initiator = initiator(seen, end);
    let span = (times.wall(seen.first_ns), times.wall(seen.last_ns));
    let mut told = Observation::new(SourceKind::EbpfTcx, (key, end), initiator, span);
    told.interface = Some(Interface { index: seen.interface, name, is_egress: seen.is_egress });
    told.sent = Count { octets: seen.octets, packets: seen.packets };
    told.tcp_flags = if seen.proto == TCP { seen.tcp_flags } else { 0 };
    told.tunnel = seen.tunnel.map(|(kind, id, src, dst)| Tunnel { kind, src, dst, id });
    told
}

/// Who began, as far as one direction tells: times are of a tick, in which both may have spoken.
fn initiator(seen: &Seen, end: End) -> Initiator {
    let (this, other) =
        (|sure| Initiator { end, sure }, |sure| Initiator { end: end.other(), sure });
    // Lower ports are those of services.
    let is_service = seen.src.port < seen.dst.port;
    match seen.proto {
        TCP if seen.tcp_flags & (SYN | ACK) == SYN => this(true),
        // Either the answer to a SYN, or all packets of the one who sent it.
        TCP if seen.tcp_flags & SYN != 0 && is_service => other(true),
        TCP if seen.tcp_flags & SYN != 0 => this(true),
        // The answer to a ping has the place of the port at its source.
        ICMP | ICMPV6 if seen.src.port != 0 => other(true),
        ICMP | ICMPV6 => this(true),
        _ if is_service => other(false),
        _ => this(false),
    }
}

impl Source for EbpfTcx {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<Duration, SourceError> {
        let began = Instant::now();
        self.follow(now.mono);
        self.take_flows(Times::at(now), intake)?;
        let shortest = self.policy.interval;
        Ok((began.elapsed() * self.policy.share).clamp(shortest, INTERVAL_MAX.max(shortest)))
    }

    fn events(&self) -> Option<BorrowedFd<'_>> {
        self.changes.as_ref().map(Netlink::fd)
    }

    fn drain(&mut self, now: Moment, _intake: &mut Intake<'_>) -> Result<(), SourceError> {
        if let Some(changes) = &mut self.changes {
            let mut any = false;
            // Lost ones are as good as any: everything is listed anew.
            let drained = changes.drain(CHANGES_MAX, |_| any = true);
            self.is_stale |= any || drained.is_err();
        }
        self.follow(now.mono);
        Ok(())
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let lost =
            |reason: u32| self.lost.get(&reason, 0).map_or(0, |counts| counts.iter().sum::<u64>());
        vec![
            ("interfaces", self.attached.len() as u64),
            ("interfaces_refused", self.counted.refused),
            ("interfaces_untold", self.counted.too_many),
            ("flows_told", self.counted.told),
            ("packets_lost_map_full", lost(0)),
            ("packets_not_ip", lost(1)),
        ]
    }
}

#[cfg(test)]
mod tests;
