//! `weir top` as a script and as a person at a terminal use it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::weir::{Folder, Serve, err, out, rows, run};

/// A connection that carries a megabyte a second until it is dropped.
struct Talk {
    port: u16,
    stopped: Arc<AtomicBool>,
}

impl Talk {
    fn start() -> Talk {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        std::thread::spawn(move || {
            let (mut server, _) = listener.accept().unwrap();
            std::io::copy(&mut server, &mut std::io::sink()).unwrap();
        });
        let until = Arc::clone(&stopped);
        std::thread::spawn(move || {
            let mut client = TcpStream::connect(address).unwrap();
            let began = Instant::now();
            for pieces in 1.. {
                if until.load(Ordering::Relaxed) {
                    return;
                }
                client.write_all(&[7; 20_000]).unwrap();
                let due = Duration::from_millis(20 * pieces);
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
        });
        Talk { port: address.port(), stopped }
    }

    fn filter(&self) -> String {
        format!("dst_port = {}", self.port)
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// True, and says so, where nothing tells of sockets.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn is_blind(look: &Value) -> bool {
    let is_blind = look["tiers"].as_array().unwrap().is_empty();
    if is_blind {
        eprintln!("SKIPPED metering: {}", look["missing"]);
    }
    is_blind
}

#[test]
fn the_local_meter_tells_true_rates_and_owners_without_a_server() {
    let talk = Talk::start();
    let filter = talk.filter();
    let args = ["top", "--local", "--json", "--batch", "-n", "9", "--filter", &filter];
    let began = Instant::now();
    loop {
        let looks = rows(&out(&args));
        assert_eq!(looks.len(), 9);
        if is_blind(&looks[0]) {
            return;
        }
        for look in &looks {
            let row = &look["rows"][0];
            assert_eq!(row["src_pid"], u64::from(std::process::id()), "{look}");
            assert_eq!(row["dst_port"], talk.port);
            assert_eq!(look["total"]["out_octets_per_second"], row["out_octets_per_second"]);
            // Nothing but acknowledgements, where headers are counted.
            assert!(row["in_octets_per_second"].as_f64() < Some(30_000.0), "{look}");
        }
        if looks.windows(3).filter(|three| is_true(three)).count() > 0 {
            return;
        }
        // A machine under load looks too seldom to compare; it is asked again.
        assert!(began.elapsed() < Duration::from_secs(180), "{looks:#?}");
    }
}

/// Of three looks with a record between each, what was told between the last two is rate times
/// interval, however late a loaded machine sends and looks. False where there is no such record.
fn is_true(three: &[Value]) -> bool {
    let number = |look: &Value, name: &str| look["rows"][0][name].as_f64().unwrap();
    let told = |look: &Value| (look["records"].as_u64().unwrap(), number(look, "interval_seconds"));
    let is_next = |a: (u64, f64), b: (u64, f64)| b.0 == a.0 + 1 && a.1 != b.1;
    let [before, last, next] = [&three[0], &three[1], &three[2]].map(told);
    if !is_next(before, last) || !is_next(last, next) {
        return false;
    }
    let rates = ["out_octets_per_second", "in_octets_per_second"];
    let rate = rates.iter().map(|name| number(&three[2], name)).sum::<f64>();
    let octets = number(&three[2], "octets") - number(&three[1], "octets");
    assert!(octets > 0.0 && (rate * next.1 - octets).abs() < 3.0 * next.1, "{three:#?}");
    true
}

#[test]
fn groups_are_lines_of_a_table() {
    let talk = Talk::start();
    let filter = talk.filter();
    let text = out(&["top", "--local", "--once", "--group-by", "port", "--filter", &filter]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains("  this machine  out "), "{text}");
    if lines.len() == 2 {
        eprintln!("SKIPPED metering: {text}");
        return;
    }
    assert!(lines[1].starts_with("PORT") && lines[1].ends_with("OCTETS"), "{text}");
    assert!(lines[2].starts_with(&format!("{}/tcp ", talk.port)), "{text}");
}

#[test]
fn a_server_is_followed_from_its_last_minute_on() {
    let folder = Folder::new();
    let serve = Serve::start(&folder.data(), &[]);
    serve.replay(&["ovs-netflow.pcap"], 24);
    let args = ["top", "--server", &serve.url, "--once", "--json"];
    let look: Value = serde_json::from_str(&out(&args)).unwrap();
    assert_eq!((&look["records"], &look["failed"]), (&24.into(), &Value::Null), "{look}");
    assert!(look["missing"][0].as_str().unwrap().contains("does not meter"), "{look}");
    let none: Value =
        serde_json::from_str(&out(&[&args[..], &["--filter", "dst_port = 1"]].concat())).unwrap();
    assert_eq!((&none["records"], &none["rows"]), (&0.into(), &Value::Array(Vec::new())));
    serve.stop();
}

#[test]
fn what_cannot_be_is_refused_with_a_remedy() {
    let refused = |args: &[&str], expected: &str| {
        let output: Output = run(&[&["top"], args].concat());
        assert!(!output.status.success(), "{args:?}");
        assert!(err(&output).contains(expected), "{}", err(&output));
    };
    refused(&["--filter", "dst_prt = 443"], "  dst_prt = 443\n  ^^^^^^^\ndid you mean `dst_port`?");
    refused(&["--local"], "--once or --batch");
    refused(&["--local", "--once", "--delay", "1ms"], "at least 100ms");
    refused(&["--server", "http://127.0.0.1:9", "--once"], "is `weir serve` running there?");
    refused(&["--local", "--once", "--set", "meter.flow_max=1"], "did you mean");
}

/// A terminal of tmux with a shell that runs `weir top`, then tells how the terminal is.
struct Screen(String);

impl Screen {
    /// None, aloud, where there is no tmux.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn start(name: &str, environment: &str, arguments: &str) -> Option<Screen> {
        let screen = Screen(format!("weir-it-{}-{name}", std::process::id()));
        let program = env!("CARGO_BIN_EXE_weir");
        let shell = format!("env {environment} {program} top {arguments}; stty -a; sleep 60");
        let size = ["-x", "80", "-y", "24"];
        let new = [&["-u", "new-session", "-d"], &size[..], &[&shell]].concat();
        match screen.command(&new).output() {
            Ok(output) if output.status.success() => Some(screen),
            other => {
                eprintln!("SKIPPED the terminal: no tmux: {other:?}");
                None
            }
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.0, "-f", "/dev/null"]).args(args);
        command
    }

