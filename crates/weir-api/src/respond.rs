//! The forms that answers take: JSON, text, and the headers that every answer carries.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::{Kind, Problem};

/// What a browser may do with our answers: nothing but show them. The status page has no script,
/// so none is allowed; its style stands in the page itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; \
                      base-uri 'none'; form-action 'none'";

/// Adds the security headers. No CORS header is ever sent: other sites' pages get nothing.
pub async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // The console's page has brought its own.
    let policy = HeaderValue::from_static(POLICY);
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// `value` as a JSON answer.
pub fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => octets("application/json", body),
        Err(error) => Problem::new(Kind::Internal, error.to_string()).into_response(),
    }
}

/// `value` as a JSON answer in which integers above 2^53, which many readers round, are text.
pub fn exact(value: &impl Serialize) -> Response {
    match serde_json::to_value(value) {
        Ok(mut value) => {
            spell_out(&mut value);
            json(&value)
        }
        Err(error) => Problem::new(Kind::Internal, error.to_string()).into_response(),
    }
}

fn spell_out(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(large) = number.as_u64().filter(|&number| number > 1 << 53) {
                *value = Value::String(large.to_string());
            }
        }
        Value::Array(values) => values.iter_mut().for_each(spell_out),
        Value::Object(fields) => fields.values_mut().for_each(spell_out),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// An answer of the given media type.
pub fn octets(media_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Reads a request body of at most `limit` octets as JSON. The media type must say JSON: a page
/// of another site cannot send that without asking first.
pub async fn read_json<T: DeserializeOwned>(request: Request, limit: usize) -> Result<T, Problem> {
    let media_type = request.headers().get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(Kind::NotJson, format!("the media type is `{media_type}`"))
            .field("Content-Type")
            .remedy("send `Content-Type: application/json`"));
    }
    parse_json(&read_body(request.into_body(), limit).await?)
}

async fn read_body(body: Body, limit: usize) -> Result<Bytes, Problem> {
    axum::body::to_bytes(body, limit).await.map_err(|_| {
        Problem::new(Kind::TooLarge, format!("more than {limit} octets"))
            .remedy("send less, or raise http.body_max")
    })
}

/// Reads JSON; the problem names the field that is wrong where the reader tells it.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        let problem = Problem::new(Kind::BadRequest, text.as_str());
        let named = text.strip_prefix("unknown field `").or(text.strip_prefix("missing field `"));
        match named.and_then(|rest| rest.split_once('`')) {
            Some((field, _)) => {
                problem.field(field).remedy("the fields are those of /api/v1/openapi.json")
            }
            None => problem.remedy("send JSON as /api/v1/openapi.json describes it"),
        }
    })
}

/// What is sent for a path that does not exist.
pub async fn not_found(request: Request) -> Problem {
    Problem::new(Kind::NotFound, format!("no such path: {}", request.uri().path()))
        .remedy("see /api/v1/openapi.json for the paths")
}

/// What is sent for a path that exists, asked with another method.
pub async fn wrong_method(request: Request) -> Problem {
    Problem::new(
        Kind::MethodNotAllowed,
        format!("{} does not take {}", request.uri().path(), request.method()),
    )
    .remedy("see /api/v1/openapi.json for the methods")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_that_readers_would_round_are_text() {
        let mut value =
            serde_json::json!({ "a": [1u64 << 53, (1u64 << 53) + 1], "b": -1, "c": 1.5 });
        spell_out(&mut value);
        assert_eq!(
            value.to_string(),
            r#"{"a":[9007199254740992,"9007199254740993"],"b":-1,"c":1.5}"#
        );
    }
}
