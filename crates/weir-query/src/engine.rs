//! The embedded engine: a plan, the parts of a snapshot, and an answer.
//!
//! Groups are ranked first, by the one figure that ranks them; the other figures, buckets and
//! compared periods are then added up for the groups that stay. Where all figures are sums and
//! there are no buckets, the first walk gives everything.

mod assemble;
mod binding;
mod block;
mod coded;
mod damage;
mod figures;
mod keys;
mod mask;
mod once;
#[cfg(test)]
mod oracle;
mod part;
mod pool;
mod predicate;
mod ranked;
mod scan;
mod sides;
pub(crate) mod sketch;
mod states;
mod sums;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tiers;
mod top;

pub(crate) use block::Block;
pub(crate) use mask::Selection;
pub(crate) use part::{Index, Names, NoNames, Part};
pub(crate) use predicate::{Node, Verdict, blocks_left, compile, is_ruled_out, shifted};
pub(crate) use scan::{Control, Counters, times};

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hashbrown::{DefaultHashBuilder, HashMap};
use weir_model::{Clock, ColumnId, Timestamp};
use weir_store::{Snapshot, Tier};

use assemble::{View, ViewKind, assemble};
use figures::FigureColumn;
use keys::Layout;
use pool::Pool;
use scan::Wanted;
use sides::Side;
use states::{Added, Buckets, Groups, States, distinct_layouts};
use sums::{Sums, drain};
pub(crate) use tiers::Gone;
use tiers::{Choice, Needs, choose, label};
use top::{Ranked, Top};

use crate::answer::{Answer, Stats};
use crate::error::QueryError;
use crate::filter::{Expr, Filter};
use crate::limits::{Cancel, QueryLimits};
use crate::plan::{Figure, Key, Plan, mirror, mirror_expr, mirror_keys};
use crate::query::Directions;
use crate::query::{Order, Query};

/// Answers `query` over `snapshot`. `clock` says what "now" is and how long it takes.
pub fn run(
    snapshot: &Snapshot,
    query: &Query,
    limits: &QueryLimits,
    cancel: &Cancel,
    clock: &dyn Clock,
) -> Result<Answer, QueryError> {
    let parts: Vec<Arc<dyn Part>> =
        snapshot.all().iter().map(|segment| segment.clone() as Arc<dyn Part>).collect();
    let gone = |table, tier| snapshot.gone_until(table, tier);
    run_parts(&parts, &gone, query, limits, cancel, clock)
}

/// The same over any parts.
pub(crate) fn run_parts(
    parts: &[Arc<dyn Part>],
    gone: &Gone<'_>,
    query: &Query,
    limits: &QueryLimits,
    cancel: &Cancel,
    clock: &dyn Clock,
) -> Result<Answer, QueryError> {
    let started = clock.now();
    let plan = Plan::new(query, limits, started)?;
    let control = Control { started, ..Control::new(limits, cancel, clock) };
    let pool = Pool::default();
    let layout = Layout::new(&plan.keys);
    let engine = Engine {
        plan: &plan,
        parts,
        gone,
        control: &control,
        pool: &pool,
        layout: &layout,
        first: Counters::default(),
        later: Counters::default(),
    };
    let mut answer = engine.answer()?;
    answer.stats.ms = clock.now().since(started).as_secs_f64() * 1_000.0;
    Ok(answer)
}

struct Engine<'a> {
    plan: &'a Plan,
    parts: &'a [Arc<dyn Part>],
    gone: &'a Gone<'a>,
    control: &'a Control<'a>,
    pool: &'a Pool,
    layout: &'a Layout,
    /// What the walk that decides the answer read, and what the walks after it read.
    first: Counters,
    later: Counters,
}

/// One way to look at the rows: the period, and from which end.
#[derive(Clone)]
struct Look {
    from: Timestamp,
    to: Timestamp,
    filter: Option<Expr>,
    keys: Vec<Key>,
    /// Holds for every row of the groups that are looked for; none looks for all.
    groups: Option<Expr>,
    /// Whether rows are told apart by the plan's buckets.
    bucketed: bool,
    /// True for what responders sent, with the ends exchanged.
    responder: bool,
}

/// What the walks of one look read.
#[derive(Default)]
struct Trace {
    tiers: Vec<Tier>,
    notes: Vec<String>,
    /// Length of the range that was read, in seconds.
    seconds: f64,
}

