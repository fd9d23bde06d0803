//! Batches of records, column by column: what decoders fill and every later stage reads.
//!
//! Life of a batch: [`FlowBatch::append_rows`] makes rows that are null everywhere; `slots`,
//! `fill` and `set` give them values, column at a time or row at a time; [`FlowBatch::seal`] makes
//! every column cover every row; `clear` keeps the memory for the next.
//!
//! Invariant: a column never covers more rows than the batch has, and rows that it does not cover
//! are null in it.

use crate::bitmap::Bitmap;
use crate::column::{ColumnId, Table};
use crate::for_each_values;
use crate::interner::Interner;
use crate::values::{Code, Column, Native, Scalar, Values};

/// Rows after which a batch is full. A block of the store holds no more.
pub const ROWS_MAX: usize = 65_536;

/// Octets of strings after which a batch is full, whatever its rows.
pub const INTERNED_OCTETS_MAX: usize = 16 << 20;

/// Up to [`ROWS_MAX`] records of one table, from any number of exporters.
#[derive(Debug)]
pub struct FlowBatch {
    table: Table,
    rows: usize,
    columns: Box<[Column]>,
    /// Emptied vectors of cleared columns, so that a reused batch allocates nothing.
    spare: Box<[Option<Values>]>,
    interner: Interner,
}

impl FlowBatch {
    /// An empty batch of `table`.
    pub fn new(table: Table) -> FlowBatch {
        let width = table.columns().len();
        FlowBatch {
            table,
            rows: 0,
            columns: vec![Column::Absent; width].into(),
            spare: vec![None; width].into(),
            interner: Interner::default(),
        }
    }

    /// Which kind of record it holds.
    pub fn table(&self) -> Table {
        self.table
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// True when it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// True when it should be handed on before more is added: the next datagram may not fit.
    pub fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX || self.interner.octets() >= INTERNED_OCTETS_MAX
    }

    /// Rows that still fit.
    pub fn room(&self) -> usize {
        ROWS_MAX.saturating_sub(self.rows)
    }

    /// The column `id`; absent when this table has no such column.
    pub fn column(&self, id: ColumnId) -> &Column {
        self.columns.get(id.index()).unwrap_or(&Column::Absent)
    }

    /// Every column with its id, in the order of ids.
    pub fn columns(&self) -> impl Iterator<Item = (ColumnId, &Column)> {
        self.columns.iter().enumerate().map(|(i, column)| (ColumnId(i as u16), column))
    }

    /// The strings and octets that `Code` values name.
    pub fn interner(&self) -> &Interner {
        &self.interner
    }

    /// The same, to add to.
    pub fn interner_mut(&mut self) -> &mut Interner {
        &mut self.interner
    }

    /// Value of column `id` in `row`; `None` where it is null.
    pub fn get(&self, id: ColumnId, row: usize) -> Option<Scalar> {
        self.column(id).get(row)
    }

    /// Value of an unsigned column, widened.
    pub fn get_u64(&self, id: ColumnId, row: usize) -> Option<u64> {
        match self.get(id, row)? {
            Scalar::U64(value) => Some(value),
            _ => None,
        }
    }

    /// Octets of a string, octet or list column.
    pub fn get_octets(&self, id: ColumnId, row: usize) -> Option<&[u8]> {
        match self.get(id, row)? {
            Scalar::Code(code) => Some(self.interner.get(code)),
            _ => None,
        }
    }

    /// Adds `n` rows that are null everywhere and returns the first one's index.
    #[inline]
    pub fn append_rows(&mut self, n: usize) -> usize {
        let start = self.rows;
        self.rows += n;
        start
    }

    /// Slots of rows `start..start + n` of column `id`, all marked as having a value. Rows before
    /// `start` that the column did not cover become null.
    ///
    /// `T` must be the column's own type: a caller takes both from the column table.
    #[inline]
    pub fn slots<T: Native>(&mut self, id: ColumnId, start: usize, n: usize) -> &mut [T] {
        debug_assert!(start + n <= self.rows, "rows are appended before they are filled");
        let (data, validity) = self.materialise(id);
        let vec = T::of_mut(data).expect("callers take the type from the column table");
        let len = vec.len();
        if start > len {
            let bits = validity.get_or_insert_with(|| Bitmap::filled(len, true));
            bits.extend_by(start - len, false);
        }
        if start + n > len {
            vec.resize(start + n, T::default());
        }
        if let Some(bits) = validity {
            let covered = bits.len();
            for row in start..covered.min(start + n) {
                bits.set(row, true);
            }
            bits.extend_by((start + n).saturating_sub(covered), true);
        }
        &mut vec[start..start + n]
    }

