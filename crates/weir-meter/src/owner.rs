//! Who owns a socket: from its inode to a process, its container and its user, through `/proc`.
//!
//! A descriptor names the inode of its socket (`/proc/<pid>/fd/<n>` → `socket:[inode]`), so finding
//! an owner is a search of all descriptors. It runs only while an inode is wanted, in slices of at
//! most `links_per_search` descriptors, and goes on where it stopped. What was found is looked at
//! again before it is told for long: sockets are passed on, by fork above all. Invariant: every
//! memory here is bounded. It never fails: a process that is gone or hidden is counted.

pub mod cgroup;
mod cgroups;
mod memory;
mod names;
mod process;
mod processes;
pub mod runtime;
pub mod tree;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use process::Owner;
#[cfg(weir_bpf)]
pub(crate) use process::clean;
use processes::Processes;
pub use processes::SeenProcess;
use runtime::{RuntimeCounts, RuntimePolicy};

/// Longest time that an owner is believed without looking again. A new one is believed for as long
/// as it has been the owner: sockets are handed on right after they were accepted, if at all.
const TRUST_MAX: Duration = Duration::from_secs(10);
/// Rounds over all processes after which nobody is found: the first may have begun in the middle.
const ROUNDS: u8 = 3;
/// How long nobody is believed.
const NOBODY: Duration = Duration::from_secs(60);

/// How hard owners are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerPolicy {
    /// Where the process tree is.
    pub proc: PathBuf,
    /// The file of users.
    pub passwd: PathBuf,
    /// The file of groups.
    pub group: PathBuf,
    /// Descriptors looked at in one search.
    pub links_per_search: usize,
    /// Sockets whose owner is remembered or wanted.
    pub sockets_max: usize,
    /// Processes remembered, the exited included.
    pub processes_max: usize,
    /// Characters of command lines that are kept; 0 keeps none.
    pub cmdline_max: usize,
    /// Which container runtimes are asked for names.
    pub runtimes: RuntimePolicy,
}

impl Default for OwnerPolicy {
    fn default() -> OwnerPolicy {
        OwnerPolicy {
            proc: PathBuf::from("/proc"),
            passwd: PathBuf::from("/etc/passwd"),
            group: PathBuf::from("/etc/group"),
            links_per_search: 20_000,
            sockets_max: 131_072,
            processes_max: 4_096,
            cmdline_max: 0,
            runtimes: RuntimePolicy::default(),
        }
    }
}

/// What happened since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnerCounts {
    /// Owners found.
    pub found: u64,
    /// Sockets of which no process was found.
    pub nobody: u64,
    /// Processes whose descriptors may not be read, in the last round.
    pub hidden: u64,
    /// Processes that were gone when they were looked at.
    pub vanished: u64,
    /// Descriptors looked at.
    pub links: u64,
    /// Processes remembered.
    pub processes: u64,
    /// Processes forgotten because there were too many.
    pub processes_evicted: u64,
    /// Sockets not looked for because there were too many.
    pub untracked: u64,
    /// Control groups that no walk looked at because there were too many.
    pub cgroups_untold: u64,
    /// How containers were named.
    pub containers: RuntimeCounts,
}

#[derive(Debug)]
enum Place {
    Wanted { rounds: u8, last: Option<Arc<Owner>> },
    Held { link: PathBuf, owner: Arc<Owner>, found: Duration, looked: Duration },
    Nobody { since: Duration },
}

/// Finds and remembers owners.
#[derive(Debug)]
pub struct Owners {
    policy: OwnerPolicy,
    places: HashMap<u32, Place>,
    wanted: usize,
    processes: Processes,
    /// The process after which the next search goes on.
    cursor: u32,
    hidden: u64,
    counts: OwnerCounts,
}

impl Owners {
    /// Knows nobody yet.
    pub fn new(policy: OwnerPolicy) -> Owners {
        Owners {
            places: HashMap::new(),
            wanted: 0,
            processes: Processes::new(&policy),
            cursor: 0,
            hidden: 0,
            counts: OwnerCounts::default(),
            policy,
        }
    }

    /// What happened so far.
    pub fn counts(&self) -> OwnerCounts {
        OwnerCounts {
            processes: self.processes.memory.len() as u64,
            processes_evicted: self.processes.memory.evicted,
            cgroups_untold: self.processes.cgroups.untold,
            containers: self.processes.runtimes.counts(),
            ..self.counts
        }
    }

    /// Name of a user.
    pub fn user(&mut self, uid: u32, now: Duration) -> Option<Arc<str>> {
        self.processes.users.name(uid, now)
    }

    /// A process that a program in the kernel saw: what `/proc` tells of it while it is there, else
    /// what was seen, with what is remembered. Reads nothing when it was looked at within the
    /// minute.
    pub fn of_process(&mut self, seen: &SeenProcess<'_>, now: Duration) -> Arc<Owner> {
        self.processes.seen(seen, now)
    }

