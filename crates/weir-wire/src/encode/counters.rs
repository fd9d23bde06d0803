//! Rows of `counters` as options records (RFC 7011 §3.4.2): the scope says which counter of which
//! source, the one option is its value. All elements are Weir's own, so other collectors skip the
//! records as options that they do not know.

use weir_model::columns::counters as c;
use weir_model::{ColumnId, FlowBatch, Scalar, Table, own};

use super::packer::Dialect;
use super::row::Draft;

/// What tells a counter from others, in the order of the scope.
const SCOPE: [ColumnId; 6] =
    [c::NAME, c::STRUCTURE, c::SOURCE_CLASS, c::SOURCE_INDEX, c::SOURCE_NAME, c::SUB_AGENT];
const VALUES: [ColumnId; 3] = [c::VALUE, c::VALUE_F, c::VALUE_TEXT];

/// Writes a row to `draft`, in place of what it held. A row without name or value, and any row in
/// NetFlow v9, which has no enterprises, leaves it empty.
pub(super) fn write(dialect: Dialect, batch: &FlowBatch, row: usize, draft: &mut Draft) {
    draft.clear();
    let has = |column: &ColumnId| batch.get(*column, row).is_some();
    if dialect == Dialect::NetFlow9 || !has(&c::NAME) || !VALUES.iter().any(has) {
        return;
    }
    for column in SCOPE {
        field(batch, column, row, draft);
    }
    draft.layout.end_scope();
    for column in VALUES {
        field(batch, column, row, draft);
    }
}

fn field(batch: &FlowBatch, column: ColumnId, row: usize, draft: &mut Draft) {
    let def = Table::Counters.def(column);
    let Some(key) = def.and_then(|def| own::element(Table::Counters, def)) else { return };
    match batch.get(column, row) {
        Some(Scalar::U64(value)) => {
            draft.number(key, super::carry::width(key).unwrap_or(8), value);
        }
        Some(Scalar::F64(value)) => draft.float(key, value),
        Some(Scalar::Code(code)) => {
            draft.variable(Dialect::Ipfix, key, batch.interner().get(code));
        }
        Some(Scalar::I64(_) | Scalar::Addr(_)) | None => {}
    }
}
