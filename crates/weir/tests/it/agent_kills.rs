//! Between Weir and Weir: whoever is killed, every flow and counter is there once. Over TCP, and over TLS with
//! certificates at both ends.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_testkit::certificates::{Authority, Pair};
use weir_testkit::skip_aloud;

use crate::metering::{Agent, connections, count, field, serve};
use crate::weir::{Folder, Serve};

/// Kills of the server over TLS, and the longest time for all of them.
const KILLS: usize = 20;
const KILLS_TIME: Duration = Duration::from_secs(40);

/// Checks that all that the agent sent is there, once, and stops both.
fn check_all_are_there_once(agent: Agent, server: Serve) -> u64 {
    let health = agent.wait("/destinations/0/lost_connections", |lost| lost > 0);
    assert_eq!(health["destinations"][0]["records"]["unacknowledged"], 0, "{health:#}");
    let began = Instant::now();
    while agent.health()["destinations"][0]["connected"] != true {
        assert!(began.elapsed() < Duration::from_secs(40), "{:#}", agent.health());
        std::thread::sleep(Duration::from_millis(100));
    }
    let settled = agent.health()["destinations"][0]["records"]["received"].as_u64().unwrap();
    agent.wait("/destinations/0/records/acknowledged", |records| records >= settled);
    // A stop waits until what is on its way is acknowledged.
    let stopped = agent.stop().remove(0);
    let records = field(&stopped, "records");
    assert_eq!(field(&stopped, "acknowledged"), records, "{stopped}");
    // All are there, once.
    let (flows, counters) = (count(&server, &[]), count(&server, &["--table", "counters"]));
    assert!(flows > 200 && counters > 0, "{flows} {counters}");
    assert_eq!(flows + counters, records);
    // Whoever runs on this machine is metered too: one port may have many peers in a message.
    let groups =
        "export_sequence,flow_id,src_addr,src_port,dst_addr,dst_port,end_reason,octets_total";
    let args = ["--group-by", groups, "--measure", "records", "--limit", "1"];
    let twice = server.query(&args);
    assert_eq!(twice[0]["records"], 1, "{twice:?}");
    server.stop();
    flows
}

#[test]
fn a_server_that_is_killed_again_and_again_has_every_record_once() {
    let folder = Folder::new();
    let (mut server, tcp) = serve(&folder, "127.0.0.1:0");
    let agent = Agent::start(&folder, &["--to", &tcp]);
    for _ in 0..4 {
        connections(100, 1_000);
        std::thread::sleep(Duration::from_millis(1_500));
        server.kill();
        connections(100, 1_000);
        server = serve(&folder, &tcp).0;
    }
    agent.wait("/destinations/0/records/acknowledged", |records| records > 200);
    check_all_are_there_once(agent, server);
}

/// Certificates of a collector that wants some of its exporters too.
struct Secure {
    ca: Authority,
    settings: Vec<String>,
}

impl Secure {
    fn new(folder: &Path) -> Option<Secure> {
        let ca = Authority::new(folder, "ca")?;
        let server = ca.sign("collector", 30);
        let set = |key: &str, path: &Path| format!("ingest.{key}={}", path.display());
        let settings = vec![
            set("tls_certificate", &server.certificate),
            set("tls_key", &server.key),
            set("tls_client_ca", &ca.certificate()),
        ];
        Some(Secure { ca, settings })
    }

    fn serve(&self, folder: &Folder, tcp: &str) -> Serve {
        let listen = format!("tcp:{tcp}");
        let mut args = vec!["--listen", &listen];
        self.settings.iter().for_each(|setting| args.extend(["--set", setting]));
        Serve::start(&folder.data(), &args)
    }

    /// Words of an agent that goes there by TLS with this certificate.
    fn agent(&self, tcp: &str, pair: &Pair) -> Vec<String> {
        let file = |path: &Path| path.display().to_string();
        let port = tcp.rsplit_once(':').unwrap().1;
        let (to, ca) = (format!("tls://localhost:{port}"), file(&self.ca.certificate()));
        let own = [file(&pair.certificate), file(&pair.key)];
        let [certificate, key] = own;
        ["--to", &to, "--ca", &ca, "--certificate", &certificate, "--key", &key]
            .map(str::to_owned)
            .to_vec()
    }
}

