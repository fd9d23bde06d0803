//! Where one message ends and the next begins in a stream (RFC 7011 §10.4.2.1).

use super::CloseReason;

/// Octets of an IPFIX message header (RFC 7011 §3.1).
///
/// ```text
///  0                   1                   2                   3
/// +-------------------------------+-------------------------------+
/// |            Version            |            Length             |
/// +-------------------------------+-------------------------------+
/// |  Export Time, Sequence Number, Observation Domain ID          |
/// ```
const HEADER: usize = 16;

/// First octet of a TLS record that carries a handshake (RFC 8446 §5.1).
pub(super) const TLS_HANDSHAKE: u8 = 0x16;

/// What stands at the front of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Front {
    /// A whole message of this many octets.
    Message(usize),
    /// The beginning of one, or nothing.
    Partial,
    /// Nothing that could be followed.
    Refused(CloseReason),
}

/// Looks at the front of the stream. Judges as soon as an octet is wrong, so that a stream that is
/// not IPFIX is not waited for.
pub(super) fn front(stream: &[u8], octets_max: usize) -> Front {
    match stream {
        [TLS_HANDSHAKE, ..] => Front::Refused(CloseReason::Tls),
        [first, ..] if *first != 0 => Front::Refused(CloseReason::NotIpfix),
        [_, second, ..] if *second != 10 => Front::Refused(CloseReason::NotIpfix),
        [_, _, l0, l1, ..] => {
            let length = usize::from(u16::from_be_bytes([*l0, *l1]));
            match length {
                n if n < HEADER || n > octets_max => Front::Refused(CloseReason::MessageLength),
                n if n <= stream.len() => Front::Message(n),
                _ => Front::Partial,
            }
        }
        _ => Front::Partial,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_front_is_told_by_its_first_octets() {
        let whole = [[0, 10, 0, 16].as_slice(), &[0; 12]].concat();
        assert_eq!(front(&whole, 65_535), Front::Message(16));
        assert_eq!(front(&[&whole[..], &[0, 10]].concat(), 65_535), Front::Message(16));
        for n in 0..16 {
            assert_eq!(front(&whole[..n], 65_535), Front::Partial);
        }
        let refused = |stream: &[u8], reason| {
            assert_eq!(front(stream, 1_000), Front::Refused(reason), "{stream:?}");
        };
        refused(&[0x16], CloseReason::Tls);
        refused(b"G", CloseReason::NotIpfix);
        refused(&[0, 9], CloseReason::NotIpfix);
        refused(&[0, 10, 0, 15], CloseReason::MessageLength);
        refused(&[0, 10, 3, 233], CloseReason::MessageLength);
    }
}
