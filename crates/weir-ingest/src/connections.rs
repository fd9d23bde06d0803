//! IPFIX over TCP (RFC 7011 §10.4): connections, their bounds, and messages cut out of the stream.
//!
//! One thread polls all of them. A message goes the way of a datagram, but nothing of a connection
//! is ever dropped for want of room: the thread waits for the queue, and exporters wait for it.
//! It refuses what is not IPFIX by its first octets; TLS is told apart by the first one (0x16), so
//! that any port takes both. A handshake with client certificate costs the thread 0.7 ms, so a thousand
//! agents that come at once keep it busy for less than a second; a thousand silent ones take 1 %.

mod books;
mod framing;
mod session;
mod wire;

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
use crate::sys::{self, Interest};
use crate::tls::{Certificates, HandshakeFault};
pub(crate) use books::ConnectionBooks;
pub use books::{CloseReason, ConnectionStatus, ConnectionTotals};
use session::Session;

/// Connections accepted per round and listener.
const ACCEPTS_MAX: usize = 64;

/// How often ages are looked at and answers are given.
const SWEEP: Duration = Duration::from_millis(100);

/// How long a connection that is held waits for its next try.
const HELD_MS: i32 = 5;

/// Octets that the kernel may hold for a peer that does not read.
const SEND_BUFFER: usize = 8 << 10;

/// The thread that serves connections.
pub(crate) struct Acceptor {
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) limits: ConnectionLimits,
    pub(crate) certificates: Option<Certificates>,
    pub(crate) shared: Arc<Shared>,
}

/// What the thread works with.
pub(crate) struct Desk {
    pub(crate) chunk: Chunk,
    pub(crate) arrivals: Arrivals,
    /// Read into first, so that a silent connection holds no buffer.
    pub(crate) scratch: Box<[u8]>,
    pub(crate) certificates: Option<Certificates>,
}

/// What the thread keeps of its connections.
struct Floor {
    sessions: Vec<Session>,
    /// The last number that a session was given.
    number: u64,
    /// Some were accepted since the books were last written.
    news: bool,
    /// Those that are TLS and those that are acknowledged, as the books have it.
    kinds: (usize, usize),
    gate: LogGate<(IpAddr, usize)>,
}

impl Acceptor {
    /// Serves until the order to stop, then takes in what has arrived and closes.
    pub(crate) fn run(mut self) {
        let certificates = self.certificates.take();
        let status = certificates.as_ref().map(Certificates::status);
        self.shared.connections.set_certificates(status.unwrap_or_default());
        let mut desk = Desk {
            chunk: self.shared.pool.take(),
            arrivals: Arrivals::default(),
            scratch: vec![0; 1 << 16].into(),
            certificates,
        };
        let gate = LogGate::new(Duration::from_secs(10));
        let mut floor = Floor { sessions: Vec::new(), number: 0, news: false, kinds: (0, 0), gate };
        let (mut polls, mut ready) = (Vec::new(), Vec::new());
        let mut swept = Instant::now();
        while !self.shared.is_stopping() {
            ready.clear();
            let timeout = if floor.sessions.iter().any(|s| s.held) { HELD_MS } else { 100 };
            if let Err(error) =
                sys::poll(&mut polls, self.interests(&floor), timeout, |i| ready.push(i))
            {
                tracing::error!(%error, "cannot wait for connections");
                std::thread::sleep(SWEEP);
            }
            let now = Instant::now();
            self.serve(&ready, &mut floor.sessions, &mut desk, now);
            let first = self.listeners.len();
            for &i in ready.iter().filter(|&&i| i < first) {
                self.accept(&self.listeners[i], &mut floor, now);
            }
            if now.duration_since(swept) >= SWEEP {
                swept = now;
                self.sweep(&mut floor.sessions, &mut desk, now);
            }
            self.close_ended(&mut floor);
        }
        let now = Instant::now();
        for session in &mut floor.sessions {
            session.read(&self.shared, &self.limits, &mut desk, now);
            session.end(CloseReason::Stopped);
        }
        self.close_ended(&mut floor);
        self.shared.push_patiently(desk.chunk);
    }

