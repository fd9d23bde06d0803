//! Netlink: a socket, and the messages and attributes in what it says (netlink(7)).
//!
//! Octets come from the kernel, yet lengths are checked as if they came from a network: a parser
//! that trusts its peer is wrong on the day that the peer is a recording. Invariant: every slice
//! that is handed on lies inside the datagram, and each step moves forward.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto,
    socket_with, sockopt,
};

/// Octets of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Most octets of one datagram of a dump: the kernel's own limit is 32 KiB a page of answers.
const DATAGRAM_MAX: usize = 64 << 10;
/// Receive buffer asked for: a burst of notifications must not be lost while a dump is read.
const RECEIVE_BUFFER: usize = 4 << 20;
/// How long a dump may be silent before it is given up.
const PATIENCE_MS: i64 = 2_000;
/// Most datagrams of one dump. Limit: at 32 KiB each it is 2 GiB, some five million sockets.
const DATAGRAMS_MAX: usize = 65_536;

/// An error, or an acknowledgement.
pub(crate) const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_DUMP_INTR: u16 = 0x10;

/// Why the kernel could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetlinkError {
    #[error("netlink: {0}")]
    Io(#[from] io::Error),
    #[error("netlink: the kernel refused: {0}")]
    Refused(#[source] io::Error),
    #[error("netlink: the answer did not come in time")]
    Silent,
    #[error("netlink: a message at offset {offset} claims {length} octets, {left} are left")]
    Length { offset: usize, length: usize, left: usize },
    #[error("netlink: the answer has no end")]
    Endless,
}

impl NetlinkError {
    /// The user may not.
    pub(crate) fn is_forbidden(&self) -> bool {
        let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
        matches!(self, NetlinkError::Io(error) | NetlinkError::Refused(error) if denied(error))
    }
}

impl From<rustix::io::Errno> for NetlinkError {
    fn from(errno: rustix::io::Errno) -> NetlinkError {
        NetlinkError::Io(errno.into())
    }
}

/// One message: its type and what follows its header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) body: &'a [u8],
}

/// Splits a datagram into messages.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, NetlinkError>> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        let rest = datagram.get(offset..).unwrap_or_default();
        let left = rest.len();
        if left == 0 {
            return None;
        }
        let at = offset;
        let length = rest.first_chunk().map_or(0, |octets| u32::from_ne_bytes(*octets) as usize);
        let Some(message) = rest.get(..length).filter(|message| message.len() >= HEADER) else {
            // What follows cannot be found any more.
            offset = datagram.len();
            return Some(Err(NetlinkError::Length { offset: at, length, left }));
        };
        offset = offset.saturating_add(length.next_multiple_of(4));
        Some(Ok(Message {
            kind: u16_at(message, 4)?,
            flags: u16_at(message, 6)?,
            body: message.get(HEADER..)?,
        }))
    })
}

/// Splits the end of a message into attributes: type (without its two flag bits) and value. Ends
/// at the first that does not fit.
pub(crate) fn attributes(octets: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)? & 0x3fff;
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// A 16-bit number of this machine's order at `offset`.
pub(crate) fn u16_at(octets: &[u8], offset: usize) -> Option<u16> {
    octets.get(offset..)?.first_chunk().map(|octets| u16::from_ne_bytes(*octets))
}

/// A 32-bit number of this machine's order at `offset`.
pub(crate) fn u32_at(octets: &[u8], offset: usize) -> Option<u32> {
    octets.get(offset..)?.first_chunk().map(|octets| u32::from_ne_bytes(*octets))
}

/// A 64-bit number of this machine's order at `offset`.
pub(crate) fn u64_at(octets: &[u8], offset: usize) -> Option<u64> {
    octets.get(offset..)?.first_chunk().map(|octets| u64::from_ne_bytes(*octets))
}

/// A request: header and body.
fn request(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = (HEADER + body.len()) as u32;
    let mut octets = Vec::with_capacity(HEADER + body.len());
    octets.extend_from_slice(&length.to_ne_bytes());
    octets.extend_from_slice(&kind.to_ne_bytes());
    octets.extend_from_slice(&(NLM_F_REQUEST | flags).to_ne_bytes());
    octets.extend_from_slice(&sequence.to_ne_bytes());
    octets.extend_from_slice(&0u32.to_ne_bytes());
    octets.extend_from_slice(body);
    octets
}

