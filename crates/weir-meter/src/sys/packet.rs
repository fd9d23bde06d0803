//! Packet sockets (packet(7)): a classic BPF filter, batches of frames with what goes with them.

use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};

/// Frames of one call.
pub(crate) const BATCH: usize = 64;
/// Octets of a frame that are received; the rest is known by its number.
pub(crate) const SNAP: usize = 2_048;
/// Octets of `struct virtio_net_hdr`, which stands before each frame.
const VNET: usize = 10;
/// Octets for control messages: auxdata (40) and times (64), with room to spare.
const CONTROL: usize = 128;

/// One instruction of classic BPF: `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jt: u8,
    pub(crate) jf: u8,
    pub(crate) k: u32,
}

/// A frame as it was received.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// Its first octets, at most [`SNAP`].
    pub(crate) octets: &'a [u8],
    /// Octets that it had.
    pub(crate) length: u32,
    /// Payload of each segment that it will be cut into or was made of; 0 when it is one packet.
    pub(crate) gso_size: u16,
    /// Tag that the device took off: protocol and control information.
    pub(crate) tag: Option<(u16, u16)>,
    /// Interface.
    pub(crate) interface: u32,
    /// Kind of device: `ARPHRD_*`.
    pub(crate) hardware: u16,
    /// `PACKET_HOST`, `PACKET_OUTGOING` and so on.
    pub(crate) kind: u8,
    /// When the kernel saw it, by the wall clock since 1970. `None` right after the socket was
    /// opened.
    pub(crate) at: Option<Duration>,
}

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// A packet socket that hears all interfaces of the network namespace it was opened in.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    socket: OwnedFd,
}

impl PacketSocket {
    /// Opens one whose filter was there before the first frame: bound to no protocol it hears
    /// nothing, and it is bound last.
    pub(crate) fn open(filter: &[Instruction], buffer: usize) -> io::Result<PacketSocket> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
        let opened = PacketSocket { socket };
        opened.attach(filter)?;
        opened.set(libc::SOL_PACKET, libc::PACKET_AUXDATA, &1i32)?;
        opened.set(libc::SOL_PACKET, libc::PACKET_VNET_HDR, &1i32)?;
        // Why: Not SO_TIMESTAMPNS, by which frames of the first moments, before the kernel stamps any, have the
        // time at which they are read.
        let stamps = libc::SOF_TIMESTAMPING_RX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;
        opened.set(libc::SOL_SOCKET, libc::SO_TIMESTAMPING, &stamps)?;
        // Only with CAP_NET_ADMIN past rmem_max; what did not fit is counted.
        if sockopt::set_socket_recv_buffer_size_force(&opened.socket, buffer).is_err() {
            sockopt::set_socket_recv_buffer_size(&opened.socket, buffer)?;
        }
        opened.bind()?;
        Ok(opened)
    }

    fn attach(&self, filter: &[Instruction]) -> io::Result<()> {
        let mut program: Vec<libc::sock_filter> = filter
            .iter()
            .map(|i| libc::sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k })
            .collect();
        let length = u16::try_from(program.len()).map_err(io::Error::other)?;
        let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
        // The kernel copies the program during the call, which `program` outlives.
        self.set(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }

    fn set<T>(&self, level: i32, name: i32, value: &T) -> io::Result<()> {
        let length = size_of::<T>() as libc::socklen_t;
        // SAFETY: `value` is valid for `length` octets during the call, and the kernel only reads.
        let done = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                level,
                name,
                ptr::from_ref(value).cast(),
                length,
            )
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn bind(&self) -> io::Result<()> {
        // SAFETY: all-zero is a valid value of this plain C struct.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: `address` is valid for the length given during the call.
        let done = unsafe {
            libc::bind(
                self.socket.as_raw_fd(),
                ptr::from_ref(&address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Frames that passed the filter and those of them that found no room, since the last call.
    pub(crate) fn statistics(&self) -> io::Result<(u64, u64)> {
        // SAFETY: all-zero is a valid value of this plain C struct.
        let mut stats: libc::tpacket_stats = unsafe { zeroed() };
        let mut length = size_of_val(&stats) as libc::socklen_t;
        // SAFETY: both pointers are valid during the call, `stats` for `length` octets.
        let done = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                ptr::from_mut(&mut stats).cast(),
                &raw mut length,
            )
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((stats.tp_packets.into(), stats.tp_drops.into()))
    }

    /// Receives what waits, at most [`BATCH`] frames; 0 when nothing does.
    pub(crate) fn receive(&self, batch: &mut Batch) -> io::Result<usize> {
        batch.aim();
        // SAFETY: `aim` has pointed every header at buffers of `batch`, which is borrowed for the
        // call, and told their lengths; there are `BATCH` headers.
        let received = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                batch.headers.as_mut_ptr(),
                batch.headers.len() as u32,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        match usize::try_from(received) {
            Ok(received) => Ok(received),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                error if error.kind() == io::ErrorKind::Interrupted => Ok(0),
                error => Err(error),
            },
        }
    }
}

/// The arrays that one call fills.
pub(crate) struct Batch {
    headers: Vec<libc::mmsghdr>,
    iovecs: Vec<libc::iovec>,
    names: Vec<libc::sockaddr_ll>,
    controls: Vec<Control>,
    frames: Vec<u8>,
}

// SAFETY: the pointers in `headers` and `iovecs` are set by `aim` before each use, to buffers of
// the same value; nobody else has them.
unsafe impl Send for Batch {}

impl Batch {
    pub(crate) fn new() -> Batch {
        // SAFETY: all-zero is a valid value of these plain C structs (null pointers, length 0).
        let (header, name) = unsafe { (zeroed::<libc::mmsghdr>(), zeroed()) };
        let iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        Batch {
            headers: vec![header; BATCH],
            iovecs: vec![iovec; BATCH],
            names: vec![name; BATCH],
            controls: vec![Control([0; CONTROL]); BATCH],
            frames: vec![0; BATCH * (VNET + SNAP)],
        }
    }

    fn aim(&mut self) {
        let slots = self.frames.chunks_exact_mut(VNET + SNAP).zip(&mut self.controls);
        let parts = self.headers.iter_mut().zip(&mut self.iovecs).zip(&mut self.names);
        for ((slot, control), ((header, iovec), name)) in slots.zip(parts) {
            iovec.iov_base = slot.as_mut_ptr().cast();
            iovec.iov_len = slot.len();
            header.msg_len = 0;
            let header = &mut header.msg_hdr;
            header.msg_name = ptr::from_mut(name).cast();
            header.msg_namelen = size_of::<libc::sockaddr_ll>() as u32;
            header.msg_iov = ptr::from_mut(iovec);
            header.msg_iovlen = 1;
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL as _;
            header.msg_flags = 0;
        }
    }

    /// Frame `at` of the last call.
    pub(crate) fn frame(&self, at: usize) -> Option<Frame<'_>> {
        let header = self.headers.get(at)?;
        let slot = self.frames.get(at * (VNET + SNAP)..(at + 1) * (VNET + SNAP))?;
        let received = slot.get(..header.msg_len as usize)?;
        let (vnet, octets) = received.split_at_checked(VNET)?;
        let name = self.names.get(at)?;
        let control = &self.controls.get(at)?.0;
        // The type of the length is not the same on all systems; it is CONTROL at most.
        let length = header.msg_hdr.msg_controllen.min(CONTROL as _) as _;
        let mut frame = Frame {
            octets,
            length: octets.len() as u32,
            // gso_type 0 is "none"; its highest bit is for ECN.
            gso_size: if vnet[1] & 0x7f == 0 { 0 } else { u16::from_ne_bytes([vnet[4], vnet[5]]) },
            tag: None,
            interface: name.sll_ifindex.cast_unsigned(),
            hardware: name.sll_hatype,
            kind: name.sll_pkttype,
            at: None,
        };
        for (level, kind, body) in controls(control.get(..length).unwrap_or_default()) {
            match (level, kind) {
                (libc::SOL_PACKET, libc::PACKET_AUXDATA) => auxdata(&mut frame, body),
                (libc::SOL_SOCKET, libc::SO_TIMESTAMPING) => frame.at = time(body),
                _ => {}
            }
        }
        Some(frame)
    }
}

