//! Retention: which segments go because of their age, or because the store is too large.
//!
//! Whole segments only. By size the oldest raw records go first, then sums, the finest grain
//! first: what answers the longest questions in the fewest octets stays longest.

use std::time::Duration;

use weir_model::{Table, Timestamp};

use super::core::Core;
use super::lane::Host;
use super::ticket::lock;
use crate::error::StoreError;
use crate::manifest::Entry;
use crate::policy::Retention;
use crate::segment::{SegmentId, Tier};

/// Drops what the policy no longer keeps.
pub(crate) fn run(core: &Core) -> Result<(), StoreError> {
    let entries: Vec<Entry> =
        lock(&core.visible).closed().iter().map(|closed| closed.entry).collect();
    let ids = expired(&entries, &core.policy.retention, core.now());
    if !ids.is_empty() {
        tracing::info!(segments = ids.len(), "segments reached the end of their retention");
    }
    core.drop_segments(&ids)
}

fn keep(retention: &Retention, entry: &Entry) -> Option<Duration> {
    match (entry.place.table, entry.place.tier) {
        (_, Tier::Rollup(grain)) => retention.of_grain(grain),
        (Table::Flows | Table::Rollups, Tier::Raw) => retention.flows,
        (Table::Counters, Tier::Raw) => retention.counters,
        (Table::Options, Tier::Raw) => retention.options,
    }
}

/// Which of the segments, given oldest first, go at `now`.
fn expired(entries: &[Entry], retention: &Retention, now: Timestamp) -> Vec<SegmentId> {
    let old = |entry: &&Entry| {
        let limit = keep(retention, entry).map(|keep| now.minus(keep));
        limit.is_some_and(|limit| entry.last.is_some_and(|last| last < limit))
    };
    let (gone, mut left): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(old);
    let mut ids: Vec<SegmentId> = gone.iter().map(|entry| entry.id()).collect();
    if let Some(max) = retention.octets_max {
        let mut octets: u64 = left.iter().map(|entry| entry.octets).sum();
        left.sort_by_key(|entry| (entry.place.tier, entry.first, entry.id()));
        for entry in left.iter().take_while(|entry| {
            let over = octets > max;
            octets = octets.saturating_sub(entry.octets);
            over
        }) {
            ids.push(entry.id());
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Place;
    use weir_model::Grain;

    fn entry(id: u64, tier: Tier, day: i64) -> Entry {
        let table = if tier == Tier::Raw { Table::Flows } else { Table::Rollups };
        let at = Timestamp::from_seconds(day * 86_400);
        Entry {
            place: Place { id: SegmentId(id), table, tier, hour: day * 24 },
            level: 0,
            rows: 1,
            first: Some(at),
            last: Some(at),
            octets: 100,
        }
    }

    fn days(n: u64) -> Option<Duration> {
        Some(Duration::from_secs(n * 86_400))
    }

    #[test]
    fn each_tier_has_an_age_of_its_own() {
        let entries = [
            entry(1, Tier::Raw, 1),
            entry(2, Tier::Rollup(Grain::Hour), 1),
            entry(3, Tier::Raw, 9),
            entry(4, Tier::Rollup(Grain::Minute), 2),
        ];
        let retention = Retention { flows: days(3), minute: days(5), ..Retention::default() };
        let now = Timestamp::from_seconds(10 * 86_400);
        assert_eq!(expired(&entries, &retention, now), [SegmentId(1), SegmentId(4)]);
    }

    #[test]
    fn a_store_too_large_drops_the_oldest_records_before_any_sum() {
        let entries = [
            entry(1, Tier::Rollup(Grain::Hour), 1),
            entry(2, Tier::Rollup(Grain::Minute), 1),
            entry(3, Tier::Raw, 2),
            entry(4, Tier::Raw, 3),
        ];
        let mut retention = Retention { octets_max: Some(350), ..Retention::default() };
        let now = Timestamp::from_seconds(4 * 86_400);
        assert_eq!(expired(&entries, &retention, now), [SegmentId(3)]);
        retention.octets_max = Some(100);
        let order = [SegmentId(3), SegmentId(4), SegmentId(2)];
        assert_eq!(expired(&entries, &retention, now), order);
    }
}
