//! The exporting side for files and pipes: records as lines, messages and columns.
//!
//! Last stage of the flow of data. Each format is one [`RecordWriter`] over any
//! `std::io::Write`; [`Format`] is the list of them. It never filters, scales or reorders: what
//! comes in goes out, once. Reading the same formats back (`import`) lives beside the writer.
#![forbid(unsafe_code)]

pub mod csv;
pub mod flow_message;
pub mod format;
pub mod goflow;
pub mod goflow2;
pub mod ipfix;
pub mod json;
pub mod ntop;
pub mod parquet;
mod protobuf;
pub mod sflow;

pub use format::{Format, FormatError, RecordWriter};
