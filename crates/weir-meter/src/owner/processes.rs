//! Looks at processes, and at those that began them.
//!
//! Cost: a process is read once (stat, status, cgroup, the link to its program), its ancestors once
//! each however many children they have, and all of them again after a minute at the earliest.

mod seen;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weir_model::Timestamp;

use super::OwnerPolicy;
use super::cgroup;
use super::cgroups::Cgroups;
use super::memory::{Entry, Memory};
use super::names::Names;
use super::process::{self, Owner, Stat, Status, read_file};
use super::runtime::Runtimes;
pub use seen::SeenProcess;

/// How long memory, user and group of a process are believed.
const REFRESH: Duration = Duration::from_secs(60);
/// Most ancestors that are looked at for one process: a tree of `/proc` is not as deep, and one
/// that is damaged may go in circles.
const ANCESTORS_MAX: u8 = 32;
/// How often the time of the boot is read: it moves when the wall clock is set.
const BOOT_EVERY: Duration = Duration::from_secs(600);
/// Nanoseconds of a tick: USER_HZ is 100 on every Linux of today.
const NANOS_A_TICK: u64 = 10_000_000;

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
            let owner = Arc::clone(&entry.owner);
            self.runtimes.again(&owner, now);
            return owner;
        }
        let found = self.at(owner.pid, now, 0).ok();
        found.filter(|found| found.started == owner.started).unwrap_or_else(|| Arc::clone(owner))
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
