//! Words to meaning: a [`Query`] checked against its table and bound to a moment.

mod key;
mod measure;
mod mirror;

pub(crate) use key::Key;
pub(crate) use measure::{Figure, Measure};
pub(crate) use mirror::{exchanged, mirror, mirror_expr, mirror_keys, reverse_of};

use weir_model::{ColumnId, Table, Timestamp};

use crate::error::QueryError;
use crate::filter::{Expr, Filter, suggest::nearest, time};
use crate::limits::QueryLimits;
use crate::query::{Compare, Directions, Order, Query, TimeColumn};
use crate::{duration, filter};

/// Columns that a query may group by.
const KEYS_MAX: usize = 8;
/// Measures that a query may have.
const MEASURES_MAX: usize = 16;
/// Shortest bucket.
const BUCKET_MIN: i64 = 1_000_000_000;

/// A query that makes sense.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub table: Table,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Column that the range and the buckets are about.
    pub time: ColumnId,
    pub filter: Option<Expr>,
    pub keys: Vec<Key>,
    pub measures: Vec<Measure>,
    /// Index of the measure that ranks groups.
    pub order_by: usize,
    pub order: Order,
    pub bucket: Option<i64>,
    pub limit: Option<usize>,
    /// How far back the period to compare with lies.
    pub compare: Option<i64>,
    pub directions: Directions,
}

/// The table that a word stands for. Rollups are the planner's own and cannot be asked.
pub(crate) fn table(word: &str) -> Result<Table, QueryError> {
    let known = [Table::Flows, Table::Counters, Table::Options];
    known.into_iter().find(|table| table.name() == word).ok_or_else(|| {
        QueryError::field("table", format!("`{word}` is not one of flows, counters, options"))
    })
}

/// The range that two words stand for.
pub(crate) fn range(
    from: &str,
    to: &str,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), QueryError> {
    let read = |field, text: &str| {
        time::resolve(text, now).ok_or_else(|| {
            let forms = "2026-11-20T03:12:00Z, -1h or now";
            QueryError::field(field, format!("`{text}` is not a time like {forms}"))
        })
    };
    let (from, to) = (read("from", from)?, read("to", to)?);
    if from >= to {
        return Err(QueryError::field("from", format!("{from} is not before {to}")));
    }
    Ok((from, to))
}

/// A filter bound to now.
pub(crate) fn filter(text: &str, table: Table, now: Timestamp) -> Result<Filter, QueryError> {
    Ok(filter::Filter::parse(text, table)?.at(now))
}

impl Plan {
    /// Gives `query` its meaning at `now`.
    pub fn new(query: &Query, limits: &QueryLimits, now: Timestamp) -> Result<Plan, QueryError> {
        let table = table(&query.table)?;
        let (from, to) = range(&query.from, &query.to, now)?;
        let filter = filter(&query.filter, table, now)?.expr().cloned();
        let keys = keys(query, table)?;
        let mut measures = measures(query, table)?;
        if query.directions != Directions::One {
            // Each direction stands alone then, and has nothing but what it sent.
            measures.iter_mut().for_each(|one| one.figure = one.figure.of_initiator());
        }
        let order_by = order_by(query, &measures)?;
        let plan = Plan {
            table,
            from,
            to,
            time: time_column(query.time, table)?,
            filter,
            keys,
            measures,
            order_by,
            order: query.order,
            bucket: bucket(query)?,
            limit: query.limit,
            compare: query.compare.map(|compare| match compare {
                Compare::Previous => to.0.saturating_sub(from.0),
                Compare::Day => 86_400_000_000_000,
                Compare::Week => 7 * 86_400_000_000_000,
            }),
            directions: query.directions,
        };
        if plan.directions != Directions::One && table != Table::Flows {
            return Err(QueryError::field("directions", "only flows have two directions"));
        }
        if plan.limit == Some(0) || plan.limit.is_some_and(|limit| limit > limits.rows) {
            let message = format!("takes 1 to {}, or null for all groups", limits.rows);
            return Err(QueryError::field("limit", message));
        }
        if plan.buckets() > limits.rows {
            let message = format!("gives {} rows, more than {}", plan.buckets(), limits.rows);
            return Err(QueryError::field("bucket", message));
        }
        Ok(plan)
    }

    /// Length of the range in seconds.
    #[cfg(test)]
    pub fn seconds(&self) -> f64 {
        std::time::Duration::from_nanos(self.to.0.abs_diff(self.from.0)).as_secs_f64()
    }

    /// Start of the first bucket: buckets start at whole multiples since 1970.
    pub fn first_bucket(&self) -> i64 {
        self.bucket.map_or(self.from.0, |width| self.from.0.div_euclid(width) * width)
    }

    /// Number of buckets; 1 without.
    pub fn buckets(&self) -> usize {
        let Some(width) = self.bucket else { return 1 };
        let span = i128::from(self.to.0) - i128::from(self.first_bucket());
        usize::try_from((span + i128::from(width) - 1) / i128::from(width)).unwrap_or(usize::MAX)
    }
}

fn keys(query: &Query, table: Table) -> Result<Vec<Key>, QueryError> {
    if query.group_by.len() > KEYS_MAX {
        return Err(QueryError::field("group_by", format!("takes at most {KEYS_MAX} columns")));
    }
    let keys: Vec<Key> =
        query.group_by.iter().map(|text| Key::parse(text, table)).collect::<Result<_, _>>()?;
    for (i, key) in keys.iter().enumerate() {
        if keys.iter().take(i).any(|earlier| earlier.name == key.name) {
            return Err(QueryError::field("group_by", format!("`{}` stands twice", key.name)));
        }
    }
    Ok(keys)
}

fn measures(query: &Query, table: Table) -> Result<Vec<Measure>, QueryError> {
    if query.measures.is_empty() || query.measures.len() > MEASURES_MAX {
        return Err(QueryError::field("measures", format!("takes 1 to {MEASURES_MAX} measures")));
    }
    let read = |text: &String| Measure::parse(text, table, !query.unscaled);
    query.measures.iter().map(read).collect()
}

fn order_by(query: &Query, measures: &[Measure]) -> Result<usize, QueryError> {
    if query.order_by.is_empty() {
        return Ok(0);
    }
    let names = || measures.iter().map(|measure| measure.name.as_str());
    names().position(|name| name == query.order_by).ok_or_else(|| {
        let hint = nearest(&query.order_by, names());
        let hint = hint.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        let message = format!("`{}` is not among the measures{hint}", query.order_by);
        QueryError::field("order_by", message)
    })
}

fn bucket(query: &Query) -> Result<Option<i64>, QueryError> {
    let Some(text) = &query.bucket else { return Ok(None) };
    match duration::parse(text) {
        Some(nanos) if nanos >= BUCKET_MIN => Ok(Some(nanos)),
        Some(_) => Err(QueryError::field("bucket", format!("`{text}` is less than 1s"))),
        None => {
            let message = format!("`{text}` is not a length of time like 30s, 5m or 1h");
            Err(QueryError::field("bucket", message))
        }
    }
}

fn time_column(time: TimeColumn, table: Table) -> Result<ColumnId, QueryError> {
    let name = match time {
        TimeColumn::ReceivedAt => "received_at",
        TimeColumn::FlowEnd => "flow_end",
        TimeColumn::FlowStart => "flow_start",
        TimeColumn::ExportTime => "export_time",
    };
    let found = table.find(name).map(|def| def.id);
    found.ok_or_else(|| QueryError::field("time", format!("{} have no {name}", table.name())))
}
