//! Weir's own health, told to operators: metrics in Prometheus text, and logs that a hostile
//! peer cannot flood.
//!
//! Beside the flow of data: every stage counts here, nothing here touches records. Invariant: a
//! handle is resolved once, at start-up, and an increment is one atomic addition. It refuses
//! label values that a peer can make up without a bound: labels come from closed enums, or pass
//! through [`CappedLabels`].
#![forbid(unsafe_code)]

mod capped;
mod exposition;
mod gate;
mod logging;
mod metrics;

pub use capped::{CappedLabels, OTHER};
pub use exposition::{Exposition, Kind};
pub use gate::LogGate;
pub use logging::{LogError, LogPolicy, init_logging};
pub use metrics::{ByLabel, Counter, Gauge, Histogram, Label, Registry};
