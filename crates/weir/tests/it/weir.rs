//! Runs the program, and a server of it on free ports.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A command that sees no configuration but its own.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(args).env_clear();
    command
}

/// Runs to the end.
pub fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

/// Standard output of a command that must succeed.
pub fn out(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "weir {args:?}: {}", err(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Standard error as text.
pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder of this test's own, removed with it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("weir-it-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn data(&self) -> String {
        self.0.join("data").display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// A capture that ships with the program.
pub fn capture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("demo").join(name).display().to_string()
}

/// A running `weir serve`. Dropping it kills it.
pub struct Serve {
    pub child: Child,
    pub url: String,
    pub udp: String,
    pub tcp: String,
    log: std::sync::mpsc::Receiver<String>,
}

impl Serve {
    /// Starts on free ports of loopback, unless `args` say otherwise. This machine is not metered:
    /// its connections would be among the records that are counted.
    pub fn start(data: &str, args: &[&str]) -> Serve {
        Serve::start_as_configured(data, &[&["--set", "meter.enabled=false"], args].concat())
    }

    /// The same, metering where the configuration says so.
    pub fn start_as_configured(data: &str, args: &[&str]) -> Serve {
        let mut all = vec!["serve", "--data", data, "--listen", "127.0.0.1:0"];
        if !args.contains(&"--http") {
            all.extend(["--http", "127.0.0.1:0"]);
        }
        all.extend(args);
        let mut child =
            command(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (line, log) = std::sync::mpsc::sync_channel(10_000);
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for text in stderr.lines().map_while(Result::ok) {
                let _nobody_waits = line.try_send(text);
            }
        });
        let ready = wait_for(&log, "weir is ready");
        let field = |name: &str| {
            let (_, rest) = ready.split_once(&format!(" {name}=")).unwrap();
            rest.split(' ').next().unwrap().to_owned()
        };
        let (url, udp, tcp) = (field("url"), field("udp"), field("tcp"));
        Serve { child, url, udp, tcp, log }
    }

    /// Waits for a line of the log.
    pub fn wait_for(&self, text: &str) -> String {
        wait_for(&self.log, text)
    }

    /// `weir query` of this server, as rows of JSON.
    pub fn query(&self, args: &[&str]) -> Vec<Value> {
        let fixed = ["query", "--server", &self.url, "--output", "ndjson"];
        rows(&out(&[&fixed, args].concat()))
    }

    /// Replays captures, then waits until `flows` flows can be asked for.
    pub fn replay(&self, captures: &[&str], flows: u64) {
        for name in captures {
            out(&["replay", &capture(name), "--to", &self.udp, "--flat-out", "--retime"]);
        }
        let started = Instant::now();
        let mut found = Vec::new();
        while started.elapsed() < Duration::from_secs(10) {
            found = self.query(&["--measure", "flows"]);
            if found.first().is_some_and(|row| row["flows"] == flows) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{flows} flows were not there after 10 s, but {found:?}");
    }

    /// Sends SIGTERM and waits for an orderly end.
    pub fn stop(self) {
        self.stop_by(&["TERM"]);
    }

    /// Sends signals, one at once after the other, and waits for an orderly end.
    pub fn stop_by(mut self, signals: &[&str]) {
        signals.iter().for_each(|name| self.signal(name));
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {:#?}", self.log.iter().collect::<Vec<_>>());
    }

    /// Sends SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// What stands on standard output until the process ends.
    pub fn stop_and_read(mut self) -> String {
        self.signal("TERM");
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(self.child.wait().unwrap().success());
        text
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn wait_for(log: &std::sync::mpsc::Receiver<String>, text: &str) -> String {
    let mut seen = Vec::new();
    loop {
        match log.recv_timeout(Duration::from_secs(20)) {
            Ok(line) if line.contains(text) => return line,
            Ok(line) => seen.push(line),
            Err(_) => panic!("`{text}` is not in the log: {seen:#?}"),
        }
    }
}

/// Lines of JSON.
pub fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
