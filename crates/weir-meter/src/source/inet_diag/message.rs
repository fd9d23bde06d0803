//! Requests and answers of NETLINK_SOCK_DIAG (linux/inet_diag.h).
//!
//! ```text
//! inet_diag_msg, 72 octets:
//!  0 family  1 state  2 timer  3 retrans
//!  4 source port (be)  6 destination port (be)
//!  8 source address, 16 octets  24 destination address, 16 octets
//! 40 interface  44 cookie, 8 octets
//! 52 expires  56 receive queue  60 send queue  64 uid  68 inode
//! ```

use std::net::{Ipv4Addr, Ipv6Addr};

use weir_model::Addr;

use super::tcp_info::TcpInfo;
use crate::endpoint::Endpoint;
use crate::netlink::{attributes, u32_at, u64_at};

/// Type of request and answer: SOCK_DIAG_BY_FAMILY.
pub(super) const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// Multicast groups that tell of destroyed TCP sockets: SKNLGRP_INET_TCP_DESTROY (1) and
/// SKNLGRP_INET6_TCP_DESTROY (3), as bits.
pub(super) const TCP_DESTROYED: u32 = 1 << 0 | 1 << 2;

/// AF_INET.
pub(super) const V4: u8 = 2;
/// AF_INET6.
pub(super) const V6: u8 = 10;
/// TCP_LISTEN.
pub(super) const LISTEN: u8 = 10;
/// TCP_SYN_SENT.
pub(super) const SYN_SENT: u8 = 2;

const IPPROTO_TCP: u8 = 6;
const MESSAGE: usize = 72;
const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_PROTOCOL: u16 = 10;

/// Names of the kernel's states (net/tcp_states.h), as `ss` and RFC 9293 have them.
pub(crate) fn state_name(state: u8) -> Option<&'static str> {
    const NAMES: [&str; 12] = [
        "ESTABLISHED",
        "SYN_SENT",
        "SYN_RECV",
        "FIN_WAIT1",
        "FIN_WAIT2",
        "TIME_WAIT",
        "CLOSE",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN",
        "CLOSING",
        "NEW_SYN_RECV",
    ];
    NAMES.get(usize::from(state.checked_sub(1)?)).copied()
}

/// True when the peer's FIN has come in this state: `bytes_received` then counts it as an octet.
pub(super) fn fin_received(state: u8) -> bool {
    // CLOSE_WAIT, LAST_ACK, CLOSING.
    matches!(state, 8 | 9 | 11)
}

/// Every state of a connection that has a `tcp_info`: TIME_WAIT (6) and the two of half-open
/// requests (3, 12) have none, LISTEN is asked for apart.
pub(super) const CONNECTED: u32 = 0xffe & !(1 << 3 | 1 << 6 | 1 << LISTEN | 1 << 12);

/// The body of a request for the TCP sockets of `family` in the given states, a bit each.
pub(super) fn request(family: u8, states: u32) -> Vec<u8> {
    let mut body = vec![family, IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), 0];
    body.extend_from_slice(&states.to_ne_bytes());
    // No socket in particular: ports and addresses zero, cookie INET_DIAG_NOCOOKIE.
    body.extend_from_slice(&[0; 40]);
    body.extend_from_slice(&[0xff; 8]);
    body
}

/// One socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) state: u8,
    pub(super) local: Endpoint,
    pub(super) remote: Endpoint,
    /// The kernel's own number of the socket, never used twice.
    pub(super) cookie: u64,
    /// User id of the owner. Only a dump says it: a notification has 0 here and no inode.
    pub(super) uid: u32,
    /// 0 when no descriptor holds the socket any more.
    pub(super) inode: u32,
    pub(super) info: Option<TcpInfo>,
}

impl Socket {
    /// Reads a message's body. `None` when it is too short, of another family, or not TCP.
    pub(super) fn read(body: &[u8]) -> Option<Socket> {
        let (fixed, rest) = body.split_first_chunk::<MESSAGE>()?;
        let mut info = None;
        for (kind, value) in attributes(rest) {
            match kind {
                INET_DIAG_INFO => info = Some(TcpInfo::read(value)),
                INET_DIAG_PROTOCOL if value.first() != Some(&IPPROTO_TCP) => return None,
                _ => {}
            }
        }
        let port =
            |offset: usize| Some(u16::from_be_bytes([fixed[offset], *fixed.get(offset + 1)?]));
        let addr = |offset: usize| {
            let octets: [u8; 16] = *fixed.get(offset..)?.first_chunk()?;
            match fixed[0] {
                V4 => Some(Addr::from(std::net::IpAddr::V4(Ipv4Addr::from(
                    *octets.first_chunk::<4>()?,
                )))),
                V6 => Some(Addr::from(std::net::IpAddr::V6(Ipv6Addr::from(octets)))),
                _ => None,
            }
        };
        Some(Socket {
            state: fixed[1],
            local: Endpoint { addr: addr(8)?, port: port(4)? },
            remote: Endpoint { addr: addr(24)?, port: port(6)? },
            cookie: u64_at(fixed, 44)?,
            uid: u32_at(fixed, 64)?,
            inode: u32_at(fixed, 68)?,
            info,
        })
    }
}
