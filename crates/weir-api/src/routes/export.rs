//! `GET /api/v1/records/export`: every matching record, as a file.
//!
//! The file is made on a thread where blocking is allowed, as fast as its client takes it: between
//! the two is a short channel, and a thread that finds it full waits. A client that leaves closes
//! the channel, which ends the thread at its next chunk. A file ends with an empty chunk; where that
//! does not come, whatever was the reason, the connection is broken, so that a cut file is not taken
//! for a whole one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use tokio::sync::mpsc;
use weir_model::{ColumnId, FlowBatch, Table, Timestamp};
use weir_query::records::{export, resolve};
use weir_query::{Cancel, QueryError, QueryLimits, RecordsQuery, records};
use weir_sink::RecordWriter;
use weir_sink::csv::Writer;

use super::query::{Pairs, from_pairs, problem};
use crate::app::App;
use crate::problem::{Kind, Problem};
use crate::{records as rows, respond};

/// Octets of a chunk, roughly.
const CHUNK: usize = 64 << 10;

/// Chunks that may wait for the client.
const QUEUE: usize = 4;

/// The forms of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Ndjson,
}

/// `GET /api/v1/records/export`
pub async fn get(State(app): State<App>, pairs: Pairs) -> Result<Response, Problem> {
    let (form, query, limit) = read(pairs.0)?;
    let now = app.now();
    let resolved = resolve(&query, now).map_err(|error| problem(&error, &query.filter))?;
    let (table, from, to, columns) = resolved;
    let permits = Arc::clone(&app.remembered().exports);
    let permit = permits.try_acquire_owned().map_err(|_| {
        Problem::new(Kind::Busy, "as many exports as may run at once are running")
            .remedy("ask again when one has ended")
    })?;
    // Why: the range is bound now, so that the file is of the moment at which it was asked for.
    let query = RecordsQuery { from: from.to_string(), to: to.to_string(), ..query };
    let name = file_name(table, from, to, form);
    let (sender, receiver) = mpsc::channel(QUEUE);
    let cancel = Cancel::new();
    let body = Body::from_stream(Chunks { receiver, cancel: cancel.clone() });
    let job = Job { app, query, limit, form, table, columns, sender, cancel };
    tokio::task::spawn_blocking(move || {
        if let Err(Stop::Failed(error)) = job.run() {
            tracing::warn!(%error, "export broken off");
        }
        drop(permit);
    });
    let media_type = match form {
        Form::Csv => "text/csv; charset=utf-8",
        Form::Ndjson => "application/x-ndjson",
    };
    let mut response = respond::octets(media_type, body);
    let disposition = format!("attachment; filename=\"{name}\"");
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// Splits what is asked into form, search, and rows at most.
fn read(mut pairs: Vec<(String, String)>) -> Result<(Form, RecordsQuery, u64), Problem> {
    let mut form = Form::Csv;
    if let Some(at) = pairs.iter().position(|(name, _)| name == "format") {
        let (_, word) = pairs.remove(at);
        form = match word.as_str() {
            "csv" => Form::Csv,
            "ndjson" => Form::Ndjson,
            _ => {
                return Err(Problem::new(Kind::BadRequest, format!("there is no form `{word}`"))
                    .field("format")
                    .remedy("the forms are csv and ndjson"));
            }
        };
    }
    for field in ["cursor", "offset"] {
        if pairs.iter().any(|(name, _)| name == field) {
            return Err(Problem::new(Kind::BadRequest, "a file starts at the start")
                .field(field)
                .remedy("leave it out, or ask /api/v1/records for a page"));
        }
    }
    let is_limited = pairs.iter().any(|(name, _)| name == "limit");
    let query: RecordsQuery = from_pairs(pairs)?;
    let limit = if is_limited { query.limit as u64 } else { u64::MAX };
    Ok((form, query, limit))
}

/// `weir-flows-20261120T110000Z-20261120T120000Z.csv`
fn file_name(table: Table, from: Timestamp, to: Timestamp, form: Form) -> String {
    let compact = |time: Timestamp| {
        let text = time.to_string();
        let whole = text.split('.').next().unwrap_or_default().trim_end_matches('Z');
        let digits: String = whole.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("{digits}Z")
    };
    let ending = match form {
        Form::Csv => "csv",
        Form::Ndjson => "ndjson",
    };
    format!("weir-{}-{}-{}.{ending}", table.name(), compact(from), compact(to))
}

/// Why a file ends.
enum Stop {
    /// It has as many rows as were asked for.
    Full,
    /// Its client left, or it was called off.
    Left,
    /// It could not be made.
    Failed(QueryError),
}

impl From<QueryError> for Stop {
    fn from(error: QueryError) -> Stop {
        match error {
            QueryError::Cancelled => Stop::Left,
            error => Stop::Failed(error),
        }
    }
}

/// A file that is being made.
struct Job {
    app: App,
    query: RecordsQuery,
    limit: u64,
    form: Form,
    table: Table,
    columns: Vec<ColumnId>,
    sender: mpsc::Sender<Bytes>,
    cancel: Cancel,
}

impl Job {
    fn run(&self) -> Result<(), Stop> {
        // Why: a stream that moves may take as long as it takes; one that does not is closed by
        // the server, as every silent connection is.
        let limits = QueryLimits { time: Duration::MAX, ..self.app.limits().clone() };
        let defs = self.columns.iter().filter_map(|id| self.table.def(*id)).collect();
        let mut file = File {
            rows: 0,
            limit: self.limit,
            form: self.form,
            columns: &self.columns,
            csv: Writer::with_columns(Vec::with_capacity(2 * CHUNK), self.table, defs),
            sender: &self.sender,
        };
        let read = match self.query.order_by.is_empty() {
            true => self.as_stored(&limits, &mut file),
            false => self.in_order(&limits, &mut file),
        };
        match read {
            Ok(()) | Err(Stop::Full) => file.end(),
            Err(stopped) => Err(stopped),
        }
    }

    fn as_stored(&self, limits: &QueryLimits, file: &mut File<'_>) -> Result<(), Stop> {
        let (snapshot, cancel) = (self.app.store().snapshot(), &self.cancel);
        let each = |batch: FlowBatch| file.take(&batch);
        export(&snapshot, &self.query, limits, cancel, self.app.clock(), each).map(drop)
    }

    /// Page by page of one snapshot: each page is a walk over the range.
    fn in_order(&self, limits: &QueryLimits, file: &mut File<'_>) -> Result<(), Stop> {
        let (snapshot, cancel) = (self.app.store().snapshot(), &self.cancel);
        let mut query = RecordsQuery { limit: limits.records, ..self.query.clone() };
        loop {
            let page = records(&snapshot, &query, limits, cancel, self.app.clock())?;
            file.take(&page.rows)?;
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => return Ok(()),
            }
        }
    }
}

