//! `/api/v1/filter/parse` and `/api/v1/filter/complete`: the filter language lives on the server,
//! so that no client has a grammar of its own.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use weir_model::Table;
use weir_query::filter::tokens;
use weir_query::{QueryLimits, RecentValues};

use super::query::{Pairs, from_pairs, number, parse_filter};
use crate::app::App;
use crate::problem::{Kind, Problem};
use crate::{blocking, respond};

/// Longest that looking for values of a column may take: either-side fields have two.
const PATIENCE: Duration = Duration::from_millis(50);

/// What is asked about a filter text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    #[serde(default)]
    filter: String,
    #[serde(default)]
    table: Option<String>,
    /// Where the cursor stands, in characters; the end of the text if not given.
    #[serde(default)]
    cursor: Option<String>,
}

/// Finds the table a request names; flows if it names none.
pub fn table(name: Option<&str>) -> Result<Table, Problem> {
    let asked = name.unwrap_or("flows");
    let known = [Table::Flows, Table::Counters, Table::Options];
    known.into_iter().find(|table| table.name() == asked).ok_or_else(|| {
        Problem::new(Kind::BadRequest, format!("there is no table `{asked}`"))
            .field("table")
            .remedy("the tables are flows, counters and options")
    })
}

/// `GET /api/v1/filter/parse`: the filter in its own words with its parts, or what is wrong.
pub async fn parse(pairs: Pairs) -> Result<Response, Problem> {
    let about: About = from_pairs(pairs.0)?;
    let table = table(about.table.as_deref())?;
    let text = about.filter.as_str();
    let filter = parse_filter(text, table)?;
    let tokens: Vec<Value> = tokens(text, table)
        .iter()
        .map(|token| {
            let (offset, length) = characters(text, token.offset, token.length);
            json!({ "offset": offset, "length": length, "kind": token.kind })
        })
        .collect();
    Ok(respond::json(&json!({ "formatted": filter.format(), "tokens": tokens })))
}

/// `GET /api/v1/filter/complete`: what can stand at the cursor, with values that occur.
pub async fn complete(State(app): State<App>, pairs: Pairs) -> Result<Response, Problem> {
    let about: About = from_pairs(pairs.0)?;
    let cursor = match &about.cursor {
        Some(text) => number("cursor", text)?,
        None => usize::MAX,
    };
    let table = table(about.table.as_deref())?;
    let (queue, shared) = (app.queries(), app.clone());
    let document = blocking::run(queue, app.limits().time, move |cancel| {
        let text = about.filter.as_str();
        let octets = text.char_indices().nth(cursor).map_or(text.len(), |(at, _)| at);
        let limits = QueryLimits { time: PATIENCE, ..shared.limits().clone() };
        let (snapshot, clock) = (shared.store().snapshot(), shared.clock());
        let occurring =
            RecentValues { snapshot: &snapshot, from: "-1h", limits: &limits, cancel, clock };
        let found = weir_query::filter::complete(text, octets, table, &occurring);
        let (offset, length) = characters(text, found.offset, found.length);
        json!({ "offset": offset, "length": length, "items": found.items })
    });
    Ok(respond::json(&document.await?))
}

/// A place in `text`, given in octets, in characters.
pub fn characters(text: &str, offset: usize, length: usize) -> (usize, usize) {
    let count = |range: std::ops::Range<usize>| text.get(range).map(|part| part.chars().count());
    let end = offset.saturating_add(length);
    (count(0..offset).unwrap_or(offset), count(offset..end).unwrap_or(length))
}
