//! sFlow version 5 (placeholder).

use crate::error::MessageError;
use crate::output::Output;
use crate::protocol::Protocol;
use crate::received::Received;
use crate::tally::{DropReason, Tally};

/// Header of a datagram (sFlow v5, struct sample_datagram_v5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Address of the agent.
    pub agent: weir_model::Addr,
    /// Sub-agent.
    pub sub_agent: u32,
    /// Sequence number of the datagram within the sub-agent.
    pub sequence: u32,
    /// Milliseconds since the agent booted.
    pub uptime_ms: u32,
    /// Samples that the datagram claims to hold.
    pub samples: u32,
}

/// Reads the header: all that the control pass needs.
pub fn header(octets: &[u8]) -> Result<Header, MessageError> {
    Err(MessageError::ShortHeader { protocol: Protocol::Sflow5, need: 28, have: octets.len() })
}

/// Appends the rows of every sample. Counts `sets` (one a sample), `sets_decoded`, `flows`,
/// `counters` and drops in `tally`; messages and octets were counted by the control pass.
pub fn decode(octets: &[u8], received: &Received, out: &mut Output, tally: &mut Tally) {
    let _ = (received, out);
    tally.sets += 1;
    tally.drop_set(DropReason::MalformedSet, octets.len());
}
