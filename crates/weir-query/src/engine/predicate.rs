//! A filter compiled for one part: values turned into codes and ranges, so that a block is
//! filtered without looking at a single string or address.
//!
//! Invariant: keeps the rows that [`crate::Filter::matches`] keeps; `prune` never rules out a
//! block that has one.

mod compile;
mod rowkeys;

use weir_model::{Code, ColumnId, Scalar, Values};
use weir_store::{BlockColumn, Zone};

use super::block::Block;
use super::mask::Mask;
use crate::error::QueryError;
use crate::filter::Operator;

pub(crate) use compile::{compile, is_ruled_out};
pub(crate) use rowkeys::blocks_left;

/// A filter over the blocks of one part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Const(bool),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// The column has a value.
    Present(ColumnId),
    /// The number lies in one of the ranges; with true, in none. Times are shifted to unsigned.
    Ranges(ColumnId, bool, Vec<(u64, u64)>),
    /// All these bits are set.
    Bits(ColumnId, u64),
    /// The fraction compares so with another.
    Fraction(ColumnId, Operator, f64),
    /// The code is one of a few.
    Few(ColumnId, Vec<u32>),
    /// The code's bit is set.
    Codes(ColumnId, Vec<u64>),
    /// Two columns of one row. Codes are ranked by `Vec` first: equal codes are equal values.
    Columns(ColumnId, Operator, ColumnId, Order),
}

/// How two columns compare.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Order {
    /// By number.
    Numbers,
    /// By fraction.
    Fractions,
    /// By the rank of the code's value; the same value always has the same rank.
    Ranks(Vec<u32>),
}

/// What is known of a predicate in a block before reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    None,
    Some,
    All,
}

impl Verdict {
    fn of(bit: bool) -> Verdict {
        if bit { Verdict::All } else { Verdict::None }
    }
}

/// Order-keeping map of times to unsigned.
#[inline]
pub(crate) fn shifted(time: i64) -> u64 {
    (time as u64) ^ (1 << 63)
}

impl Node {
    /// What zone maps tell.
    pub fn prune(&self, zone: &dyn Fn(ColumnId) -> Option<Zone>) -> Verdict {
        match self {
            Node::Const(bit) => Verdict::of(*bit),
            Node::And(parts) => fold(parts, zone, Verdict::None, Verdict::All),
            Node::Or(parts) => fold(parts, zone, Verdict::All, Verdict::None),
            Node::Not(inner) => match inner.prune(zone) {
                Verdict::None => Verdict::All,
                Verdict::Some => Verdict::Some,
                Verdict::All => Verdict::None,
            },
            Node::Present(id) => match zone(*id) {
                None => Verdict::None,
                Some(zone) if zone.nulls == 0 => Verdict::All,
                Some(_) => Verdict::Some,
            },
            Node::Ranges(id, negated, ranges) => prune_ranges(zone(*id), *negated, ranges),
            Node::Few(id, codes) => match zone(*id) {
                None => Verdict::None,
                Some(Zone { min: Scalar::Code(min), max: Scalar::Code(max), nulls }) => {
                    if !codes.iter().any(|code| (min.0..=max.0).contains(code)) {
                        Verdict::None
                    } else if min == max && nulls == 0 {
                        Verdict::All
                    } else {
                        Verdict::Some
                    }
                }
                Some(_) => Verdict::Some,
            },
            Node::Codes(id, bits) => match zone(*id) {
                None => Verdict::None,
                Some(Zone { min: Scalar::Code(min), max: Scalar::Code(max), nulls }) => {
                    prune_codes(bits, min.0, max.0, nulls)
                }
                Some(_) => Verdict::Some,
            },
            Node::Bits(id, _) | Node::Fraction(id, ..) => match zone(*id) {
                None => Verdict::None,
                Some(_) => Verdict::Some,
            },
            Node::Columns(left, _, right, _) => match (zone(*left), zone(*right)) {
                (Some(_), Some(_)) => Verdict::Some,
                _ => Verdict::None,
            },
        }
    }

    /// True when bounds over all blocks of a part rule every one out. `known` gives none for bounds
    /// that are not known.
    pub fn rules_out_all(&self, known: &dyn Fn(ColumnId) -> Option<Option<Zone>>) -> bool {
        match self {
            // Why only these: a part knows the bounds of all its columns or of none.
            Node::And(parts) => parts.iter().any(|part| part.rules_out_all(known)),
            Node::Or(parts) => parts.iter().all(|part| part.rules_out_all(known)),
            Node::Ranges(id, negated, ranges) => {
                known(*id).is_some_and(|zone| prune_ranges(zone, *negated, ranges) == Verdict::None)
            }
            _ => false,
        }
    }

