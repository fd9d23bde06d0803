//! Rows of several batches, picked one by one, as a new batch.

use weir_model::{Bitmap, Code, Column, ColumnId, FlowBatch, Native, Physical, Scalar, Table};

/// The rows `picks` (batch, row) of `batches`, which are sealed and of `table`, sealed.
pub(crate) fn gather(table: Table, batches: &[FlowBatch], picks: &[(u32, u32)]) -> FlowBatch {
    let mut out = FlowBatch::new(table);
    out.append_rows(picks.len());
    for def in table.columns() {
        let sources: Vec<&Column> = batches.iter().map(|batch| batch.column(def.id)).collect();
        if sources.iter().all(|source| source.is_empty()) {
            continue;
        }
        match def.ty.physical() {
            Physical::Code => codes(&mut out, def.id, batches, picks),
            physical => {
                if let Some(constant) = same(&sources) {
                    constant_column(&mut out, def.id, physical, constant, picks.len());
                } else {
                    by_type(&mut out, def.id, physical, &sources, picks);
                }
            }
        }
    }
    out.seal();
    out
}

fn same(sources: &[&Column]) -> Option<Scalar> {
    let value = |source: &&Column| match source {
        Column::Constant { value, .. } => Some(*value),
        _ => None,
    };
    let first = value(sources.first()?)?;
    sources.iter().all(|source| value(source) == Some(first)).then_some(first)
}

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

fn constant_column(
    out: &mut FlowBatch,
    id: ColumnId,
    physical: Physical,
    value: Scalar,
    rows: usize,
) {
    each_type!(physical, T => {
        if let Some(value) = T::narrow(value) {
            out.fill(id, 0, rows, value);
        }
    });
}

fn by_type(
    out: &mut FlowBatch,
    id: ColumnId,
    physical: Physical,
    sources: &[&Column],
    picks: &[(u32, u32)],
) {
    each_type!(physical, T => pick::<T>(out, id, sources, picks));
}

/// One source, ready for random access.
enum From<'a, T> {
    Nothing,
    One(T),
    Each(&'a [T], Option<&'a Bitmap>),
}

fn from<T: Native>(source: &Column) -> From<'_, T> {
    match source {
        Column::Absent => From::Nothing,
        Column::Constant { value, .. } => T::narrow(*value).map_or(From::Nothing, From::One),
        Column::Values { data, validity } => {
            T::of(data).map_or(From::Nothing, |data| From::Each(data, validity.as_ref()))
        }
    }
}

fn pick<T: Native>(out: &mut FlowBatch, id: ColumnId, sources: &[&Column], picks: &[(u32, u32)]) {
    let sources: Vec<From<'_, T>> = sources.iter().map(|source| from(source)).collect();
    let slots = out.slots::<T>(id, 0, picks.len());
    let mut nulls = Vec::new();
    for (i, (slot, (batch, row))) in slots.iter_mut().zip(picks).enumerate() {
        match &sources[*batch as usize] {
            From::Each(values, None) => *slot = values[*row as usize],
            From::Each(values, Some(bits)) if bits.get(*row as usize) => {
                *slot = values[*row as usize];
            }
            From::One(value) => *slot = *value,
            From::Nothing | From::Each(..) => nulls.push(i),
        }
    }
    nulls.into_iter().for_each(|row| out.set_null(id, row));
}

fn codes(out: &mut FlowBatch, id: ColumnId, batches: &[FlowBatch], picks: &[(u32, u32)]) {
    // Cost: a string is interned when a row first names it, once a batch; after that its code is
    // a look-up in this table.
    let mut known: Vec<Vec<Option<Code>>> =
        batches.iter().map(|batch| vec![None; batch.interner().len()]).collect();
    let sources: Vec<From<'_, Code>> =
        batches.iter().map(|batch| from::<Code>(batch.column(id))).collect();
    let mut values = Vec::with_capacity(picks.len());
    let mut nulls = Vec::new();
    for (i, (batch, row)) in picks.iter().enumerate() {
        let code = match &sources[*batch as usize] {
            From::Each(codes, bits) if bits.is_none_or(|bits| bits.get(*row as usize)) => {
                Some(codes[*row as usize])
            }
            From::One(code) => Some(*code),
            _ => None,
        };
        let Some(code) = code else {
            nulls.push(i);
            values.push(Code::default());
            continue;
        };
        let known = &mut known[*batch as usize][code.0 as usize];
        let text = || batches[*batch as usize].interner().get(code);
        values.push(*known.get_or_insert_with(|| out.interner_mut().intern(text())));
    }
    out.slots::<Code>(id, 0, values.len()).copy_from_slice(&values);
    nulls.into_iter().for_each(|row| out.set_null(id, row));
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let out = gather(Table::Flows, &[a, b], &[(1, 0), (0, 2), (0, 1)]);
        let octets: Vec<_> = (0..3).map(|row| out.get_u64(flows::OCTETS, row)).collect();
        assert_eq!(octets, [Some(9), Some(3), None]);
        let pods: Vec<_> = (0..3).map(|row| out.get_octets(flows::SRC_POD, row)).collect();
        assert_eq!(pods, [Some(&b"db"[..]), Some(&b"web"[..]), None]);
        let protos: Vec<_> = (0..3).map(|row| out.get_u64(flows::PROTO, row)).collect();
        assert_eq!(protos, [Some(17), Some(6), Some(6)]);
    }
}
