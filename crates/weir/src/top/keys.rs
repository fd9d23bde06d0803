//! Octets of a terminal as keys.

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character that is written.
    Char(char),
    /// A letter with Control.
    Control(char),
    Enter,
    Escape,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
}

/// Reads one key from the front of `octets`, and how many octets it took. None when the rest of it
/// has not come yet; an unknown sequence is no key and is taken whole.
pub fn read(octets: &[u8]) -> Option<(Option<Key>, usize)> {
    let first = *octets.first()?;
    match first {
        0x1b => escape(octets),
        b'\r' | b'\n' => Some((Some(Key::Enter), 1)),
        0x7f | 0x08 => Some((Some(Key::Backspace), 1)),
        0x00..=0x1f => Some((Some(Key::Control(char::from(first | 0x60))), 1)),
        _ => character(octets),
    }
}

/// A lone escape is the key itself only when nothing follows: whoever reads waits a moment, then
/// calls [`Key::Escape`] what is left.
fn escape(octets: &[u8]) -> Option<(Option<Key>, usize)> {
    match *octets.get(1)? {
        b'[' | b'O' => {}
        // Alt with a key: the key alone means something.
        _ => return Some((Some(Key::Escape), 1)),
    }
    let end = octets.iter().skip(2).position(|octet| matches!(octet, 0x40..=0x7e))? + 2;
    let key = match (&octets[2..end], octets[end]) {
        (_, b'A') => Key::Up,
        (_, b'B') => Key::Down,
        (_, b'C') => Key::Right,
        (_, b'D') => Key::Left,
        (_, b'H') | (b"1" | b"7", b'~') => Key::Home,
        (_, b'F') | (b"4" | b"8", b'~') => Key::End,
        (b"3", b'~') => Key::Delete,
        (b"5", b'~') => Key::PageUp,
        (b"6", b'~') => Key::PageDown,
        _ => return Some((None, end + 1)),
    };
    Some((Some(key), end + 1))
}

/// A character of UTF-8; octets that are none are passed over.
fn character(octets: &[u8]) -> Option<(Option<Key>, usize)> {
    let length = match octets[0] {
        0xf0..=0xf7 => 4,
        0xe0..=0xef => 3,
        0xc0..=0xdf => 2,
        _ => 1,
    };
    let text = octets.get(..length)?;
    match std::str::from_utf8(text).ok().and_then(|text| text.chars().next()) {
        Some(c) => Some((Some(Key::Char(c)), length)),
        None => Some((None, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut octets: &[u8]) -> Vec<Key> {
        let mut keys = Vec::new();
        while let Some((key, taken)) = read(octets) {
            keys.extend(key);
            octets = &octets[taken..];
        }
        keys
    }

    #[test]
    fn sequences_are_keys() {
        assert_eq!(
            all("q\u{1b}[A\u{1b}OB\u{1b}[5~\u{1b}[1;5Cé\u{3}\r\u{7f}\u{1b}[3~".as_bytes()),
            [
                Key::Char('q'),
                Key::Up,
                Key::Down,
                Key::PageUp,
                Key::Right,
                Key::Char('é'),
                Key::Control('c'),
                Key::Enter,
                Key::Backspace,
                Key::Delete,
            ]
        );
    }

    #[test]
    fn halves_wait_and_rubbish_is_passed_over() {
        for half in [&b"\x1b"[..], b"\x1b[", b"\x1b[1;", &[0xc3]] {
            assert_eq!(read(half), None, "{half:?}");
        }
        assert_eq!(all(b"\x1b[99zx\xff\xfey"), [Key::Char('x'), Key::Char('y')]);
        assert_eq!(all(b"\x1bq"), [Key::Escape, Key::Char('q')]);
    }
}
