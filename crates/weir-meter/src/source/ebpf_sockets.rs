//! Tier 1: sockets by eBPF. Exact octets and packets of every local socket, whose it is, how it fares.
//!
//! `sockets.bpf.c` counts in the kernel, in storage that belongs to the socket; here it is read. Every
//! interval an iterator tells of sockets with something new, in all network namespaces; the ring buffer
//! tells of ends at once. Each time what is new is told by the kernel, so nothing is kept here.
//! docs/meter.md says what is missed.

mod attach;
mod layout;

use std::io::{ErrorKind, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use aya::maps::{Array, HashMap, Map, MapData, RingBuf};
use weir_model::Timestamp;

use super::inet_diag::message::state_name;
use super::kernel_time::Times;
use super::namespaces;
use super::{Intake, Source, SourceError, Tier};
use crate::bpf::pair::Pair;
use crate::bpf::{BpfError, Object, Types, map_fd, sys};
use crate::cache::{Count, Initiator, Moment, Observation, SourceKind, TcpHealth};
use crate::endpoint::{End, FlowKey};
use crate::owner::SeenProcess;
use layout::{Counts, Peer, Program, SeenOwner, Told, Tuple};

/// Name of the tier.
pub(crate) const NAME: &str = "ebpf_sockets";
/// What is not seen without it.
pub(crate) const COSTS: &str =
    "headers, UDP, and owners of connections shorter than a second are not counted";
const IPPROTO_TCP: u8 = 6;
/// Longest interval between looks.
const INTERVAL_MAX: Duration = Duration::from_secs(30);
/// Records of the iterator that are read at once: 400 KiB, however many sockets there are.
const RECORDS_AT_ONCE: usize = 1_024;
/// Most ends taken at once, before the iterator has its turn again.
const ENDS_MAX: usize = 16_384;

/// What of it an operator decides.
#[derive(Debug, Clone, Copy)]
pub struct EbpfSocketsPolicy {
    /// It is tried.
    pub enabled: bool,
    /// Shortest time between looks.
    pub interval: Duration,
    /// A look may take one part in so many of the time.
    pub share: u32,
    /// Remotes of unconnected sockets (UDP servers) between two looks; past it their packets are
    /// not counted, which is counted.
    pub peers_max: u32,
    /// Octets of the ring of ends, a power of two of pages: 400 octets an end. Past it ends are lost, counted.
    pub ends_octets: u32,
}

/// Octets of the ring of ends by default: ten thousand ends between two looks.
pub(crate) const ENDS_OCTETS: u32 = 4 << 20;

/// What it counted of itself.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    looks: u64,
    told: u64,
    ends: u64,
    peers: u64,
}

/// The source. The programs run for as long as it lives.
pub struct EbpfSockets {
    policy: EbpfSocketsPolicy,
    _object: Object,
    sockets: Map,
    iterator: OwnedFd,
    peers: Pair,
    programs: HashMap<MapData, u32, [u8; layout::PROGRAM]>,
    ends: RingBuf<MapData>,
    lost: Array<MapData, u64>,
    own_netns: u32,
    last_look: Option<Timestamp>,
    counted: Counted,
}

impl std::fmt::Debug for EbpfSockets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EbpfSockets").field("counted", &self.counted).finish_non_exhaustive()
    }
}

/// The programs and their maps.
pub(crate) fn object(types: &Types, peers_max: u32, ends_octets: u32) -> Result<Object, BpfError> {
    let octets = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/ebpf_sockets.o"));
    let sizes = [("peers0", peers_max), ("peers1", peers_max), ("ends", ends_octets)];
    Object::load(types, octets, &sizes)
}

impl EbpfSockets {
    /// Loads and attaches. What only adds to it and cannot be attached is told in the tier's line.
    pub(crate) fn probe(
        policy: EbpfSocketsPolicy,
        types: Result<&Types, &BpfError>,
    ) -> (Vec<Tier>, Option<EbpfSockets>) {
        if !policy.enabled {
            let why = "switched off (meter.ebpf)".to_owned();
            return (vec![Tier { is_expected: false, ..Tier::missing(NAME, why, COSTS) }], None);
        }
        let missing = |error: &BpfError| {
            let why = error.with_needs("CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN");
            // Most users may not: without privileges this is no fault.
            (vec![Tier { is_expected: false, ..Tier::missing(NAME, why, COSTS) }], None)
        };
        let types = match types {
            Ok(types) => types,
            Err(error) => return missing(error),
        };
        match EbpfSockets::start(policy, types) {
            Ok((source, missing)) if missing.is_empty() => (vec![Tier::runs(NAME)], Some(source)),
            Ok((source, missing)) => {
                let why = missing.iter().map(|(why, _)| why.as_str()).collect::<Vec<_>>();
                let costs = missing.first().map_or("", |(_, costs)| costs);
                (vec![Tier::partly(NAME, why.join("; "), costs)], Some(source))
            }
            Err(error) => missing(&error),
        }
    }

