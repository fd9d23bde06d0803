//! What the kernel dropped before us: one counter per socket, read in two ways.
//!
//! `SO_RXQ_OVFL` tells it with a datagram, and only with one that was queued after the loss;
//! `/proc/net/udp` and `udp6` tell it at any time. Both read the same 32-bit number, so their
//! readings are merged, never added.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use crate::socket::granted_buffer;

/// One UDP socket of one receive thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketStatus {
    /// What it is bound to.
    pub address: SocketAddr,
    /// Which receive thread reads it.
    pub thread: usize,
    /// Receive buffer that the kernel granted, in octets of payload.
    pub buffer_octets: usize,
    /// Datagrams read.
    pub received: u64,
    /// Datagrams that the kernel dropped because the buffer was full.
    pub kernel_dropped: u64,
    /// Octets that waited in the buffer at the last look, the kernel's overhead included.
    pub waiting_octets: u64,
}

/// A 32-bit counter that wraps, followed by 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Wrapping {
    last: u32,
    total: u64,
}

impl Wrapping {
    /// Takes a reading. One that is behind the last (the other way of reading was faster) adds
    /// nothing; more than 2^31 losses between two readings are taken for that.
    fn read(&mut self, value: u32) {
        let ahead = value.wrapping_sub(self.last);
        if ahead < 1 << 31 {
            self.total += u64::from(ahead);
            self.last = value;
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    received: u64,
    dropped: Wrapping,
    waiting: u64,
}

/// The account of one socket.
#[derive(Debug)]
pub(crate) struct SocketBook {
    address: SocketAddr,
    thread: usize,
    buffer_octets: usize,
    inode: Option<u64>,
    counts: Mutex<Counts>,
}

impl SocketBook {
    pub(crate) fn new(socket: &UdpSocket, address: SocketAddr, thread: usize) -> SocketBook {
        let link = format!("/proc/self/fd/{}", socket.as_raw_fd());
        SocketBook {
            address,
            thread,
            buffer_octets: granted_buffer(socket),
            inode: std::fs::metadata(link).ok().map(|meta| meta.ino()),
            counts: Mutex::default(),
        }
    }

    /// Counts datagrams read, and the newest reading of the drop counter that came with them.
    pub(crate) fn read(&self, datagrams: usize, overflow: Option<u32>) {
        let mut counts = self.counts();
        counts.received += datagrams as u64;
        if let Some(value) = overflow {
            counts.dropped.read(value);
        }
    }

    pub(crate) fn status(&self) -> SocketStatus {
        let counts = self.counts();
        SocketStatus {
            address: self.address,
            thread: self.thread,
            buffer_octets: self.buffer_octets,
            received: counts.received,
            kernel_dropped: counts.dropped.total,
            waiting_octets: counts.waiting,
        }
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the second reading of all sockets.
pub(crate) fn read_proc(books: &[SocketBook]) {
    let mut lines = HashMap::new();
    for path in ["/proc/net/udp", "/proc/net/udp6"] {
        // Not readable in some sandboxes: the first reading has to do then.
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        lines.extend(text.lines().skip(1).filter_map(parse));
    }
    for book in books {
        let Some(&(drops, waiting)) = book.inode.and_then(|inode| lines.get(&inode)) else {
            continue;
        };
        let mut counts = book.counts();
        counts.dropped.read(drops);
        counts.waiting = waiting;
    }
}

/// Inode, and (drops, octets waiting), of a line of `/proc/net/udp`.
fn parse(line: &str) -> Option<(u64, (u32, u64))> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (_, waiting) = fields.get(4)?.split_once(':')?;
    let waiting = u64::from_str_radix(waiting, 16).ok()?;
    let inode = fields.get(9)?.parse().ok()?;
    // Printed as a signed number since Linux 4.x: a counter past 2^31 has a minus.
    let drops = fields.get(12)?.parse::<i64>().ok()?;
    Some((inode, (drops as u32, waiting)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_inode_drops_and_what_waits() {
        let line = "  512: 00000000:0807 00000000:0000 07 00000000:00000300 00:00000000 00000000 \
                    0        0 16413 2 0000000000000000 42        ";
        assert_eq!(parse(line), Some((16_413, (42, 0x300))));
        assert_eq!(parse("sl local_address"), None);
    }

    #[test]
    fn readings_merge_and_survive_the_wrap() {
        let mut counter = Wrapping::default();
        for value in [5, 5, 3, 7, 1 << 30, 1 << 31, u32::MAX - 1] {
            counter.read(value);
        }
        assert_eq!(counter.total, u64::from(u32::MAX) - 1);
        counter.read(4);
        assert_eq!(counter.total, u64::from(u32::MAX) + 5);
    }

    #[test]
    fn a_socket_finds_its_own_line() {
        let socket = crate::socket::udp("127.0.0.1:0".parse().unwrap(), 4_096).unwrap();
        let address = socket.local_addr().unwrap();
        let books = [SocketBook::new(&socket, address, 0)];
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..200 {
            sender.send_to(&[0; 1_000], address).unwrap();
        }
        read_proc(&books);
        let status = books[0].status();
        assert!(status.kernel_dropped > 0 && status.waiting_octets > 0, "{status:?}");
    }
}