/// The groups that stay, and their figures if the first walk gave them.
struct Ranking {
    groups: Vec<Ranked>,
    /// Sums over all groups; none when only the ranking is known.
    totals: Option<Vec<u64>>,
    /// True when groups were cut off.
    cut: bool,
}

impl<'a> Engine<'a> {
    fn answer(&self) -> Result<Answer, QueryError> {
        let plan = self.plan;
        let figures: Vec<Figure> = plan.measures.iter().map(|measure| measure.figure).collect();
        let current = self.look();
        let additive = figures.iter().all(|figure| figure.is_additive());
        let mut trace = Trace::default();
        let distinct = distinct_layouts(&figures, plan.table);
        let mut ranking = None;
        let mut views = Vec::new();
        if !plan.keys.is_empty() && additive && plan.bucket.is_some() {
            let once = self.once(&current, &figures, &distinct, &mut trace)?;
            (ranking, views) = once.map(|(r, view)| (Some(r), vec![view])).unwrap_or_default();
            if ranking.is_none()
                && let Some(by) = figures.get(plan.order_by)
            {
                ranking = self.rank_coarsely(&current, *by, &mut trace)?;
                if let Some(ranking) = &ranking {
                    self.check_size(ranking)?;
                    let view = self.winners(&current, &figures, &distinct, ranking, &mut trace)?;
                    views.extend(view);
                }
            }
        }
        if !plan.keys.is_empty() && ranking.is_none() {
            let whole = additive && plan.bucket.is_none();
            let ranked_by = figures.get(plan.order_by).copied().unwrap_or(Figure::Count);
            let (first, by) =
                if whole { (figures.clone(), plan.order_by) } else { (vec![ranked_by], 0) };
            ranking = Some(self.rank(&current, &first, by, whole, &mut trace)?);
        }
        ranking.as_ref().map_or(Ok(()), |ranking| self.check_size(ranking))?;
        match ranking.as_ref().filter(|ranking| ranking.totals.is_some()) {
            Some(ranking) => views.push(self.summed(ranking, &figures, trace.seconds)),
            None if !views.is_empty() => {}
            None => {
                let counters = if ranking.is_some() { &self.later } else { &self.first };
                let known = ranking.as_ref();
                let states =
                    self.add_up(&current, &figures, &distinct, known, counters, &mut trace)?;
                views.push(View::new(ViewKind::Current, states, trace.seconds));
            }
        }
        for (kind, look) in self.other_looks() {
            let mut other = Trace::default();
            let states =
                self.add_up(&look, &figures, &distinct, ranking.as_ref(), &self.later, &mut other)?;
            views.push(View::new(kind, states, other.seconds));
            let of = if kind == ViewKind::Previous { "the period to compare with: " } else { "" };
            let notes = other.notes.into_iter().map(|note| format!("{of}{note}"));
            let new: Vec<String> = notes.filter(|note| !trace.notes.contains(note)).collect();
            trace.notes.extend(new);
        }
        let keys: Vec<_> = match ranking {
            Some(ranking) => ranking.groups.into_iter().map(|group| group.values).collect(),
            None => Vec::new(),
        };
        Ok(Answer { stats: self.stats(trace), ..assemble(plan, &keys, &views) })
    }

    /// Refuses more rows than an answer may have.
    fn check_size(&self, ranking: &Ranking) -> Result<(), QueryError> {
        let rows = ranking.groups.len().saturating_mul(self.plan.buckets());
        let limit = self.control.limits.rows;
        if rows > limit { Err(QueryError::Rows { limit }) } else { Ok(()) }
    }

    fn look(&self) -> Look {
        let plan = self.plan;
        let (filter, keys) = (plan.filter.clone(), plan.keys.clone());
        let (from, to, bucketed) = (plan.from, plan.to, plan.bucket.is_some());
        Look { from, to, filter, keys, groups: None, bucketed, responder: false }
    }

    fn other_looks(&self) -> Vec<(ViewKind, Look)> {
        let plan = self.plan;
        let mut looks = Vec::new();
        if let Some(back) = plan.compare {
            let shift = |time: Timestamp| Timestamp(time.0.saturating_sub(back));
            let look = Look { from: shift(plan.from), to: shift(plan.to), ..self.look() };
            looks.push((ViewKind::Previous, look));
        }
        if plan.directions == Directions::Both {
            let filter = plan.filter.as_ref().map(|expr| mirror_expr(plan.table, expr, mirror));
            let keys = mirror_keys(plan.table, &plan.keys, mirror);
            looks.push((ViewKind::Reverse, Look { filter, keys, ..self.look() }));
        }
        looks
    }

