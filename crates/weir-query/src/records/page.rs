//! From what a search found to a page: the order of rows that share a place, the cut, the values.

use std::sync::{Mutex, PoisonError};

use hashbrown::HashMap;
use weir_model::{Addr, Code, ColumnId, ColumnType, FlowBatch, Scalar, Table};
use weir_store::BlockColumn;

use super::RecordsPage;
use super::cursor::Cursor;
use super::search::{Found, Hit, Search};
use crate::engine::sketch::{mix, mix_octets};
use crate::engine::{Names, Part};
use crate::error::QueryError;

/// What went wrong, with the segment and block.
type Failure = (u64, usize, QueryError);

impl Search<'_> {
    /// Puts the rows in order and cuts the page.
    pub fn page(&self, found: Found, wanted: &[ColumnId]) -> Result<RecordsPage, Failure> {
        let Found { mut hits, mut on_cursor } = found;
        let mut skip = self.skip;
        hits.sort_unstable_by_key(|hit| hit.place);
        // Only rows that share a place with one of the page need their hash.
        let place = |at: usize| hits.get(at).map(|hit| hit.place);
        let end = place(skip.saturating_add(self.limit));
        let end = end.map_or(hits.len(), |end| hits.partition_point(|hit| hit.place <= end));
        hits.truncate(end);
        if let Some(first) = hits.get(skip).map(|hit| hit.place) {
            let before = hits.partition_point(|hit| hit.place < first);
            hits.drain(..before);
            skip -= before;
        }
        self.order(&mut hits, skip.saturating_add(self.limit).saturating_sub(1))?;
        if !on_cursor.is_empty() {
            self.behind_cursor(&mut on_cursor)?;
            on_cursor.append(&mut hits);
            hits = on_cursor;
        }
        let end = skip.saturating_add(self.limit).min(hits.len());
        let more = hits.len() > end;
        hits.truncate(end);
        // Why before the rows in front of the page go: those that equal its last one count as given.
        let next = hits.last().filter(|_| more).map(|last| self.cursor_of(last, &hits));
        let next = next.transpose()?.map(|cursor| cursor.to_string());
        hits.drain(..skip.min(end));
        let rows = self.gather(&hits, wanted)?;
        let stats = self.source.stats(self.segments);
        Ok(RecordsPage { rows, columns: wanted.to_vec(), next, stats })
    }

    /// Orders rows of the same place, and gives row `last` its hash, which a cursor needs.
    fn order(&self, hits: &mut [Hit], last: usize) -> Result<(), Failure> {
        let shared = |a: &Hit, b: &Hit| a.place == b.place;
        let mut start = 0;
        let mut marked: Vec<Hit> = Vec::new();
        for group in hits.chunk_by_mut(shared) {
            if group.len() > 1 || start == last {
                marked.extend_from_slice(group);
            }
            start += group.len();
        }
        self.hash(&mut marked)?;
        let hashes: HashMap<(u32, u32), u64> =
            marked.iter().map(|hit| ((hit.block, hit.row), hit.hash)).collect();
        for hit in hits.iter_mut() {
            hit.hash = hashes.get(&(hit.block, hit.row)).copied().unwrap_or(0);
        }
        hits.sort_unstable_by_key(|hit| (hit.place, std::cmp::Reverse(hit.hash)));
        Ok(())
    }

    /// The rows on the cursor's place that were not given yet.
    fn behind_cursor(&self, hits: &mut Vec<Hit>) -> Result<(), Failure> {
        let Some(cursor) = &self.cursor else { return Ok(()) };
        self.hash(hits)?;
        hits.retain(|hit| hit.hash <= cursor.hash);
        hits.sort_unstable_by_key(|hit| std::cmp::Reverse(hit.hash));
        // Of rows that are equal in all they hold, as many are skipped as were given.
        let equal = hits.iter().take_while(|hit| hit.hash == cursor.hash).count();
        hits.drain(..equal.min(cursor.given));
        Ok(())
    }

    /// The cursor behind `last`, the last one of `hits`, all of which count as given.
    fn cursor_of(&self, last: &Hit, hits: &[Hit]) -> Result<Cursor, Failure> {
        let (part, block) = self.part_of(last);
        let times = part.read(block, self.source.time);
        let times = times.map_err(|error| (part.head().id, block, error))?;
        let time = match times.get(last.row as usize) {
            Some(Scalar::I64(time)) => time,
            _ => 0,
        };
        let equal = |hit: &&Hit| (hit.place, hit.hash) == (last.place, last.hash);
        let given = hits.iter().rev().take_while(equal).count();
        let before = self.cursor.as_ref();
        let before = before.filter(|c| self.on == Some(last.place) && c.hash == last.hash);
        let given = given.saturating_add(before.map_or(0, |cursor| cursor.given));
        let by = self.line.column();
        let by = by.map(|id| (id, self.line.is_ascending(), self.line.value(last.place)));
        let oldest_first = by.is_none() && self.line.is_ascending();
        Ok(Cursor { time, hash: last.hash, given, by, oldest_first })
    }

    fn part_of(&self, hit: &Hit) -> (&dyn Part, usize) {
        // Proof: a hit's number is that of a block of this search, and a block's that of a part.
        let candidate = &self.blocks[hit.block as usize].candidate;
        (self.source.parts[candidate.part].as_ref(), candidate.block)
    }

    fn names_of(&self, hit: &Hit) -> Result<std::sync::Arc<dyn Names>, Failure> {
        let candidate = &self.blocks[hit.block as usize].candidate;
        let compiled = self.source.compiled(candidate.part);
        let compiled = compiled.map_err(|error| {
            (self.source.parts[candidate.part].head().id, candidate.block, error)
        })?;
        Ok(compiled.names.clone())
    }

    /// Gives hits the hash of what their rows hold.
    fn hash(&self, hits: &mut [Hit]) -> Result<(), Failure> {
        hits.sort_unstable_by_key(|hit| (hit.block, hit.row));
        for group in hits.chunk_by_mut(|a, b| a.block == b.block) {
            let Some(first) = group.first().copied() else { continue };
            let (part, block) = self.part_of(&first);
            let names = self.names_of(&first)?;
            hash(part, names.as_ref(), block, self.source.table, group)
                .map_err(|error| (part.head().id, block, error))?;
        }
        Ok(())
    }

    /// The hits' rows as a batch, in their order.
    fn gather(&self, hits: &[Hit], wanted: &[ColumnId]) -> Result<FlowBatch, Failure> {
        let mut order: Vec<usize> = (0..hits.len()).collect();
        order.sort_by_key(|at| hits.get(*at).map(|hit| hit.block));
        let block_of = |at: &usize| hits.get(*at).map(|hit| hit.block);
        let groups: Vec<&[usize]> = order.chunk_by(|a, b| block_of(a) == block_of(b)).collect();
        let failed: Mutex<Option<Failure>> = Mutex::new(None);
        let cells = self.source.share(
            self.source.control.limits.threads,
            groups.len(),
            &Vec::new,
            &|cells, at| {
                let rows = groups.get(at).copied().unwrap_or_default();
                let read = self.cells(hits, rows, wanted, cells);
                let goes_on = read.is_ok();
                if let Err(failure) = read {
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                }
                Ok(goes_on)
            },
        );
        if let Some(failure) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(failure);
        }
        // What stops a query is no block's fault; it comes back as it is.
        let cells = cells.map_err(|error| (0, 0, error))?;
        let mut batch = FlowBatch::new(self.source.table);
        batch.append_rows(hits.len());
        for (row, id, cell) in cells.into_iter().flatten() {
            match cell {
                Cell::Scalar(value) => batch.set_scalar(id, row, value),
                Cell::Addr(addr) => batch.set(id, row, addr),
                Cell::Octets(octets) => batch.set_octets(id, row, &octets),
            }
        }
        batch.seal();
        Ok(batch)
    }

    /// The values of the hits that `rows` numbers, which are of one block. One column at a time: a
    /// page of rows from everywhere holds one column of one block a thread, not every block.
    fn cells(
        &self,
        hits: &[Hit],
        rows: &[usize],
        wanted: &[ColumnId],
        cells: &mut Vec<(usize, ColumnId, Cell)>,
    ) -> Result<(), Failure> {
        let Some(first) = rows.first().and_then(|at| hits.get(*at)) else { return Ok(()) };
        let (part, block) = self.part_of(first);
        let names = self.names_of(first)?;
        for id in wanted {
            let column = part.read(block, *id);
            let column = column.map_err(|error| (part.head().id, block, error))?;
            let is_addr = is_addr(self.source.table, *id);
            for row in rows {
                let Some(hit) = hits.get(*row) else { continue };
                let cell = match column.get(hit.row as usize) {
                    None => continue,
                    Some(Scalar::Code(code)) if is_addr => Cell::Addr(addr_of(&*names, code)),
                    Some(Scalar::Code(code)) => Cell::Octets(names.string(code).to_vec()),
                    Some(value) => Cell::Scalar(value),
                };
                cells.push((*row, *id, cell));
            }
        }
        Ok(())
    }
}

