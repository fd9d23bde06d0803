//! The two clocks of the metering process.
//!
//! Time-outs run on a clock that never steps, records are stamped by the wall clock, which may.
//! So a step of the wall clock neither ends flows early nor keeps them for hours.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_model::{Clock, Timestamp};

/// One moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// What the wall clock shows: goes into records.
    pub wall: Timestamp,
    /// Time since metering began, which only grows: decides what is due.
    pub mono: Duration,
}

/// Reads both clocks.
pub(crate) struct Clocks {
    wall: Arc<dyn Clock>,
    began: Instant,
}

impl Clocks {
    pub(crate) fn new(wall: Arc<dyn Clock>) -> Clocks {
        Clocks { wall, began: Instant::now() }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment { wall: self.wall.now(), mono: self.began.elapsed() }
    }
}
