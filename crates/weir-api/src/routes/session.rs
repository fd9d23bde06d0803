//! `/api/v1/session`: signing in from a browser, and who is signed in.
//!
//! The page shows a token once and gets a cookie that no script can read. What fails is counted
//! and answered late, so that guessing stays slow and its noise small.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::auth::{Access, Asker, COOKIE, session_ids};
use crate::metrics::SignIn;
use crate::problem::{Kind, Problem};
use crate::respond;
use crate::sessions::AGE_MAX;

/// Octets of a sign-in: a token and its JSON.
const BODY_MAX: usize = 4_096;
/// How late a wrong token is answered.
const DELAY: Duration = Duration::from_millis(500);
/// Wrong tokens that are answered late at once. Past it the answer is `busy`, at once; a good
/// token never waits.
const DELAYED_MAX: usize = 16;

/// Places of those who wait for the answer to a wrong token.
pub fn delayed() -> Semaphore {
    Semaphore::new(DELAYED_MAX)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    token: String,
}

/// `GET /api/v1/session`
pub async fn get(State(app): State<App>, Extension(asker): Extension<Asker>) -> Response {
    let auth = match &app.gate().access {
        Access::Local { .. } => "local",
        Access::Token(_) => "token",
        Access::Open => "none",
    };
    let name = match &asker {
        Asker::Known { label } if !label.is_empty() => Some(label),
        _ => None,
    };
    let about = app.about();
    respond::json(&json!({
        "auth": auth,
        "signed_in": asker != Asker::Stranger,
        "name": name,
        "version": about.version,
        "demo": about.demo,
    }))
}

/// `POST /api/v1/session`
pub async fn sign_in(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let shown: Shown = respond::read_json(request, BODY_MAX).await?;
    let gate = app.gate();
    let Access::Token(tokens) = &gate.access else {
        return Err(Problem::new(Kind::BadRequest, "nobody has to sign in here")
            .field("token")
            .remedy("ask without a token"));
    };
    let Some(entry) = tokens.find(shown.token.trim()) else {
        return Err(refuse_late(&app).await);
    };
    let id = gate.sessions.open(&entry, gate.now()).map_err(|error| {
        tracing::error!(%error, "no session opened");
        Problem::new(Kind::Internal, error.to_string())
    })?;
    // Why: Signing in again leaves no session behind that nobody has the cookie of.
    session_ids(&headers).for_each(|old| gate.sessions.close(old));
    app.metrics().sign_in(SignIn::SignedIn);
    tracing::info!(token = entry.id, "signed in");
    with_cookie(&headers, &id, AGE_MAX)
}

/// `DELETE /api/v1/session`
pub async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    session_ids(&headers).for_each(|id| app.gate().sessions.close(id));
    with_cookie(&headers, "", Duration::ZERO)
}

async fn refuse_late(app: &App) -> Problem {
    if !held_back(app.delayed()).await {
        app.metrics().sign_in(SignIn::Busy);
        return Problem::new(Kind::Busy, "many wrong tokens are shown at once")
            .remedy("try again in a second");
    }
    app.metrics().sign_in(SignIn::Refused);
    Problem::new(Kind::Unauthorized, "the token is not known, or revoked")
        .field("token")
        .remedy("`weir token new` makes a token; the first start showed one")
}

/// Waits for [`DELAY`]; false at once when no place is free to wait in.
async fn held_back(places: &Semaphore) -> bool {
    let Ok(_place) = places.try_acquire() else { return false };
    tokio::time::sleep(DELAY).await;
    true
}

/// No content, and the cookie for `id`.
fn with_cookie(headers: &HeaderMap, id: &str, age: Duration) -> Result<Response, Problem> {
    // Why: Weir speaks no TLS itself. Where a proxy does, the browser says so in Origin, which was
    // compared with Host; a program that lies here only keeps its own cookie off plain HTTP.
    let origin = headers.get(header::ORIGIN).map_or(&b""[..], HeaderValue::as_bytes);
    let secure = if origin.starts_with(b"https://") { "; Secure" } else { "" };
    let age = age.as_secs();
    let cookie = format!("{COOKIE}={id}; HttpOnly; SameSite=Strict; Path=/; Max-Age={age}{secure}");
    let cookie = HeaderValue::try_from(cookie)
        .map_err(|error| Problem::new(Kind::Internal, error.to_string()))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_wrong_tokens_wait_and_no_more() {
        let places = Semaphore::new(2);
        let started = tokio::time::Instant::now();
        let waited = async || (held_back(&places).await, started.elapsed() >= DELAY);
        let together = tokio::join!(waited(), waited(), waited());
        assert_eq!(together, ((true, true), (true, true), (false, false)));
        assert!(held_back(&places).await, "a place is free again");
    }
}
