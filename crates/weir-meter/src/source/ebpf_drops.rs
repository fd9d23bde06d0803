//! What the kernel drops, by flow and reason: a part of tier 1.
//!
//! `drops.bpf.c` sums at the tracepoint where packets are dropped; here its map is emptied every interval,
//! and what was dropped of a flow stands beside what was counted of it.

mod btf;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aya::maps::{Array, MapData, PerCpuArray};
use weir_model::Addr;

use super::kernel_time::Times;
use super::{Intake, Source, SourceError, Tier};
use crate::bpf::fields::Fields;
use crate::bpf::pair::Pair;
use crate::bpf::{BpfError, Object, Types};
use crate::cache::{Count, Drops, Initiator, Moment, Observation, SourceKind};
use crate::endpoint::{Endpoint, FlowKey};

/// Name of the tier.
pub(crate) const NAME: &str = "ebpf_drops";
/// What is not seen without it.
pub(crate) const COSTS: &str = "packets that the kernel drops, and why, are not seen";
/// Flows and reasons between two looks.
const DROPS_MAX: u32 = 8_192;
/// Octets of `struct drop_key` and `struct drop`.
const KEY: usize = 48;
const DROP: usize = 24;
/// Longest interval between looks.
const INTERVAL_MAX: Duration = Duration::from_secs(30);
/// Reasons that are no loss of the flow: a copy that a tap did not want, what a closed socket had not read.
const NO_LOSS: &[&str] = &["SOCKET_FILTER", "PACKET_SOCK_ERROR", "QUEUE_PURGE", "TAP_FILTER"];

/// The last of the reasons that tell nothing, which stand in front.
const NOT_SPECIFIED: &str = "NOT_SPECIFIED";

/// One sum.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sum {
    src: Endpoint,
    dst: Endpoint,
    reason: u32,
    proto: u8,
    count: Count,
    last_ns: u64,
}

impl Sum {
    fn read(key: &[u8], value: &[u8]) -> Sum {
        let f = &mut Fields::new(key);
        let (src, dst): (Addr, Addr) = (f.addr(), f.addr());
        let (sport, dport, reason, proto) = (f.u16(), f.u16(), f.u32(), f.u8());
        let f = &mut Fields::new(value);
        let (packets, octets, last_ns) = (f.u64(), f.u64(), f.u64());
        Sum {
            src: Endpoint { addr: src, port: sport },
            dst: Endpoint { addr: dst, port: dport },
            reason,
            proto,
            count: Count { octets, packets },
            last_ns,
        }
    }
}

/// The source. The program runs for as long as it lives.
pub struct EbpfDrops {
    interval: Duration,
    share: u32,
    _object: Object,
    drops: Pair,
    lost: PerCpuArray<MapData, u64>,
    names: HashMap<u32, Arc<str>>,
    told: u64,
    no_loss: u64,
}

impl EbpfDrops {
    /// Loads and attaches it, and reads the names of reasons.
    pub(crate) fn probe(
        enabled: bool,
        (interval, share): (Duration, u32),
        types: Result<&Types, &BpfError>,
    ) -> (Vec<Tier>, Option<EbpfDrops>) {
        let missing = |why: String| Tier { is_expected: false, ..Tier::missing(NAME, why, COSTS) };
        if !enabled {
            return (vec![missing("switched off (meter.ebpf)".to_owned())], None);
        }
        let because = |error: &BpfError| {
            let why = error.with_needs("Linux 5.17, CAP_BPF and CAP_PERFMON");
            (vec![missing(why)], None)
        };
        match types.map(|types| EbpfDrops::start(interval, share, types)) {
            Ok(Ok(source)) => (vec![Tier::runs(NAME)], Some(source)),
            Ok(Err(error)) => because(&error),
            Err(error) => because(error),
        }
    }

    fn start(interval: Duration, share: u32, types: &Types) -> Result<EbpfDrops, BpfError> {
        let system = |call| move |source| BpfError::System { call, source };
        let octets = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/ebpf_drops.o"));
        let sizes = [("drops0", DROPS_MAX), ("drops1", DROPS_MAX)];
        let mut object = Object::load(types, octets, &sizes)?;
        let octets = std::fs::read("/sys/kernel/btf/vmlinux").map_err(system("reading BTF"))?;
        let names = btf::enumeration(&octets, "skb_drop_reason", "SKB_DROP_REASON_");
        if names.is_empty() {
            // Before 5.17 the tracepoint's third argument is not there.
            let error = std::io::Error::other("the kernel tells no reasons");
            return Err(system("enum skb_drop_reason")(error));
        }
        let map = |error| system("opening a map")(std::io::Error::other(error));
        let mut first: Array<_, u32> =
            Array::try_from(object.take_map("first_reason")?).map_err(map)?;
        first.set(0, first_reason(&names), 0).map_err(map)?;
        object.attach_tracepoint(types, "weir_drop", "kfree_skb")?;
        let lost = PerCpuArray::try_from(object.take_map("lost")?).map_err(map)?;
        let drops = Pair::take(&mut object, ["drops0", "drops1"], DROPS_MAX)?;
        Ok(EbpfDrops { interval, share, _object: object, drops, lost, names, told: 0, no_loss: 0 })
    }
}

/// The first reason that tells something, by the names that this kernel has.
fn first_reason(names: &HashMap<u32, Arc<str>>) -> u32 {
    names.iter().find(|(_, name)| &***name == NOT_SPECIFIED).map_or(0, |(reason, _)| reason + 1)
}

impl Source for EbpfDrops {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<Duration, SourceError> {
        let (began, times) = (Instant::now(), Times::at(now));
        let mut found = Vec::new();
        let drained = self.drops.drain::<KEY, DROP>(|key, value| found.push(Sum::read(key, value)));
        drained.map_err(SourceError::Bpf)?;
        for sum in found {
            let unknown = || Arc::from(format!("reason {}", sum.reason));
            let name = self.names.get(&sum.reason).cloned().unwrap_or_else(unknown);
            if NO_LOSS.contains(&&*name) {
                self.no_loss += sum.count.packets;
                continue;
            }
            self.told += sum.count.packets;
            let (key, end) = FlowKey::new(0, sum.proto, sum.src, sum.dst);
            let initiator = Initiator { end, sure: false };
            let last = times.wall(sum.last_ns);
            let place = (key, end);
            let mut seen = Observation::new(SourceKind::EbpfDrops, place, initiator, (last, last));
            let reason = u16::try_from(sum.reason).unwrap_or(u16::MAX);
            seen.drops = Some(Drops { count: sum.count, reason, name });
            intake.cache.observe(&seen, now);
        }
        Ok((began.elapsed() * self.share).clamp(self.interval, INTERVAL_MAX.max(self.interval)))
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let lost = self.lost.get(&0, 0).map_or(0, |counts| counts.iter().sum::<u64>());
        vec![
            ("packets_dropped", self.told),
            ("packets_no_loss", self.no_loss),
            ("packets_lost_map_full", lost),
        ]
    }
}

#[cfg(test)]
mod tests;
