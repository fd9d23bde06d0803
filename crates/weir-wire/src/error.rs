//! Why a whole message was refused. Smaller blame (a Set, a record) is counted, not an error.

use crate::protocol::Protocol;
use crate::tally::DropReason;

/// A message that was refused whole. Offsets count octets from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The version field names no protocol that Weir speaks.
    #[error("version {version:#06x} is none of NetFlow v5, v7, v9, IPFIX, sFlow v5")]
    UnknownProtocol {
        /// First two octets (0 if there are fewer).
        version: u16,
    },
    /// The header does not fit.
    #[error("{protocol:?} header needs {need} octets, the message has {have}")]
    ShortHeader {
        /// Which header.
        protocol: Protocol,
        /// Its length.
        need: usize,
        /// What there was.
        have: usize,
    },
    /// The header's length field is not the length of the message.
    #[error("header claims {claimed} octets, the message has {have}")]
    BadLength {
        /// What the header says.
        claimed: usize,
        /// What there was.
        have: usize,
    },
    /// A Set's length field runs past the message or is too small.
    #[error("set {id} at offset {offset} claims {length} octets, {left} left")]
    BadSet {
        /// Where the Set starts.
        offset: usize,
        /// Its id.
        id: u16,
        /// What its header says.
        length: usize,
        /// What there was.
        left: usize,
    },
    /// The header's record count does not fit the message.
    #[error("header claims {claimed} records, {fit} fit")]
    BadCount {
        /// What the header says.
        claimed: usize,
        /// What there was room for.
        fit: usize,
    },
    /// Any other header field that cannot be.
    #[error("header field at offset {offset} has the impossible value {value}")]
    BadHeader {
        /// Where.
        offset: usize,
        /// What it says.
        value: u32,
    },
    /// There are as many exporters as the limits allow.
    #[error("limit of {limit} exporters reached")]
    TooManyExporters {
        /// The limit.
        limit: usize,
    },
}

impl MessageError {
    /// The ledger's reason.
    pub const fn reason(&self) -> DropReason {
        match self {
            MessageError::UnknownProtocol { .. } => DropReason::UnknownProtocol,
            MessageError::TooManyExporters { .. } => DropReason::ExporterQuota,
            _ => DropReason::MalformedMessage,
        }
    }
}

/// Why saved state was refused; the collector is unchanged then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Not a file of ours, or of a version to come.
    #[error("state is not of a known version")]
    Version,
    /// Ends early or contradicts itself.
    #[error("state is damaged at offset {offset}")]
    Damaged {
        /// Where it stops making sense.
        offset: usize,
    },
}
