//! Raw rows, newest first, page by page.

mod export;
mod search;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_model::batch::ROWS_MAX;
use weir_model::{Clock, ColumnId, FlowBatch, Table, Timestamp};
use weir_store::{Snapshot, Tier};

use crate::answer::Stats;
use crate::engine::{Control, Gone, Part};
use crate::error::QueryError;
use crate::filter::suggest::nearest;
use crate::limits::{Cancel, QueryLimits};
use crate::plan;
pub use export::export;
use search::Search;

/// A search for raw rows, as the API takes it in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordsQuery {
    /// `flows`, `counters` or `options`.
    pub table: String,
    /// Start, included: RFC 3339, `now`, or back from now, as in `-1h`.
    pub from: String,
    /// End, excluded; the same forms.
    pub to: String,
    /// Filter text; empty keeps every row.
    pub filter: String,
    /// Names of the columns wanted; empty gives all.
    pub columns: Vec<String>,
    /// Rows a page.
    pub limit: usize,
    /// Where the page before ended ([`RecordsPage::next`]).
    pub cursor: Option<String>,
}

impl Default for RecordsQuery {
    fn default() -> RecordsQuery {
        RecordsQuery {
            table: "flows".into(),
            from: "-1h".into(),
            to: "now".into(),
            filter: String::new(),
            columns: Vec::new(),
            limit: 100,
            cursor: None,
        }
    }
}

/// One page of raw rows.
#[derive(Debug)]
pub struct RecordsPage {
    /// The rows, newest first; write each with [`weir_model::json::write_row`].
    pub rows: FlowBatch,
    /// The columns asked for, in the order asked for; all of the table's when none were named.
    pub columns: Vec<ColumnId>,
    /// Cursor of the next page; none when this was the last.
    pub next: Option<String>,
    /// What was read.
    pub stats: Stats,
}

/// Finds raw rows, newest first; rows that came at the same instant by a hash of what they hold,
/// so that a cursor means the same after segments were merged.
pub fn records(
    snapshot: &Snapshot,
    query: &RecordsQuery,
    limits: &QueryLimits,
    cancel: &Cancel,
    clock: &dyn Clock,
) -> Result<RecordsPage, QueryError> {
    let parts: Vec<Arc<dyn Part>> =
        snapshot.all().iter().map(|segment| segment.clone() as Arc<dyn Part>).collect();
    let gone = |table, tier| snapshot.gone_until(table, tier);
    records_parts(&parts, &gone, query, limits, cancel, clock)
}

/// The same over any parts.
pub(crate) fn records_parts(
    parts: &[Arc<dyn Part>],
    gone: &Gone<'_>,
    query: &RecordsQuery,
    limits: &QueryLimits,
    cancel: &Cancel,
    clock: &dyn Clock,
) -> Result<RecordsPage, QueryError> {
    let started = clock.now();
    let table = plan::table(&query.table)?;
    let (from, to) = plan::range(&query.from, &query.to, started)?;
    let filter = plan::filter(&query.filter, table, started)?;
    let columns = columns(query, table)?;
    let most = limits.records.min(ROWS_MAX);
    if query.limit == 0 || query.limit > most {
        return Err(QueryError::field("limit", format!("takes 1 to {most}")));
    }
    let cursor = query.cursor.as_deref().map(Cursor::parse).transpose()?;
    let control = Control { started, ..Control::new(limits, cancel, clock) };
    let mut search = Search {
        table,
        time: table.find("received_at").map_or(ColumnId(0), |def| def.id),
        filter: filter.expr(),
        // The row that the cursor stands on is at its time: nothing later is wanted.
        to: cursor.map_or(to, |cursor| to.min(Timestamp(cursor.time.saturating_add(1)))),
        from,
        cursor,
        wanted: query.limit + 1 + cursor.map_or(0, |cursor| cursor.given),
        control: &control,
        hits: Vec::new(),
        stats: Stats {
            tier: "raw".into(),
            from: from.to_string(),
            to: to.to_string(),
            ..Stats::default()
        },
    };
    let mut page = loop {
        search.run(parts)?;
        // A block that turns out to be damaged only now is left out of the next try.
        match search.page(query.limit, &columns) {
            Err((id, block, error)) => control.damage.note(id, block, error)?,
            Ok(page) => break page,
        }
    };
    page.stats.blocks_damaged = control.damage.blocks();
    page.stats.notes = dropped(gone(table, Tier::Raw), from).into_iter().collect();
    page.stats.notes.extend(control.damage.notes());
    page.stats.ms = clock.now().since(started).as_secs_f64() * 1_000.0;
    Ok(page)
}

/// What the asker must know when retention dropped records of the range.
fn dropped(gone: Option<Timestamp>, from: Timestamp) -> Option<String> {
    let until = gone.filter(|until| *until >= from)?;
    Some(format!("records received up to {until} were dropped by retention"))
}

fn columns(query: &RecordsQuery, table: Table) -> Result<Vec<ColumnId>, QueryError> {
    let stored = table.columns().iter().filter(|def| def.stored).map(|def| def.id);
    if query.columns.is_empty() {
        return Ok(stored.collect());
    }
    let find = |name: &String| {
        table.find(name).map(|def| def.id).ok_or_else(|| {
            let hint = nearest(name, table.columns().iter().map(|def| def.name));
            let hint = hint.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            let message = format!("`{name}` is not a column of {}{hint}", table.name());
            QueryError::field("columns", message)
        })
    };
    query.columns.iter().map(find).collect()
}

/// Where a page ended: the time and hash of its last row, and how many rows that are equal in
/// both were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    time: i64,
    hash: u64,
    given: usize,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{:x}.{:x}", self.time, self.hash, self.given)
    }
}

impl Cursor {
    fn parse(text: &str) -> Result<Cursor, QueryError> {
        let bad = || QueryError::field("cursor", format!("`{text}` did not come from a page"));
        let mut parts = text.split('.').map(|part| u64::from_str_radix(part, 16).ok());
        match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten(), parts.next())
        {
            (Some(time), Some(hash), Some(given), None) if given <= ROWS_MAX as u64 => {
                Ok(Cursor { time: time as i64, hash, given: given as usize })
            }
            _ => Err(bad()),
        }
    }
}
