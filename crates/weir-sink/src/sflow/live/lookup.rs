//! The collector's name to its address, again when datagrams are refused and from time to time:
//! over UDP a collector that moved says nothing. On a thread of its own, since it may take seconds.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

use super::SflowTarget;
use crate::ipfix::backoff::Backoff;

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;
/// Pauses after failures.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How often a name that works is looked up again.
const AGAIN: Duration = Duration::from_secs(300);

type Answer = io::Result<Vec<SocketAddr>>;

/// What a look-up found.
#[derive(Debug)]
pub(super) enum Found {
    Address(SocketAddr),
    Nothing(io::Error),
}

#[derive(Debug)]
pub(super) struct Resolver {
    host: String,
    port: u16,
    under_way: Option<Receiver<Answer>>,
    /// When the next begins.
    due: Duration,
    /// Datagrams to the address are refused.
    is_refused: bool,
    backoff: Backoff,
}

impl Resolver {
    pub(super) fn new(target: &SflowTarget) -> Resolver {
        Resolver {
            host: target.host.clone(),
            port: target.port,
            under_way: None,
            due: Duration::ZERO,
            is_refused: false,
            backoff: Backoff::new(PAUSES),
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.under_way.is_some()
    }

    /// The address does not work: it is looked up again, after a pause.
    pub(super) fn failed(&mut self, now: Duration) {
        if !self.is_refused && self.under_way.is_none() {
            self.is_refused = true;
            self.due = self.due.min(now + self.backoff.pause(0));
        }
    }

    pub(super) fn works(&mut self) {
        self.is_refused = false;
        self.backoff.reset();
    }

    /// Begins a look-up when one is due, and tells what came of it.
    pub(super) fn poll(&mut self, now: Duration, current: Option<SocketAddr>) -> Option<Found> {
        if self.under_way.is_none() && now >= self.due {
            self.under_way = Some(begin(self.host.clone(), self.port));
        }
        let answer = match self.under_way.as_ref()?.try_recv() {
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(io::ErrorKind::Interrupted.into()),
            Ok(answer) => answer,
        };
        self.under_way = None;
        self.due = now + AGAIN;
        let was_refused = std::mem::take(&mut self.is_refused);
        match answer.and_then(|found| choose(&found, current, was_refused)) {
            Ok(address) => Some(Found::Address(address)),
            Err(error) => {
                self.due = now + self.backoff.pause(0);
                Some(Found::Nothing(error))
            }
        }
    }
}

/// The address in use if it is still the name's and works, else the one after it.
fn choose(
    found: &[SocketAddr],
    current: Option<SocketAddr>,
    was_refused: bool,
) -> io::Result<SocketAddr> {
    let place = found.iter().position(|address| Some(*address) == current);
    let chosen = match place {
        Some(place) if !was_refused => found.get(place),
        Some(place) => found.get((place + 1) % found.len()),
        None => found.first(),
    };
    let no_address = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    chosen.copied().ok_or_else(no_address)
}

fn begin(host: String, port: u16) -> Receiver<Answer> {
    let (sender, receiver) = sync_channel(1);
    // A thread that cannot begin drops the sender, which is an answer too.
    let _spawned = std::thread::Builder::new().name("weir-lookup".to_owned()).spawn(move || {
        let found = (host.as_str(), port).to_socket_addrs();
        // Nobody waits any more after a stop.
        let _stopped = sender.try_send(found.map(|found| found.take(ADDRESSES_MAX).collect()));
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_refused_gives_way_to_the_next() {
        let [a, b, c] = [1, 2, 3].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let chosen = |found: &[_], current, refused| choose(found, current, refused).unwrap();
        assert_eq!(chosen(&[a, b], None, false), a);
        assert_eq!(chosen(&[a, b], Some(b), false), b, "what works stays");
        assert_eq!(chosen(&[a, b], Some(a), true), b);
        assert_eq!(chosen(&[a, b], Some(b), true), a);
        assert_eq!(chosen(&[a, b], Some(c), false), a, "it moved");
        assert!(choose(&[], Some(a), true).is_err());
    }

    #[test]
    fn a_name_is_asked_for_again_after_a_refusal_and_pauses_grow() {
        let target = SflowTarget { host: "127.0.0.1".to_owned(), port: 9, sub_agent: 0 };
        let mut resolver = Resolver::new(&target);
        let answer = |resolver: &mut Resolver, now| loop {
            if let Some(found) = resolver.poll(now, None) {
                break found;
            }
            std::thread::yield_now();
        };
        assert!(matches!(answer(&mut resolver, Duration::ZERO), Found::Address(_)));
        let second = Duration::from_secs(1);
        assert!(resolver.poll(second, None).is_none() && !resolver.is_busy());
        let mut now = second;
        for pause in [500, 1_000, 2_000] {
            resolver.failed(now);
            let due = now + Duration::from_millis(pause);
            resolver.poll(due - Duration::from_millis(1), None);
            assert!(!resolver.is_busy(), "{pause}");
            assert!(matches!(answer(&mut resolver, due), Found::Address(_)));
            now = due;
        }
        assert_eq!(resolver.due, now + AGAIN);
    }
}
