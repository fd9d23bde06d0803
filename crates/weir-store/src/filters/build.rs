//! Making the filters of a segment from its blocks.

use weir_model::columns::flows;
use weir_model::{Addr, Code, Scalar, Table, Values};

use super::layout::{Filters, Plane};
use super::{
    Bucket, Kind, LEAVES_MAX, addr_hash, bits_of, bucket_of, endpoint_hash, leaves, pair_hash,
};
use crate::read::{BlockColumn, BlockData};
use crate::segment::{Segment, Tier};

/// Bits for each key there can be at most (a pair or connection a row, the addresses of the
/// dictionary). Different keys are fewer; 8 bits for each of those let 1 in 40
/// strangers in, 7 about 1 in 25.
const BITS: [(Kind, usize); 3] = [(Kind::Address, 8), (Kind::Pair, 6), (Kind::Connection, 7)];
/// Filters are made for the most keys there can be and folded as far as there are fewer: by two,
/// so many times.
const FOLDS: u32 = 6;

/// The filters of a segment of flow records whose dictionary of addresses is `addrs`. None where
/// there is nothing to filter.
pub(crate) fn build(segment: &Segment, addrs: &[Addr]) -> Option<Filters> {
    let head = segment.head();
    if head.table != Table::Flows || head.tier != Tier::Raw {
        return None;
    }
    let index = segment.index().ok()?;
    let rows = |block| index.block(block).map_or(0, |info| info.rows());
    let leaves = leaves((0..index.len()).map(rows));
    if leaves.is_empty() || leaves.len() > LEAVES_MAX {
        return None;
    }
    let rows_of = |leaf: &std::ops::Range<usize>| leaf.clone().map(rows).sum::<usize>();
    let most = leaves.iter().map(rows_of).max().unwrap_or(0);
    let mut builder = Builder {
        hashes: addrs.iter().map(|addr| addr_hash(*addr)).collect(),
        seen: vec![0; addrs.len()],
        drafts: BITS.map(|(kind, bits)| {
            let keys = if kind == Kind::Address { addrs.len().min(2 * most) } else { most };
            Draft::new(kind, bits, keys, leaves.len())
        }),
    };
    let ids = [flows::SRC_ADDR, flows::DST_ADDR, flows::SRC_PORT, flows::DST_PORT];
    for (at, leaf) in leaves.iter().enumerate() {
        for block in leaf.clone() {
            match segment.read(block, &ids) {
                Ok(data) => builder.add(&data, at as u32 + 1),
                // Why: nothing is known of its rows, so nothing may be denied.
                Err(_) => builder.drafts.iter_mut().for_each(Draft::fill),
            }
        }
        builder.drafts.iter_mut().for_each(|draft| draft.settle(at));
    }
    let frames = leaves.iter().map(|leaf| leaf.len() as u32).collect();
    Some(Filters { frames, planes: builder.drafts.map(Draft::into_plane).into() })
}

struct Builder {
    /// By code.
    hashes: Vec<u64>,
    /// By code, the number plus one of the last leaf that it came in.
    seen: Vec<u32>,
    drafts: [Draft; 3],
}

impl Builder {
    fn add(&mut self, data: &BlockData, leaf: u32) {
        let rows = data.rows();
        let source = codes(data.column(flows::SRC_ADDR), rows);
        let destination = codes(data.column(flows::DST_ADDR), rows);
        let source_port = ports(data.column(flows::SRC_PORT), rows);
        let destination_port = ports(data.column(flows::DST_PORT), rows);
        let (hashes, seen) = (&self.hashes, &mut self.seen);
        let [addresses, pairs, connections] = &mut self.drafts;
        let mut hash = |code: Option<Code>| {
            let at = code?.0 as usize;
            let (hash, seen) = (*hashes.get(at)?, seen.get_mut(at)?);
            if std::mem::replace(seen, leaf) != leaf {
                addresses.add(hash);
            }
            Some(hash)
        };
        for row in 0..rows {
            let (one, other) = (hash(source.get(row)), hash(destination.get(row)));
            let (Some(one), Some(other)) = (one, other) else { continue };
            pairs.add(pair_hash(one, other));
            let (Some(port), Some(other_port)) = (source_port.get(row), destination_port.get(row))
            else {
                continue;
            };
            let (one, other) = (endpoint_hash(one, port), endpoint_hash(other, other_port));
            connections.add(pair_hash(one, other));
        }
    }
}

