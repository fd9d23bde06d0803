//! Which columns have values at all: what a page needs to offer only what fits the data.

use std::sync::Arc;
use std::time::Duration;

use weir_model::{Code, ColumnId, ColumnType, Scalar, Table, Timestamp, Values};
use weir_store::{BlockColumn, Snapshot};

use super::source::{Candidate, Source};
use crate::engine::sketch::{Estimate, mix, mix_octets};
use crate::engine::{Control, Names, Part};
use crate::error::QueryError;
use crate::limits::{Cancel, QueryLimits};

/// Time that looking at values may take; past it the blocks looked at so far must do.
const PATIENCE: Duration = Duration::from_millis(100);

/// A column that has a value in some row.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PresentColumn {
    /// Its name.
    pub name: &'static str,
    /// Rows with a value.
    pub rows: u64,
    /// Different values, roughly, among the newest rows: those of the newest block at least, of
    /// more as far as time allows.
    pub distinct: u64,
}

/// The columns of `table` that have a value in rows received from `from` on. Rows are counted by
/// whole blocks, without reading them; those at the start of the range may be a little older.
pub fn present(
    snapshot: &Snapshot,
    table: Table,
    from: Timestamp,
    limits: &QueryLimits,
    cancel: &Cancel,
    clock: &dyn weir_model::Clock,
) -> Result<Vec<PresentColumn>, QueryError> {
    let parts: Vec<Arc<dyn Part>> =
        snapshot.all().iter().map(|segment| segment.clone() as Arc<dyn Part>).collect();
    let control = Control::new(limits, cancel, clock);
    let source = Source::new(&parts, table, None, (from, Timestamp(i64::MAX)), &control);
    let (mut candidates, _) = source.candidates()?;
    candidates.sort_unstable_by_key(|c| std::cmp::Reverse((c.newest, c.part, c.block)));
    let stored = table.columns().iter().filter(|def| def.stored);
    let mut columns: Vec<_> = stored.map(|def| (def, 0u64, Estimate::default())).collect();
    for Candidate { part, block, .. } in &candidates {
        control.check()?;
        for (def, rows, _) in &mut columns {
            if let Some(zone) = source.zone(*part, *block, def.id) {
                *rows += (source.rows(*part, *block) as u64).saturating_sub(zone.nulls.into());
            }
        }
    }
    columns.retain(|(_, rows, _)| *rows > 0);
    for (looked, Candidate { part: at, block, .. }) in candidates.iter().enumerate() {
        control.check()?;
        if looked > 0 && clock.now().since(control.started) > PATIENCE {
            break;
        }
        let (Some(part), Ok(compiled)) = (parts.get(*at), source.compiled(*at)) else { continue };
        let ids: Vec<ColumnId> = columns.iter().map(|(def, ..)| def.id).collect();
        // A block that cannot be read is left out; the store's health tells of it.
        let Ok(read) = part.read_all(*block, &ids) else { continue };
        for ((def, _, seen), column) in columns.iter_mut().zip(read) {
            add(&column, def.ty == ColumnType::Addr, compiled.names.as_ref(), seen);
        }
    }
    let column = |(def, rows, seen): (&weir_model::ColumnDef, u64, Estimate)| PresentColumn {
        name: def.name,
        rows,
        distinct: seen.count().min(rows),
    };
    Ok(columns.into_iter().map(column).collect())
}

/// Adds the values of a block.
fn add(column: &BlockColumn, is_addr: bool, names: &dyn Names, seen: &mut Estimate) {
    let code = |code: Code| match is_addr {
        true => names.addrs().get(code.0 as usize).map_or(0, |addr| mix_octets(&addr.octets())),
        false => mix_octets(names.string(code)),
    };
    let hash = |value: Scalar| match value {
        Scalar::U64(n) => mix(n),
        Scalar::I64(n) => mix(n as u64),
        Scalar::F64(n) => mix(n.to_bits()),
        Scalar::Addr(addr) => mix_octets(&addr.octets()),
        Scalar::Code(value) => code(value),
    };
    match column {
        BlockColumn::Absent => {}
        BlockColumn::Constant(value) => seen.add(hash(*value)),
        // Codes of one block repeat: each is looked up once.
        BlockColumn::Values { data: Values::Code(codes), validity } => {
            let rows = codes.iter().enumerate();
            let there = |row| validity.as_ref().is_none_or(|bits| bits.get(row));
            let mut codes: Vec<Code> =
                rows.filter(|(row, _)| there(*row)).map(|(_, code)| *code).collect();
            codes.sort_unstable_by_key(|code| code.0);
            codes.dedup();
            codes.into_iter().for_each(|value| seen.add(code(value)));
        }
        BlockColumn::Values { data, .. } => {
            let values = (0..data.len()).filter_map(|row| column.get(row));
            values.for_each(|value| seen.add(hash(value)));
        }
    }
}
