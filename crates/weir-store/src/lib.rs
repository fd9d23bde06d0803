//! The embedded store: blocks, segments, manifest, compaction, rollups, retention
