//! Dictionary entries as octets: those that a frame adds, or all of a closed segment.

use weir_model::Addr;

use super::Additions;
use crate::encoding::compress::expand;
use crate::encoding::cursor::put_varint;
use crate::encoding::{Cursor, Decoded, Encoder};
use crate::read::Damage;

const PLAIN: u8 = 0;
const COMPRESSED: u8 = 1;

/// Entries of one section, at most: what the bounds of a segment and one batch allow.
const ENTRIES_MAX: usize = 1 << 23;
/// Octets of one section before compression, at most.
const OCTETS_MAX: usize = 256 << 20;
/// What a compressed section may expand to, per octet: entries are distinct, so more than this is
/// not a dictionary.
const RATIO_MAX: usize = 512;

/// Appends a section. Nothing at all when there are no entries.
pub(crate) fn encode(entries: &Additions, encoder: &mut Encoder, out: &mut Vec<u8>) {
    if entries.is_empty() {
        return;
    }
    let mut plain = Vec::new();
    encode_addrs(&entries.addrs, &mut plain);
    put_varint(&mut plain, entries.ends.len() as u64);
    let mut start = 0;
    for end in &entries.ends {
        put_varint(&mut plain, u64::from(end - start));
        start = *end;
    }
    plain.extend_from_slice(&entries.octets);
    match encoder.squeeze(&plain) {
        Some(squeezed) if plain.len() <= squeezed.len() * RATIO_MAX => {
            out.push(COMPRESSED);
            put_varint(out, plain.len() as u64);
            out.extend_from_slice(squeezed);
        }
        _ => {
            out.push(PLAIN);
            out.extend_from_slice(&plain);
        }
    }
}

/// IPv4 addresses are written with 4 octets, others with 16; a bit tells which.
fn encode_addrs(addrs: &[Addr], out: &mut Vec<u8>) {
    put_varint(out, addrs.len() as u64);
    let start = out.len();
    out.resize(start + addrs.len().div_ceil(8), 0);
    for (at, _) in addrs.iter().enumerate().filter(|(_, addr)| addr.as_v4().is_some()) {
        out[start + at / 8] |= 1 << (at % 8);
    }
    out.extend(addrs.iter().filter_map(|addr| addr.as_v4()).flat_map(u32::to_be_bytes));
    let others = addrs.iter().filter(|addr| addr.as_v4().is_none());
    out.extend(others.flat_map(|addr| addr.octets()));
}

/// Reads a section that is all of `octets`.
pub(crate) fn decode(octets: &[u8]) -> Decoded<Additions> {
    if octets.is_empty() {
        return Ok(Additions::default());
    }
    let mut cursor = Cursor::new(octets);
    match cursor.u8()? {
        PLAIN => decode_plain(cursor),
        COMPRESSED => {
            let len = cursor.count(OCTETS_MAX, "length of a dictionary")?;
            if len > cursor.len() * RATIO_MAX {
                return Err(Damage::Impossible("length of a dictionary"));
            }
            let mut plain = Vec::new();
            expand(cursor.take(cursor.len())?, len, &mut plain)?;
            decode_plain(Cursor::new(&plain))
        }
        _ => Err(Damage::Impossible("form of a dictionary")),
    }
}

fn decode_plain(mut cursor: Cursor<'_>) -> Decoded<Additions> {
    let addrs = decode_addrs(&mut cursor)?;
    let count = cursor.count(ENTRIES_MAX.min(cursor.len()), "number of strings")?;
    let mut ends = Vec::with_capacity(count);
    let mut end = 0usize;
    for _ in 0..count {
        end += cursor.count(OCTETS_MAX, "length of a string")?;
        if end > cursor.len() {
            return Err(Damage::Truncated);
        }
        ends.push(end as u32);
    }
    if end != cursor.len() {
        return Err(Damage::Impossible("length of a dictionary"));
    }
    Ok(Additions { addrs, octets: cursor.take(end)?.to_vec(), ends })
}

fn decode_addrs(cursor: &mut Cursor<'_>) -> Decoded<Vec<Addr>> {
    let count = cursor.count(ENTRIES_MAX.min(cursor.len()), "number of addresses")?;
    let families = cursor.take(count.div_ceil(8))?;
    let is_v4 = |at: usize| families[at / 8] >> (at % 8) & 1 == 1;
    let v4_count = (0..count).filter(|at| is_v4(*at)).count();
    let (mut v4, _) = cursor.take(v4_count * 4)?.as_chunks::<4>();
    let (mut v6, _) = cursor.take((count - v4_count) * 16)?.as_chunks::<16>();
    let mut addrs = Vec::with_capacity(count);
    for at in 0..count {
        let addr = if is_v4(at) {
            let (first, rest) = v4.split_first().ok_or(Damage::Truncated)?;
            v4 = rest;
            Addr::v4(u32::from_be_bytes(*first))
        } else {
            let (first, rest) = v6.split_first().ok_or(Damage::Truncated)?;
            v6 = rest;
            Addr::v6(*first)
        };
        addrs.push(addr);
    }
    Ok(addrs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries(addrs: Vec<u128>, strings: Vec<Vec<u8>>) -> Additions {
        let addrs = addrs.into_iter().map(Addr).collect();
        let mut additions = Additions { addrs, ..Additions::default() };
        for string in strings {
            additions.octets.extend(string);
            additions.ends.push(additions.octets.len() as u32);
        }
        additions
    }

    fn addr() -> impl Strategy<Value = u128> {
        prop_oneof![any::<u128>(), any::<u32>().prop_map(|v4| Addr::v4(v4).0), 0u128..3]
    }

    proptest! {
        #[test]
        fn entries_round_trip(
            addrs in prop::collection::vec(addr(), 0..300),
            strings in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..300),
        ) {
            let entries = entries(addrs, strings);
            for compress in [false, true] {
                let mut encoder = Encoder::new();
                encoder.set_compress(compress);
                let mut octets = Vec::new();
                encode(&entries, &mut encoder, &mut octets);
                prop_assert_eq!(decode(&octets), Ok(entries.clone()));
            }
        }

        #[test]
        fn any_octets_are_refused_or_read(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&octets);
        }
    }
}
