//! The few paths of a process that keeps nothing, for loopback alone: whether it lives, its metrics
//! and its health. The rules of Host are those of the whole API.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use weir_telemetry::Registry;

use crate::auth::check_host;

/// Makes the health document.
pub type Health = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

/// What is here, for whoever opens the address that the log names.
const INDEX: &str = "/livez\n/metrics\n/api/v1/health\n";

/// `GET /livez`, `/metrics` and `/api/v1/health`, and `/`, which names them.
pub fn router(registry: Registry, health: Health) -> Router {
    let metrics = move || {
        let text = registry.render();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
    };
    let health = move || {
        let text = health().to_string();
        async move { ([(header::CONTENT_TYPE, "application/json")], text) }
    };
    Router::new()
        .route("/", get(|| async { INDEX }))
        .route("/livez", get(|| async { (StatusCode::OK, "ok\n") }))
        .route("/metrics", get(metrics))
        .route("/api/v1/health", get(health))
        .layer(from_fn(local))
}

/// A page of another site can make a name of its own resolve to 127.0.0.1.
async fn local(request: Request, next: Next) -> Response {
    match check_host(request.headers(), &[]) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}
