//! Reading a segment.

use std::sync::Arc;

use weir_model::{Addr, ColumnId, FlowBatch};

use crate::dictionary::Dictionary;
use crate::read::{BlockData, ReadAt, ReadError};
use crate::zone::Zone;

use super::{SegmentHead, SegmentId, SegmentInfo};

/// A segment as it was at one moment.
#[derive(Debug)]
pub struct Segment {}

/// What is known of a block without reading its columns.
#[derive(Debug, Clone, Copy)]
pub struct BlockInfo<'a> {
    _segment: &'a Segment,
}

impl BlockInfo<'_> {
    /// Rows in the block, 1 to 65,536.
    pub fn rows(&self) -> usize {
        todo!()
    }

    /// Bounds of column `id`; `None` when the column is null in every row.
    pub fn zone(&self, id: ColumnId) -> Option<Zone> {
        todo!("{id:?}")
    }

    /// Octets that reading column `id` reads.
    pub fn octets(&self, id: ColumnId) -> usize {
        todo!("{id:?}")
    }
}

impl Segment {
    /// Opens a closed segment: reads header, footer and the index of blocks; the dictionary is
    /// read when it is first asked for.
    pub fn open(file: Arc<dyn ReadAt>, id: SegmentId) -> Result<Segment, ReadError> {
        let _ = (file.size(), id);
        todo!()
    }

    /// What the header says.
    pub fn head(&self) -> SegmentHead {
        todo!()
    }

    /// Rows, times, octets.
    pub fn info(&self) -> SegmentInfo {
        todo!()
    }

    /// Number of blocks, in the order of arrival.
    pub fn block_count(&self) -> usize {
        todo!()
    }

    /// Block `block`; `None` past the last.
    pub fn block_info(&self, block: usize) -> Option<BlockInfo<'_>> {
        todo!("{block}")
    }

    /// The dictionary, which covers at least every block of this segment.
    pub fn dictionary(&self) -> Result<Arc<Dictionary>, ReadError> {
        todo!()
    }

    /// False when no row has `addr` in any column. Reads little; may say true wrongly.
    pub fn may_contain_addr(&self, addr: Addr) -> bool {
        todo!("{addr:?}")
    }

    /// Reads and decodes columns `ids` of a block.
    pub fn read(&self, block: usize, ids: &[ColumnId]) -> Result<BlockData, ReadError> {
        todo!("{block} {ids:?}")
    }

    /// Reads a whole block back into a sealed batch: what compaction and exports want.
    pub fn read_batch(&self, block: usize) -> Result<FlowBatch, ReadError> {
        todo!("{block}")
    }
}
