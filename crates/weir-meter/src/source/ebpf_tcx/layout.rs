//! The structs of `tcx.bpf.c` as user space reads them, field by field.

use weir_model::Addr;

use crate::bpf::fields::Fields;
use crate::endpoint::Endpoint;

/// Octets of `struct flow_key`.
pub(super) const KEY: usize = 48;
/// Octets of `struct flow`.
pub(super) const FLOW: usize = 80;

/// One direction of a flow at one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) src: Endpoint,
    pub(super) dst: Endpoint,
    pub(super) interface: u32,
    pub(super) proto: u8,
    pub(super) is_egress: bool,
    pub(super) octets: u64,
    pub(super) packets: u64,
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
    pub(super) tcp_flags: u16,
    /// Kind, number, outer source and destination.
    pub(super) tunnel: Option<(u8, u32, Addr, Addr)>,
}

impl Seen {
    pub(super) fn read(key: &[u8], value: &[u8]) -> Seen {
        let f = &mut Fields::new(key);
        let (src, dst) = (f.addr(), f.addr());
        let (sport, dport, interface) = (f.u16(), f.u16(), f.u32());
        let (proto, is_egress) = (f.u8(), f.u8() != 0);
        let f = &mut Fields::new(value);
        let (octets, packets, first_ns, last_ns) = (f.u64(), f.u64(), f.u64(), f.u64());
        let (tcp_flags, kind, id, _) = (f.u32(), f.u32(), f.u32(), f.u32());
        let (outer_src, outer_dst) = (f.addr(), f.addr());
        Seen {
            src: Endpoint { addr: src, port: sport },
            dst: Endpoint { addr: dst, port: dport },
            interface,
            proto,
            is_egress,
            octets,
            packets,
            first_ns,
            last_ns,
            tcp_flags: tcp_flags as u16,
            tunnel: (kind != 0).then_some((kind as u8, id, outer_src, outer_dst)),
        }
    }
}
