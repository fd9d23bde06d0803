//! Looks at processes, and at those that began them.
//!
//! Cost: a process is read once (stat, status, cgroup, the link to its program), its ancestors once
//! each however many children they have, and all of them again after a minute at the earliest.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weir_model::Timestamp;

use super::OwnerPolicy;
use super::cgroup;
use super::cgroups::Cgroups;
use super::memory::{Entry, Key, Memory};
use super::names::Names;
use super::process::{self, COMM_MAX, EXE_MAX, Owner, Stat, Status, clean, read_file};
use super::runtime::Runtimes;

/// How long memory, user and group of a process are believed.
const REFRESH: Duration = Duration::from_secs(60);
/// How long the name of a process is believed when a thread of it has another.
const RENAMED: Duration = Duration::from_secs(1);
/// Most ancestors that are looked at for one process: a tree of `/proc` is not as deep, and one
/// that is damaged may go in circles.
const ANCESTORS_MAX: u8 = 32;
/// How often the time of the boot is read: it moves when the wall clock is set.
const BOOT_EVERY: Duration = Duration::from_secs(600);
/// Nanoseconds of a tick: USER_HZ is 100 on every Linux of today.
const NANOS_A_TICK: u64 = 10_000_000;

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

#[derive(Debug)]
pub(super) struct Processes {
    proc: PathBuf,
    cmdline_max: usize,
    pub(super) memory: Memory,
    pub(super) users: Names,
    groups: Names,
    pub(super) cgroups: Cgroups,
    pub(super) runtimes: Runtimes,
    /// Time of the boot, and when it was read.
    boot: Option<(Option<Timestamp>, Duration)>,
}

impl Processes {
    pub(super) fn new(policy: &OwnerPolicy) -> Processes {
        Processes {
            proc: policy.proc.clone(),
            cmdline_max: policy.cmdline_max,
            memory: Memory::new(policy.processes_max),
            users: Names::new(policy.passwd.clone()),
            groups: Names::new(policy.group.clone()),
            cgroups: Cgroups::new(&policy.proc),
            runtimes: Runtimes::new(policy.runtimes.clone()),
            boot: None,
        }
    }

    /// The process `pid`, as an owner of sockets. An error when it is gone or may not be looked at.
    pub(super) fn get(&mut self, pid: u32, now: Duration) -> io::Result<Arc<Owner>> {
        let owner = self.at(pid, now, 0)?;
        self.memory.owns((pid, owner.started));
        Ok(owner)
    }

    /// What is known of `owner` now. Reads nothing when it was looked at within the minute.
    pub(super) fn again(&mut self, owner: &Arc<Owner>, now: Duration) -> Arc<Owner> {
        let key = (owner.pid, owner.started);
        if let Some(entry) = self.memory.touch(key)
            && now.saturating_sub(entry.checked) < REFRESH
        {
            return Arc::clone(&entry.owner);
        }
        let found = self.at(owner.pid, now, 0).ok();
        found.filter(|found| found.started == owner.started).unwrap_or_else(|| Arc::clone(owner))
    }

    /// The process that was seen, alive or not.
    pub(super) fn seen(&mut self, seen: &SeenProcess<'_>, now: Duration) -> Arc<Owner> {
        let key = seen.key();
        if let Some(entry) = self.memory.touch(key) {
            let age = now.saturating_sub(entry.checked);
            let is_named_so = entry.owner.comm == seen.comm;
            if age < RENAMED || (is_named_so && age < REFRESH) {
                let owner = Arc::clone(&entry.owner);
                self.memory.owns(key);
                return owner;
            }
        }
        let alive = self.at(seen.pid, now, 0).ok().filter(|owner| owner.started == key.1);
        let owner = alive.unwrap_or_else(|| self.remembered(seen, now));
        self.memory.owns(key);
        owner
    }

