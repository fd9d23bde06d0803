//! What is counted.

use weir_model::{ColumnDef, ColumnId, ColumnType, Role, Table};

use crate::error::QueryError;
use crate::filter::suggest::nearest;
use crate::plan::reverse_of;

/// How a figure is made of rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Figure {
    /// Number of records. Never scaled.
    Count,
    /// Nothing: only which groups there are.
    Nothing,
    /// Sum of a column, times the sampling rate if the flag says so. 0 when no row has a value.
    Sum(ColumnId, bool),
    /// Sum of a column and of the one for the other direction, scaled alike.
    Both(ColumnId, ColumnId, bool),
    /// Mean of the values that there are.
    Mean(ColumnId),
    /// Lowest value.
    Min(ColumnId),
    /// Highest value.
    Max(ColumnId),
    /// The value that this part of the rows does not pass.
    Quantile(ColumnId, f64),
    /// Number of different values, nulls not counted.
    Distinct(ColumnId),
    /// The same, estimated.
    DistinctApprox(ColumnId),
}

impl Figure {
    /// True for what is a plain sum over rows.
    pub fn is_additive(self) -> bool {
        matches!(self, Figure::Count | Figure::Nothing | Figure::Sum(..) | Figure::Both(..))
    }

    /// True for what sampling rates multiply.
    pub fn is_scaled(self) -> bool {
        matches!(self, Figure::Sum(_, true) | Figure::Both(_, _, true))
    }

    /// The column that it is about, if any.
    pub fn column(self) -> Option<ColumnId> {
        match self {
            Figure::Count | Figure::Nothing => None,
            Figure::Sum(id, _)
            | Figure::Both(id, ..)
            | Figure::Mean(id)
            | Figure::Min(id)
            | Figure::Max(id)
            | Figure::Quantile(id, _)
            | Figure::Distinct(id)
            | Figure::DistinctApprox(id) => Some(id),
        }
    }

    /// The figure of a record whose directions stand apart: the initiator's has `octets` alone.
    pub fn of_initiator(self) -> Figure {
        match self {
            Figure::Both(id, _, scaled) => Figure::Sum(id, scaled),
            figure => figure,
        }
    }

    /// What the responder's direction of a record adds to the figure. Whatever is no sum of a
    /// column that there is for either direction (`reverse_octets` too) is of the record, which
    /// counts once.
    pub fn of_responder(self, table: Table) -> Figure {
        match self.of_initiator() {
            Figure::Sum(id, scaled) => match reverse_of(table, id) {
                Some(id) => Figure::Sum(id, scaled),
                None => Figure::Nothing,
            },
            _ => Figure::Nothing,
        }
    }
}

/// A measure of the query.
#[derive(Debug, Clone)]
pub(crate) struct Measure {
    /// As asked.
    pub name: String,
    pub figure: Figure,
    /// Multiplied by this and divided by the seconds of the bucket or range.
    pub rate: Option<f64>,
    /// Type word of the answer's column.
    pub ty: &'static str,
    /// Unit word of the answer's column.
    pub unit: &'static str,
    /// The column's definition, for how to show its values.
    pub def: Option<&'static ColumnDef>,
}

/// Words for sums of both directions: the columns of the two.
const BOTH: [(&str, &str, &str); 2] =
    [("both_octets", "octets", "reverse_octets"), ("both_packets", "packets", "reverse_packets")];

/// Words for rates: the sum they are of (none counts records), the factor, the unit.
const RATES: [(&str, Option<&str>, f64, &str); 7] = [
    ("bps", Some("octets"), 8.0, "bit/s"),
    ("pps", Some("packets"), 1.0, "packet/s"),
    ("fps", None, 1.0, "flow/s"),
    ("reverse_bps", Some("reverse_octets"), 8.0, "bit/s"),
    ("reverse_pps", Some("reverse_packets"), 1.0, "packet/s"),
    ("both_bps", Some("both_octets"), 8.0, "bit/s"),
    ("both_pps", Some("both_packets"), 1.0, "packet/s"),
];

/// Functions of a column.
const FUNCTIONS: [&str; 11] =
    ["sum", "avg", "min", "max", "p50", "p90", "p95", "p99", "p999", "distinct", "distinct~"];

impl Measure {
    /// Reads `octets`, `bps`, `flows`, `sum(x)`, `p95(x)`, `distinct(x)` …
    pub fn parse(text: &str, table: Table, scaled: bool) -> Result<Measure, QueryError> {
        let text = text.trim();
        if let Some((function, column)) = text.strip_suffix(')').and_then(|t| t.split_once('(')) {
            return Measure::function(text, function.trim(), column.trim(), table, scaled);
        }
        let plain = |figure, rate, ty, unit, def| Measure {
            name: text.to_owned(),
            figure,
            rate,
            ty,
            unit,
            def,
        };
        if text == "flows" && table == Table::Flows || text == "records" {
            return Ok(plain(Figure::Count, None, "u64", "flows", None));
        }
        if let Some((_, column, factor, unit)) = RATES.iter().find(|(word, ..)| *word == text) {
            let figure = match column.map(|column| sum_of(column, table, scaled)) {
                Some(Some((figure, _))) => figure,
                None => Figure::Count,
                Some(None) => return Err(unknown(text, table)),
            };
            return Ok(plain(figure, Some(*factor), "f64", unit, None));
        }
        if let Some((figure @ Figure::Both(..), def)) = sum_of(text, table, scaled) {
            return Ok(plain(figure, None, "u64", def.unit.name(), Some(def)));
        }
        let def = table.find(text).ok_or_else(|| unknown(text, table))?;
        match def.role {
            Role::Scaled => {
                let figure = Figure::Sum(def.id, scaled);
                Ok(plain(figure, None, "u64", def.unit.name(), Some(def)))
            }
            Role::Total => Err(total(def, table)),
            _ => Err(bad(format!(
                "`{text}` needs a function: one of {} of it",
                FUNCTIONS.join(", ")
            ))),
        }
    }

