//! Who may ask. Beyond loopback: who shows a token. On loopback: any program of this machine,
//! but no web page of another site, which is what the Host and Origin checks are for (a page can
//! make a name of its own resolve to 127.0.0.1).
//!
//! `/livez` and `/readyz` are open: they tell nothing but that Weir runs.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::{Kind, Problem};
use crate::tokens::Tokens;

/// The rule by which requests are admitted.
#[derive(Debug)]
pub enum Access {
    /// Listening on loopback: Host must be local, or one of these names.
    Local {
        /// Further names that the Host header may have, without port.
        allowed_hosts: Vec<String>,
    },
    /// Listening beyond loopback: a token is required.
    Token(Tokens),
    /// `http.auth = "none"`: anyone who reaches the port.
    Open,
}

impl Access {
    /// Admits a request to `path` or says why not.
    pub fn check(&self, path: &str, headers: &HeaderMap) -> Result<(), Problem> {
        if matches!(path, "/livez" | "/readyz") {
            return Ok(());
        }
        check_origin(headers)?;
        match self {
            Access::Open => Ok(()),
            Access::Local { allowed_hosts } => check_host(headers, allowed_hosts),
            Access::Token(tokens) => check_token(headers, tokens),
        }
    }
}

/// The middleware.
pub async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    match access.check(request.uri().path(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Splits `host:port`, with or without port, brackets of IPv6 kept off.
fn host_name(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once(']').map_or(rest, |(host, _)| host);
    }
    authority.split_once(':').map_or(authority, |(host, _)| host)
}

fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn check_host(headers: &HeaderMap, allowed: &[String]) -> Result<(), Problem> {
    let authority = text(headers, header::HOST).unwrap_or_default();
    let host = host_name(authority);
    if is_local(host) || allowed.iter().any(|name| name.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    Err(Problem::new(Kind::ForeignHost, format!("Weir listens on loopback, not as `{host}`"))
        .field("Host")
        .remedy("ask by 127.0.0.1 or localhost, or add the name to http.allowed_hosts"))
}

/// A browser names the page that asks; programs do not. Only pages that Weir served may ask.
fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = text(headers, header::HOST).unwrap_or_default();
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    if !host.is_empty() && authority.eq_ignore_ascii_case(host) {
        return Ok(());
    }
    Err(Problem::new(Kind::ForeignOrigin, format!("a page of `{origin}` asks `{host}`"))
        .field("Origin")
        .remedy("ask from a program, or from a page that this Weir served"))
}

fn check_token(headers: &HeaderMap, tokens: &Tokens) -> Result<(), Problem> {
    let refused = |detail: &str| {
        Problem::new(Kind::Unauthorized, detail)
            .field("Authorization")
            .remedy("send `Authorization: Bearer TOKEN`; `weir token new` makes a token")
    };
    let Some(value) = text(headers, header::AUTHORIZATION) else {
        return Err(refused("the request has no token"));
    };
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err(refused("the Authorization header is not of the form `Bearer TOKEN`")),
    };
    if tokens.admits(token) { Ok(()) } else { Err(refused("the token is not known, or revoked")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn kind(result: Result<(), Problem>) -> String {
        result.map_or_else(|problem| problem.kind.clone(), |()| "admitted".to_owned())
    }

    #[test]
    fn loopback_admits_local_names_only() {
        let access = Access::Local { allowed_hosts: vec!["flows.example".to_owned()] };
        for (host, expected) in [
            ("127.0.0.1:8008", "admitted"),
            ("127.9.9.9", "admitted"),
            ("localhost:1", "admitted"),
            ("[::1]:8008", "admitted"),
            ("Flows.example:443", "admitted"),
            ("evil.example:8008", "urn:weir:problem:foreign-host"),
            ("127.0.0.1.evil.example", "urn:weir:problem:foreign-host"),
            ("localhost.evil.example", "urn:weir:problem:foreign-host"),
            ("", "urn:weir:problem:foreign-host"),
        ] {
            let headers = headers(&[(header::HOST, host)]);
            assert_eq!(kind(access.check("/api/v1/schema", &headers)), expected, "{host}");
        }
        let none = HeaderMap::new();
        assert_eq!(kind(access.check("/", &none)), "urn:weir:problem:foreign-host");
        assert_eq!(kind(access.check("/livez", &none)), "admitted");
    }

    #[test]
    fn pages_of_other_sites_are_refused_whatever_the_rule() {
        for access in [Access::Local { allowed_hosts: vec![] }, Access::Open] {
            for (origin, expected) in [
                ("http://127.0.0.1:8008", "admitted"),
                ("http://127.0.0.1:9999", "urn:weir:problem:foreign-origin"),
                ("https://evil.example", "urn:weir:problem:foreign-origin"),
                ("null", "urn:weir:problem:foreign-origin"),
            ] {
                let headers =
                    headers(&[(header::HOST, "127.0.0.1:8008"), (header::ORIGIN, origin)]);
                assert_eq!(kind(access.check("/", &headers)), expected, "{origin}");
            }
        }
    }

    #[test]
    fn beyond_loopback_only_a_token_admits() {
        let folder = std::env::temp_dir().join(format!("weir-auth-{}", std::process::id()));
        let tokens = Tokens::in_folder(&folder);
        let (_, secret) = tokens.create("", weir_model::Timestamp(0)).unwrap();
        let access = Access::Token(tokens);
        let bearer = format!("Bearer {}", secret.reveal());
        let lower = format!("bearer {}", secret.reveal());
        let basic = format!("Basic {}", secret.reveal());
        for (value, expected) in [
            (bearer.as_str(), "admitted"),
            (&lower, "admitted"),
            (&basic, "urn:weir:problem:unauthorized"),
            (secret.reveal(), "urn:weir:problem:unauthorized"),
            ("Bearer ", "urn:weir:problem:unauthorized"),
            ("Bearer weir_00", "urn:weir:problem:unauthorized"),
        ] {
            let headers = headers(&[(header::AUTHORIZATION, value)]);
            assert_eq!(kind(access.check("/metrics", &headers)), expected);
        }
        let none = HeaderMap::new();
        assert_eq!(kind(access.check("/", &none)), "urn:weir:problem:unauthorized");
        assert_eq!(kind(access.check("/readyz", &none)), "admitted");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
