//! The search behind a page of records: blocks from the newest on, until nothing older can be on
//! the page.

use std::sync::Arc;

use hashbrown::HashMap;
use weir_model::{Bitmap, Code, ColumnId, FlowBatch, Scalar, Table, Timestamp};
use weir_store::{BlockColumn, Tier};

use super::{Cursor, RecordsPage};
use crate::answer::Stats;
use crate::engine::sketch::{mix, mix_octets};
use crate::engine::{
    Block, Control, Names, NoNames, Node, Part, Selection, Verdict, blocks_left, compile,
    is_ruled_out, shifted,
};
use crate::error::QueryError;
use crate::filter::Expr;

/// A row that may be on the page.
#[derive(Clone)]
pub(super) struct Hit {
    time: i64,
    /// Of what the row holds; 0 until it is needed.
    hash: u64,
    part: Arc<dyn Part>,
    names: Arc<dyn Names>,
    block: usize,
    row: usize,
}

pub(super) struct Search<'a> {
    pub table: Table,
    pub time: ColumnId,
    pub filter: Option<&'a Expr>,
    pub from: Timestamp,
    pub to: Timestamp,
    pub cursor: Option<Cursor>,
    /// Rows of the page and one more, which tells whether there is another page.
    pub wanted: usize,
    pub control: &'a Control<'a>,
    pub hits: Vec<Hit>,
    pub stats: Stats,
}

/// A block that is in the range, by its newest row.
struct Candidate {
    newest: i64,
    part: usize,
    block: usize,
}

