//! Name to socket, on a thread of its own: looking a name up and connecting may take seconds, in
//! which records still have to be made into messages.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use super::policy::{Target, Transport};

/// Longest time for one address to take the connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Addresses of one name that are tried at each attempt.
const ADDRESSES_MAX: usize = 8;
/// Time in which a dead collector is found out while data waits for it.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// A socket that is connected and does not block.
#[derive(Debug)]
pub(crate) enum Connected {
    Udp(UdpSocket, SocketAddr),
    Tcp(TcpStream, SocketAddr),
}

/// An attempt under way.
#[derive(Debug)]
pub(crate) struct Dialing(Receiver<io::Result<Connected>>);

impl Dialing {
    /// Begins an attempt; `wake` is called when it is over.
    pub(crate) fn start(target: &Target, wake: impl FnOnce() + Send + 'static) -> Dialing {
        let (sender, receiver) = sync_channel(1);
        let own = target.clone();
        let thread_sender = sender.clone();
        let spawned = std::thread::Builder::new().name("weir-dial".to_owned()).spawn(move || {
            tell(&thread_sender, connect(&own));
            wake();
        });
        if let Err(error) = spawned {
            tell(&sender, Err(error));
        }
        Dialing(receiver)
    }

    /// What came of it, once it is over.
    pub(crate) fn poll(&self) -> Option<io::Result<Connected>> {
        use std::sync::mpsc::TryRecvError;
        match self.0.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(io::ErrorKind::Interrupted.into())),
        }
    }
}

fn tell(to: &SyncSender<io::Result<Connected>>, result: io::Result<Connected>) {
    // Nobody waits any more after a stop.
    let _stopped = to.try_send(result);
}

fn connect(target: &Target) -> io::Result<Connected> {
    let addresses = (target.host.as_str(), target.port).to_socket_addrs()?;
    let mut failure = None;
    for address in addresses.take(ADDRESSES_MAX) {
        let connected = match target.transport {
            Transport::Udp => udp(address),
            Transport::Tcp | Transport::Tls => tcp(address),
        };
        match connected {
            Ok(connected) => return Ok(connected),
            Err(error) => failure = Some(error),
        }
    }
    let no_address = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    Err(failure.unwrap_or_else(no_address))
}

fn udp(address: SocketAddr) -> io::Result<Connected> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    Ok(Connected::Udp(socket, address))
}

fn tcp(address: SocketAddr) -> io::Result<Connected> {
    let stream = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(DEAD_AFTER))?;
    socket.set_tcp_user_timeout(Some(DEAD_AFTER))?;
    Ok(Connected::Tcp(stream, address))
}
