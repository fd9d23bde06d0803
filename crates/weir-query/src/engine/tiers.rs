//! Which rows answer a query: rollups where their sums are the answer, raw rows elsewhere.
//!
//! Invariant: the answer is the one that raw rows alone would give. A rollup stands for whole
//! buckets of its grain, so the range is cut at multiples of the grain, and what is left over at
//! the edges comes from finer ones and at last from raw rows. Rollups hold the rows of closed
//! segments only; open ones are read beside them.

use std::sync::Arc;

use weir_model::columns::flows;
use weir_model::{ColumnId, Cube, Grain, Table, Timestamp};
use weir_store::Tier;

use super::binding::{Binding, is_rolled_up};
use super::part::Part;
use super::scan::Scan;
use crate::plan::Figure;

/// What a query needs of the rows.
#[derive(Debug)]
pub(crate) struct Needs<'a> {
    pub table: Table,
    pub time: ColumnId,
    pub from: Timestamp,
    pub to: Timestamp,
    pub bucket: Option<i64>,
    /// Columns of the filter and of the keys.
    pub columns: &'a [ColumnId],
    pub figures: &'a [Figure],
}

/// Cubes by the number of rows that they usually have, fewest first.
const SMALLEST_FIRST: [Cube; 6] = [
    Cube::Countries,
    Cube::Interfaces,
    Cube::Systems,
    Cube::Ports,
    Cube::Sources,
    Cube::Destinations,
];

/// A span of time and what it is read from.
type Span = (Tier, Timestamp, Timestamp);

/// The scans that answer a query, and the tiers they use, coarsest first.
pub(crate) fn choose(parts: &[Arc<dyn Part>], needs: &Needs<'_>) -> (Vec<Scan>, Vec<Tier>) {
    let cube = cube_for(needs);
    let mut spans = Vec::new();
    match cube {
        Some(cube) => {
            let grains: Vec<Grain> =
                Grain::ALL.into_iter().rev().filter(|g| fits(*g, cube, needs, parts)).collect();
            cut(needs.from, needs.to, &grains, &mut spans);
        }
        None => spans.push((Tier::Raw, needs.from, needs.to)),
    }
    let mut scans = Vec::new();
    for span in spans {
        scans_of(parts, needs, cube, span, &mut scans);
    }
    let mut tiers: Vec<Tier> = scans.iter().map(|scan| scan.part.head().tier).collect();
    tiers.sort_unstable();
    tiers.dedup();
    tiers.reverse();
    (scans, tiers.into_iter().collect())
}

/// The word for the tiers that were read: `1h+1m+raw`.
pub(crate) fn label(tiers: &[Tier]) -> String {
    let name = |tier: &Tier| match tier {
        Tier::Raw => "raw",
        Tier::Rollup(grain) => grain.name(),
    };
    match tiers {
        [] => "raw".into(),
        // The order of tiers is raw, then fine to coarse; they come coarsest first.
        tiers => tiers.iter().map(name).collect::<Vec<_>>().join("+"),
    }
}

fn cube_for(needs: &Needs<'_>) -> Option<Cube> {
    let summed = needs.figures.iter().all(|figure| is_rolled_up(*figure));
    if needs.table != Table::Flows || needs.time != flows::RECEIVED_AT || !summed {
        return None;
    }
    SMALLEST_FIRST.into_iter().find(|cube| {
        let has = |id: &ColumnId| cube.dimensions().iter().any(|(flow, _)| flow == id);
        needs.columns.iter().all(has)
    })
}

fn fits(grain: Grain, cube: Cube, needs: &Needs<'_>, parts: &[Arc<dyn Part>]) -> bool {
    let divides = needs.bucket.is_none_or(|bucket| bucket % grain.nanos() == 0);
    // Why: where closed segments came without their sums, the sums would be short of rows.
    let exists = parts.iter().any(|part| part.head().tier == Tier::Rollup(grain));
    cube.kept_at(grain) && divides && exists
}

/// Cuts a range into spans: whole buckets of the coarsest grain, then finer ones at both ends.
fn cut(from: Timestamp, to: Timestamp, grains: &[Grain], spans: &mut Vec<Span>) {
    if from >= to {
        return;
    }
    let Some((grain, finer)) = grains.split_first() else {
        spans.push((Tier::Raw, from, to));
        return;
    };
    let width = grain.nanos();
    let start = from.0.div_euclid(width) * width;
    let start = if start < from.0 { start.saturating_add(width) } else { start };
    let end = to.0.div_euclid(width) * width;
    if start >= end {
        return cut(from, to, finer, spans);
    }
    cut(from, Timestamp(start), finer, spans);
    spans.push((Tier::Rollup(*grain), Timestamp(start), Timestamp(end)));
    cut(Timestamp(end), to, finer, spans);
}

fn scans_of(
    parts: &[Arc<dyn Part>],
    needs: &Needs<'_>,
    cube: Option<Cube>,
    (tier, from, to): Span,
    scans: &mut Vec<Scan>,
) {
    for part in parts {
        let head = part.head();
        let binding = match (tier, cube) {
            (Tier::Rollup(_), Some(cube)) if head.tier == tier => Binding::Cube(cube),
            (Tier::Rollup(_), _) if head.closed => continue,
            _ if head.table == needs.table && head.tier == Tier::Raw => Binding::Raw(head.table),
            _ => continue,
        };
        let by_arrival = needs.table.find("received_at").is_some_and(|def| def.id == needs.time);
        let outside = head.times.is_none_or(|(first, last)| last < from || first >= to);
        if !(by_arrival && outside) {
            scans.push(Scan { part: part.clone(), from, to, binding });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_at_whole_buckets() {
        let at = |minutes: i64| Timestamp::from_seconds(minutes * 60);
        let half = Timestamp::from_seconds(30);
        let mut spans = Vec::new();
        let grains = [Grain::Hour, Grain::FiveMinutes, Grain::Minute];
        cut(half, at(62 + 60), &grains, &mut spans);
        assert_eq!(
            spans,
            [
                (Tier::Raw, half, at(1)),
                (Tier::Rollup(Grain::Minute), at(1), at(5)),
                (Tier::Rollup(Grain::FiveMinutes), at(5), at(60)),
                (Tier::Rollup(Grain::Hour), at(60), at(120)),
                (Tier::Rollup(Grain::Minute), at(120), at(122)),
            ]
        );
        spans.clear();
        cut(at(0), at(60), &[], &mut spans);
        assert_eq!(spans, [(Tier::Raw, at(0), at(60))]);
    }
}
