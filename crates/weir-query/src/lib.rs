//! Filter language, logical query, planner and the embedded engine.
//!
//! Between the store, whose snapshots it reads, and the API, which hands it questions. One
//! [`Query`] is one logical value that any engine can answer; [`run`] is the embedded engine.
//! Answers are deterministic: the tier that was read never changes them. It refuses HTTP, writes,
//! and clocks of its own.
#![forbid(unsafe_code)]

pub mod answer;
mod duration;
mod engine;
pub mod error;
pub mod filter;
pub mod limits;
mod plan;
pub mod query;
pub mod records;
mod values;

pub use answer::{Answer, AnswerColumn, AnswerValue, Stats};
pub use engine::run;
pub use error::{QueryError, QueryErrorKind};
pub use filter::{Filter, FilterError, check_filter};
pub use limits::{Cancel, QueryLimits};
pub use query::{Compare, Directions, Order, Query, TimeColumn};
pub use records::{RecordsFormat, RecordsPage, RecordsQuery, export, records};
pub use values::RecentValues;
