//! The filter language.
//!
//! Text in, checked expression out; the same expression is evaluated on codes by the engine and
//! row by row by live tails. Invariant: `parse(format(f)) == f`. Nulls: a test of a null value is
//! false, `!=` and `not in` included, and only `is null` is true; `not` negates what it stands
//! before, so `not src_as = 1` keeps rows without an AS and `src_as != 1` does not.

mod ast;
pub(crate) mod colour;
mod complete;
mod error;
mod format;
mod literal;
pub(crate) mod number;
mod parse;
mod parse_test;
pub(crate) mod rows;
pub(crate) mod suggest;
pub(crate) mod test;
pub(crate) mod time;
mod token;

pub use ast::{Expr, Field, Operator, Pattern, Test, Value};
pub use colour::{FilterToken, TokenKind, tokens};
pub use complete::{
    Completion, CompletionItem, CompletionKind, NoValues, Occurring, ValueSource, complete,
};
pub use error::FilterError;
pub use parse::{DEPTH_MAX, TEXT_MAX};

use weir_model::{ColumnId, FlowBatch, Table, Timestamp};

/// A filter over the rows of one table, checked against its columns.
///
/// ```
/// use weir_model::{FlowBatch, Table, columns::flows};
/// use weir_query::Filter;
/// let filter = Filter::parse("proto = tcp && port in (80,443)", Table::Flows).unwrap();
/// assert_eq!(filter.format(), "proto = tcp and port in (80, 443)");
/// let mut batch = FlowBatch::new(Table::Flows);
/// batch.append_rows(1);
/// batch.set(flows::PROTO, 0, 6u8);
/// batch.set(flows::DST_PORT, 0, 443u16);
/// assert!(filter.matches(&batch, 0));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    table: Table,
    expr: Option<Expr>,
}

impl Filter {
    /// Parses `text`. Blank text keeps every row. Bounded by [`TEXT_MAX`] and [`DEPTH_MAX`].
    pub fn parse(text: &str, table: Table) -> Result<Filter, FilterError> {
        Ok(Filter { table, expr: parse::parse(text, table)? })
    }

    /// The filter that keeps every row.
    pub fn all(table: Table) -> Filter {
        Filter { table, expr: None }
    }

    /// A filter of an expression that was checked before.
    pub(crate) fn of(table: Table, expr: Expr) -> Filter {
        Filter { table, expr: Some(expr) }
    }

    /// The table whose columns it names.
    pub fn table(&self) -> Table {
        self.table
    }

    /// The expression; none keeps every row.
    pub fn expr(&self) -> Option<&Expr> {
        self.expr.as_ref()
    }

    /// The filter in its one canonical form. Relative times stay relative.
    pub fn format(&self) -> String {
        let mut text = String::new();
        if let Some(expr) = &self.expr {
            format::write(expr, self.table, &mut text);
        }
        text
    }

    /// The same filter with `now` and `-1h` turned into points in time.
    pub fn at(&self, now: Timestamp) -> Filter {
        let expr = self.expr.as_ref().map(|expr| bind(expr, now));
        Filter { table: self.table, expr }
    }

    /// Whether row `row` of `batch` is kept. A test against a relative time is false until
    /// [`Filter::at`] has bound it; a batch of another table has no row that is kept.
    pub fn matches(&self, batch: &FlowBatch, row: usize) -> bool {
        batch.table() == self.table
            && self.expr.as_ref().is_none_or(|expr| rows::matches(expr, batch, row))
    }

    /// Every column that evaluation reads, each once, in the order of ids.
    pub fn columns(&self) -> Vec<ColumnId> {
        let mut columns = Vec::new();
        if let Some(expr) = &self.expr {
            collect(expr, self.table, &mut columns);
        }
        columns.sort_unstable();
        columns.dedup();
        columns
    }
}

/// A quoted pattern of the texts that have `part` inside.
pub(crate) fn glob_inside(part: &str) -> String {
    let mut pattern = String::with_capacity(part.len() + 2);
    pattern.push('*');
    for c in part.chars() {
        if matches!(c, '*' | '?' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('*');
    token::quote(&pattern)
}

fn collect(expr: &Expr, table: Table, columns: &mut Vec<ColumnId>) {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => {
            parts.iter().for_each(|part| collect(part, table, columns));
        }
        Expr::Not(inner) => collect(inner, table, columns),
        Expr::Test(Field::Column(id), _) => columns.push(*id),
        Expr::Test(Field::Either(one, other), _) => columns.extend([*one, *other]),
        Expr::Test(Field::Element { .. }, _) => columns.extend(rows::element_columns(table)),
        Expr::Columns(left, _, right) => columns.extend([*left, *right]),
    }
}

fn bind(expr: &Expr, now: Timestamp) -> Expr {
    let all = |parts: &[Expr]| parts.iter().map(|part| bind(part, now)).collect();
    let value = |value: &Value| match value {
        Value::Ago(nanos) => Value::Time(Timestamp(now.0.saturating_sub(*nanos))),
        value => value.clone(),
    };
    match expr {
        Expr::And(parts) => Expr::And(all(parts)),
        Expr::Or(parts) => Expr::Or(all(parts)),
        Expr::Not(inner) => Expr::Not(Box::new(bind(inner, now))),
        Expr::Test(field, Test::Compare(operator, v)) => {
            Expr::Test(*field, Test::Compare(*operator, value(v)))
        }
        Expr::Test(field, Test::In(negated, values)) => {
            Expr::Test(*field, Test::In(*negated, values.iter().map(value).collect()))
        }
        expr => expr.clone(),
    }
}

/// What fuzzing and damaged-input tests call: parses, and if that works, checks that the
/// canonical form is a fixed point.
///
/// # Panics
/// When the canonical form does not parse to the same filter. That is the finding.
pub fn check_filter(text: &str) {
    for table in Table::ALL {
        let _coloured = tokens(text, table);
        let _completed = complete(text, text.len() / 2, table, &NoValues);
        let Ok(filter) = Filter::parse(text, table) else { continue };
        let canonical = filter.format();
        // A canonical text may be longer than what it was made of, and then too long.
        if canonical.len() <= TEXT_MAX {
            assert_eq!(Filter::parse(&canonical, table).as_ref(), Ok(&filter), "{canonical}");
        }
    }
}

#[cfg(test)]
mod tests;
