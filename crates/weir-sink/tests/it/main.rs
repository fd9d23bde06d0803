//! The exporting process against collectors made for it: ones that answer, that do not, that die.
#![expect(clippy::unwrap_used, reason = "helpers of tests stand outside test functions")]
#![expect(clippy::print_stderr, reason = "what is skipped is said aloud")]

mod acknowledged;
mod collector;
mod interop;
mod plain;
mod secured;
