//! Other network namespaces: found by the processes in them, entered by a thread of their own.
//!
//! A netlink socket belongs to the namespace of the thread that opened it, and stays there when
//! the thread is gone. So a thread goes in, opens the sockets, hands them out, and ends: no thread
//! of ours is ever elsewhere for longer, and nothing else is done there. A socket keeps its
//! namespace alive, so it is closed as soon as no process is left in it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::space::Doors;

/// Why a namespace could not be looked into.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnterError {
    #[error("setns: {0}")]
    Enter(#[source] io::Error),
    #[error(transparent)]
    Ask(#[from] crate::netlink::NetlinkError),
    #[error("the thread that went in failed")]
    Thread,
}

/// The number of this thread's own namespace.
pub(crate) fn own() -> Option<u64> {
    number(&fs::read_link("/proc/thread-self/ns/net").ok()?)
}

/// The namespaces that processes are in, each with the way to it through one of them.
pub(super) fn all(proc: &Path) -> HashMap<u64, PathBuf> {
    let Ok(entries) = fs::read_dir(proc) else { return HashMap::new() };
    let is_process = |name: &str| name.bytes().all(|octet| octet.is_ascii_digit());
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_process))
        .filter_map(|entry| {
            // One that is gone or hidden has no link that can be read.
            let path = entry.path().join("ns/net");
            Some((number(&fs::read_link(&path).ok()?)?, path))
        })
        .collect()
}

/// Opens sockets in the namespace at `path`; in this thread's own to see whether it may, if `None`.
pub(super) fn enter(path: Option<&Path>, ends: bool) -> Result<Doors, EnterError> {
    let path = path.unwrap_or(Path::new("/proc/thread-self/ns/net")).to_owned();
    let inside = move || {
        let space = File::open(&path).map_err(EnterError::Enter)?;
        move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|errno| EnterError::Enter(errno.into()))?;
        Ok(Doors::open(ends)?)
    };
    let thread = std::thread::Builder::new().name("weir-meter-ns".to_owned()).spawn(inside);
    thread.map_err(|_| EnterError::Thread)?.join().map_err(|_| EnterError::Thread)?
}

/// `net:[4026531840]` as its number.
fn number(target: &Path) -> Option<u64> {
    target.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}
