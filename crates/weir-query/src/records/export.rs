//! All raw rows of a range, block by block: what writes them to a file. Each block is read once,
//! however many rows there are.

use std::sync::Arc;

use weir_model::{
    Addr, Bitmap, Code, Column, ColumnId, ColumnType, FlowBatch, Scalar, Table, Timestamp, Values,
};
use weir_store::{BlockColumn, Snapshot, Tier};

use super::source::{Candidate, Compiled, Source};
use super::{RecordsQuery, columns, dropped};
use crate::answer::Stats;
use crate::engine::{Block, Control, Names, Part, Selection};
use crate::error::QueryError;
use crate::limits::{Cancel, QueryLimits};
use crate::plan;

/// What a search would read: its table, its range bound to `now`, and its columns. An error is
/// what the search would end with.
pub fn resolve(
    query: &RecordsQuery,
    now: Timestamp,
) -> Result<(Table, Timestamp, Timestamp, Vec<ColumnId>), QueryError> {
    let table = plan::table(&query.table)?;
    let (from, to) = plan::range(&query.from, &query.to, now)?;
    plan::filter(&query.filter, table, now)?;
    super::order(query, table)?;
    Ok((table, from, to, columns(query, table)?))
}

/// Hands every row of the range that passes the filter to `each`, some at a time: segment by
/// segment, that with the newest row first, and so its blocks; the rows of a block are in the order
/// in which they are stored. `limit` and `cursor` of the query count for nothing.
pub fn export<E: From<QueryError>>(
    snapshot: &Snapshot,
    query: &RecordsQuery,
    limits: &QueryLimits,
    cancel: &Cancel,
    clock: &dyn weir_model::Clock,
    mut each: impl FnMut(FlowBatch) -> Result<(), E>,
) -> Result<Stats, E> {
    let control = Control::new(limits, cancel, clock);
    let table = plan::table(&query.table)?;
    let (from, to) = plan::range(&query.from, &query.to, control.started)?;
    let filter = plan::filter(&query.filter, table, control.started)?;
    let wanted = columns(query, table)?;
    let parts: Vec<Arc<dyn Part>> =
        snapshot.all().iter().map(|segment| segment.clone() as Arc<dyn Part>).collect();
    let source = Source::new(&parts, table, filter.expr(), (from, to), &control);
    let (mut candidates, segments) = source.candidates()?;
    newest_first(&mut candidates, parts.len());
    let mut before = None;
    for Candidate { part: at, block, .. } in candidates {
        control.check()?;
        // Why: the blocks of a part stand together, and a month of dictionaries does not fit memory.
        if let Some(done) = before.replace(at).filter(|done| *done != at) {
            source.forget(done);
        }
        let Some(part) = parts.get(at) else { continue };
        let compiled = source.compiled(at);
        match compiled.and_then(|c| rows(&source, &c, at, block, &wanted)) {
            Ok(Some(batch)) => each(batch)?,
            Ok(None) => {}
            Err(error) => control.damage.note(part.head().id, block, error)?,
        }
    }
    let mut stats = source.stats(segments);
    stats.blocks_damaged = control.damage.blocks();
    stats.notes = dropped(snapshot.gone_until(table, Tier::Raw), from).into_iter().collect();
    stats.notes.extend(control.damage.notes());
    stats.ms = clock.now().since(control.started).as_secs_f64() * 1_000.0;
    Ok(stats)
}

/// Orders parts by their newest row, and the blocks of each part by theirs.
fn newest_first(candidates: &mut [Candidate], parts: usize) {
    let mut newest = vec![i64::MIN; parts];
    for candidate in candidates.iter() {
        if let Some(newest) = newest.get_mut(candidate.part) {
            *newest = candidate.newest.max(*newest);
        }
    }
    let newest = |part: usize| newest.get(part).copied();
    candidates
        .sort_unstable_by_key(|c| std::cmp::Reverse((newest(c.part), c.part, c.newest, c.block)));
}

