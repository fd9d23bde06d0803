//! Row-wise evaluation over batches: live tails, and the model that the engine is tested against.

use weir_model::{ColumnId, ColumnType, FlowBatch, Scalar, Table, elements};

use super::ast::{Expr, Field, Test};
use super::test::{Datum, holds};

/// Whether `expr` holds in row `row` of `batch`.
pub(crate) fn matches(expr: &Expr, batch: &FlowBatch, row: usize) -> bool {
    match expr {
        Expr::And(parts) => parts.iter().all(|part| matches(part, batch, row)),
        Expr::Or(parts) => parts.iter().any(|part| matches(part, batch, row)),
        Expr::Not(inner) => !matches(inner, batch, row),
        Expr::Test(field, test) => test_field(*field, test, batch, row),
        Expr::Columns(left, operator, right) => {
            let (left, right) = (datum(batch, *left, row), datum(batch, *right, row));
            let ordering = match (left, right) {
                (Some(Datum::U64(a)), Some(Datum::U64(b))) => Some(a.cmp(&b)),
                (Some(Datum::I64(a)), Some(Datum::I64(b))) => Some(a.cmp(&b)),
                (Some(Datum::F64(a)), Some(Datum::F64(b))) => a.partial_cmp(&b),
                (Some(Datum::Addr(a)), Some(Datum::Addr(b))) => Some(a.cmp(&b)),
                (Some(Datum::Octets(a)), Some(Datum::Octets(b))) => Some(a.cmp(b)),
                _ => None,
            };
            ordering.is_some_and(|ordering| operator.holds(ordering))
        }
    }
}

fn test_field(field: Field, test: &Test, batch: &FlowBatch, row: usize) -> bool {
    match field {
        Field::Column(id) => test_value(test, datum(batch, id, row)),
        Field::Element { key, occurrence } => {
            test_value(test, element(batch, row, key, occurrence.into()).map(Datum::Element))
        }
        Field::Either(one, other) => {
            let (one, other) = (datum(batch, one, row), datum(batch, other, row));
            match test {
                Test::Null(negated) => (one.is_some() || other.is_some()) == *negated,
                test if test.is_negative() => {
                    // A side that is null neither matches nor speaks against.
                    let clear = |side: Option<Datum<'_>>| side.is_none_or(|side| holds(test, side));
                    (one.is_some() || other.is_some()) && clear(one) && clear(other)
                }
                test => test_value(test, one) || test_value(test, other),
            }
        }
    }
}

fn test_value(test: &Test, value: Option<Datum<'_>>) -> bool {
    match (test, value) {
        (Test::Null(negated), value) => value.is_some() == *negated,
        (test, Some(value)) => holds(test, value),
        (_, None) => false,
    }
}

fn datum(batch: &FlowBatch, id: ColumnId, row: usize) -> Option<Datum<'_>> {
    Some(match batch.get(id, row)? {
        Scalar::U64(value) => Datum::U64(value),
        Scalar::I64(value) => Datum::I64(value),
        Scalar::F64(value) => Datum::F64(value),
        Scalar::Addr(addr) => Datum::Addr(addr),
        Scalar::Code(code) => {
            let octets = batch.interner().get(code);
            match batch.table().def(id).map(|def| def.ty) {
                Some(ColumnType::U32List) => Datum::List(octets),
                _ => Datum::Octets(octets),
            }
        }
    })
}

/// The columns of `table` that hold lists of elements, in their order.
pub(crate) fn element_columns(table: Table) -> impl Iterator<Item = ColumnId> {
    let lists = table.columns().iter().filter(|def| def.ty == ColumnType::Elements);
    lists.map(|def| def.id)
}

fn element(
    batch: &FlowBatch,
    row: usize,
    key: weir_model::column::ElementKey,
    occurrence: usize,
) -> Option<&[u8]> {
    element_columns(batch.table())
        .filter_map(|id| batch.get_octets(id, row))
        .find_map(|list| elements::find(list, key, occurrence))
}
