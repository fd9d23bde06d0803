//! What is not the API: the console's page and files, the status page, metrics, and the two
//! questions of an orchestrator.

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use crate::app::{App, OPENAPI};
use crate::problem::{Kind, Problem};
use crate::{html, respond};

/// The paths of the console: all have one page, which reads the path itself. Where the console is
/// not built in, the status page stands there.
pub async fn page(state: State<App>, headers: HeaderMap) -> Response {
    match state.console().index() {
        Some(index) => index.answer(&headers),
        None => status(state).await,
    }
}

/// `GET /assets/{file}` and the like: the console's files.
pub async fn file(State(app): State<App>, request: Request) -> Response {
    match app.console().find(request.uri().path()) {
        Some(asset) => asset.answer(request.headers()),
        None => respond::not_found(request).await.into_response(),
    }
}

/// `GET /status`
pub async fn status(State(app): State<App>) -> Response {
    let store = super::collecting::store_facts(&app);
    let has_console = app.console().index().is_some();
    let page = html::page(app.about(), has_console, &app.collecting(), &store, app.now());
    respond::octets("text/html; charset=utf-8", page)
}

/// `GET /metrics`
pub async fn metrics(State(app): State<App>) -> Response {
    respond::octets("text/plain; version=0.0.4; charset=utf-8", app.registry().render())
}

/// `GET /livez`: the process answers.
pub async fn livez() -> Response {
    respond::octets("text/plain; charset=utf-8", "ok\n")
}

/// `GET /readyz`: records are received and kept.
pub async fn readyz(State(app): State<App>) -> Result<Response, Problem> {
    match super::collecting::obstacle(&app) {
        None => Ok(respond::octets("text/plain; charset=utf-8", "ok\n")),
        Some(detail) => Err(Problem::new(Kind::Unavailable, detail).remedy("see /api/v1/health")),
    }
}

/// `GET /api/v1/openapi.json`
pub async fn openapi() -> Response {
    respond::octets("application/json", OPENAPI)
}