    fn start(
        policy: EbpfSocketsPolicy,
        types: &Types,
    ) -> Result<(EbpfSockets, attach::Missing), BpfError> {
        let mut object = object(types, policy.peers_max, policy.ends_octets)?;
        let missing = attach::attach(&mut object, types)?;
        let iterator = object.load_iterator(types, "weir_sockets", "bpf_sk_storage_map")?;
        let typed = |error: aya::maps::MapError| BpfError::System {
            call: "opening a map",
            source: std::io::Error::other(error),
        };
        let source = EbpfSockets {
            policy,
            sockets: object.take_map("sockets")?,
            peers: Pair::take(&mut object, ["peers0", "peers1"], policy.peers_max)?,
            programs: HashMap::try_from(object.take_map("programs")?).map_err(typed)?,
            ends: RingBuf::try_from(object.take_map("ends")?).map_err(typed)?,
            lost: Array::try_from(object.take_map("lost")?).map_err(typed)?,
            _object: object,
            iterator,
            own_netns: namespaces::own().and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            last_look: None,
            counted: Counted::default(),
        };
        Ok((source, missing))
    }

    /// Sockets with something new.
    fn look(&mut self, times: Times, intake: &mut Intake<'_>) -> Result<(), SourceError> {
        let map = map_fd(&self.sockets);
        use std::os::fd::AsFd;
        let mut file = sys::iterate(self.iterator.as_fd(), map).map_err(bpf_error)?;
        let mut buffer = vec![0; RECORDS_AT_ONCE * layout::TOLD];
        let mut filled = 0;
        loop {
            match file.read(&mut buffer[filled..]) {
                Ok(0) => return Ok(()),
                Ok(read) => filled += read,
                // The kernel has passed many sockets of which nothing is new, and goes on when asked.
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(bpf_error(error)),
            }
            let whole = filled - filled % layout::TOLD;
            for record in buffer[..whole].chunks_exact(layout::TOLD) {
                self.counted.told += 1;
                self.tell(&Told::read(record), times, intake);
            }
            buffer.copy_within(whole..filled, 0);
            filled -= whole;
        }
    }

    fn take_ends(&mut self, times: Times, intake: &mut Intake<'_>) {
        for _ in 0..ENDS_MAX {
            let Some(told) = self.ends.next().map(|item| Told::read(&item)) else { return };
            self.counted.ends += 1;
            self.tell(&told, times, intake);
        }
    }

    /// Counts of unconnected sockets, by remote; the kernel begins anew.
    fn take_peers(&mut self, times: Times, intake: &mut Intake<'_>) -> Result<(), SourceError> {
        let mut found = Vec::new();
        let taken = self.peers.drain::<{ layout::PEER_KEY }, { layout::PEER }>(|key, value| {
            found.push(Peer::read(key, value));
        });
        self.counted.peers += taken.map_err(bpf_error)? as u64;
        for (cookie, tuple, peer) in found {
            let Counts { tx_octets, tx_packets, rx_octets, rx_packets, .. } = peer.counts;
            let new = [tx_octets, tx_packets, rx_octets, rx_packets];
            let mut seen = self.observation(
                (peer.proto, tuple, peer.owner.netns),
                (peer.flags, true),
                &peer.counts,
                times,
            );
            (seen.socket, seen.sent, seen.received) = (cookie, count(&new[..2]), count(&new[2..]));
            self.add_owner(&mut seen, &peer.owner, intake, times.now);
            intake.cache.observe(&seen, times.now);
        }
        Ok(())
    }

    fn tell(&self, told: &Told, times: Times, intake: &mut Intake<'_>) {
        let is_first = told.new[1] + told.new[3] == told.counts.tx_packets + told.counts.rx_packets;
        let mut seen = self.observation(
            (told.proto, told.tuple, told.netns),
            (told.flags, is_first),
            &told.counts,
            times,
        );
        seen.socket = told.cookie;
        (seen.sent, seen.received) = (count(&told.new[..2]), count(&told.new[2..]));
        seen.sent_total = Count { octets: told.counts.tx_octets, packets: told.counts.tx_packets };
        seen.received_total =
            Count { octets: told.counts.rx_octets, packets: told.counts.rx_packets };
        seen.ended = told.flags & layout::ENDED != 0;
        seen.active = seen.ended || told.new.iter().any(|new| *new > 0);
        if told.proto == IPPROTO_TCP {
            seen.retransmits = told.new_retransmits;
            seen.state = state_name(told.state).unwrap_or("UNKNOWN");
            seen.tcp = health(told);
        }
        self.add_owner(&mut seen, &told.owner, intake, times.now);
        intake.cache.observe(&seen, times.now);
    }