impl Search<'_> {
    /// Collects hits; when it is done the page's rows are among them.
    pub fn run(&mut self, parts: &[Arc<dyn Part>]) -> Result<(), QueryError> {
        self.hits.clear();
        let candidates = self.candidates(parts)?;
        let mut compiled: HashMap<usize, (Node, Arc<dyn Names>)> = HashMap::default();
        for candidate in candidates {
            self.control.check()?;
            if self.oldest_wanted().is_some_and(|oldest| candidate.newest < oldest) {
                break;
            }
            let Some(part) = parts.get(candidate.part) else { continue };
            let id = part.head().id;
            if self.control.damage.has(id, candidate.block) {
                continue;
            }
            if !compiled.contains_key(&candidate.part) {
                match self.compile(part.as_ref()) {
                    Ok(fresh) => drop(compiled.insert(candidate.part, fresh)),
                    Err(error) => {
                        self.control.damage.note(id, candidate.block, error)?;
                        continue;
                    }
                }
            }
            if let Some((node, names)) = compiled.get(&candidate.part) {
                let read = self.block(part, candidate.block, node, names);
                read.or_else(|error| self.control.damage.note(id, candidate.block, error))?;
            }
        }
        Ok(())
    }

    fn candidates(&mut self, parts: &[Arc<dyn Part>]) -> Result<Vec<Candidate>, QueryError> {
        let (mut candidates, mut segments) = (Vec::new(), 0);
        for (at, part) in parts.iter().enumerate() {
            let head = part.head();
            let touches = |(first, last)| last >= self.from && first < self.to;
            if head.table != self.table
                || head.tier != Tier::Raw
                || !head.times.is_some_and(touches)
            {
                continue;
            }
            segments += 1;
            // Why first: what filters rule out needs no index, which may have to be read.
            let left = match self.filter {
                Some(expr) if is_ruled_out(expr, part.as_ref()) => {
                    Some(Bitmap::filled(part.blocks(), false))
                }
                Some(expr) => blocks_left(expr, part.as_ref()),
                None => None,
            };
            let left_over = left.as_ref().map_or(part.blocks(), Bitmap::count_ones);
            self.stats.blocks_pruned += (part.blocks() - left_over.min(part.blocks())) as u64;
            if left_over == 0 {
                continue;
            }
            let index = match part.index() {
                Ok(index) => index,
                Err(error) => {
                    self.control.damage.note(head.id, 0, error)?;
                    (1..part.blocks()).for_each(|at| self.control.damage.again(head.id, at));
                    continue;
                }
            };
            let is_left = |block: &usize| left.as_ref().is_none_or(|left| left.get(*block));
            for block in (0..part.blocks()).filter(is_left) {
                let Some(zone) = index.zone(block, self.time) else { continue };
                let (Scalar::I64(oldest), Scalar::I64(newest)) = (zone.min, zone.max) else {
                    continue;
                };
                if newest >= self.from.0 && oldest < self.to.0 {
                    candidates.push(Candidate { newest, part: at, block });
                }
            }
        }
        self.stats.segments = segments;
        candidates.sort_unstable_by_key(|c| std::cmp::Reverse((c.newest, c.part, c.block)));
        Ok(candidates)
    }

    /// Part and block of all that is in the range; those of one part stand together where blocks
    /// are of one hour.
    pub fn blocks_newest_first(
        &mut self,
        parts: &[Arc<dyn Part>],
    ) -> Result<Vec<(usize, usize)>, QueryError> {
        let mut candidates = self.candidates(parts)?;
        let mut newest = vec![i64::MIN; parts.len()];
        for candidate in &candidates {
            if let Some(newest) = newest.get_mut(candidate.part) {
                *newest = candidate.newest.max(*newest);
            }
        }
        let newest = |part: usize| newest.get(part).copied();
        candidates.sort_by_key(|c| std::cmp::Reverse((newest(c.part), c.part, c.newest)));
        Ok(candidates.into_iter().map(|c| (c.part, c.block)).collect())
    }

    pub fn compile(&self, part: &dyn Part) -> Result<(Node, Arc<dyn Names>), QueryError> {
        if self.filter.is_some_and(|expr| is_ruled_out(expr, part)) {
            return Ok((Node::Const(false), Arc::new(NoNames)));
        }
        let names = part.names()?;
        let filter = match self.filter {
            Some(expr) => compile(expr, self.table, names.as_ref(), &|id| id),
            None => Node::Const(true),
        };
        let span = (shifted(self.from.0), shifted(self.to.0.saturating_sub(1)));
        Ok((Node::And(vec![Node::Ranges(self.time, false, vec![span]), filter]), names))
    }

    /// Time of the last row that the page wants, once there are enough.
    fn oldest_wanted(&mut self) -> Option<i64> {
        if self.hits.len() < self.wanted {
            return None;
        }
        self.hits.select_nth_unstable_by_key(self.wanted - 1, |hit| std::cmp::Reverse(hit.time));
        let oldest = self.hits.get(self.wanted - 1)?.time;
        // Rows of the same instant stay: their order is by what they hold.
        self.hits.retain(|hit| hit.time >= oldest);
        Some(oldest)
    }

    fn block(
        &mut self,
        part: &Arc<dyn Part>,
        index: usize,
        node: &Node,
        names: &Arc<dyn Names>,
    ) -> Result<(), QueryError> {
        let known = part.index()?;
        let zone = |id: ColumnId| known.zone(index, id);
        if node.prune(&zone) == Verdict::None {
            self.stats.blocks_pruned += 1;
            return Ok(());
        }
        let mut block = Block::new(part.as_ref(), index, known.rows(index));
        let kept = node.eval_pruned(&mut block, &zone)?.selection();
        self.stats.blocks += 1;
        self.stats.rows += block.rows as u64;
        self.stats.rows_matched += kept.len() as u64;
        let mut hits = self.hits_of(&mut block, &kept, part, names)?;
        // A cursor stands between rows of one instant: those before it were given already.
        if let Some(cursor) = self.cursor {
            let on_it = |hit: &Hit| hit.time == cursor.time;
            let late = hits.iter_mut().filter(|hit| on_it(hit));
            hash(part.as_ref(), names.as_ref(), index, self.table, late.collect())?;
            hits.retain(|hit| !on_it(hit) || hit.hash <= cursor.hash);
        }
        self.hits.append(&mut hits);
        Ok(())
    }

    fn hits_of(
        &self,
        block: &mut Block<'_>,
        kept: &Selection,
        part: &Arc<dyn Part>,
        names: &Arc<dyn Names>,
    ) -> Result<Vec<Hit>, QueryError> {
        let index = block.index;
        let times = block.column(self.time)?;
        let hit = |row| match times.get(row) {
            Some(Scalar::I64(time)) => {
                let (part, names) = (part.clone(), names.clone());
                Some(Hit { time, hash: 0, part, names, block: index, row })
            }
            _ => None,
        };
        let mut rows: Vec<usize> = kept.rows().collect();
        if rows.len() > self.wanted {
            // Only the newest of a block can be on the page, and what came with the last of them.
            let time = |row: &usize| match times.get(*row) {
                Some(Scalar::I64(time)) => time,
                _ => i64::MIN,
            };
            let at_cursor = self.cursor.map(|cursor| cursor.time);
            let mut order: Vec<i64> = rows.iter().map(time).collect();
            order.retain(|time| Some(*time) != at_cursor);
            if order.len() > self.wanted {
                order.select_nth_unstable_by_key(self.wanted - 1, |time| std::cmp::Reverse(*time));
                let oldest = order.get(self.wanted - 1).copied().unwrap_or(i64::MIN);
                rows.retain(|row| time(row) >= oldest);
            }
        }
        Ok(rows.into_iter().filter_map(hit).collect())
    }

    /// Puts the rows in order and cuts the page. An error comes with the segment and block.
    pub fn page(
        &mut self,
        limit: usize,
        wanted: &[ColumnId],
    ) -> Result<RecordsPage, (u64, usize, QueryError)> {
        let table = self.table;
        self.oldest_wanted();
        let mut hits = std::mem::take(&mut self.hits);
        hits.sort_by_key(|hit| (hit.part.head().id, hit.block));
        for group in hits.chunk_by_mut(same_block) {
            let Some(first) = group.first() else { continue };
            let (part, names, block) = (first.part.clone(), first.names.clone(), first.block);
            hash(part.as_ref(), names.as_ref(), block, table, group.iter_mut().collect())
                .map_err(|error| (part.head().id, block, error))?;
        }
        hits.sort_by_key(|hit| std::cmp::Reverse((hit.time, hit.hash)));
        // Of rows that are equal in all they hold, as many are skipped as were given.
        let given = self.cursor.map_or(0, |cursor| {
            let equal = |hit: &&Hit| (hit.time, hit.hash) == (cursor.time, cursor.hash);
            hits.iter().take_while(equal).count().min(cursor.given)
        });
        hits.drain(..given);
        let more = hits.len() > limit;
        hits.truncate(limit);
        let next = hits.last().filter(|_| more).map(|last| {
            let equal = |hit: &&Hit| (hit.time, hit.hash) == (last.time, last.hash);
            let before = self.cursor.filter(|c| (c.time, c.hash) == (last.time, last.hash));
            let given = hits.iter().rev().take_while(equal).count();
            let given = given + before.map_or(0, |cursor| cursor.given);
            Cursor { time: last.time, hash: last.hash, given }.to_string()
        });
        let rows = gather(table, &hits, wanted)?;
        let stats = std::mem::take(&mut self.stats);
        Ok(RecordsPage { rows, columns: wanted.to_vec(), next, stats })
    }
}