/// What reading what waits found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drained {
    /// Nothing more waits.
    Empty,
    /// The kernel had to drop notifications: the buffer was full (ENOBUFS).
    Lost,
    /// The bound was reached and more may wait.
    Bounded,
}

/// A netlink socket of the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens a socket of `protocol` (NETLINK_ROUTE is none) that hears the multicast `groups`, a bit
    /// each.
    pub(crate) fn open(protocol: Option<Protocol>, groups: u32) -> Result<Netlink, NetlinkError> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        bind(&socket, &SocketAddrNetlink::new(0, groups))?;
        // Why: Only with privileges past rmem_max; what was granted decides how much is lost, and
        // that is counted where it happens.
        if sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_err() {
            sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
        }
        Ok(Netlink { socket, sequence: 0, buffer: vec![0; DATAGRAM_MAX] })
    }

    /// To wait on.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Asks for a dump and gives every message of the answer to `each`. True when the kernel says
    /// that the table changed meanwhile, so that an entry may be missing or there twice.
    pub(crate) fn dump(
        &mut self,
        kind: u16,
        body: &[u8],
        each: impl FnMut(Message<'_>),
    ) -> Result<bool, NetlinkError> {
        self.converse((kind, NLM_F_DUMP), body, each)
    }

    /// Asks for one thing and gives every message of the answer to `each`.
    pub(crate) fn ask(
        &mut self,
        kind: u16,
        body: &[u8],
        each: impl FnMut(Message<'_>),
    ) -> Result<(), NetlinkError> {
        self.converse((kind, NLM_F_ACK), body, each).map(drop)
    }

    /// Asks for several things at once, each of which is answered by one message, an error
    /// (whose kind is [`NLMSG_ERROR`]) included. `each` is told which request it answers.
    ///
    /// Limit: answers must fit the receive buffer, so the caller asks for few at a time.
    pub(crate) fn ask_each(
        &mut self,
        kind: u16,
        bodies: &[Vec<u8>],
        mut each: impl FnMut(usize, Message<'_>),
    ) -> Result<(), NetlinkError> {
        let first = self.sequence.wrapping_add(1);
        let mut requests = Vec::new();
        for body in bodies {
            self.sequence = self.sequence.wrapping_add(1);
            requests.extend(request(kind, 0, self.sequence, body));
            requests.resize(requests.len().next_multiple_of(4), 0);
        }
        sendto(&self.socket, &requests, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let mut left = bodies.len();
        for _ in 0..DATAGRAMS_MAX {
            if left == 0 {
                return Ok(());
            }
            let n = self.receive()?;
            let datagram = self.buffer.get(..n).unwrap_or_default();
            let sequence = u32_at(datagram, 8).unwrap_or(0);
            let which = sequence.wrapping_sub(first) as usize;
            let Some(message) = messages(datagram).next().filter(|_| which < bodies.len()) else {
                continue;
            };
            each(which, message?);
            left -= 1;
        }
        Err(NetlinkError::Endless)
    }

    fn converse(
        &mut self,
        (kind, flags): (u16, u16),
        body: &[u8],
        mut each: impl FnMut(Message<'_>),
    ) -> Result<bool, NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(kind, flags, self.sequence, body);
        sendto(&self.socket, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let mut interrupted = false;
        for _ in 0..DATAGRAMS_MAX {
            let n = self.receive()?;
            let datagram = self.buffer.get(..n).unwrap_or_default();
            // Why: An answer to a dump that was given up before may still wait here.
            if u32_at(datagram, 8) != Some(self.sequence) {
                continue;
            }
            for message in messages(datagram) {
                let message = message?;
                interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
                match message.kind {
                    NLMSG_DONE => return Ok(interrupted),
                    // An error of none acknowledges.
                    NLMSG_ERROR if u32_at(message.body, 0) == Some(0) => return Ok(interrupted),
                    NLMSG_ERROR => return Err(refusal(message.body)),
                    _ => each(message),
                }
            }
        }
        Err(NetlinkError::Endless)
    }

    /// Gives every notification that waits to `each`, at most `datagrams_max` datagrams.
    pub(crate) fn drain(
        &mut self,
        datagrams_max: usize,
        mut each: impl FnMut(Message<'_>),
    ) -> Result<Drained, NetlinkError> {
        for _ in 0..datagrams_max {
            let n = match recv(&self.socket, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                Ok((_, n)) => n,
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {
                    return Ok(Drained::Empty);
                }
                Err(rustix::io::Errno::NOBUFS) => return Ok(Drained::Lost),
                Err(errno) => return Err(errno.into()),
            };
            for message in messages(self.buffer.get(..n).unwrap_or_default()) {
                each(message?);
            }
        }
        Ok(Drained::Bounded)
    }

    fn receive(&mut self) -> Result<usize, NetlinkError> {
        loop {
            wait(self.socket.as_fd(), PATIENCE_MS)?;
            match recv(&self.socket, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                // Deviation: MSG_TRUNC would give the full length; a longer datagram is cut, and
                // the parser sees a message that is longer than what is left.
                Ok((_, n)) => return Ok(n.min(DATAGRAM_MAX)),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

fn wait(fd: BorrowedFd<'_>, timeout_ms: i64) -> Result<(), NetlinkError> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let timeout = Timespec { tv_sec: timeout_ms / 1_000, tv_nsec: timeout_ms % 1_000 * 1_000_000 };
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    match poll(&mut fds, Some(&timeout)) {
        Ok(0) => Err(NetlinkError::Silent),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// The error in a message of type NLMSG_ERROR: a negative errno.
fn refusal(body: &[u8]) -> NetlinkError {
    let errno = u32_at(body, 0).map_or(0, |number| number.cast_signed().saturating_neg());
    NetlinkError::Refused(io::Error::from_raw_os_error(errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn walk(octets: &[u8]) {
        let mut left = octets.len() + 1;
        for message in messages(octets) {
            assert!(left > 0, "a step did not move forward");
            left -= 1;
            let Ok(message) = message else { continue };
            for (_, value) in attributes(message.body) {
                assert!(value.len() <= message.body.len());
            }
        }
    }

    #[test]
    fn a_message_that_claims_more_than_there_is_ends_the_datagram() {
        let mut octets = request(20, NLM_F_DUMP, 7, &[1, 2, 3, 4]);
        let good: Vec<_> = messages(&octets).map(|m| m.map(|m| (m.kind, m.body.len()))).collect();
        assert!(matches!(good[..], [Ok((20, 4))]));
        octets[0] = 21;
        let bad: Vec<_> = messages(&octets).collect();
        assert!(matches!(bad[..], [Err(NetlinkError::Length { offset: 0, length: 21, left: 20 })]));
        // A length of zero, which would be read for ever.
        octets[0] = 0;
        assert_eq!(messages(&octets).count(), 1);
    }

    #[test]
    fn attributes_end_at_the_first_that_does_not_fit() {
        let octets = [6, 0, 1, 0, 7, 8, 0, 0, 4, 0, 2, 0x80, 3, 0, 9, 0];
        let found: Vec<_> = attributes(&octets).collect();
        assert_eq!(found, [(1, &[7u8, 8][..]), (2, &[][..])]);
    }

    proptest! {
        #[test]
        fn no_octets_make_the_parser_fail(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            walk(&octets);
        }

        #[test]
        fn damage_is_contained(at in 0usize..60, octet: u8, cut in 0usize..60) {
            let mut octets = request(20, NLM_F_DUMP, 1, &[8, 0, 1, 0, 1, 2, 3, 4, 5, 0, 2, 0, 9, 0, 0, 0]);
            octets.extend(request(3, NLM_F_DUMP, 1, &[]));
            if let Some(place) = octets.get_mut(at) {
                *place = octet;
            }
            octets.truncate(octets.len().saturating_sub(cut));
            walk(&octets);
        }
    }
}
