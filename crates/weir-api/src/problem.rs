//! Problem documents (RFC 9457): what every refused request gets. Each names the field that is
//! wrong, if one is, and what to do about it.

use std::ops::Deref;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// A refusal. Boxed, since it travels as the error of everything that answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Problem(Box<Document>);

/// What a refusal says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// URI reference that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is wrong, the same words for every problem of the kind.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Field of the request that is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Where in the field's text, in characters from 0, and how many characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(missing_docs, reason = "said at `offset`")]
    pub length: Option<usize>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// The kinds of problem. Closed, so that programs can tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the titles say it")]
pub enum Kind {
    BadRequest,
    BadFilter,
    Unauthorized,
    ForeignHost,
    ForeignOrigin,
    NotFound,
    MethodNotAllowed,
    Full,
    TooLarge,
    NotJson,
    QueryLimit,
    Busy,
    Unavailable,
    Internal,
}

impl Kind {
    /// All kinds, for the reference page.
    pub const ALL: [Kind; 14] = [
        Kind::BadRequest,
        Kind::BadFilter,
        Kind::Unauthorized,
        Kind::ForeignHost,
        Kind::ForeignOrigin,
        Kind::NotFound,
        Kind::MethodNotAllowed,
        Kind::Full,
        Kind::TooLarge,
        Kind::NotJson,
        Kind::QueryLimit,
        Kind::Busy,
        Kind::Unavailable,
        Kind::Internal,
    ];

    /// Name in the URI reference, title and status.
    const fn parts(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Kind::BadRequest => ("bad-request", "the request is wrong", StatusCode::BAD_REQUEST),
            Kind::BadFilter => ("bad-filter", "the filter is wrong", StatusCode::BAD_REQUEST),
            Kind::Unauthorized => ("unauthorized", "a token is required", StatusCode::UNAUTHORIZED),
            Kind::ForeignHost => {
                ("foreign-host", "the Host header is not local", StatusCode::FORBIDDEN)
            }
            Kind::ForeignOrigin => {
                ("foreign-origin", "the request comes from another site", StatusCode::FORBIDDEN)
            }
            Kind::NotFound => ("not-found", "there is nothing here", StatusCode::NOT_FOUND),
            Kind::MethodNotAllowed => {
                ("method", "the method does not fit", StatusCode::METHOD_NOT_ALLOWED)
            }
            Kind::Full => ("full", "as many are kept as may be", StatusCode::CONFLICT),
            Kind::TooLarge => {
                ("too-large", "the request body is too large", StatusCode::PAYLOAD_TOO_LARGE)
            }
            Kind::NotJson => {
                ("not-json", "the body is not JSON", StatusCode::UNSUPPORTED_MEDIA_TYPE)
            }
            Kind::QueryLimit => {
                ("query-limit", "the query passed a limit", StatusCode::UNPROCESSABLE_ENTITY)
            }
            Kind::Busy => ("busy", "too much is asked at once", StatusCode::SERVICE_UNAVAILABLE),
            Kind::Unavailable => {
                ("unavailable", "a part is not ready", StatusCode::SERVICE_UNAVAILABLE)
            }
            Kind::Internal => ("internal", "Weir failed", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// Name in the URI reference.
    pub const fn name(self) -> &'static str {
        self.parts().0
    }

    /// HTTP status.
    pub const fn status(self) -> StatusCode {
        self.parts().2
    }
}

impl Problem {
    /// A problem of `kind` about this request.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        let (name, title, status) = kind.parts();
        Problem(Box::new(Document {
            kind: format!("urn:weir:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: Some(detail.into()),
            field: None,
            offset: None,
            length: None,
            remedy: None,
        }))
    }

    /// True when it is of `kind`.
    pub fn is(&self, kind: Kind) -> bool {
        self.0.kind.strip_prefix("urn:weir:problem:") == Some(kind.name())
    }

    /// Names the field to blame.
    pub fn field(mut self, field: impl Into<String>) -> Problem {
        self.0.field = Some(field.into());
        self
    }

    /// Points into the field's text.
    pub fn at(mut self, offset: usize, length: usize) -> Problem {
        self.0.offset = Some(offset);
        self.0.length = Some(length);
        self
    }

    /// Says what to do.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Problem {
        self.0.remedy = Some(remedy.into());
        self
    }
}

impl Deref for Problem {
    type Target = Document;
    fn deref(&self) -> &Document {
        &self.0
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"weir\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_the_field_and_the_remedy() {
        let problem = Problem::new(Kind::BadFilter, "unknown column `sorc_addr`")
            .field("filter")
            .at(0, 9)
            .remedy("did you mean `src_addr`?");
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            r#"{"type":"urn:weir:problem:bad-filter","title":"the filter is wrong","status":400,"detail":"unknown column `sorc_addr`","field":"filter","offset":0,"length":9,"remedy":"did you mean `src_addr`?"}"#
        );
        let refused = Problem::new(Kind::Unauthorized, "no token").into_response();
        assert_eq!(refused.headers()[header::WWW_AUTHENTICATE], "Bearer realm=\"weir\"");
        assert_eq!(refused.headers()[header::CONTENT_TYPE], "application/problem+json");
    }

    #[test]
    fn kinds_have_names_of_their_own() {
        let mut names = Kind::ALL.map(Kind::name).to_vec();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Kind::ALL.len());
        let page = include_str!("../../../docs/api.md");
        for name in names {
            assert!(page.contains(&format!("`{name}`")), "docs/api.md does not tell of {name}");
        }
    }
}
