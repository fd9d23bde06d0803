//! What a search reads: the blocks of a range, and the filter compiled once a part.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use weir_model::{Bitmap, ColumnId, Scalar, Table, Timestamp};
use weir_store::{Tier, Zone};

use crate::answer::Stats;
use crate::engine::{
    Block, Control, Counters, Index, Names, NoNames, Node, Part, Selection, Verdict, blocks_left,
    compile, is_ruled_out, shifted,
};
use crate::error::QueryError;
use crate::filter::Expr;

/// A filter compiled for a part.
pub(super) struct Compiled {
    node: Node,
    pub names: Arc<dyn Names>,
}

/// A block that is in the range.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub part: usize,
    pub block: usize,
    /// Lowest and highest time of a row, both within the range.
    pub oldest: i64,
    pub newest: i64,
}

/// The rows of a range that pass a filter.
pub(super) struct Source<'a> {
    pub parts: &'a [Arc<dyn Part>],
    pub table: Table,
    pub time: ColumnId,
    filter: Option<&'a Expr>,
    from: Timestamp,
    to: Timestamp,
    pub control: &'a Control<'a>,
    counters: Counters,
    compiled: Vec<Mutex<Option<Arc<Compiled>>>>,
    /// What is known of the blocks of parts that have a candidate.
    indexes: Vec<OnceLock<Arc<dyn Index>>>,
}

