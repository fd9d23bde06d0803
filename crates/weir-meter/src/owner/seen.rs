//! Owners that a program in the kernel saw.

use std::sync::Arc;
use std::time::Duration;

use super::Owners;
use super::cgroup::Cgroup;
use super::process::Owner;

/// A process as a program in the kernel saw it, which may have exited since.
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
    /// Name.
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

impl Owners {
    /// A process that a program in the kernel saw.
    pub fn of_process(&mut self, seen: &SeenProcess<'_>, _now: Duration) -> Arc<Owner> {
        let found = self.processes.get(&self.policy.proc, seen.pid, self.policy.cmdline_max);
        let started = seen.started_ns / 10_000_000;
        match found {
            Ok(owner) if owner.started == started => owner,
            _ => Arc::new(Owner {
                pid: seen.pid,
                comm: seen.comm.to_owned(),
                exe: seen.exe.map(str::to_owned),
                cmdline: None,
                parent_pid: (seen.parent_pid != 0).then_some(seen.parent_pid),
                parent_comm: (!seen.parent_comm.is_empty()).then(|| seen.parent_comm.to_owned()),
                started,
                cgroup: Cgroup::default(),
            }),
        }
    }
}