    /// As [`Node::eval`]; of a conjunction, what zone maps show to hold everywhere is left out.
    pub fn eval_pruned(
        &self,
        block: &mut Block<'_>,
        zone: &dyn Fn(ColumnId) -> Option<Zone>,
    ) -> Result<Mask, QueryError> {
        let Node::And(parts) = self else { return self.eval(block) };
        let mut mask = Mask::filled(block.rows, true);
        for part in parts {
            match part.prune(zone) {
                Verdict::All => continue,
                Verdict::None => return Ok(Mask::filled(block.rows, false)),
                Verdict::Some => mask.and(&part.eval_pruned(block, zone)?),
            }
            if mask.is_empty() {
                break;
            }
        }
        Ok(mask)
    }

    /// The rows of `block` that it keeps.
    pub fn eval(&self, block: &mut Block<'_>) -> Result<Mask, QueryError> {
        let rows = block.rows;
        Ok(match self {
            Node::Const(bit) => Mask::filled(rows, *bit),
            Node::And(parts) => {
                let mut mask = Mask::filled(rows, true);
                for part in parts {
                    mask.and(&part.eval(block)?);
                    if mask.is_empty() {
                        break;
                    }
                }
                mask
            }
            Node::Or(parts) => {
                let mut mask = Mask::filled(rows, false);
                for part in parts {
                    mask.or(&part.eval(block)?);
                }
                mask
            }
            Node::Not(inner) => {
                let mut mask = inner.eval(block)?;
                mask.not();
                mask
            }
            Node::Present(id) => block.present(*id)?,
            Node::Ranges(id, negated, ranges) => {
                let mut mask = eval_ranges(block.column(*id)?, rows, *negated, ranges);
                only_present(&mut mask, block, *id)?;
                mask
            }
            Node::Bits(id, bits) => {
                let mut mask = by_number(block.column(*id)?, rows, |n| n & bits == *bits);
                only_present(&mut mask, block, *id)?;
                mask
            }
            Node::Fraction(id, operator, other) => {
                let mut mask = by_number(block.column(*id)?, rows, |bits| {
                    let ordering = f64::from_bits(bits).partial_cmp(other);
                    ordering.is_some_and(|ordering| operator.holds(ordering))
                });
                only_present(&mut mask, block, *id)?;
                mask
            }
            Node::Few(id, codes) => {
                let mut mask = match codes.as_slice() {
                    [one] => by_code(block.column(*id)?, rows, |code| code == *one),
                    many => by_code(block.column(*id)?, rows, |code| many.contains(&code)),
                };
                only_present(&mut mask, block, *id)?;
                mask
            }
            Node::Codes(id, bits) => {
                let mut mask = by_code(block.column(*id)?, rows, |code| bit(bits, code));
                only_present(&mut mask, block, *id)?;
                mask
            }
            Node::Columns(left, operator, right, order) => {
                eval_columns(block, *left, *operator, *right, order)?
            }
        })
    }
}

fn fold(
    parts: &[Node],
    zone: &dyn Fn(ColumnId) -> Option<Zone>,
    deciding: Verdict,
    neutral: Verdict,
) -> Verdict {
    let mut verdict = neutral;
    for part in parts {
        match part.prune(zone) {
            part if part == deciding => return deciding,
            part if part != neutral => verdict = Verdict::Some,
            _ => {}
        }
    }
    verdict
}

fn prune_ranges(zone: Option<Zone>, negated: bool, ranges: &[(u64, u64)]) -> Verdict {
    let Some(zone) = zone else { return Verdict::None };
    let (min, max) = match (zone.min, zone.max) {
        (Scalar::U64(min), Scalar::U64(max)) => (min, max),
        (Scalar::I64(min), Scalar::I64(max)) => (shifted(min), shifted(max)),
        _ => return Verdict::Some,
    };
    let touches = ranges.iter().any(|(low, high)| *low <= max && min <= *high);
    let covers = ranges.iter().any(|(low, high)| *low <= min && max <= *high);
    match (touches, covers, negated) {
        (false, _, false) | (_, true, true) => Verdict::None,
        (_, true, false) | (false, _, true) if zone.nulls == 0 => Verdict::All,
        _ => Verdict::Some,
    }
}

fn prune_codes(bits: &[u64], min: u32, max: u32, nulls: u32) -> Verdict {
    let (first, last) = (min as usize / 64, max as usize / 64);
    let words = bits.get(first..=last.min(bits.len().saturating_sub(1))).unwrap_or_default();
    if words.iter().all(|word| *word == 0) {
        return Verdict::None;
    }
    if nulls == 0 && min == max && bit(bits, min) { Verdict::All } else { Verdict::Some }
}

#[inline]
fn bit(bits: &[u64], code: u32) -> bool {
    bits.get(code as usize / 64).is_some_and(|word| word >> (code % 64) & 1 == 1)
}

