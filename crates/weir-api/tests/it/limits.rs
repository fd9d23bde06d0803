//! What a request may cost.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use weir_query::QueryLimits;

use crate::server::{Server, Setup};

#[test]
fn a_body_past_its_limit_is_refused() {
    let server = Server::start(Setup::default());
    let body = format!("{{\"filter\":\"{}\"}}", " ".repeat(5_000));
    let answer = server.ask("POST", "/api/v1/query", &[], &body);
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()["remedy"], "send less, or raise http.body_max");
}

#[test]
fn a_query_past_its_rows_says_which_limit_and_what_to_do() {
    let limits = QueryLimits { rows: 2, ..QueryLimits::default() };
    let server = Server::start(Setup { limits, ..Setup::default() });
    let body = r#"{"group_by": ["src_addr", "dst_addr"], "limit": null}"#;
    let answer = server.ask("POST", "/api/v1/query", &[], body);
    assert_eq!(answer.status, 422);
    let problem = answer.json();
    assert_eq!(problem["type"], "urn:weir:problem:query-limit");
    assert_eq!(problem["field"], "limit");
    assert!(problem["detail"].as_str().unwrap().contains("more than 2 rows"), "{problem}");
}

#[test]
fn a_silent_connection_is_closed_and_frees_its_place() {
    let server = Server::start(Setup::default());
    let started = Instant::now();
    // All four places are taken by connections that say nothing whole.
    let mut silent: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: ").unwrap();
            stream
        })
        .collect();
    assert_eq!(server.get("/livez").status, 200, "served after the silent ones were closed");
    assert!(started.elapsed() >= Duration::from_secs(1));
    let mut rest = Vec::new();
    silent[0].set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let _closed_or_reset = silent[0].read_to_end(&mut rest);
    assert_eq!(rest, b"");
}
