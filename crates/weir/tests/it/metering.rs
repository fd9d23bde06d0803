//! A running agent, load for it, and a server that counts what came.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::weir::{Folder, Serve, command};

/// A running agent. Dropping it kills it.
pub struct Agent {
    pub child: Child,
    url: String,
    log: Receiver<String>,
}

impl Agent {
    pub fn start(folder: &Folder, args: &[&str]) -> Agent {
        let data = folder.0.join("agent").display().to_string();
        let fixed = ["agent", "--data", &data, "--http", "127.0.0.1:0"];
        let quick = ["--set", "meter.idle_timeout=2s", "--set", "meter.interval=200ms"];
        let mut child = command(&[&fixed[..], &quick, args].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (line, log) = sync_channel(10_000);
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for text in stderr.lines().map_while(Result::ok) {
                let _nobody_waits = line.try_send(text);
            }
        });
        let mut agent = Agent { child, url: String::new(), log };
        let ready = agent.wait_for("weir agent is ready");
        agent.url = ready.split(" http=").nth(1).unwrap().trim().to_owned();
        agent
    }

    pub fn wait_for(&self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.log.recv_timeout(Duration::from_secs(30)) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("`{text}` is not in the log: {seen:#?}"),
            }
        }
    }

    pub fn health(&self) -> Value {
        let mut answer = ureq::get(format!("{}api/v1/health", self.url)).call().unwrap();
        answer.body_mut().read_json().unwrap()
    }

    /// Waits until the first destination's figure passes `done`.
    pub fn wait(&self, pointer: &str, done: impl Fn(u64) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let health = self.health();
            if health.pointer(pointer).and_then(Value::as_u64).is_some_and(&done) {
                return health;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{pointer}: {health:#}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Stops it in order; gives what each destination said at the end.
    pub fn stop(mut self) -> Vec<String> {
        let id = self.child.id().to_string();
        assert!(
            std::process::Command::new("kill")
                .args(["-s", "TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        assert!(self.child.wait().unwrap().success());
        self.log.iter().filter(|line| line.contains("stopped exporting")).collect()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A number in a line of the log.
pub fn field(line: &str, name: &str) -> u64 {
    let (_, rest) = line.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("{line}"));
    rest.split(' ').next().unwrap().parse().unwrap()
}

/// Connections within this machine, of so many octets each; gives the port.
pub fn connections(count: usize, octets: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for _ in 0..count {
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(&vec![7; octets]).unwrap();
        drop(client);
        server.read_to_end(&mut Vec::new()).unwrap();
    }
    port
}

/// A Weir that serves on UDP and TCP, and its TCP port.
pub fn serve(folder: &Folder, tcp: &str) -> (Serve, String) {
    let serve = Serve::start(&folder.data(), &["--listen", &format!("tcp:{tcp}")]);
    let address = serve.tcp.clone();
    (serve, address)
}

pub fn count(serve: &Serve, filter: &[&str]) -> u64 {
    let rows = serve.query(&[filter, &["--measure", "records"]].concat());
    rows.first().and_then(|row| row["records"].as_u64()).unwrap_or(0)
}

/// Waits until the server has so many of them.
pub fn wait_count(serve: &Serve, filter: &[&str], expected: u64) {
    let began = Instant::now();
    while count(serve, filter) != expected {
        let found = count(serve, filter);
        assert!(began.elapsed() < Duration::from_secs(30), "{found} of {expected} {filter:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
