//! Merging: which segments become one, and in which order their rows stand then.
//!
//! Raw segments of an hour become segments of that hour, unless their blocks are full already;
//! rollups of an hour and later of a day become one. The new segments take the place of the old ones in one record of the manifest.
//!
//! Invariant: merging neither adds nor loses a row or a sum; an input that cannot be read whole is
//! not merged, but marked and left alone.

use std::time::Duration;

use weir_model::{FlowBatch, Table, Timestamp};

use super::core::Core;
use super::lane::Host;
use super::sorted::Sorted;
use super::ticket::lock;
use super::visible::Closed;
use crate::error::StoreError;
use crate::manifest::{Entry, Place, Record};
use crate::policy::{Compaction, StorePolicy};
use crate::rollup;
use crate::segment::Tier;

const HOUR_NANOS: i64 = 3_600_000_000_000;
const DAY_HOURS: i64 = 24;
/// Rows after which a segment of sums is full. A merge of sums holds its rows in memory, about
/// 100 octets each, and takes at most four times as many.
const SUMS_FULL: u64 = if cfg!(test) { 2_000 } else { 1 << 20 };

/// Segments that become one.
pub(crate) struct Job {
    inputs: Vec<Closed>,
    place: Place,
    level: u8,
}

/// How far a merge gathers: the level it makes and the hours it spans.
#[derive(Clone, Copy)]
struct Step {
    level: u8,
    hours: i64,
}

/// Steps of a tier, in order.
fn steps(tier: Tier) -> &'static [Step] {
    const HOUR: Step = Step { level: 1, hours: 1 };
    const DAY: Step = Step { level: 2, hours: DAY_HOURS };
    match tier {
        Tier::Raw => &[HOUR],
        Tier::Rollup(_) => &[HOUR, DAY],
    }
}

/// What to merge next, oldest first, and how many segments wait for a merge.
pub(crate) fn next_job(core: &Core) -> (Option<Job>, usize) {
    let closed = lock(&core.visible).closed().to_vec();
    let damaged = lock(&core.damaged).clone();
    let may_merge = |closed: &Closed| {
        !damaged.contains(&closed.entry.id())
            && closed.segment.noted_damage().is_none()
            && !is_full(closed, &core.policy)
    };
    let left: Vec<Closed> = closed.into_iter().filter(may_merge).collect();
    let now = core.now();
    let mut job = None;
    let mut backlog = 0;
    for group in groups(&left) {
        if !is_due(&group, &core.policy.compaction, now) {
            continue;
        }
        backlog += group.inputs.len();
        if job.is_none() {
            job = Some(group);
        }
    }
    if let Some(job) = &mut job {
        limit(job, core.policy.compaction.segment_octets);
        job.place.id = core.next_id();
    }
    (job, backlog)
}

/// True for raw segments whose blocks are large already: sorting them again takes more than all
/// that was done before, for little (ADR 4); and for large segments of sums, whose merge would
/// take much memory. The least size bounds how many files there are.
fn is_full(closed: &Closed, policy: &StorePolicy) -> bool {
    let entry = &closed.entry;
    let blocks = closed.segment.block_count() as u64;
    if entry.place.tier != Tier::Raw {
        return entry.rows >= SUMS_FULL;
    }
    entry.octets >= policy.segment_octets / 8
        && entry.rows >= blocks.saturating_mul(policy.compaction.full_block_rows)
}

/// Every set of segments that belong together, by table, tier and span.
fn groups(closed: &[Closed]) -> Vec<Job> {
    let mut groups: std::collections::BTreeMap<_, Job> = std::collections::BTreeMap::new();
    for closed in closed {
        let entry = &closed.entry;
        let Some(first) = entry.first else { continue };
        let step = steps(entry.place.tier).iter().find(|step| step.level > entry.level);
        let Some(step) = step else { continue };
        let hour = first.0.div_euclid(HOUR_NANOS).div_euclid(step.hours) * step.hours;
        let key = (hour, step.level, entry.place.table, entry.place.tier);
        let place = Place { hour, ..entry.place };
        let job = groups.entry(key).or_insert(Job { inputs: Vec::new(), place, level: step.level });
        job.inputs.push(closed.clone());
    }
    groups.into_values().collect()
}

/// An hour is merged once it is over for a while, or early when it is large enough already.
fn is_due(job: &Job, policy: &Compaction, now: Timestamp) -> bool {
    let hours = if job.level == 1 { 1 } else { DAY_HOURS };
    let end = Timestamp(job.place.hour.saturating_add(hours).saturating_mul(HOUR_NANOS));
    let over = now >= end.plus(policy.delay);
    let octets: u64 = job.inputs.iter().map(|closed| closed.entry.octets).sum();
    over || job.place.tier == Tier::Raw && octets >= policy.segment_octets
}

/// Cuts a job so that its output is not much larger than `octets`, and its memory is bounded.
fn limit(job: &mut Job, octets: u64) {
    let rows_max = if job.place.tier == Tier::Raw { u64::MAX } else { 4 * SUMS_FULL };
    let (mut sum, mut rows) = (0, 0);
    let within = |closed: &&Closed| {
        let (more, more_rows) = (sum + closed.entry.octets, rows + closed.entry.rows);
        let fits = sum == 0 || more <= octets && more_rows <= rows_max;
        (sum, rows) = (more, more_rows);
        fits
    };
    let count = job.inputs.iter().take_while(within).count();
    job.inputs.truncate(count);
}

/// Merges, and puts the new segment in the place of the old ones.
pub(crate) fn run(core: &Core, job: &Job, pace: &dyn Fn(Duration)) -> Result<(), StoreError> {
    let merged = match write(core, job, pace) {
        Err(StoreError::Read(error)) => {
            tracing::error!(%error, "a damaged segment is not merged");
            lock(&core.damaged).insert(error.segment());
            return Ok(());
        }
        other => other?,
    };
    let rows = |entries: &mut dyn Iterator<Item = &Entry>| entries.map(|e| e.rows).sum::<u64>();
    let before = rows(&mut job.inputs.iter().map(|closed| &closed.entry));
    if job.place.tier == Tier::Raw && merged.entry.rows != before {
        tracing::error!(before, after = merged.entry.rows, "a merge lost count and was undone");
        lock(&core.damaged).extend(job.inputs.iter().map(|closed| closed.entry.id()));
        return Ok(());
    }
    let old: Vec<_> = job.inputs.iter().map(|closed| closed.entry.id()).collect();
    let record = Record::Replace { old: old.clone(), new: vec![merged.entry] };
    lock(&core.manifest).append(&record)?;
    let mut visible = lock(&core.visible);
    visible.remove(&old, |entry| core.entry_path(entry));
    visible.add(merged);
    Ok(())
}

fn write(core: &Core, job: &Job, pace: &dyn Fn(Duration)) -> Result<Closed, StoreError> {
    let segments: Vec<_> =
        job.inputs.iter().map(|closed| std::sync::Arc::clone(&closed.segment)).collect();
    match (job.place.table, job.place.tier) {
        (Table::Rollups, Tier::Rollup(grain)) => {
            let merged = rollup::merge(&segments, grain, &|| !core.stopping());
            let batches: Vec<FlowBatch> = merged.ok_or(StoreError::Cancelled)??;
            core.write_segment(job.place, job.level, batches.into_iter().map(Ok))
        }
        _ => {
            let sorted = Sorted::new(core, job.place.table, segments, pace)?;
            core.write_segment(job.place, job.level, sorted)
        }
    }
}
