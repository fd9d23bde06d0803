//! `/api/v1/query` and `/api/v1/records`: questions by POST with a JSON body, or by GET with the
//! same fields as parameters.
//!
//! A question runs on a thread of its own kind, never on the threads that serve connections. When
//! its asker goes away the question is cancelled.

use std::str::FromStr;

use axum::extract::{Query as Parameters, Request, State};
use axum::response::Response;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use weir_query::{Cancel, Filter, Query, QueryError, RecordsFormat, RecordsQuery};

use super::filter::characters;
use crate::app::App;
use crate::problem::{Kind, Problem};
use crate::{blocking, records, respond};

/// The parameters of a request, in order.
pub type Pairs = Parameters<Vec<(String, String)>>;

/// `POST /api/v1/query`
pub async fn post_query(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let query = respond::read_json(request, app.policy().body_max).await?;
    answer(&app, query).await
}

/// `GET /api/v1/query`
pub async fn get_query(State(app): State<App>, pairs: Pairs) -> Result<Response, Problem> {
    answer(&app, from_pairs(pairs.0)?).await
}

/// `POST /api/v1/records`
pub async fn post_records(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let query = respond::read_json(request, app.policy().body_max).await?;
    page(&app, query).await
}

/// `GET /api/v1/records`
pub async fn get_records(State(app): State<App>, pairs: Pairs) -> Result<Response, Problem> {
    page(&app, from_pairs(pairs.0)?).await
}

async fn answer(app: &App, query: Query) -> Result<Response, Problem> {
    let filter = query.filter.clone();
    let answer = run(app, filter, move |app, cancel| {
        weir_query::run(&app.store().snapshot(), &query, app.limits(), cancel, app.clock())
            .map(|answer| respond::json(&answer))
    });
    answer.await
}

async fn page(app: &App, query: RecordsQuery) -> Result<Response, Problem> {
    let filter = query.filter.clone();
    let page = run(app, filter, move |app, cancel| {
        weir_query::records(&app.store().snapshot(), &query, app.limits(), cancel, app.clock())
            .map(|page| match query.format {
                RecordsFormat::Rows => records::page(&page),
                RecordsFormat::Columns => records::columns_page(&page),
            })
            .map(|body| respond::octets("application/json", body))
    });
    page.await
}

async fn run<T: Send + 'static>(
    app: &App,
    filter: String,
    question: impl FnOnce(&App, &Cancel) -> Result<T, QueryError> + Send + 'static,
) -> Result<T, Problem> {
    let shared = app.clone();
    let (queue, patience) = (app.queries(), app.limits().time);
    let asked = move |cancel: &Cancel| {
        let started = shared.now();
        let result = question(&shared, cancel);
        shared.metrics().query_took(shared.now().since(started));
        result
    };
    let result = blocking::run(queue, patience, asked).await?;
    result.map_err(|error| problem(&error, &filter))
}

/// What a failed query is answered with.
pub fn problem(error: &QueryError, filter: &str) -> Problem {
    match error {
        QueryError::Field { field, message } => {
            Problem::new(Kind::BadRequest, message.as_str()).field(*field)
        }
        QueryError::Filter(error) => filter_problem(error, filter),
        QueryError::Cancelled => Problem::new(Kind::Unavailable, "the query was cancelled"),
        QueryError::Memory { remedy, .. } => {
            Problem::new(Kind::QueryLimit, error.to_string()).remedy(*remedy)
        }
        QueryError::Time { .. } => Problem::new(Kind::QueryLimit, error.to_string())
            .field("from")
            .remedy("narrow the time range or the filter, or raise query.time_max"),
        QueryError::Rows { .. } => Problem::new(Kind::QueryLimit, error.to_string())
            .field("limit")
            .remedy("lower `limit`, widen `bucket`, or raise query.rows_max"),
        QueryError::Read { .. } => {
            tracing::error!(%error, "segment unreadable");
            Problem::new(Kind::Internal, error.to_string())
                .remedy("see /api/v1/health: the store names damaged files there")
        }
    }
}

/// What helps with a filter that is wrong in an unknown way, over HTTP.
pub const FILTER_REMEDY: &str = "GET /api/v1/filter/complete tells what can stand here";

/// A filter's error with its place counted in characters.
pub fn filter_problem(error: &weir_query::FilterError, filter: &str) -> Problem {
    let (offset, length) = characters(filter, error.offset, error.length);
    let problem = Problem::new(Kind::BadFilter, error.message.as_str());
    let problem = problem.field("filter").at(offset, length);
    match &error.suggestion {
        Some(near) => problem.remedy(format!("did you mean `{near}`?")),
        None => problem.remedy(FILTER_REMEDY),
    }
}

/// Parses a filter that is asked for outside of a query.
pub fn parse_filter(text: &str, table: weir_model::Table) -> Result<Filter, Problem> {
    Filter::parse(text, table).map_err(|error| filter_problem(&error, text))
}

/// Reads a parameter that is a whole number.
pub fn number<T: FromStr>(field: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| {
        Problem::new(Kind::BadRequest, format!("`{text}` is not a whole number"))
            .field(field)
            .remedy("write a number like 10")
    })
}

/// Turns parameters into the JSON that the body would have been: lists are words between commas.
pub fn from_pairs<T: DeserializeOwned>(pairs: Vec<(String, String)>) -> Result<T, Problem> {
    let mut fields = Map::new();
    for (name, text) in pairs {
        let value = match name.as_str() {
            "group_by" | "measures" | "columns" => {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                Value::Array(words.map(Value::from).collect())
            }
            "limit" | "offset" => Value::from(number::<u64>(&name, &text)?),
            "unscaled" => Value::Bool(matches!(text.as_str(), "" | "1" | "true")),
            _ => Value::String(text),
        };
        if fields.insert(name.clone(), value).is_some() {
            return Err(Problem::new(Kind::BadRequest, format!("`{name}` is given twice"))
                .field(name)
                .remedy("give each parameter once"));
        }
    }
    let body = serde_json::to_vec(&fields).unwrap_or_default();
    respond::parse_json(&body)
}