/// A value of a row of the page.
enum Cell {
    Scalar(Scalar),
    Addr(Addr),
    Octets(Vec<u8>),
}

fn is_addr(table: Table, id: ColumnId) -> bool {
    table.def(id).is_some_and(|def| def.ty == ColumnType::Addr)
}

fn addr_of(names: &dyn Names, code: Code) -> Addr {
    names.addrs().get(code.0 as usize).copied().unwrap_or_default()
}

fn hash(
    part: &dyn Part,
    names: &dyn Names,
    block: usize,
    table: Table,
    hits: &mut [Hit],
) -> Result<(), QueryError> {
    hits.iter_mut().for_each(|hit| hit.hash = 0);
    for def in table.columns().iter().filter(|def| def.stored) {
        let column = part.read(block, def.id)?;
        if column == BlockColumn::Absent {
            continue;
        }
        let is_addr = def.ty == ColumnType::Addr;
        for hit in hits.iter_mut() {
            let Some(value) = column.get(hit.row as usize) else { continue };
            let value = match value {
                Scalar::U64(n) => mix(n),
                Scalar::I64(n) => mix(n as u64),
                Scalar::F64(n) => mix(n.to_bits()),
                Scalar::Addr(addr) => mix_octets(&addr.octets()),
                Scalar::Code(code) if is_addr => mix_octets(&addr_of(names, code).octets()),
                Scalar::Code(code) => mix_octets(names.string(code)),
            };
            hit.hash = mix(hit.hash ^ value ^ u64::from(def.id.0) << 48);
        }
    }
    Ok(())
}