    /// An observation of a socket with its times, direction and place, and no counts.
    fn observation(
        &self,
        (proto, tuple, netns): (u8, Tuple, u32),
        (flags, is_first): (u32, bool),
        counts: &Counts,
        times: Times,
    ) -> Observation {
        let (local, remote) = (tuple.local, tuple.remote);
        let is_loopback = local.addr.to_ip().is_loopback() || remote.addr.to_ip().is_loopback();
        // As inet_diag has it: addresses that a namespace has for itself alone mean something in
        // it, all others are taken for one plan of addresses.
        let zone = if is_loopback && netns != self.own_netns { netns } else { 0 };
        let (key, end) = FlowKey::new(zone, proto, local, remote);
        let initiator = match flags & (layout::INITIATED | layout::ACCEPTED) {
            layout::INITIATED => Initiator { end, sure: true },
            layout::ACCEPTED => Initiator { end: end.other(), sure: true },
            // Older than metering. Lower ports are those of services.
            _ if local.port < remote.port => Initiator { end: end.other(), sure: false },
            _ if local.port > remote.port => Initiator { end, sure: false },
            _ => Initiator { end: End::Low, sure: false },
        };
        let last = times.wall(counts.last_ns);
        let first = match is_first {
            true => times.wall(counts.first_ns),
            false => last.min(self.last_look.unwrap_or(last)),
        };
        let place = (key, end);
        let mut seen =
            Observation::new(SourceKind::EbpfSockets, place, initiator, (first.min(last), last));
        seen.netns = netns;
        seen
    }

    fn add_owner(
        &self,
        seen: &mut Observation,
        owner: &SeenOwner,
        intake: &mut Intake<'_>,
        now: Moment,
    ) {
        // Process 0 is the idle task: what the kernel does on its own behalf.
        if !owner.is_known || owner.pid == 0 {
            return;
        }
        let mut process = SeenProcess {
            pid: owner.pid,
            started_ns: owner.start_ns,
            uid: owner.uid,
            gid: owner.gid,
            comm: &owner.comm,
            cgroup_id: owner.cgroup_id,
            parent_pid: owner.parent_pid,
            parent_comm: &owner.parent_comm,
            exe: None,
        };
        let mut found = intake.owners.of_process(&process, now.mono);
        if found.exe.is_none()
            && let Ok(octets) = self.programs.get(&owner.pid, 0)
            && let program = Program::read(&octets)
            && program.start_ns == owner.start_ns
        {
            process.exe = Some(&program.path);
            found = intake.owners.of_process(&process, now.mono);
        }
        seen.user = Some((owner.uid, intake.owners.user(owner.uid, now.mono)));
        seen.owner = Some(found);
    }
}

impl Source for EbpfSockets {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<Duration, SourceError> {
        let began = Instant::now();
        let times = Times::at(now);
        self.take_ends(times, intake);
        self.look(times, intake)?;
        self.take_peers(times, intake)?;
        self.last_look = Some(now.wall);
        self.counted.looks += 1;
        let shortest = self.policy.interval;
        Ok((began.elapsed() * self.policy.share).clamp(shortest, INTERVAL_MAX.max(shortest)))
    }

    fn events(&self) -> Option<BorrowedFd<'_>> {
        use std::os::fd::AsFd;
        let _raw = self.ends.as_raw_fd();
        Some(self.ends.as_fd())
    }

    fn drain(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<(), SourceError> {
        self.take_ends(Times::at(now), intake);
        Ok(())
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let lost = |reason| self.lost.get(&reason, 0).unwrap_or(0);
        vec![
            ("looks", self.counted.looks),
            ("sockets_told", self.counted.told),
            ("ends", self.counted.ends),
            ("peers", self.counted.peers),
            ("ends_lost", lost(0)),
            ("peers_lost", lost(1)),
            ("handshakes_lost", lost(2)),
        ]
    }
}

/// What is new, from octets and packets. A figure that went back is the trace of two that told at
/// once, of which the other has told all.
fn count(new: &[u64]) -> Count {
    let forward = |at: usize| new.get(at).copied().filter(|n| n.cast_signed() > 0).unwrap_or(0);
    Count { octets: forward(0), packets: forward(1) }
}

fn health(told: &Told) -> TcpHealth {
    // 0 is "not measured yet", and so is the highest number for the lowest.
    let measured = |value: u32| (value != 0 && value != u32::MAX).then_some(value);
    let rate = u64::from(told.rate_delivered) * u64::from(told.snd_mss) * 1_000_000;
    TcpHealth {
        rtt_us: measured(told.srtt_us),
        rtt_min_us: measured(told.interval_rtt_min).or(measured(told.rtt_min_us)),
        rtt_max_us: measured(told.interval_rtt_max),
        rtt_var_us: measured(told.srtt_us).map(|_| told.rttvar_us),
        lost: Some(told.lost),
        unacked: Some(told.unacked),
        reordering: Some(told.reordering),
        cwnd: Some(told.cwnd),
        snd_mss: Some(told.snd_mss),
        rcv_mss: Some(told.rcv_mss),
        pmtu: measured(told.pmtu),
        delivery_rate: rate.checked_div(u64::from(told.rate_interval_us)).filter(|rate| *rate > 0),
    }
}

fn bpf_error(source: std::io::Error) -> SourceError {
    SourceError::Bpf(source)
}

#[cfg(test)]
mod tests;
