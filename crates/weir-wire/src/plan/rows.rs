//! Where the fields of the records of one Set lie: all lengths are checked here, once per Set, so
//! that the loops over columns need no further care.

use super::{Layout, Loc, Plan};
use crate::tally::{DropReason, Tally};

/// Records of one Set, as the column loops see them.
pub(crate) trait Rows: Sized {
    /// Number of records.
    fn len(&self) -> usize;
    /// First `W` octets of a fixed-length field, record by record.
    fn arrays<const W: usize>(&self, loc: Loc) -> impl ExactSizeIterator<Item = [u8; W]>;
    /// Octets of a field, record by record.
    fn slices(&self, loc: Loc) -> impl ExactSizeIterator<Item = &[u8]>;
    /// Octets of a field of one record.
    fn slice(&self, loc: Loc, row: usize) -> &[u8];
    /// `n` of the records, from `first` on.
    fn part(&self, first: usize, n: usize) -> Self;
}

/// Records that are all of the same length.
pub(crate) struct FixedRows<'a> {
    body: &'a [u8],
    stride: usize,
    rows: usize,
}

impl<'a> FixedRows<'a> {
    /// The whole records at the start of `body`, at most `rows_max`.
    pub(crate) fn new(body: &'a [u8], stride: usize, rows_max: usize) -> FixedRows<'a> {
        let stride = stride.max(1);
        let rows = (body.len() / stride).min(rows_max);
        FixedRows { body: body.get(..rows * stride).unwrap_or_default(), stride, rows }
    }

    /// All of the records' octets.
    pub(crate) fn octets(&self) -> &'a [u8] {
        self.body
    }
}

impl Rows for FixedRows<'_> {
    fn len(&self) -> usize {
        self.rows
    }

    // Cost: every record has `stride` octets, which the compiler knows of these chunks, so whether
    // the field lies inside is asked once for all records.
    #[inline]
    fn arrays<const W: usize>(&self, loc: Loc) -> impl ExactSizeIterator<Item = [u8; W]> {
        let offset = loc.offset();
        self.body.chunks_exact(self.stride).map(move |record| {
            let field = record.get(offset..).and_then(|rest| rest.first_chunk());
            field.copied().unwrap_or([0; W])
        })
    }

    #[inline]
    fn slices(&self, loc: Loc) -> impl ExactSizeIterator<Item = &[u8]> {
        let (offset, width) = (loc.offset(), loc.width());
        self.body
            .chunks_exact(self.stride)
            .map(move |record| record.get(offset..offset + width).unwrap_or_default())
    }

    fn slice(&self, loc: Loc, row: usize) -> &[u8] {
        let start = row * self.stride + loc.offset();
        self.body.get(start..start + loc.width()).unwrap_or_default()
    }

    fn part(&self, first: usize, n: usize) -> Self {
        FixedRows::new(self.body.get(first * self.stride..).unwrap_or_default(), self.stride, n)
    }
}

/// Records with fields of variable length, found by [`index`].
pub(crate) struct VariableRows<'a> {
    body: &'a [u8],
    /// Per record: its start, then start and length of each variable field.
    table: &'a [u32],
    columns: usize,
}

impl<'a> VariableRows<'a> {
    pub(crate) fn new(body: &'a [u8], table: &'a [u32], variable: usize) -> VariableRows<'a> {
        VariableRows { body, table, columns: 1 + 2 * variable }
    }

    #[inline]
    fn span(&self, record: &[u32], loc: Loc) -> &[u8] {
        let at = |i: usize| record.get(i).copied().unwrap_or(0) as usize;
        let (start, length) = match loc {
            Loc::Variable { index } => {
                let i = 1 + 2 * usize::from(index);
                (at(i), at(i + 1))
            }
            Loc::Fixed { segment: 0, offset, width } => (at(0) + offset as usize, width as usize),
            Loc::Fixed { segment, offset, width } => {
                let i = 2 * usize::from(segment);
                (at(i - 1) + at(i) + offset as usize, width as usize)
            }
        };
        self.body.get(start..start + length).unwrap_or_default()
    }
}

impl Rows for VariableRows<'_> {
    fn len(&self) -> usize {
        self.table.len() / self.columns
    }

    #[inline]
    fn arrays<const W: usize>(&self, loc: Loc) -> impl ExactSizeIterator<Item = [u8; W]> {
        self.slices(loc).map(|field| field.first_chunk().copied().unwrap_or([0; W]))
    }

    #[inline]
    fn slices(&self, loc: Loc) -> impl ExactSizeIterator<Item = &[u8]> {
        self.table.chunks_exact(self.columns).map(move |record| self.span(record, loc))
    }

    fn slice(&self, loc: Loc, row: usize) -> &[u8] {
        let record = self.table.get(row * self.columns..).unwrap_or_default();
        self.span(record, loc)
    }

    fn part(&self, first: usize, n: usize) -> Self {
        let (from, to) = (first * self.columns, (first + n) * self.columns);
        VariableRows { table: self.table.get(from..to).unwrap_or_default(), ..*self }
    }
}

/// What [`index`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Indexed {
    /// Whole records.
    pub(crate) rows: usize,
    /// Octets after them that are no padding: a record that runs past the Set.
    pub(crate) broken: usize,
}

