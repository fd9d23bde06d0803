//! `sendmmsg` and the clock of a process: the system calls that the standard library lacks.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;

/// Datagrams of one call.
pub const BATCH: usize = 32;

/// Sends `datagrams` (at most [`BATCH`]) on a connected socket and says how many went.
pub fn send(socket: &UdpSocket, datagrams: &[&[u8]]) -> io::Result<usize> {
    let n = datagrams.len().min(BATCH);
    // SAFETY: all-zero is a valid value of these plain C structs.
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
    let mut iovecs = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH];
    for (i, datagram) in datagrams.iter().enumerate().take(n) {
        iovecs[i] =
            libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
        headers[i].msg_hdr.msg_iov = ptr::from_mut(&mut iovecs[i]);
        headers[i].msg_hdr.msg_iovlen = 1;
    }
    // SAFETY: the first `n` headers point at `iovecs`, those at the datagrams, all borrowed for
    // the call; the kernel only reads them.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), n as u32, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// CPU seconds that this thread has used.
pub fn thread_cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local struct that the call fills.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Asks a process to stop (SIGTERM).
pub fn terminate(pid: u32) {
    // SAFETY: no memory is involved; a process that is gone is an error that changes nothing.
    unsafe { libc::kill(pid as libc::pid_t, libc::SIGTERM) };
}

/// CPU seconds that this process has used.
pub fn process_cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: as above.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// What a child used in its life.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// CPU seconds, user and system.
    pub cpu_seconds: f64,
    /// Its exit status was 0.
    pub ok: bool,
}

/// Waits for a child to end.
pub fn wait(pid: u32) -> io::Result<Usage> {
    let mut status = 0;
    // SAFETY: all-zero is a valid value of this plain C struct; the pointers are to locals.
    let (ended, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(pid as libc::pid_t, &raw mut status, 0, &raw mut usage), usage)
    };
    if ended < 0 {
        return Err(io::Error::last_os_error());
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(Usage { cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime), ok: status == 0 })
}
