//! A column of a batch, cut to the rows of a block and rid of nulls.

use std::borrow::Cow;
use std::ops::Range;

use weir_model::{Bitmap, Column, Native, Scalar, Values, for_each_values};

/// What a block's column has to be written from.
pub(crate) enum Source<'a> {
    /// Null in every row.
    Absent,
    /// One value in every row.
    Constant(Scalar),
    /// The values of the rows that have one.
    Dense {
        /// The values, without gaps.
        values: Dense<'a>,
        /// Which rows they are of; `None` for all.
        validity: Option<Bitmap>,
    },
}

/// Values of one type, borrowed where nothing had to be left out.
pub(crate) enum Dense<'a> {
    U8(Cow<'a, [u8]>),
    U16(Cow<'a, [u16]>),
    U32(Cow<'a, [u32]>),
    U64(Cow<'a, [u64]>),
    I64(Cow<'a, [i64]>),
    F64(Cow<'a, [f64]>),
    Addr(Cow<'a, [weir_model::Addr]>),
    Code(Cow<'a, [weir_model::Code]>),
}

impl<'a> Source<'a> {
    /// Rows `rows` of `column`, which may cover fewer.
    pub(crate) fn of(column: &'a Column, rows: Range<usize>) -> Source<'a> {
        match column {
            Column::Absent => Source::Absent,
            Column::Constant { len, .. } if *len <= rows.start => Source::Absent,
            Column::Constant { value, len } if *len >= rows.end => Source::Constant(*value),
            Column::Constant { value, len } => repeated(*value, *len - rows.start, rows.len()),
            Column::Values { data, validity } => {
                let covered = rows.start.min(data.len())..rows.end.min(data.len());
                let whole = covered.len() == rows.len();
                let validity = match validity {
                    None if whole => None,
                    bits => Some(cut(bits.as_ref(), covered.clone(), &rows)),
                };
                match validity.as_ref().map(Bitmap::count_ones) {
                    Some(0) => Source::Absent,
                    Some(ones) if ones < rows.len() => {
                        Source::Dense { values: dense(data, covered, validity.as_ref()), validity }
                    }
                    _ => Source::Dense { values: dense(data, covered, None), validity: None },
                }
            }
        }
    }
}

/// A value that only the first `len` of `rows` rows have.
fn repeated<'a>(value: Scalar, len: usize, rows: usize) -> Source<'a> {
    let mut bits = Bitmap::filled(len, true);
    bits.extend_by(rows - len, false);
    let values = match value {
        Scalar::U64(v) => Dense::U64(vec![v; len].into()),
        Scalar::I64(v) => Dense::I64(vec![v; len].into()),
        Scalar::F64(v) => Dense::F64(vec![v; len].into()),
        Scalar::Addr(v) => Dense::Addr(vec![v; len].into()),
        Scalar::Code(v) => Dense::Code(vec![v; len].into()),
    };
    Source::Dense { values, validity: Some(bits) }
}

/// Validity of `rows`, of which only `covered` have data.
fn cut(bits: Option<&Bitmap>, covered: Range<usize>, rows: &Range<usize>) -> Bitmap {
    let mut cut = match bits {
        None => Bitmap::filled(covered.len(), true),
        Some(bits) if covered.start == 0 => {
            let mut bits = bits.clone();
            bits.truncate(covered.len());
            bits
        }
        Some(bits) => {
            let mut cut = Bitmap::filled(covered.len(), false);
            for at in covered.clone().filter(|at| bits.get(*at)) {
                cut.set(at - covered.start, true);
            }
            cut
        }
    };
    cut.extend_by(rows.len() - cut.len(), false);
    cut
}

fn dense<'a>(data: &'a Values, rows: Range<usize>, validity: Option<&Bitmap>) -> Dense<'a> {
    macro_rules! kept {
        ($variant:ident, $values:expr) => {
            Dense::$variant(keep(&$values[rows], validity))
        };
    }
    match data {
        Values::U8(v) => kept!(U8, v),
        Values::U16(v) => kept!(U16, v),
        Values::U32(v) => kept!(U32, v),
        Values::U64(v) => kept!(U64, v),
        Values::I64(v) => kept!(I64, v),
        Values::F64(v) => kept!(F64, v),
        Values::Addr(v) => kept!(Addr, v),
        Values::Code(v) => kept!(Code, v),
    }
}

fn keep<'a, T: Copy>(values: &'a [T], validity: Option<&Bitmap>) -> Cow<'a, [T]> {
    let Some(bits) = validity else { return Cow::Borrowed(values) };
    let mut kept = Vec::with_capacity(bits.count_ones());
    for (word, values) in bits.words().iter().zip(values.chunks(64)) {
        let mut word = *word;
        while word != 0 {
            kept.push(values[word.trailing_zeros() as usize]);
            word &= word - 1;
        }
    }
    Cow::Owned(kept)
}

/// Spreads values over the rows that `bits` marks; the others get the type's default.
pub(crate) fn spread(data: Values, bits: &Bitmap) -> Values {
    fn rows<T: Native>(dense: Vec<T>, bits: &Bitmap) -> Vec<T> {
        let mut rows = vec![T::default(); bits.len()];
        let mut values = dense.into_iter();
        for (word, rows) in bits.words().iter().zip(rows.chunks_mut(64)) {
            let mut word = *word;
            while word != 0 {
                rows[word.trailing_zeros() as usize] = values.next().unwrap_or_default();
                word &= word - 1;
            }
        }
        rows
    }
    macro_rules! spread {
        ($($variant:ident),*) => {
            match data {
                $(Values::$variant(dense) => Values::$variant(rows(dense, bits)),)*
            }
        };
    }
    spread!(U8, U16, U32, U64, I64, F64, Addr, Code)
}

/// Number of values, whatever the type.
pub(crate) fn count(values: &Values) -> usize {
    for_each_values!(values, v => v.len())
}
