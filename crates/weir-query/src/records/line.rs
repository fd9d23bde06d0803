//! The order of a page as numbers: every row has a place on a line, first rows lowest. A place is
//! the value of the column that orders, counted from the first value there is, and behind it the
//! time. Rows of one place are then told apart by a hash of what they hold.
//!
//! Invariant: of two rows of the range the one that comes first has the lower place, whatever
//! segments they are in.

use std::sync::Arc;

use weir_model::{Addr, Code, ColumnDef, ColumnId, ColumnType, Scalar, Values};
use weir_store::BlockColumn;

use super::source::{Candidate, Source};
use crate::engine::{Names, Selection, shifted};
use crate::error::QueryError;

/// Bits of a time: 292 years of nanoseconds, so that value and time fit one number.
const TIME_BITS_MAX: u32 = 63;

/// Octets of memory that each entry of a dictionary costs while values are ranked: its rank, the
/// entry with its value to sort, and its place in the list that is sorted or made.
const RANK_OCTETS: usize = 4 + 32 + 16;

/// A value that rows are ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Order-keeping number.
    Number(u64),
    /// Text, octets, or an address in network order.
    Octets(Vec<u8>),
}

/// Places of rows.
pub(super) struct Line {
    by: Option<Column>,
    ascending: bool,
    oldest: i64,
    newest: i64,
    time_bits: u32,
}

/// The column that orders, where it is not the time.
struct Column {
    id: ColumnId,
    low: u64,
    high: u64,
    ranks: Option<Ranks>,
}

/// The values of dictionaries in order, each with its rank among those of all parts.
struct Ranks {
    is_addr: bool,
    /// By part, by code.
    of: Vec<Vec<u32>>,
    /// Of each value one place where it stands, in order.
    values: Vec<(usize, Code)>,
    names: Vec<Option<Arc<dyn Names>>>,
}

impl Line {
    /// Of the rows of `candidates`, by `by` (none: by time).
    pub fn new(
        source: &Source<'_>,
        candidates: &[Candidate],
        by: Option<&ColumnDef>,
        ascending: bool,
    ) -> Result<Line, QueryError> {
        let oldest = candidates.iter().map(|c| c.oldest).min().unwrap_or(0);
        let newest = candidates.iter().map(|c| c.newest).max().unwrap_or(0);
        let time_bits = (u64::BITS - newest.abs_diff(oldest).leading_zeros()).min(TIME_BITS_MAX);
        let by = by.map(|def| Column::new(source, candidates, def)).transpose()?;
        Ok(Line { by, ascending, oldest, newest, time_bits })
    }

    /// Column that orders before the time does.
    pub fn column(&self) -> Option<ColumnId> {
        self.by.as_ref().map(|by| by.id)
    }

    /// True when the lowest comes first.
    pub fn is_ascending(&self) -> bool {
        self.ascending
    }

    /// Bits of a place that the time takes.
    pub fn time_bits(&self) -> u32 {
        self.time_bits
    }

    pub fn time(&self, time: i64) -> u128 {
        let most = (1u64 << self.time_bits) - 1;
        let distance = match self.by.is_none() && self.ascending {
            true => time.saturating_sub(self.oldest),
            false => self.newest.saturating_sub(time),
        };
        u128::from((distance.max(0) as u64).min(most))
    }

    /// What a null counts as: behind every value, in both directions.
    fn null(by: &Column) -> u128 {
        u128::from(by.high - by.low) + 1
    }

    fn number(&self, by: &Column, value: u64) -> u128 {
        let distance = match self.ascending {
            true => value.saturating_sub(by.low),
            false => by.high.saturating_sub(value),
        };
        u128::from(distance.min(by.high - by.low))
    }

    /// Place of a row of that key and time.
    pub fn place(&self, key: u128, time: u128) -> u128 {
        key << self.time_bits | time
    }

