//! Where the columns of the flow table lie in what is read: in raw rows as they are, in rollups
//! under other numbers and already summed.

use weir_model::columns::{flows, rollups};
use weir_model::{ColumnId, Cube, Scalar, Table};
use weir_store::BlockColumn;

use super::block::{Block, numbers};
use super::mask::Selection;
use super::part::Part;
use crate::error::QueryError;
use crate::plan::Figure;

/// How to read a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    /// Rows as they came.
    Raw(Table),
    /// Sums of flow records over the dimensions of a cube.
    Cube(Cube),
}

/// What rows add to a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addends {
    Nothing,
    /// 1 each.
    Ones,
    /// Their values in a column; nulls add nothing.
    Column(ColumnId),
    /// Their values in two columns.
    Columns(ColumnId, ColumnId),
}

/// The columns that rollups sum: flow column, its sum, its scaled sum.
const SUMS: [(ColumnId, ColumnId, ColumnId); 4] = [
    (flows::OCTETS, rollups::OCTETS, rollups::OCTETS_SCALED),
    (flows::PACKETS, rollups::PACKETS, rollups::PACKETS_SCALED),
    (flows::REVERSE_OCTETS, rollups::REVERSE_OCTETS, rollups::REVERSE_OCTETS_SCALED),
    (flows::REVERSE_PACKETS, rollups::REVERSE_PACKETS, rollups::REVERSE_PACKETS_SCALED),
];

/// True when rollups hold the sums that `figure` needs.
pub(crate) fn is_rolled_up(figure: Figure) -> bool {
    match figure {
        Figure::Count | Figure::Nothing => true,
        Figure::Sum(id, _) => is_summed(id),
        Figure::Both(one, other, _) => is_summed(one) && is_summed(other),
        _ => false,
    }
}

fn is_summed(id: ColumnId) -> bool {
    SUMS.iter().any(|(flow, ..)| *flow == id)
}

/// What the responder of a record sent: whether it sent anything is told by these.
pub(crate) const RESPONSE: [ColumnId; 2] = [flows::REVERSE_OCTETS, flows::REVERSE_PACKETS];

impl Binding {
    /// The part's number of a column of the queried table.
    pub fn column(self, id: ColumnId) -> ColumnId {
        match self {
            Binding::Raw(_) => id,
            Binding::Cube(_) if id == flows::RECEIVED_AT => rollups::RECEIVED_AT,
            Binding::Cube(cube) => {
                let found = cube.dimensions().iter().find(|(flow, _)| *flow == id);
                // Proof: the planner binds a cube only to queries of its dimensions.
                found.map_or(ColumnId(u16::MAX), |(_, rollup)| *rollup)
            }
        }
    }

    /// The part's column of a counter of the queried table.
    pub fn counter(self, id: ColumnId, scaled: bool) -> ColumnId {
        match self {
            Binding::Raw(_) => id,
            Binding::Cube(_) => {
                let sums = SUMS.iter().find(|(flow, ..)| *flow == id);
                // Proof: the planner binds a cube only to figures that rollups have.
                let sum = sums.map(|(_, plain, full)| if scaled { *full } else { *plain });
                sum.unwrap_or(ColumnId(u16::MAX))
            }
        }
    }

    /// The part's columns that a sum is made of, the second for the other direction.
    fn counters(self, figure: Figure) -> Option<(ColumnId, Option<ColumnId>)> {
        match figure {
            Figure::Sum(id, scaled) => Some((self.counter(id, scaled), None)),
            Figure::Both(one, other, scaled) => {
                Some((self.counter(one, scaled), Some(self.counter(other, scaled))))
            }
            Figure::Count if matches!(self, Binding::Cube(_)) => Some((rollups::FLOWS, None)),
            _ => None,
        }
    }

    /// The part's columns that a figure is made of.
    pub fn sources(self, figure: Figure, out: &mut Vec<ColumnId>) {
        match (self, self.counters(figure)) {
            (_, Some((one, other))) => out.extend([one].into_iter().chain(other)),
            (Binding::Raw(_), None) => out.extend(figure.column()),
            (Binding::Cube(_), None) => {}
        }
        if figure.is_scaled() && self == Binding::Raw(Table::Flows) {
            out.push(flows::SAMPLING_RATE);
        }
    }

