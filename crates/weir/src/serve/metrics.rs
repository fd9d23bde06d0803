//! The store's health as metrics. Ingest registers its own.

use weir_store::{Store, StoreHealth};
use weir_telemetry::{Exposition, Registry};

/// Adds the store's metrics to every scrape.
pub fn register(registry: &Registry, store: Store) {
    registry.on_collect(move |out| expose(&store, out));
}

fn expose(store: &Store, out: &mut Exposition) {
    let health = store.health();
    for tier in &health.tiers {
        let labels = [("table", tier.table), ("tier", tier.tier)];
        out.gauge("weir_store_rows", "rows kept", &labels, tier.rows as f64);
        out.gauge("weir_store_segments", "segments kept", &labels, tier.segments as f64);
        out.gauge("weir_store_segment_octets", "octets of segments", &labels, tier.octets as f64);
    }
    let counters = [
        ("weir_store_rows_appended_total", "rows taken", health.rows_appended),
        ("weir_store_commits_total", "commits that ended well", health.commits),
        ("weir_store_commits_failed_total", "commits that were tried again", health.commits_failed),
        ("weir_store_compactions_total", "merges done", health.compactions),
        ("weir_store_compactions_failed_total", "merges that failed", health.compactions_failed),
        (
            "weir_store_index_cache_misses_total",
            "parts of closed segments read into memory",
            health.cache.misses,
        ),
        (
            "weir_store_index_cache_evictions_total",
            "parts of closed segments given up for others",
            health.cache.evictions,
        ),
    ];
    for (name, help, value) in counters {
        out.counter(name, help, &[], value);
    }
    for (reason, rows) in &health.rows_refused {
        out.counter("weir_store_rows_refused_total", "rows refused", &[("reason", reason)], *rows);
    }
    for (name, help, value) in gauges(&health) {
        out.gauge(name, help, &[], value);
    }
    if let Some(days) = health.days_until_full {
        out.gauge("weir_store_forecast_days_until_full", "days until the disk is full", &[], days);
    }
}

fn gauges(health: &StoreHealth) -> [(&'static str, &'static str, f64); 13] {
    [
        ("weir_store_octets", "octets on disk in all", health.octets as f64),
        (
            "weir_store_commit_lag_seconds",
            "age of the oldest uncommitted row",
            health.commit_lag_ms as f64 / 1e3,
        ),
        ("weir_store_sync_seconds", "duration of the last fdatasync", health.fsync_ms / 1e3),
        (
            "weir_store_unsynced_octets",
            "octets that wait for their commit",
            health.unsynced_octets as f64,
        ),
        (
            "weir_store_index_cache_octets",
            "octets in memory of closed segments",
            health.cache.octets as f64,
        ),
        ("weir_store_disk_free_octets", "octets free on the medium", health.disk_free as f64),
        ("weir_store_disk_total_octets", "octets of the medium", health.disk_total as f64),
        (
            "weir_store_shedding",
            "1 while rows are refused",
            f64::from(u8::from(health.shedding.is_some())),
        ),
        (
            "weir_store_quarantined_files",
            "files that take no part in answers",
            health.quarantined.len() as f64,
        ),
        (
            "weir_store_damaged_segments",
            "segments with a block that could not be read",
            health.damaged.len() as f64,
        ),
        (
            "weir_store_segments_closing",
            "segments that wait to be closed",
            health.segments_closing as f64,
        ),
        (
            "weir_store_compaction_backlog",
            "segments that wait to be merged",
            health.compaction_backlog as f64,
        ),
        (
            "weir_store_forecast_octets_per_day",
            "octets a day takes at this rate",
            health.octets_per_day,
        ),
    ]
}
