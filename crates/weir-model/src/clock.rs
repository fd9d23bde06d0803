//! Where "now" comes from: production reads the system's clock, tests a clock of their own.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::Timestamp;

/// A source of wall-clock time. Injected, so that a test can step it.
pub trait Clock: Send + Sync {
    /// The time now. May step backwards, as the system's clock may.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }
}
