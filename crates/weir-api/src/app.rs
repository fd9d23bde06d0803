//! What the routes share, and the routes themselves.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, put};
use tokio::sync::Semaphore;
use weir_model::{Addr, Clock, Timestamp};
use weir_query::QueryLimits;
use weir_store::Store;
use weir_telemetry::Registry;

use crate::auth::{Access, Gate, Policy, guard};
use crate::console::Console;
use crate::metrics::{Metrics, count};
use crate::remembered::Remembered;
use crate::respond;
use crate::routes::{
    collecting, export, filter, pages, processes, query, schema, session, tail, views,
};
use crate::sessions::Sessions;
use crate::tail::Hub;
use crate::view::processes::ProcessView;
use crate::view::{Collecting, TemplatesView};
use crate::views::Views;

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
    /// Tells the templates of an exporter, of one domain or of all.
    pub templates: Arc<dyn Fn(Addr, Option<u32>) -> TemplatesView + Send + Sync>,
    /// Tells the processes that own metered sockets with their ancestors, of all or of those that
    /// have or had one process id. It may block.
    pub processes: Arc<dyn Fn(Option<u32>) -> Vec<ProcessView> + Send + Sync>,
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
    /// The console's files, if there are any.
    pub console: Console,
}

/// The parts, shared by every request.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    parts: Parts,
    metrics: Metrics,
    queries: Arc<Semaphore>,
    gate: Arc<Gate>,
    delayed: Semaphore,
    views: Views,
    remembered: Remembered,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("about", &self.0.parts.about).finish_non_exhaustive()
    }
}

impl App {
    fn new(parts: Parts, access: Access) -> App {
        let queries = Arc::new(Semaphore::new(parts.policy.queries_max.max(1)));
        let metrics = Metrics::new(&parts.registry);
        let gate = Arc::new(Gate {
            access,
            sessions: Sessions::new(&parts.registry),
            clock: Arc::clone(&parts.clock),
            policies: policies().into_iter().collect(),
            has_console: parts.console.index().is_some(),
        });
        let views = Views::open(&parts.about.data_folder, parts.clock.now());
        let delayed = session::delayed();
        let remembered = Remembered::default();
        App(Arc::new(Shared { parts, metrics, queries, gate, delayed, views, remembered }))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.parts.store
    }
    pub(crate) fn collecting(&self) -> Collecting {
        (self.0.parts.collecting)()
    }
    pub(crate) fn templates(&self, addr: Addr, domain: Option<u32>) -> TemplatesView {
        (self.0.parts.templates)(addr, domain)
    }
    pub(crate) fn processes(&self, pid: Option<u32>) -> Vec<ProcessView> {
        (self.0.parts.processes)(pid)
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
    pub(crate) fn console(&self) -> Console {
        self.0.parts.console
    }
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.parts.clock
    }
    pub(crate) fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }
    /// Who is admitted, and the sessions.
    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.0.gate
    }
    /// Places of those who wait for the answer to a wrong token.
    pub(crate) fn delayed(&self) -> &Semaphore {
        &self.0.delayed
    }
    /// Saved views.
    pub(crate) fn views(&self) -> &Views {
        &self.0.views
    }
    /// What routes remember.
    pub(crate) fn remembered(&self) -> &Remembered {
        &self.0.remembered
    }
    /// Permits of queries that may run at once.
    pub(crate) fn queries(&self) -> &Arc<Semaphore> {
        &self.0.queries
    }
}

/// The document that describes the routes, kept by hand and checked against them by a test.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// A path, what it asks of who asks it, and what answers it.
type Route = (&'static str, Policy, MethodRouter<App>);

/// Every path. The one list: the document is checked against it, and so is who is admitted.
fn routes() -> Vec<Route> {
    use Policy::{Guarded, Open, Page, Probe};
    let session = get(session::get).post(session::sign_in).delete(session::sign_out);
    vec![
        ("/", Page, get(pages::page)),
        ("/overview", Page, get(pages::page)),
        ("/explore", Page, get(pages::page)),
        ("/records", Page, get(pages::page)),
        ("/exporters", Page, get(pages::page)),
        ("/health", Page, get(pages::page)),
        ("/sign-in", Page, get(pages::page)),
        ("/favicon.svg", Open, get(pages::file)),
        ("/assets/{file}", Open, get(pages::file)),
        ("/status", Guarded, get(pages::status)),
        ("/livez", Probe, get(pages::livez)),
        ("/readyz", Probe, get(pages::readyz)),
        ("/metrics", Guarded, get(pages::metrics)),
        ("/api/v1/session", Open, session),
        ("/api/v1/schema", Guarded, get(schema::get)),
        ("/api/v1/query", Guarded, get(query::get_query).post(query::post_query)),
        ("/api/v1/records", Guarded, get(query::get_records).post(query::post_records)),
        ("/api/v1/records/export", Guarded, get(export::get)),
        ("/api/v1/dimensions", Guarded, get(schema::dimensions)),
        ("/api/v1/tail", Guarded, get(tail::get)),
        ("/api/v1/filter/parse", Guarded, get(filter::parse)),
        ("/api/v1/filter/complete", Guarded, get(filter::complete)),
        ("/api/v1/exporters", Guarded, get(collecting::exporters)),
        ("/api/v1/exporters/templates", Guarded, get(collecting::templates)),
        ("/api/v1/health", Guarded, get(collecting::health)),
        ("/api/v1/meter/processes", Guarded, get(processes::get)),
        ("/api/v1/views", Guarded, get(views::list).post(views::create)),
        ("/api/v1/views/{id}", Guarded, put(views::replace).delete(views::delete)),
        ("/api/v1/openapi.json", Guarded, get(pages::openapi)),
    ]
}

/// Every path that is answered, with what it asks of who asks it.
pub fn policies() -> Vec<(&'static str, Policy)> {
    routes().into_iter().map(|(path, policy, _)| (path, policy)).collect()
}

/// Every path that is answered.
pub fn paths() -> Vec<&'static str> {
    routes().into_iter().map(|(path, _, _)| path).collect()
}

/// Builds the routes over `parts`, guarded by `access`.
pub fn router(parts: Parts, access: Access) -> Router {
    let app = App::new(parts, access);
    let metrics = app.metrics().clone();
    let gate = Arc::clone(app.gate());
    let add = |router: Router<App>, (path, _, answer)| router.route(path, answer);
    routes()
        .into_iter()
        .fold(Router::new(), add)
        .fallback(respond::not_found)
        .method_not_allowed_fallback(respond::wrong_method)
        .with_state(app)
        .layer(from_fn_with_state(gate, guard))
        .layer(from_fn_with_state(metrics, count))
        .layer(from_fn(respond::secure))
}
