//! The walk over blocks: which are read, which rows are kept, who gets them. Threads take blocks
//! one at a time; each has a sink of its own, so nothing is shared while rows are added up.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use weir_model::{Bitmap, Clock, ColumnId, Scalar, Table, Timestamp, Values};
use weir_store::BlockColumn;

use super::binding::{Binding, RESPONSE, rate_unknown};
use super::block::Block;
use super::damage::Damage;
use super::mask::Selection;
use super::part::NoNames;
use super::part::{Names, Part};
use super::predicate::{Node, Verdict, blocks_left, compile, is_ruled_out, shifted};
use crate::error::QueryError;
use crate::filter::Expr;
use crate::limits::{Cancel, QueryLimits};
use crate::plan::Figure;

/// A part, the span of time that is wanted of it, and how to read it.
pub(crate) struct Scan {
    pub part: Arc<dyn Part>,
    pub from: Timestamp,
    pub to: Timestamp,
    pub binding: Binding,
}

/// What rows are wanted of every part.
pub(crate) struct Wanted<'a> {
    pub table: Table,
    pub time: ColumnId,
    pub filter: Option<&'a Expr>,
    /// Columns of the keys.
    pub keys: &'a [ColumnId],
    pub figures: &'a [Figure],
    /// Keeps rows alone whose responder sent something.
    pub responder: bool,
    /// Whether rows are told apart by their time.
    pub bucketed: bool,
    /// Whether to count rows without a sampling rate.
    pub rates: bool,
    /// Octets that all threads hold together.
    pub shared: &'a (dyn Fn() -> usize + Sync),
}

impl Wanted<'_> {
    /// What tells whether there are rows. Where responses are looked for a count of records will
    /// not do: a rollup counts those without one too.
    fn rows(&self) -> Figure {
        let [octets, packets] = RESPONSE;
        if self.responder { Figure::Both(octets, packets, false) } else { Figure::Count }
    }
}

/// Where kept rows go.
pub(crate) trait Sink: Send {
    /// Octets it holds.
    fn octets(&self) -> usize;
    /// Rows of another part follow.
    fn next_part(&mut self);
    /// All rows of a part with these names were taken.
    fn end_part(&mut self, _: &dyn Names) {}
    /// Takes the kept rows of a block; returns the octets it holds now.
    fn take(
        &mut self,
        from: &Source<'_>,
        block: &mut Block<'_>,
        kept: &Selection,
    ) -> Result<usize, QueryError>;
}

/// What a sink needs to know of the part.
pub(crate) struct Source<'a> {
    pub names: &'a dyn Names,
    pub binding: Binding,
    /// Column of the part that buckets go by.
    pub time: ColumnId,
    /// A sum that is above zero where there are rows.
    pub rows: Figure,
}

/// What stops a query.
pub(crate) struct Control<'a> {
    pub limits: &'a QueryLimits,
    pub cancel: &'a Cancel,
    pub clock: &'a dyn Clock,
    pub started: Timestamp,
    pub damage: Damage,
}

