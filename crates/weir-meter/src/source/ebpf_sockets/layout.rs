//! The structs of `sockets.bpf.c` as user space reads them, field by field.

use crate::bpf::fields::Fields;
use crate::endpoint::Endpoint;

/// Octets of `struct told`.
pub(super) const TOLD: usize = 400;
/// Octets of `struct peer_key`.
pub(super) const PEER_KEY: usize = 48;
/// Octets of `struct peer`.
pub(super) const PEER: usize = 128;
/// Octets of `struct program`.
pub(super) const PROGRAM: usize = 216;

/// It connected, or sent first.
pub(super) const INITIATED: u32 = 1;
/// It was accepted, or heard first.
pub(super) const ACCEPTED: u32 = 2;
/// Its end is told.
pub(super) const ENDED: u32 = 4;

/// `struct owner`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SeenOwner {
    pub(super) start_ns: u64,
    pub(super) cgroup_id: u64,
    pub(super) pid: u32,
    pub(super) parent_pid: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) netns: u32,
    pub(super) is_known: bool,
    pub(super) comm: String,
    pub(super) parent_comm: String,
}

/// `struct counts`: octets of IP and packets of the wire, and times of CLOCK_MONOTONIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) tx_octets: u64,
    pub(super) tx_packets: u64,
    pub(super) rx_octets: u64,
    pub(super) rx_packets: u64,
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
}

/// `struct tuple`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tuple {
    pub(super) local: Endpoint,
    pub(super) remote: Endpoint,
}

/// `struct told`, of which the parts that are not used are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) cookie: u64,
    pub(super) tuple: Tuple,
    pub(super) netns: u32,
    pub(super) proto: u8,
    pub(super) state: u8,
    pub(super) srtt_us: u32,
    pub(super) rttvar_us: u32,
    pub(super) rtt_min_us: u32,
    pub(super) lost: u32,
    pub(super) unacked: u32,
    pub(super) reordering: u32,
    pub(super) cwnd: u32,
    pub(super) snd_mss: u32,
    pub(super) rcv_mss: u32,
    pub(super) pmtu: u32,
    pub(super) rate_delivered: u32,
    pub(super) rate_interval_us: u32,
    /// What is new: octets and packets sent, octets and packets received.
    pub(super) new: [u64; 4],
    pub(super) new_retransmits: u32,
    pub(super) counts: Counts,
    pub(super) owner: SeenOwner,
    pub(super) interval_rtt_min: u32,
    pub(super) interval_rtt_max: u32,
    pub(super) flags: u32,
}

/// `struct peer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) counts: Counts,
    pub(super) owner: SeenOwner,
    pub(super) flags: u32,
    pub(super) proto: u8,
}

/// `struct program`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) start_ns: u64,
    pub(super) path: String,
}

fn owner(fields: &mut Fields<'_>) -> SeenOwner {
    SeenOwner {
        start_ns: fields.u64(),
        cgroup_id: fields.u64(),
        pid: fields.u32(),
        parent_pid: fields.u32(),
        uid: fields.u32(),
        gid: fields.u32(),
        netns: fields.u32(),
        is_known: fields.u32() != 0,
        comm: fields.text::<16>(),
        parent_comm: fields.text::<16>(),
    }
}

fn counts(fields: &mut Fields<'_>) -> Counts {
    Counts {
        tx_octets: fields.u64(),
        tx_packets: fields.u64(),
        rx_octets: fields.u64(),
        rx_packets: fields.u64(),
        first_ns: fields.u64(),
        last_ns: fields.u64(),
    }
}

/// Two addresses, two ports, and the padding after them.
fn tuple(fields: &mut Fields<'_>) -> Tuple {
    let (local, remote) = (fields.addr(), fields.addr());
    let (local_port, remote_port) = (fields.u16(), fields.u16());
    fields.u32();
    Tuple {
        local: Endpoint { addr: local, port: local_port },
        remote: Endpoint { addr: remote, port: remote_port },
    }
}

impl Told {
    pub(super) fn read(octets: &[u8]) -> Told {
        let f = &mut Fields::new(octets);
        let (cookie, mut told_tuple) = (f.u64(), tuple(f));
        let (netns, _family, proto, state) = (f.u32(), f.u16(), f.u8(), f.u8());
        let _payload: [u64; 3] = [f.u64(), f.u64(), f.u64()];
        let (srtt_us, rttvar_us, rtt_min_us, _retransmits) = (f.u32(), f.u32(), f.u32(), f.u32());
        let (lost, unacked, reordering, cwnd) = (f.u32(), f.u32(), f.u32(), f.u32());
        let (snd_mss, rcv_mss, pmtu, rate_delivered) = (f.u32(), f.u32(), f.u32(), f.u32());
        let (rate_interval_us, _) = (f.u32(), f.u32());
        let new = [f.u64(), f.u64(), f.u64(), f.u64()];
        let (new_retransmits, _) = (f.u32(), f.u32());
        let counts = counts(f);
        let _told: [u64; 4] = [f.u64(), f.u64(), f.u64(), f.u64()];
        let owner = owner(f);
        let (_rtt_sum, _rtt_count) = (f.u64(), f.u32());
        let (interval_rtt_min, interval_rtt_max, flags) = (f.u32(), f.u32(), f.u32());
        let _told_again = (f.u32(), f.u32());
        let of_udp = tuple(f);
        // The addresses of TCP are the socket's own; of UDP those of the packets.
        if proto != super::IPPROTO_TCP {
            told_tuple = of_udp;
        }
        Told {
            cookie,
            tuple: told_tuple,
            netns,
            proto,
            state,
            srtt_us,
            rttvar_us,
            rtt_min_us,
            lost,
            unacked,
            reordering,
            cwnd,
            snd_mss,
            rcv_mss,
            pmtu,
            rate_delivered,
            rate_interval_us,
            new,
            new_retransmits,
            counts,
            owner,
            interval_rtt_min,
            interval_rtt_max,
            flags,
        }
    }
}

impl Peer {
    /// The socket's number, the endpoints, and the counts.
    pub(super) fn read(key: &[u8], value: &[u8]) -> (u64, Tuple, Peer) {
        let f = &mut Fields::new(key);
        let (cookie, tuple) = (f.u64(), tuple(f));
        let f = &mut Fields::new(value);
        let (counts, owner) = (counts(f), owner(f));
        let (flags, proto) = (f.u32(), f.u32());
        (cookie, tuple, Peer { counts, owner, flags, proto: proto as u8 })
    }
}

impl Program {
    pub(super) fn read(octets: &[u8]) -> Program {
        let f = &mut Fields::new(octets);
        let start_ns = f.u64();
        let _ids = [f.u32(), f.u32(), f.u32(), f.u32()];
        let _names = (f.text::<16>(), f.text::<16>());
        Program { start_ns, path: f.text::<160>() }
    }
}
