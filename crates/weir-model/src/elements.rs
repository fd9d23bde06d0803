//! Lists of information elements in one octet string: the `extra` column (elements that have no
//! column) and the scope and fields of options records.
//!
//! Layout, repeated: enterprise number (u32), element id (u16), length (u16), value as it was on
//! the wire; all big-endian. Order is the order of the record, so the n-th occurrence of an
//! element is the n-th one in the list.

use crate::column::ElementKey;

/// One element of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// Which element.
    pub key: ElementKey,
    /// Its octets on the wire, without a length.
    pub value: &'a [u8],
}

/// Appends an element to `list`. Values past 65,535 octets cannot come from a datagram; they
/// are cut there.
pub fn push(list: &mut Vec<u8>, key: ElementKey, value: &[u8]) {
    let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
    list.extend_from_slice(&key.pen.to_be_bytes());
    list.extend_from_slice(&key.id.to_be_bytes());
    list.extend_from_slice(&(value.len() as u16).to_be_bytes());
    list.extend_from_slice(value);
}

/// Walks a list. Ends early where the octets stop making sense.
pub fn iter(list: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let (&[p0, p1, p2, p3, i0, i1, l0, l1], after) = rest.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let value = after.get(..length)?;
        rest = after.get(length..)?;
        let key = ElementKey {
            pen: u32::from_be_bytes([p0, p1, p2, p3]),
            id: u16::from_be_bytes([i0, i1]),
        };
        Some(Element { key, value })
    })
}

/// The `occurrence`-th value (from 0) of `key` in `list`.
pub fn find(list: &[u8], key: ElementKey, occurrence: usize) -> Option<&[u8]> {
    iter(list).filter(|element| element.key == key).nth(occurrence).map(|element| element.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_order_and_occurrences() {
        let (a, b) = (ElementKey { pen: 0, id: 104 }, ElementKey { pen: 5951, id: 128 });
        let mut list = Vec::new();
        push(&mut list, a, b"x");
        push(&mut list, b, b"");
        push(&mut list, a, b"yz");
        assert_eq!(iter(&list).count(), 3);
        assert_eq!(find(&list, a, 1), Some(&b"yz"[..]));
        assert_eq!(find(&list, b, 0), Some(&b""[..]));
        assert_eq!(find(&list, b, 1), None);
        assert_eq!(iter(&list[..list.len() - 1]).count(), 2);
    }
}