    fn interests(&self, floor: &Floor) -> impl Iterator<Item = Interest> {
        let listener = |listener: &TcpListener| {
            let fd = listener.as_raw_fd();
            Interest { fd, read: true, write: false }
        };
        let session = |session: &Session| {
            let fd = session.stream.as_raw_fd();
            Interest { fd, read: !session.held, write: session.wants_write() }
        };
        self.listeners.iter().map(listener).chain(floor.sessions.iter().map(session))
    }

    /// Gives each connection that is ready, or was held, its turn.
    fn serve(&self, ready: &[usize], sessions: &mut [Session], desk: &mut Desk, now: Instant) {
        for session in sessions.iter_mut().filter(|session| session.held) {
            session.resume(&self.shared, &self.limits, desk, now);
        }
        for &i in ready {
            let Some(at) = i.checked_sub(self.listeners.len()) else { continue };
            let session = &mut sessions[at];
            session.read(&self.shared, &self.limits, desk, now);
            if session.wants_write() {
                session.flush(now);
            }
        }
        self.hand_over(desk);
    }

    /// What is to be done now and then: ages, answers, certificates.
    fn sweep(&self, sessions: &mut [Session], desk: &mut Desk, now: Instant) {
        self.shared.acknowledging.look();
        for session in sessions.iter_mut().filter(|session| session.ended.is_none()) {
            if session.is_acknowledged() {
                session.answer(&self.shared, now);
            }
            session.check_age(&self.limits, now);
        }
        if let Some(certificates) = &mut desk.certificates
            && certificates.look(now)
        {
            self.shared.connections.set_certificates(certificates.status());
        }
    }

    fn accept(&self, listener: &TcpListener, floor: &mut Floor, now: Instant) {
        for _ in 0..ACCEPTS_MAX {
            // Running out of descriptors is met by waiting: closing others frees some.
            let Ok((stream, peer)) = listener.accept() else { return };
            let source = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            let books = &self.shared.connections;
            books.opened();
            if let Some(reason) = self.refusal(source.ip(), &floor.sessions) {
                tracing::debug!(%source, reason = reason.name(), "connection refused");
                books.closed(reason, 0);
                continue;
            }
            match prepare(stream) {
                Ok(stream) => {
                    floor.number += 1;
                    floor.news = true;
                    let id = SessionId(floor.number);
                    floor.sessions.push(Session::new(stream, source, id, now));
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
    fn close_ended(&self, floor: &mut Floor) {
        let mut news = std::mem::take(&mut floor.news);
        let gate = &floor.gate;
        floor.sessions.retain_mut(|session| {
            let Some(reason) = session.ended else { return true };
            news = true;
            self.close(session, reason, gate);
            false
        });
        let sessions = &floor.sessions;
        let tls = sessions.iter().filter(|session| session.is_tls()).count();
        let kinds = (tls, sessions.iter().filter(|session| session.is_acknowledged()).count());
        // Cost: a table of a thousand addresses is not made anew in every round.
        if news || kinds != floor.kinds {
            floor.kinds = kinds;
            let mut held: HashMap<IpAddr, usize> = HashMap::new();
            sessions.iter().for_each(|s| *held.entry(s.source.ip()).or_default() += 1);
            self.shared.connections.set_open(held, kinds);
        }
    }

    fn close(&self, session: &mut Session, reason: CloseReason, gate: &LogGate<(IpAddr, usize)>) {
        let books = &self.shared.connections;
        let gave_up = session.is_handshaking().then_some(HandshakeFault::GaveUp);
        let fault = session.fault.take();
        let failed = fault.as_ref().map_or(gave_up, |fault| fault.handshake);
        if let Some(failed) = failed {
            books.handshake_failed(failed);
        }
        session.close(&self.shared);
        books.closed(reason, session.pending() as u64);
        self.shared.door.end_session(session.source.ip(), session.id);
        let source = session.source;
        let told =
            if reason.is_fault() { gate.admit((source.ip(), reason as usize)) } else { None };
        let Some(suppressed) = told else {
            tracing::debug!(%source, reason = reason.name(), "connection closed");
            return;
        };
        let remedy = failed.map(HandshakeFault::remedy).or(reason.remedy());
        let error = fault.map(|fault| fault.text);
        let reason = reason.name();
        tracing::warn!(%source, reason, error, remedy, suppressed, "connection closed by us");
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
    let socket = socket2::SockRef::from(&stream);
    socket.set_keepalive(true)?;
    // What we send is answers of 16 octets: a peer that does not read them is found out soon.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    Ok(stream)
}