    /// What to read for `look`.
    fn choice(&self, look: &Look, figures: &[Figure]) -> Choice {
        let plan = self.plan;
        let mut columns: Vec<ColumnId> = look.keys.iter().map(|key| key.def.id).collect();
        for expr in look.filter.iter().chain(&look.groups) {
            columns.extend(Filter::of(plan.table, expr.clone()).columns());
        }
        let back = plan.from.0.saturating_sub(look.from.0);
        let first = plan.first_bucket().saturating_sub(back);
        let needs = Needs {
            table: plan.table,
            time: plan.time,
            from: look.from,
            to: look.to,
            buckets: plan.bucket.filter(|_| look.bucketed).map(|width| (width, first)),
            columns: &columns,
            figures,
        };
        let mut choice = choose(self.parts, &needs, self.gone);
        if look.responder {
            choice.scans.retain(|scan| scan.binding.has_responses(scan.part.as_ref()));
            if choice.scans.is_empty() {
                choice.tiers.clear();
            }
        }
        choice
    }

    /// Walks the rows that a side sees, with the scans that fit its figures. `held` octets are in
    /// the sinks of other sides.
    fn walk<S: scan::Sink>(
        &self,
        side: &Side,
        held: usize,
        counters: &Counters,
        trace: &mut Trace,
        make: &(dyn Fn() -> S + Sync),
    ) -> Result<Vec<S>, QueryError> {
        let (plan, Side { look, figures, .. }) = (self.plan, side);
        let keys: Vec<ColumnId> = look.keys.iter().map(|key| key.def.id).collect();
        let choice = self.choice(look, figures);
        trace.tiers.extend(choice.tiers);
        trace.tiers.sort_unstable_by_key(|tier| std::cmp::Reverse(*tier));
        trace.tiers.dedup();
        for note in choice.notes {
            if !trace.notes.contains(&note) {
                trace.notes.push(note);
            }
        }
        if look.responder && choice.scans.is_empty() {
            return Ok(Vec::new());
        }
        if !look.responder {
            let span = choice.to.0.abs_diff(choice.from.0);
            trace.seconds = Duration::from_nanos(span).as_secs_f64();
        }
        let filter = Expr::all(look.filter.iter().chain(&look.groups).cloned().collect());
        let wanted = Wanted {
            table: plan.table,
            time: plan.time,
            filter: filter.as_ref(),
            keys: &keys,
            figures,
            responder: look.responder,
            bucketed: look.bucketed,
            rates: figures.iter().any(|figure| figure.is_scaled()),
            shared: &|| self.pool.octets().saturating_add(held),
        };
        scan::run(&choice.scans, &wanted, self.control, counters, make)
    }

    /// Finds the groups that stay.
    fn rank(
        &self,
        look: &Look,
        figures: &[Figure],
        by: usize,
        whole: bool,
        trace: &mut Trace,
    ) -> Result<Ranking, QueryError> {
        let limit = self.plan.limit;
        let rows_max = self.control.limits.rows;
        let mut top = Top::new(limit.unwrap_or(rows_max), self.layout, self.pool);
        let ascending = self.plan.order == Order::Asc;
        let mut cut = false;
        let mut totals = vec![0u64; figures.len()];
        if figures.iter().all(|figure| figure.is_additive()) {
            let hasher = DefaultHashBuilder::default();
            let sides = self.sides(look, figures);
            let sinks = self.walk_sides(&sides, &self.first, trace, &|side| {
                Sums::new(&side.layout, self.pool, &side.figures, hasher.clone())
            })?;
            drain(sinks, &mut |key, sums| {
                let rank = sums.get(by).copied().unwrap_or(0);
                let badness = if ascending { rank } else { u64::MAX - rank };
                cut |= !top.offer(badness.into(), key, sums);
                totals.iter_mut().zip(sums).for_each(|(t, sum)| *t = t.saturating_add(*sum));
                Ok(())
            })?;
        } else {
            let distinct = distinct_layouts(figures, self.plan.table);
            let buckets = Buckets { first: 0, width: None, count: 1 };
            let states = self.states(look, figures, &distinct, &self.first, trace, &|| {
                (Groups::Found(HashMap::default()), buckets)
            })?;
            let Groups::Found(ids) = &states.groups else { return Err(QueryError::Cancelled) };
            for (key, slot) in ids {
                let figure = states.figures.get(by);
                let badness = figure.map_or(0, |f| f.badness(*slot as usize, ascending));
                cut |= !top.offer(badness, *key, &[]);
            }
        }
        if limit.is_none() && cut {
            return Err(QueryError::Rows { limit: rows_max });
        }
        let groups = top.into_ranked();
        Ok(Ranking { groups, totals: whole.then_some(totals), cut })
    }

