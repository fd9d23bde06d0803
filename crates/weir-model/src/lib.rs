//! The record model that every stage of Weir shares: the column table, the batch of
//! records, addresses, times, units and the names of enumerated values.
//!
//! First crate in the flow of data: everything depends on it, it depends on no other stage.
//! It refuses I/O, clocks and async. [`columns`] is the only list of what a record has; the
//! batch, the store's layout, JSON names, the filter language and the reference pages are
//! derived from it.
#![forbid(unsafe_code)]

pub mod addr;
pub mod batch;
pub mod bitmap;
pub mod clock;
pub mod column;
pub mod columns;
pub mod elements;
pub mod interner;
pub mod json;
pub mod named;
pub mod own;
pub mod rollup;
pub mod time;
pub mod units;
pub mod values;

pub use addr::{Addr, Cidr, Mac};
pub use batch::FlowBatch;
pub use bitmap::Bitmap;
pub use clock::{Clock, SystemClock};
pub use column::{ColumnDef, ColumnId, ColumnType, Group, NullIf, Physical, Role, Table};
pub use interner::Interner;
pub use rollup::{Cube, Grain};
pub use time::Timestamp;
pub use units::Unit;
pub use values::{Code, Column, Native, Scalar, Values};