/// Rows on their way to the client.
struct File<'a> {
    rows: u64,
    limit: u64,
    form: Form,
    columns: &'a [ColumnId],
    /// Has the octets of the next chunk, in both forms.
    csv: Writer<Vec<u8>>,
    sender: &'a mpsc::Sender<Bytes>,
}

/// Rows that are written before looking whether a chunk is full.
const ROWS: usize = 64;

impl File<'_> {
    fn take(&mut self, batch: &FlowBatch) -> Result<(), Stop> {
        let left = usize::try_from(self.limit - self.rows).unwrap_or(usize::MAX);
        let rows = batch.rows().min(left);
        match self.form {
            Form::Ndjson => {
                for row in 0..rows {
                    rows::write_row(batch, row, self.columns, self.csv.get_mut());
                    self.csv.get_mut().push(b'\n');
                    self.send_if(CHUNK)?;
                }
            }
            Form::Csv => {
                for start in (0..rows).step_by(ROWS) {
                    let end = rows.min(start + ROWS);
                    // Proof: writing to memory does not fail.
                    let _written = self.csv.write_rows(batch, start..end);
                    self.send_if(CHUNK)?;
                }
            }
        }
        self.rows += rows as u64;
        if self.rows >= self.limit { Err(Stop::Full) } else { Ok(()) }
    }

    /// Hands a chunk on if it has so many octets; waits until the client has taken others.
    fn send_if(&mut self, octets: usize) -> Result<(), Stop> {
        if self.csv.get_mut().len() < octets {
            return Ok(());
        }
        let next = Vec::with_capacity(2 * CHUNK);
        let chunk = std::mem::replace(self.csv.get_mut(), next);
        self.send(chunk.into())
    }

    fn send(&self, chunk: Bytes) -> Result<(), Stop> {
        self.sender.blocking_send(chunk).map_err(|_| Stop::Left)
    }

    fn end(&mut self) -> Result<(), Stop> {
        if self.form == Form::Csv {
            // A file without a row still has its header.
            let _written = self.csv.finish();
        }
        self.send_if(1)?;
        self.send(Bytes::new())
    }
}

/// The receiver as the stream that a body is made of. When it is dropped the file is called off,
/// also while no row is found.
struct Chunks {
    receiver: mpsc::Receiver<Bytes>,
    cancel: Cancel,
}

impl Drop for Chunks {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl futures_core::Stream for Chunks {
    type Item = io::Result<Bytes>;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context).map(|chunk| match chunk {
            Some(chunk) if chunk.is_empty() => None,
            Some(chunk) => Some(Ok(chunk)),
            None => Some(Err(io::Error::other("the file was broken off"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_whole_only_with_its_end() {
        for (chunks, whole) in [(&["a", "b", ""][..], true), (&["a", "b"][..], false)] {
            let (sender, receiver) = mpsc::channel(QUEUE);
            for chunk in chunks {
                sender.send(Bytes::from_static(chunk.as_bytes())).await.unwrap();
            }
            drop(sender);
            let body = Body::from_stream(Chunks { receiver, cancel: Cancel::new() });
            let read = axum::body::to_bytes(body, CHUNK).await.ok();
            assert_eq!(read, whole.then_some(Bytes::from_static(b"ab")));
        }
    }

    #[test]
    fn a_file_is_named_by_its_range() {
        let from = Timestamp::from_seconds(1_795_176_000);
        let to = Timestamp(from.0 + 60_500_000_000);
        assert_eq!(
            file_name(Table::Flows, from, to, Form::Csv),
            "weir-flows-20261120T120000Z-20261120T120100Z.csv"
        );
    }
}
