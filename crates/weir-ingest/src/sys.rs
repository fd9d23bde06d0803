//! The system calls that the standard library lacks: `recvmmsg`, `poll`, two socket options.
//!
//! The only `unsafe` of this crate. Invariant: no pointer outlives the call it was made for; every
//! array that the kernel writes into is owned by [`Batch`] or borrowed for the call, and its
//! length is what the kernel was told. Nothing here decides anything.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

/// Octets of a datagram that are received in place. Longer ones continue in [`Batch::rest`].
pub(crate) const SLOT: usize = 2_048;

/// Most octets of a UDP datagram.
const DATAGRAM_MAX: usize = 65_535;
const REST: usize = DATAGRAM_MAX + 1 - SLOT;

/// Room for one control message that carries a `u32`.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 32]);

/// One datagram of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Datagram {
    /// Its length; what passes [`SLOT`] is in [`Batch::rest`].
    pub len: usize,
    /// The sender, an IPv4 sender as such even on a dual-stack socket.
    pub source: SocketAddr,
    /// The kernel had more octets than fit.
    pub truncated: bool,
}

/// The arrays that one `recvmmsg` fills.
pub(crate) struct Batch {
    headers: Vec<libc::mmsghdr>,
    iovecs: Vec<[libc::iovec; 2]>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    rest: Vec<u8>,
}

impl Batch {
    /// Arrays for up to `max` datagrams a call.
    pub(crate) fn new(max: usize) -> Batch {
        // SAFETY: all-zero is a valid value of these plain C structs (null pointers, length 0).
        let (header, name) = unsafe { (zeroed::<libc::mmsghdr>(), zeroed()) };
        let iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        Batch {
            headers: vec![header; max],
            iovecs: vec![[iovec; 2]; max],
            names: vec![name; max],
            controls: vec![Control([0; 32]); max],
            // Only touched pages cost memory, and only oversized datagrams touch them.
            rest: vec![0; max * REST],
        }
    }

    /// Receives what waits on `socket`, at most one datagram per [`SLOT`] of `slots`. Does not
    /// block; nothing waiting is `WouldBlock`.
    pub(crate) fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        slots: &mut [u8],
    ) -> io::Result<usize> {
        let n = (slots.len() / SLOT).min(self.headers.len());
        for (i, slot) in slots.chunks_exact_mut(SLOT).take(n).enumerate() {
            let rest = &mut self.rest[i * REST..(i + 1) * REST];
            self.iovecs[i] = [
                libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: SLOT },
                libc::iovec { iov_base: rest.as_mut_ptr().cast(), iov_len: REST },
            ];
            let header = &mut self.headers[i].msg_hdr;
            header.msg_name = ptr::from_mut(&mut self.names[i]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = self.iovecs[i].as_mut_ptr();
            header.msg_iovlen = 2;
            header.msg_control = self.controls[i].0.as_mut_ptr().cast();
            header.msg_controllen = size_of::<Control>() as _;
            header.msg_flags = 0;
        }
        // SAFETY: the first `n` headers point at arrays of `self` and at `slots`, all borrowed
        // mutably for this call and as long as the lengths beside the pointers say.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                n as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        usize::try_from(received).map_err(|_| io::Error::last_os_error())
    }

    /// Datagram `i` of the last call, or `None` when its sender has no IP address.
    pub(crate) fn datagram(&self, i: usize) -> Option<Datagram> {
        let header = &self.headers[i];
        Some(Datagram {
            len: header.msg_len as usize,
            source: socket_addr(&self.names[i])?,
            truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        })
    }

    /// Octets of datagram `i` past the first [`SLOT`].
    pub(crate) fn rest(&self, i: usize, len: usize) -> &[u8] {
        &self.rest[i * REST..][..len.saturating_sub(SLOT).min(REST)]
    }

    /// The socket's drop counter when datagram `i` was queued (`SO_RXQ_OVFL`: 32 bits, wraps);
    /// `None` when it was 0 or the option is off.
    pub(crate) fn overflow(&self, i: usize) -> Option<u32> {
        let header = &self.headers[i].msg_hdr;
        // SAFETY: the kernel filled `msg_control` up to `msg_controllen`; CMSG_FIRSTHDR gives null
        // or a header that lies inside, and the length is checked before the data is read.
        unsafe {
            let control = libc::CMSG_FIRSTHDR(header);
            if control.is_null() {
                return None;
            }
            let found = (*control).cmsg_level == libc::SOL_SOCKET
                && (*control).cmsg_type == libc::SO_RXQ_OVFL
                && (*control).cmsg_len as usize >= libc::CMSG_LEN(4) as usize;
            found.then(|| ptr::read_unaligned(libc::CMSG_DATA(control).cast::<u32>()))
        }
    }
}

fn socket_addr(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says which struct this is, and the storage is large enough for it.
            let v4 = unsafe { *ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let addr = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::from((addr, u16::from_be(v4.sin_port))))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { *ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let addr = Ipv6Addr::from(v6.sin6_addr.s6_addr).to_canonical();
            Some(SocketAddr::from((addr, u16::from_be(v6.sin6_port))))
        }
        _ => None,
    }
}

/// What is waited for on one descriptor; with neither it is left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interest {
    pub(crate) fd: RawFd,
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Interest {
    /// To read alone.
    pub(crate) fn read(fd: RawFd) -> Interest {
        Interest { fd, read: true, write: false }
    }
}

/// Waits until one of `fds` can be read or written (or has failed), or for `timeout_ms`. Calls
/// `ready` with the index of each. An interruption counts as a time-out.
pub(crate) fn poll(
    polls: &mut Vec<libc::pollfd>,
    fds: impl Iterator<Item = Interest>,
    timeout_ms: i32,
    mut ready: impl FnMut(usize),
) -> io::Result<()> {
    polls.clear();
    polls.extend(fds.map(|Interest { fd, read, write }| libc::pollfd {
        // The kernel skips negative ones, which would else be ready as soon as they are hung up.
        fd: if read || write { fd } else { -1 },
        events: if read { libc::POLLIN } else { 0 } | if write { libc::POLLOUT } else { 0 },
        revents: 0,
    }));
    // SAFETY: the vector is borrowed mutably for the call and as long as its length says.
    let n = unsafe { libc::poll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, timeout_ms) };
    if n < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
    }
    for (i, _) in polls.iter().enumerate().filter(|(_, poll)| poll.revents != 0) {
        ready(i);
    }
    Ok(())
}

/// Asks for the drop counter with every datagram.
pub(crate) fn enable_overflow_counter(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_option(socket, libc::SO_RXQ_OVFL, 1)
}

/// Sets the receive buffer past `rmem_max`, which needs CAP_NET_ADMIN.
pub(crate) fn force_receive_buffer(socket: BorrowedFd<'_>, octets: usize) -> io::Result<()> {
    let octets = i32::try_from(octets).unwrap_or(i32::MAX);
    set_option(socket, libc::SO_RCVBUFFORCE, octets)
}

fn set_option(socket: BorrowedFd<'_>, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the pointer is to a local integer of the length given.
    let done = unsafe {
        let value = ptr::from_ref(&value).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, value, length)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
