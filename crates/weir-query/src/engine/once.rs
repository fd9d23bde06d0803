//! Bucketed sums of few groups in one walk: every group gets its buckets at once and is ranked by
//! what they add up to; those that do not stay are folded into the others. Where there turn out to
//! be many, they are ranked in a walk of their own first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashMap;

use super::keys::Layout;
use super::scan::Counters;
use super::states::{Buckets, Groups, States};
use super::top::Top;
use super::{Engine, Look, Ranking, Trace, View, ViewKind};
use crate::error::QueryError;
use crate::plan::Figure;
use crate::query::Order;

/// Groups that are few; in tests so few that some questions have more.
const GROUPS_MAX: usize = if cfg!(test) { 6 } else { 4_096 };
/// Groups times buckets that are few: 8 MiB a figure.
const SLOTS_MAX: usize = 1 << 20;

impl<'a> Engine<'a> {
    /// The groups that stay, and the figures of all in buckets; none when there are too many
    /// groups. `figures` are additive.
    pub(super) fn once<'s>(
        &'s self,
        look: &Look,
        figures: &'s [Figure],
        distinct: &'s [Option<Layout>],
        trace: &mut Trace,
    ) -> Result<Option<(Ranking, View<'s>)>, QueryError> {
        let plan = self.plan;
        let count = plan.buckets();
        let buckets = Buckets { first: plan.first_bucket(), width: plan.bucket, count };
        let most = (SLOTS_MAX / count.max(1)).min(GROUPS_MAX);
        let many = Arc::new(AtomicBool::new(false));
        let read = Counters::default();
        let sides = self.sides(look, figures);
        let walked = self.walk_sides(&sides, &read, trace, &|side| {
            let found = Groups::Found(HashMap::default());
            let (layout, figures) = (&side.layout, &side.figures);
            States::new(layout, distinct, self.pool, plan.table, figures, found, buckets)
                .at_most(most, many.clone())
        });
        if many.load(Ordering::Relaxed) {
            self.later.add(&read);
            return Ok(None);
        }
        self.first.add(&read);
        let mut sinks = walked?.into_iter();
        // The first is of the first side, whose figures are the query's.
        let Some(mut merged) = sinks.next() else { return Err(QueryError::Cancelled) };
        sinks.for_each(|sink| merged.merge(sink));
        let added = merged.into_added();
        let Groups::Found(ids) = added.groups else { return Err(QueryError::Cancelled) };
        let group_of = |slot: usize| slot / count;
        let Some(ranked_by) = added.figures.get(plan.order_by) else { return Ok(None) };
        let sums = ranked_by.folded(ids.len(), &group_of);
        let rows_max = self.control.limits.rows;
        let mut top = Top::new(plan.limit.unwrap_or(rows_max), self.layout, self.pool);
        let mut cut = false;
        for (key, group) in &ids {
            let badness = sums.badness(*group as usize, plan.order == Order::Asc);
            cut |= !top.offer(badness, *key, &[]);
        }
        if plan.limit.is_none() && cut {
            return Err(QueryError::Rows { limit: rows_max });
        }
        let groups = top.into_ranked();
        let mut places = vec![groups.len(); ids.len()];
        for (place, ranked) in groups.iter().enumerate() {
            let group = ids.get(&ranked.key).map_or(usize::MAX, |group| *group as usize);
            if let Some(slot) = places.get_mut(group) {
                *slot = place;
            }
        }
        let others = groups.len();
        let to = |slot: usize| {
            places.get(group_of(slot)).copied().unwrap_or(others) * count + slot % count
        };
        let slots = (others + 1) * count;
        let mut rows = vec![0u64; slots];
        for (slot, more) in added.rows.iter().enumerate() {
            if let Some(sum) = rows.get_mut(to(slot)) {
                *sum = sum.saturating_add(*more);
            }
        }
        let figures = added.figures.iter().map(|figure| figure.folded(slots, &to)).collect();
        let view = View { kind: ViewKind::Current, rows, figures, seconds: trace.seconds };
        Ok(Some((Ranking { groups, totals: None, cut }, view)))
    }
}
