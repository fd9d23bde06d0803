//! Live tail: what passes, what is skipped, who is turned away.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use crate::server::{ROWS, Server, Setup, batch};

/// Opens a tail and returns its lines, without what chunked coding puts between them.
fn tail(server: &Server, path: &str) -> impl Iterator<Item = String> + use<> {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
    stream.write_all(request.as_bytes()).unwrap();
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let fields = ["HTTP", "event: ", "data: ", ": "];
    lines.filter(move |line| fields.iter().any(|field| line.starts_with(field)))
}

#[test]
fn a_tail_shows_what_the_filter_keeps_and_counts_what_the_cap_cuts() {
    let server = Server::start(Setup::default());
    let path = "/api/v1/tail?filter=dst_port%20in%20(443,53)&columns=src_addr,octets";
    let mut lines = tail(&server, path);
    assert_eq!(lines.next().unwrap(), "HTTP/1.1 200 OK");
    assert_eq!(lines.next().unwrap(), ": tailing");
    server.hub.publish(&Arc::new(batch(&ROWS)));
    let found: Vec<String> = lines.by_ref().take(6).collect();
    assert_eq!(
        found,
        [
            "event: record",
            r#"data: {"kind":"flow","src_addr":"10.0.0.1","octets":1000}"#,
            "event: record",
            r#"data: {"kind":"flow","src_addr":"10.0.0.1","octets":2000}"#,
            "event: skipped",
            r#"data: {"skipped":1,"unexamined":0}"#,
        ]
    );
    // The only place is taken, and free again when its watcher has gone.
    let refused = server.get("/api/v1/tail");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["remedy"], "end one, or raise http.tails_max");
    drop(lines);
    let mut next = (0..100).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        let mut lines = tail(&server, "/api/v1/tail");
        (lines.next()? == "HTTP/1.1 200 OK").then_some(lines)
    });
    assert_eq!(next.as_mut().unwrap().next().unwrap(), ": tailing");
    server.hub.close();
    assert_eq!(next.unwrap().next(), None, "a closed hub ends the stream");
}
