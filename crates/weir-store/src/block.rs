//! Blocks: up to 65,536 rows, column by column.
//!
//! [`BlockWriter`] turns rows of a batch into column data and a [`Directory`]; [`BlockReader`]
//! turns column data back. What a column is written as is one of four [`Form`]s; how numbers
//! become octets is [`crate::encoding`]'s business.
//!
//! Invariant: the directory says everything that reading one column needs, so that a reader
//! touches no octet of columns it was not asked for.

use weir_model::ColumnId;

use crate::encoding::Decoded;
use crate::read::Damage;

mod directory;
mod mapped;
mod reader;
mod source;
mod writer;

pub(crate) use directory::{ColumnEntry, Directory};
pub use reader::check_block;
pub(crate) use reader::{BlockReader, Chunks};
pub(crate) use writer::BlockWriter;

/// How the values of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One value in every row: it stands in the directory.
    Constant,
    /// A sequence of values.
    Values,
    /// A value for each distinct value of another column, and the rows where that is wrong.
    Mapped(ColumnId),
    /// A sequence of differences to another column.
    Minus(ColumnId),
}

impl Form {
    fn number(self) -> u8 {
        match self {
            Form::Constant => 0,
            Form::Values => 1,
            Form::Mapped(_) => 2,
            Form::Minus(_) => 3,
        }
    }

    /// The column that must be read first.
    pub(crate) fn reference(self) -> Option<ColumnId> {
        match self {
            Form::Constant | Form::Values => None,
            Form::Mapped(id) | Form::Minus(id) => Some(id),
        }
    }
}

/// Refuses numbers of rows that no block has.
pub(crate) fn check_rows(rows: u32) -> Decoded<usize> {
    let rows = rows as usize;
    let fits = (1..=crate::encoding::VALUES_MAX).contains(&rows);
    if fits { Ok(rows) } else { Err(Damage::Impossible("number of rows")) }
}
