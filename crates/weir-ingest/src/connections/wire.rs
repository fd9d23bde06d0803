//! How the octets of a connection travel: as they are, or as TLS. Told apart by the first octet.
//!
//! Nothing here waits, and nothing grows with what a peer sends: what it sends is read when there is
//! room, and what is to be sent to it waits in one bounded buffer.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use rustls::ServerConnection;

use super::CloseReason;
use super::framing::TLS_HANDSHAKE;
use crate::tls::{Certificates, Fault, HandshakeFault, fault};

/// Records of TLS that are read at a time before the others have their turn.
const RECORDS_MAX: usize = 16;

/// See the module.
pub(super) enum Wire {
    /// Nothing has come yet.
    Fresh,
    /// IPFIX as it is, and answers that the peer has not taken.
    Plain(Vec<u8>),
    /// IPFIX within TLS.
    Tls(Box<ServerConnection>),
}

/// What reading found.
#[derive(Debug)]
pub(super) enum Got {
    /// So many octets of messages, in the buffer.
    Octets(usize),
    /// Nothing for now.
    Nothing,
    /// The peer closed.
    End,
    /// It cannot go on.
    Failed(CloseReason),
    /// The same, within TLS.
    Fault(Fault),
}

impl Wire {
    /// Reads octets of messages into `buffer`.
    pub(super) fn read(
        &mut self,
        stream: &mut TcpStream,
        buffer: &mut [u8],
        certificates: Option<&Certificates>,
        plain_refused: bool,
    ) -> Got {
        if let Wire::Fresh = self {
            match begin(stream, certificates, plain_refused) {
                Ok(wire) => *self = wire,
                Err(got) => return got,
            }
        }
        match self {
            Wire::Tls(session) => read_tls(session, stream, buffer),
            Wire::Fresh | Wire::Plain(_) => got(stream.read(buffer)),
        }
    }

    /// True once it is known to be TLS.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self, Wire::Tls(_))
    }

    /// True while the handshake of TLS is not over.
    pub(super) fn is_handshaking(&self) -> bool {
        matches!(self, Wire::Tls(session) if session.is_handshaking())
    }

    /// True while something waits to be taken by the peer.
    pub(super) fn wants_write(&self) -> bool {
        match self {
            Wire::Fresh => false,
            Wire::Plain(out) => !out.is_empty(),
            Wire::Tls(session) => session.wants_write(),
        }
    }

    /// Puts octets behind those that wait. The caller keeps them few, see [`Wire::wants_write`].
    pub(super) fn put(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Wire::Fresh => Ok(()),
            Wire::Plain(out) => out.write_all(octets),
            Wire::Tls(session) => session.writer().write_all(octets),
        }
    }

    /// Sends what the peer takes.
    pub(super) fn flush(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        while self.wants_write() {
            let sent = match self {
                Wire::Fresh => return Ok(()),
                Wire::Plain(out) => stream.write(out).map(|n| drop(out.drain(..n))),
                Wire::Tls(session) => session.write_tls(stream).map(drop),
            };
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Says goodbye, as far as the peer listens: its last alert tells it why.
    pub(super) fn close(&mut self, stream: &mut TcpStream) {
        let Wire::Tls(session) = self else { return };
        session.send_close_notify();
        let told = self.flush(stream).and_then(|()| stream.shutdown(Shutdown::Write));
        // Why: closing with octets unread would reset the connection, and the alert with it.
        let mut rest = [0; 4_096];
        for _ in 0..RECORDS_MAX {
            if told.is_err() || !matches!(stream.read(&mut rest), Ok(1..)) {
                return;
            }
        }
    }
}

fn begin(
    stream: &TcpStream,
    certificates: Option<&Certificates>,
    plain_refused: bool,
) -> Result<Wire, Got> {
    let mut first = [0];
    match got(stream.peek(&mut first)) {
        Got::Octets(_) => {}
        other => return Err(other),
    }
    match certificates {
        Some(certificates) if first[0] == TLS_HANDSHAKE => match certificates.session() {
            Ok(session) => Ok(Wire::Tls(session)),
            Err(error) => Err(Got::Fault(fault(&error, true))),
        },
        Some(_) if plain_refused => Err(Got::Failed(CloseReason::PlainRefused)),
        _ => Ok(Wire::Plain(Vec::new())),
    }
}

fn got(read: io::Result<usize>) -> Got {
    match read {
        Ok(0) => Got::End,
        Ok(n) => Got::Octets(n),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Got::Nothing,
        // It is readable still, so the next round comes back.
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Got::Nothing,
        Err(_) => Got::Failed(CloseReason::Io),
    }
}

/// Invariant: returns with no message left inside the session, since nothing would say that it is
/// there.
fn read_tls(session: &mut ServerConnection, stream: &mut TcpStream, buffer: &mut [u8]) -> Got {
    for round in 0..=RECORDS_MAX {
        match session.reader().read(buffer) {
            Ok(0) => return Got::End,
            Ok(n) => return Got::Octets(n),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Got::End,
        }
        if round == RECORDS_MAX {
            break;
        }
        let handshaking = session.is_handshaking();
        match session.read_tls(stream) {
            Ok(0) if handshaking => {
                let text =
                    "the peer closed the connection before the handshake was over".to_owned();
                let handshake = Some(HandshakeFault::GaveUp);
                return Got::Fault(Fault { reason: CloseReason::TlsHandshake, handshake, text });
            }
            Ok(_) => {}
            Err(error) => return got(Err(error)),
        }
        let processed = session.process_new_packets();
        // Answers of the handshake, and the alert that tells the peer what is wrong.
        let mut sent = Ok(1);
        while session.wants_write() && matches!(sent, Ok(1..)) {
            sent = session.write_tls(stream);
        }
        if let Err(error) = processed {
            return Got::Fault(fault(&error, handshaking));
        }
    }
    Got::Nothing
}
