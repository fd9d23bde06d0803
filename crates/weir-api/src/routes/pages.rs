//! What is not the API: the status page, metrics, and the two questions of an orchestrator.

use axum::extract::State;
use axum::response::Response;

use crate::app::{App, OPENAPI};
use crate::problem::{Kind, Problem};
use crate::{html, respond};

/// `GET /`
pub async fn status(State(app): State<App>) -> Response {
    let store = super::collecting::store_facts(&app);
    let page = html::page(app.about(), &app.collecting(), &store, app.now());
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
