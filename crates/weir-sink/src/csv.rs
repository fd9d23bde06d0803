//! Comma-separated values (RFC 4180) with a header line: out with Weir's column names, in with
//! those or with nfdump's (`nfdump -o csv`, 1.6 and 1.7).

mod read;
mod write;

pub use read::{ReadError, Reader};
pub use write::{Writer, is_formula, write_field};
