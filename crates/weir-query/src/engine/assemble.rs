//! States to the columns of an answer.

use weir_model::{ColumnType, Timestamp};

use super::figures::FigureColumn;
use super::states::Added;
use crate::answer::{Answer, AnswerColumn, AnswerValue, Stats};
use crate::plan::Plan;

/// Which period or end a view is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ViewKind {
    Current,
    Previous,
    Reverse,
}

impl ViewKind {
    fn prefix(self) -> &'static str {
        match self {
            ViewKind::Current => "",
            ViewKind::Previous => "previous.",
            ViewKind::Reverse => "reverse.",
        }
    }
}

/// Figures of all groups and buckets, the others last.
pub(crate) struct View<'a> {
    pub kind: ViewKind,
    /// Rows of each slot: group times buckets plus bucket.
    pub rows: Vec<u64>,
    pub figures: Vec<FigureColumn<'a>>,
    /// Length of the range that was read, which rates divide by where there are no buckets.
    pub seconds: f64,
}

impl<'a> View<'a> {
    pub fn new(kind: ViewKind, added: Added<'a>, seconds: f64) -> View<'a> {
        View { kind, rows: added.rows, figures: added.figures, seconds }
    }
}

/// Builds the answer of groups with these keys; statistics are left empty.
pub(crate) fn assemble(plan: &Plan, keys: &[Vec<AnswerValue>], views: &[View<'_>]) -> Answer {
    let buckets = plan.buckets();
    let is_there =
        |slot: &usize| views.iter().any(|view| view.rows.get(*slot).is_some_and(|rows| *rows > 0));
    let others = keys.len() * buckets..(keys.len() + 1) * buckets;
    // Without keys the only group is the one that holds all others.
    let own = if plan.keys.is_empty() { others.clone() } else { 0..keys.len() * buckets };
    let always = plan.keys.is_empty() && plan.bucket.is_none();
    let own: Vec<usize> = own.filter(|slot| always || is_there(slot)).collect();
    let other: Vec<usize> = match plan.keys.is_empty() {
        true => Vec::new(),
        false => others.filter(is_there).collect(),
    };
    let totals: Vec<View<'_>> = views.iter().map(|view| folded(view, buckets)).collect();
    let total: Vec<usize> = (0..buckets)
        .filter(|slot| {
            plan.bucket.is_none()
                || totals.iter().any(|view| view.rows.get(*slot).is_some_and(|rows| *rows > 0))
        })
        .collect();
    Answer {
        columns: columns(plan, keys, views, &own, buckets),
        other: match other.is_empty() {
            true => Vec::new(),
            false => columns(plan, &[], views, &other, buckets),
        },
        total: columns(plan, &[], &totals, &total, buckets),
        stats: Stats::default(),
    }
}

fn folded<'a>(view: &View<'a>, buckets: usize) -> View<'a> {
    let to = |slot: usize| slot % buckets;
    let mut rows = vec![0u64; buckets];
    for (slot, more) in view.rows.iter().enumerate() {
        if let Some(sum) = rows.get_mut(to(slot)) {
            *sum = sum.saturating_add(*more);
        }
    }
    let figures = view.figures.iter().map(|figure| figure.folded(buckets, &to)).collect();
    View { rows, figures, ..*view }
}

/// The columns of these slots. Group columns are there when `keys` are.
fn columns(
    plan: &Plan,
    keys: &[Vec<AnswerValue>],
    views: &[View<'_>],
    slots: &[usize],
    buckets: usize,
) -> Vec<AnswerColumn> {
    let mut columns = Vec::new();
    if let Some(width) = plan.bucket {
        let start = |slot: &usize| {
            let offset = (*slot % buckets) as i64 * width;
            AnswerValue::Time(Timestamp(plan.first_bucket().saturating_add(offset)))
        };
        let values = slots.iter().map(start).collect();
        columns.push(AnswerColumn { name: "time".into(), ty: "time", unit: "", values });
    }
    let with_keys = !keys.is_empty() || slots.is_empty();
    for (at, key) in plan.keys.iter().enumerate().filter(|_| with_keys) {
        let value = |slot: &usize| {
            keys.get(slot / buckets)
                .and_then(|key| key.get(at))
                .cloned()
                .unwrap_or(AnswerValue::Null)
        };
        columns.push(AnswerColumn {
            name: key.name.clone(),
            ty: match key.def.ty {
                ColumnType::U32List | ColumnType::Elements => ColumnType::Bytes.name(),
                ty => ty.name(),
            },
            unit: key.def.unit.name(),
            values: slots.iter().map(value).collect(),
        });
    }
    for view in views {
        let seconds = plan.bucket.map_or(view.seconds, |width| width as f64 / 1e9);
        for (measure, figure) in plan.measures.iter().zip(&view.figures) {
            let value = |slot: &usize| figure.value(*slot, measure, seconds);
            columns.push(AnswerColumn {
                name: format!("{}{}", view.kind.prefix(), measure.name),
                ty: measure.ty,
                unit: measure.unit,
                values: slots.iter().map(value).collect(),
            });
        }
    }
    columns
}