impl<'a> Control<'a> {
    /// For a query that starts now.
    pub fn new(limits: &'a QueryLimits, cancel: &'a Cancel, clock: &'a dyn Clock) -> Control<'a> {
        Control { limits, cancel, clock, started: clock.now(), damage: Damage::default() }
    }

    /// Why to stop now, if there is a reason.
    pub fn check(&self) -> Result<(), QueryError> {
        if self.cancel.is_cancelled() {
            return Err(QueryError::Cancelled);
        }
        if self.clock.now().since(self.started) > self.limits.time {
            return Err(QueryError::Time { limit: self.limits.time });
        }
        Ok(())
    }

    /// Refuses when `octets` are too many.
    pub fn fits(&self, octets: usize) -> Result<(), QueryError> {
        if octets <= self.limits.memory {
            return Ok(());
        }
        Err(QueryError::Memory {
            what: "groups and different values",
            limit: self.limits.memory,
            remedy: "narrow the range or the filter, group by fewer columns or prefixes, \
                     or ask for distinct~ instead of distinct",
        })
    }
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub blocks: AtomicU64,
    pub pruned: AtomicU64,
    pub rows: AtomicU64,
    pub matched: AtomicU64,
    pub rate_unknown: AtomicU64,
}

impl Counters {
    /// Counts what another walk read.
    pub fn add(&self, other: &Counters) {
        for (mine, other) in [
            (&self.blocks, &other.blocks),
            (&self.pruned, &other.pruned),
            (&self.rows, &other.rows),
            (&self.matched, &other.matched),
            (&self.rate_unknown, &other.rate_unknown),
        ] {
            mine.fetch_add(other.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

/// A filter compiled for a part.
struct Compiled {
    node: Node,
    /// The blocks that filters of blocks leave over; none: all.
    left: Option<Bitmap>,
    names: Arc<dyn Names>,
}

struct Work<'a> {
    scan: &'a Scan,
    /// What is read of every block that has a row.
    columns: Vec<ColumnId>,
    compiled: Mutex<Option<Arc<Compiled>>>,
    /// The dictionary could not be read: no block can.
    unreadable: AtomicBool,
}

impl<'a> Work<'a> {
    fn new(scan: &'a Scan, wanted: &Wanted<'_>) -> Work<'a> {
        let binding = scan.binding;
        let mut columns: Vec<ColumnId> = wanted.keys.iter().map(|id| binding.column(*id)).collect();
        let figures = wanted.figures.iter().copied().chain([wanted.rows()]);
        figures.for_each(|figure| binding.sources(figure, &mut columns));
        match binding {
            Binding::Raw(Table::Flows) if wanted.rates => {
                columns.push(weir_model::columns::flows::SAMPLING_RATE);
            }
            _ => {}
        }
        if wanted.bucketed {
            columns.push(binding.column(wanted.time));
        }
        columns.sort_unstable();
        columns.dedup();
        Work { scan, columns, compiled: Mutex::new(None), unreadable: AtomicBool::new(false) }
    }

    fn compiled(&self, wanted: &Wanted<'_>) -> Result<Arc<Compiled>, QueryError> {
        let mut slot = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = slot.as_ref() {
            return Ok(compiled.clone());
        }
        let part = self.scan.part.as_ref();
        let bloom = wanted.filter.is_some_and(|expr| is_ruled_out(expr, part));
        let left = wanted.filter.filter(|_| !bloom).and_then(|expr| blocks_left(expr, part));
        let ruled_out = bloom || left.as_ref().is_some_and(|left| left.count_ones() == 0);
        let names: Arc<dyn Names> = match ruled_out {
            // Why: the dictionary of a segment takes longer to read than its bloom filter.
            true => Arc::new(NoNames),
            false => part.names()?,
        };
        let binding = self.scan.binding;
        let filter = match wanted.filter {
            Some(_) if ruled_out => Node::Const(false),
            Some(expr) => compile(expr, wanted.table, names.as_ref(), &|id| binding.column(id)),
            None => Node::Const(true),
        };
        let mut node = limited(filter, self.scan, wanted);
        let known = |id: ColumnId| part.overall(id);
        if node.rules_out_all(&known) {
            node = Node::Const(false);
        }
        let compiled = Arc::new(Compiled { node, left, names });
        *slot = Some(compiled.clone());
        Ok(compiled)
    }
}

/// `filter` within the scan's span of time and cube.
fn limited(filter: Node, scan: &Scan, wanted: &Wanted<'_>) -> Node {
    if filter == Node::Const(false) {
        return filter;
    }
    let time = scan.binding.column(wanted.time);
    let mut parts = Vec::new();
    if let Binding::Cube(cube) = scan.binding {
        let cube = u64::from(cube.number());
        parts.push(Node::Ranges(weir_model::columns::rollups::CUBE, false, vec![(cube, cube)]));
    }
    if scan.from.0 > i64::MIN || scan.to.0 < i64::MAX {
        let span = (shifted(scan.from.0), shifted(scan.to.0.saturating_sub(1)));
        parts.push(Node::Ranges(time, false, vec![span]));
    }
    if wanted.responder {
        let sent = |id| Node::Ranges(scan.binding.counter(id, false), false, vec![(1, u64::MAX)]);
        parts.push(Node::Or(RESPONSE.into_iter().map(sent).collect()));
    }
    parts.push(filter);
    Node::And(parts)
}

/// Walks `scans` with as many sinks of `make` as there are threads, and gives them back.
pub(crate) fn run<S: Sink>(
    scans: &[Scan],
    wanted: &Wanted<'_>,
    control: &Control<'_>,
    counters: &Counters,
    make: &(dyn Fn() -> S + Sync),
) -> Result<Vec<S>, QueryError> {
    let works: Vec<Work<'_>> = scans.iter().map(|scan| Work::new(scan, wanted)).collect();
    let mut blocks = Vec::new();
    for (at, work) in works.iter().enumerate() {
        blocks.extend((0..work.scan.part.blocks()).map(|block| (at, block)));
    }
    let walk = Walk {
        works: &works,
        blocks: &blocks,
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        held: AtomicUsize::new(0),
        wanted,
        control,
        counters,
    };
    let threads = control.limits.threads.clamp(1, blocks.len().max(1));
    if threads == 1 {
        return Ok(vec![walk.worker(make())?]);
    }
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| walk.worker(make()))).collect();
        let results: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        // Why: the first real error, not the silent stop of the others.
        results.into_iter().map(|result| result.unwrap_or(Err(QueryError::Cancelled))).collect()
    })
}

