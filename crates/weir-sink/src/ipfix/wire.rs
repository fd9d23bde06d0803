//! One connected socket of any transport, as the session sees it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use super::dial::Connected;
use super::policy::ExportPolicy;
use super::tls::{self, TlsError, TlsStream};

#[derive(Debug)]
pub(crate) enum Wire {
    Udp(UdpSocket),
    Tcp { socket: TcpStream, on_socket: u64 },
    Tls(Box<TlsStream>),
}

impl Wire {
    /// Puts TLS over the socket where the policy says so.
    pub(crate) fn new(
        connected: Connected,
        policy: &ExportPolicy,
    ) -> Result<(Wire, SocketAddr), TlsError> {
        use super::policy::Transport;
        Ok(match connected {
            Connected::Udp(socket, peer) => (Wire::Udp(socket), peer),
            Connected::Tcp(socket, peer) if policy.target.transport == Transport::Tls => {
                let tls = tls::client(&policy.tls, &policy.target.host)?;
                (Wire::Tls(Box::new(TlsStream::new(socket, tls))), peer)
            }
            Connected::Tcp(socket, peer) => (Wire::Tcp { socket, on_socket: 0 }, peer),
        })
    }

    pub(crate) fn is_udp(&self) -> bool {
        matches!(self, Wire::Udp(_))
    }

    /// True until the other side is known to be the one that is meant.
    pub(crate) fn is_handshaking(&self) -> bool {
        matches!(self, Wire::Tls(tls) if tls.is_handshaking())
    }

    /// True when something waits below for the socket.
    pub(crate) fn wants_write(&self) -> bool {
        matches!(self, Wire::Tls(tls) if tls.wants_write())
    }

    /// Octets that the socket has taken.
    pub(crate) fn on_socket(&self) -> u64 {
        match self {
            Wire::Udp(_) => 0,
            Wire::Tcp { on_socket, .. } => *on_socket,
            Wire::Tls(tls) => tls.on_socket(),
        }
    }

    /// Writes what there is room for; of UDP one datagram, whole. `WouldBlock` where there is none.
    pub(crate) fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Udp(socket) => socket.send(octets),
            Wire::Tcp { .. } if octets.is_empty() => Ok(0),
            Wire::Tcp { socket, on_socket } => {
                let wrote = socket.write(octets)?;
                *on_socket += wrote as u64;
                Ok(wrote)
            }
            Wire::Tls(tls) => tls.write(octets),
        }
    }

    /// Tells the other side that nothing follows.
    pub(crate) fn close(&mut self) {
        if let Wire::Tls(tls) = self {
            tls.close();
        }
    }

    /// Reads what has come; 0 at the end, `WouldBlock` where nothing has.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Udp(socket) => socket.recv(into),
            Wire::Tcp { socket, .. } => socket.read(into),
            Wire::Tls(tls) => tls.read(into),
        }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Wire::Udp(socket) => socket.as_fd(),
            Wire::Tcp { socket, .. } => socket.as_fd(),
            Wire::Tls(tls) => tls.socket.as_fd(),
        }
    }
}
