//! Which protocol a datagram speaks, read from the datagram itself: any port takes any protocol.

/// The flow export protocols that Weir speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// NetFlow version 5.
    NetFlow5,
    /// NetFlow version 7 (Catalyst).
    NetFlow7,
    /// NetFlow version 9 (RFC 3954).
    NetFlow9,
    /// IPFIX (RFC 7011), version 10 in its header.
    Ipfix,
    /// sFlow version 5.
    Sflow5,
}

impl Protocol {
    /// All of them, in the order of their numbers.
    pub const ALL: [Protocol; 5] = [
        Protocol::NetFlow5,
        Protocol::NetFlow7,
        Protocol::NetFlow9,
        Protocol::Ipfix,
        Protocol::Sflow5,
    ];

    /// Its value in the column `export_protocol`.
    pub const fn number(self) -> u8 {
        match self {
            Protocol::NetFlow5 => 5,
            Protocol::NetFlow7 => 7,
            Protocol::NetFlow9 => 9,
            Protocol::Ipfix => 10,
            Protocol::Sflow5 => 105,
        }
    }

    /// The protocol behind a value of the column `export_protocol`.
    pub const fn from_number(number: u8) -> Option<Protocol> {
        match number {
            5 => Some(Protocol::NetFlow5),
            7 => Some(Protocol::NetFlow7),
            9 => Some(Protocol::NetFlow9),
            10 => Some(Protocol::Ipfix),
            105 => Some(Protocol::Sflow5),
            _ => None,
        }
    }

    /// The word for labels, logs and pages.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::NetFlow5 => "netflow5",
            Protocol::NetFlow7 => "netflow7",
            Protocol::NetFlow9 => "netflow9",
            Protocol::Ipfix => "ipfix",
            Protocol::Sflow5 => "sflow5",
        }
    }
}

/// Recognises the protocol by the version field. NetFlow and IPFIX have 16 bits of version; sFlow
/// has 32, so its first 16 are zero and never clash.
///
/// ```
/// use weir_wire::{Protocol, recognise};
/// assert_eq!(recognise(&[0, 10, 0, 16]), Some(Protocol::Ipfix));
/// assert_eq!(recognise(&[0, 0, 0, 5]), Some(Protocol::Sflow5));
/// assert_eq!(recognise(b"GET /"), None);
/// ```
#[inline]
pub fn recognise(datagram: &[u8]) -> Option<Protocol> {
    match datagram.first_chunk::<4>()? {
        [0, 5, ..] => Some(Protocol::NetFlow5),
        [0, 7, ..] => Some(Protocol::NetFlow7),
        [0, 9, ..] => Some(Protocol::NetFlow9),
        [0, 10, ..] => Some(Protocol::Ipfix),
        [0, 0, 0, 5] => Some(Protocol::Sflow5),
        _ => None,
    }
}
