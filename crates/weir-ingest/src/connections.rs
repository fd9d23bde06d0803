//! IPFIX over TCP (RFC 7011 §10.4): connections, their bounds, and messages cut out of the stream.
//!
//! One thread polls all of them. A message goes the way of a datagram, but nothing of a connection
//! is ever dropped for want of room: the thread waits for the queue, and exporters wait for it.
//! It refuses what is not IPFIX by its first octets; TLS (0x16) is told apart, so that its
//! listener can be put in that place.

mod books;
mod framing;
mod session;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_telemetry::LogGate;
use weir_wire::SessionId;

use crate::chunk::Chunk;
use crate::door::Arrivals;
use crate::policy::ConnectionLimits;
use crate::shared::Shared;
use crate::sys;
pub(crate) use books::ConnectionBooks;
pub use books::{CloseReason, ConnectionStatus, ConnectionTotals};
use session::Session;

/// Connections accepted per round and listener.
const ACCEPTS_MAX: usize = 64;

/// The thread that serves connections.
pub(crate) struct Acceptor {
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) limits: ConnectionLimits,
    pub(crate) shared: Arc<Shared>,
}

/// What the thread works with.
pub(crate) struct Desk {
    pub(crate) chunk: Chunk,
    pub(crate) arrivals: Arrivals,
    /// Read into first, so that a silent connection holds no buffer.
    pub(crate) scratch: Box<[u8]>,
}

impl Acceptor {
    /// Serves until the order to stop, then takes in what has arrived and closes.
    pub(crate) fn run(self) {
        let mut desk = Desk {
            chunk: self.shared.pool.take(),
            arrivals: Arrivals::default(),
            scratch: vec![0; 1 << 16].into(),
        };
        let mut sessions: Vec<Session> = Vec::new();
        let (mut polls, mut ready) = (Vec::new(), Vec::new());
        let (mut number, mut swept) = (0, Instant::now());
        let gate = LogGate::new(Duration::from_secs(10));
        while !self.shared.is_stopping() {
            ready.clear();
            let listeners = self.listeners.iter().map(AsRawFd::as_raw_fd);
            let fds = listeners.chain(sessions.iter().map(|session| session.stream.as_raw_fd()));
            if let Err(error) = sys::poll(&mut polls, fds, 100, |i| ready.push(i)) {
                tracing::error!(%error, "cannot wait for connections");
                std::thread::sleep(Duration::from_millis(100));
            }
            let now = Instant::now();
            let first = self.listeners.len();
            for &i in ready.iter().filter(|&&i| i >= first) {
                sessions[i - first].read(&self.shared, &self.limits, &mut desk, now);
            }
            self.hand_over(&mut desk);
            for &i in ready.iter().filter(|&&i| i < first) {
                self.accept(&self.listeners[i], &mut sessions, &mut number, now);
            }
            if now.duration_since(swept) >= Duration::from_millis(100) {
                swept = now;
                sessions.iter_mut().for_each(|session| session.check_age(&self.limits, now));
            }
            self.close_ended(&mut sessions, &gate);
        }
        let now = Instant::now();
        for session in &mut sessions {
            session.read(&self.shared, &self.limits, &mut desk, now);
            session.end(CloseReason::Stopped);
        }
        self.close_ended(&mut sessions, &gate);
        self.shared.push_patiently(desk.chunk);
    }

    fn accept(
        &self,
        listener: &TcpListener,
        sessions: &mut Vec<Session>,
        number: &mut u64,
        now: Instant,
    ) {
        for _ in 0..ACCEPTS_MAX {
            // Running out of descriptors is met by waiting: closing others frees some.
            let Ok((stream, peer)) = listener.accept() else { return };
            let source = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            let books = &self.shared.connections;
            books.opened();
            if let Some(reason) = self.refusal(source.ip(), sessions) {
                tracing::debug!(%source, reason = reason.name(), "connection refused");
                books.closed(reason, 0);
                continue;
            }
            match prepare(stream) {
                Ok(stream) => {
                    *number += 1;
                    sessions.push(Session::new(stream, source, SessionId(*number), now));
                    tracing::debug!(%source, "connection opened");
                }
                Err(_) => books.closed(CloseReason::Io, 0),
            }
        }
    }

    fn refusal(&self, addr: IpAddr, sessions: &[Session]) -> Option<CloseReason> {
        let from_there = sessions.iter().filter(|session| session.source.ip() == addr).count();
        match () {
            () if !self.shared.door.allows(addr) => Some(CloseReason::NotAllowed),
            () if sessions.len() >= self.limits.total => Some(CloseReason::TooMany),
            () if from_there >= self.limits.per_source => Some(CloseReason::TooManyFromSource),
            () => None,
        }
    }

    /// Lets go of sessions that ended, after their messages are with the workers.
    fn close_ended(&self, sessions: &mut Vec<Session>, gate: &LogGate<(IpAddr, usize)>) {
        sessions.retain(|session| {
            let Some(reason) = session.ended else { return true };
            self.shared.connections.closed(reason, session.pending() as u64);
            self.shared.door.end_session(session.source.ip(), session.id);
            let source = session.source;
            if reason.is_fault() {
                if let Some(suppressed) = gate.admit((source.ip(), reason as usize)) {
                    let reason = reason.name();
                    tracing::warn!(%source, reason, suppressed, "connection closed by us");
                }
            } else {
                tracing::debug!(%source, reason = reason.name(), "connection closed");
            }
            false
        });
        let mut held: HashMap<IpAddr, usize> = HashMap::new();
        sessions.iter().for_each(|session| *held.entry(session.source.ip()).or_default() += 1);
        self.shared.connections.set_open(held);
    }

    fn hand_over(&self, desk: &mut Desk) {
        self.shared.door.note(&mut desk.arrivals);
        if !desk.chunk.entries.is_empty() {
            let full = std::mem::replace(&mut desk.chunk, self.shared.pool.take());
            self.shared.push_patiently(full);
        }
    }
}

fn prepare(stream: TcpStream) -> std::io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    // A peer that vanished without a word is noticed by the kernel, not only by the idle time-out.
    socket2::SockRef::from(&stream).set_keepalive(true)?;
    Ok(stream)
}
