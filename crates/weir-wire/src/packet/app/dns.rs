//! DNS messages (RFC 1035 §4): header and first question.

use super::Text;
use crate::packet::{after, u16_at};

/// Most octets of a name as text: 255 on the wire, each of which may need four (`\007`).
pub const NAME_MAX: usize = 1_024;
/// Most octets of a name on the wire (RFC 1035 §2.3.4).
const WIRE_MAX: usize = 255;

/// A question, or an answer with the question that it repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dns {
    /// Number that an answer has from its question.
    pub id: u16,
    /// It is an answer.
    pub is_response: bool,
    /// Response code, of an answer.
    pub rcode: Option<u8>,
    /// Name asked for, in lower case and without the last dot (the root is `.`). `None` when it was
    /// cut off, or when there is no question, as in answers of multicast DNS.
    ///
    /// Why lower case: resolvers mix cases at random to be harder to deceive, and the names are
    /// the same (RFC 4343).
    pub name: Option<Text<NAME_MAX>>,
    /// Type asked for.
    pub qtype: Option<u16>,
}

/// Reads a message. `None` for what cannot be one.
pub fn message(octets: &[u8]) -> Option<Dns> {
    let header: &[u8; 12] = octets.first_chunk()?;
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let (id, flags, questions) = (word(0), word(2), word(4));
    let (is_response, opcode) = (flags & 0x8000 != 0, flags >> 11 & 15);
    // Why: Other things use the ports too. No resolver sends opcodes past 6 or many questions.
    if opcode > 6 || questions > 64 || (questions == 0 && !is_response) {
        return None;
    }
    let mut dns = Dns {
        id,
        is_response,
        rcode: is_response.then_some((flags & 15) as u8),
        name: None,
        qtype: None,
    };
    if questions > 0
        && let Some((name, rest)) = name(after(octets, 12))
    {
        dns.name = Some(name);
        dns.qtype = u16_at(rest, 0);
    }
    Some(dns)
}

/// Reads a message behind its length (RFC 1035 §4.2.2), of which the packet may hold a part.
pub fn over_tcp(octets: &[u8]) -> Option<Dns> {
    let length = usize::from(u16_at(octets, 0)?);
    if length < 12 { None } else { message(after(octets, 2)) }
}

/// Reads a name and gives what follows it. A first question has nothing before it that a pointer
/// could point at, so a pointer is no name.
fn name(octets: &[u8]) -> Option<(Text<NAME_MAX>, &[u8])> {
    let mut text = Text::EMPTY;
    let mut at = 0;
    while at < WIRE_MAX {
        let length = usize::from(*octets.get(at)?);
        at += 1;
        match length {
            0 => {
                if text.as_bytes().is_empty() {
                    text.push(b'.')?;
                }
                return Some((text, after(octets, at)));
            }
            1..=63 => {
                if at > 1 {
                    text.push(b'.')?;
                }
                for octet in octets.get(at..at + length)? {
                    escape(&mut text, octet.to_ascii_lowercase())?;
                }
                at += length;
            }
            _ => return None,
        }
    }
    None
}

/// Text of an octet within a label (RFC 1035 §5.1).
fn escape(text: &mut Text<NAME_MAX>, octet: u8) -> Option<()> {
    match octet {
        b'.' | b'\\' => text.extend(&[b'\\', octet]),
        _ if octet.is_ascii_graphic() => text.push(octet),
        _ => text.extend(&[b'\\', b'0' + octet / 100, b'0' + octet / 10 % 10, b'0' + octet % 10]),
    }
}
