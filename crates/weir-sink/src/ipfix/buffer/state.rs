//! What is kept beside the segments: who this exporter is and which numbers it has used.
//!
//! File `state`, 44 octets, big-endian: `WEIRSTA1`, instance (16), number before which all were
//! used or are reserved (u64; after an orderly end, the next one), number up to which the collector
//! is done (u64), crc32c of all before it (u32).

const MAGIC: &[u8; 8] = b"WEIRSTA1";
/// Name of the file.
pub(crate) const NAME: &str = "state";
const LENGTH: usize = 8 + 16 + 8 + 8 + 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) instance: [u8; 16],
    pub(crate) next: u64,
    pub(crate) released: u64,
}

impl State {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&self.instance);
        out.extend_from_slice(&self.next.to_be_bytes());
        out.extend_from_slice(&self.released.to_be_bytes());
        let sum = crc32c::crc32c(&out);
        out.extend_from_slice(&sum.to_be_bytes());
        out
    }

    /// `None` where the octets are no whole state.
    pub(crate) fn decode(octets: &[u8]) -> Option<State> {
        let octets = octets.first_chunk::<LENGTH>()?;
        let (body, sum) = octets.split_last_chunk::<4>()?;
        let body = (crc32c::crc32c(body) == u32::from_be_bytes(*sum)).then_some(body)?;
        let rest = body.strip_prefix(MAGIC)?;
        let (instance, rest) = rest.split_first_chunk()?;
        let (next, rest) = rest.split_first_chunk()?;
        let (released, _) = rest.split_first_chunk()?;
        Some(State {
            instance: *instance,
            next: u64::from_be_bytes(*next),
            released: u64::from_be_bytes(*released),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_whole_or_not_at_all() {
        let state = State { instance: [7; 16], next: 1 << 40, released: 3 };
        let octets = state.encode();
        assert_eq!((octets.len(), State::decode(&octets)), (LENGTH, Some(state)));
        for at in 0..octets.len() {
            let mut damaged = octets.clone();
            damaged[at] ^= 1;
            assert_eq!(State::decode(&damaged), None, "octet {at}");
            assert_eq!(State::decode(&octets[..at]), None);
        }
    }
}
