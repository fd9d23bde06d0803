//! What made a TLS session fail, in few words.

use rustls::{CertificateError, Error};
use weir_telemetry::Label;

use crate::connections::CloseReason;

/// Why a handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum HandshakeFault {
    /// The client showed no certificate, and must.
    NoCertificate,
    /// The client's certificate is over, or not yet valid.
    Expired,
    /// The client's certificate is not of the client CA.
    UnknownCa,
    /// Something else is wrong with the client's certificate.
    BadCertificate,
    /// The client refused us: it does not know our CA, or we do not have the name it wants.
    RefusedByPeer,
    /// No version or cipher in common, or octets that are no TLS.
    Protocol,
    /// The client went away, or took too long.
    GaveUp,
}

impl Label for HandshakeFault {
    const NAME: &'static str = "reason";
    const ALL: &'static [HandshakeFault] = &[
        HandshakeFault::NoCertificate,
        HandshakeFault::Expired,
        HandshakeFault::UnknownCa,
        HandshakeFault::BadCertificate,
        HandshakeFault::RefusedByPeer,
        HandshakeFault::Protocol,
        HandshakeFault::GaveUp,
    ];

    fn index(self) -> usize {
        self as usize
    }

    fn value(self) -> &'static str {
        match self {
            HandshakeFault::NoCertificate => "no_certificate",
            HandshakeFault::Expired => "expired",
            HandshakeFault::UnknownCa => "unknown_ca",
            HandshakeFault::BadCertificate => "bad_certificate",
            HandshakeFault::RefusedByPeer => "refused_by_peer",
            HandshakeFault::Protocol => "protocol",
            HandshakeFault::GaveUp => "gave_up",
        }
    }
}

impl HandshakeFault {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// What an operator can do.
    pub(crate) const fn remedy(self) -> &'static str {
        match self {
            HandshakeFault::NoCertificate => {
                "give the exporter a certificate of the CA in ingest.tls_client_ca"
            }
            HandshakeFault::Expired => "renew the exporter's certificate, or set the clocks right",
            HandshakeFault::UnknownCa => {
                "sign the exporter's certificate with the CA in ingest.tls_client_ca, or add its CA \
                 to that file"
            }
            HandshakeFault::BadCertificate => "make the exporter's certificate anew",
            HandshakeFault::RefusedByPeer => {
                "give the exporter the CA of ingest.tls_certificate, and that certificate the name \
                 that the exporter connects to"
            }
            HandshakeFault::Protocol => "have the exporter speak TLS 1.2 or 1.3",
            HandshakeFault::GaveUp => "look at the exporter's log",
        }
    }
}

/// A session that failed.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) reason: CloseReason,
    /// Set when it was the handshake that failed.
    pub(crate) handshake: Option<HandshakeFault>,
    pub(crate) text: String,
}

/// What an error of rustls means.
pub(crate) fn fault(error: &Error, handshaking: bool) -> Fault {
    let handshake = match error {
        Error::NoCertificatesPresented => Some(HandshakeFault::NoCertificate),
        Error::InvalidCertificate(error) => Some(match error {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => HandshakeFault::Expired,
            CertificateError::UnknownIssuer => HandshakeFault::UnknownCa,
            // A CA of the same name and another key: its certificates verify with neither.
            CertificateError::BadSignature => HandshakeFault::UnknownCa,
            _ => HandshakeFault::BadCertificate,
        }),
        // In TLS 1.3 a client that refuses us says so after our handshake was over.
        Error::AlertReceived(_) => Some(HandshakeFault::RefusedByPeer),
        _ if handshaking => Some(HandshakeFault::Protocol),
        _ => None,
    };
    let reason = match handshake {
        Some(
            HandshakeFault::NoCertificate
            | HandshakeFault::Expired
            | HandshakeFault::UnknownCa
            | HandshakeFault::BadCertificate,
        ) => CloseReason::TlsCertificate,
        Some(_) => CloseReason::TlsHandshake,
        None => CloseReason::TlsBroken,
    };
    Fault { reason, handshake, text: error.to_string() }
}