/// `struct tpacket_auxdata`: status, length, captured length, offsets, tag.
fn auxdata(frame: &mut Frame<'_>, body: &[u8]) {
    let word = |at: usize| Some(u32::from_ne_bytes(*body.get(at..)?.first_chunk()?));
    let half = |at: usize| Some(u16::from_ne_bytes(*body.get(at..)?.first_chunk()?));
    let (Some(status), Some(length)) = (word(0), word(4)) else { return };
    frame.length = length;
    if status & libc::TP_STATUS_VLAN_VALID != 0 {
        // Before Linux 3.14 the kernel did not tell the tag's own protocol.
        let is_told = status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
        let protocol = if is_told { half(18) } else { Some(0x8100) };
        frame.tag = protocol.zip(half(16));
    }
}

/// `struct scm_timestamping`, of which the first `struct timespec` is the kernel's.
fn time(body: &[u8]) -> Option<Duration> {
    const WORD: usize = size_of::<libc::c_long>();
    let word = |at: usize| match body.get(at..at + WORD)? {
        octets if WORD == 8 => octets.first_chunk().map(|octets| i64::from_ne_bytes(*octets)),
        octets => octets.first_chunk().map(|octets| i32::from_ne_bytes(*octets).into()),
    };
    let seconds = u64::try_from(word(0)?).ok()?;
    Some(Duration::new(seconds, u32::try_from(word(WORD)?).ok()?))
}

/// Splits control messages (cmsg(3)): level, kind, body. Ends at the first that does not fit.
fn controls(octets: &[u8]) -> impl Iterator<Item = (i32, i32, &[u8])> {
    const WORD: usize = size_of::<usize>();
    let mut rest = octets;
    std::iter::from_fn(move || {
        let length = usize::from_ne_bytes(rest.get(..WORD)?.try_into().ok()?);
        let word = |at: usize| Some(i32::from_ne_bytes(*rest.get(at..)?.first_chunk()?));
        let (level, kind) = (word(WORD)?, word(WORD + 4)?);
        let body = rest.get(WORD + 8..length)?;
        rest = rest.get(length.next_multiple_of(WORD)..).unwrap_or_default();
        Some((level, kind, body))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn control_messages_are_read_within_their_octets(
            octets in prop::collection::vec(any::<u8>(), 0..CONTROL),
            length in 0usize..160,
        ) {
            let mut octets = octets;
            if let Some(place) = octets.first_chunk_mut::<8>() {
                *place = (length as u64).to_ne_bytes();
            }
            for (_, _, body) in controls(&octets) {
                prop_assert!(body.len() <= octets.len());
                time(body);
            }
        }
    }
}
