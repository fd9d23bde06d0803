//! The ClientHello of TLS (RFC 8446 §4.1.2): server name and application protocols.

use super::{Text, is_word};
use crate::packet::{after, u16_at};

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
/// Extensions looked at. Limit: browsers send under 20.
const EXTENSIONS_MAX: usize = 64;

/// What a client says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// Name of the server (RFC 6066 §3).
    pub server_name: Option<&'a [u8]>,
    /// Protocols offered (RFC 7301), in the client's order with commas between.
    pub alpn: Option<Text<255>>,
}

/// Reads the first record of a connection, which may be cut anywhere: what comes after the cut is
/// `None`. `None` for anything that is not a ClientHello.
pub fn client_hello(octets: &[u8]) -> Option<ClientHello<'_>> {
    // Record: handshake, version 3.x, length. Handshake: ClientHello, length, version, random.
    let [0x16, 3, 0..=4, _, _, 1, _, _, _, 3, 0..=4, rest @ ..] = octets else { return None };
    // Limit: A hello that is spread over several records is read to the end of the first.
    let record = usize::from(u16_at(octets, 3)?);
    let rest = rest.get(..record.saturating_sub(6)).unwrap_or(rest);
    let mut hello = ClientHello { server_name: None, alpn: None };
    let _cut = extensions(after(rest, 32), &mut hello);
    Some(hello)
}

/// Skips session, cipher suites and compression methods and reads the extensions.
fn extensions<'a>(octets: &'a [u8], hello: &mut ClientHello<'a>) -> Option<()> {
    let session = usize::from(*octets.first()?);
    let octets = octets.get(1 + session..)?;
    let suites = usize::from(u16_at(octets, 0)?);
    let octets = octets.get(2 + suites..)?;
    let methods = usize::from(*octets.first()?);
    let mut octets = octets.get(1 + methods + 2..)?;
    for _ in 0..EXTENSIONS_MAX {
        let (kind, length) = (u16_at(octets, 0)?, usize::from(u16_at(octets, 2)?));
        let body = octets.get(4..4 + length)?;
        match kind {
            SERVER_NAME => hello.server_name = server_name(body),
            ALPN => hello.alpn = protocols(body),
            _ => {}
        }
        octets = after(octets, 4 + length);
    }
    None
}

/// The first name of the list; the only kind there is is a host name.
fn server_name(body: &[u8]) -> Option<&[u8]> {
    let [_, _, 0, name @ ..] = body else { return None };
    let length = usize::from(u16_at(name, 0)?);
    name.get(2..2 + length).filter(|name| is_word(name))
}

fn protocols(body: &[u8]) -> Option<Text<255>> {
    let (mut text, mut rest) = (Text::EMPTY, after(body, 2));
    while let Some(length) = rest.first() {
        let end = 1 + usize::from(*length);
        let name = rest.get(1..end)?;
        rest = after(rest, end);
        // Why: GREASE (RFC 8701) offers names that nobody has, to keep servers tolerant.
        if matches!(name, [a, b] if a == b && a & 15 == 10) {
            continue;
        }
        if !is_word(name) {
            return None;
        }
        if !text.as_bytes().is_empty() {
            text.push(b',')?;
        }
        text.extend(name)?;
    }
    (!text.as_bytes().is_empty()).then_some(text)
}
