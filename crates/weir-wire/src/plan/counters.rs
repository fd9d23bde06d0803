//! Options records that are rows of `counters`, as Weir's own exporter sends them
//! (`encode/counters.rs`).

use weir_model::columns::counters as c;
use weir_model::{ColumnDef, ColumnType, FlowBatch, own};

use super::enrich::float;
use super::rows::{FixedRows, Rows, VariableRows, index};
use super::run::{Context, number};
use super::special::text;
use super::{Layout, Plan};

/// Appends the records of `body` to a batch of counters and says how many there were.
pub(crate) fn decode_counters(
    plan: &Plan,
    body: &[u8],
    rows_max: usize,
    context: &Context<'_>,
    batch: &mut FlowBatch,
) -> usize {
    match &plan.layout {
        Layout::Fixed { stride } => {
            let rows = FixedRows::new(body, *stride, rows_max);
            counter_rows(plan, &rows, context, batch);
            rows.len()
        }
        layout @ Layout::Variable { .. } => {
            let mut table = Vec::new();
            let found = index(layout, body, 0, rows_max, Some(&mut table));
            counter_rows(plan, &VariableRows::new(body, &table, plan.variable()), context, batch);
            found.rows
        }
    }
}

fn counter_rows<R: Rows>(plan: &Plan, rows: &R, context: &Context<'_>, batch: &mut FlowBatch) {
    let n = rows.len();
    if n == 0 {
        return;
    }
    let start = batch.append_rows(n);
    batch.fill(c::RECEIVED_AT, start, n, context.received.at.0);
    batch.fill(c::EXPORTER_ADDR, start, n, context.received.addr());
    if let Some(origin) = context.received.origin {
        let instance = batch.interner_mut().intern(&origin.instance);
        batch.fill(c::EXPORTER_INSTANCE, start, n, instance);
        batch.fill(c::EXPORT_SEQUENCE, start, n, origin.number);
        batch.fill(c::OBSERVATION_DOMAIN, start, n, context.header.domain);
    }
    for (_, key, loc) in &plan.fields {
        let Some(def) = own::counters_column(*key) else { continue };
        for row in 0..n {
            set(batch, def, start + row, rows.slice(*loc, row));
        }
    }
}

/// A value that the column cannot hold is null rather than another value.
fn set(batch: &mut FlowBatch, def: &ColumnDef, row: usize, field: &[u8]) {
    match def.ty {
        ColumnType::Str => batch.set_octets(def.id, row, text(field).as_bytes()),
        ColumnType::F64 => {
            if let Some(value) = float(field) {
                batch.set(def.id, row, value);
            }
        }
        ColumnType::U8 => narrow::<u8>(batch, def, row, field),
        ColumnType::U32 => narrow::<u32>(batch, def, row, field),
        _ => narrow::<u64>(batch, def, row, field),
    }
}

fn narrow<T: weir_model::values::Native + TryFrom<u64>>(
    batch: &mut FlowBatch,
    def: &ColumnDef,
    row: usize,
    field: &[u8],
) {
    if let Some(value) = number(field).and_then(|value| T::try_from(value).ok()) {
        batch.set(def.id, row, value);
    }
}
