//! Raw rows, newest first or by any column, page by page.

mod cursor;
mod export;
mod line;
mod page;
mod present;
mod search;
mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_model::batch::ROWS_MAX;
use weir_model::{Clock, ColumnDef, ColumnId, FlowBatch, Table, Timestamp};
use weir_store::{Snapshot, Tier};

use crate::answer::Stats;
use crate::engine::{Control, Gone, Part};
use crate::error::QueryError;
use crate::filter::suggest::nearest;
use crate::limits::{Cancel, QueryLimits};
use crate::plan;
use crate::query::Order;
use cursor::Cursor;
pub use export::{export, resolve};
use line::Line;
pub use present::{PresentColumn, present};
use search::Search;
use source::Source;

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
    /// Column that orders the rows; empty is `received_at`. Any stored column will do; rows with
    /// the same value come newest first, rows without one last.
    pub order_by: String,
    /// Largest, latest or oldest first.
    pub order: Order,
    /// Rows of that order that are passed over. Not together with a cursor.
    pub offset: usize,
    /// Form of the page in JSON; counts for nothing here.
    pub format: RecordsFormat,
}

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordsFormat {
    /// An object a row.
    #[default]
    Rows,
    /// An array a column.
    Columns,
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
            order_by: String::new(),
            order: Order::Desc,
            offset: 0,
            format: RecordsFormat::Rows,
        }
    }
}

/// One page of raw rows.
#[derive(Debug)]
pub struct RecordsPage {
    /// The rows, in the order asked for; write each with [`weir_model::json::write_row`].
    pub rows: FlowBatch,
    /// The columns asked for, in the order asked for; all of the table's when none were named.
    pub columns: Vec<ColumnId>,
    /// Cursor of the next page; none when this was the last.
    pub next: Option<String>,
    /// What was read.
    pub stats: Stats,
}

/// Finds raw rows, newest first or as `order_by` says; rows that are equal in that by a hash of
/// what they hold, so that a cursor means the same after segments were merged.
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
    let (by, ascending) = (order(query, table)?, query.order == Order::Asc);
    let cursor = query.cursor.as_deref().map(|text| Cursor::parse(text, by, ascending));
    let cursor = cursor.transpose()?;
    if cursor.is_some() && query.offset > 0 {
        return Err(QueryError::field(
            "offset",
            "a cursor says where to go on: give one of the two",
        ));
    }
    let control = Control { started, ..Control::new(limits, cancel, clock) };
    let source = Source::new(parts, table, filter.expr(), (from, to), &control);
    let mut page = loop {
        let (candidates, segments) = source.candidates()?;
        let line = Line::new(&source, &candidates, by, ascending)?;
        let found = (candidates, segments);
        let cut = (query.offset, query.limit);
        let mut search = Search::new(&source, line, found, cursor.clone(), cut);
        let found = search.run()?;
        // A block that turns out to be damaged only now is left out of the next try.
        match search.page(found, &columns) {
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

/// The column that orders; none for the order of time.
fn order(query: &RecordsQuery, table: Table) -> Result<Option<&'static ColumnDef>, QueryError> {
    if query.order_by.is_empty() || query.order_by == "received_at" {
        return Ok(None);
    }
    let def = column("order_by", &query.order_by, table)?;
    if !def.stored {
        let message = format!("`{}` is not stored: nothing can be ordered by it", def.name);
        return Err(QueryError::field("order_by", message));
    }
    Ok(Some(def))
}

fn column(field: &'static str, name: &str, table: Table) -> Result<&'static ColumnDef, QueryError> {
    table.find(name).ok_or_else(|| {
        let hint = nearest(name, table.columns().iter().map(|def| def.name));
        let hint = hint.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        let message = format!("`{name}` is not a column of {}{hint}", table.name());
        QueryError::field(field, message)
    })
}

fn columns(query: &RecordsQuery, table: Table) -> Result<Vec<ColumnId>, QueryError> {
    let stored = table.columns().iter().filter(|def| def.stored).map(|def| def.id);
    if query.columns.is_empty() {
        return Ok(stored.collect());
    }
    let find = |name: &String| column("columns", name, table).map(|def| def.id);
    query.columns.iter().map(find).collect()
}
