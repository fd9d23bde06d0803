//! From groups to rows of the table of rollups.

use weir_model::batch::ROWS_MAX;
use weir_model::columns::rollups;
use weir_model::{Addr, ColumnType, FlowBatch, Scalar, Table};

use super::groups::{Groups, minute_of};
use super::measures::OF_ROLLUPS;
use super::{MINUTE_NANOS, Names};

/// Bits that a dimension of this type takes in a key: one value more than the type has, for null.
/// Codes are below 2^24 in a segment and stay below 2^32 - 1 in a merge.
pub(super) fn bits(ty: Option<ColumnType>) -> u32 {
    match ty {
        Some(ColumnType::U8) => 9,
        Some(ColumnType::U16) => 17,
        Some(ColumnType::U32) => 33,
        Some(ColumnType::Addr) => 25,
        _ => 32,
    }
}

/// Appends the groups to `out`, by time and then address, in batches that are a block each.
pub(super) fn write(groups: &Groups, names: &Names, out: &mut Vec<FlowBatch>) {
    let mut order: Vec<u32> = (0..groups.len() as u32).collect();
    let keys = groups.keys();
    order.sort_unstable_by_key(|slot| {
        let key = keys[*slot as usize];
        (minute_of(key), first_addr(groups, names, key), key)
    });
    for slots in order.chunks(ROWS_MAX) {
        out.push(batch(groups, names, slots));
    }
}

fn first_addr(groups: &Groups, names: &Names, key: u128) -> Option<Addr> {
    let (_, id) = groups.cube().dimensions().first()?;
    let ty = Table::Rollups.def(*id).map(|def| def.ty)?;
    if ty != ColumnType::Addr {
        return None;
    }
    addr(names, part(key, 0, bits(Some(ty)))?)
}

fn addr(names: &Names, code: u64) -> Option<Addr> {
    names.addrs.get(code as usize).copied()
}

/// A dimension of a key; `None` for null.
fn part(key: u128, shift: u32, bits: u32) -> Option<u64> {
    ((key >> shift & ((1 << bits) - 1)) as u64).checked_sub(1)
}

fn batch(groups: &Groups, names: &Names, slots: &[u32]) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Rollups);
    batch.append_rows(slots.len());
    let key = |row: usize| groups.keys()[slots[row] as usize];
    for (row, slot) in
        batch.slots::<i64>(rollups::RECEIVED_AT, 0, slots.len()).iter_mut().enumerate()
    {
        *slot = minute_of(key(row)) * MINUTE_NANOS;
    }
    batch.fill(rollups::CUBE, 0, slots.len(), groups.cube().number());
    let mut shift = 0;
    for (_, id) in groups.cube().dimensions() {
        let ty = Table::Rollups.def(*id).map(|def| def.ty);
        let bits = bits(ty);
        for row in 0..slots.len() {
            let Some(value) = part(key(row), shift, bits) else { continue };
            match ty {
                Some(ColumnType::Addr) => {
                    if let Some(addr) = addr(names, value) {
                        batch.set_scalar(*id, row, Scalar::Addr(addr));
                    }
                }
                Some(ColumnType::Str) => {
                    let text = names.strings.get(weir_model::Code(value as u32));
                    batch.set_octets(*id, row, text);
                }
                _ => batch.set_scalar(*id, row, Scalar::U64(value)),
            }
        }
        shift += bits;
    }
    for (place, id) in OF_ROLLUPS.iter().enumerate() {
        for (row, slot) in slots.iter().enumerate() {
            let sums = groups.sum(*slot as usize);
            if sums.present >> place & 1 == 1 {
                batch.set(*id, row, sums.values[place]);
            }
        }
    }
    batch.seal();
    batch
}
