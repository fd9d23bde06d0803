//! Counts of the API's own: requests by what became of them, queries by how long they took.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use weir_telemetry::{ByLabel, Counter, Histogram, Label, Registry};

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Answered,
    NotAdmitted,
    Refused,
    Busy,
    Failed,
}

impl Label for Outcome {
    const NAME: &'static str = "outcome";
    const ALL: &'static [Outcome] = &[
        Outcome::Answered,
        Outcome::NotAdmitted,
        Outcome::Refused,
        Outcome::Busy,
        Outcome::Failed,
    ];

    fn index(self) -> usize {
        self as usize
    }

    fn value(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::NotAdmitted => "not_admitted",
            Outcome::Refused => "refused",
            Outcome::Busy => "busy",
            Outcome::Failed => "failed",
        }
    }
}

impl Outcome {
    fn of(status: StatusCode) -> Outcome {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Outcome::NotAdmitted,
            StatusCode::SERVICE_UNAVAILABLE => Outcome::Busy,
            status if status.is_client_error() => Outcome::Refused,
            status if status.is_server_error() => Outcome::Failed,
            _ => Outcome::Answered,
        }
    }
}

/// What became of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// The token was good.
    SignedIn,
    /// The token was wrong.
    Refused,
    /// The token was wrong, as were many others at once.
    Busy,
}

impl Label for SignIn {
    const NAME: &'static str = "outcome";
    const ALL: &'static [SignIn] = &[SignIn::SignedIn, SignIn::Refused, SignIn::Busy];

    fn index(self) -> usize {
        self as usize
    }

    fn value(self) -> &'static str {
        match self {
            SignIn::SignedIn => "signed_in",
            SignIn::Refused => "refused",
            SignIn::Busy => "busy",
        }
    }
}

/// Handles, resolved at start-up.
#[derive(Debug, Clone)]
pub struct Metrics {
    requests: ByLabel<Outcome>,
    sign_ins: ByLabel<SignIn>,
    query_seconds: Histogram,
    tail_skipped: Counter,
}

impl Metrics {
    /// Registers them.
    pub fn new(registry: &Registry) -> Metrics {
        Metrics {
            requests: registry.counter_by("weir_api_requests_total", "requests by outcome"),
            sign_ins: registry
                .counter_by("weir_api_sign_ins_total", "sign-ins of the console by outcome"),
            query_seconds: registry.histogram(
                "weir_api_query_seconds",
                "time that queries and searches took",
                &[],
                &[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0],
            ),
            tail_skipped: registry.counter(
                "weir_api_tail_records_skipped_total",
                "records that live tails did not send or look at",
                &[],
            ),
        }
    }

    /// Counts a sign-in.
    pub fn sign_in(&self, outcome: SignIn) {
        self.sign_ins.of(outcome).inc();
    }

    /// Counts a query that ran for so long.
    pub fn query_took(&self, time: Duration) {
        self.query_seconds.observe(time.as_secs_f64());
    }

    /// Counts what a tail left out.
    pub fn tail_skipped(&self, records: u64) {
        self.tail_skipped.add(records);
    }
}

/// The middleware.
pub async fn count(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    metrics.requests.of(Outcome::of(response.status())).inc();
    response
}
