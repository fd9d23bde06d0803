//! TLS of the IPFIX connections: certificates, who must show one, and their exchange while running.
//!
//! The thread of connections asks for the settings of each new session and looks, at most every
//! second, whether the files have changed. Invariant: there is always a whole set of settings; files
//! that cannot be used are told and counted, and the last good ones stay in use.

mod fault;
mod validity;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use weir_model::{Clock, Timestamp};

use crate::policy::TlsPolicy;
pub use fault::HandshakeFault;
pub(crate) use fault::{Fault, fault};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Octets of records that wait to be sent on a connection: a handshake's answer and some more.
const SEND_OCTETS_MAX: usize = 64 << 10;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("cannot read {what} {path}: {reason}")]
    File {
        /// Which key of the configuration named it.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// They do not go together, or are of a kind that is not known.
    #[error("the certificate {certificate} cannot be used with the key {key}")]
    Pair {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// The client CA is none.
    #[error("the client CA {path} cannot be used: {reason}")]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What the certificates in use say, and how often they were exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TlsStatus {
    /// TLS is spoken.
    pub enabled: bool,
    /// Clients must show a certificate.
    pub mutual: bool,
    /// When the collector's own certificate ends.
    pub certificate_expires: Option<Timestamp>,
    /// When the first of the client CA's certificates ends.
    pub client_ca_expires: Option<Timestamp>,
    /// Times that changed files were taken.
    pub reloads: u64,
    /// Times that changed files could not be used.
    pub reload_failures: u64,
}

/// What [`check_certificates`] found: when they end, where that can be read, or why they cannot be
/// used.
#[derive(Debug)]
pub struct CertificateCheck {
    /// The collector's certificate, with its key.
    pub own: Result<Option<Timestamp>, TlsError>,
    /// The first of the client CA's certificates to end; `None` without a client CA.
    pub client_ca: Option<Result<Option<Timestamp>, TlsError>>,
}

/// Reads the files of `policy` as a start would, each for itself.
pub fn check_certificates(policy: &TlsPolicy, clock: &Arc<dyn Clock>) -> CertificateCheck {
    let own = read(&TlsPolicy { client_ca: None, ..policy.clone() }, clock);
    let ca = |path: &PathBuf| {
        let (roots, expires) = client_ca(path)?;
        verifier(roots, path, &Arc::new(ring::default_provider()))?;
        Ok(expires)
    };
    CertificateCheck {
        own: own.map(|(_, status)| status.certificate_expires),
        client_ca: policy.client_ca.as_ref().map(ca),
    }
}

/// Settings in use, and the files they came from.
pub(crate) struct Certificates {
    policy: TlsPolicy,
    clock: Arc<dyn Clock>,
    config: Arc<ServerConfig>,
    seen: Vec<Option<Stamp>>,
    looked: Instant,
    status: TlsStatus,
}

/// What changes when a file is written or replaced.
type Stamp = (SystemTime, u64);

impl Certificates {
    /// Reads the files; what cannot be used is an error, so that nobody starts without.
    pub(crate) fn load(
        policy: &TlsPolicy,
        clock: &Arc<dyn Clock>,
    ) -> Result<Certificates, TlsError> {
        let seen = stamps(policy);
        let (config, status) = read(policy, clock)?;
        let (policy, clock) = (policy.clone(), Arc::clone(clock));
        Ok(Certificates { policy, clock, config, seen, looked: Instant::now(), status })
    }

    /// Looks at the files, if it is time to; says whether something was found.
    pub(crate) fn look(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.looked) < LOOK_EVERY {
            return false;
        }
        self.looked = now;
        let seen = stamps(&self.policy);
        if seen == self.seen {
            return false;
        }
        // Why before reading: a change while they are read is found the next time.
        self.seen = seen;
        match read(&self.policy, &self.clock) {
            Ok((config, status)) => {
                let TlsStatus { reloads, reload_failures, .. } = self.status;
                self.config = config;
                self.status = TlsStatus { reloads: reloads + 1, reload_failures, ..status };
                let path = self.policy.certificate.display();
                tracing::info!(%path, expires = ?status.certificate_expires, "certificates reloaded");
            }
            Err(error) => {
                self.status.reload_failures += 1;
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, source, "changed certificates cannot be used, the old ones stay");
            }
        }
        true
    }

    /// A new session with the settings in use.
    pub(crate) fn session(&self) -> Result<Box<ServerConnection>, rustls::Error> {
        let mut session = ServerConnection::new(Arc::clone(&self.config))?;
        session.set_buffer_limit(Some(SEND_OCTETS_MAX));
        Ok(Box::new(session))
    }

    pub(crate) fn status(&self) -> TlsStatus {
        self.status
    }
}