    /// The first and the last place that a row of the block can have.
    pub fn bounds(&self, source: &Source<'_>, candidate: &Candidate) -> (u128, u128) {
        let (a, b) = (self.time(candidate.oldest), self.time(candidate.newest));
        let (first, last) = (a.min(b), a.max(b));
        let Some(by) = &self.by else { return (first, last) };
        let null = Line::null(by);
        let (low, high) = match source.zone(candidate.part, candidate.block, by.id) {
            None => (null, null),
            Some(zone) => {
                let ends = match &by.ranks {
                    None => ordered(zone.min).zip(ordered(zone.max)),
                    // Codes are in the order in which they came, not in that of their values.
                    Some(_) => Some((by.low, by.high)),
                };
                let (min, max) = ends.unwrap_or((by.low, by.high));
                let (a, b) = (self.number(by, min), self.number(by, max));
                (a.min(b), if zone.nulls > 0 { null } else { a.max(b) })
            }
        };
        (self.place(low, first), self.place(high, last))
    }

    /// The key of every kept row of a block of part `part`, pushed to `out`.
    pub fn keys(&self, part: usize, column: &BlockColumn, kept: &Selection, out: &mut Vec<u128>) {
        let Some(by) = &self.by else { return out.resize(kept.len(), 0) };
        let null = Line::null(by);
        let number = |value: u64| self.number(by, value);
        let code = |code: Code| by.rank(part, code).map_or(null, &number);
        match column {
            BlockColumn::Absent => {}
            BlockColumn::Constant(Scalar::Code(value)) => out.resize(kept.len(), code(*value)),
            BlockColumn::Constant(value) => {
                out.resize(kept.len(), ordered(*value).map_or(null, number));
            }
            BlockColumn::Values { data, validity } => {
                match data {
                    Values::U8(v) => kept.gather(v, out, |n| number(n.into())),
                    Values::U16(v) => kept.gather(v, out, |n| number(n.into())),
                    Values::U32(v) => kept.gather(v, out, |n| number(n.into())),
                    Values::U64(v) => kept.gather(v, out, number),
                    Values::I64(v) => kept.gather(v, out, |n| number(shifted(n))),
                    Values::F64(v) => kept.gather(v, out, |n| number(fraction(n))),
                    Values::Code(v) => kept.gather(v, out, code),
                    Values::Addr(_) => {}
                }
                if let Some(bits) = validity {
                    for (slot, row) in out.iter_mut().zip(kept.rows()) {
                        if !bits.get(row) {
                            *slot = null;
                        }
                    }
                }
            }
        }
        out.resize(kept.len(), null);
    }

    /// The kept rows of a block of part `part` whose key is among `keys`, both ends included.
    pub fn rows(
        &self,
        part: usize,
        column: &BlockColumn,
        kept: &Selection,
        keys: (u128, u128),
        out: &mut Vec<(u128, u32)>,
    ) {
        let Some(by) = &self.by else { return };
        let null = Line::null(by);
        let fits = |key: u128| keys.0 <= key && key <= keys.1;
        let number = |value: u64| self.number(by, value);
        let (data, validity) = match column {
            BlockColumn::Values { data, validity } => (data, validity.as_ref()),
            BlockColumn::Absent | BlockColumn::Constant(_) => {
                let mut first = Vec::new();
                self.keys(part, column, &Selection::All(1), &mut first);
                let key = first.first().copied().filter(|key| fits(*key));
                let rows = kept.rows().take(if key.is_some() { kept.len() } else { 0 });
                out.extend(rows.map(|row| (key.unwrap_or(null), row as u32)));
                return;
            }
        };
        match data {
            Values::U8(v) => pick(v, kept, |n| number(n.into()), fits, out),
            Values::U16(v) => pick(v, kept, |n| number(n.into()), fits, out),
            Values::U32(v) => pick(v, kept, |n| number(n.into()), fits, out),
            Values::U64(v) => pick(v, kept, number, fits, out),
            Values::I64(v) => pick(v, kept, |n| number(shifted(n)), fits, out),
            Values::F64(v) => pick(v, kept, |n| number(fraction(n)), fits, out),
            Values::Code(v) => {
                pick(v, kept, |code| by.rank(part, code).map_or(null, number), fits, out);
            }
            Values::Addr(_) => {}
        }
        if let Some(bits) = validity {
            out.retain(|(_, row)| bits.get(*row as usize));
            if fits(null) {
                let without = kept.rows().filter(|row| !bits.get(*row));
                out.extend(without.map(|row| (null, row as u32)));
            }
        }
    }

