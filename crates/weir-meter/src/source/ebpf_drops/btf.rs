//! Names of an enumeration, from the kernel's own type information (BTF, Documentation/bpf/btf.rst).
//!
//! Reasons of drops are renumbered between kernels, so a table in the source would be wrong on the next.

use std::collections::HashMap;
use std::sync::Arc;

use crate::netlink::{u16_at, u32_at};

const MAGIC: u16 = 0xeb9f;
/// Most values that are taken of one enumeration.
const VALUES_MAX: usize = 4_096;

/// Kinds, and the octets that follow the 12 of each type: a fixed number, and so many a member.
const FOLLOWS: [(usize, usize); 20] = [
    (0, 0),  // unknown
    (4, 0),  // int
    (0, 0),  // pointer
    (12, 0), // array
    (0, 12), // struct
    (0, 12), // union
    (0, 8),  // enum
    (0, 0),  // forward
    (0, 0),  // typedef
    (0, 0),  // volatile
    (0, 0),  // const
    (0, 0),  // restrict
    (0, 0),  // function
    (0, 8),  // prototype
    (4, 0),  // variable
    (0, 12), // section
    (0, 0),  // float
    (4, 0),  // declaration tag
    (0, 0),  // type tag
    (0, 12), // enum of 64 bits
];
const ENUM: usize = 6;

/// The values of the enumeration `name`, each without `prefix`.
pub(super) fn enumeration(btf: &[u8], name: &str, prefix: &str) -> HashMap<u32, Arc<str>> {
    values(btf, name, prefix).unwrap_or_default()
}

fn values(btf: &[u8], name: &str, prefix: &str) -> Option<HashMap<u32, Arc<str>>> {
    if u16_at(btf, 0)? != MAGIC {
        return None;
    }
    let word = |at: usize| u32_at(btf, at).map(|word| word as usize);
    let header = word(4)?;
    let (type_off, type_len, str_off, str_len) = (word(8)?, word(12)?, word(16)?, word(20)?);
    let section = |offset: usize, length: usize| {
        let start = header.checked_add(offset)?;
        btf.get(start..start.checked_add(length)?)
    };
    let (types, strings) = (section(type_off, type_len)?, section(str_off, str_len)?);
    let text = |at: u32| {
        let rest = strings.get(at as usize..)?;
        let end = rest.iter().position(|octet| *octet == 0)?;
        std::str::from_utf8(rest.get(..end)?).ok()
    };
    let mut at = 0;
    // Each step moves on by 12 octets at least.
    while let (Some(name_at), Some(info)) = (u32_at(types, at), u32_at(types, at + 4)) {
        let (kind, members) = ((info >> 24 & 31) as usize, (info & 0xffff) as usize);
        let (fixed, each) = *FOLLOWS.get(kind)?;
        if kind == ENUM && text(name_at) == Some(name) {
            let member = |i: usize| {
                let value = u32_at(types, at + 12 + i * 8 + 4)?;
                let name = text(u32_at(types, at + 12 + i * 8)?)?;
                Some((value, Arc::from(name.strip_prefix(prefix).unwrap_or(name))))
            };
            return Some((0..members.min(VALUES_MAX)).map_while(member).collect());
        }
        at += 12 + fixed + members * each;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A BTF of an int, a struct of one member, and an enumeration of two values.
    fn small() -> Vec<u8> {
        let strings = b"\0int\0thing\0reason\0R_ONE\0R_TWO\0";
        let words: [u32; 4 + 6 + 7] = [
            1,
            1 << 24,
            4,
            32, // int
            5,
            4 << 24 | 1,
            8,
            0,
            1,
            0, // struct
            11,
            6 << 24 | 2,
            4,
            18,
            1,
            24,
            7, // enum
        ];
        let types: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let mut btf = MAGIC.to_ne_bytes().to_vec();
        btf.extend([1, 0]);
        for word in [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32] {
            btf.extend(word.to_ne_bytes());
        }
        btf.extend(types);
        btf.extend(strings);
        btf
    }

    #[test]
    fn values_are_found_behind_other_types() {
        let found = enumeration(&small(), "reason", "R_");
        let mut found: Vec<_> = found.iter().map(|(value, name)| (*value, &**name)).collect();
        found.sort_unstable();
        assert_eq!(found, [(1, "ONE"), (7, "TWO")]);
        assert!(enumeration(&small(), "thing", "").is_empty());
    }

    proptest! {
        #[test]
        fn damage_is_contained(at in 0usize..140, octet: u8, cut in 0usize..140) {
            let mut btf = small();
            if let Some(place) = btf.get_mut(at) {
                *place = octet;
            }
            btf.truncate(btf.len().saturating_sub(cut));
            enumeration(&btf, "reason", "R_");
        }
    }
}
