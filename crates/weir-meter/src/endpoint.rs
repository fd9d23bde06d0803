//! Address and port, and the pair of them that names a connection whichever end tells of it.

use weir_model::Addr;

/// An address with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Address.
    pub addr: Addr,
    /// Port of TCP, UDP, SCTP.
    pub port: u16,
}

/// A connection: two endpoints in the order of their numbers, so that both ends have one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// Network namespace or conntrack zone that the addresses mean something in; 0 is our own.
    pub zone: u32,
    /// IP protocol.
    pub proto: u8,
    low: Endpoint,
    high: Endpoint,
}

/// One of the two endpoints of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The lower one.
    Low,
    /// The higher one.
    High,
}

impl End {
    /// The other end.
    pub fn other(self) -> End {
        match self {
            End::Low => End::High,
            End::High => End::Low,
        }
    }

    /// Index of per-end state.
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

impl FlowKey {
    /// The key of a connection between `a` and `b`, and which end of it `a` is.
    pub fn new(zone: u32, proto: u8, a: Endpoint, b: Endpoint) -> (FlowKey, End) {
        match a <= b {
            true => (FlowKey { zone, proto, low: a, high: b }, End::Low),
            false => (FlowKey { zone, proto, low: b, high: a }, End::High),
        }
    }

    /// The endpoint at `end`.
    pub fn endpoint(&self, end: End) -> Endpoint {
        match end {
            End::Low => self.low,
            End::High => self.high,
        }
    }
}
