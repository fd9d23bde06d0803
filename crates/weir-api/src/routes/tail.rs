//! `GET /api/v1/tail`: records as they arrive, as server-sent events.
//!
//! Events: `record` (a JSON object as in `/api/v1/records`), and at most once a second `skipped`
//! with what was not sent: `skipped` records passed the filter but not the rate cap,
//! `unexamined` rows came faster than they could be looked at. A tail ends within a second or two
//! after its asker would not be admitted any more.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use weir_model::{ColumnId, FlowBatch, Table};
use weir_query::Filter;

use super::query::{Pairs, from_pairs, number, parse_filter};
use crate::app::App;
use crate::auth::Policy;
use crate::metrics::Metrics;
use crate::problem::{Kind, Problem};
use crate::tail::Subscription;
use crate::{records, respond};

/// Silence after which a comment is sent, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tail {
    #[serde(default)]
    filter: String,
    #[serde(default)]
    columns: Vec<String>,
    /// Records a second; capped by the server's own limit.
    #[serde(default)]
    rate: Option<String>,
}

/// Starts a tail of flow records.
pub async fn get(
    State(app): State<App>,
    headers: HeaderMap,
    pairs: Pairs,
) -> Result<Response, Problem> {
    let asked: Tail = from_pairs(pairs.0)?;
    let filter = parse_filter(&asked.filter, Table::Flows)?.at(app.now());
    let columns = columns(&asked.columns)?;
    let policy = app.policy();
    let most = policy.tail_records_per_second;
    let rate = match &asked.rate {
        Some(text) => number::<u32>("rate", text)?.min(most),
        None => most,
    };
    let subscription = app.hub().subscribe(policy.tails_max).ok_or_else(|| {
        Problem::new(Kind::Busy, format!("{} live tails are running", policy.tails_max))
            .remedy("end one, or raise http.tails_max")
    })?;
    let (sender, receiver) = mpsc::channel(8);
    let metrics = app.metrics().clone();
    let pacer = Pacer { filter, columns, rate, sent: 0, skipped: 0, metrics };
    let gate = Arc::clone(app.gate());
    let is_admitted = move || gate.admit(Policy::Guarded, &Method::GET, &headers).is_ok();
    tokio::spawn(feed(subscription, pacer, sender, is_admitted));
    Ok(respond::octets("text/event-stream", Body::from_stream(Chunks(receiver))))
}

/// The columns of these names; all when none is named.
fn columns(words: &[String]) -> Result<Vec<ColumnId>, Problem> {
    if words.is_empty() {
        return Ok(Table::Flows.columns().iter().map(|def| def.id).collect());
    }
    let find = |word: &str| {
        Table::Flows.find(word).map(|def| def.id).ok_or_else(|| {
            Problem::new(Kind::BadRequest, format!("there is no column `{word}`"))
                .field("columns")
                .remedy("the columns are those of /api/v1/schema")
        })
    };
    words.iter().map(|word| find(word)).collect()
}

/// Picks what one watcher is sent of each batch.
struct Pacer {
    filter: Filter,
    columns: Vec<ColumnId>,
    rate: u32,
    /// Records sent since the last tick.
    sent: u32,
    skipped: u64,
    metrics: Metrics,
}

impl Pacer {
    /// The events of one batch.
    fn take(&mut self, batch: &FlowBatch) -> Vec<u8> {
        let mut out = Vec::new();
        for row in 0..batch.rows() {
            if !self.filter.matches(batch, row) {
                continue;
            }
            if self.sent >= self.rate {
                self.skipped += 1;
                continue;
            }
            self.sent += 1;
            out.extend_from_slice(b"event: record\ndata: ");
            records::write_row(batch, row, &self.columns, &mut out);
            out.extend_from_slice(b"\n\n");
        }
        out
    }
}

/// Runs until the client goes away, is not admitted any more, or the hub closes. Filtering is work:
/// it is done on a thread where blocking is allowed.
async fn feed(
    mut subscription: Subscription,
    mut pacer: Pacer,
    sender: mpsc::Sender<Bytes>,
    is_admitted: impl Fn() -> bool,
) {
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut last_sent = Instant::now();
    if sender.send(Bytes::from_static(b": tailing\n\n")).await.is_err() {
        return;
    }
    loop {
        let event = tokio::select! {
            () = sender.closed() => return,
            batch = subscription.next() => {
                let Some(batch) = batch else { return };
                let examined = examine(pacer, batch).await;
                let Some((back, events)) = examined else { return };
                pacer = back;
                events
            }
            _ = second.tick() => {
                if !is_admitted() {
                    return;
                }
                pacer.sent = 0;
                let event = skipped(&mut pacer, &subscription);
                match event.is_empty() && last_sent.elapsed() > KEEP_ALIVE {
                    true => b": still here\n\n".to_vec(),
                    false => event,
                }
            }
        };
        if !event.is_empty() {
            last_sent = Instant::now();
            if sender.send(event.into()).await.is_err() {
                return;
            }
        }
    }
}

async fn examine(mut pacer: Pacer, batch: Arc<FlowBatch>) -> Option<(Pacer, Vec<u8>)> {
    let examined = tokio::task::spawn_blocking(move || {
        let events = pacer.take(&batch);
        (pacer, events)
    });
    examined.await.inspect_err(|error| tracing::error!(%error, "live tail ended abnormally")).ok()
}

fn skipped(pacer: &mut Pacer, subscription: &Subscription) -> Vec<u8> {
    let unexamined = subscription.take_unexamined();
    let skipped = std::mem::take(&mut pacer.skipped);
    if skipped + unexamined == 0 {
        return Vec::new();
    }
    pacer.metrics.tail_skipped(skipped + unexamined);
    format!("event: skipped\ndata: {{\"skipped\":{skipped},\"unexamined\":{unexamined}}}\n\n")
        .into_bytes()
}

/// The receiver as the stream that a body is made of.
struct Chunks(mpsc::Receiver<Bytes>);

impl futures_core::Stream for Chunks {
    type Item = Result<Bytes, Infallible>;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(Ok))
    }
}