    /// The column whose values are what each row adds to an additive figure, and the factor that
    /// all of them take; none where it is not that simple.
    pub fn plain_addends(self, figure: Figure, block: &Block<'_>) -> Option<(Addends, u64)> {
        let rate = match block.known(flows::SAMPLING_RATE) {
            _ if !figure.is_scaled() || self != Binding::Raw(Table::Flows) => 1,
            BlockColumn::Absent | BlockColumn::Constant(Scalar::U64(0)) => 1,
            BlockColumn::Constant(Scalar::U64(rate)) => *rate,
            _ => return None,
        };
        let addends = match (figure, self.counters(figure)) {
            (_, Some((one, None))) => Addends::Column(one),
            (_, Some((one, Some(other)))) => Addends::Columns(one, other),
            (Figure::Count, None) => Addends::Ones,
            (Figure::Nothing, None) => Addends::Nothing,
            _ => return None,
        };
        Some((addends, rate))
    }

    /// What each kept row adds to an additive figure.
    pub fn addends(
        self,
        figure: Figure,
        block: &mut Block<'_>,
        kept: &Selection,
        out: &mut Vec<u64>,
    ) -> Result<(), QueryError> {
        out.clear();
        match self.counters(figure) {
            Some((one, other)) => {
                numbers(block.column(one)?, kept, 0, out);
                if let Some(other) = other {
                    add_numbers(block.column(other)?, kept, out);
                }
            }
            None => out.resize(kept.len(), u64::from(figure == Figure::Count)),
        }
        if figure.is_scaled() && self == Binding::Raw(Table::Flows) {
            scale(block, kept, out)?;
        }
        Ok(())
    }

    /// False when it is known that no responder of the part's records sent anything.
    pub fn has_responses(self, part: &dyn Part) -> bool {
        RESPONSE.iter().any(|id| match part.overall(self.counter(*id, false)) {
            Some(Some(zone)) => zone.max != Scalar::U64(0),
            known => known.is_none(),
        })
    }
}

/// Adds the numbers of a column; nulls add nothing. Saturates.
fn add_numbers(column: &BlockColumn, kept: &Selection, out: &mut [u64]) {
    // Cost: records of one direction have no such column, and pay nothing for it.
    if matches!(column, BlockColumn::Absent) {
        return;
    }
    let mut more = Vec::with_capacity(kept.len());
    numbers(column, kept, 0, &mut more);
    for (value, more) in out.iter_mut().zip(more) {
        *value = value.saturating_add(more);
    }
}

/// Multiplies by the sampling rate of each row; unknown counts as 1. Saturates.
fn scale(block: &mut Block<'_>, kept: &Selection, out: &mut [u64]) -> Result<(), QueryError> {
    match block.column(flows::SAMPLING_RATE)? {
        BlockColumn::Absent | BlockColumn::Constant(Scalar::U64(0 | 1)) => {}
        BlockColumn::Constant(Scalar::U64(rate)) => {
            let rate = *rate;
            out.iter_mut().for_each(|value| *value = value.saturating_mul(rate));
        }
        column => {
            let mut rates = Vec::with_capacity(kept.len());
            numbers(column, kept, 1, &mut rates);
            for (value, rate) in out.iter_mut().zip(rates) {
                *value = value.saturating_mul(rate.max(1));
            }
        }
    }
    Ok(())
}

/// Kept rows of raw flows whose sampling rate is unknown.
pub(crate) fn rate_unknown(block: &mut Block<'_>, kept: &Selection) -> Result<u64, QueryError> {
    Ok(match block.column(flows::SAMPLING_RATE)? {
        BlockColumn::Absent => kept.len() as u64,
        BlockColumn::Values { validity: Some(bits), .. } => {
            kept.rows().filter(|row| !bits.get(*row)).count() as u64
        }
        _ => 0,
    })
}
