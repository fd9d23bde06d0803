//! The filter language.
//!
//! Text in, checked expression out; the same expression is evaluated on codes by the engine and
//! row by row by live tails. Invariant: `parse(format(f)) == f`.

mod ast;
mod error;

pub use ast::{Expr, Field, Operator, Pattern, Test, Value};
pub use error::FilterError;

use weir_model::Table;

/// A filter over the rows of one table, checked against its columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    table: Table,
    expr: Option<Expr>,
}
