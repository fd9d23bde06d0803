//! The state of a store for people and metrics.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::core::Core;
use super::lane::Host;
use super::maintain::file_name;
use super::ticket::lock;
use crate::health::{Quarantined, StoreHealth, TierHealth, tier_name};
use crate::segment::{SegmentInfo, Tier};

const DAY_SECONDS: f64 = 86_400.0;
/// A rate is told only after the store ran this long.
const RATE_SECONDS_MIN: f64 = 10.0;

/// See [`super::Store::health`].
pub(crate) fn health(core: &Core) -> StoreHealth {
    let tiers = tiers(core);
    let octets = tiers.iter().map(|tier| tier.octets).sum();
    let space = *lock(&core.space);
    let tallies = &core.tallies;
    let read = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    let mut health = StoreHealth {
        tiers,
        octets,
        commit_lag_ms: core
            .pulse
            .oldest()
            .map_or(0, |oldest| core.now().since(oldest).as_millis() as u64),
        fsync_ms: read(&tallies.fsync_nanos) as f64 / 1e6,
        commits: read(&tallies.commits),
        commits_failed: read(&tallies.commits_failed),
        unsynced_octets: core.pulse.unsynced(),
        shedding: core.shedding().map(|kind| kind.name()),
        rows_refused: tallies.refused.list(),
        rows_appended: read(&tallies.rows_appended),
        quarantined: core.quarantined.clone(),
        damaged: damaged(core),
        disk_free: space.map_or(0, |space| space.free),
        disk_total: space.map_or(0, |space| space.total),
        segments_closing: lock(&core.closing).len(),
        compaction_backlog: read(&tallies.compaction_backlog) as usize,
        compactions: read(&tallies.compactions),
        compactions_failed: read(&tallies.compactions_failed),
        cache: core.cache.numbers(),
        advice: advice(core, space.map(|space| space.free)),
        octets_per_day: 0.0,
        days_until_full: None,
    };
    forecast(core, &mut health);
    health
}

fn tiers(core: &Core) -> Vec<TierHealth> {
    let (mut infos, hot): (Vec<_>, Vec<_>) = {
        let visible = lock(&core.visible);
        let closed = visible.closed().iter();
        let closed = closed.map(|c| {
            let entry = &c.entry;
            (entry.place.table, entry.place.tier, entry.rows, entry.octets)
        });
        (closed.collect(), visible.hot().iter().map(|(_, open)| open.hot.view()).collect())
    };
    infos.extend(hot.iter().map(|segment| {
        let SegmentInfo { head, rows, octets, .. } = segment.info();
        (head.table, head.tier, rows, octets)
    }));
    let mut sums: BTreeMap<_, TierHealth> = BTreeMap::new();
    for (table, tier, rows, octets) in infos {
        let sum = sums.entry((table, tier)).or_insert(TierHealth {
            table: table.name(),
            tier: tier_name(tier),
            rows: 0,
            segments: 0,
            octets: 0,
        });
        sum.rows += rows;
        sum.segments += 1;
        sum.octets += octets;
    }
    sums.into_values().collect()
}

fn damaged(core: &Core) -> Vec<Quarantined> {
    let mut list = Vec::new();
    let damaged = lock(&core.damaged).clone();
    let visible = lock(&core.visible);
    for closed in visible.closed() {
        let noted = closed.segment.noted_damage();
        if noted.is_none() && !damaged.contains(&closed.entry.id()) {
            continue;
        }
        let reason = noted.map_or_else(
            || "a block is damaged".into(),
            |(blocks, first)| format!("{blocks} of its blocks cannot be read: {first}"),
        );
        let (file, rows) = (file_name(&closed.entry), closed.entry.rows);
        list.push(Quarantined { file, reason, rows });
    }
    list
}

/// What to do about the disk, when something has to be done.
fn advice(core: &Core, free: Option<u64>) -> Option<String> {
    let (free, needed) = (free?, core.policy.disk_free_min);
    if free >= needed.saturating_mul(2) {
        return None;
    }
    let state = if free < needed { "rows are refused" } else { "rows will be refused soon" };
    let remedy = match core.policy.retention.octets_max {
        Some(max) => format!("lower store.octets_max ({max})"),
        None => "set store.octets_max, so that the oldest records go by themselves".into(),
    };
    Some(format!(
        "{state}: {free} octets are free and {needed} must stay free (store.disk_free_min); free \
         space on the disk of the data folder, {remedy}, or shorten store.keep_flows"
    ))
}

/// How large the store grows: what came since the start, at the size that it has on disk.
/// Retention by age bounds it: only what comes within the longest age of raw rows can stay.
fn forecast(core: &Core, health: &mut StoreHealth) {
    let ran = core.now().since(core.started_at).as_secs_f64();
    if ran < RATE_SECONDS_MIN {
        return;
    }
    let made = core.tallies.octets_made.load(Ordering::Relaxed) as f64;
    health.octets_per_day = made / ran * DAY_SECONDS;
    if health.octets_per_day <= 0.0 {
        return;
    }
    let days = health.disk_free as f64 / health.octets_per_day;
    let raw: u64 = health
        .tiers
        .iter()
        .filter(|tier| tier.tier == tier_name(Tier::Raw))
        .map(|tier| tier.octets)
        .sum();
    let policy = &core.policy.retention;
    let settles = policy.flows.map(|keep| keep.as_secs_f64() / DAY_SECONDS).is_some_and(|keep| {
        let most = keep * health.octets_per_day;
        most <= raw as f64 + health.disk_free as f64
    });
    health.days_until_full = (!settles && policy.octets_max.is_none()).then_some(days);
}
