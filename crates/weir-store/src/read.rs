//! What readers of the store see: a snapshot of segments, blocks of decoded columns, and why a
//! read was refused.
//!
//! Invariant: a snapshot never changes; what is appended, compacted or removed after it was taken
//! does not show. Reading writes nothing and never panics, whatever a file holds.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use weir_model::{Bitmap, Column, ColumnId, Scalar, Table, Timestamp, Values};

use crate::segment::{Segment, SegmentId, Tier};

/// A source of octets that can be read at any offset, by several threads at once.
pub trait ReadAt: Send + Sync {
    /// Fills `buf` from `offset`. Past the end it is [`io::ErrorKind::UnexpectedEof`], and what
    /// `buf` then holds is not defined.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// Octets there are.
    fn size(&self) -> io::Result<u64>;
}

impl ReadAt for std::fs::File {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buf, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl ReadAt for Vec<u8> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_exact_at(buf, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let from = self.get(start..).and_then(|rest| rest.get(..buf.len()));
        buf.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

/// Why something could not be read. Damage is told with the offset in the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read.
    #[error("segment {segment}: cannot read {len} octets at offset {offset}")]
    Io {
        /// Segment that was read.
        segment: SegmentId,
        /// Where in its file.
        offset: u64,
        /// How much.
        len: u64,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file holds something else than what was written there.
    #[error("segment {segment}: damaged at offset {offset}: {damage}")]
    Damaged {
        /// Segment that was read.
        segment: SegmentId,
        /// Where in its file the damaged part starts.
        offset: u64,
        /// What is wrong with it.
        damage: Damage,
    },
    /// There is no block of this number.
    #[error("segment {segment} has no block {block}")]
    NoBlock {
        /// Segment that was asked.
        segment: SegmentId,
        /// Number that was asked for.
        block: usize,
    },
}

impl ReadError {
    /// The segment at fault.
    pub fn segment(&self) -> SegmentId {
        match *self {
            ReadError::Io { segment, .. }
            | ReadError::Damaged { segment, .. }
            | ReadError::NoBlock { segment, .. } => segment,
        }
    }
}

/// What is wrong with octets that should be part of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Damage {
    /// They end too early.
    #[error("cut short")]
    Truncated,
    /// They do not start as such a part does.
    #[error("not a part of a segment")]
    Magic,
    /// They were written by a program newer than this one.
    #[error("format version {0} is not known")]
    Version(u16),
    /// Their checksum is another.
    #[error("checksum does not match")]
    Checksum,
    /// A number in them passes what is possible.
    #[error("impossible {0}")]
    Impossible(&'static str),
    /// The compressed part does not decompress.
    #[error("compressed data do not decompress")]
    Compression,
}

/// The segments that held rows at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    segments: Vec<Arc<Segment>>,
    gone: BTreeMap<(Table, Tier), Timestamp>,
}

impl Snapshot {
    /// Of these segments, in the order that readers should see them (oldest first).
    pub fn new(segments: Vec<Arc<Segment>>) -> Snapshot {
        Snapshot { segments, gone: BTreeMap::new() }
    }

    /// After rows of these tables and tiers were given up, all or some, up to these times.
    pub fn with_gone(self, gone: BTreeMap<(Table, Tier), Timestamp>) -> Snapshot {
        Snapshot { gone, ..self }
    }

    /// The highest `received_at` of the rows of a table and tier that retention dropped. Rows
    /// after it are all there; before it some may be left. None when nothing was dropped.
    pub fn gone_until(&self, table: Table, tier: Tier) -> Option<Timestamp> {
        self.gone.get(&(table, tier)).copied()
    }

    /// Every segment, oldest first.
    pub fn all(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// The segments of one table and tier, oldest first.
    pub fn segments(&self, table: Table, tier: Tier) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments.iter().filter(move |segment| {
            let head = segment.head();
            head.table == table && head.tier == tier
        })
    }
}

/// A column of a block. Addresses are `Code`s of the segment's dictionary of addresses; strings,
/// octets and lists are `Code`s of its dictionary of strings.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum BlockColumn {
    /// Null in every row.
    #[default]
    Absent,
    /// The same value in every row.
    Constant(Scalar),
    /// A value a row.
    Values {
        /// As many values as the block has rows; null rows hold the type's default.
        data: Values,
        /// Which rows have a value; `None` when all do.
        validity: Option<Bitmap>,
    },
}

impl BlockColumn {
    /// The value of row `i` (of a block with more rows than that), `None` where it is null.
    #[inline]
    pub fn get(&self, i: usize) -> Option<Scalar> {
        match self {
            BlockColumn::Absent => None,
            BlockColumn::Constant(value) => Some(*value),
            BlockColumn::Values { data, validity } => match validity {
                Some(bits) if !bits.get(i) => None,
                _ => data.get(i),
            },
        }
    }

    /// As a column of a batch of `rows` rows. Codes stay those of the segment.
    pub fn into_column(self, rows: usize) -> Column {
        match self {
            BlockColumn::Absent => Column::Absent,
            BlockColumn::Constant(value) => Column::Constant { value, len: rows },
            BlockColumn::Values { data, validity } => Column::Values { data, validity },
        }
    }
}

/// The columns of a block that were asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockData {
    rows: usize,
    columns: Vec<(ColumnId, BlockColumn)>,
}

impl BlockData {
    /// Of columns that each have `rows` rows.
    pub(crate) fn new(rows: usize, columns: Vec<(ColumnId, BlockColumn)>) -> BlockData {
        BlockData { rows, columns }
    }

    /// Rows of the block.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Column `id`; absent when the block does not have it or it was not asked for.
    pub fn column(&self, id: ColumnId) -> &BlockColumn {
        let found = self.columns.iter().find(|(column, _)| *column == id);
        found.map_or(&BlockColumn::Absent, |(_, column)| column)
    }

    /// The columns, in the order they were asked for.
    pub fn into_columns(self) -> Vec<(ColumnId, BlockColumn)> {
        self.columns
    }
}
