//! Opens the listening sockets and says what the kernel granted.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::sys;

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {transport} {address}{}", hint(source, *address))]
pub struct ListenError {
    /// `udp` or `tcp`.
    pub transport: &'static str,
    /// Which address.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

fn hint(error: &io::Error, address: SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(" (another program has port {}: see `ss -lunpt`)", address.port())
        }
        io::ErrorKind::PermissionDenied => " (ports below 1024 need CAP_NET_BIND_SERVICE)".into(),
        _ => String::new(),
    }
}

/// Refuses a UDP address that someone already receives on. Sockets that share a port do so between
/// programs too, and the kernel would give each a part of the exporters without a word.
pub(crate) fn udp_is_free(address: SocketAddr) -> Result<(), ListenError> {
    let fail = |source| ListenError { transport: "udp", address, source };
    bound(address, Type::DGRAM, Protocol::UDP, Share::No).map(drop).map_err(fail)
}

/// Opens a UDP socket that shares its address with the other receive threads' sockets.
pub(crate) fn udp(address: SocketAddr, buffer: usize) -> Result<UdpSocket, ListenError> {
    let fail = |source| ListenError { transport: "udp", address, source };
    let socket = bound(address, Type::DGRAM, Protocol::UDP, Share::Yes).map_err(fail)?;
    // Kernels before 2.6.33 have no such counter; `/proc/net/udp` is read as well.
    if let Err(error) = sys::enable_overflow_counter(socket.as_fd()) {
        tracing::debug!(%error, "kernel does not count overflows per datagram");
    }
    size_buffer(&socket, address, buffer);
    Ok(socket.into())
}

/// Opens a TCP listener.
pub(crate) fn tcp(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let fail = |source| ListenError { transport: "tcp", address, source };
    let socket = bound(address, Type::STREAM, Protocol::TCP, Share::No).map_err(fail)?;
    // A fleet of agents comes at once when the collector was away; what does not fit waits a second.
    socket.listen(1_024).map_err(fail)?;
    Ok(socket.into())
}

/// Whether other sockets may be bound to the same UDP port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    Yes,
    No,
}

/// Binds `address`; `[::]` takes IPv4 too, and becomes `0.0.0.0` where there is no IPv6.
fn bound(address: SocketAddr, ty: Type, protocol: Protocol, share: Share) -> io::Result<Socket> {
    let any_v6 = address.is_ipv6() && address.ip().is_unspecified();
    match bind(address, ty, protocol, share) {
        Err(error) if any_v6 && no_ipv6(&error) => {
            let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port());
            tracing::info!(port = v4.port(), "no IPv6 here, listening on IPv4 only");
            bind(v4, ty, protocol, share)
        }
        other => other,
    }
}

fn bind(address: SocketAddr, ty: Type, protocol: Protocol, share: Share) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), ty, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    match ty {
        Type::DGRAM => socket.set_reuse_port(share == Share::Yes)?,
        _ => socket.set_reuse_address(true)?,
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn no_ipv6(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL))
}

/// Asks for a receive buffer, past `rmem_max` where we may, and warns when less was granted.
fn size_buffer(socket: &Socket, address: SocketAddr, asked: usize) {
    let forced = sys::force_receive_buffer(socket.as_fd(), asked);
    if forced.is_err()
        && let Err(error) = socket.set_recv_buffer_size(asked)
    {
        tracing::warn!(%address, %error, "receive buffer stays as it was");
    }
    let granted = granted_buffer(socket);
    if granted < asked {
        tracing::warn!(
            %address,
            asked,
            granted,
            remedy = format!("sysctl -w net.core.rmem_max={asked}"),
            "receive buffer smaller than asked for: bursts may be lost in the kernel"
        );
    }
}

/// Octets of payload that the kernel granted: it doubles what is asked for, for its own overhead.
pub(crate) fn granted_buffer<'s>(socket: impl Into<SockRef<'s>>) -> usize {
    socket.into().recv_buffer_size().unwrap_or(0) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_one_port_share_it_and_an_ipv6_listener_takes_ipv4() {
        let first = udp("[::]:0".parse().unwrap(), 1 << 16).unwrap();
        let address = first.local_addr().unwrap();
        let second = udp(address, 1 << 16).unwrap();
        assert_eq!(second.local_addr().unwrap(), address);
        assert!(granted_buffer(&first) >= 1 << 16);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(sender.send_to(b"x", ("127.0.0.1", address.port())).unwrap(), 1);
    }

    #[test]
    fn a_taken_port_is_named_with_its_remedy() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let error = tcp(taken.local_addr().unwrap()).unwrap_err().to_string();
        assert!(error.contains("another program has port"), "{error}");
    }

    #[test]
    fn a_port_of_another_receiver_is_not_shared_with_it() {
        let other = udp("127.0.0.1:0".parse().unwrap(), 1 << 16).unwrap();
        let address = other.local_addr().unwrap();
        let error = udp_is_free(address).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on udp {address} (another program has port {}: see `ss -lunpt`)",
                address.port()
            )
        );
        drop(other);
        assert!(udp_is_free(address).is_ok());
    }
}
