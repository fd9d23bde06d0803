//! Signing in, being signed in, signing out, over a socket.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use weir_api::{Access, Tokens};

use crate::server::{Answer, NOW, Server, Setup, folder};

/// A server that asks for a token, and a token of it.
struct Guarded {
    server: Server,
    tokens: Tokens,
    folder: std::path::PathBuf,
    id: String,
    token: String,
}

impl Guarded {
    fn start() -> Guarded {
        let folder = folder();
        let tokens = Tokens::in_folder(&folder);
        let (entry, secret) = tokens.create("wall display", NOW).unwrap();
        let access = Access::Token(Tokens::in_folder(&folder));
        // So that none is closed for its silence while a test looks at it.
        let connections = (8, Duration::from_secs(60));
        let server = Server::start(Setup { access, connections, ..Setup::default() });
        let token = secret.reveal().to_owned();
        Guarded { server, tokens, folder, id: entry.id, token }
    }

    fn sign_in(&self, token: &str, headers: &[(&str, &str)]) -> Answer {
        let body = format!("{{\"token\": \"{token}\"}}");
        self.server.ask("POST", "/api/v1/session", headers, &body)
    }

    /// Signs in and returns what the browser would send back.
    fn cookie(&self) -> String {
        let set = self.sign_in(&self.token, &[]);
        assert_eq!(set.status, 204);
        set.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }

