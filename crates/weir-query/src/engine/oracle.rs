//! The slow, plain evaluation that the engine is held against: row by row, without blocks, codes,
//! rollups or ranking.

use std::collections::{BTreeMap, HashMap};

use weir_model::columns::flows;
use weir_model::{ColumnId, ColumnType, FlowBatch, Scalar, Timestamp};

use super::top::compare_rows;
use crate::answer::AnswerValue;
use crate::filter::{Expr, Filter};
use crate::plan::{Figure, Key, Plan, exchanged, mirror, mirror_expr, mirror_keys};
use crate::query::{Directions, Order};

/// A value as an answer shows it.
pub(super) fn value(batch: &FlowBatch, id: ColumnId, row: usize) -> AnswerValue {
    let ty = batch.table().def(id).map(|def| def.ty);
    match (batch.get(id, row), ty) {
        (None, _) => AnswerValue::Null,
        (Some(Scalar::U64(n)), Some(ColumnType::Mac)) => AnswerValue::Mac(weir_model::Mac(n)),
        (Some(Scalar::U64(n)), _) => AnswerValue::U64(n),
        (Some(Scalar::I64(n)), _) => AnswerValue::Time(Timestamp(n)),
        (Some(Scalar::F64(n)), _) => AnswerValue::F64(n),
        (Some(Scalar::Addr(addr)), _) => AnswerValue::Addr(addr),
        (Some(Scalar::Code(code)), Some(ColumnType::Str)) => {
            let text = String::from_utf8_lossy(batch.interner().get(code));
            AnswerValue::Text(text.into_owned())
        }
        (Some(Scalar::Code(code)), _) => {
            let octets = batch.interner().get(code);
            AnswerValue::Hex(octets.iter().map(|octet| format!("{octet:02x}")).collect())
        }
    }
}

/// Rows of a group and bucket: batch, row, and whether what its responder sent is meant.
type Rows = Vec<(usize, usize, bool)>;

/// What the engine must answer: rows of [bucket, keys, figures] for columns, other and total.
#[derive(Debug, PartialEq)]
pub(crate) struct Expected {
    pub columns: Vec<Vec<AnswerValue>>,
    pub other: Vec<Vec<AnswerValue>>,
    pub total: Vec<Vec<AnswerValue>>,
}

struct Seen {
    by_group: HashMap<String, BTreeMap<usize, Rows>>,
    keys: HashMap<String, Vec<AnswerValue>>,
}

/// Evaluates a plan row by row.
pub(crate) fn expected(plan: &Plan, batches: &[FlowBatch]) -> Expected {
    let as_is = (&plan.filter, &plan.keys);
    let of = if plan.directions == Directions::Both { mirror } else { exchanged };
    let other_filter = plan.filter.as_ref().map(|expr| mirror_expr(plan.table, expr, of));
    let other_keys = mirror_keys(plan.table, &plan.keys, of);
    let other = (&other_filter, &other_keys);
    let response = (plan.directions != Directions::One).then_some(other);
    let mut looks = vec![look(plan, batches, 0, as_is, response)];
    if let Some(back) = plan.compare {
        looks.push(look(plan, batches, back, as_is, response));
    }
    if plan.directions == Directions::Both {
        looks.push(look(plan, batches, 0, other, Some(as_is)));
    }
    let current = &looks[0];
    let mut ranked: Vec<&String> = current.by_group.keys().collect();
    let figure = |group: &String| {
        let rows: Rows = current.by_group[group].values().flatten().copied().collect();
        show(plan, batches, &rows, plan.order_by)
    };
    ranked.sort_by(|a, b| {
        let keys = || compare_rows(&current.keys[*a], &current.keys[*b]);
        let (a, b) = (figure(a), figure(b));
        let nulls_last = (a == AnswerValue::Null).cmp(&(b == AnswerValue::Null));
        let figures = compare_rows(std::slice::from_ref(&a), std::slice::from_ref(&b));
        let figures = if plan.order == Order::Desc { figures.reverse() } else { figures };
        nulls_last.then(figures).then_with(keys)
    });
    let kept = ranked.len().min(plan.limit.unwrap_or(usize::MAX));
    let own: Vec<String> = match plan.keys.is_empty() {
        true => vec![String::new()],
        false => ranked[..kept].iter().map(|group| (*group).clone()).collect(),
    };
    let render = |groups: &dyn Fn(&Seen) -> Vec<String>, keys: Option<&String>, always: bool| {
        let mut out = Vec::new();
        for bucket in 0..plan.buckets() {
            let rows: Vec<Rows> = looks
                .iter()
                .map(|look| {
                    let lists = groups(look).into_iter();
                    let lists = lists.filter_map(|group| look.by_group.get(&group)?.get(&bucket));
                    lists.flatten().copied().collect()
                })
                .collect();
            if rows.iter().all(Vec::is_empty) && !always {
                continue;
            }
            let mut line = Vec::new();
            if let Some(width) = plan.bucket {
                let at = plan.first_bucket() + width * bucket as i64;
                line.push(AnswerValue::Time(Timestamp(at)));
            }
            if let Some(keys) = keys.and_then(|group| current.keys.get(group)) {
                line.extend(keys.iter().cloned());
            }
            for rows in &rows {
                let shown = |at| show(plan, batches, rows, at);
                line.extend((0..plan.measures.len()).map(shown));
            }
            out.push(line);
        }
        out
    };
    let single = plan.bucket.is_none();
    let mut columns = Vec::new();
    for group in &own {
        let always = single && (plan.keys.is_empty());
        columns.extend(render(&|_| vec![group.clone()], Some(group), always));
    }
    let rest = |look: &Seen| {
        let rest = look.by_group.keys().filter(|group| !own.contains(group));
        rest.cloned().collect::<Vec<_>>()
    };
    let other = match plan.keys.is_empty() {
        true => Vec::new(),
        false => render(&rest, None, false),
    };
    let all = |look: &Seen| look.by_group.keys().cloned().collect::<Vec<_>>();
    Expected { columns, other, total: render(&all, None, single) }
}