impl<'a> Source<'a> {
    pub fn new(
        parts: &'a [Arc<dyn Part>],
        table: Table,
        filter: Option<&'a Expr>,
        (from, to): (Timestamp, Timestamp),
        control: &'a Control<'a>,
    ) -> Source<'a> {
        Source {
            parts,
            table,
            time: table.find("received_at").map_or(ColumnId(0), |def| def.id),
            filter,
            from,
            to,
            control,
            counters: Counters::default(),
            compiled: parts.iter().map(|_| Mutex::new(None)).collect(),
            indexes: parts.iter().map(|_| OnceLock::new()).collect(),
        }
    }

    /// The blocks of the range, in no order, and the number of segments that they are of. Without
    /// those that filters of blocks rule out, and those of which nothing can be known.
    pub fn candidates(&self) -> Result<(Vec<Candidate>, u64), QueryError> {
        let (mut candidates, mut segments) = (Vec::new(), 0);
        let (first, last) = (self.from.0, self.to.0.saturating_sub(1));
        for (at, part) in self.parts.iter().enumerate() {
            let head = part.head();
            let touches =
                |(oldest, newest): (Timestamp, Timestamp)| newest.0 >= first && oldest.0 <= last;
            if head.table != self.table
                || head.tier != Tier::Raw
                || !head.times.is_some_and(touches)
            {
                continue;
            }
            segments += 1;
            // Why first: what filters rule out needs no index, which may have to be read.
            let left = self.left(part.as_ref());
            let left_over = left.as_ref().map_or(part.blocks(), Bitmap::count_ones);
            let pruned = part.blocks().saturating_sub(left_over) as u64;
            self.counters.pruned.fetch_add(pruned, Ordering::Relaxed);
            if left_over == 0 {
                continue;
            }
            let Some(index) = self.open_index(at, part.as_ref())? else { continue };
            let is_left = |block: &usize| left.as_ref().is_none_or(|left| left.get(*block));
            for block in (0..part.blocks()).filter(is_left) {
                let Some(zone) = index.zone(block, self.time) else { continue };
                let (Scalar::I64(oldest), Scalar::I64(newest)) = (zone.min, zone.max) else {
                    continue;
                };
                if newest >= first && oldest <= last {
                    let (oldest, newest) = (oldest.max(first), newest.min(last));
                    candidates.push(Candidate { part: at, block, oldest, newest });
                }
            }
        }
        Ok((candidates, segments))
    }

    /// The blocks of a part that may have a row which the filter keeps; none when that is not
    /// known.
    fn left(&self, part: &dyn Part) -> Option<Bitmap> {
        let expr = self.filter?;
        if is_ruled_out(expr, part) {
            return Some(Bitmap::filled(part.blocks(), false));
        }
        blocks_left(expr, part)
    }

    /// What is known of the blocks of a part; none, and all of them noted, when it is damaged.
    fn open_index(&self, at: usize, part: &dyn Part) -> Result<Option<Arc<dyn Index>>, QueryError> {
        let slot = self.indexes.get(at);
        if let Some(known) = slot.and_then(OnceLock::get) {
            return Ok(Some(known.clone()));
        }
        match part.index() {
            Ok(index) => Ok(Some(match slot {
                Some(slot) => slot.get_or_init(|| index).clone(),
                None => index,
            })),
            Err(error) => {
                let (id, damage) = (part.head().id, &self.control.damage);
                damage.note(id, 0, error)?;
                (1..part.blocks()).for_each(|block| damage.again(id, block));
                Ok(None)
            }
        }
    }

    /// Bounds of a column in a block of a candidate; none when it is null in every row.
    pub fn zone(&self, part: usize, block: usize, id: ColumnId) -> Option<Zone> {
        self.indexes.get(part)?.get()?.zone(block, id)
    }

    /// Rows of a block of a candidate.
    pub fn rows(&self, part: usize, block: usize) -> usize {
        let index = self.indexes.get(part).and_then(OnceLock::get);
        index.map_or(0, |index| index.rows(block))
    }

    /// The filter, range included, for a part.
    pub fn compiled(&self, part: usize) -> Result<Arc<Compiled>, QueryError> {
        let (Some(slot), Some(of)) = (self.compiled.get(part), self.parts.get(part)) else {
            return Err(QueryError::Cancelled);
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = slot.as_ref() {
            return Ok(compiled.clone());
        }
        let compiled = Arc::new(self.compile(of.as_ref())?);
        *slot = Some(compiled.clone());
        Ok(compiled)
    }

    /// Lets go of what was compiled for a part: its dictionary may be large.
    pub fn forget(&self, part: usize) {
        if let Some(slot) = self.compiled.get(part) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn compile(&self, part: &dyn Part) -> Result<Compiled, QueryError> {
        if self.filter.is_some_and(|expr| is_ruled_out(expr, part)) {
            return Ok(Compiled { node: Node::Const(false), names: Arc::new(NoNames) });
        }
        let names = part.names()?;
        let filter = match self.filter {
            Some(expr) => compile(expr, self.table, names.as_ref(), &|id| id),
            None => Node::Const(true),
        };
        let span = (shifted(self.from.0), shifted(self.to.0.saturating_sub(1)));
        let node = Node::And(vec![Node::Ranges(self.time, false, vec![span]), filter]);
        Ok(Compiled { node, names })
    }

    /// What zone maps tell of a block.
    pub fn verdict(&self, compiled: &Compiled, part: usize, block: usize) -> Verdict {
        let verdict = compiled.node.prune(&|id: ColumnId| self.zone(part, block, id));
        if verdict == Verdict::None {
            self.counters.pruned.fetch_add(1, Ordering::Relaxed);
        }
        verdict
    }

    /// The rows of a block that the filter keeps.
    pub fn kept(
        &self,
        compiled: &Compiled,
        part: usize,
        block: &mut Block<'_>,
        verdict: Verdict,
    ) -> Result<Selection, QueryError> {
        let index = block.index;
        let kept = match verdict {
            Verdict::None => return Ok(Selection::Rows(Vec::new())),
            Verdict::All => Selection::All(block.rows),
            Verdict::Some => {
                let zone = |id: ColumnId| self.zone(part, index, id);
                compiled.node.eval_pruned(block, &zone)?.selection()
            }
        };
        self.counters.blocks.fetch_add(1, Ordering::Relaxed);
        self.counters.rows.fetch_add(block.rows as u64, Ordering::Relaxed);
        self.counters.matched.fetch_add(kept.len() as u64, Ordering::Relaxed);
        Ok(kept)
    }

    /// Hands the numbers 0 to `count` to threads, each with a state of its own; `each` says
    /// whether its thread goes on. Gives the states back.
    pub fn share<T: Send>(
        &self,
        threads: usize,
        count: usize,
        make: &(dyn Fn() -> T + Sync),
        each: &(dyn Fn(&mut T, usize) -> Result<bool, QueryError> + Sync),
    ) -> Result<Vec<T>, QueryError> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut state = make();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return Ok(state);
                }
                self.control.check()?;
                if !each(&mut state, at)? {
                    return Ok(state);
                }
            }
        };
        let threads = threads.clamp(1, count.max(1));
        if threads == 1 {
            return Ok(vec![work()?]);
        }
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let results: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
            results.into_iter().map(|result| result.unwrap_or(Err(QueryError::Cancelled))).collect()
        })
    }

    /// What was read so far.
    pub fn stats(&self, segments: u64) -> Stats {
        let read = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            tier: "raw".into(),
            from: self.from.to_string(),
            to: self.to.to_string(),
            segments,
            blocks: read(&self.counters.blocks),
            blocks_pruned: read(&self.counters.pruned),
            rows: read(&self.counters.rows),
            rows_matched: read(&self.counters.matched),
            ..Stats::default()
        }
    }
}