fn stamps(policy: &TlsPolicy) -> Vec<Option<Stamp>> {
    let stamp = |path: &Path| {
        let meta = fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    };
    let files = [&policy.certificate, &policy.key].into_iter().chain(&policy.client_ca);
    files.map(|path| stamp(path)).collect()
}

fn read(
    policy: &TlsPolicy,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<ServerConfig>, TlsStatus), TlsError> {
    let chain = certificates("ingest.tls_certificate", &policy.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&policy.key)
        .map_err(|error| file_error("ingest.tls_key", &policy.key, &error))?;
    let provider = Arc::new(ring::default_provider());
    let (verifier, client_ca_expires) = match &policy.client_ca {
        Some(path) => {
            let (roots, expires) = client_ca(path)?;
            (Some(verifier(roots, path, &provider)?), expires)
        }
        None => (None, None),
    };
    let status = TlsStatus {
        enabled: true,
        mutual: verifier.is_some(),
        certificate_expires: chain.first().and_then(|der| validity::not_after(der)),
        client_ca_expires,
        ..TlsStatus::default()
    };
    let pair_error = |source| TlsError::Pair {
        certificate: policy.certificate.clone(),
        key: policy.key.clone(),
        source,
    };
    let builder = ServerConfig::builder_with_details(provider, Arc::new(Now(Arc::clone(clock))))
        .with_safe_default_protocol_versions()
        .map_err(pair_error)?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(pair_error)?;
    // Why: a resumed session would outlive the certificate that admitted it.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok((Arc::new(config), status))
}

fn verifier(
    roots: RootCertStore,
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| TlsError::ClientCa { path: path.to_owned(), reason: error.to_string() })
}

fn client_ca(path: &Path) -> Result<(RootCertStore, Option<Timestamp>), TlsError> {
    let mut roots = RootCertStore::empty();
    let mut expires: Option<Timestamp> = None;
    for der in certificates("ingest.tls_client_ca", path)? {
        let ends = validity::not_after(&der);
        expires = expires.into_iter().chain(ends).min();
        roots.add(der).map_err(|error| TlsError::ClientCa {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    }
    Ok((roots, expires))
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = all.map_err(|error| file_error(what, path, &error))?;
    if all.is_empty() {
        let reason = "it holds no certificate (-----BEGIN CERTIFICATE-----)".to_owned();
        return Err(TlsError::File { what, path: path.to_owned(), reason });
    }
    Ok(all)
}

fn file_error(what: &'static str, path: &Path, error: &rustls::pki_types::pem::Error) -> TlsError {
    use rustls::pki_types::pem::Error as Pem;
    let reason = match error {
        Pem::Io(error) => error.to_string(),
        Pem::NoItemsFound => "it holds no private key (-----BEGIN PRIVATE KEY-----)".to_owned(),
        other => format!("it is not PEM: {other}"),
    };
    TlsError::File { what, path: path.to_owned(), reason }
}

/// Our clock, as rustls asks for it.
struct Now(Arc<dyn Clock>);

impl std::fmt::Debug for Now {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Now")
    }
}

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        let nanos = u64::try_from(self.0.now().0).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_nanos(nanos)))
    }
}
