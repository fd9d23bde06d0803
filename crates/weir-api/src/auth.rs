//! Who may ask. Beyond loopback: who shows a token, or has a session that was opened with one. On
//! loopback: any program of this machine, but no web page of another site, which is what the checks
//! of Host (a page can make a name of its own resolve to 127.0.0.1), Origin and Sec-Fetch-Site are
//! for.
//!
//! Every path has its [`Policy`] in the table of routes; what is not in the table is guarded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use weir_model::{Clock, Timestamp};

use crate::problem::{Kind, Problem};
use crate::sessions::Sessions;
use crate::tokens::Tokens;

/// Name of the cookie that has a session's id.
pub const COOKIE: &str = "weir_session";

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

/// What a path asks of whoever asks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Nothing at all: it tells nothing but that Weir runs.
    Probe,
    /// No token. Host and Origin are checked.
    Open,
    /// As `Open` where the console is built in, since its page has no data; else as `Guarded`,
    /// since the status page stands there.
    Page,
    /// A token or a session where one is required, Host and Origin as everywhere.
    Guarded,
}

/// Who asks, as far as it was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// Whoever: no token is required here.
    Anyone,
    /// Has a token, or a session of one; what the operator calls the token.
    Known {
        /// The token's label; may be empty.
        label: String,
    },
    /// Has shown nothing, or nothing that is good.
    Stranger,
}

/// Everything that admission is decided by. Shared by all requests.
pub struct Gate {
    /// The rule.
    pub access: Access,
    /// Sessions of the console.
    pub sessions: Sessions,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The policy of every path, as it is written in the table of routes.
    pub policies: HashMap<&'static str, Policy>,
    /// True when the console is built in.
    pub has_console: bool,
}

impl Gate {
    /// Admits a request or says why not.
    pub fn admit(
        &self,
        policy: Policy,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Asker, Problem> {
        if policy == Policy::Probe {
            return Ok(Asker::Stranger);
        }
        check_origin(headers)?;
        check_site(headers)?;
        match &self.access {
            Access::Open => Ok(Asker::Anyone),
            Access::Local { allowed_hosts } => {
                check_host(headers, allowed_hosts)?;
                Ok(Asker::Anyone)
            }
            Access::Token(tokens) => match self.identify(tokens, method, headers) {
                Err(problem) if problem.is(Kind::Unauthorized) && self.is_open(policy) => {
                    Ok(Asker::Stranger)
                }
                result => result,
            },
        }
    }

    fn is_open(&self, policy: Policy) -> bool {
        policy == Policy::Open || (policy == Policy::Page && self.has_console)
    }

    fn identify(
        &self,
        tokens: &Tokens,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Asker, Problem> {
        if headers.contains_key(header::AUTHORIZATION) {
            return check_token(headers, tokens);
        }
        let mut ids = session_ids(headers).peekable();
        let refused = match ids.peek() {
            None => refused("the request has no token"),
            Some(_) => refused("the session is over"),
        };
        let now = self.clock.now();
        let found = ids.find_map(|id| self.sessions.find(id, tokens, now)).ok_or(refused)?;
        // Why: A browser sends the cookie by itself, so that a change must be asked by a page of
        // ours. `check_origin` has compared the Origin; here it must be there at all.
        if !method.is_safe() && !headers.contains_key(header::ORIGIN) {
            return Err(Problem::new(
                Kind::ForeignOrigin,
                format!("{method} with a session names no page that asks"),
            )
            .field("Origin")
            .remedy("ask from the console, or from a program with `Authorization: Bearer TOKEN`"));
        }
        Ok(Asker::Known { label: found.label })
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// The middleware. Leaves the [`Asker`] for those who answer.
pub async fn guard(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let policy = path.and_then(|path| gate.policies.get(path.as_str()));
    let policy = policy.copied().unwrap_or(Policy::Guarded);
    match gate.admit(policy, request.method(), request.headers()) {
        Ok(asker) => {
            request.extensions_mut().insert(asker);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// The ids of sessions that the request shows. A browser may have several cookies of one name.
pub fn session_ids(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    // Limit: 8 cookies of our name are looked at, each costs a hash.
    headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE)
        .map(|(_, id)| id)
        .take(8)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
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

pub(crate) fn check_host(headers: &HeaderMap, allowed: &[String]) -> Result<(), Problem> {
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
        .remedy(
            "ask from a program, or from a page that this Weir served; a proxy must hand on Host",
        ))
}

/// What asks without naming an origin, as images do: browsers say whose page it is for, if they
/// can tell (https, and loopback). Weir would answer nobody there, but have the work.
fn check_site(headers: &HeaderMap) -> Result<(), Problem> {
    let value = |name| text(headers, HeaderName::from_static(name)).unwrap_or_default();
    let site = value("sec-fetch-site");
    // Why: a link may be followed from anywhere; the page that has it sees nothing of the answer.
    let is_followed =
        (value("sec-fetch-mode"), value("sec-fetch-dest")) == ("navigate", "document");
    if !matches!(site, "cross-site" | "same-site") || is_followed {
        return Ok(());
    }
    Err(Problem::new(Kind::ForeignOrigin, "a page of another site asks")
        .field("Sec-Fetch-Site")
        .remedy("ask from a program, or from a page that this Weir served"))
}

fn refused(detail: &str) -> Problem {
    Problem::new(Kind::Unauthorized, detail)
        .field("Authorization")
        .remedy("send `Authorization: Bearer TOKEN`; `weir token new` makes a token")
}

fn check_token(headers: &HeaderMap, tokens: &Tokens) -> Result<Asker, Problem> {
    let value = text(headers, header::AUTHORIZATION).unwrap_or_default();
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err(refused("the Authorization header is not of the form `Bearer TOKEN`")),
    };
    match tokens.find(token) {
        Some(entry) => Ok(Asker::Known { label: entry.label }),
        None => Err(refused("the token is not known, or revoked")),
    }
}

#[cfg(test)]
mod tests;
