//! The clock that the kernel stamps packets by, beside the wall's.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use weir_model::Timestamp;

use crate::cache::Moment;

/// One moment on both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) now: Moment,
    monotonic_ns: u64,
}

impl Times {
    pub(super) fn at(now: Moment) -> Times {
        let time = clock_gettime(ClockId::Monotonic);
        let nanos = time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned();
        Times { now, monotonic_ns: nanos }
    }

    /// Wall time of a moment of CLOCK_MONOTONIC that has passed.
    pub(super) fn wall(&self, at_ns: u64) -> Timestamp {
        self.now.wall.minus(Duration::from_nanos(self.monotonic_ns.saturating_sub(at_ns)))
    }
}
