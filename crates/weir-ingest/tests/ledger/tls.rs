//! TLS on the TCP ports: who is admitted, what is told of who is not, and certificates that change.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use weir_ingest::{CloseReason, HandshakeFault, IngestPolicy, TlsPolicy};
use weir_model::{Clock, SystemClock};
use weir_telemetry::Label;
use weir_testkit::certificates::{Authority, Pair};
use weir_testkit::skip_aloud;

use crate::harness::{Bench, data, policy, start, templates};

/// Certificates of one test, in a folder of its own.
struct Pki {
    folder: PathBuf,
    ours: Authority,
    others: Authority,
    server: Pair,
}

impl Drop for Pki {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

fn pki(name: &str) -> Option<Pki> {
    let folder = std::env::temp_dir().join(format!("weir-tls-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let Some(ours) = Authority::new(&folder, "ca") else {
        skip_aloud(name, "there is no openssl program to make certificates with");
        return None;
    };
    let others = Authority::new(&folder, "others").unwrap();
    let server = ours.sign("collector", 30);
    Some(Pki { folder, ours, others, server })
}

impl Pki {
    fn policy(&self, mutual: bool) -> IngestPolicy {
        let tls = TlsPolicy {
            certificate: self.server.certificate.clone(),
            key: self.server.key.clone(),
            client_ca: mutual.then(|| self.ours.certificate()),
        };
        IngestPolicy { tls: Some(tls), ..policy() }
    }

    /// A client that trusts our CA and shows `pair`, if it has one.
    fn client(&self, pair: Option<&Pair>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.ours.certificate()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match pair {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = CertificateDer::from_pem_file(&pair.certificate).unwrap();
                let key = PrivateKeyDer::from_pem_file(&pair.key).unwrap();
                builder.with_client_auth_cert(vec![chain], key).unwrap()
            }
        })
    }
}

