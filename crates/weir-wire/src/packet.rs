//! Dissects sampled packet headers (placeholder; the folder `packet/` holds the parts).