    /// The value behind the place of a row: what a cursor holds. None for null.
    pub fn value(&self, place: u128) -> Option<Value> {
        let by = self.by.as_ref()?;
        let key = place >> self.time_bits;
        if key >= Line::null(by) {
            return None;
        }
        let distance = key as u64;
        let value = match self.ascending {
            true => by.low.saturating_add(distance),
            false => by.high.saturating_sub(distance),
        };
        match &by.ranks {
            None => Some(Value::Number(value)),
            Some(ranks) => {
                let (part, code) = ranks.values.get(value as usize).copied()?;
                Some(Value::Octets(ranks.octets(part, code)))
            }
        }
    }

    /// Where rows go on behind a cursor of that value (none: null) and time: the place, and
    /// whether rows of just that value and time are there. What the cursor stood on may be gone.
    pub fn find(&self, value: Option<&Value>, time: i64) -> (u128, bool) {
        let on_time = (self.oldest..=self.newest).contains(&time);
        let later = match self.by.is_none() && self.ascending {
            true => time > self.newest,
            false => time < self.oldest,
        };
        let within = |key: u128| match (on_time, later) {
            (false, true) => (self.place(key + 1, 0), false),
            (false, false) => (self.place(key, 0), false),
            (true, _) => (self.place(key, self.time(time)), true),
        };
        let Some(by) = &self.by else { return within(0) };
        let null = Line::null(by);
        let (number, known) = match (value, &by.ranks) {
            (None, _) => return within(null),
            (Some(Value::Number(number)), None) => (*number, true),
            (Some(Value::Octets(octets)), Some(ranks)) => ranks.find(octets),
            // A cursor of another kind of column: nothing is behind it.
            _ => return (u128::MAX, false),
        };
        let key = self.number(by, number);
        match (number < by.low, number > by.high, self.ascending) {
            (true, _, true) | (_, true, false) => (0, false),
            (true, _, false) | (_, true, true) => (self.place(null, 0), false),
            _ if known => within(key),
            // Ranks of absent text are those of the next higher one there is.
            _ if self.ascending => (self.place(key, 0), false),
            _ => (self.place(key + 1, 0), false),
        }
    }
}

impl Column {
    fn new(
        source: &Source<'_>,
        candidates: &[Candidate],
        def: &ColumnDef,
    ) -> Result<Column, QueryError> {
        let is_addr = def.ty == ColumnType::Addr;
        let coded = is_addr
            || matches!(
                def.ty,
                ColumnType::Str | ColumnType::Bytes | ColumnType::U32List | ColumnType::Elements
            );
        if coded {
            let ranks = Ranks::new(source, candidates, is_addr)?;
            let high = ranks.values.len().saturating_sub(1) as u64;
            return Ok(Column { id: def.id, low: 0, high, ranks: Some(ranks) });
        }
        let (mut low, mut high) = (u64::MAX, 0);
        for candidate in candidates {
            let zone = source.zone(candidate.part, candidate.block, def.id);
            let ends = zone.and_then(|zone| ordered(zone.min).zip(ordered(zone.max)));
            if let Some((min, max)) = ends {
                (low, high) = (low.min(min), high.max(max));
            }
        }
        let low = low.min(high);
        Ok(Column { id: def.id, low, high, ranks: None })
    }

    fn rank(&self, part: usize, code: Code) -> Option<u64> {
        let of = self.ranks.as_ref()?.of.get(part)?;
        of.get(code.0 as usize).map(|rank| u64::from(*rank))
    }
}

