//! The exporting side: records as lines, messages and columns, to files, pipes and collectors.
//!
//! Last stage of the flow of data. Each format of files is one [`RecordWriter`] over any
//! `std::io::Write`; [`Format`] is the list of them. [`ipfix`] and [`lines`] export live, each
//! [`Destination`] on a thread of its own. It never filters, scales or reorders: what comes in goes
//! out, once. Reading the same formats back (`import`) lives beside the writer.
#![forbid(unsafe_code)]

pub mod csv;
pub mod destination;
pub mod flow_message;
pub mod format;
pub mod goflow;
pub mod goflow2;
pub mod ipfix;
pub mod json;
pub mod lines;
pub mod ntop;
pub mod parquet;
mod protobuf;
pub mod sflow;

pub use destination::{Destination, DestinationError};
pub use format::{Format, FormatError, RecordWriter};