    fn status(&self, cookie: &str) -> u16 {
        self.server.ask("GET", "/api/v1/schema", &[("cookie", cookie)], "").status
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_token_opens_a_session_that_no_script_can_read() {
    let guarded = Guarded::start();
    let server = &guarded.server;
    let before = server.get("/api/v1/session").json();
    let stranger = serde_json::json!({
        "auth": "token", "signed_in": false, "name": null, "version": "0.1.0", "demo": false});
    assert_eq!(before, stranger);

    let answer = guarded.sign_in(&guarded.token, &[]);
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let set = answer.header("set-cookie").unwrap().to_owned();
    let (cookie, attributes) = set.split_once("; ").unwrap();
    assert_eq!(attributes, "HttpOnly; SameSite=Strict; Path=/; Max-Age=604800");
    let id = cookie.strip_prefix("weir_session=").unwrap();
    assert_eq!(id.len(), 64);
    assert_ne!(id, &guarded.token["weir_".len()..]);

    let known = server.ask("GET", "/api/v1/session", &[("cookie", cookie)], "").json();
    assert_eq!((&known["signed_in"], &known["name"]), (&true.into(), &"wall display".into()));
    for path in ["/api/v1/schema", "/api/v1/health", "/metrics", "/api/v1/views"] {
        assert_eq!(server.ask("GET", path, &[("cookie", cookie)], "").status, 200, "{path}");
    }
    let metrics = server.ask("GET", "/metrics", &[("cookie", cookie)], "");
    let metrics = String::from_utf8(metrics.body).unwrap();
    for line in ["weir_api_sessions 1\n", "weir_api_sign_ins_total{outcome=\"signed_in\"} 1\n"] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }

    // A changed id, another name, and the token in its place are worth nothing.
    let mut other = cookie.to_owned();
    other.pop();
    let token = format!("weir_session={}", guarded.token);
    for cookie in [other.as_str(), &cookie.replace("weir", "w"), &token] {
        assert_eq!(guarded.status(cookie), 401, "{cookie}");
        let asked = server.ask("GET", "/api/v1/session", &[("cookie", cookie)], "");
        assert_eq!((asked.status, asked.json()), (200, stranger.clone()));
    }
    let over = server.ask("GET", "/api/v1/schema", &[("cookie", &other)], "").json();
    assert_eq!(over["detail"], "the session is over");
}

#[test]
fn signing_out_and_in_again_end_the_session() {
    let guarded = Guarded::start();
    let server = &guarded.server;
    let own = format!("http://{}", server.address);
    let (first, second) = (guarded.cookie(), guarded.cookie());
    let both = [("cookie", first.as_str()), ("origin", own.as_str())];
    let out = server.ask("DELETE", "/api/v1/session", &both, "");
    assert_eq!(out.status, 204);
    let gone = "weir_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0";
    assert_eq!(out.header("set-cookie"), Some(gone));
    assert_eq!((guarded.status(&first), guarded.status(&second)), (401, 200));
    // Again, and with no cookie at all: nothing to end is no error.
    assert_eq!(server.ask("DELETE", "/api/v1/session", &both, "").status, 204);
    assert_eq!(server.ask("DELETE", "/api/v1/session", &[], "").status, 204);
    let headers = [("cookie", second.as_str()), ("origin", own.as_str())];
    let third = guarded.sign_in(&guarded.token, &headers);
    let third = third.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert_eq!((guarded.status(&second), guarded.status(&third)), (401, 200));
}

#[test]
fn revoking_the_token_ends_its_sessions_at_once() {
    let guarded = Guarded::start();
    let cookie = guarded.cookie();
    assert_eq!(guarded.status(&cookie), 200);
    // As `weir token revoke` does it: by the folder, beside the running server.
    guarded.tokens.revoke(&guarded.id).unwrap();
    assert_eq!(guarded.status(&cookie), 401);
}

#[test]
fn a_change_with_a_session_must_come_from_the_console() {
    let guarded = Guarded::start();
    let cookie = guarded.cookie();
    let own = format!("http://{}", guarded.server.address);
    let bearer = format!("Bearer {}", guarded.token);
    let body = r#"{"name": "a", "page": "explore", "state": ""}"#;
    let make = |headers: &[(&str, &str)]| {
        let answer = guarded.server.ask("POST", "/api/v1/views", headers, body);
        (answer.status, answer.json())
    };
    let (status, problem) = make(&[("cookie", &cookie)]);
    assert_eq!((status, &problem["field"]), (403, &"Origin".into()));
    assert_eq!(problem["type"], "urn:weir:problem:foreign-origin");
    assert_eq!(make(&[("cookie", &cookie), ("origin", "https://evil.example")]).0, 403);
    assert_eq!(make(&[("cookie", &cookie), ("origin", &own)]).0, 201);
    // A program with a token names no page.
    assert_eq!(make(&[("authorization", &bearer)]).0, 201);
    let out = guarded.server.ask("DELETE", "/api/v1/session", &[("cookie", &cookie)], "");
    assert_eq!((out.status, guarded.status(&cookie)), (403, 200));
}

#[test]
fn a_wrong_token_is_refused_and_counted() {
    let guarded = Guarded::start();
    for token in ["weir_00", "", &guarded.token[1..]] {
        let refused = guarded.sign_in(token, &[]);
        assert_eq!((refused.status, refused.header("set-cookie")), (401, None), "{token}");
        assert_eq!(refused.json()["field"], "token");
    }
    let wrong = guarded.server.ask("POST", "/api/v1/session", &[], "{\"tokn\": \"x\"}");
    assert_eq!((wrong.status, wrong.json()["field"].clone()), (400, "tokn".into()));
    let missing = guarded.server.ask("POST", "/api/v1/session", &[], "{}");
    assert_eq!((missing.status, missing.json()["field"].clone()), (400, "token".into()));
    let form = [("content-type", "text/plain")];
    assert_eq!(guarded.sign_in(&guarded.token, &form).status, 415);
    let evil = [("origin", "https://evil.example")];
    assert_eq!(guarded.sign_in(&guarded.token, &evil).status, 403);
    let bearer = format!("Bearer {}", guarded.token);
    let metrics = guarded.server.ask("GET", "/metrics", &[("authorization", &bearer)], "");
    let metrics = String::from_utf8(metrics.body).unwrap();
    let line = "weir_api_sign_ins_total{outcome=\"refused\"} 3\n";
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn over_tls_of_a_proxy_the_cookie_stays_off_plain_http() {
    let guarded = Guarded::start();
    let headers = [("host", "weir.example"), ("origin", "https://weir.example")];
    let answer = guarded.sign_in(&guarded.token, &headers);
    let set = answer.header("set-cookie").unwrap();
    assert!(set.ends_with("; Path=/; Max-Age=604800; Secure"), "{set}");
}

#[test]
fn where_no_token_is_asked_for_everyone_is_signed_in() {
    for (access, auth) in
        [(Access::Local { allowed_hosts: Vec::new() }, "local"), (Access::Open, "none")]
    {
        let server = Server::start(Setup { access, ..Setup::default() });
        let session = server.get("/api/v1/session").json();
        assert_eq!((&session["auth"], &session["signed_in"]), (&auth.into(), &true.into()));
        assert_eq!(session["name"], serde_json::Value::Null);
        let answer = server.ask("POST", "/api/v1/session", &[], "{\"token\": \"weir_00\"}");
        assert_eq!((answer.status, answer.header("set-cookie")), (400, None));
        assert_eq!(answer.json()["remedy"], "ask without a token");
    }
}

#[test]
fn a_live_tail_ends_with_the_token_of_its_session() {
    let guarded = Guarded::start();
    let (address, cookie) = (guarded.server.address, guarded.cookie());
    let mut stream = TcpStream::connect(address).unwrap();
    // Less than the silence after which a tail says that it is still there.
    stream.set_read_timeout(Some(Duration::from_secs(14))).unwrap();
    write!(stream, "GET /api/v1/tail HTTP/1.0\r\nhost: {address}\r\ncookie: {cookie}\r\n\r\n")
        .unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == ": tailing"));
    guarded.tokens.revoke(&guarded.id).unwrap();
    assert_eq!(lines.filter(|line| !line.is_empty()).count(), 0);
}