fn only_present(mask: &mut Mask, block: &mut Block<'_>, id: ColumnId) -> Result<(), QueryError> {
    let rows = block.rows;
    if let BlockColumn::Values { validity: Some(bits), .. } = block.column(id)? {
        mask.and(&Mask::of_validity(bits, rows));
    }
    Ok(())
}

fn eval_ranges(column: &BlockColumn, rows: usize, negated: bool, ranges: &[(u64, u64)]) -> Mask {
    if let ([(low, high)], BlockColumn::Values { data: Values::I64(v), .. }) = (ranges, column) {
        let (low, span) = (*low, high.wrapping_sub(*low));
        return Mask::of(v, |n| (shifted(n).wrapping_sub(low) <= span) != negated);
    }
    if let [(low, high)] = ranges {
        let (low, span) = (*low, high.wrapping_sub(*low));
        return by_ordered(column, rows, |n| (n.wrapping_sub(low) <= span) != negated);
    }
    if let BlockColumn::Values { data: Values::U16(v), .. } = column {
        // Cost: 8 KiB once a block, instead of so many comparisons a row.
        let mut bits = vec![0u64; 1_024];
        for (low, high) in ranges.iter().filter(|(low, _)| *low <= u64::from(u16::MAX)) {
            for n in *low..=(*high).min(u16::MAX.into()) {
                bits[n as usize / 64] |= 1 << (n % 64);
            }
        }
        return Mask::of(v, |n| bit(&bits, n.into()) != negated);
    }
    by_ordered(column, rows, |n| {
        ranges.iter().any(|(low, high)| (*low..=*high).contains(&n)) != negated
    })
}

/// By the number, times shifted.
fn by_ordered(column: &BlockColumn, rows: usize, keep: impl Fn(u64) -> bool) -> Mask {
    match column {
        BlockColumn::Constant(Scalar::I64(time)) => Mask::filled(rows, keep(shifted(*time))),
        BlockColumn::Values { data: Values::I64(v), .. } => Mask::of(v, |n| keep(shifted(n))),
        column => by_number(column, rows, keep),
    }
}

/// By the number; fractions by their bits. Nulls are not looked at.
#[inline]
fn by_number(column: &BlockColumn, rows: usize, keep: impl Fn(u64) -> bool) -> Mask {
    match column {
        BlockColumn::Constant(Scalar::U64(value)) => Mask::filled(rows, keep(*value)),
        BlockColumn::Constant(Scalar::F64(value)) => Mask::filled(rows, keep(value.to_bits())),
        BlockColumn::Values { data, .. } => match data {
            Values::U8(v) => Mask::of(v, |n| keep(n.into())),
            Values::U16(v) => Mask::of(v, |n| keep(n.into())),
            Values::U32(v) => Mask::of(v, |n| keep(n.into())),
            Values::U64(v) => Mask::of(v, keep),
            Values::F64(v) => Mask::of(v, |n| keep(n.to_bits())),
            _ => Mask::filled(rows, false),
        },
        _ => Mask::filled(rows, false),
    }
}

#[inline]
fn by_code(column: &BlockColumn, rows: usize, keep: impl Fn(u32) -> bool) -> Mask {
    match column {
        BlockColumn::Constant(Scalar::Code(code)) => Mask::filled(rows, keep(code.0)),
        BlockColumn::Values { data: Values::Code(v), .. } => Mask::of(v, |code: Code| keep(code.0)),
        _ => Mask::filled(rows, false),
    }
}

fn eval_columns(
    block: &mut Block<'_>,
    left: ColumnId,
    operator: Operator,
    right: ColumnId,
    order: &Order,
) -> Result<Mask, QueryError> {
    let mut mask = block.present(left)?;
    mask.and(&block.present(right)?);
    let (left, right) = (block.column(left)?.clone(), block.column(right)?.clone());
    let rank = |ranks: &[u32], scalar| match scalar {
        Some(Scalar::Code(code)) => ranks.get(code.0 as usize).copied(),
        _ => None,
    };
    let rows: Vec<u32> = (0..block.rows as u32).collect();
    mask.and(&Mask::of(&rows, |row| {
        let (a, b) = (left.get(row as usize), right.get(row as usize));
        let ordering = match (order, a, b) {
            (Order::Ranks(ranks), a, b) => {
                rank(ranks, a).zip(rank(ranks, b)).map(|(a, b)| a.cmp(&b))
            }
            (_, Some(Scalar::U64(a)), Some(Scalar::U64(b))) => Some(a.cmp(&b)),
            (_, Some(Scalar::I64(a)), Some(Scalar::I64(b))) => Some(a.cmp(&b)),
            (_, Some(Scalar::F64(a)), Some(Scalar::F64(b))) => a.partial_cmp(&b),
            _ => None,
        };
        ordering.is_some_and(|ordering| operator.holds(ordering))
    }));
    Ok(mask)
}