/// The rows of a block that the filter keeps; none when there are none.
fn rows(
    source: &Source<'_>,
    compiled: &Compiled,
    at: usize,
    index: usize,
    wanted: &[ColumnId],
) -> Result<Option<FlowBatch>, QueryError> {
    let Some(part) = source.parts.get(at).map(AsRef::as_ref) else { return Ok(None) };
    let (table, names) = (source.table, compiled.names.as_ref());
    let verdict = source.verdict(compiled, at, index);
    let kept =
        source.kept(compiled, at, &mut Block::new(part, index, source.rows(at, index)), verdict)?;
    if kept.len() == 0 {
        return Ok(None);
    }
    let mut batch = FlowBatch::new(table);
    batch.append_rows(kept.len());
    let mut strings = vec![None; names.strings_len()];
    for (id, column) in wanted.iter().zip(part.read_all(index, wanted)?) {
        let is_addr = table.def(*id).is_some_and(|def| def.ty == ColumnType::Addr);
        let mut string = |code: Code| match strings.get_mut(code.0 as usize) {
            Some(Some(known)) => *known,
            Some(slot) => *slot.insert(batch.interner_mut().intern(names.string(code))),
            None => Code::default(),
        };
        let column = match is_addr {
            true => addresses(column, &kept, names),
            false => values(column, &kept, &mut string),
        };
        batch.set_column(*id, column);
    }
    batch.seal();
    Ok(Some(batch))
}

fn addresses(column: BlockColumn, kept: &Selection, names: &dyn Names) -> Column {
    let addr = |code: Code| names.addrs().get(code.0 as usize).copied().unwrap_or_default();
    match column {
        BlockColumn::Constant(Scalar::Code(code)) => {
            Column::Constant { value: Scalar::Addr(addr(code)), len: kept.len() }
        }
        BlockColumn::Values { data: Values::Code(codes), validity } => {
            let mut addrs: Vec<Addr> = Vec::with_capacity(kept.len());
            kept.gather(&codes, &mut addrs, addr);
            let validity = valid(validity, kept);
            clear(&mut addrs, validity.as_ref());
            Column::Values { data: Values::Addr(addrs), validity }
        }
        _ => Column::Absent,
    }
}

fn values(column: BlockColumn, kept: &Selection, string: &mut dyn FnMut(Code) -> Code) -> Column {
    let len = kept.len();
    let (data, validity) = match column {
        BlockColumn::Absent => return Column::Absent,
        BlockColumn::Constant(Scalar::Code(code)) => {
            return Column::Constant { value: Scalar::Code(string(code)), len };
        }
        BlockColumn::Constant(value) => return Column::Constant { value, len },
        BlockColumn::Values { data, validity } => (data, valid(validity, kept)),
    };
    fn pick<T: Copy>(values: Vec<T>, kept: &Selection) -> Vec<T> {
        match kept {
            Selection::All(_) => values,
            Selection::Rows(_) => {
                let mut picked = Vec::with_capacity(kept.len());
                kept.gather(&values, &mut picked, |value| value);
                picked
            }
        }
    }
    let data = match data {
        Values::U8(v) => Values::U8(pick(v, kept)),
        Values::U16(v) => Values::U16(pick(v, kept)),
        Values::U32(v) => Values::U32(pick(v, kept)),
        Values::U64(v) => Values::U64(pick(v, kept)),
        Values::I64(v) => Values::I64(pick(v, kept)),
        Values::F64(v) => Values::F64(pick(v, kept)),
        Values::Addr(v) => Values::Addr(pick(v, kept)),
        Values::Code(v) => {
            let mut codes = pick(v, kept);
            for (row, code) in codes.iter_mut().enumerate() {
                let there = validity.as_ref().is_none_or(|bits| bits.get(row));
                *code = if there { string(*code) } else { Code::default() };
            }
            Values::Code(codes)
        }
    };
    Column::Values { data, validity }
}

/// Which of the kept rows have a value; none when all do.
fn valid(bits: Option<Bitmap>, kept: &Selection) -> Option<Bitmap> {
    let bits = bits?;
    let Selection::Rows(_) = kept else { return Some(bits) };
    let mut valid = Bitmap::filled(kept.len(), false);
    for (at, row) in kept.rows().enumerate() {
        if bits.get(row) {
            valid.set(at, true);
        }
    }
    Some(valid)
}

fn clear(addrs: &mut [Addr], validity: Option<&Bitmap>) {
    let Some(bits) = validity else { return };
    for (row, addr) in addrs.iter_mut().enumerate() {
        if !bits.get(row) {
            *addr = Addr::default();
        }
    }
}