    /// Gives rows from `start` on of column `id` the values of an iterator, whose length says how
    /// many rows. Cheapest way to fill many rows that were just appended.
    #[inline]
    pub fn extend<T: Native>(
        &mut self,
        id: ColumnId,
        start: usize,
        values: impl ExactSizeIterator<Item = T>,
    ) {
        debug_assert!(start + values.len() <= self.rows, "rows are appended before filled");
        // Cost: no zeroing before the write, and no look at validity, where the column is whole.
        if let Column::Values { data, validity: None } = &mut self.columns[id.index()]
            && let Some(vec) = T::of_mut(data)
            && vec.len() == start
        {
            vec.extend(values);
            return;
        }
        let slots = self.slots::<T>(id, start, values.len());
        for (slot, value) in slots.iter_mut().zip(values) {
            *slot = value;
        }
    }

    /// Gives rows `start..start + n` of column `id` the same value. Costs one word while every
    /// row so far has that value.
    #[inline]
    pub fn fill<T: Native>(&mut self, id: ColumnId, start: usize, n: usize, value: T) {
        match &mut self.columns[id.index()] {
            column @ Column::Absent if start == 0 => {
                *column = Column::Constant { value: value.widen(), len: n };
            }
            Column::Constant { value: constant, len }
                if *len == start && *constant == value.widen() =>
            {
                *len += n;
            }
            Column::Values { data, validity: None } if data.len() == start => {
                if let Some(vec) = T::of_mut(data) {
                    vec.resize(start + n, value);
                }
            }
            _ => self.slots::<T>(id, start, n).fill(value),
        }
    }

    /// Gives rows from `start` on runs of equal values, each as long as it says.
    pub fn fill_runs<T: Native>(
        &mut self,
        id: ColumnId,
        start: usize,
        runs: impl Iterator<Item = (usize, T)>,
    ) {
        let mut runs = runs.filter(|(n, _)| *n > 0);
        let Some(mut run) = runs.next() else { return };
        let mut row = start;
        // Cost: neighbours are mostly equal, and a longer run costs no more than a short one.
        for (n, value) in runs {
            if value == run.1 {
                run.0 += n;
            } else {
                self.fill(id, row, run.0, run.1);
                row += run.0;
                run = (n, value);
            }
        }
        self.fill(id, row, run.0, run.1);
    }

    /// Sets one value. Cheapest when rows are set in order, each right after it was appended.
    // Cost: under 2 ns for the next row of a column that has every row so far, of which row-wise
    // decoders (sFlow) make some thirty a row; as calls they take half as long again.
    #[inline(always)]
    pub fn set<T: Native>(&mut self, id: ColumnId, row: usize, value: T) {
        if let Column::Values { data, validity } = &mut self.columns[id.index()]
            && let Some(vec) = T::of_mut(data)
            && vec.len() == row
        {
            vec.push(value);
            if let Some(bits) = validity {
                bits.push(true);
            }
            return;
        }
        self.set_slot(id, row, value);
    }

    #[inline(never)]
    fn set_slot<T: Native>(&mut self, id: ColumnId, row: usize, value: T) {
        self.slots::<T>(id, row, 1)[0] = value;
    }

    /// Sets one string, list or octet string, interning it.
    #[inline]
    pub fn set_octets(&mut self, id: ColumnId, row: usize, value: &[u8]) {
        let code = self.interner.intern(value);
        self.set(id, row, code);
    }

    /// Sets one value given in its widened form; numbers are cut to the column's width.
    /// A scalar of another kind than the column's is ignored.
    pub fn set_scalar(&mut self, id: ColumnId, row: usize, value: Scalar) {
        self.fill_scalar(id, row, 1, value);
    }

    /// Makes row `row` of column `id` null.
    pub fn set_null(&mut self, id: ColumnId, row: usize) {
        if row >= self.column(id).len() {
            return;
        }
        let (data, validity) = self.materialise(id);
        let len = data.len();
        validity.get_or_insert_with(|| Bitmap::filled(len, true)).set(row, false);
    }

    /// Replaces column `id`, which must be of the column's own type; codes are those of this
    /// batch's interner. What it covers past the last row is dropped.
    pub fn set_column(&mut self, id: ColumnId, column: Column) {
        let Some(slot) = self.columns.get_mut(id.index()) else { return };
        *slot = column;
        if slot.len() > self.rows {
            self.truncate(self.rows);
        }
    }

    /// Forgets rows from `rows` on: what a half-decoded Set leaves behind.
    pub fn truncate(&mut self, rows: usize) {
        self.rows = self.rows.min(rows);
        for column in &mut self.columns {
            match column {
                Column::Absent => {}
                Column::Constant { len, .. } => *len = rows.min(*len),
                Column::Values { data, validity } => {
                    data.truncate(rows);
                    if let Some(bits) = validity {
                        bits.truncate(rows);
                    }
                }
            }
            if column.is_empty() {
                *column = Column::Absent;
            }
        }
    }

