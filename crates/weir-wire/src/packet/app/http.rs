//! Heads of HTTP/1 (RFC 9112): request line or status line, and the host.

use super::is_word;

/// Methods that are believed (RFC 9110 §9, RFC 5789).
const METHODS: [&[u8]; 9] =
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"];
/// Lines looked at for the host.
const LINES_MAX: usize = 64;

/// The head of a request or of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http<'a> {
    /// Method of a request.
    pub method: Option<&'a [u8]>,
    /// Target of a request without its query, which may hold secrets. `None` when it was cut off.
    pub path: Option<&'a [u8]>,
    /// The `Host` field of a request.
    pub host: Option<&'a [u8]>,
    /// Status code of a response.
    pub status: Option<u16>,
}

/// Reads the head that begins `octets`. `None` for what is none.
pub fn head(octets: &[u8]) -> Option<Http<'_>> {
    if let Some(rest) = octets.strip_prefix(b"HTTP/1.") {
        let [b'0' | b'1', b' ', digits @ ..] = rest else { return None };
        let digits: &[u8; 3] = digits.first_chunk()?;
        if !digits.iter().all(u8::is_ascii_digit) || digits[0] == b'0' {
            return None;
        }
        let status = digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        return Some(Http { method: None, path: None, host: None, status: Some(status) });
    }
    let space = octets.iter().take(8).position(|octet| *octet == b' ')?;
    let (method, target) = (&octets[..space], &octets[space + 1..]);
    if !METHODS.contains(&method) {
        return None;
    }
    let line_end = target.iter().position(|octet| *octet == b'\r');
    let mut http = Http { method: Some(method), path: None, host: None, status: None };
    let Some(line) = line_end.and_then(|end| target.get(..end)) else {
        // The line was cut: a target begins so, or it is another protocol's text.
        return matches!(target.first(), Some(b'/' | b'h' | b'*')).then_some(http);
    };
    let target = line.strip_suffix(b" HTTP/1.1").or_else(|| line.strip_suffix(b" HTTP/1.0"))?;
    let path = target.split(|octet| *octet == b'?').next();
    http.path = path.filter(|path| is_word(path));
    http.host = octets.get(space + 1 + line.len()..).and_then(host);
    Some(http)
}

/// Finds the host in the lines that follow; `octets` begin with the end of the first line.
fn host(octets: &[u8]) -> Option<&[u8]> {
    let mut rest = octets;
    for _ in 0..LINES_MAX {
        rest = rest.strip_prefix(b"\r\n")?;
        let end = rest.iter().position(|octet| *octet == b'\r')?;
        let line = &rest[..end];
        if let Some((name, value)) = line.split_first_chunk::<5>()
            && name.eq_ignore_ascii_case(b"host:")
        {
            return Some(value.trim_ascii()).filter(|value| is_word(value));
        }
        rest = &rest[end..];
    }
    None
}
