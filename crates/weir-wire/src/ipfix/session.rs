//! What an exporting session writes besides data: templates, their withdrawal, the announcement of
//! acknowledgements (docs/formats/acknowledgement.md), and the header of a message that was kept.

use weir_model::Timestamp;
use weir_model::own;

const HEADER: usize = 16;

/// Header fields that are known only when a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Export time.
    pub at: Timestamp,
    /// Number of the first data record, or of the next one where the message has none.
    pub sequence: u64,
    /// Observation domain.
    pub domain: u32,
}

/// Id of the announcement's template: the highest there is, which no encoder reaches.
pub const ANNOUNCEMENT_ID: u16 = u16::MAX;

/// Writes export time and sequence number into a message; what is shorter than a header is left.
pub fn stamp(message: &mut [u8], stamp: Stamp) {
    let seconds = stamp.at.seconds().clamp(0, i64::from(u32::MAX)) as u32;
    if let Some(fields) = message.get_mut(4..HEADER) {
        fields[..4].copy_from_slice(&seconds.to_be_bytes());
        fields[4..8].copy_from_slice(&(stamp.sequence as u32).to_be_bytes());
        fields[8..].copy_from_slice(&stamp.domain.to_be_bytes());
    }
}

/// Appends a message with one template, after its withdrawal where `redefines` (RFC 7011 §8.1: over
/// a connection an id means something else only after that).
pub fn template(out: &mut Vec<u8>, at: Stamp, options: bool, record: &[u8], redefines: bool) {
    let set = if options { 3u16 } else { 2 };
    let start = open(out);
    if redefines {
        push_set(out, set, &[record.get(..2).unwrap_or_default(), &[0, 0]].concat());
    }
    push_set(out, set, record);
    close(out, start, at);
}

/// Appends the announcement: its template and one record that says from which number on the
/// exporter will send. It takes the number before that.
pub fn announcement(out: &mut Vec<u8>, at: Stamp, instance: &[u8; 16]) {
    let first = at.sequence;
    let start = open(out);
    let mut record = Vec::new();
    for word in [ANNOUNCEMENT_ID, 4, 1, 149, 4] {
        record.extend_from_slice(&word.to_be_bytes());
    }
    for (key, length) in
        [(own::ACK_VERSION, 1u16), (own::EXPORTER_INSTANCE, 16), (own::FIRST_SEQUENCE, 8)]
    {
        record.extend_from_slice(&(key.id | 0x8000).to_be_bytes());
        record.extend_from_slice(&length.to_be_bytes());
        record.extend_from_slice(&key.pen.to_be_bytes());
    }
    push_set(out, 3, &record);
    record.clear();
    record.extend_from_slice(&at.domain.to_be_bytes());
    record.push(1);
    record.extend_from_slice(instance);
    record.extend_from_slice(&first.to_be_bytes());
    push_set(out, ANNOUNCEMENT_ID, &record);
    close(out, start, Stamp { sequence: first.wrapping_sub(1), ..at });
}

/// Ids of the templates that a message of data uses, in the order of its Sets.
pub fn template_ids(message: &[u8]) -> impl Iterator<Item = u16> + '_ {
    let mut rest = message.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let &[i0, i1, l0, l1] = rest.first_chunk()?;
        // A length below that of the Set's header would not advance.
        let length = usize::from(u16::from_be_bytes([l0, l1])).max(4);
        rest = rest.get(length..).unwrap_or_default();
        Some(u16::from_be_bytes([i0, i1]))
    })
}

fn open(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&10u16.to_be_bytes());
    out.extend_from_slice(&[0; HEADER - 2]);
    start
}

fn push_set(out: &mut Vec<u8>, id: u16, body: &[u8]) {
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&((body.len() + 4) as u16).to_be_bytes());
    out.extend_from_slice(body);
}

fn close(out: &mut [u8], start: usize, at: Stamp) {
    let Some(message) = out.get_mut(start..) else { return };
    let length = (message.len() as u16).to_be_bytes();
    message[2..4].copy_from_slice(&length);
    stamp(message, at);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announcement_is_the_documents() {
        let mut out = Vec::new();
        let at = Stamp { at: Timestamp::from_seconds(7), sequence: 1 << 32, domain: 3 };
        announcement(&mut out, at, &[9; 16]);
        let head = [0, 10, 0, 87, 0, 0, 0, 7, 255, 255, 255, 255, 0, 0, 0, 3];
        assert_eq!(out[..16], head, "sequence is firstSequence - 1 modulo 2^32");
        let template = [
            0, 3, 0, 38, 255, 255, 0, 4, 0, 1, 0, 149, 0, 4, 0xf5, 0x31, 0, 1, 0, 0, 0x7e, 0xd9,
            0xf5, 0x32, 0, 16, 0, 0, 0x7e, 0xd9, 0xf5, 0x33, 0, 8, 0, 0, 0x7e, 0xd9,
        ];
        assert_eq!(out[16..54], template);
        assert_eq!(out[54..63], [255, 255, 0, 33, 0, 0, 0, 3, 1]);
        assert_eq!(out[79..], [0, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(template_ids(&out).collect::<Vec<_>>(), [3, 65_535]);
    }

    #[test]
    fn redefined_templates_are_withdrawn_first() {
        let mut out = Vec::new();
        let at = Stamp { at: Timestamp(0), sequence: 5, domain: 0 };
        template(&mut out, at, false, &[1, 0, 0, 1, 0, 7, 0, 2], true);
        assert_eq!(out[16..], [0, 2, 0, 8, 1, 0, 0, 0, 0, 2, 0, 12, 1, 0, 0, 1, 0, 7, 0, 2]);
        assert_eq!(out[2..4], [0, 36]);
    }

    #[test]
    fn ids_of_damaged_messages_end() {
        assert_eq!(template_ids(&[0; 40]).count(), 6);
        assert_eq!(template_ids(&[0; 3]).count(), 0);
    }
}