impl Ranks {
    fn new(
        source: &Source<'_>,
        candidates: &[Candidate],
        is_addr: bool,
    ) -> Result<Ranks, QueryError> {
        let mut names: Vec<Option<Arc<dyn Names>>> = source.parts.iter().map(|_| None).collect();
        for candidate in candidates {
            let Some(slot @ None) = names.get_mut(candidate.part) else { continue };
            // A dictionary that cannot be read is met again, and noted, when its block is.
            *slot = source.compiled(candidate.part).ok().map(|compiled| compiled.names.clone());
        }
        let len = |names: &Arc<dyn Names>| match is_addr {
            true => names.addrs().len(),
            false => names.strings_len(),
        };
        let entries: usize = names.iter().flatten().map(len).sum();
        source.control.fits(entries.saturating_mul(RANK_OCTETS))?;
        let mut ranks = Ranks { is_addr, of: Vec::new(), values: Vec::new(), names };
        ranks.of = ranks.names.iter().map(|names| vec![0; names.as_ref().map_or(0, len)]).collect();
        let codes = |(part, of): (usize, &Vec<u32>)| {
            (0..of.len()).map(move |code| (part, Code(code as u32)))
        };
        let all: Vec<(usize, Code)> = ranks.of.iter().enumerate().flat_map(codes).collect();
        match is_addr {
            true => {
                let with = |(part, code)| (ranks.addr(part, code), part, code);
                let mut all: Vec<_> = all.into_iter().map(with).collect();
                all.sort_unstable_by_key(|(addr, ..)| *addr);
                ranks.number(all.into_iter());
            }
            false => {
                let names = ranks.names.clone();
                let octets = |part: usize, code| {
                    names.get(part).and_then(Option::as_deref).map_or(&[][..], |n| n.string(code))
                };
                let with = |(part, code)| (octets(part, code), part, code);
                let mut all: Vec<_> = all.into_iter().map(with).collect();
                all.sort_unstable_by_key(|(octets, ..)| *octets);
                ranks.number(all.into_iter());
            }
        }
        Ok(ranks)
    }

    /// Numbers values that come in order.
    fn number<T: PartialEq>(&mut self, sorted: impl Iterator<Item = (T, usize, Code)>) {
        let mut before: Option<T> = None;
        for (value, part, code) in sorted {
            if before.as_ref() != Some(&value) {
                self.values.push((part, code));
                before = Some(value);
            }
            let rank = self.values.len().saturating_sub(1) as u32;
            if let Some(slot) = self.of.get_mut(part).and_then(|of| of.get_mut(code.0 as usize)) {
                *slot = rank;
            }
        }
    }

    fn addr(&self, part: usize, code: Code) -> Addr {
        let names = self.names.get(part).and_then(Option::as_ref);
        names.and_then(|n| n.addrs().get(code.0 as usize).copied()).unwrap_or_default()
    }

    fn octets(&self, part: usize, code: Code) -> Vec<u8> {
        match (self.is_addr, self.names.get(part).and_then(Option::as_ref)) {
            (true, _) => self.addr(part, code).0.to_be_bytes().to_vec(),
            (false, Some(names)) => names.string(code).to_vec(),
            (false, None) => Vec::new(),
        }
    }

    /// The rank of a value, or of the next higher one, and whether it is there.
    fn find(&self, octets: &[u8]) -> (u64, bool) {
        let value = |(part, code): &(usize, Code)| self.octets(*part, *code);
        match self.values.binary_search_by(|at| value(at).as_slice().cmp(octets)) {
            Ok(rank) => (rank as u64, true),
            Err(rank) => (rank as u64, false),
        }
    }
}

fn pick<T: Copy>(
    values: &[T],
    kept: &Selection,
    key: impl Fn(T) -> u128,
    fits: impl Fn(u128) -> bool,
    out: &mut Vec<(u128, u32)>,
) {
    let one = |(row, value): (usize, &T)| {
        let key = key(*value);
        fits(key).then_some((key, row as u32))
    };
    match kept {
        Selection::All(_) => out.extend(values.iter().enumerate().filter_map(one)),
        Selection::Rows(rows) => {
            let rows = rows.iter().map(|row| *row as usize);
            out.extend(rows.filter_map(|row| one((row, values.get(row)?))));
        }
    }
}

/// Order-keeping map of fractions to unsigned, as [`f64::total_cmp`] orders them.
fn fraction(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// Order-keeping map of numbers and times to unsigned; none for codes and addresses.
fn ordered(value: Scalar) -> Option<u64> {
    match value {
        Scalar::U64(number) => Some(number),
        Scalar::I64(time) => Some(shifted(time)),
        Scalar::F64(number) => Some(fraction(number)),
        Scalar::Addr(_) | Scalar::Code(_) => None,
    }
}
