//! Headers of NetFlow and IPFIX messages, and the walk over their Sets (RFC 7011 §3.1, §3.3.2;
//! RFC 3954 §5.1). First step of the control pass.
//!
//! Invariant: framing is checked as a whole before anything else; each [`RawSet`] lies inside its
//! message and the walk moves forward by at least 4 octets.

use weir_model::Timestamp;

use crate::error::MessageError;
use crate::protocol::Protocol;

/// Length of an IPFIX message header.
pub const IPFIX_HEADER: usize = 16;
/// Length of a NetFlow v9 packet header.
pub const NETFLOW9_HEADER: usize = 20;

/// What every record of a message shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// When the exporter sent it.
    pub export_time: Timestamp,
    /// When the exporter booted, where the header tells its uptime.
    pub boot_time: Option<Timestamp>,
    /// Uptime in milliseconds, where the header tells it.
    pub uptime_ms: Option<u32>,
    /// Sequence number, in the protocol's own unit.
    pub sequence: u32,
    /// Observation domain.
    pub domain: u32,
    /// Sampling rate, where the header tells it (v5).
    pub sampling_rate: Option<u32>,
}

/// Reads big-endian numbers at fixed offsets of a header that was checked for length.
pub(crate) fn u16_at(octets: &[u8], at: usize) -> u16 {
    octets.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |c| u16::from_be_bytes(*c))
}

pub(crate) fn u32_at(octets: &[u8], at: usize) -> u32 {
    octets.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |c| u32::from_be_bytes(*c))
}

/// ```text
///  0                   1                   2                   3
///  |       Version = 10            |            Length             |
///  |                           Export Time                         |
///  |                       Sequence Number                         |
///  |                    Observation Domain ID                      |
/// ```
/// Gives the header and the octets that its length field covers; octets after that (a link's
/// padding) are ignored.
pub fn ipfix(octets: &[u8]) -> Result<(Header, &[u8]), MessageError> {
    let have = octets.len();
    if have < IPFIX_HEADER {
        return Err(MessageError::ShortHeader {
            protocol: Protocol::Ipfix,
            need: IPFIX_HEADER,
            have,
        });
    }
    let claimed = usize::from(u16_at(octets, 2));
    let message = octets.get(..claimed).filter(|message| message.len() >= IPFIX_HEADER);
    let message = message.ok_or(MessageError::BadLength { claimed, have })?;
    let header = Header {
        export_time: Timestamp::from_seconds(u32_at(octets, 4).into()),
        boot_time: None,
        uptime_ms: None,
        sequence: u32_at(octets, 8),
        domain: u32_at(octets, 12),
        sampling_rate: None,
    };
    Ok((header, message))
}

/// ```text
///  0                   1                   2                   3
///  |       Version = 9             |            Count              |
///  |                           sysUpTime                           |
///  |                           UNIX Secs                           |
///  |                       Sequence Number                         |
///  |                        Source ID                              |
/// ```
/// `Count` is of records by the RFC and of FlowSets by some exporters: it is not used.
pub fn netflow9(octets: &[u8]) -> Result<Header, MessageError> {
    let have = octets.len();
    if have < NETFLOW9_HEADER {
        let protocol = Protocol::NetFlow9;
        return Err(MessageError::ShortHeader { protocol, need: NETFLOW9_HEADER, have });
    }
    let export_time = Timestamp::from_seconds(u32_at(octets, 8).into());
    let uptime_ms = u32_at(octets, 4);
    Ok(Header {
        export_time,
        boot_time: Some(boot_time(export_time, uptime_ms)),
        uptime_ms: Some(uptime_ms),
        sequence: u32_at(octets, 12),
        domain: u32_at(octets, 16),
        sampling_rate: None,
    })
}

/// The moment at which an uptime of 0 was; before 1970 for absurd headers.
pub(crate) fn boot_time(export_time: Timestamp, uptime_ms: u32) -> Timestamp {
    Timestamp(export_time.0 - i64::from(uptime_ms) * 1_000_000)
}

/// One Set, its header cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawSet<'a> {
    /// Set id.
    pub id: u16,
    /// Where `body` starts in the message.
    pub offset: usize,
    /// Its octets after the 4 of the header.
    pub body: &'a [u8],
}

/// Walks the Sets from `start` on. An error ends the walk. A tail of zeros ends it without one:
/// Palo Alto fills datagrams up with them, and some exporters pad messages to 4 octets.
pub fn sets(
    message: &[u8],
    start: usize,
) -> impl Iterator<Item = Result<RawSet<'_>, MessageError>> {
    let mut offset = start;
    let mut done = false;
    std::iter::from_fn(move || {
        let rest = message.get(offset..).filter(|rest| !rest.is_empty() && !done)?;
        match read_set(rest, offset) {
            Ok(set) => {
                offset += 4 + set.body.len();
                Some(Ok(set))
            }
            Err(error) => {
                done = true;
                rest.iter().any(|&octet| octet != 0).then_some(Err(error))
            }
        }
    })
}

fn read_set(rest: &[u8], offset: usize) -> Result<RawSet<'_>, MessageError> {
    let left = rest.len();
    let Some((&[i0, i1, l0, l1], _)) = rest.split_first_chunk() else {
        return Err(MessageError::BadSet { offset, id: 0, length: 0, left });
    };
    let (id, length) = (u16::from_be_bytes([i0, i1]), usize::from(u16::from_be_bytes([l0, l1])));
    // `get(4..n)` is None for n < 4: the zero length that would spin a caller is refused too.
    let body = rest.get(4..length).ok_or(MessageError::BadSet { offset, id, length, left })?;
    Ok(RawSet { id, offset: offset + 4, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_follow_each_other_and_zero_tails_are_padding() {
        let message = [1, 0, 0, 6, 7, 8, 0, 2, 0, 4, 0, 0, 0, 0, 0];
        let found: Vec<_> = sets(&message, 0).map(|set| set.map(|s| (s.id, s.offset))).collect();
        assert_eq!(found, [Ok((256, 4)), Ok((2, 10))]);
    }

    #[test]
    fn a_set_past_the_end_refuses_the_message() {
        let bad = MessageError::BadSet { offset: 0, id: 256, length: 9, left: 6 };
        assert_eq!(sets(&[1, 0, 0, 9, 7, 8], 0).collect::<Vec<_>>(), [Err(bad)]);
        let zero = MessageError::BadSet { offset: 0, id: 256, length: 0, left: 4 };
        assert_eq!(sets(&[1, 0, 0, 0], 0).collect::<Vec<_>>(), [Err(zero)]);
    }
}
