//! Filters of a closed segment's blocks: which of them may hold an address, a pair of addresses or
//! a connection, answered for all blocks by one read of some kilobytes.
//!
//! Frames of up to 65,536 rows together are a *leaf*. A plane holds, for one kind of key, a filter
//! of every leaf; a filter is a row of buckets of 256 bits, and a key belongs to one bucket. Buckets
//! of one number lie together for all leaves, with a checksum, since a search wants just these.
//! Built when a segment is closed, from its blocks. `docs/formats/store.md` has the octets.
//!
//! Invariant: a key that a row has is never denied. What is damaged, cannot be read or has no
//! filter says nothing, and then every block may hold everything.

use std::ops::Range;

use weir_model::Addr;

use crate::bloom::mix;

mod build;
mod layout;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use build::build;
pub(crate) use layout::{Filters, FiltersHead};

/// Frames that share a leaf have at most so many rows; a larger frame is a leaf alone.
const LEAF_ROWS: usize = if cfg!(test) { 1_000 } else { weir_model::batch::ROWS_MAX };
/// Leaves that a segment may have: past it (a segment of 67 M rows and less than 4 octets a row)
/// filters would outweigh what they save.
const LEAVES_MAX: usize = 1_024;
/// Octets of a bucket.
const BUCKET_LEN: usize = 32;
/// Mixed into hashes so that they differ from those of the filter of a whole segment.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a row is searched by. Both directions of a pair or connection are the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKey {
    /// An address that is source or destination.
    Address(Addr),
    /// Two addresses that are source and destination, in any order.
    Pair(Addr, Addr),
    /// Two addresses, each with its port.
    Connection((Addr, u16), (Addr, u16)),
}

/// What the keys of a plane are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Address,
    Pair,
    Connection,
}

impl Kind {
    /// Those that are written, in the order of their numbers.
    const WRITTEN: [Kind; 3] = [Kind::Address, Kind::Pair, Kind::Connection];

    fn number(self) -> u32 {
        match self {
            Kind::Address => 1,
            Kind::Pair => 2,
            Kind::Connection => 3,
        }
    }

    fn from_number(number: u32) -> Option<Kind> {
        Kind::WRITTEN.into_iter().find(|kind| kind.number() == number)
    }
}

/// Eight words; a key sets one bit in each.
type Bucket = [u32; BUCKET_LEN / 4];

fn addr_hash(addr: Addr) -> u64 {
    mix((addr.0 >> 64) as u64 ^ mix(addr.0 as u64 ^ GOLDEN))
}

fn pair_hash(one: u64, other: u64) -> u64 {
    // Sums do not depend on the order, and hashes are as good as random.
    mix(one.wrapping_add(other))
}

fn endpoint_hash(addr: u64, port: u16) -> u64 {
    mix(addr.wrapping_add(u64::from(port) + 1))
}

impl RowKey {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            RowKey::Address(_) => Kind::Address,
            RowKey::Pair(..) => Kind::Pair,
            RowKey::Connection(..) => Kind::Connection,
        }
    }

    fn hash(&self) -> u64 {
        match self {
            RowKey::Address(addr) => addr_hash(*addr),
            RowKey::Pair(one, other) => pair_hash(addr_hash(*one), addr_hash(*other)),
            RowKey::Connection((one, port), (other, other_port)) => pair_hash(
                endpoint_hash(addr_hash(*one), *port),
                endpoint_hash(addr_hash(*other), *other_port),
            ),
        }
    }
}

/// The bucket of a hash among `buckets`.
fn bucket_of(hash: u64, buckets: u32) -> u32 {
    (((hash >> 32) * u64::from(buckets)) >> 32) as u32
}

/// The bits of a hash in its bucket: one in each word.
fn bits_of(hash: u64) -> Bucket {
    let bit = |word: usize| 1u32 << (hash >> (5 * word) & 31);
    std::array::from_fn(bit)
}

/// Frames, by number, of each leaf.
fn leaves(rows: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut leaves: Vec<Range<usize>> = Vec::new();
    let mut held = 0;
    for (frame, rows) in rows.enumerate() {
        match leaves.last_mut() {
            Some(leaf) if held + rows <= LEAF_ROWS => {
                leaf.end = frame + 1;
                held += rows;
            }
            _ => {
                leaves.push(frame..frame + 1);
                held = rows;
            }
        }
    }
    leaves
}
