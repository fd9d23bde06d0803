//! Calls of bpf(2) that the loader does not have: maps read and emptied in batches, iterators over
//! the entries of a map, and test runs.
#![expect(unsafe_code, reason = "bpf(2) takes addresses; each block has its proof")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const BPF_PROG_TEST_RUN: libc::c_long = 10;
const BPF_MAP_LOOKUP_AND_DELETE_BATCH: libc::c_long = 25;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_ITER_CREATE: libc::c_long = 33;
const BPF_TRACE_ITER: u32 = 28;

/// `union bpf_attr` for commands on batches.
#[repr(C)]
struct Batch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// `union bpf_attr` for links of iterators.
#[repr(C)]
struct IterLink {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    iter_info: u64,
    iter_info_len: u32,
    padding: u32,
}

/// `union bpf_attr` for test runs.
#[repr(C)]
#[derive(Default)]
struct TestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    padding: u32,
}

fn bpf<T>(command: libc::c_long, attr: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: `attr` is a live, initialised value of the size that is told, and outlives the call.
    // Addresses in it are the callers' duty.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr as *mut T, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn owned(fd: libc::c_long) -> OwnedFd {
    // SAFETY: The kernel has just made this descriptor for us, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) }
}

/// Returns when no BPF program runs any more that was running when it was called.
pub(crate) fn wait_for_programs() {
    // `MEMBARRIER_CMD_GLOBAL` is synchronize_rcu() in the kernel, and programs run under its lock.
    const GLOBAL: libc::c_long = 1;
    // SAFETY: membarrier(2) takes no addresses.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, GLOBAL, 0, 0) };
    if result < 0 {
        // Refused on machines with processors of their own for user space (nohz_full): a program
        // takes microseconds.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Gives memory that is free back to the system. The kernel's types are a million small pieces, which the
/// allocator would keep for later.
pub(crate) fn give_back_memory() {
    // SAFETY: malloc_trim(3) takes no addresses and may be called at any time.
    #[cfg(target_env = "gnu")]
    let _any = unsafe { libc::malloc_trim(0) };
}

/// Entries that one call takes.
const BATCH: usize = 4_096;

/// Gives every entry of a hash map to `each` and removes it, in batches: nothing that is added
/// meanwhile is lost, for each bucket is read and emptied under its lock.
pub(crate) fn drain<const K: usize, const V: usize>(
    map: BorrowedFd<'_>,
    entries_max: usize,
    mut each: impl FnMut(&[u8; K], &[u8; V]),
) -> io::Result<usize> {
    let (mut keys, mut values) = (vec![[0u8; K]; BATCH], vec![[0u8; V]; BATCH]);
    // A token of the kernel: the number of a bucket in 4 octets; room for a key, as its docs ask.
    let mut token = [0u8; 64];
    let (mut first, mut taken) = (true, 0);
    while taken < entries_max {
        let mut attr = Batch {
            in_batch: if first { 0 } else { token.as_ptr() as u64 },
            out_batch: token.as_mut_ptr() as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: BATCH as u32,
            map_fd: map.as_raw_fd() as u32,
            elem_flags: 0,
            flags: 0,
        };
        let result = bpf(BPF_MAP_LOOKUP_AND_DELETE_BATCH, &mut attr);
        // The last batch ends with ENOENT and a valid count; ENOSPC is a bucket that has more
        // entries than fit, which does not happen with so many.
        let is_last = match result {
            Ok(_) => false,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
            Err(error) => return Err(error),
        };
        let count = (attr.count as usize).min(BATCH);
        keys.iter().zip(&values).take(count).for_each(|(key, value)| each(key, value));
        taken += count;
        first = false;
        if is_last || count == 0 {
            break;
        }
    }
    Ok(taken)
}

/// Runs an iterator, over the entries of `map` if it is of that kind: what it writes is read from
/// the file.
pub(crate) fn iterate(program: BorrowedFd<'_>, map: Option<BorrowedFd<'_>>) -> io::Result<File> {
    let info = map.map(|map| map.as_raw_fd());
    let mut link = IterLink {
        prog_fd: program.as_raw_fd() as u32,
        target_fd: 0,
        attach_type: BPF_TRACE_ITER,
        flags: 0,
        iter_info: info.as_ref().map_or(0, |fd| fd as *const libc::c_int as u64),
        iter_info_len: if info.is_some() { 4 } else { 0 },
        padding: 0,
    };
    let link = owned(bpf(BPF_LINK_CREATE, &mut link)?);
    let mut create = [link.as_raw_fd() as u32, 0];
    Ok(File::from(owned(bpf(BPF_ITER_CREATE, &mut create)?)))
}

/// Runs a program of packets `repeat` times over `packet`, an Ethernet frame. What it returned the
/// last time, and nanoseconds a run.
pub(crate) fn test_run(
    program: BorrowedFd<'_>,
    packet: &[u8],
    repeat: u32,
) -> io::Result<(u32, u32)> {
    let mut attr = TestRun {
        prog_fd: program.as_raw_fd() as u32,
        data_size_in: packet.len() as u32,
        data_in: packet.as_ptr() as u64,
        repeat,
        ..TestRun::default()
    };
    bpf(BPF_PROG_TEST_RUN, &mut attr)?;
    Ok((attr.retval, attr.duration))
}