    /// Adds up the figures of the groups that stay, and of all others in one.
    fn add_up<'s>(
        &'s self,
        look: &Look,
        figures: &'s [Figure],
        distinct: &'s [Option<Layout>],
        ranking: Option<&Ranking>,
        counters: &Counters,
        trace: &mut Trace,
    ) -> Result<Added<'s>, QueryError> {
        let plan = self.plan;
        let ids: HashMap<u128, u32> = match ranking {
            Some(ranking) => {
                let keys = ranking.groups.iter().map(|group| group.key);
                keys.zip(0..).collect()
            }
            None => HashMap::default(),
        };
        let back = plan.from.0.saturating_sub(look.from.0);
        let first = plan.first_bucket().saturating_sub(back);
        let buckets = Buckets { first, width: plan.bucket, count: plan.buckets() };
        let others = ids.len() as u32;
        self.states(look, figures, distinct, counters, trace, &|| {
            (Groups::Known { ids: ids.clone(), others }, buckets)
        })
    }

    fn states<'s>(
        &'s self,
        look: &Look,
        figures: &'s [Figure],
        distinct: &'s [Option<Layout>],
        counters: &Counters,
        trace: &mut Trace,
        groups: &(dyn Fn() -> (Groups, Buckets) + Sync),
    ) -> Result<Added<'s>, QueryError> {
        let sides = self.sides(look, figures);
        let sinks = self.walk_sides(&sides, counters, trace, &|side| {
            let ((groups, buckets), table) = (groups(), self.plan.table);
            let (layout, figures) = (&side.layout, &side.figures);
            States::new(layout, distinct, self.pool, table, figures, groups, buckets)
        })?;
        let mut sinks = sinks.into_iter();
        // The first is of the first side, whose figures are the query's.
        let Some(mut merged) = sinks.next() else { return Err(QueryError::Cancelled) };
        for sink in sinks {
            merged.merge(sink);
            self.control.fits(merged.octets().saturating_add(self.pool.octets()))?;
        }
        Ok(merged.into_added())
    }

    /// The view that ranking alone gave.
    fn summed(&self, ranking: &Ranking, figures: &[Figure], seconds: f64) -> View<'a> {
        let totals = ranking.totals.as_deref().unwrap_or_default();
        let mut columns = Vec::new();
        for (at, (figure, total)) in figures.iter().zip(totals).enumerate() {
            let sum = |group: &Ranked| group.sums.get(at).copied().unwrap_or(0);
            let mut sums: Vec<u64> = ranking.groups.iter().map(sum).collect();
            let kept = sums.iter().fold(0u64, |kept, sum| kept.saturating_add(*sum));
            sums.push(total.saturating_sub(kept));
            columns.push(FigureColumn::of_sums(*figure, self.plan.table, self.pool, sums));
        }
        let mut rows = vec![1; ranking.groups.len()];
        rows.push(u64::from(ranking.cut));
        View { kind: ViewKind::Current, rows, figures: columns, seconds }
    }

    fn stats(&self, trace: Trace) -> Stats {
        let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let (first, later) = (&self.first, &self.later);
        Stats {
            tier: label(&trace.tiers),
            from: self.plan.from.to_string(),
            to: self.plan.to.to_string(),
            segments: self.parts.iter().filter(|part| self.is_in_range(part.as_ref())).count()
                as u64,
            blocks: read(&first.blocks) + read(&later.blocks),
            blocks_pruned: read(&first.pruned) + read(&later.pruned),
            rows: read(&first.rows) + read(&later.rows),
            rows_matched: read(&first.matched),
            rows_rate_unknown: read(&first.rate_unknown),
            blocks_damaged: self.control.damage.blocks(),
            notes: trace.notes.into_iter().chain(self.control.damage.notes()).collect(),
            ms: 0.0,
        }
    }

    fn is_in_range(&self, part: &dyn Part) -> bool {
        let head = part.head();
        let touches = |(first, last)| last >= self.plan.from && first < self.plan.to;
        head.table == self.plan.table && head.times.is_some_and(touches)
    }
}
