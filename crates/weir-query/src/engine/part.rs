//! What the engine reads: parts of a store, each a run of blocks with dictionaries of its own.
//! Segments are parts; tests bring parts that lie in memory.

use std::sync::Arc;

use weir_model::{Addr, Bitmap, Code, ColumnId, Table, Timestamp};
use weir_store::{BlockColumn, BlockIndex, Dictionary, ReadError, RowKey, Segment, Tier, Zone};

use crate::error::QueryError;

/// What is known of a part without reading it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartHead {
    pub id: u64,
    pub table: Table,
    pub tier: Tier,
    /// True when it will not grow, which for raw rows means that rollups hold them too.
    pub closed: bool,
    /// Lowest and highest `received_at`; none when no row has one.
    pub times: Option<(Timestamp, Timestamp)>,
}

/// A run of blocks.
pub(crate) trait Part: Send + Sync {
    fn head(&self) -> PartHead;
    fn blocks(&self) -> usize;
    /// What is known of its blocks.
    fn index(&self) -> Result<Arc<dyn Index>, QueryError>;
    /// Bounds of a column over all blocks, as [`Index::zone`] gives them; none when they are not
    /// known.
    fn overall(&self, id: ColumnId) -> Option<Option<Zone>>;
    /// Whether a part of sums may have rows of the cube of this number.
    fn may_have_cube(&self, number: u8) -> bool;
    /// Which blocks may have a row with the key; none when no filter tells.
    fn blocks_with(&self, key: &RowKey) -> Option<Bitmap>;
    fn names(&self) -> Result<Arc<dyn Names>, QueryError>;
    /// False when no row has the address in any column.
    fn may_contain(&self, addr: Addr) -> bool;
    fn read(&self, block: usize, id: ColumnId) -> Result<BlockColumn, QueryError>;
    /// Several columns of a block, in the order of `ids`.
    fn read_all(&self, block: usize, ids: &[ColumnId]) -> Result<Vec<BlockColumn>, QueryError> {
        ids.iter().map(|id| self.read(block, *id)).collect()
    }
}

/// What is known of blocks without reading them.
pub(crate) trait Index: Send + Sync {
    fn rows(&self, block: usize) -> usize;
    /// Bounds of a column in a block; none when it is null in every row.
    fn zone(&self, block: usize, id: ColumnId) -> Option<Zone>;
}

impl Index for BlockIndex {
    fn rows(&self, block: usize) -> usize {
        self.block(block).map_or(0, |info| info.rows())
    }

    fn zone(&self, block: usize, id: ColumnId) -> Option<Zone> {
        self.block(block)?.zone(id)
    }
}

/// What codes stand for.
pub(crate) trait Names: Send + Sync {
    fn addrs(&self) -> &[Addr];
    fn strings_len(&self) -> usize;
    fn string(&self, code: Code) -> &[u8];
}

/// The dictionaries of a part that is not read.
pub(crate) struct NoNames;

impl Names for NoNames {
    fn addrs(&self) -> &[Addr] {
        &[]
    }

    fn strings_len(&self) -> usize {
        0
    }

    fn string(&self, _: Code) -> &[u8] {
        &[]
    }
}

impl Names for Dictionary {
    fn addrs(&self) -> &[Addr] {
        Dictionary::addrs(self)
    }

    fn strings_len(&self) -> usize {
        Dictionary::strings_len(self)
    }

    fn string(&self, code: Code) -> &[u8] {
        Dictionary::string(self, code)
    }
}

/// Tells the store, whose health shows it, and makes it an error of the query.
fn unreadable(segment: &Segment, block: usize, error: ReadError) -> QueryError {
    segment.note_damage(block, &error);
    QueryError::Read { segment: error.segment().0, block, source: Box::new(error) }
}

impl Part for Segment {
    fn head(&self) -> PartHead {
        let info = self.info();
        PartHead {
            id: info.head.id.0,
            table: info.head.table,
            tier: info.head.tier,
            closed: info.closed,
            times: info.first_received_at.zip(info.last_received_at),
        }
    }

    fn blocks(&self) -> usize {
        self.block_count()
    }

    fn index(&self) -> Result<Arc<dyn Index>, QueryError> {
        let index = Segment::index(self).map_err(|error| unreadable(self, 0, error))?;
        Ok(index)
    }

    fn overall(&self, id: ColumnId) -> Option<Option<Zone>> {
        self.summary().map(|summary| summary.zone(id))
    }

    fn may_have_cube(&self, number: u8) -> bool {
        self.summary().is_none_or(|summary| summary.has_cube(number))
    }

    fn blocks_with(&self, key: &RowKey) -> Option<Bitmap> {
        Segment::blocks_with(self, key)
    }

    fn names(&self) -> Result<Arc<dyn Names>, QueryError> {
        let dictionary = self.dictionary().map_err(|error| unreadable(self, 0, error))?;
        Ok(dictionary)
    }

    fn may_contain(&self, addr: Addr) -> bool {
        self.may_contain_addr(addr)
    }

    fn read(&self, block: usize, id: ColumnId) -> Result<BlockColumn, QueryError> {
        Ok(self.read_all(block, &[id])?.pop().unwrap_or_default())
    }

    fn read_all(&self, block: usize, ids: &[ColumnId]) -> Result<Vec<BlockColumn>, QueryError> {
        let data = Segment::read(self, block, ids);
        let data = data.map_err(|error| unreadable(self, block, error))?;
        // Proof: a segment gives the columns in the order in which they were asked for.
        Ok(data.into_columns().into_iter().map(|(_, column)| column).collect())
    }
}
