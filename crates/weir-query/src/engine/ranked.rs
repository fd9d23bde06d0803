//! Bucketed sums of many groups: groups are ranked on the coarsest rollups, which give the same
//! sums as finer ones; then only the winners are read in buckets. What all others add up to is the
//! sum over all rows, which a smaller cube may hold, less that of the winners.
//!
//! Invariant: the answer is the one that reading every group in buckets gives. Where that is not
//! certain (something is damaged or was dropped by retention, a sum is at the end of its range)
//! this gives nothing, and every group is read.

use weir_model::{Cidr, ColumnType};

use super::figures::FigureColumn;
use super::keys::Layout;
use super::sides::Side;
use super::states::Added;
use super::{Engine, Look, Ranking, Trace, View, ViewKind};
use crate::answer::AnswerValue;
use crate::error::QueryError;
use crate::filter::{Expr, Field, Test, Value};
use crate::plan::{Figure, Key};

/// Values of a column that are searched for one by one; more are not searched for.
const VALUES_MAX: usize = 1_000;

impl<'a> Engine<'a> {
    /// The ranking by the sums of the whole range; none where it may differ from that by buckets.
    pub(super) fn rank_coarsely(
        &self,
        look: &Look,
        figure: Figure,
        trace: &mut Trace,
    ) -> Result<Option<Ranking>, QueryError> {
        let whole = Look { bucketed: false, ..look.clone() };
        let figures = [figure];
        let is_plain = |look: &Look| {
            self.sides(look, &figures).iter().all(|Side { look, figures, .. }| {
                let choice = self.choice(look, figures);
                (choice.notes.is_empty(), choice.from, choice.to) == (true, look.from, look.to)
            })
        };
        if !is_plain(&whole) || !is_plain(look) {
            return Ok(None);
        }
        let ranking = self.rank(&whole, &figures, 0, false, trace)?;
        // Why: finer sums, or the records, may be whole where the coarsest are damaged.
        Ok((self.control.damage.blocks() == 0).then_some(ranking))
    }

    /// The figures of the ranked groups in buckets, and of all others in one group; none where
    /// these cannot be told from the sum over all.
    pub(super) fn winners<'s>(
        &'s self,
        look: &Look,
        figures: &'s [Figure],
        distinct: &'s [Option<Layout>],
        ranking: &Ranking,
        trace: &mut Trace,
    ) -> Result<Option<View<'s>>, QueryError> {
        let count = self.plan.buckets();
        let slots = (ranking.groups.len() + 1) * count;
        let narrow = Look { groups: narrowed(look, ranking), ..look.clone() };
        let known = Some(ranking);
        let added = self.add_up(&narrow, figures, distinct, known, &self.later, trace)?;
        let all = Look { keys: Vec::new(), ..look.clone() };
        let total = self.add_up(&all, figures, distinct, None, &self.later, trace)?;
        if self.control.damage.blocks() > 0 {
            return Ok(None);
        }
        let Added { mut rows, figures: winners, .. } = added;
        let others = slots - count;
        for (bucket, total) in total.rows.iter().enumerate() {
            let kept = rows[..others].iter().skip(bucket).step_by(count);
            let kept = kept.fold(0u64, |kept, rows| kept.saturating_add(*rows));
            let rest = total.checked_sub(kept).filter(|_| *total < u64::MAX);
            let Some(rest) = rest else { return Ok(None) };
            rows[others + bucket] = rest;
        }
        let rests = winners.into_iter().zip(&total.figures);
        let rests: Option<Vec<FigureColumn<'_>>> =
            rests.map(|(winners, total)| winners.with_rest(total, others)).collect();
        let seconds = trace.seconds;
        Ok(rests.map(|figures| View { kind: ViewKind::Current, rows, figures, seconds }))
    }
}

/// Holds for rows that may be of a ranked group: each key has one of the values that the groups
/// have there.
fn narrowed(look: &Look, ranking: &Ranking) -> Option<Expr> {
    let keys = look.keys.iter().enumerate();
    let tests = keys.filter_map(|(at, key)| {
        let values = ranking.groups.iter().map(|group| group.values.get(at));
        one_of(key, values.collect::<Option<Vec<_>>>()?)
    });
    Expr::all(tests.collect())
}

/// A test that holds for every row whose key has one of these values; none where that is not
/// worth it or cannot be said.
fn one_of(key: &Key, values: Vec<&AnswerValue>) -> Option<Expr> {
    if values.len() > VALUES_MAX {
        return None;
    }
    let field = Field::Column(key.def.id);
    let (mut wanted, mut null) = (Vec::new(), false);
    for value in values {
        let value = match (value, key.def.ty) {
            (AnswerValue::Null, _) => {
                null = true;
                continue;
            }
            (
                AnswerValue::U64(n),
                ColumnType::U8 | ColumnType::U16 | ColumnType::U32 | ColumnType::U64,
            ) => Value::U64(*n),
            (AnswerValue::Addr(addr), ColumnType::Addr) => match key.prefix {
                None => Value::Addr(*addr),
                Some((v4, v6)) => {
                    Value::Cidr(Cidr::new(*addr, if addr.as_v4().is_some() { v4 } else { v6 })?)
                }
            },
            _ => return None,
        };
        if !wanted.contains(&value) {
            wanted.push(value);
        }
    }
    let equal = (!wanted.is_empty()).then(|| Expr::Test(field, Test::In(false, wanted)));
    let null = null.then(|| Expr::Test(field, Test::Null(false)));
    match (equal, null) {
        (Some(equal), Some(null)) => Some(Expr::Or(vec![equal, null])),
        (equal, null) => equal.or(null),
    }
}
