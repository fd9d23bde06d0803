//! One block while it is worked on: columns are read when they are first needed.

use weir_model::{ColumnId, Values};
use weir_store::BlockColumn;

use super::mask::{Mask, Selection};
use super::part::Part;
use crate::error::QueryError;

/// A block and the columns read of it so far.
pub(crate) struct Block<'a> {
    pub part: &'a dyn Part,
    pub index: usize,
    pub rows: usize,
    columns: Vec<(ColumnId, BlockColumn)>,
}

impl<'a> Block<'a> {
    /// Block `index` of a part, of `rows` rows.
    pub fn new(part: &'a dyn Part, index: usize, rows: usize) -> Block<'a> {
        Block { part, index, rows, columns: Vec::new() }
    }

    /// Column `id`, read if it was not yet.
    pub fn column(&mut self, id: ColumnId) -> Result<&BlockColumn, QueryError> {
        let at = match self.columns.iter().position(|(known, _)| *known == id) {
            Some(at) => at,
            None => {
                self.columns.push((id, self.part.read(self.index, id)?));
                self.columns.len() - 1
            }
        };
        Ok(self.columns.get(at).map_or(&BlockColumn::Absent, |(_, column)| column))
    }

    /// A column that was read.
    pub fn known(&self, id: ColumnId) -> &BlockColumn {
        let found = self.columns.iter().find(|(known, _)| *known == id);
        found.map_or(&BlockColumn::Absent, |(_, column)| column)
    }

    /// Reads those of these columns that were not yet, at once.
    pub fn fetch(&mut self, ids: &[ColumnId]) -> Result<(), QueryError> {
        let known = |id: &ColumnId| self.columns.iter().any(|(known, _)| known == id);
        let missing: Vec<ColumnId> = ids.iter().copied().filter(|id| !known(id)).collect();
        if !missing.is_empty() {
            let columns = self.part.read_all(self.index, &missing)?;
            self.columns.extend(missing.into_iter().zip(columns));
        }
        Ok(())
    }

    /// Rows in which column `id` has a value.
    pub fn present(&mut self, id: ColumnId) -> Result<Mask, QueryError> {
        let rows = self.rows;
        Ok(match self.column(id)? {
            BlockColumn::Absent => Mask::filled(rows, false),
            BlockColumn::Constant(_) | BlockColumn::Values { validity: None, .. } => {
                Mask::filled(rows, true)
            }
            BlockColumn::Values { validity: Some(bits), .. } => Mask::of_validity(bits, rows),
        })
    }
}

/// Numbers of a column as `u64` for the kept rows, pushed to `out`; nulls become `null`. Columns
/// of other kinds count as null everywhere.
pub(crate) fn numbers(column: &BlockColumn, kept: &Selection, null: u64, out: &mut Vec<u64>) {
    use weir_model::Scalar;
    let start = out.len();
    match column {
        BlockColumn::Constant(Scalar::U64(value)) => out.resize(start + kept.len(), *value),
        BlockColumn::Constant(Scalar::I64(value)) => out.resize(start + kept.len(), *value as u64),
        BlockColumn::Constant(Scalar::F64(value)) => {
            out.resize(start + kept.len(), value.to_bits());
        }
        BlockColumn::Values { data, validity } => {
            match data {
                Values::U8(v) => kept.gather(v, out, |value| value.into()),
                Values::U16(v) => kept.gather(v, out, |value| value.into()),
                Values::U32(v) => kept.gather(v, out, |value| value.into()),
                Values::U64(v) => kept.gather(v, out, |value| value),
                Values::I64(v) => kept.gather(v, out, |value| value as u64),
                Values::F64(v) => kept.gather(v, out, |value| value.to_bits()),
                Values::Addr(_) | Values::Code(_) => {}
            }
            if let Some(bits) = validity {
                for (slot, row) in out.iter_mut().skip(start).zip(kept.rows()) {
                    if !bits.get(row) {
                        *slot = null;
                    }
                }
            }
        }
        _ => {}
    }
    out.resize(start + kept.len(), null);
}
