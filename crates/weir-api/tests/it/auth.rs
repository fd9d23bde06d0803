//! Who is admitted, for every rule and every path.

use weir_api::{Access, Console, Policy, Tokens};

use crate::server::{CONSOLE, NOW, Server, Setup, folder};

fn with(access: Access) -> Server {
    Server::start(Setup { access, ..Setup::default() })
}

/// Every path with its policy, but the tail, whose answer does not end. Names stand for parts.
fn paths() -> Vec<(String, Policy)> {
    let table = weir_api::policies().into_iter().filter(|(path, _)| *path != "/api/v1/tail");
    table.map(|(path, policy)| (path.replace(['{', '}'], ""), policy)).collect()
}

/// What whoever has no token may ask. A path that is to be open must be added here too.
const OPEN: [(&str, Policy); 12] = [
    ("/", Policy::Page),
    ("/overview", Policy::Page),
    ("/explore", Policy::Page),
    ("/records", Policy::Page),
    ("/exporters", Policy::Page),
    ("/health", Policy::Page),
    ("/sign-in", Policy::Page),
    ("/favicon.svg", Policy::Open),
    ("/assets/{file}", Policy::Open),
    ("/livez", Policy::Probe),
    ("/readyz", Policy::Probe),
    ("/api/v1/session", Policy::Open),
];

#[test]
fn all_but_the_listed_paths_are_guarded() {
    let open: Vec<_> =
        weir_api::policies().into_iter().filter(|(_, policy)| *policy != Policy::Guarded).collect();
    assert_eq!(open, OPEN);
    assert!(weir_api::policies().len() > 20);
}

#[test]
fn beyond_loopback_every_guarded_path_needs_a_token_whatever_the_method() {
    for console in [CONSOLE, Console::default()] {
        every_guarded_path_needs_a_token(console);
    }
}

fn every_guarded_path_needs_a_token(console: Console) {
    let has_console = console.index().is_some();
    let folder = folder();
    let tokens = Tokens::in_folder(&folder);
    let (entry, secret) = tokens.create("test", NOW).unwrap();
    let access = Access::Token(Tokens::in_folder(&folder));
    let server = Server::start(Setup { access, console, ..Setup::default() });
    let bearer = format!("Bearer {}", secret.reveal());
    let unknown = ["/nosuch", "/api/v1/nosuch", "/api/v1/session/x", "/livez/", "//livez"];
    let unknown = unknown.map(|path| (path.to_owned(), Policy::Guarded));
    for (path, policy) in paths().into_iter().chain(unknown) {
        // Without a console the status page stands at its paths, which tells who exports.
        let guarded = policy == Policy::Guarded || (policy == Policy::Page && !has_console);
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            for headers in [
                &[][..],
                &[("authorization", "Bearer weir_0000")],
                &[("authorization", "Basic d2Vpcjp3ZWly")],
                &[("authorization", "Bearer")],
                &[("cookie", "weir_session=0000")],
            ] {
                let answer = server.ask(method, &path, headers, "");
                assert_eq!(answer.status == 401, guarded, "{method} {path} {headers:?}");
            }
            // The name in Host does not matter where a token is shown.
            let headers = [("authorization", bearer.as_str()), ("host", "weir.example")];
            let status = server.ask(method, &path, &headers, "").status;
            assert!(!matches!(status, 401 | 403), "{method} {path}: {status}");
        }
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
    for (path, policy) in paths() {
        for (headers, admitted) in [
            (vec![], true),
            (vec![("host", "localhost")], true),
            (vec![("host", "proxy.example")], true),
            (vec![("origin", own.as_str())], true),
            (vec![("host", "evil.example")], false),
            (vec![("origin", "https://evil.example")], false),
            (vec![("host", "evil.example"), ("origin", "http://evil.example")], false),
        ] {
            let status = server.ask("GET", &path, &headers, "").status;
            let expected = admitted || policy == Policy::Probe;
            assert_eq!(status != 403, expected, "{path} {headers:?}");
            assert_ne!(status, 401, "{path} {headers:?}");
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
