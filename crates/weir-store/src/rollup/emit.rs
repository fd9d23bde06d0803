//! From groups to rows of the table of rollups.

use weir_model::batch::ROWS_MAX;
use weir_model::columns::rollups;
use weir_model::{Addr, Code, ColumnId, ColumnType, FlowBatch, Native, Table};

use super::groups::{Bucket, Group, Groups};
use super::key::{Key, Place, places};
use super::measures::{FORWARD, OF_ROLLUPS};
use super::{MINUTE_NANOS, Names};

/// A group, with what is not in it.
#[derive(Clone, Copy)]
struct Row<'a> {
    minute: i64,
    group: &'a Group,
    bucket: &'a Bucket,
    slot: u32,
}

/// Appends the groups to `out`, by time and then address, in batches that are a block each.
pub(super) fn write(groups: &Groups, names: &Names, out: &mut Vec<FlowBatch>) {
    let places = places(groups.cube());
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut order: Vec<(Addr, Key, u32)> = Vec::new();
    for (minute, bucket) in groups.buckets() {
        order.clear();
        order.extend(
            bucket.groups.iter().enumerate().map(|(slot, group)| {
                (first_addr(&places, names, group.key), group.key, slot as u32)
            }),
        );
        order.sort_unstable();
        for (_, _, slot) in &order {
            let (slot, group) = (*slot, &bucket.groups[*slot as usize]);
            rows.push(Row { minute, group, bucket, slot });
            if rows.len() == ROWS_MAX {
                out.push(batch(groups, &places, names, &rows));
                rows.clear();
            }
        }
    }
    if !rows.is_empty() {
        out.push(batch(groups, &places, names, &rows));
    }
}

fn first_addr(places: &[Place], names: &Names, key: Key) -> Addr {
    let place = places.first().filter(|place| place.ty == ColumnType::Addr);
    place.and_then(|place| addr(names, place.of(key)?)).unwrap_or_default()
}

fn addr(names: &Names, code: u64) -> Option<Addr> {
    names.addrs.get(code as usize).copied()
}

fn batch(groups: &Groups, places: &[Place], names: &Names, rows: &[Row<'_>]) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Rollups);
    batch.append_rows(rows.len());
    column(&mut batch, rollups::RECEIVED_AT, rows, |row| {
        Some(row.minute.saturating_mul(MINUTE_NANOS))
    });
    batch.fill(rollups::CUBE, 0, rows.len(), groups.cube().number());
    for place in places {
        let value = |row: &Row<'_>| place.of(row.group.key);
        let id = place.rollup;
        match place.ty {
            ColumnType::Addr => column(&mut batch, id, rows, |row| addr(names, value(row)?)),
            ColumnType::U8 => column(&mut batch, id, rows, |row| Some(value(row)? as u8)),
            ColumnType::U16 => column(&mut batch, id, rows, |row| Some(value(row)? as u16)),
            ColumnType::U32 => column(&mut batch, id, rows, |row| Some(value(row)? as u32)),
            _ => {
                for (at, row) in rows.iter().enumerate() {
                    let Some(code) = value(row) else { continue };
                    batch.set_octets(id, at, names.strings.get(Code(code as u32)));
                }
            }
        }
    }
    for (place, id) in OF_ROLLUPS.into_iter().enumerate() {
        let present = |row: &Row<'_>| row.group.sums.present >> place & 1 == 1;
        if !rows.iter().any(present) {
            continue;
        }
        column(&mut batch, id, rows, |row| {
            present(row).then(|| match place.checked_sub(FORWARD) {
                None => row.group.sums.values[place],
                Some(place) => row.bucket.reverse.get(row.slot as usize).map_or(0, |r| r.0[place]),
            })
        });
    }
    batch.seal();
    batch
}

fn column<T: Native>(
    batch: &mut FlowBatch,
    id: ColumnId,
    rows: &[Row<'_>],
    value: impl Fn(&Row<'_>) -> Option<T>,
) {
    let mut nulls = Vec::new();
    let slots = batch.slots::<T>(id, 0, rows.len());
    for (at, (slot, row)) in slots.iter_mut().zip(rows).enumerate() {
        match value(row) {
            Some(value) => *slot = value,
            None => nulls.push(at),
        }
    }
    nulls.into_iter().for_each(|row| batch.set_null(id, row));
}