    /// Makes every column cover every row: afterwards a column is absent, constant in all rows,
    /// or has `rows` values, with a bitmap only if some are null.
    pub fn seal(&mut self) {
        let rows = self.rows;
        for i in 0..self.columns.len() {
            let len = self.columns[i].len();
            if len == 0 {
                self.columns[i] = Column::Absent;
                continue;
            }
            if len < rows {
                let (data, validity) = self.materialise(ColumnId(i as u16));
                data.resize(rows);
                let bits = validity.get_or_insert_with(|| Bitmap::filled(len, true));
                bits.extend_by(rows - len, false);
            }
            let Column::Values { validity, .. } = &mut self.columns[i] else { continue };
            match validity.as_ref().map(Bitmap::count_ones) {
                Some(0) => self.columns[i] = Column::Absent,
                Some(ones) if ones == rows => *validity = None,
                _ => {}
            }
        }
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.rows = 0;
        self.interner.clear();
        for (column, spare) in self.columns.iter_mut().zip(&mut self.spare) {
            if let Column::Values { mut data, .. } = std::mem::take(column) {
                data.clear();
                *spare = Some(data);
            }
        }
    }

    /// Appends every row of `other`, which must be of the same table (others are ignored).
    pub fn append(&mut self, other: &FlowBatch) {
        if other.table != self.table {
            return;
        }
        let start = self.append_rows(other.rows);
        let codes: Vec<Code> =
            other.interner.iter().map(|value| self.interner.intern(value)).collect();
        for (id, column) in other.columns() {
            match column {
                Column::Absent => {}
                Column::Constant { value: Scalar::Code(code), len } => {
                    let code = codes.get(code.0 as usize).copied().unwrap_or_default();
                    self.fill(id, start, *len, code);
                }
                Column::Constant { value, len } => self.fill_scalar(id, start, *len, *value),
                Column::Values { data, validity } => {
                    self.append_values(id, start, data, &codes);
                    let Some(bits) = validity else { continue };
                    for row in (0..data.len()).filter(|&row| !bits.get(row)) {
                        self.set_null(id, start + row);
                    }
                }
            }
        }
    }

    /// A batch of the rows in `rows`, in that order. Rows past the end are all null.
    pub fn select(&self, rows: impl Iterator<Item = usize>) -> FlowBatch {
        let mut chosen = FlowBatch::new(self.table);
        for row in rows {
            let to = chosen.append_rows(1);
            for (id, column) in self.columns() {
                match column.get(row) {
                    None => {}
                    Some(Scalar::Code(code)) => chosen.set_octets(id, to, self.interner.get(code)),
                    Some(value) => chosen.set_scalar(id, to, value),
                }
            }
        }
        chosen.seal();
        chosen
    }

    fn append_values(&mut self, id: ColumnId, start: usize, data: &Values, codes: &[Code]) {
        if let Values::Code(values) = data {
            let slots = self.slots::<Code>(id, start, values.len());
            for (slot, code) in slots.iter_mut().zip(values) {
                *slot = codes.get(code.0 as usize).copied().unwrap_or_default();
            }
            return;
        }
        for_each_values!(data, v => self.slots(id, start, v.len()).copy_from_slice(v));
    }

    fn fill_scalar(&mut self, id: ColumnId, start: usize, n: usize, value: Scalar) {
        let Some(def) = self.table.def(id) else { return };
        // Only the type of the empty vector matters: it picks the width to cut to.
        for_each_values!(&Values::new(def.ty.physical()), v => {
            if let Some(value) = narrow_like(v, value) {
                self.fill(id, start, n, value);
            }
        });
    }

    /// Turns column `id` into `Values`, whatever it was.
    #[inline]
    fn materialise(&mut self, id: ColumnId) -> (&mut Values, &mut Option<Bitmap>) {
        let i = id.index();
        if !matches!(self.columns[i], Column::Values { .. }) {
            self.materialise_slow(i);
        }
        match &mut self.columns[i] {
            Column::Values { data, validity } => (data, validity),
            _ => unreachable!("the column was just turned into values"),
        }
    }

    #[cold]
    fn materialise_slow(&mut self, i: usize) {
        let physical = self.table.columns()[i].ty.physical();
        let mut data = self.spare[i].take().unwrap_or_else(|| Values::new(physical));
        if let Column::Constant { value, len } = self.columns[i] {
            for_each_values!(&mut data, v => {
                let value = narrow_like(v, value).unwrap_or_default();
                v.resize(len, value);
            });
        }
        self.columns[i] = Column::Values { data, validity: None };
    }
}

fn narrow_like<T: Native>(_: &[T], value: Scalar) -> Option<T> {
    T::narrow(value)
}

#[cfg(test)]
mod tests;