/// A column by row.
enum ByRow<'a, T> {
    None,
    Same(T),
    Each(&'a [T], Option<&'a weir_model::Bitmap>),
}

impl<T: Copy> ByRow<'_, T> {
    #[inline]
    fn get(&self, row: usize) -> Option<T> {
        match self {
            ByRow::None => None,
            ByRow::Same(value) => Some(*value),
            ByRow::Each(values, None) => values.get(row).copied(),
            ByRow::Each(values, Some(bits)) => values.get(row).copied().filter(|_| bits.get(row)),
        }
    }
}

fn codes(column: &BlockColumn, rows: usize) -> ByRow<'_, Code> {
    match column {
        BlockColumn::Constant(Scalar::Code(code)) => ByRow::Same(*code),
        BlockColumn::Values { data: Values::Code(codes), validity } if codes.len() == rows => {
            ByRow::Each(codes, validity.as_ref())
        }
        _ => ByRow::None,
    }
}

fn ports(column: &BlockColumn, rows: usize) -> ByRow<'_, u16> {
    match column {
        BlockColumn::Constant(Scalar::U64(port)) => ByRow::Same(*port as u16),
        BlockColumn::Values { data: Values::U16(ports), validity } if ports.len() == rows => {
            ByRow::Each(ports, validity.as_ref())
        }
        _ => ByRow::None,
    }
}

/// A plane while it is made.
struct Draft {
    kind: Kind,
    bits: usize,
    leaves: usize,
    /// The leaf that is filled.
    leaf: Vec<Bucket>,
    /// Bucket `b` of leaf `l` at `b * leaves + l`.
    buckets: Vec<Bucket>,
    /// About how many keys the fullest leaf has.
    keys: usize,
}

impl Draft {
    fn new(kind: Kind, bits: usize, keys: usize, leaves: usize) -> Draft {
        let count = (keys * bits).div_ceil(256).next_multiple_of(1 << FOLDS);
        let (leaf, buckets) = (vec![[0; 8]; count], vec![[0; 8]; count * leaves]);
        Draft { kind, bits, leaves, leaf, buckets, keys: 1 }
    }

    #[inline]
    fn add(&mut self, hash: u64) {
        let bucket = bucket_of(hash, self.leaf.len() as u32) as usize;
        if let Some(bucket) = self.leaf.get_mut(bucket) {
            bucket.iter_mut().zip(bits_of(hash)).for_each(|(word, bit)| *word |= bit);
        }
    }

    /// Lets everything in.
    fn fill(&mut self) {
        self.leaf.fill([u32::MAX; 8]);
    }

    /// Puts the leaf that was filled to its place, and starts another.
    fn settle(&mut self, at: usize) {
        let ones: u64 = self.leaf.iter().flatten().map(|word| u64::from(word.count_ones())).sum();
        let bits = (self.leaf.len() * 256) as f64;
        // Of a filter of m bits with x of them set by 8 a key, about -m/8 ln(1 - x/m) keys.
        let keys = -bits / 8.0 * (1.0 - ones as f64 / bits).max(1e-9).ln();
        // A leaf that lets everything in says nothing of how many keys others have.
        if (ones as f64) < bits {
            self.keys = self.keys.max(keys as usize);
        }
        let places = self.buckets.iter_mut().skip(at).step_by(self.leaves);
        places.zip(&self.leaf).for_each(|(place, bucket)| *place = *bucket);
        self.leaf.fill([0; 8]);
    }

    /// Folds neighbours into one while there are bits enough for the keys that came.
    fn into_plane(mut self) -> Plane {
        let mut count = self.leaf.len();
        let needed = (self.keys * self.bits).div_ceil(256).max(1);
        let leaves = self.leaves;
        while count.is_multiple_of(2) && count / 2 >= needed {
            count /= 2;
            for at in 0..count * leaves {
                let (bucket, leaf) = (at / leaves, at % leaves);
                let first = self.buckets[2 * bucket * leaves + leaf];
                let second = self.buckets[(2 * bucket + 1) * leaves + leaf];
                self.buckets[at] = std::array::from_fn(|word| first[word] | second[word]);
            }
        }
        self.buckets.truncate(count * leaves);
        Plane { kind: self.kind, count: count as u32, buckets: self.buckets }
    }
}
