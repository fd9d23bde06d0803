//! Receive threads: datagrams from sockets, through the door, into chunks for the workers.
//!
//! A thread reads all its sockets without blocking, sixty-four datagrams a call, and rests for a
//! while, so that datagrams gather and neither side pays for a wake-up each.
//! It never waits for a worker: what the queue has no room for is dropped here and counted.

use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_wire::Received;

use crate::chunk::{Chunk, SLOTS};
use crate::door::Arrivals;
use crate::ledger::Reason;
use crate::shared::Shared;
use crate::socket::granted_buffer;
use crate::sys::{self, Batch, Interest, SLOT};

/// Datagrams that should gather while a thread rests. More would leave the processor's caches
/// before they are decoded, fewer would not be worth the wake-ups of two threads.
const GATHER: u32 = 3 * SLOTS as u32;

/// The shortest and the longest rest. Nobody waits for a single datagram: its rows are handed on
/// up to a hundred milliseconds later anyway.
const RESTS: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(10)];

/// Octets a second that a resting thread's buffer must be able to take: no rest is longer than
/// it takes to fill the buffer at this rate.
const BURST: u64 = 1 << 30;

/// Calls per socket and round: a busy port must not starve the others.
const CALLS_MAX: usize = 16;

/// How long what waits in the sockets is still read after the order to stop.
const LAST_READS: Duration = Duration::from_millis(250);

/// One receive thread's sockets, each with its index in [`Shared::sockets`].
pub(crate) struct Receiver {
    pub(crate) sockets: Vec<(UdpSocket, usize)>,
    pub(crate) shared: Arc<Shared>,
}

/// How long to rest, after a rest in which so many datagrams came.
fn next_rest(last: Duration, arrived: usize) -> Duration {
    let arrived = u32::try_from(arrived).unwrap_or(u32::MAX).max(1);
    (last.max(RESTS[0]) * GATHER / arrived).clamp(RESTS[0], RESTS[1])
}

/// What one thread works with.
struct Round {
    batch: Batch,
    chunk: Chunk,
    arrivals: Arrivals,
}

impl Receiver {
    /// Receives until the order to stop, then empties the sockets.
    pub(crate) fn run(self) {
        let shared = &*self.shared;
        let mut round = Round {
            batch: Batch::new(SLOTS),
            chunk: shared.pool.take(),
            arrivals: Arrivals::default(),
        };
        let (mut polls, mut ready) = (Vec::new(), Vec::new());
        let (mut last_read, longest) = (None, self.longest_rest());
        let mut rest = RESTS[0];
        loop {
            if last_read.is_none() && shared.is_stopping() {
                last_read = Some(Instant::now() + LAST_READS);
            }
            let waiting = !round.chunk.entries.is_empty();
            let timeout_ms = match last_read {
                Some(_) => 0,
                None if waiting => 5,
                None => 100,
            };
            ready.clear();
            let fds = self.sockets.iter().map(|(socket, _)| Interest::read(socket.as_raw_fd()));
            if let Err(error) = sys::poll(&mut polls, fds, timeout_ms, |i| ready.push(i)) {
                tracing::error!(%error, "cannot wait for datagrams");
                std::thread::sleep(Duration::from_millis(100));
            }
            let mut arrived = 0;
            for &i in &ready {
                arrived += self.read(i, &mut round);
            }
            self.hand_over(&mut round);
            if last_read.is_some_and(|end| arrived == 0 || Instant::now() >= end) {
                break;
            }
            if arrived > 0 && last_read.is_none() {
                rest = next_rest(rest, arrived).min(longest);
                std::thread::sleep(rest);
            }
        }
        shared.push_patiently(round.chunk);
    }

    fn longest_rest(&self) -> Duration {
        let buffers = self.sockets.iter().map(|(socket, _)| granted_buffer(socket) as u64);
        Duration::from_nanos(buffers.min().unwrap_or(0) * 1_000_000_000 / BURST)
    }

    /// Reads one socket until it is empty, and says how many datagrams came.
    fn read(&self, i: usize, round: &mut Round) -> usize {
        let (socket, index) = &self.sockets[i];
        let book = &self.shared.sockets[*index];
        let mut arrived = 0;
        for _ in 0..CALLS_MAX {
            let asked = SLOTS - round.chunk.slots;
            let n = match round.batch.receive(socket.as_fd(), round.chunk.free_slots()) {
                Ok(n) => n,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    if let Some(suppressed) = self.shared.io_gate.admit(*index) {
                        tracing::warn!(%error, suppressed, "receiving failed");
                    }
                    break;
                }
            };
            book.read(n, n.checked_sub(1).and_then(|last| round.batch.overflow(last)));
            self.admit(n, round);
            arrived += n;
            if round.chunk.is_full() {
                self.hand_over(round);
            }
            if n < asked {
                break;
            }
        }
        arrived
    }

    /// Takes the `n` datagrams just received through the door.
    fn admit(&self, n: usize, round: &mut Round) {
        let Round { batch, chunk, arrivals } = round;
        let (first, at) = (chunk.slots, self.shared.clock.now());
        chunk.slots += n;
        for i in 0..n {
            // Proof: a UDP socket over IPv4 or IPv6 has senders of no other family.
            let Some(datagram) = batch.datagram(i) else { continue };
            let door = &self.shared.door;
            if datagram.truncated {
                let exporter = datagram.source.ip();
                door.refuse(exporter, datagram.len, Reason::Truncated, arrivals);
                continue;
            }
            let mut start = (first + i) * SLOT;
            if datagram.len > SLOT {
                let head = start..start + SLOT;
                start = chunk.octets.len();
                chunk.octets.extend_from_within(head);
                chunk.octets.extend_from_slice(batch.rest(i, datagram.len));
            }
            let octets = &chunk.octets[start..start + datagram.len];
            let received = Received::udp(at, datagram.source);
            chunk.entries.extend(door.admit(octets, start, received, arrivals).entry);
        }
        self.shared.door.note(arrivals);
        if chunk.entries.is_empty() {
            chunk.reset();
        }
    }

    /// Gives the chunk to the workers, or keeps it for more datagrams when the queue is full, or
    /// drops it when it is full itself.
    fn hand_over(&self, round: &mut Round) {
        if round.chunk.entries.is_empty() {
            return;
        }
        let full = std::mem::replace(&mut round.chunk, self.shared.pool.take());
        let Err(mut back) = self.shared.queue.push(full) else { return };
        if back.is_full() {
            self.shared.door.overflow(&back.entries);
            back.reset();
        }
        let spare = std::mem::replace(&mut round.chunk, back);
        self.shared.pool.give(spare);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_as_long_as_datagrams_take_to_gather() {
        let [shortest, longest] = RESTS;
        let gathered = GATHER as usize;
        assert_eq!(next_rest(4 * shortest, gathered), 4 * shortest);
        assert_eq!(next_rest(4 * shortest, 2 * gathered), 2 * shortest);
        assert_eq!(next_rest(shortest, usize::MAX), shortest);
        assert_eq!(next_rest(Duration::ZERO, 1), longest);
    }
}
