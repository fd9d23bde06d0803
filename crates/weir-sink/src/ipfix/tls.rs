//! TLS of one connection: files to a configuration, and the connection over a socket that does not
//! block.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, RootCertStore,
};

use super::policy::TlsFiles;

/// Where systems keep the certificates that they trust.
const SYSTEM_CA: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Octets that may wait between us and the socket.
const WAITING_MAX: usize = 64 << 10;

/// Why TLS cannot be begun.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("{what} {path} cannot be read: {cause}")]
    File {
        /// Which of the files.
        what: &'static str,
        /// Its path.
        path: PathBuf,
        /// What the system or the parser said.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file holds nothing of the kind.
    #[error("{what} {path} holds no {what} in PEM")]
    Empty {
        /// What was looked for.
        what: &'static str,
        /// Its path.
        path: PathBuf,
    },
    /// No list of trusted certificates was named or found.
    #[error("no CA file: name one that signed the collector's certificate")]
    NoCa,
    /// A certificate without its key, or a key without certificate.
    #[error("a client certificate needs both a certificate and a key file")]
    Half,
    /// The name that the certificate must be for is no name.
    #[error("`{0}` is no server name")]
    ServerName(String),
    /// What the files hold does not fit together.
    #[error(transparent)]
    Refused(#[from] rustls::Error),
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |cause| TlsError::File { what, path: path.to_owned(), cause };
    let text = fs::read(path).map_err(|error| failed(error.into()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| failed(error.to_string().into()))?;
    match found.is_empty() {
        true => Err(TlsError::Empty { what, path: path.to_owned() }),
        false => Ok(found),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let what = "key";
    let failed = |cause| TlsError::File { what, path: path.to_owned(), cause };
    let text = fs::read(path).map_err(|error| failed(error.into()))?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| failed(error.to_string().into()))
}

fn roots(files: &TlsFiles) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &files.ca {
        for certificate in certificates("CA certificate", path)? {
            roots.add(certificate)?;
        }
        return Ok(roots);
    }
    let system = SYSTEM_CA.iter().map(Path::new).find(|path| path.exists());
    let found = certificates("CA certificate", system.ok_or(TlsError::NoCa)?)?;
    // Why: Lists of systems hold certificates that no library takes; the others are good.
    let (added, _ignored) = roots.add_parsable_certificates(found);
    if added == 0 { Err(TlsError::NoCa) } else { Ok(roots) }
}

/// Reads the files and makes what a connection is begun with.
pub(crate) fn client(files: &TlsFiles, host: &str) -> Result<ClientConnection, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(files)?);
    let config = match (&files.certificate, &files.key) {
        (Some(certificate), Some(path)) => {
            let chain = certificates("client certificate", certificate)?;
            builder.with_client_auth_cert(chain, key(path)?)?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => return Err(TlsError::Half),
    };
    let name = files.server_name.as_deref().unwrap_or(host);
    let server =
        ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName(name.to_owned()))?;
    let mut connection = ClientConnection::new(Arc::new(config), server)?;
    connection.set_buffer_limit(Some(WAITING_MAX));
    Ok(connection)
}

/// What the failure of a connection means, and what to do about it where that is known.
pub(crate) fn explained(error: &io::Error) -> String {
    // Why: rustls' own text for an end without farewell is a page of its manual.
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "the collector closed the connection".to_owned();
    }
    let remedy = match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::AlertReceived(AlertDescription::CertificateRequired)) => {
            "the collector wants a client certificate"
        }
        Some(Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA,
        )) => "the collector refuses the client certificate, and its log says why",
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "name the CA that signed the collector's certificate"
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "connect to a name in the certificate, or give the server name that it is for",
        _ => return error.to_string(),
    };
    format!("{error}: {remedy}")
}

/// A connection under TLS.
#[derive(Debug)]
pub(crate) struct TlsStream {
    pub(crate) socket: TcpStream,
    tls: ClientConnection,
    /// Octets that were taken, and those of them that the socket has taken.
    taken: u64,
    on_socket: u64,
}

impl TlsStream {
    pub(crate) fn new(socket: TcpStream, tls: ClientConnection) -> TlsStream {
        TlsStream { socket, tls, taken: 0, on_socket: 0 }
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    pub(crate) fn wants_write(&self) -> bool {
        self.tls.wants_write()
    }

    /// Octets of those written that the socket has taken.
    pub(crate) fn on_socket(&self) -> u64 {
        self.on_socket
    }

    /// Takes what there is room for; `WouldBlock` where there is none.
    pub(crate) fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let took = if octets.is_empty() { 0 } else { self.tls.writer().write(octets)? };
        self.taken += took as u64;
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if !self.tls.wants_write() && !self.tls.is_handshaking() {
            self.on_socket = self.taken;
        }
        match took == 0 && !octets.is_empty() {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(took),
        }
    }

    /// Says that nothing follows.
    pub(crate) fn close(&mut self) {
        self.tls.send_close_notify();
        // The socket is closed in any case.
        let _best_effort = self.tls.write_tls(&mut self.socket);
    }

    /// Reads what has come; 0 at the end, `WouldBlock` where nothing has.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let came = match self.tls.read_tls(&mut self.socket) {
                Ok(came) => came,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return self.tls.reader().read(into);
                }
                Err(error) => return Err(error),
            };
            if let Err(error) = self.tls.process_new_packets() {
                // The alert that tells the collector why.
                let _best_effort = self.tls.write_tls(&mut self.socket);
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            match self.tls.reader().read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && came > 0 => {}
                result => return result,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_explained_without_pages_of_a_library() {
        let refused = Error::AlertReceived(AlertDescription::CertificateUnknown);
        let stranger = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        for (error, part) in [
            (
                io::Error::new(io::ErrorKind::UnexpectedEof, "see https://x"),
                "closed the connection",
            ),
            (io::Error::new(io::ErrorKind::InvalidData, refused), "its log says why"),
            (io::Error::new(io::ErrorKind::InvalidData, stranger), "name the CA"),
            (io::ErrorKind::ConnectionReset.into(), "connection reset"),
        ] {
            let text = explained(&error);
            assert!(text.contains(part) && !text.contains("http"), "{text}");
        }
    }
}
