//! Rows of a batch, picked one by one, as a new batch.
//!
//! Cost: nearly all of it is waiting for memory, for neighbours in the new order are far apart in
//! the old one. So a column is one array and its loop has nothing else to do.

use weir_model::{Bitmap, Code, Column, ColumnId, FlowBatch, Native, Physical, Scalar};

macro_rules! each_type {
    ($physical:expr, $type:ident => $body:expr) => {
        match $physical {
            Physical::U8 => {
                type $type = u8;
                $body
            }
            Physical::U16 => {
                type $type = u16;
                $body
            }
            Physical::U32 => {
                type $type = u32;
                $body
            }
            Physical::U64 => {
                type $type = u64;
                $body
            }
            Physical::I64 => {
                type $type = i64;
                $body
            }
            Physical::F64 => {
                type $type = f64;
                $body
            }
            Physical::Addr => {
                type $type = weir_model::Addr;
                $body
            }
            Physical::Code => {
                type $type = Code;
                $body
            }
        }
    };
}

/// The rows `picks` of `batch`, which is sealed; sealed.
pub(crate) fn gather(batch: &FlowBatch, picks: &[u32]) -> FlowBatch {
    let table = batch.table();
    let mut out = FlowBatch::new(table);
    out.append_rows(picks.len());
    for def in table.columns() {
        let source = batch.column(def.id);
        match (def.ty.physical(), source) {
            (_, Column::Absent) => {}
            (Physical::Code, _) => codes(&mut out, def.id, batch, picks),
            (physical, Column::Constant { value, .. }) => {
                each_type!(physical, T => if let Some(value) = T::narrow(*value) {
                    out.fill(def.id, 0, picks.len(), value);
                });
            }
            (physical, Column::Values { data, validity }) => {
                each_type!(physical, T => if let Some(values) = T::of(data) {
                    pick(&mut out, def.id, values, validity.as_ref(), picks);
                });
            }
        }
    }
    out.seal();
    out
}

fn pick<T: Native>(
    out: &mut FlowBatch,
    id: ColumnId,
    values: &[T],
    validity: Option<&Bitmap>,
    picks: &[u32],
) {
    out.extend(id, 0, picks.iter().map(|row| values[*row as usize]));
    let Some(bits) = validity else { return };
    let null = |(_, row): &(usize, &u32)| !bits.get(**row as usize);
    picks.iter().enumerate().filter(null).for_each(|(at, _)| out.set_null(id, at));
}

fn codes(out: &mut FlowBatch, id: ColumnId, batch: &FlowBatch, picks: &[u32]) {
    // Cost: a string is interned when a row first names it; after that its code is a look-up.
    let mut known: Vec<Option<Code>> = vec![None; batch.interner().len()];
    let mut code_of = |out: &mut FlowBatch, code: Code| {
        let text = || batch.interner().get(code);
        match known.get_mut(code.0 as usize) {
            Some(known) => *known.get_or_insert_with(|| out.interner_mut().intern(text())),
            None => Code::default(),
        }
    };
    match batch.column(id) {
        Column::Constant { value: Scalar::Code(code), .. } => {
            let code = code_of(out, *code);
            out.fill(id, 0, picks.len(), code);
        }
        Column::Values { data, validity } => {
            let Some(values) = Code::of(data) else { return };
            let valid = |row: usize| validity.as_ref().is_none_or(|bits| bits.get(row));
            let mut nulls = Vec::new();
            let mut codes = Vec::with_capacity(picks.len());
            for (at, row) in picks.iter().enumerate() {
                let row = *row as usize;
                if valid(row) {
                    codes.push(code_of(out, values[row]));
                } else {
                    nulls.push(at);
                    codes.push(Code::default());
                }
            }
            out.extend(id, 0, codes.into_iter());
            nulls.into_iter().for_each(|row| out.set_null(id, row));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::Table;
    use weir_model::columns::flows;

    #[test]
    fn picked_rows_keep_their_values_nulls_and_strings() {
        let mut a = FlowBatch::new(Table::Flows);
        a.append_rows(3);
        a.slots::<u64>(flows::OCTETS, 0, 3).copy_from_slice(&[1, 2, 3]);
        a.set_null(flows::OCTETS, 1);
        a.set_octets(flows::SRC_POD, 2, b"web");
        a.fill(flows::PROTO, 0, 3, 6u8);
        a.seal();
        let mut b = FlowBatch::new(Table::Flows);
        b.append_rows(1);
        b.set(flows::OCTETS, 0, 9u64);
        b.set_octets(flows::SRC_POD, 0, b"db");
        b.fill(flows::PROTO, 0, 1, 17u8);
        b.seal();
        let mut both = FlowBatch::new(Table::Flows);
        [&a, &b].into_iter().for_each(|batch| both.append(batch));
        both.seal();
        let out = gather(&both, &[3, 2, 1]);
        let octets: Vec<_> = (0..3).map(|row| out.get_u64(flows::OCTETS, row)).collect();
        assert_eq!(octets, [Some(9), Some(3), None]);
        let pods: Vec<_> = (0..3).map(|row| out.get_octets(flows::SRC_POD, row)).collect();
        assert_eq!(pods, [Some(&b"db"[..]), Some(&b"web"[..]), None]);
        let protos: Vec<_> = (0..3).map(|row| out.get_u64(flows::PROTO, row)).collect();
        assert_eq!(protos, [Some(17), Some(6), Some(6)]);
        let constant = gather(&both, &[1, 0]);
        assert_eq!(constant.get_u64(flows::PROTO, 1), Some(6));
    }
}