fn words(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

fn health(serve: &Serve) -> Value {
    let mut answer = ureq::get(format!("{}api/v1/health", serve.url)).call().unwrap();
    answer.body_mut().read_json().unwrap()
}

#[test]
fn over_tls_a_server_that_is_killed_under_load_has_every_record_once() {
    let folder = Folder::new();
    let Some(secure) = Secure::new(&folder.0) else {
        return skip_aloud("an agent over TLS", "there is no openssl program");
    };
    let node = secure.ca.sign("node-1", 30);
    // The port of IPFIX, where nobody has it.
    let is_free = std::net::TcpListener::bind("127.0.0.1:4739").is_ok();
    let wanted = if is_free { "127.0.0.1:4739" } else { "127.0.0.1:0" };
    let mut server = Some(secure.serve(&folder, wanted));
    let tcp = server.as_ref().unwrap().tcp.clone();
    let args = secure.agent(&tcp, &node);
    let quick = ["--set", "meter.active_timeout=1s"];
    let agent = Agent::start(&folder, &[&words(&args)[..], &quick].concat());
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (mut kills, mut under_load) = (0, 0);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut made = 0u64;
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                connections(20, 1_000);
                made += 20;
                std::thread::sleep(Duration::from_millis(20));
            }
            made
        });
        let began = Instant::now();
        while kills < KILLS && began.elapsed() < KILLS_TIME {
            // Each life is long enough for records to come, and each comes while others are open.
            let so_far = |health: &Value| {
                health["destinations"][0]["records"]["acknowledged"].as_u64().unwrap()
            };
            let before = so_far(&agent.health());
            let born = Instant::now();
            while so_far(&agent.health()) == before && born.elapsed() < Duration::from_secs(5) {
                std::thread::sleep(Duration::from_millis(20));
            }
            under_load += u32::from(so_far(&agent.health()) > before);
            server.take().unwrap().kill();
            server = Some(secure.serve(&folder, &tcp));
            kills += 1;
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        assert!(load.join().unwrap() > 200);
    });
    assert!(kills >= 5 && under_load >= 3, "{kills} {under_load}");
    let server = server.unwrap();
    assert_eq!(health(&server)["secure"]["mutual"], true);
    let began = Instant::now();
    while health(&server)["secure"]["connections_tls"] != 1 {
        assert!(began.elapsed() < Duration::from_secs(40), "{:#}", health(&server)["secure"]);
        std::thread::sleep(Duration::from_millis(100));
    }
    let flows = check_all_are_there_once(agent, server);
    eprintln!("{kills} kills, {under_load} of them after records came; {flows} flows, each once");
}

/// Puts one certificate in the place of another, as a renewal does.
fn renew(place: &Pair, by: &Pair) {
    std::fs::copy(&by.key, &place.key).unwrap();
    std::fs::copy(&by.certificate, &place.certificate).unwrap();
}

/// Waits until the agent says this of its first destination.
fn wait_error(agent: &Agent, part: &str) -> String {
    let began = Instant::now();
    loop {
        let health = agent.health();
        let error = health["destinations"][0]["error"].as_str().unwrap_or_default();
        if error.contains(part) {
            return error.to_owned();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "`{part}`: {health:#}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn certificates_are_judged_at_both_ends_and_renewed_ones_taken_without_a_restart() {
    let folder = Folder::new();
    let Some(secure) = Secure::new(&folder.0) else {
        return skip_aloud("certificates of an agent", "there is no openssl program");
    };
    let others = Authority::new(&folder.0, "others").unwrap();
    let at = |name: &str| Pair {
        certificate: folder.0.join(format!("{name}.crt")),
        key: folder.0.join(format!("{name}.key")),
    };
    let (collector, node) = (at("collector"), at("node"));
    // Both begin with certificates that the other end does not know.
    let good = at("good-collector");
    renew(&good, &collector);
    renew(&collector, &others.sign("other-collector", 30));
    renew(&node, &others.sign("stranger", 30));
    let server = secure.serve(&folder, "127.0.0.1:0");
    let args = secure.agent(&server.tcp, &node);
    let agent = Agent::start(&folder, &[&words(&args)[..], &["--to", &server.tcp]].concat());
    wait_error(&agent, "UnknownIssuer");
    // Plain TCP on the same port is none the worse for it.
    agent.wait("/destinations/1/records/acknowledged", |records| records > 0);

    renew(&collector, &good);
    let line = server.wait_for("ingest.tls_client_ca");
    assert!(line.contains("tls_certificate") && line.contains("source=127.0.0.1:"), "{line}");
    let error = wait_error(&agent, "UnknownCA");
    assert!(error.contains("fatal alert"), "{error}");

    renew(&node, &secure.ca.sign("node-1", 30));
    connections(20, 1_000);
    agent.wait("/destinations/0/records/acknowledged", |records| records > 0);
    assert_eq!(health(&server)["secure"]["connections_tls"], 1);
    agent.stop();
    server.stop();
}
