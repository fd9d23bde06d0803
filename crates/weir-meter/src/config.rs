//! What an operator decides about metering. Words become this once, in the binary.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

use weir_model::Addr;

use crate::cache::CachePolicy;
use crate::owner::OwnerPolicy;
use crate::source::conntrack::ConntrackPolicy;
use crate::source::sampler::SamplingPolicy;

/// How this machine is metered.
#[derive(Debug, Clone)]
pub struct MeterPolicy {
    /// Whether it is.
    pub enabled: bool,
    /// Shortest time between looks at the sockets. A look that takes long is made less often.
    pub interval: Duration,
    /// A look may take one part in so many of the time.
    pub share: u32,
    /// How often counters of interfaces and of the host are read.
    pub counter_interval: Duration,
    /// eBPF is tried.
    pub ebpf: bool,
    /// Remotes of unconnected UDP sockets that are counted between two looks.
    pub peers_max: u32,
    /// Interfaces at which packets are counted, by name; `*` stands for anything, `!` in front leaves
    /// out. Empty takes ports and uplinks.
    pub interfaces: Vec<String>,
    /// Sockets that are followed.
    pub sockets_max: usize,
    /// How connection tracking is read.
    pub conntrack: ConntrackPolicy,
    /// When flows are reported.
    pub cache: CachePolicy,
    /// How owners are found.
    pub owners: OwnerPolicy,
    /// Which packets are looked into.
    pub sampling: SamplingPolicy,
}

impl Default for MeterPolicy {
    fn default() -> MeterPolicy {
        MeterPolicy {
            enabled: true,
            interval: Duration::from_secs(1),
            share: 20,
            counter_interval: Duration::from_secs(20),
            ebpf: true,
            peers_max: 65_536,
            interfaces: Vec::new(),
            sockets_max: 131_072,
            conntrack: ConntrackPolicy::default(),
            cache: CachePolicy::default(),
            owners: OwnerPolicy::default(),
            sampling: SamplingPolicy::default(),
        }
    }
}

#[cfg(weir_bpf)]
impl MeterPolicy {
    pub(crate) fn ebpf_sockets(&self) -> crate::source::ebpf_sockets::EbpfSocketsPolicy {
        crate::source::ebpf_sockets::EbpfSocketsPolicy {
            enabled: self.ebpf,
            interval: self.interval,
            share: self.share,
            peers_max: self.peers_max,
            ends_octets: crate::source::ebpf_sockets::ENDS_OCTETS,
        }
    }

    pub(crate) fn ebpf_tcx(&self) -> crate::source::ebpf_tcx::EbpfTcxPolicy {
        crate::source::ebpf_tcx::EbpfTcxPolicy {
            enabled: self.ebpf,
            interval: self.interval,
            share: self.share,
            flows_max: u32::try_from(self.cache.flows_max).unwrap_or(u32::MAX).max(1),
            interfaces: self.interfaces.clone(),
        }
    }
}

/// The address by which this machine would reach others, else loopback.
///
/// Nothing is sent: connecting a UDP socket only looks up the route.
pub fn local_address() -> Addr {
    // Addresses for documentation (RFC 5737, RFC 3849): a default route leads there, nobody is.
    for (bind, target) in [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")] {
        let local = UdpSocket::bind(bind).and_then(|socket| {
            socket.connect(target)?;
            socket.local_addr()
        });
        if let Ok(local) = local
            && !local.ip().is_unspecified()
        {
            return local.ip().into();
        }
    }
    IpAddr::V4(Ipv4Addr::LOCALHOST).into()
}