struct Walk<'a> {
    works: &'a [Work<'a>],
    blocks: &'a [(usize, usize)],
    next: AtomicUsize,
    stop: AtomicBool,
    held: AtomicUsize,
    wanted: &'a Wanted<'a>,
    control: &'a Control<'a>,
    counters: &'a Counters,
}

impl Walk<'_> {
    /// Takes blocks until there are none. A worker that fails stops the others, which then end
    /// without an error of their own.
    fn worker<S: Sink>(&self, mut sink: S) -> Result<S, QueryError> {
        let (mut part, mut held) = (usize::MAX, 0);
        while let Some((at, block)) = self.blocks.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            if *at != part {
                self.end_part(part, &mut sink);
                part = *at;
                sink.next_part();
            }
            let Some(work) = self.works.get(part) else { break };
            let result = self.block(work, *block, &mut sink, &mut held);
            let id = work.scan.part.head().id;
            let result = result.or_else(|error| self.control.damage.note(id, *block, error));
            if let Err(error) = result {
                self.stop.store(true, Ordering::Relaxed);
                return Err(error);
            }
        }
        self.end_part(part, &mut sink);
        Ok(sink)
    }

    fn end_part<S: Sink>(&self, part: usize, sink: &mut S) {
        let Some(work) = self.works.get(part) else { return };
        let compiled = work.compiled.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(compiled) = compiled {
            sink.end_part(compiled.names.as_ref());
        }
    }

    fn block<S: Sink>(
        &self,
        work: &Work<'_>,
        index: usize,
        sink: &mut S,
        held: &mut usize,
    ) -> Result<(), QueryError> {
        self.control.check()?;
        let part = work.scan.part.as_ref();
        if work.unreadable.load(Ordering::Relaxed) {
            self.control.damage.again(part.head().id, index);
            return Ok(());
        }
        let compiled = work.compiled(self.wanted).inspect_err(|_| {
            work.unreadable.store(true, Ordering::Relaxed);
        })?;
        let skipped = compiled.left.as_ref().is_some_and(|left| !left.get(index));
        if skipped || compiled.node == Node::Const(false) {
            self.counters.pruned.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let known = part.index()?;
        let zone = |id: ColumnId| known.zone(index, id);
        let verdict = compiled.node.prune(&zone);
        if verdict == Verdict::None {
            self.counters.pruned.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let mut block = Block::new(part, index, known.rows(index));
        let kept = match verdict {
            Verdict::All => Selection::All(block.rows),
            _ => compiled.node.eval_pruned(&mut block, &zone)?.selection(),
        };
        // Why: all that is needed before the first row is added up, so that a block which cannot
        // be read whole adds nothing.
        if kept.len() > 0 {
            block.fetch(&work.columns)?;
        }
        self.count(&mut block, &kept, work.scan.binding)?;
        if kept.len() == 0 {
            return Ok(());
        }
        let binding = work.scan.binding;
        let time = binding.column(self.wanted.time);
        let names = compiled.names.as_ref();
        let source = Source { names, binding, time, rows: self.wanted.rows() };
        let now_held = sink.take(&source, &mut block, &kept)?;
        // Adds the difference modulo the word: what shrinks is subtracted.
        let before = self.held.fetch_add(now_held.wrapping_sub(*held), Ordering::Relaxed);
        let total = before.wrapping_add(now_held.wrapping_sub(*held));
        *held = now_held;
        self.control.fits(total.saturating_add((self.wanted.shared)()))
    }

    fn count(
        &self,
        block: &mut Block<'_>,
        kept: &Selection,
        binding: Binding,
    ) -> Result<(), QueryError> {
        let counters = self.counters;
        counters.blocks.fetch_add(1, Ordering::Relaxed);
        counters.rows.fetch_add(block.rows as u64, Ordering::Relaxed);
        counters.matched.fetch_add(kept.len() as u64, Ordering::Relaxed);
        if self.wanted.rates && binding == Binding::Raw(Table::Flows) && kept.len() > 0 {
            let unknown = rate_unknown(block, kept)?;
            counters.rate_unknown.fetch_add(unknown, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Time of each kept row in column `time`. Kept rows have one.
pub(crate) fn times(
    block: &mut Block<'_>,
    time: ColumnId,
    kept: &Selection,
) -> Result<Vec<i64>, QueryError> {
    let mut times = Vec::with_capacity(kept.len());
    match block.column(time)? {
        BlockColumn::Values { data: Values::I64(v), .. } => kept.gather(v, &mut times, |t| t),
        BlockColumn::Constant(Scalar::I64(time)) => times.resize(kept.len(), *time),
        _ => {}
    }
    times.resize(kept.len(), i64::MIN);
    Ok(times)
}
