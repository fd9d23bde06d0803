//! The rules one by one; over a socket they are tried in `tests/it`.

use super::*;
use axum::http::HeaderValue;
use weir_telemetry::Registry;
use weir_testkit::FakeClock;

const NOW: Timestamp = Timestamp::from_seconds(1_000);

fn gate(access: Access) -> Gate {
    Gate {
        access,
        sessions: Sessions::new(&Registry::new()),
        clock: Arc::new(FakeClock::at(NOW)),
        policies: HashMap::new(),
        has_console: false,
    }
}

fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs.map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
}

fn kind(result: Result<Asker, Problem>) -> String {
    match result {
        Ok(asker) => format!("{asker:?}"),
        Err(problem) => problem.kind.trim_start_matches("urn:weir:problem:").to_owned(),
    }
}

fn get(gate: &Gate, headers: &HeaderMap) -> String {
    kind(gate.admit(Policy::Guarded, &Method::GET, headers))
}

#[test]
fn loopback_admits_local_names_only() {
    let gate = gate(Access::Local { allowed_hosts: vec!["flows.example".to_owned()] });
    for (host, expected) in [
        ("127.0.0.1:8008", "Anyone"),
        ("127.9.9.9", "Anyone"),
        ("localhost:1", "Anyone"),
        ("[::1]:8008", "Anyone"),
        ("Flows.example:443", "Anyone"),
        ("evil.example:8008", "foreign-host"),
        ("127.0.0.1.evil.example", "foreign-host"),
        ("localhost.evil.example", "foreign-host"),
        ("", "foreign-host"),
    ] {
        let headers = headers(&[(header::HOST, host)]);
        assert_eq!(get(&gate, &headers), expected, "{host}");
        // What is open to whoever has no token is still not open to other sites' pages.
        assert_eq!(kind(gate.admit(Policy::Open, &Method::GET, &headers)), expected, "{host}");
    }
    let none = HeaderMap::new();
    assert_eq!(get(&gate, &none), "foreign-host");
    assert_eq!(kind(gate.admit(Policy::Probe, &Method::GET, &none)), "Stranger");
}

#[test]
fn pages_of_other_sites_are_refused_whatever_the_rule() {
    for access in [Access::Local { allowed_hosts: vec![] }, Access::Open] {
        let gate = gate(access);
        for (origin, expected) in [
            ("http://127.0.0.1:8008", "Anyone"),
            ("http://127.0.0.1:9999", "foreign-origin"),
            ("https://evil.example", "foreign-origin"),
            ("null", "foreign-origin"),
        ] {
            let headers = headers(&[(header::HOST, "127.0.0.1:8008"), (header::ORIGIN, origin)]);
            assert_eq!(get(&gate, &headers), expected, "{origin}");
        }
    }
}

#[test]
fn what_pages_of_other_sites_load_is_refused_and_their_links_are_followed() {
    let gate = gate(Access::Local { allowed_hosts: vec![] });
    for (site, mode, dest, expected) in [
        ("same-origin", "cors", "empty", "Anyone"),
        ("none", "navigate", "document", "Anyone"),
        ("cross-site", "navigate", "document", "Anyone"),
        ("cross-site", "no-cors", "image", "foreign-origin"),
        ("cross-site", "navigate", "iframe", "foreign-origin"),
        ("same-site", "no-cors", "script", "foreign-origin"),
        ("cross-site", "", "", "foreign-origin"),
    ] {
        let name = header::HeaderName::from_static;
        let headers = headers(&[
            (header::HOST, "127.0.0.1:8008"),
            (name("sec-fetch-site"), site),
            (name("sec-fetch-mode"), mode),
            (name("sec-fetch-dest"), dest),
        ]);
        assert_eq!(get(&gate, &headers), expected, "{site} {mode} {dest}");
    }
}

#[test]
fn beyond_loopback_only_a_token_or_a_session_admits() {
    let folder = std::env::temp_dir().join(format!("weir-auth-{}", std::process::id()));
    let tokens = Tokens::in_folder(&folder);
    let (entry, secret) = tokens.create("wall", NOW).unwrap();
    let gate = gate(Access::Token(tokens));
    let known = "Known { label: \"wall\" }";
    let token = secret.reveal();
    for (value, expected) in [
        (format!("Bearer {token}"), known),
        (format!("bearer {token}"), known),
        (format!("Basic {token}"), "unauthorized"),
        (token.to_owned(), "unauthorized"),
        ("Bearer ".to_owned(), "unauthorized"),
        ("Bearer weir_00".to_owned(), "unauthorized"),
    ] {
        assert_eq!(get(&gate, &headers(&[(header::AUTHORIZATION, &value)])), expected);
    }
    let id = gate.sessions.open(&entry, NOW).unwrap();
    for (value, expected) in [
        (format!("weir_session={id}"), known),
        (format!("a=b; weir_session={id}; c=d"), known),
        (format!("weir_session=00; weir_session={id}"), known),
        (format!("xweir_session={id}"), "unauthorized"),
        ("weir_session=".to_owned(), "unauthorized"),
        (format!("weir_session={token}"), "unauthorized"),
    ] {
        let cookie = headers(&[(header::COOKIE, &value)]);
        assert_eq!(get(&gate, &cookie), expected, "{value}");
        // A token that is no good is not made good by a cookie.
        let both = headers(&[(header::COOKIE, &value), (header::AUTHORIZATION, "Bearer x")]);
        assert_eq!(get(&gate, &both), "unauthorized");
    }
    let none = HeaderMap::new();
    assert_eq!(get(&gate, &none), "unauthorized");
    assert_eq!(kind(gate.admit(Policy::Open, &Method::GET, &none)), "Stranger");
    assert_eq!(kind(gate.admit(Policy::Probe, &Method::GET, &none)), "Stranger");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_change_with_a_session_names_a_page_of_ours() {
    let folder = std::env::temp_dir().join(format!("weir-auth-csrf-{}", std::process::id()));
    let tokens = Tokens::in_folder(&folder);
    let (entry, secret) = tokens.create("wall", NOW).unwrap();
    let gate = gate(Access::Token(tokens));
    let cookie = format!("weir_session={}", gate.sessions.open(&entry, NOW).unwrap());
    let bearer = format!("Bearer {}", secret.reveal());
    let known = "Known { label: \"wall\" }";
    let host = (header::HOST, "weir.example");
    let with = |credential: (header::HeaderName, &str), origin: Option<&str>| {
        let origin = origin.map(|origin| (header::ORIGIN, origin));
        headers(&[host.clone(), credential].into_iter().chain(origin).collect::<Vec<_>>())
    };
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        for policy in [Policy::Guarded, Policy::Open] {
            for (origin, by_cookie, by_token) in [
                (None, "foreign-origin", known),
                (Some("https://weir.example"), known, known),
                (Some("https://evil.example"), "foreign-origin", "foreign-origin"),
                (Some("null"), "foreign-origin", "foreign-origin"),
            ] {
                let asked = with((header::COOKIE, &cookie), origin);
                assert_eq!(kind(gate.admit(policy, &method, &asked)), by_cookie, "{origin:?}");
                let asked = with((header::AUTHORIZATION, &bearer), origin);
                assert_eq!(kind(gate.admit(policy, &method, &asked)), by_token, "{origin:?}");
            }
        }
    }
    for method in [Method::GET, Method::HEAD] {
        let asked = with((header::COOKIE, &cookie), None);
        assert_eq!(kind(gate.admit(Policy::Guarded, &method, &asked)), known);
    }
    std::fs::remove_dir_all(folder).unwrap();
}