    /// A process that is gone: as it is remembered, else what was seen of it.
    fn remembered(&mut self, seen: &SeenProcess<'_>, now: Duration) -> Arc<Owner> {
        let key = seen.key();
        if let Some(entry) = self.memory.touch(key) {
            entry.checked = now;
            return Arc::clone(&entry.owner);
        }
        let cgroup = self.cgroups.path(seen.cgroup_id, now);
        let cgroup = cgroup.map(|path| cgroup::of_path(&path)).unwrap_or_default();
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

    /// The process that has `pid` now; `depth` is how many of its descendants are being looked at.
    fn at(&mut self, pid: u32, now: Duration, depth: u8) -> io::Result<Arc<Owner>> {
        let folder = self.proc.join(pid.to_string());
        let stat = Stat::of(&folder)?;
        let known = self.memory.touch((pid, stat.started));
        // Why: A process that has executed another program is looked at anew under its old key.
        if let Some(entry) = known.filter(|entry| entry.owner.comm == stat.comm) {
            entry.checked = now;
            if now.saturating_sub(entry.looked) < REFRESH {
                return Ok(Arc::clone(&entry.owner));
            }
            let owner = Owner::clone(&entry.owner);
            return Ok(self.refresh(owner, &folder, now));
        }
        let owner = self.look(&folder, pid, stat, now, depth);
        Ok(self.memory.keep(owner, now))
    }

    fn refresh(&mut self, mut owner: Owner, folder: &Path, now: Duration) -> Arc<Owner> {
        self.status(&mut owner, folder, now);
        self.runtimes.again(&owner, now);
        self.memory.keep(owner, now)
    }

    fn status(&mut self, owner: &mut Owner, folder: &Path, now: Duration) {
        let status = Status::of(folder);
        owner.uid = status.uid;
        owner.user = status.uid.and_then(|uid| self.users.name(uid, now));
        owner.gid = status.gid;
        owner.group = status.gid.and_then(|gid| self.groups.name(gid, now));
        owner.vm_size = status.vm_size;
        owner.vm_peak = status.vm_peak;
    }

    fn look(&mut self, folder: &Path, pid: u32, stat: Stat, now: Duration, depth: u8) -> Owner {
        let cgroup = cgroup::identify(&read_file(&folder.join("cgroup")).unwrap_or_default());
        let mut owner = Owner {
            pid,
            exe: process::exe(folder),
            cmdline: process::cmdline(folder, self.cmdline_max),
            comm: stat.comm,
            started: stat.started,
            started_at: self.started_at(stat.started, now),
            container: self.runtimes.container(&cgroup, now),
            cgroup,
            ..Owner::default()
        };
        self.status(&mut owner, folder, now);
        if stat.parent > 0 {
            match self.parent(stat.parent, stat.started, now, depth) {
                Some(parent) => owner.adopt(&parent),
                None => owner.parent_pid = Some(stat.parent),
            }
        }
        owner
    }

    /// The parent of a process that started at `started`: alive, or remembered.
    fn parent(&mut self, pid: u32, started: u64, now: Duration, depth: u8) -> Option<Arc<Owner>> {
        let alive = (depth < ANCESTORS_MAX).then(|| self.at(pid, now, depth + 1).ok()).flatten();
        let known = alive.or_else(|| self.memory.latest(pid).cloned());
        // Why: Who started after its child has the number of a parent that is gone.
        known.filter(|parent| parent.started <= started)
    }

    fn started_at(&mut self, ticks: u64, now: Duration) -> Option<Timestamp> {
        let is_old = |read: Duration| now.saturating_sub(read) >= BOOT_EVERY;
        if self.boot.is_none_or(|(_, read)| is_old(read)) {
            self.boot = Some((booted_at(&self.proc), now));
        }
        let since = Duration::from_nanos(ticks.saturating_mul(NANOS_A_TICK));
        Some(self.boot?.0?.plus(since))
    }

    /// What is remembered, with whether it owns sockets or did.
    pub(super) fn all(&self) -> Vec<(Arc<Owner>, bool)> {
        let of = |entry: &Entry| (Arc::clone(&entry.owner), entry.owns);
        self.memory.entries().map(of).collect()
    }
}

/// When the machine was started, by its wall clock: `btime` of `/proc/stat`, in seconds.
fn booted_at(proc: &Path) -> Option<Timestamp> {
    // Limit: 1 MiB: the line of interrupts before it is long on machines with many of them.
    let file = File::open(proc.join("stat")).ok()?.take(1 << 20);
    let mut lines = BufReader::new(file).lines().map_while(Result::ok);
    let seconds = lines.find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())?;
    Some(Timestamp::from_seconds(seconds))
}