/// Finds the records of a Set, which begins at `from` of `body` and ends with it. With `table`,
/// writes down where their fields lie (see [`VariableRows`]; nothing for records of fixed length,
/// whose place is a multiplication).
pub(crate) fn index(
    layout: &Layout,
    body: &[u8],
    from: usize,
    rows_max: usize,
    mut table: Option<&mut Vec<u32>>,
) -> Indexed {
    let gaps = match layout {
        Layout::Fixed { stride } => {
            let rows = (body.len() - from) / (*stride).max(1);
            return Indexed { rows: rows.min(rows_max), broken: 0 };
        }
        Layout::Variable { gaps } => gaps.as_slice(),
    };
    let shortest = gaps.iter().map(|&gap| gap as usize).sum::<usize>() + gaps.len() - 1;
    let (mut at, mut rows) = (from, 0);
    while rows < rows_max && body.len() - at >= shortest.max(1) {
        let mark = table.as_ref().map_or(0, |table| table.len());
        match record(gaps, body, at, table.as_deref_mut()) {
            Some(end) => at = end,
            None => {
                if let Some(table) = table.as_deref_mut() {
                    table.truncate(mark);
                }
                // Exporters pad to 4 octets; more than that, or anything but zeros, is a record.
                let rest = &body[at..];
                let padding = rest.len() < 4 && rest.iter().all(|&octet| octet == 0);
                return Indexed { rows, broken: if padding { 0 } else { rest.len() } };
            }
        }
        rows += 1;
    }
    Indexed { rows, broken: 0 }
}

/// Counts the records of a Set: all of them, and how many of them there is `room` for. Records
/// past the room, and one that the Set cuts off, are counted as dropped.
pub(crate) fn count(plan: &Plan, body: &[u8], room: usize, tally: &mut Tally) -> (usize, usize) {
    let Indexed { rows: all, broken } = index(&plan.layout, body, 0, usize::MAX, None);
    if broken > 0 {
        tally.drop_records(DropReason::MalformedSet, 1, broken);
    }
    let rows = all.min(room);
    if rows < all {
        let lost = (body.len() - broken) / all * (all - rows);
        tally.drop_records(DropReason::RecordQuota, (all - rows) as u64, lost);
    }
    (all, rows)
}

/// One record from `at` on; gives its end. Each variable field takes an octet or more, so the end
/// is past `at`.
fn record(gaps: &[u32], body: &[u8], at: usize, mut table: Option<&mut Vec<u32>>) -> Option<usize> {
    let (last, before) = gaps.split_last()?;
    if let Some(table) = table.as_deref_mut() {
        table.push(at as u32);
    }
    let mut at = at;
    for gap in before {
        at += *gap as usize;
        let (start, length) = match *body.get(at)? {
            255 => (at + 3, usize::from(u16::from_be_bytes(*body.get(at + 1..)?.first_chunk()?))),
            short => (at + 1, usize::from(short)),
        };
        at = start + length;
        if at > body.len() {
            return None;
        }
        if let Some(table) = table.as_deref_mut() {
            table.extend([start as u32, length as u32]);
        }
    }
    at += *last as usize;
    (at <= body.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_three_octet_lengths() {
        let layout = Layout::Variable { gaps: vec![1, 2] };
        let body = [7, 2, b'a', b'b', 1, 2, 8, 255, 0, 1, b'c', 3, 4, 0, 0];
        let mut table = Vec::new();
        let found = index(&layout, &body, 0, 9, Some(&mut table));
        assert_eq!(found, Indexed { rows: 2, broken: 0 });
        let rows = VariableRows::new(&body, &table, 1);
        let text: Vec<_> = rows.slices(Loc::Variable { index: 0 }).collect();
        assert_eq!(text, [&b"ab"[..], b"c"]);
        let first: Vec<[u8; 1]> =
            rows.arrays(Loc::Fixed { segment: 0, offset: 0, width: 1 }).collect();
        assert_eq!(first, [[7], [8]]);
        assert_eq!(rows.slice(Loc::Fixed { segment: 1, offset: 0, width: 2 }, 1), [3, 4]);
    }

    #[test]
    fn a_record_past_its_set_is_broken_and_the_ones_before_stand() {
        let layout = Layout::Variable { gaps: vec![0, 0] };
        let mut table = Vec::new();
        let found = index(&layout, &[1, 9, 200, 1], 0, 9, Some(&mut table));
        assert_eq!((found, table.len()), (Indexed { rows: 1, broken: 2 }, 3));
        assert_eq!(index(&layout, &[0; 50], 0, 9, None), Indexed { rows: 9, broken: 0 });
    }

    #[test]
    fn fixed_records_leave_padding() {
        let rows = FixedRows::new(&[1, 2, 3, 4, 5, 6, 7], 3, 9);
        let loc = Loc::Fixed { segment: 0, offset: 2, width: 1 };
        assert_eq!(rows.arrays(loc).collect::<Vec<[u8; 1]>>(), [[3], [6]]);
        assert_eq!(rows.slice(loc, 1), [6]);
        assert_eq!(FixedRows::new(&[1, 2, 3, 4], 1, 2).len(), 2);
    }
}
