//! Other network namespaces: found by the processes in them, entered by a thread of their own.
//!
//! A netlink socket belongs to the namespace of the thread that opened it, and stays there when
//! the thread is gone. So a thread goes in, opens the sockets, hands them out, and ends: no thread
//! of ours is ever elsewhere for longer, and nothing else is done there. A socket keeps its
//! namespace alive, so it is closed as soon as no process is left in it.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::netlink::NetlinkError;

/// How often namespaces are looked for.
const LOOK_FOR_SPACES: Duration = Duration::from_secs(5);
/// How often one that had nothing is looked into again.
// Cost: a thread and a question, about 0.2 ms; of 512 namespaces 3 ms a second.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Most namespaces beside our own that a source looks into: each has two sockets open.
const SPACES_MAX: usize = 512;

/// Why a namespace could not be looked into.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnterError {
    #[error("setns: {0}")]
    Enter(#[source] io::Error),
    #[error(transparent)]
    Ask(#[from] NetlinkError),
    #[error("the thread that went in failed")]
    Thread,
}

/// The number of this thread's own namespace.
pub(crate) fn own() -> Option<u64> {
    number(&fs::read_link("/proc/thread-self/ns/net").ok()?)
}

/// The namespaces that processes are in, each with the way to it through one of them.
pub(crate) fn all(proc: &Path) -> HashMap<u64, PathBuf> {
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
pub(crate) fn enter<T: Send + 'static>(
    path: Option<&Path>,
    open: impl FnOnce() -> Result<T, NetlinkError> + Send + 'static,
) -> Result<T, EnterError> {
    let path = path.unwrap_or(Path::new("/proc/thread-self/ns/net")).to_owned();
    let inside = move || {
        let space = File::open(&path).map_err(EnterError::Enter)?;
        move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|errno| EnterError::Enter(errno.into()))?;
        Ok(open()?)
    };
    let thread = std::thread::Builder::new().name("weir-meter-ns".to_owned()).spawn(inside);
    thread.map_err(|_| EnterError::Thread)?.join().map_err(|_| EnterError::Thread)?
}

/// Namespaces beside our own, with what a source keeps of each.
#[derive(Debug)]
pub(crate) struct Others<S> {
    own: u64,
    pub(crate) spaces: BTreeMap<u64, S>,
    /// Those that had nothing to look at, with when that was seen.
    empty: HashMap<u64, Duration>,
    looked: Option<Duration>,
    /// Times that one could not be looked into.
    pub(crate) refused: u64,
    /// Times that one was left out because there were too many.
    pub(crate) untold: u64,
}

impl<S> Others<S> {
    /// None is known yet; `own` is left out.
    pub(crate) fn new(own: u64) -> Others<S> {
        let (spaces, empty) = (BTreeMap::new(), HashMap::new());
        Others { own, spaces, empty, looked: None, refused: 0, untold: 0 }
    }

    /// Finds namespaces that are new, to be opened, and gives up those that nobody is in. `open` is
    /// told the number, the way, and whether it is older than metering; one that has nothing to
    /// look at gives `None`, and is asked again after a while.
    pub(crate) fn look(
        &mut self,
        proc: &Path,
        now: Duration,
        mut open: impl FnMut(u32, &Path, bool) -> Result<Option<S>, EnterError>,
        mut gone: impl FnMut(&mut S),
    ) {
        if self.looked.is_some_and(|looked| now.saturating_sub(looked) < LOOK_FOR_SPACES) {
            return;
        }
        let is_first = self.looked.is_none();
        self.looked = Some(now);
        let found = all(proc);
        self.spaces.retain(|number, space| {
            let is_there = found.contains_key(number);
            if !is_there {
                gone(space);
            }
            is_there
        });
        self.empty.retain(|number, since| {
            found.contains_key(number) && now.saturating_sub(*since) < LOOK_AGAIN
        });
        for (number, path) in found {
            let is_known = self.spaces.contains_key(&number) || self.empty.contains_key(&number);
            if number == self.own || is_known {
                continue;
            }
            if self.spaces.len() >= SPACES_MAX {
                self.untold += 1;
                continue;
            }
            // Numbers of namespaces are inodes of nsfs, of 32 bits.
            match open(number as u32, &path, is_first) {
                Ok(Some(space)) => drop(self.spaces.insert(number, space)),
                Ok(None) => drop(self.empty.insert(number, now)),
                // Gone since it was found, or of a user namespace that is not ours.
                Err(error) => {
                    self.refused += 1;
                    tracing::debug!(number, %error, "a network namespace cannot be looked into");
                }
            }
        }
    }
}

/// `net:[4026531840]` as its number.
fn number(target: &Path) -> Option<u64> {
    target.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}