type Asked<'a> = (&'a Option<Expr>, &'a Vec<Key>);

/// Rows by group; what responders sent goes by a filter and keys of its own.
fn look(
    plan: &Plan,
    batches: &[FlowBatch],
    back: i64,
    asked: Asked<'_>,
    response: Option<Asked<'_>>,
) -> Seen {
    let mut seen = Seen { by_group: HashMap::new(), keys: HashMap::new() };
    see(plan, batches, back, asked, false, &mut seen);
    if let Some(asked) = response {
        see(plan, batches, back, asked, true, &mut seen);
    }
    seen
}

fn see(
    plan: &Plan,
    batches: &[FlowBatch],
    back: i64,
    (filter, keys): Asked<'_>,
    is_response: bool,
    seen: &mut Seen,
) {
    let filter = match filter {
        Some(expr) => Filter::of(plan.table, expr.clone()),
        None => Filter::all(plan.table),
    };
    for (at, batch) in batches.iter().enumerate() {
        for row in 0..batch.rows() {
            let Some(Scalar::I64(time)) = batch.get(plan.time, row) else { continue };
            let time = time + back;
            if time < plan.from.0 || time >= plan.to.0 || !filter.matches(batch, row) {
                continue;
            }
            let sent = |id| batch.get_u64(id, row).unwrap_or(0) > 0;
            if is_response && !sent(flows::REVERSE_OCTETS) && !sent(flows::REVERSE_PACKETS) {
                continue;
            }
            let bucket = plan.bucket.map_or(0, |width| (time - plan.first_bucket()) / width);
            let key: Vec<AnswerValue> = keys
                .iter()
                .map(|key| match (value(batch, key.def.id, row), key.prefix) {
                    (AnswerValue::Addr(addr), Some((v4, v6))) => {
                        AnswerValue::Addr(addr.prefix(v4, v6))
                    }
                    (value, _) => value,
                })
                .collect();
            let group = key.iter().map(|value| format!("{value:?};")).collect::<String>();
            let rows = seen.by_group.entry(group.clone()).or_default();
            rows.entry(bucket as usize).or_default().push((at, row, is_response));
            seen.keys.insert(group, key);
        }
    }
}

/// The values of a figure's column in some rows, nulls left out, scaled if it says so.
fn inputs(batches: &[FlowBatch], rows: &Rows, figure: Figure) -> Vec<AnswerValue> {
    let values = rows.iter().map(|(batch, row, is_response)| {
        let batch = &batches[*batch];
        let rate = batch.get_u64(flows::SAMPLING_RATE, *row).unwrap_or(1).max(1);
        let id = match (figure, figure.column(), is_response) {
            (Figure::Count, _, false) => return AnswerValue::U64(1),
            (Figure::Sum(..), Some(flows::OCTETS), true) => flows::REVERSE_OCTETS,
            (Figure::Sum(..), Some(flows::PACKETS), true) => flows::REVERSE_PACKETS,
            (_, Some(id), false) => id,
            _ => return AnswerValue::Null,
        };
        let scaled = |n: u64| if figure.is_scaled() { n.saturating_mul(rate) } else { n };
        match (value(batch, id, *row), figure) {
            (AnswerValue::U64(n), Figure::Sum(..)) => AnswerValue::U64(scaled(n)),
            (n, Figure::Both(_, other, _)) => match (n, value(batch, other, *row)) {
                (AnswerValue::Null, AnswerValue::Null) => AnswerValue::Null,
                (n, other) => {
                    let number = |n: AnswerValue| if let AnswerValue::U64(n) = n { n } else { 0 };
                    AnswerValue::U64(scaled(number(n)).saturating_add(scaled(number(other))))
                }
            },
            (value, _) => value,
        }
    });
    values.filter(|value| *value != AnswerValue::Null).collect()
}

fn show(plan: &Plan, batches: &[FlowBatch], rows: &Rows, at: usize) -> AnswerValue {
    let measure = &plan.measures[at];
    let mut values = inputs(batches, rows, measure.figure);
    values.sort_by(|a, b| compare_rows(std::slice::from_ref(a), std::slice::from_ref(b)));
    let n = |value: &AnswerValue| match value {
        AnswerValue::U64(n) => *n,
        _ => 0,
    };
    let seconds = plan.bucket.map_or(plan.seconds(), |width| width as f64 / 1e9);
    match measure.figure {
        Figure::Nothing => panic!("nobody asks for nothing"),
        Figure::Count | Figure::Sum(..) | Figure::Both(..) => {
            let sum = values.iter().fold(0u64, |sum, value| sum.saturating_add(n(value)));
            match measure.rate {
                Some(factor) => AnswerValue::F64(sum as f64 * factor / seconds),
                None => AnswerValue::U64(sum),
            }
        }
        Figure::Distinct(_) | Figure::DistinctApprox(_) => {
            values.dedup();
            AnswerValue::U64(values.len() as u64)
        }
        _ if values.is_empty() => AnswerValue::Null,
        Figure::Mean(_) => {
            let sum: u128 = values.iter().map(|value| u128::from(n(value))).sum();
            AnswerValue::F64(sum as f64 / values.len() as f64)
        }
        Figure::Min(_) => values[0].clone(),
        Figure::Max(_) => values[values.len() - 1].clone(),
        Figure::Quantile(_, q) => {
            let rank = (q * values.len() as f64).ceil() as usize;
            values[rank.max(1) - 1].clone()
        }
    }
}