    fn text(&self, more: &[&str]) -> String {
        let args = [&["capture-pane", "-p"], more].concat();
        String::from_utf8(self.command(&args).output().unwrap().stdout).unwrap()
    }

    fn keys(&self, keys: &[&str]) {
        let sent = self.command(&[&["send-keys"], keys].concat()).status().unwrap();
        assert!(sent.success());
    }

    fn wait_for(&self, what: &str) -> String {
        let began = Instant::now();
        loop {
            let text = self.text(&[]);
            if text.contains(what) {
                return text;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "no `{what}` in:\n{text}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The process of `weir top`.
    fn child(&self) -> String {
        let pane = self.command(&["display-message", "-p", "#{pane_pid}"]).output().unwrap();
        let pane = String::from_utf8(pane.stdout).unwrap();
        let path = format!("/proc/{0}/task/{0}/children", pane.trim());
        let mut children = String::new();
        std::fs::File::open(path).unwrap().read_to_string(&mut children).unwrap();
        children.trim().to_owned()
    }

    /// The terminal is as it was: its lines are edited and echoed again, on its own screen.
    fn is_given_back(&self) {
        let text = self.wait_for("icanon");
        let settings: Vec<&str> = text.split_whitespace().collect();
        assert!(settings.contains(&"icanon") && settings.contains(&"echo"), "{text}");
        assert!(!text.contains("weir top"), "{text}");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ended = self.command(&["kill-server"]).output();
    }
}

#[test]
fn a_terminal_shows_flows_obeys_keys_and_is_given_back() {
    let talk = Talk::start();
    let arguments = format!("--local --filter 'dst_port = {}'", talk.port);
    let Some(screen) = Screen::start("keys", "LANG=C.UTF-8", &arguments) else { return };
    let text = screen.wait_for("tiers: ");
    if text.contains("tiers: none") {
        eprintln!("SKIPPED metering: {text}");
        return;
    }
    screen.wait_for(&format!(" → 127.0.0.1:{} ", talk.port));
    screen.keys(&["g", "s"]);
    screen.wait_for("by process · sort out · show all");
    screen.keys(&["/", " and x"]);
    let text = screen.wait_for("is not a column of flows");
    assert!(text.contains(&format!("filter: dst_port = {} and x", talk.port)), "{text}");
    screen.keys(&["Escape", "?"]);
    screen.wait_for("any key goes back");
    let resized = screen.command(&["resize-window", "-x", "40", "-y", "10"]).status().unwrap();
    assert!(resized.success());
    screen.keys(&["x"]);
    screen.wait_for("PROCESS");
    assert!(screen.text(&[]).lines().all(|line| line.chars().count() <= 40));
    screen.keys(&["q"]);
    screen.is_given_back();
}

#[test]
fn a_signal_gives_the_terminal_back_and_no_color_has_none() {
    let Some(screen) = Screen::start("signal", "NO_COLOR=1 LANG=C", "--local") else { return };
    screen.wait_for("q quit");
    // What tmux says of the default colours is its own.
    let text = screen.text(&["-e"]).replace("\u{1b}[39m", "").replace("\u{1b}[49m", "");
    for colour in ["\u{1b}[3", "\u{1b}[9", "\u{1b}[4"] {
        assert!(!text.contains(colour), "{text:?}");
    }
    assert!(text.is_ascii(), "{text}");
    let status = Command::new("kill").args(["-s", "TERM", &screen.child()]).status().unwrap();
    assert!(status.success());
    screen.is_given_back();
}