fn begin(policy: &IngestPolicy) -> Bench {
    let bench = start(policy);
    bench.clock.set(SystemClock.now());
    bench
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

fn connect(bench: &Bench, client: &Arc<ClientConfig>) -> Tls {
    let stream = TcpStream::connect(bench.tcp()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let name = "collector".try_into().unwrap();
    StreamOwned::new(ClientConnection::new(Arc::clone(client), name).unwrap(), stream)
}

/// Sends, and waits for what the collector says to it: an error of TLS, or the end.
fn send(mut tls: Tls, octets: &[u8]) -> io::Result<usize> {
    tls.write_all(octets)?;
    tls.flush()?;
    tls.read(&mut [0; 16])
}

fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn failed(bench: &Bench, fault: HandshakeFault) -> u64 {
    bench.ingest.status().connections.totals.handshakes_failed[fault.index()]
}

#[test]
fn one_port_takes_plain_connections_and_tls_however_they_arrive() {
    let Some(pki) = pki("both") else { return };
    let bench = begin(&pki.policy(false));
    let messages = [templates(0), data(0, 2), data(2, 1_000), data(1_002, 1)].concat();
    let client = pki.client(None);
    for piece in [1, 7, 16_384, 65_536] {
        let mut plain = TcpStream::connect(bench.tcp()).unwrap();
        plain.write_all(&messages).unwrap();
        let mut tls = connect(&bench, &client);
        for part in messages.chunks(piece.max(messages.len() / 200)) {
            tls.write_all(part).unwrap();
            tls.flush().unwrap();
        }
        tls.conn.send_close_notify();
        tls.flush().unwrap();
    }
    let books = bench.settled(8 * 4);
    assert_eq!(books.records.kept, 8 * 1_003);
    until("all have ended", || bench.ingest.status().connections.closed_by(CloseReason::Peer) == 8);
    let status = bench.stop();
    let totals = &status.connections.totals;
    assert_eq!((totals.plain, totals.tls, totals.handshakes), (4, 4, 4));
    assert_eq!(totals.handshakes_failed, [0; HandshakeFault::COUNT]);
    assert_eq!(status.exporters.iter().map(|e| e.sequence.missing).sum::<u64>(), 0);
}

#[test]
fn only_certificates_of_the_client_ca_are_admitted_and_the_others_hear_why() {
    let Some(pki) = pki("mutual") else { return };
    let bench = begin(&pki.policy(true));
    let good = pki.ours.sign("exporter", 300);
    let strange = pki.others.sign("stranger", 300);
    let expired = pki.ours.sign("old", 1);
    bench.clock.advance(Duration::from_secs(86_400 * 2));
    let cases = [
        (None, HandshakeFault::NoCertificate, "CertificateRequired"),
        (Some(&strange), HandshakeFault::UnknownCa, "UnknownCA"),
        (Some(&expired), HandshakeFault::Expired, "CertificateExpired"),
    ];
    for (n, (pair, fault, alert)) in cases.into_iter().enumerate() {
        let error = send(connect(&bench, &pki.client(pair)), &templates(0)).unwrap_err();
        assert!(error.to_string().contains(alert), "{alert}: {error}");
        let closed = || bench.ingest.status().connections.closed_by(CloseReason::TlsCertificate);
        until("it is closed", || closed() == n as u64 + 1);
        assert_eq!(failed(&bench, fault), 1, "{}", fault.value());
    }
    let mut tls = connect(&bench, &pki.client(Some(&good)));
    tls.write_all(&[templates(0), data(0, 3)].concat()).unwrap();
    let books = bench.settled(2);
    assert_eq!(books.records.kept, 3);
    let status = bench.ingest.status().connections;
    assert!(status.certificates.mutual);
    assert_eq!((status.open_tls, status.totals.handshakes), (1, 1));
    let certificate = status.certificates.certificate_expires.unwrap();
    let left = certificate.since(bench.clock.now()).as_secs() / 3_600;
    assert_eq!(left, 27 * 24 + 23, "30 days, less the two that passed");
    bench.stop();
}

#[test]
fn a_client_that_refuses_us_is_counted_as_that() {
    let Some(pki) = pki("refused") else { return };
    let bench = begin(&pki.policy(false));
    let stream = TcpStream::connect(bench.tcp()).unwrap();
    let name = "another.example".try_into().unwrap();
    let tls = ClientConnection::new(pki.client(None), name).unwrap();
    let error = send(StreamOwned::new(tls, stream), &templates(0)).unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
    until("it is counted", || failed(&bench, HandshakeFault::RefusedByPeer) == 1);
    assert_eq!(bench.stop().connections.closed_by(CloseReason::TlsHandshake), 1);
}

#[test]
fn changed_files_are_taken_without_a_restart_and_broken_ones_are_not() {
    let Some(pki) = pki("reload") else { return };
    let bench = begin(&pki.policy(false));
    let client = pki.client(None);
    let shown = || {
        let mut tls = connect(&bench, &client);
        tls.write_all(&templates(0)).unwrap();
        tls.conn.peer_certificates().unwrap()[0].clone().into_owned()
    };
    let first = shown();
    let certificates = || bench.ingest.status().connections.certificates;
    // A new certificate whose key is still the old one is half of a change.
    let key = std::fs::read(&pki.server.key).unwrap();
    pki.ours.sign("collector", 60);
    let new_key = std::fs::read(&pki.server.key).unwrap();
    std::fs::write(&pki.server.key, key).unwrap();
    until("it is refused", || certificates().reload_failures >= 1);
    assert_eq!((shown(), certificates().reloads), (first.clone(), 0));
    std::fs::write(&pki.server.key, new_key).unwrap();
    until("it is taken", || certificates().reloads == 1);
    let second = shown();
    assert_ne!(second, first);
    let failures = certificates().reload_failures;
    std::fs::write(&pki.server.certificate, "no certificate").unwrap();
    until("it is refused", || certificates().reload_failures == failures + 1);
    assert_eq!(shown(), second);
    bench.stop();
}

#[test]
fn files_that_cannot_be_used_do_not_start() {
    let Some(pki) = pki("start") else { return };
    let refused = |change: &dyn Fn(&mut TlsPolicy)| {
        let mut policy = pki.policy(true);
        change(policy.tls.as_mut().unwrap());
        let sink = Arc::new(crate::harness::CountingSink::default());
        let registry = weir_telemetry::Registry::new();
        let clock = Arc::new(SystemClock);
        let error = weir_ingest::Ingest::start(&policy, &registry, clock, sink).err().unwrap();
        error.to_string()
    };
    let error = refused(&|tls| tls.key = "/nowhere/key.pem".into());
    assert!(
        error.starts_with("cannot read ingest.tls_key /nowhere/key.pem: No such file"),
        "{error}"
    );
    let error = refused(&|tls| tls.certificate = tls.key.clone());
    assert!(error.contains("it holds no certificate"), "{error}");
    let error = refused(&|tls| tls.key = pki.others.sign("stranger", 1).key);
    assert!(error.contains("cannot be used with the key"), "{error}");
    let error = refused(&|tls| tls.client_ca = Some(tls.key.clone()));
    assert!(error.contains("ingest.tls_client_ca"), "{error}");
}

#[test]
fn plain_connections_can_be_refused_and_handshakes_must_end() {
    let Some(pki) = pki("only") else { return };
    let mut policy = pki.policy(false);
    policy.connections.plain_refused = true;
    policy.connections.message = Duration::from_millis(300);
    let bench = begin(&policy);
    let mut plain = TcpStream::connect(bench.tcp()).unwrap();
    plain.write_all(&templates(0)).unwrap();
    let closed = |reason| bench.ingest.status().connections.closed_by(reason);
    until("plain is refused", || closed(CloseReason::PlainRefused) == 1);
    // A handshake that stops after its first octets, one that is none, and one that is left.
    let mut slow = TcpStream::connect(bench.tcp()).unwrap();
    slow.write_all(&[0x16, 3, 1, 0, 200, 1]).unwrap();
    until("it took too long", || closed(CloseReason::Slow) == 1);
    assert_eq!(failed(&bench, HandshakeFault::GaveUp), 1);
    let mut broken = TcpStream::connect(bench.tcp()).unwrap();
    broken.write_all(&[&[0x16, 3, 1, 0, 4][..], &[0xff; 40]].concat()).unwrap();
    until("it is refused", || failed(&bench, HandshakeFault::Protocol) == 1);
    let mut left = TcpStream::connect(bench.tcp()).unwrap();
    left.write_all(&[0x16, 3, 1, 0, 200, 1]).unwrap();
    drop(left);
    until("it went away", || failed(&bench, HandshakeFault::GaveUp) == 2);
    assert_eq!(bench.stop().books.messages.received, 0);
}

#[test]
fn tls_waits_for_a_blocked_sink_and_loses_nothing() {
    let Some(pki) = pki("blocked") else { return };
    let policy = IngestPolicy { queue_octets: 1, decode_threads: 1, ..pki.policy(false) };
    let bench = begin(&policy);
    bench.sink.block(true);
    let mut tls = connect(&bench, &pki.client(None));
    let writer = std::thread::spawn(move || {
        tls.write_all(&templates(0)).unwrap();
        for i in 0..3_000 {
            tls.write_all(&data(i * 50, 50)).unwrap();
        }
    });
    bench.until("rows wait", |books| books.records.in_flight() > 0);
    std::thread::sleep(Duration::from_millis(300));
    bench.sink.block(false);
    writer.join().unwrap();
    let books = bench.settled(3_001);
    assert_eq!((books.records.kept, books.messages.dropped_total()), (150_000, 0));
    bench.stop();
}

#[test]
fn openssl_speaks_to_it_in_both_versions() {
    let Some(pki) = pki("openssl") else { return };
    let bench = begin(&pki.policy(true));
    let good = pki.ours.sign("exporter", 30);
    for (n, version) in ["-tls1_2", "-tls1_3"].into_iter().enumerate() {
        let mut client = Command::new("openssl")
            .args(["s_client", version, "-quiet", "-verify_return_error", "-connect"])
            .arg(bench.tcp().to_string())
            .arg("-CAfile")
            .arg(pki.ours.certificate())
            .arg("-cert")
            .arg(&good.certificate)
            .arg("-key")
            .arg(&good.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let messages = [templates(0), data(0, 100), data(100, 1_000)].concat();
        client.stdin.as_mut().unwrap().write_all(&messages).unwrap();
        let books = bench.settled(3 * (n as u64 + 1));
        assert_eq!(books.records.kept, 1_100 * (n as u64 + 1), "{version}");
        client.kill().unwrap();
        client.wait().unwrap();
    }
    bench.stop();
}
