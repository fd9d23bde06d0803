//! Weir's own metrics, gated logs and health
