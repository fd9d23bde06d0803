//! TLS from outside: the configuration, what the log says to whom is refused, and health.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_testkit::certificates::{Authority, Pair};
use weir_testkit::{Ipfix, Template, skip_aloud};

use crate::weir::{Folder, Serve, err, run};

fn health(serve: &Serve) -> Value {
    let mut answer = ureq::get(format!("{}api/v1/health", serve.url)).call().unwrap();
    answer.body_mut().read_json().unwrap()
}

/// Sends by `openssl s_client`, and waits for its end or until it is told to go.
fn client(serve: &Serve, ca: &Authority, pair: Option<&Pair>) -> std::process::Child {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-connect", &serve.tcp, "-CAfile"]).arg(ca.certificate());
    if let Some(pair) = pair {
        command.arg("-cert").arg(&pair.certificate).arg("-key").arg(&pair.key);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let template = Template::new(256, &[(8, 4), (12, 4), (1, 8)]);
    let record = [&[10, 0, 0, 1, 10, 0, 0, 2][..], &7u64.to_be_bytes()].concat();
    let message = Ipfix::new(0, 0, 1).template(&template).data(256, &record).build();
    let _refused = child.stdin.as_mut().unwrap().write_all(&message);
    child
}

#[test]
fn exporters_are_admitted_by_certificate_and_who_is_not_is_named_in_the_log() {
    let folder = Folder::new();
    let Some(ca) = Authority::new(&folder.0, "ca") else {
        return skip_aloud("TLS from outside", "there is no openssl program");
    };
    let others = Authority::new(&folder.0, "others").unwrap();
    let (server, node) = (ca.sign("collector", 7), ca.sign("node-1", 30));
    let stranger = others.sign("stranger", 30);
    let set = |key: &str, path: &std::path::Path| format!("ingest.{key}={}", path.display());
    let [certificate, key, client_ca] = [
        set("tls_certificate", &server.certificate),
        set("tls_key", &server.key),
        set("tls_client_ca", &ca.certificate()),
    ];
    let mut args = vec!["--listen", "tcp:127.0.0.1:0", "--set", &certificate, "--set", &key];
    args.extend(["--set", &client_ca, "--set", "ingest.tls_only=true"]);
    let serve = Serve::start(&folder.data(), &args);

    let mut refused = client(&serve, &ca, Some(&stranger));
    let line = serve.wait_for("tls_certificate");
    for part in ["WARN", "source=127.0.0.1:", "UnknownIssuer", "ingest.tls_client_ca"] {
        assert!(line.contains(part), "`{part}` is not in {line}");
    }
    refused.wait().unwrap();
    let mut plain = std::net::TcpStream::connect(&serve.tcp).unwrap();
    plain.write_all(&Ipfix::new(0, 0, 1).build()).unwrap();
    serve.wait_for("plain_refused");

    let mut admitted = client(&serve, &ca, Some(&node));
    let deadline = Instant::now() + Duration::from_secs(10);
    while serve.query(&["--measure", "flows"]).first().is_none_or(|row| row["flows"] != 1) {
        assert!(Instant::now() < deadline, "the record did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
    let health = health(&serve);
    let secure = &health["secure"];
    assert_eq!((&secure["tls"], &secure["mutual"]), (&true.into(), &true.into()));
    assert_eq!(secure["handshakes_failed"], serde_json::json!({"unknown_ca": 1}));
    assert_eq!(secure["connections_tls"], 1);
    let what = health["concerns"][0]["what"].as_str().unwrap();
    assert!(what.starts_with("the certificate of ingest.tls_certificate ends at 20"), "{what}");
    admitted.kill().unwrap();
    admitted.wait().unwrap();
    serve.stop();
}

#[test]
fn half_of_what_tls_needs_is_refused_with_its_remedy() {
    let folder = Folder::new();
    let data = folder.data();
    let refused = |set: &[&str]| {
        let mut args = vec!["serve", "--data", &data, "--listen", "127.0.0.1:0"];
        args.extend(["--http", "127.0.0.1:0"]);
        set.iter().for_each(|assignment| args.extend(["--set", assignment]));
        let output = run(&args);
        assert!(!output.status.success());
        err(&output)
    };
    let error = refused(&["ingest.tls_certificate=/tmp/a.crt"]);
    assert!(error.contains("ingest.tls_certificate: needs ingest.tls_key"), "{error}");
    let error = refused(&["ingest.tls_only=true"]);
    assert!(error.contains("ingest.tls_only: needs ingest.tls_certificate"), "{error}");
    let error = refused(&["ingest.tls_certificate=/nowhere.crt", "ingest.tls_key=/nowhere.key"]);
    assert!(error.contains("cannot read ingest.tls_certificate /nowhere.crt"), "{error}");
}
