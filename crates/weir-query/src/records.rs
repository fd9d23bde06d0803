//! Raw rows, newest first, page by page.

use serde::{Deserialize, Serialize};
use weir_model::{ColumnId, FlowBatch};

use crate::answer::Stats;

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