    /// Grows whenever a process is remembered, or something new of one.
    pub fn version(&self) -> u64 {
        self.processes.memory.version
    }

    /// The processes that are remembered, each with whether it owns sockets or did.
    pub fn known(&self) -> Vec<(Arc<Owner>, bool)> {
        self.processes.all()
    }

    /// The owner of the socket `inode`, if it is known; else it is wanted from now on, and
    /// [`Owners::search`] looks for it.
    pub fn of(&mut self, inode: u32, now: Duration) -> Option<Arc<Owner>> {
        if inode == 0 {
            return None;
        }
        let is_full = self.places.len() >= self.policy.sockets_max;
        let processes = &mut self.processes;
        let before = match self.places.get_mut(&inode) {
            Some(Place::Held { link, owner, found, looked }) => {
                let trust = looked.saturating_sub(*found).min(TRUST_MAX);
                if now.saturating_sub(*looked) < trust {
                    return Some(Arc::clone(owner));
                }
                if inode_at(link).is_ok_and(|found| found == Some(inode)) {
                    *looked = now;
                    *owner = processes.again(owner, now);
                    return Some(Arc::clone(owner));
                }
                Some(Arc::clone(owner))
            }
            Some(Place::Wanted { last, .. }) => return last.clone(),
            Some(Place::Nobody { since }) if now.saturating_sub(*since) < NOBODY => return None,
            Some(Place::Nobody { .. }) => None,
            None if is_full => {
                self.counts.untracked += 1;
                return None;
            }
            None => None,
        };
        self.places.insert(inode, Place::Wanted { rounds: 0, last: before.clone() });
        self.wanted += 1;
        before
    }

    /// Forgets a socket that is gone.
    pub fn forget(&mut self, inode: u32) {
        if let Some(Place::Wanted { .. }) = self.places.remove(&inode) {
            self.wanted -= 1;
        }
    }

    /// Looks for what is wanted, over at most so many descriptors as the policy says.
    pub fn search(&mut self, now: Duration) {
        if self.wanted == 0 {
            return;
        }
        let mut left = self.policy.links_per_search;
        let pids = pids(&self.policy.proc);
        let start = pids.partition_point(|pid| *pid <= self.cursor);
        let (done, next) = pids.split_at(start);
        for (i, pid) in next.iter().chain(done).enumerate() {
            if i == next.len() {
                self.end_round(now);
            }
            if self.wanted == 0 || left == 0 {
                return;
            }
            self.look_into(*pid, &mut left, now);
            self.cursor = *pid;
        }
        if done.is_empty() {
            self.end_round(now);
            self.cursor = 0;
        }
    }

    fn end_round(&mut self, now: Duration) {
        self.counts.hidden = std::mem::take(&mut self.hidden);
        for place in self.places.values_mut() {
            if let Place::Wanted { rounds, .. } = place {
                *rounds += 1;
                if *rounds >= ROUNDS {
                    *place = Place::Nobody { since: now };
                    self.wanted -= 1;
                    self.counts.nobody += 1;
                }
            }
        }
    }

    fn look_into(&mut self, pid: u32, left: &mut usize, now: Duration) {
        let folder = self.policy.proc.join(pid.to_string()).join("fd");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                match error.kind() {
                    io::ErrorKind::PermissionDenied => self.hidden += 1,
                    _ => self.counts.vanished += 1,
                }
                return;
            }
        };
        for entry in entries {
            // Limit: A process of more descriptors than a whole search is looked at to the bound,
            // so what lies past it has no owner.
            let Some(rest) = left.checked_sub(1) else { return };
            *left = rest;
            self.counts.links += 1;
            // A descriptor that was closed meanwhile is no failure.
            let Ok(entry) = entry else { continue };
            let link = entry.path();
            let Ok(Some(inode)) = inode_at(&link) else { continue };
            if !matches!(self.places.get(&inode), Some(Place::Wanted { .. })) {
                continue;
            }
            match self.processes.get(pid, now) {
                Ok(owner) => {
                    self.places.insert(inode, Place::Held { link, owner, found: now, looked: now });
                    self.wanted -= 1;
                    self.counts.found += 1;
                }
                Err(_) => {
                    self.counts.vanished += 1;
                    return;
                }
            }
        }
    }
}

/// Process ids, ascending.
fn pids(proc: &Path) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(proc) else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut pids: Vec<u32> = numbers.collect();
    pids.sort_unstable();
    pids
}

/// The inode of the socket behind a descriptor; `None` when it is not a socket.
fn inode_at(link: &Path) -> io::Result<Option<u32>> {
    let target = fs::read_link(link)?;
    let number = target.to_str().and_then(|text| text.strip_prefix("socket:["));
    Ok(number.and_then(|rest| rest.strip_suffix(']')).and_then(|digits| digits.parse().ok()))
}

#[cfg(test)]
mod tests;
