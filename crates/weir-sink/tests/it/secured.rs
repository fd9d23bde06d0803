//! TLS: the right certificates, the wrong ones, and what is said about them.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use weir_sink::ipfix::{ExportPolicy, Exporter, Target, Transport};

use crate::collector::{Folder, Kept, Reader, deps, policy, rows, wait};

/// Two authorities, a server and a client of the first, a client of the second.
struct Papers(Folder);

impl Papers {
    fn make() -> Option<Papers> {
        let papers = Papers(Folder::new());
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("SKIPPED TLS: openssl is not here");
            return None;
        }
        for ca in ["ca", "other"] {
            papers.openssl(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                 -subj /CN={ca} -keyout {ca}.key -out {ca}.pem"
            ));
        }
        papers.signed("server", "ca", "subjectAltName=DNS:collector.example,IP:127.0.0.1");
        papers.signed("client", "ca", "subjectAltName=DNS:agent.example");
        papers.signed("stranger", "other", "subjectAltName=DNS:agent.example");
        Some(papers)
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        let output =
            command.args(arguments.split_whitespace()).current_dir(&self.0.0).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn signed(&self, name: &str, ca: &str, extension: &str) {
        std::fs::write(self.0.0.join("ext"), extension).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} \
             -keyout {name}.key -out {name}.csr"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days 2 \
             -extfile ext -out {name}.pem"
        ));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.0.join(name)
    }
}

fn certificates(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().collect::<Result<_, _>>().unwrap()
}

/// A collector under TLS that wants a certificate of `ca`. Acknowledges as many records as came.
fn server(papers: &Papers, kept: Arc<Mutex<Kept>>) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificates(&papers.path("ca.pem")).remove(0)).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            certificates(&papers.path("server.pem")),
            PrivateKeyDer::from_pem_file(papers.path("server.key")).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Arc::new(config);
    // Ends with the process of the tests.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let peer = stream.peer_addr().unwrap();
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(tls, stream);
            let mut reader = Reader::new(peer);
            loop {
                let mut head = [0; 4];
                if stream.read_exact(&mut head).is_err() {
                    break;
                }
                let mut message = head.to_vec();
                message.resize(u16::from_be_bytes([head[2], head[3]]).into(), 0);
                if stream.read_exact(&mut message[4..]).is_err() {
                    break;
                }
                reader.take(&message, &mut kept.lock().unwrap());
                let mut frame = b"WAK1".to_vec();
                frame.extend_from_slice(&reader.domain.to_be_bytes());
                frame.extend_from_slice(&reader.next.to_be_bytes());
                if reader.announced && stream.write_all(&frame).is_err() {
                    break;
                }
            }
        }
    });
    port
}

fn secured(papers: &Papers, port: u16, client: Option<&str>) -> ExportPolicy {
    let target = Target { transport: Transport::Tls, host: "127.0.0.1".to_owned(), port };
    let mut policy = policy(target);
    policy.tls.ca = Some(papers.path("ca.pem"));
    policy.tls.certificate = client.map(|name| papers.path(&format!("{name}.pem")));
    policy.tls.key = client.map(|name| papers.path(&format!("{name}.key")));
    policy
}

/// The error that a policy ends in.
fn error(policy: ExportPolicy) -> String {
    let exporter = Exporter::start(policy, &deps()).unwrap();
    exporter.offer(&rows(0, 10));
    let status = wait(&exporter, 20, |status| status.error.is_some());
    assert_eq!(status.account.acknowledged, 0);
    status.error.unwrap()
}

#[test]
fn both_sides_show_certificates_and_wrong_ones_are_named() {
    let Some(papers) = Papers::make() else { return };
    let kept = Arc::new(Mutex::new(Kept::default()));
    let port = server(&papers, Arc::clone(&kept));

    // More than rustls and the socket hold at once.
    let exporter = Exporter::start(secured(&papers, port, Some("client")), &deps()).unwrap();
    for i in 0..60 {
        exporter.offer(&rows(i * 1_000, 1_000));
    }
    wait(&exporter, 60, |status| status.account.acknowledged == 60_000);
    exporter.stop();
    assert_eq!(kept.lock().unwrap().ports.len(), 60_000);

    // Each of these is another exporter, without a folder, and begins at number 0.
    kept.lock().unwrap().ports.clear();
    let named = secured(&papers, port, Some("client"));
    let mut by_name = named.clone();
    by_name.tls.server_name = Some("collector.example".to_owned());
    let exporter = Exporter::start(by_name, &deps()).unwrap();
    exporter.offer(&rows(0, 10));
    wait(&exporter, 20, |status| status.account.acknowledged == 10);
    exporter.stop();

    let mut wrong_name = named.clone();
    wrong_name.tls.server_name = Some("elsewhere.example".to_owned());
    assert!(error(wrong_name).contains("not valid for name"));
    let mut wrong_ca = named;
    wrong_ca.tls.ca = Some(papers.path("other.pem"));
    assert!(error(wrong_ca).contains("certificate"));
    assert!(error(secured(&papers, port, None)).contains("CertificateRequired"));
    let stranger = error(secured(&papers, port, Some("stranger")));
    assert!(stranger.contains("alert"), "{stranger}");
}

#[test]
fn files_that_are_wrong_are_named_at_the_start() {
    let Some(papers) = Papers::make() else { return };
    let start = |change: &dyn Fn(&mut ExportPolicy)| {
        let mut policy = secured(&papers, 4740, Some("client"));
        change(&mut policy);
        Exporter::start(policy, &deps()).err().unwrap().to_string()
    };
    let missing = start(&|policy| policy.tls.ca = Some(papers.path("none.pem")));
    assert!(missing.starts_with("TLS to tls://127.0.0.1:4740: CA certificate "), "{missing}");
    assert!(missing.contains("none.pem cannot be read: No such file"), "{missing}");
    let empty = start(&|policy| policy.tls.certificate = Some(papers.path("client.key")));
    assert!(empty.contains("client.key holds no client certificate in PEM"), "{empty}");
    let half = start(&|policy| policy.tls.key = None);
    assert!(half.ends_with("needs both a certificate and a key file"), "{half}");
    let mixed = start(&|policy| policy.tls.key = Some(papers.path("stranger.key")));
    assert!(
        mixed.contains("keys may not be consistent") || mixed.contains("KeyMismatch"),
        "{mixed}"
    );
}
