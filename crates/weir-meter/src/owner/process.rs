//! What `/proc/<pid>` tells of a process, and a bounded memory of processes, the exited included.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::cgroup::{self, Cgroup};

/// Most octets of a file of `/proc` that are read.
const FILE_MAX: u64 = 16 << 10;
/// Longest path of a program that is kept, in characters.
const EXE_MAX: usize = 1_024;

/// A process that owns sockets, as it was when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Process id.
    pub pid: u32,
    /// Name (`comm`), which the process may change at will.
    pub comm: String,
    /// Path of its program; null where it may not be read.
    pub exe: Option<String>,
    /// Command line, if the policy asks for it.
    pub cmdline: Option<String>,
    /// Process id of its parent; null for a process without one.
    pub parent_pid: Option<u32>,
    /// Name of its parent.
    pub parent_comm: Option<String>,
    /// When it started, in clock ticks since boot: tells processes with one pid apart.
    pub started: u64,
    /// Its control group.
    pub cgroup: Cgroup,
}

/// The fields of `/proc/<pid>/stat` that are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) comm: String,
    pub(super) parent: u32,
    pub(super) started: u64,
}

impl Stat {
    /// Reads the text. The name may hold anything, brackets and blanks included, so it ends at the
    /// last bracket.
    pub(super) fn read(text: &str) -> Option<Stat> {
        let (open, close) = (text.find('(')?, text.rfind(')')?);
        let comm = clean(text.get(open + 1..close)?, 64);
        let mut fields = text.get(close + 1..)?.split_whitespace();
        let parent = fields.nth(1)?.parse().ok()?;
        // Fields 4 and 22 of proc_pid_stat(5); the first after the bracket is 3.
        let started = fields.nth(17)?.parse().ok()?;
        Some(Stat { comm, parent, started })
    }
}

/// Text of others without control characters, cut to `characters`.
pub(crate) fn clean(text: &str, characters: usize) -> String {
    let safe = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().take(characters).map(safe).collect()
}

pub(super) fn read_file(path: &Path) -> io::Result<String> {
    let mut octets = Vec::new();
    fs::File::open(path)?.take(FILE_MAX).read_to_end(&mut octets)?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// Processes by pid and start, at most `max`; the one that was asked for longest ago goes first.
#[derive(Debug)]
pub(super) struct Processes {
    max: usize,
    known: HashMap<(u32, u64), (Arc<Owner>, u64)>,
    used: BTreeMap<u64, (u32, u64)>,
    /// Latest start of a pid, to name parents that are gone.
    latest: HashMap<u32, u64>,
    ticket: u64,
    pub(super) evicted: u64,
}

impl Processes {
    pub(super) fn new(max: usize) -> Processes {
        Processes {
            max: max.max(1),
            known: HashMap::new(),
            used: BTreeMap::new(),
            latest: HashMap::new(),
            ticket: 0,
            evicted: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The process `pid` of the tree at `proc`. An error when it is gone or may not be looked at.
    pub(super) fn get(
        &mut self,
        proc: &Path,
        pid: u32,
        cmdline_max: usize,
    ) -> io::Result<Arc<Owner>> {
        let folder = proc.join(pid.to_string());
        let stat = Stat::read(&read_file(&folder.join("stat"))?)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "stat cannot be read"))?;
        let key = (pid, stat.started);
        self.ticket += 1;
        if let Some((owner, ticket)) = self.known.get_mut(&key)
            && owner.comm == stat.comm
        {
            self.used.remove(ticket);
            *ticket = self.ticket;
            self.used.insert(self.ticket, key);
            return Ok(Arc::clone(owner));
        }
        // Why: A process that has executed another program is looked at anew under its old key.
        let owner = Arc::new(self.look(proc, &folder, pid, stat, cmdline_max));
        self.keep(key, &owner);
        Ok(owner)
    }

    fn look(&self, proc: &Path, folder: &Path, pid: u32, stat: Stat, cmdline_max: usize) -> Owner {
        let exe = fs::read_link(folder.join("exe")).ok();
        let cmdline = (cmdline_max > 0).then(|| read_file(&folder.join("cmdline")).ok()).flatten();
        let cgroup = read_file(&folder.join("cgroup")).unwrap_or_default();
        let parent = (stat.parent > 0).then_some(stat.parent);
        Owner {
            pid,
            exe: exe.map(|path| clean(&path.to_string_lossy(), EXE_MAX)),
            cmdline: cmdline.map(|text| {
                clean(text.trim_end_matches('\0'), cmdline_max).replace('\u{fffd}', " ")
            }),
            parent_pid: parent,
            parent_comm: parent.and_then(|parent| self.name(proc, parent)),
            comm: stat.comm,
            started: stat.started,
            cgroup: cgroup::identify(&cgroup),
        }
    }

    fn name(&self, proc: &Path, pid: u32) -> Option<String> {
        let read = read_file(&proc.join(pid.to_string()).join("stat")).ok();
        if let Some(stat) = read.as_deref().and_then(Stat::read) {
            return Some(stat.comm);
        }
        let key = (pid, *self.latest.get(&pid)?);
        self.known.get(&key).map(|(owner, _)| owner.comm.clone())
    }

    fn keep(&mut self, key: (u32, u64), owner: &Arc<Owner>) {
        let before = self.known.insert(key, (Arc::clone(owner), self.ticket));
        if let Some((_, ticket)) = before {
            self.used.remove(&ticket);
        }
        self.used.insert(self.ticket, key);
        self.latest.insert(key.0, key.1);
        while self.known.len() > self.max {
            let Some((_, oldest)) = self.used.pop_first() else { return };
            self.known.remove(&oldest);
            if self.latest.get(&oldest.0) == Some(&oldest.1) {
                self.latest.remove(&oldest.0);
            }
            self.evicted += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let tail = "S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 1";
        let stat = Stat::read(&format!("12 (a) (b c\n) {tail}")).unwrap();
        assert_eq!(stat, Stat { comm: "a) (b c\u{fffd}".into(), parent: 7, started: 4711 });
        for bad in ["", "1 (x", ") (", "1 (x) S", "1 (x) S y 1 1 1"] {
            assert_eq!(Stat::read(bad), None, "{bad}");
        }
    }
}
