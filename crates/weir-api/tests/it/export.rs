//! Files of a million records over a socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use weir_model::columns::flows;
use weir_model::{FlowBatch, Table};

use crate::server::{NOW, Server, Setup};

const BATCHES: u64 = 16;
const ROWS: u64 = 65_536;

/// A server over a million records more, a second old or older.
fn server() -> Server {
    let connections = (8, Duration::from_secs(60));
    let server = Server::start(Setup { connections, ..Setup::default() });
    for number in 0..BATCHES {
        let mut batch = FlowBatch::new(Table::Flows);
        batch.append_rows(ROWS as usize);
        batch.fill(flows::DST_PORT, 0, ROWS as usize, 9_999u16);
        for row in 0..ROWS {
            let at = NOW.minus(Duration::from_millis(1_000 + row)).0;
            batch.set(flows::RECEIVED_AT, row as usize, at);
            batch.set(flows::OCTETS, row as usize, number * ROWS + row);
        }
        batch.seal();
        server.store.append(&batch).unwrap();
    }
    server.store.flush().unwrap();
    server
}

/// Asks with HTTP/1.0, whose answers have no chunks: the body is what follows the head.
fn ask(server: &Server, parameters: &str) -> (String, BufReader<TcpStream>) {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let path = format!("/api/v1/records/export?filter=dst_port%20%3D%209999{parameters}");
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n", server.address).unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    (head, reader)
}

#[test]
fn a_million_records_arrive_once_each() {
    let server = server();
    let (head, body) = ask(&server, "&columns=octets&to=now&from=-5m");
    assert!(head.starts_with("HTTP/1.0 200"), "{head}");
    let name = "weir-flows-20261120T115500Z-20261120T120000Z.csv";
    assert!(head.contains(&format!("attachment; filename=\"{name}\"")), "{head}");
    let mut lines = body.lines().map(Result::unwrap);
    assert_eq!(lines.next().as_deref(), Some("octets"));
    let mut seen = vec![false; (BATCHES * ROWS) as usize];
    for line in lines {
        let slot = &mut seen[line.parse::<usize>().unwrap()];
        assert!(!std::mem::replace(slot, true), "{line} came twice");
    }
    assert!(seen.into_iter().all(|seen| seen));
    let (_, body) = ask(&server, "&format=ndjson&columns=octets&limit=70000&order_by=octets");
    let lines: Vec<String> = body.lines().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 70_000);
    assert_eq!(lines[0], format!("{{\"kind\":\"flow\",\"octets\":{}}}", BATCHES * ROWS - 1));
    assert_eq!(
        lines[69_999],
        format!("{{\"kind\":\"flow\",\"octets\":{}}}", BATCHES * ROWS - 70_000)
    );
}

#[test]
fn a_client_that_takes_nothing_holds_its_file_up_and_one_that_leaves_ends_it() {
    let server = server();
    let waiting: Vec<_> = (0..4).map(|_| ask(&server, "&format=ndjson")).collect();
    assert!(waiting.iter().all(|(head, _)| head.starts_with("HTTP/1.0 200")));
    // Each file is far larger than what sockets and the queue hold: none can have ended.
    let (head, mut body) = ask(&server, "&format=ndjson");
    assert!(head.starts_with("HTTP/1.0 503"), "{head}");
    let mut problem = String::new();
    body.read_to_string(&mut problem).unwrap();
    assert!(problem.contains("as many exports as may run at once"), "{problem}");
    drop(waiting);
    for _ in 0..600 {
        if ask(&server, "&limit=1").0.starts_with("HTTP/1.0 200") {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("files whose clients left never ended");
}
