//! Who is admitted, for every rule and every path.

use weir_api::{Access, Tokens};

use crate::server::{NOW, Server, Setup, folder};

fn with(access: Access) -> Server {
    Server::start(Setup { access, ..Setup::default() })
}

/// Every path but the tail, whose answer does not end.
fn paths() -> Vec<&'static str> {
    weir_api::paths().into_iter().filter(|path| *path != "/api/v1/tail").collect()
}

fn is_open(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz")
}

#[test]
fn beyond_loopback_every_path_but_the_probes_needs_a_token() {
    let folder = folder();
    let tokens = Tokens::in_folder(&folder);
    let (entry, secret) = tokens.create("test", NOW).unwrap();
    let server = with(Access::Token(Tokens::in_folder(&folder)));
    let bearer = format!("Bearer {}", secret.reveal());
    for path in paths() {
        let expected = if is_open(path) { 200 } else { 401 };
        for headers in [
            &[][..],
            &[("authorization", "Bearer weir_0000")],
            &[("authorization", "Basic d2Vpcjp3ZWly")],
            &[("authorization", "Bearer")],
        ] {
            let answer = server.ask("GET", path, headers, "");
            assert_eq!(answer.status, expected, "{path} {headers:?}");
        }
        // The name in Host does not matter where a token is shown.
        let headers = [("authorization", bearer.as_str()), ("host", "weir.example")];
        assert_eq!(server.ask("GET", path, &headers, "").status, 200, "{path}");
    }
    let refused = server.get("/api/v1/schema");
    assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"weir\""));
    assert_eq!(refused.json()["field"], "Authorization");
    tokens.revoke(&entry.id).unwrap();
    let headers = [("authorization", bearer.as_str())];
    assert_eq!(server.ask("GET", "/api/v1/schema", &headers, "").status, 401);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn on_loopback_pages_of_other_sites_get_nothing() {
    let server = with(Access::Local { allowed_hosts: vec!["proxy.example".to_owned()] });
    let own = format!("http://{}", server.address);
    for path in paths() {
        for (headers, expected) in [
            (vec![], 200),
            (vec![("host", "localhost")], 200),
            (vec![("host", "proxy.example")], 200),
            (vec![("origin", own.as_str())], 200),
            (vec![("host", "evil.example")], 403),
            (vec![("origin", "https://evil.example")], 403),
            (vec![("host", "evil.example"), ("origin", "http://evil.example")], 403),
        ] {
            let expected = if is_open(path) { 200 } else { expected };
            assert_eq!(
                server.ask("GET", path, &headers, "").status,
                expected,
                "{path} {headers:?}"
            );
        }
    }
}

#[test]
fn auth_none_admits_programs_but_no_foreign_pages() {
    let server = with(Access::Open);
    let headers = [("host", "anything.example")];
    assert_eq!(server.ask("GET", "/api/v1/schema", &headers, "").status, 200);
    let headers = [("origin", "https://evil.example")];
    assert_eq!(server.ask("GET", "/api/v1/schema", &headers, "").status, 403);
}
