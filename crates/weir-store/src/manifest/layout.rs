//! Names of files and folders under the data folder.

use std::path::{Path, PathBuf};

use weir_model::{Table, Timestamp};

use super::Place;
use crate::segment::Tier;

/// The log of live segments.
pub(crate) const MANIFEST: &str = "manifest";
/// Folder of the segments.
pub(crate) const SEGMENTS: &str = "segments";
/// Folder of what was put aside.
pub(crate) const QUARANTINE: &str = "quarantine";

const HOUR_SECONDS: i64 = 3600;

/// Folder of a segment, relative to the data folder: table, grain and hour.
pub(crate) fn segment_dir(place: &Place) -> PathBuf {
    let kind = match (place.table, place.tier) {
        (Table::Rollups, Tier::Rollup(grain)) => format!("rollups-{}", grain.name()),
        (table, _) => table.name().to_owned(),
    };
    let start = Timestamp::from_seconds(place.hour.saturating_mul(HOUR_SECONDS)).to_string();
    // "2026-11-20T08:00:00Z" becomes "2026-11-20T08".
    let hour = start.split(':').next().unwrap_or_default();
    Path::new(SEGMENTS).join(kind).join(hour)
}

/// File of a segment, relative to the data folder.
pub(crate) fn segment_path(place: &Place) -> PathBuf {
    segment_dir(place).join(format!("{}.weir", place.id))
}
