//! Which rows answer a query: rollups where their sums are the answer, raw rows elsewhere.
//!
//! Invariant: while raw rows are kept the answer is the one that they alone would give. A rollup
//! stands for whole buckets of its grain, so the range is cut at multiples of the grain, and what
//! is left over at the edges comes from finer ones and at last from raw rows. Rollups hold the
//! rows of closed segments only; open ones are read beside them. What retention has dropped is
//! answered from the finest tier that is left, and the answer says so.

mod tiling;

use std::sync::Arc;

use weir_model::columns::flows;
use weir_model::{ColumnId, Cube, Grain, Table, Timestamp};
use weir_store::Tier;

use super::binding::{Binding, is_rolled_up};
use super::part::Part;
use super::scan::Scan;
use crate::plan::Figure;
use tiling::{Kept, Span, Tiling, tile};

/// The highest `received_at` of the rows that retention dropped of a table and tier.
pub(crate) type Gone<'a> = dyn Fn(Table, Tier) -> Option<Timestamp> + Sync + 'a;

/// What a query needs of the rows.
#[derive(Debug)]
pub(crate) struct Needs<'a> {
    pub table: Table,
    pub time: ColumnId,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Width of buckets and where the first of them starts.
    pub buckets: Option<(i64, i64)>,
    /// Columns of the filter and of the keys.
    pub columns: &'a [ColumnId],
    pub figures: &'a [Figure],
}

/// The scans that answer a query.
pub(crate) struct Choice {
    pub scans: Vec<Scan>,
    /// Tiers that are read, coarsest first.
    pub tiers: Vec<Tier>,
    /// The range that is read: the one asked for, or one that retention left of it.
    pub from: Timestamp,
    pub to: Timestamp,
    /// How and why the answer is not quite what was asked for.
    pub notes: Vec<String>,
}

/// Chooses what to read.
pub(crate) fn choose(parts: &[Arc<dyn Part>], needs: &Needs<'_>, gone: &Gone<'_>) -> Choice {
    let cube = cube_for(needs, parts);
    let raw_gone = gone(needs.table, Tier::Raw);
    let raw = Kept { tier: Tier::Raw, from: raw_gone.map_or(i64::MIN, |t| t.0.saturating_add(1)) };
    let mut tiers = Vec::new();
    for grain in Grain::ALL.into_iter().rev() {
        if cube.is_some_and(|cube| fits(grain, cube, needs, parts)) {
            let tier = Tier::Rollup(grain);
            let after = |time: Timestamp| time.0.saturating_add(grain.nanos());
            tiers.push(Kept { tier, from: gone(Table::Rollups, tier).map_or(i64::MIN, after) });
        }
    }
    tiers.push(raw);
    let tiling = tile(needs.from, needs.to, &tiers);
    let notes = notes(needs, &tiling, tiers.len() > 1, raw_gone);
    let mut scans = Vec::new();
    for span in tiling.spans {
        scans_of(parts, needs, cube, span, &mut scans);
    }
    let mut tiers: Vec<Tier> = scans.iter().map(|scan| scan.part.head().tier).collect();
    tiers.sort_unstable();
    tiers.dedup();
    tiers.reverse();
    Choice { scans, tiers, from: tiling.from, to: tiling.to, notes }
}

/// What the asker must know of a range of which retention dropped something.
fn notes(
    needs: &Needs<'_>,
    tiling: &Tiling,
    rolled_up: bool,
    raw_gone: Option<Timestamp>,
) -> Vec<String> {
    let Some(until) = raw_gone.filter(|until| *until >= needs.from) else { return Vec::new() };
    let dropped = format!("records received up to {until} were dropped by retention");
    if !rolled_up {
        return vec![format!(
            "only records answer this question, and {dropped}: before that moment the answer is \
             incomplete (sums of octets, packets and flows by the dimensions of one rollup, in \
             buckets of whole minutes, reach further back)"
        )];
    }
    if !tiling.covered && (tiling.from, tiling.to) == (needs.from, needs.to) {
        return vec![format!("{dropped}, and so were the rollups of this range: nothing is kept")];
    }
    let mut notes = Vec::new();
    if !tiling.covered {
        notes.push(format!("{dropped}; nothing is kept of the time before {}", tiling.from));
    } else if tiling.from < needs.from {
        notes.push(format!(
            "the range starts at {} instead of {}: {dropped}, and rollups hold whole buckets",
            tiling.from, needs.from
        ));
    }
    if tiling.to > needs.to {
        notes.push(format!(
            "the range ends at {} instead of {}: {dropped}, and rollups hold whole buckets",
            tiling.to, needs.to
        ));
    }
    notes
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

fn cube_for(needs: &Needs<'_>, parts: &[Arc<dyn Part>]) -> Option<Cube> {
    let summed = needs.figures.iter().all(|figure| is_rolled_up(*figure));
    if needs.table != Table::Flows || needs.time != flows::RECEIVED_AT || !summed {
        return None;
    }
    Cube::SMALLEST_FIRST.into_iter().find(|cube| {
        let has = |id: &ColumnId| cube.dimensions().iter().any(|(flow, _)| flow == id);
        needs.columns.iter().all(has) && is_everywhere(*cube, needs, parts)
    })
}

/// False when rollups in the range were made before there was this cube.
fn is_everywhere(cube: Cube, needs: &Needs<'_>, parts: &[Arc<dyn Part>]) -> bool {
    parts.iter().all(|part| {
        let head = part.head();
        let kept = matches!(head.tier, Tier::Rollup(grain) if cube.kept_at(grain));
        // A bucket starts up to an hour before the rows that are in it.
        let hour = Grain::Hour.nanos();
        let in_range = |(first, last): (Timestamp, Timestamp)| {
            last.0.saturating_add(hour) >= needs.from.0 && first.0.saturating_sub(hour) < needs.to.0
        };
        !kept || !head.times.is_some_and(in_range) || part.may_have_cube(cube.number())
    })
}

fn fits(grain: Grain, cube: Cube, needs: &Needs<'_>, parts: &[Arc<dyn Part>]) -> bool {
    let divides = needs.buckets.is_none_or(|(width, first)| {
        width % grain.nanos() == 0 && first.rem_euclid(grain.nanos()) == 0
    });
    // Why: where closed segments came without their sums, the sums would be short of rows.
    let exists = parts.iter().any(|part| part.head().tier == Tier::Rollup(grain));
    cube.kept_at(grain) && divides && exists
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
