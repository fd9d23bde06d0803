//! What the routes share, and the routes themselves.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get};
use tokio::sync::Semaphore;
use weir_model::{Clock, Timestamp};
use weir_query::QueryLimits;
use weir_store::Store;
use weir_telemetry::Registry;

use crate::auth::{Access, guard};
use crate::metrics::{Metrics, count};
use crate::respond;
use crate::routes::{collecting, filter, pages, query, schema, tail};
use crate::tail::Hub;
use crate::view::Collecting;

/// What an operator decides about the API.
#[derive(Debug, Clone)]
pub struct ApiPolicy {
    /// Octets of a request body.
    pub body_max: usize,
    /// Queries that run at once.
    pub queries_max: usize,
    /// Live tails at once.
    pub tails_max: usize,
    /// Records a second that one live tail sends.
    pub tail_records_per_second: u32,
}

/// What the status page says about this Weir.
#[derive(Debug, Clone)]
pub struct About {
    /// Version of the program.
    pub version: &'static str,
    /// Data folder.
    pub data_folder: PathBuf,
    /// UDP ports that are listened on.
    pub udp: Vec<SocketAddr>,
    /// TCP ports that are listened on.
    pub tcp: Vec<SocketAddr>,
    /// When it started.
    pub started_at: Timestamp,
    /// True when it replays the captures that it ships with.
    pub demo: bool,
}

/// The parts that the API shows.
pub struct Parts {
    /// The store that questions are put to.
    pub store: Store,
    /// Tells what ingest is doing, at the moment of the call.
    pub collecting: Arc<dyn Fn() -> Collecting + Send + Sync>,
    /// Where live records are published.
    pub hub: Hub,
    /// Metrics.
    pub registry: Registry,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Limits of one query.
    pub limits: QueryLimits,
    /// Limits of the API itself.
    pub policy: ApiPolicy,
    /// What this Weir says of itself.
    pub about: About,
}

/// The parts, shared by every request.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    parts: Parts,
    metrics: Metrics,
    queries: Arc<Semaphore>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("about", &self.0.parts.about).finish_non_exhaustive()
    }
}

impl App {
    fn new(parts: Parts) -> App {
        let queries = Arc::new(Semaphore::new(parts.policy.queries_max.max(1)));
        let metrics = Metrics::new(&parts.registry);
        App(Arc::new(Shared { parts, metrics, queries }))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.parts.store
    }
    pub(crate) fn collecting(&self) -> Collecting {
        (self.0.parts.collecting)()
    }
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }
    pub(crate) fn hub(&self) -> &Hub {
        &self.0.parts.hub
    }
    pub(crate) fn registry(&self) -> &Registry {
        &self.0.parts.registry
    }
    pub(crate) fn limits(&self) -> &QueryLimits {
        &self.0.parts.limits
    }
    pub(crate) fn policy(&self) -> &ApiPolicy {
        &self.0.parts.policy
    }
    pub(crate) fn about(&self) -> &About {
        &self.0.parts.about
    }
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.parts.clock
    }
    pub(crate) fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }
    /// Permits of queries that may run at once.
    pub(crate) fn queries(&self) -> &Arc<Semaphore> {
        &self.0.queries
    }
}

/// The document that describes the routes, kept by hand and checked against them by a test.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// Every path with what answers it. The one list: the document is checked against it.
fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/", get(pages::status)),
        ("/livez", get(pages::livez)),
        ("/readyz", get(pages::readyz)),
        ("/metrics", get(pages::metrics)),
        ("/api/v1/schema", get(schema::get)),
        ("/api/v1/query", get(query::get_query).post(query::post_query)),
        ("/api/v1/records", get(query::get_records).post(query::post_records)),
        ("/api/v1/tail", get(tail::get)),
        ("/api/v1/filter/parse", get(filter::parse)),
        ("/api/v1/filter/complete", get(filter::complete)),
        ("/api/v1/exporters", get(collecting::exporters)),
        ("/api/v1/health", get(collecting::health)),
        ("/api/v1/openapi.json", get(pages::openapi)),
    ]
}

/// Every path that is answered.
pub fn paths() -> Vec<&'static str> {
    routes().into_iter().map(|(path, _)| path).collect()
}

/// Builds the routes over `parts`, guarded by `access`.
pub fn router(parts: Parts, access: Access) -> Router {
    let app = App::new(parts);
    let metrics = app.metrics().clone();
    let add = |router: Router<App>, (path, answer)| router.route(path, answer);
    routes()
        .into_iter()
        .fold(Router::new(), add)
        .fallback(respond::not_found)
        .method_not_allowed_fallback(respond::wrong_method)
        .with_state(app)
        .layer(from_fn_with_state(Arc::new(access), guard))
        .layer(from_fn_with_state(metrics, count))
        .layer(from_fn(respond::secure))
}