    fn function(
        text: &str,
        function: &str,
        column: &str,
        table: Table,
        scaled: bool,
    ) -> Result<Measure, QueryError> {
        let def = table.find(column).ok_or_else(|| unknown(column, table))?;
        let id = def.id;
        let figure = match function {
            "sum" if def.role == Role::Total => return Err(total(def, table)),
            "sum" => Figure::Sum(id, scaled && def.role == Role::Scaled),
            "avg" => Figure::Mean(id),
            "min" => Figure::Min(id),
            "max" => Figure::Max(id),
            "p50" => Figure::Quantile(id, 0.5),
            "p90" => Figure::Quantile(id, 0.9),
            "p95" => Figure::Quantile(id, 0.95),
            "p99" => Figure::Quantile(id, 0.99),
            "p999" => Figure::Quantile(id, 0.999),
            "distinct" => Figure::Distinct(id),
            "distinct~" => Figure::DistinctApprox(id),
            _ => {
                let hint = nearest(function, FUNCTIONS);
                let hint = hint.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
                return Err(bad(format!("`{function}` is not a function{hint}")));
            }
        };
        fits(function, figure, def)?;
        let (ty, unit) = match figure {
            Figure::Distinct(_) | Figure::DistinctApprox(_) => ("u64", ""),
            Figure::Mean(_) => ("f64", def.unit.name()),
            Figure::Sum(..) if def.ty != ColumnType::F64 => ("u64", def.unit.name()),
            _ => (def.ty.name(), def.unit.name()),
        };
        Ok(Measure { name: text.to_owned(), figure, rate: None, ty, unit, def: Some(def) })
    }
}

/// The sum that a word stands for, a column or both directions, and the definition of its values.
fn sum_of(word: &str, table: Table, scaled: bool) -> Option<(Figure, &'static ColumnDef)> {
    match BOTH.iter().find(|(both, ..)| *both == word) {
        Some((_, one, other)) => {
            let (one, other) = (table.find(one)?, table.find(other)?);
            Some((Figure::Both(one.id, other.id, scaled), one))
        }
        None => table.find(word).map(|def| (Figure::Sum(def.id, scaled), def)),
    }
}

/// Refuses functions of values that have no such thing.
fn fits(function: &str, figure: Figure, def: &ColumnDef) -> Result<(), QueryError> {
    let whole =
        matches!(def.ty, ColumnType::U8 | ColumnType::U16 | ColumnType::U32 | ColumnType::U64)
            && def.named.is_none();
    let fits = match figure {
        Figure::Count | Figure::Distinct(_) | Figure::DistinctApprox(_) => {
            def.ty != ColumnType::Elements
        }
        Figure::Nothing | Figure::Sum(..) | Figure::Both(..) => {
            whole && def.role != Role::Dimension
        }
        Figure::Quantile(..) => whole,
        Figure::Mean(_) => whole || def.ty == ColumnType::F64,
        Figure::Min(_) | Figure::Max(_) => {
            whole || matches!(def.ty, ColumnType::F64 | ColumnType::Time)
        }
    };
    match fits {
        true => Ok(()),
        false => Err(bad(format!("`{}` has no {function}", def.name))),
    }
}

fn bad(message: String) -> QueryError {
    QueryError::field("measures", message)
}

fn total(def: &ColumnDef, table: Table) -> QueryError {
    let delta = def.name.strip_suffix("_total").filter(|name| table.find(name).is_some());
    let remedy = match delta {
        Some(delta) => format!(": use `{delta}`, or max({}) of one flow", def.name),
        None => format!(": max({}) has a meaning, a sum has none", def.name),
    };
    bad(format!("`{}` is a running total and is never summed{remedy}", def.name))
}

fn unknown(word: &str, table: Table) -> QueryError {
    let columns = table.columns().iter().filter(|def| def.role != Role::Dimension);
    let fits = |column: &str| sum_of(column, table, false).is_some();
    let rates = RATES.iter().filter(|(_, column, ..)| column.is_none_or(fits));
    let rates = rates.map(|(word, ..)| *word);
    let both = BOTH.iter().map(|(word, ..)| *word).filter(|word| fits(word));
    let count = if table == Table::Flows { "flows" } else { "records" };
    let hint = match word {
        "flows" | "count" => Some(count),
        _ => nearest(word, columns.map(|def| def.name).chain(rates).chain(both).chain([count])),
    };
    let hint = hint.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    bad(format!("`{word}` is not a measure of {}{hint}", table.name()))
}
