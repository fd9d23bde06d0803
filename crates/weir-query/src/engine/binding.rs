//! Where the columns of the flow table lie in what is read: in raw rows as they are, in rollups
//! under other numbers and already summed.

use weir_model::columns::{flows, rollups};
use weir_model::{ColumnId, Cube, Table};

use super::block::{Block, numbers};
use super::mask::Selection;
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
    /// 1 each.
    Ones,
    /// Their values in a column; nulls add nothing.
    Column(ColumnId),
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
        Figure::Count => true,
        Figure::Sum(id, _) => SUMS.iter().any(|(flow, ..)| *flow == id),
        _ => false,
    }
}

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

    /// The part's columns that a figure is made of.
    pub fn sources(self, figure: Figure, out: &mut Vec<ColumnId>) {
        match (self, figure) {
            (Binding::Cube(_), Figure::Sum(id, scaled)) => {
                let sums = SUMS.iter().find(|(flow, ..)| *flow == id);
                out.extend(sums.map(|(_, plain, full)| if scaled { *full } else { *plain }));
            }
            (Binding::Cube(_), _) => out.push(rollups::FLOWS),
            (Binding::Raw(table), _) => {
                out.extend(figure.column());
                if matches!(figure, Figure::Sum(_, true)) && table == Table::Flows {
                    out.push(flows::SAMPLING_RATE);
                }
            }
        }
    }

    /// The column whose values are what each row adds to an additive figure, and the factor that
    /// all of them take; none where it is not that simple.
    pub fn plain_addends(self, figure: Figure, block: &Block<'_>) -> Option<(Addends, u64)> {
        use weir_model::Scalar;
        use weir_store::BlockColumn;
        match (self, figure) {
            (Binding::Raw(table), Figure::Sum(id, scaled)) => {
                let rate = match block.known(flows::SAMPLING_RATE) {
                    _ if !scaled || table != Table::Flows => 1,
                    BlockColumn::Absent | BlockColumn::Constant(Scalar::U64(0)) => 1,
                    BlockColumn::Constant(Scalar::U64(rate)) => *rate,
                    _ => return None,
                };
                Some((Addends::Column(id), rate))
            }
            (Binding::Raw(_), Figure::Count) => Some((Addends::Ones, 1)),
            (Binding::Cube(_), Figure::Sum(..) | Figure::Count) => {
                let mut sources = Vec::with_capacity(1);
                self.sources(figure, &mut sources);
                Some((Addends::Column(sources.pop()?), 1))
            }
            _ => None,
        }
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
        match (self, figure) {
            (Binding::Raw(_), Figure::Sum(id, scaled)) => {
                numbers(block.column(id)?, kept, 0, out);
                if let (true, Binding::Raw(Table::Flows)) = (scaled, self) {
                    scale(block, kept, out)?;
                }
            }
            (Binding::Raw(_), _) => out.resize(kept.len(), 1),
            (Binding::Cube(_), Figure::Sum(id, scaled)) => {
                let sums = SUMS.iter().find(|(flow, ..)| *flow == id);
                let column = sums.map(|(_, plain, full)| if scaled { *full } else { *plain });
                let column = column.unwrap_or(ColumnId(u16::MAX));
                numbers(block.column(column)?, kept, 0, out);
            }
            (Binding::Cube(_), _) => numbers(block.column(rollups::FLOWS)?, kept, 0, out),
        }
        Ok(())
    }
}

/// Multiplies by the sampling rate of each row; unknown counts as 1. Saturates.
fn scale(block: &mut Block<'_>, kept: &Selection, out: &mut [u64]) -> Result<(), QueryError> {
    use weir_model::Scalar;
    use weir_store::BlockColumn;
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
    use weir_store::BlockColumn;
    Ok(match block.column(flows::SAMPLING_RATE)? {
        BlockColumn::Absent => kept.len() as u64,
        BlockColumn::Values { validity: Some(bits), .. } => {
            kept.rows().filter(|row| !bits.get(*row)).count() as u64
        }
        _ => 0,
    })
}
