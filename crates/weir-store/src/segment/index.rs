//! What is known of the blocks of a segment without reading them.

use std::sync::Arc;

use weir_model::columns::rollups;
use weir_model::{ColumnId, Scalar, Table};

use super::frame::Frame;
use crate::block::ColumnEntry;
use crate::zone::Zone;

/// A frame and, while it may not be in the file yet, its octets.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) frame: Arc<Frame>,
    pub(crate) octets: Option<Arc<[u8]>>,
}

/// The blocks of a segment, in the order of arrival.
#[derive(Debug, Default)]
pub struct BlockIndex {
    pub(crate) blocks: Vec<Block>,
}

impl BlockIndex {
    /// Of frames that are in the file.
    pub(crate) fn of(frames: Vec<Arc<Frame>>) -> BlockIndex {
        let blocks = frames.into_iter().map(|frame| Block { frame, octets: None });
        BlockIndex { blocks: blocks.collect() }
    }

    /// Number of blocks.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Block `block`; `None` past the last.
    pub fn block(&self, block: usize) -> Option<BlockInfo<'_>> {
        self.blocks.get(block).map(|block| BlockInfo { frame: &block.frame })
    }

    /// Octets it takes in memory, about.
    pub(crate) fn octets(&self) -> usize {
        let columns = |block: &Block| block.frame.directory.columns().len();
        let columns: usize = self.blocks.iter().map(columns).sum();
        columns * size_of::<ColumnEntry>() + self.blocks.len() * size_of::<(Block, Frame, usize)>()
    }
}

/// What is known of a block without reading its columns.
#[derive(Debug, Clone, Copy)]
pub struct BlockInfo<'a> {
    frame: &'a Frame,
}

impl BlockInfo<'_> {
    /// Rows in the block, 1 to 65,536.
    pub fn rows(&self) -> usize {
        self.frame.rows as usize
    }

    /// Bounds of column `id`; `None` when the column is null in every row.
    pub fn zone(&self, id: ColumnId) -> Option<Zone> {
        self.frame.directory.column(id).map(|entry| entry.zone)
    }

    /// Octets that column `id` takes in the file.
    pub fn octets(&self, id: ColumnId) -> usize {
        self.frame.directory.column(id).map_or(0, |entry| entry.len as usize)
    }

    /// Where its frame starts in the file.
    pub fn offset(&self) -> u64 {
        self.frame.offset
    }
}

/// What all blocks of a closed segment lie between: what is kept of it when its index is not.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    zones: Box<[(ColumnId, Zone)]>,
    /// A bit for each cube that has a block.
    cubes: u64,
}

impl Summary {
    pub(crate) fn of(table: Table, index: &BlockIndex) -> Summary {
        let mut zones: Vec<(ColumnId, Zone)> = Vec::new();
        let mut cubes = 0;
        let mut before = 0;
        for Block { frame, .. } in &index.blocks {
            for entry in frame.directory.columns() {
                if table == Table::Rollups && entry.id == rollups::CUBE {
                    cubes |= cubes_of(entry.zone);
                }
                match zones.binary_search_by_key(&entry.id, |(id, _)| *id) {
                    Ok(at) => zones[at].1 = union(zones[at].1, entry.zone),
                    // Blocks before this one have no value.
                    Err(at) => {
                        let nulls = entry.zone.nulls.saturating_add(before);
                        zones.insert(at, (entry.id, Zone { nulls, ..entry.zone }));
                    }
                }
            }
            for (id, zone) in &mut zones {
                if frame.directory.column(*id).is_none() {
                    zone.nulls = zone.nulls.saturating_add(frame.rows);
                }
            }
            before = before.saturating_add(frame.rows);
        }
        Summary { zones: zones.into(), cubes }
    }

    /// Bounds of column `id` over all blocks; `None` when it is null in every row. Nulls past 2³²
    /// count as so many.
    pub fn zone(&self, id: ColumnId) -> Option<Zone> {
        let at = self.zones.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.zones.get(at).map(|(_, zone)| *zone)
    }

    /// Whether a block of sums may have rows of the cube of this number.
    pub fn has_cube(&self, number: u8) -> bool {
        number >= 64 || self.cubes >> number & 1 == 1
    }
}

/// A bit for each cube from the lowest to the highest in a block.
fn cubes_of(zone: Zone) -> u64 {
    let (Scalar::U64(min), Scalar::U64(max)) = (zone.min, zone.max) else { return 0 };
    (min..=max.min(63)).fold(0, |bits, number| bits | 1 << number)
}

fn union(a: Zone, b: Zone) -> Zone {
    let min = if less(b.min, a.min) { b.min } else { a.min };
    let max = if less(a.max, b.max) { b.max } else { a.max };
    Zone { min, max, nulls: a.nulls.saturating_add(b.nulls) }
}

/// By the order of zones. Values of two kinds, which only a damaged file has, are not ordered.
fn less(a: Scalar, b: Scalar) -> bool {
    match (a, b) {
        (Scalar::U64(a), Scalar::U64(b)) => a < b,
        (Scalar::I64(a), Scalar::I64(b)) => a < b,
        (Scalar::F64(a), Scalar::F64(b)) => a.total_cmp(&b).is_lt(),
        (Scalar::Code(a), Scalar::Code(b)) => a < b,
        (Scalar::Addr(a), Scalar::Addr(b)) => a < b,
        _ => false,
    }
}