impl Hit {
    fn part_id(&self) -> u64 {
        self.part.head().id
    }
}

fn same_block(a: &Hit, b: &Hit) -> bool {
    Arc::ptr_eq(&a.part, &b.part) && a.block == b.block
}

/// Gives hits of one block the hash of what their rows hold.
fn hash(
    part: &dyn Part,
    names: &dyn Names,
    block: usize,
    table: Table,
    mut hits: Vec<&mut Hit>,
) -> Result<(), QueryError> {
    if hits.is_empty() {
        return Ok(());
    }
    hits.iter_mut().for_each(|hit| hit.hash = 0);
    for def in table.columns().iter().filter(|def| def.stored) {
        let column = part.read(block, def.id)?;
        if column == BlockColumn::Absent {
            continue;
        }
        let is_addr = def.ty == weir_model::ColumnType::Addr;
        for hit in &mut hits {
            let Some(value) = column.get(hit.row) else { continue };
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

fn addr_of(names: &dyn Names, code: Code) -> weir_model::Addr {
    names.addrs().get(code.0 as usize).copied().unwrap_or_default()
}

/// The hits' rows as a batch, in their order.
fn gather(
    table: Table,
    hits: &[Hit],
    wanted: &[ColumnId],
) -> Result<FlowBatch, (u64, usize, QueryError)> {
    let mut batch = FlowBatch::new(table);
    batch.append_rows(hits.len());
    let mut numbers: HashMap<(u64, usize), usize> = HashMap::default();
    let mut blocks: Vec<&Hit> = Vec::new();
    let block_of = |hit| {
        *numbers.entry((Hit::part_id(hit), hit.block)).or_insert_with(|| {
            blocks.push(hit);
            blocks.len() - 1
        })
    };
    let places: Vec<usize> = hits.iter().map(block_of).collect();
    for id in wanted {
        let is_addr = table.def(*id).is_some_and(|def| def.ty == weir_model::ColumnType::Addr);
        let read = |hit: &&Hit| {
            let column = hit.part.read(hit.block, *id);
            column.map_err(|error| (hit.part.head().id, hit.block, error))
        };
        let columns: Vec<BlockColumn> = blocks.iter().map(read).collect::<Result<_, _>>()?;
        if columns.iter().all(|column| *column == BlockColumn::Absent) {
            continue;
        }
        for (row, (hit, place)) in hits.iter().zip(&places).enumerate() {
            let value = columns.get(*place).and_then(|column| column.get(hit.row));
            match value {
                None => {}
                Some(Scalar::Code(code)) if is_addr => {
                    batch.set(*id, row, addr_of(hit.names.as_ref(), code));
                }
                Some(Scalar::Code(code)) => batch.set_octets(*id, row, hit.names.string(code)),
                Some(value) => batch.set_scalar(*id, row, value),
            }
        }
    }
    batch.seal();
    Ok(batch)
}
