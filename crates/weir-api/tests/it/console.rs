//! The console's page and files, and what stands there without them.

use weir_api::Console;

use crate::server::{Answer, CONSOLE, Server, Setup};

const PAGES: [&str; 7] =
    ["/", "/overview", "/explore", "/records", "/exporters", "/health", "/sign-in"];

/// Status, coding and body.
fn got(answer: &Answer) -> (u16, Option<&str>, &str) {
    let body = std::str::from_utf8(&answer.body).unwrap();
    (answer.status, answer.header("content-encoding"), body)
}

#[test]
fn every_page_path_has_the_one_page_under_its_own_policy() {
    let server = Server::start(Setup::default());
    for path in PAGES {
        let answer = server.get(&format!("{path}?v=1&by=src_addr"));
        assert_eq!(got(&answer), (200, None, "<!doctype html><title>Weir</title>"), "{path}");
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-cache"),
            ("vary", "accept-encoding"),
            ("etag", "\"page1\""),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            (
                "content-security-policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; \
                 img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; \
                 manifest-src 'self'; base-uri 'none'; form-action 'self'; \
                 frame-ancestors 'none'",
            ),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path} {name}");
        }
    }
    let strict = "default-src 'none'; style-src 'unsafe-inline'";
    for path in ["/status", "/api/v1/schema", "/nosuch", "/assets/app-1a2b.js"] {
        let policy = server.get(path).header("content-security-policy").unwrap().to_owned();
        assert!(policy.starts_with(strict) && !policy.contains("script"), "{path}: {policy}");
    }
}

#[test]
fn files_come_in_the_coding_that_is_accepted_and_stay_for_good() {
    let server = Server::start(Setup::default());
    let ask = |headers: &[(&str, &str)]| server.ask("GET", "/assets/app-1a2b.js", headers, "");
    for (accepted, coding, body, tag) in [
        ("gzip, deflate, br", Some("br"), "script as br", "\"js1-br\""),
        ("br;q=0.5, gzip", Some("gzip"), "script as gzip", "\"js1-gzip\""),
        ("identity", None, "plain script", "\"js1\""),
    ] {
        let answer = ask(&[("accept-encoding", accepted)]);
        assert_eq!(got(&answer), (200, coding, body));
        let forever = "public, max-age=31536000, immutable";
        assert_eq!(answer.header("cache-control"), Some(forever));
        assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(answer.header("etag"), Some(tag));
        assert_eq!(answer.header("content-length"), Some(body.len().to_string().as_str()));
        // Known already: nothing is sent, in this coding only.
        let known = ask(&[("accept-encoding", accepted), ("if-none-match", tag)]);
        assert_eq!(got(&known), (304, None, ""));
        assert_eq!(known.header("etag"), Some(tag));
        let other = ask(&[("accept-encoding", accepted), ("if-none-match", "\"js0\"")]);
        assert_eq!(other.status, 200);
        let head = server.ask("HEAD", "/assets/app-1a2b.js", &[("accept-encoding", accepted)], "");
        assert_eq!(got(&head), (200, coding, ""));
        assert_eq!(head.header("content-length"), answer.header("content-length"));
    }
    let icon = server.ask("GET", "/favicon.svg", &[("accept-encoding", "gzip, br")], "");
    assert_eq!(got(&icon), (200, None, "<svg/>"));
    assert_eq!(icon.header("cache-control"), Some("no-cache"));
}

#[test]
fn what_is_not_in_the_table_is_not_there() {
    let server = Server::start(Setup::default());
    for path in [
        "/assets/nosuch.js",
        "/assets/",
        "/assets",
        "/assets/app-1a2b.js.br",
        "/assets/app-1a2b.js/",
        "/assets/..%2findex.html",
        "/assets/%2e%2e/%2e%2e/tokens",
        "/assets/../../../../etc/passwd",
        "/index.html",
        "/explor",
        "/explore/x",
    ] {
        let answer = server.get(path);
        assert_eq!(
            (answer.status, answer.header("cache-control")),
            (404, Some("no-store")),
            "{path}"
        );
        assert_eq!(answer.json()["type"], "urn:weir:problem:not-found", "{path}");
    }
    for path in PAGES {
        assert_eq!(server.ask("POST", path, &[], "").status, 405, "{path}");
    }
}

#[test]
fn without_a_console_its_pages_are_the_status_page_that_says_how_to_get_one() {
    let server = Server::start(Setup { console: Console::default(), ..Setup::default() });
    for path in PAGES {
        let answer = server.get(path);
        let text = String::from_utf8(answer.body.clone()).unwrap();
        assert!(text.contains("198.51.100.1") && text.contains("make build"), "{path}: {text}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(server.get("/favicon.svg").status, 404);
    assert_eq!(server.get("/assets/app-1a2b.js").status, 404);
    assert!(CONSOLE.index().is_some(), "the other tests have one");
}
