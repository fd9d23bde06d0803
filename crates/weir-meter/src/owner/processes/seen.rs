//! Processes that a program in the kernel saw, which may have ended before they are looked at.

use std::sync::Arc;
use std::time::Duration;

use super::{NANOS_A_TICK, Processes, REFRESH};
use crate::owner::cgroup::{self, Cgroup};
use crate::owner::memory::Key;
use crate::owner::process::{COMM_MAX, EXE_MAX, Owner, clean};

/// How long the name of a process is believed when a thread of it has another.
const RENAMED: Duration = Duration::from_secs(1);

/// A process as a program in the kernel saw it, which may have exited since. Texts are as they
/// came: they are cleaned and cut before they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeenProcess<'a> {
    /// Process id (of the thread group) in the initial namespace.
    pub pid: u32,
    /// When it started, in nanoseconds since boot (`task->group_leader->start_boottime`).
    pub started_ns: u64,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Name: the process's, or that of the thread that was running.
    pub comm: &'a str,
    /// Id of its control group of version 2; 0 when it is not known.
    pub cgroup_id: u64,
    /// Process id of its parent; 0 when it is not known.
    pub parent_pid: u32,
    /// Name of its parent; empty when it is not known.
    pub parent_comm: &'a str,
    /// Path of its program, if it was seen.
    pub exe: Option<&'a str>,
}

impl SeenProcess<'_> {
    fn key(&self) -> Key {
        (self.pid, self.started_ns / NANOS_A_TICK)
    }
}

impl Processes {
    /// The process that was seen, alive or not.
    pub(in crate::owner) fn seen(&mut self, seen: &SeenProcess<'_>, now: Duration) -> Arc<Owner> {
        let key = seen.key();
        if let Some(entry) = self.memory.touch(key) {
            let age = now.saturating_sub(entry.checked);
            let is_named_so = entry.owner.comm == seen.comm;
            if age < RENAMED || (is_named_so && age < REFRESH) {
                let owner = Arc::clone(&entry.owner);
                self.memory.owns(key);
                return self.completed(owner, seen, now);
            }
        }
        let alive = self.at(seen.pid, now, 0).ok().filter(|owner| owner.started == key.1);
        let owner = alive.unwrap_or_else(|| self.remembered(seen, now));
        self.memory.owns(key);
        self.completed(owner, seen, now)
    }

    /// Adds what is seen by now and was not known: the program, which may be told later, and the
    /// control group, whose id may have been unknown.
    fn completed(
        &mut self,
        owner: Arc<Owner>,
        seen: &SeenProcess<'_>,
        now: Duration,
    ) -> Arc<Owner> {
        self.runtimes.again(&owner, now);
        let exe = seen.exe.filter(|_| owner.exe.is_none());
        let is_groupless = seen.cgroup_id != 0 && owner.cgroup == Cgroup::default();
        let cgroup = if is_groupless { self.cgroup(seen, now) } else { Cgroup::default() };
        if exe.is_none() && cgroup == Cgroup::default() {
            return owner;
        }
        let mut owner = Owner::clone(&owner);
        owner.exe = owner.exe.or_else(|| exe.map(|exe| clean(exe, EXE_MAX)));
        if cgroup != Cgroup::default() {
            owner.container = self.runtimes.container(&cgroup, now);
            owner.cgroup = cgroup;
        }
        self.memory.keep(owner, now)
    }

    fn cgroup(&mut self, seen: &SeenProcess<'_>, now: Duration) -> Cgroup {
        let path = self.cgroups.path(seen.cgroup_id, now);
        path.map(|path| cgroup::of_path(&path)).unwrap_or_default()
    }

    /// A process that is gone: as it is remembered, else what was seen of it.
    fn remembered(&mut self, seen: &SeenProcess<'_>, now: Duration) -> Arc<Owner> {
        let key = seen.key();
        if let Some(entry) = self.memory.touch(key) {
            entry.checked = now;
            return Arc::clone(&entry.owner);
        }
        let cgroup = self.cgroup(seen, now);
        let mut owner = Owner {
            pid: seen.pid,
            comm: clean(seen.comm, COMM_MAX),
            exe: seen.exe.map(|exe| clean(exe, EXE_MAX)),
            uid: Some(seen.uid),
            user: self.users.name(seen.uid, now),
            gid: Some(seen.gid),
            group: self.groups.name(seen.gid, now),
            started: key.1,
            started_at: self.started_at(key.1, now),
            container: self.runtimes.container(&cgroup, now),
            cgroup,
            ..Owner::default()
        };
        if seen.parent_pid > 0 {
            let is_named_so = |parent: &Arc<Owner>| {
                seen.parent_comm.is_empty() || parent.comm == seen.parent_comm
            };
            match self.parent(seen.parent_pid, key.1, now, 0).filter(is_named_so) {
                Some(parent) => owner.adopt(&parent),
                None => {
                    owner.parent_pid = Some(seen.parent_pid);
                    let name = Some(seen.parent_comm).filter(|name| !name.is_empty());
                    owner.parent_comm = name.map(|name| clean(name, COMM_MAX));
                }
            }
        }
        self.memory.keep(owner, now)
    }
}
