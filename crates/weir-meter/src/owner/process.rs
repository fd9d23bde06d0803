//! What `/proc/<pid>` tells of a process.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use weir_model::Timestamp;

use super::cgroup::Cgroup;
use super::runtime::{Container, Named};

/// Most octets of a file of `/proc` that are read.
const FILE_MAX: u64 = 16 << 10;
/// Longest path of a program that is kept, in characters.
pub(super) const EXE_MAX: usize = 1_024;
/// Longest name (`comm`) that is kept, in characters; the kernel's is of 15 octets.
pub(super) const COMM_MAX: usize = 64;

/// A process that owns sockets, or an ancestor of one, as it was when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owner {
    /// Process id.
    pub pid: u32,
    /// Name (`comm`), which the process may change at will.
    pub comm: String,
    /// Path of its program; null where it may not be read.
    pub exe: Option<String>,
    /// Command line, if the policy asks for it.
    pub cmdline: Option<String>,
    /// Effective user id.
    pub uid: Option<u32>,
    /// Name of that user.
    pub user: Option<Arc<str>>,
    /// Effective group id.
    pub gid: Option<u32>,
    /// Name of that group.
    pub group: Option<Arc<str>>,
    /// Octets of virtual memory, within a minute.
    pub vm_size: Option<u64>,
    /// Most octets of virtual memory that it has had, within a minute.
    pub vm_peak: Option<u64>,
    /// Process id of its parent when it was first looked at; null for a process without one.
    pub parent_pid: Option<u32>,
    /// Name of its parent.
    pub parent_comm: Option<String>,
    /// Path of its parent's program.
    pub parent_exe: Option<String>,
    /// When its parent started, in clock ticks since boot.
    pub parent_started: Option<u64>,
    /// User id of its parent.
    pub parent_uid: Option<u32>,
    /// Name of its parent's user.
    pub parent_user: Option<Arc<str>>,
    /// When it started, in clock ticks since boot: tells processes with one pid apart.
    pub started: u64,
    /// The same on the wall clock, as that stood when the process was looked at.
    pub started_at: Option<Timestamp>,
    /// Its control group.
    pub cgroup: Cgroup,
    /// What is known by name of its container, as soon as its runtime was asked.
    pub container: Option<Arc<Container>>,
}

impl Owner {
    /// Names of its container, pod and image, if its runtime has told them by now.
    pub fn named(&self) -> Option<&Named> {
        self.container.as_deref().and_then(Container::named)
    }

    /// The runtime's word in the path of the control group, else that of the runtime that knew the
    /// container.
    pub fn runtime(&self) -> Option<&str> {
        self.cgroup.runtime.as_deref().or_else(|| self.named().map(|named| named.runtime))
    }

    /// Takes over what a child tells of its parent.
    pub(super) fn adopt(&mut self, parent: &Owner) {
        self.parent_pid = Some(parent.pid);
        self.parent_comm = Some(parent.comm.clone());
        self.parent_exe.clone_from(&parent.exe);
        self.parent_started = Some(parent.started);
        self.parent_uid = parent.uid;
        self.parent_user.clone_from(&parent.user);
    }
}

/// The fields of `/proc/<pid>/stat` that are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) comm: String,
    pub(super) parent: u32,
    pub(super) started: u64,
}

impl Stat {
    /// Of the process whose folder is `folder`.
    pub(super) fn of(folder: &Path) -> io::Result<Stat> {
        Stat::read(&read_file(&folder.join("stat"))?)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "stat cannot be read"))
    }

    /// Reads the text. The name may hold anything, brackets and blanks included, so it ends at the
    /// last bracket.
    pub(super) fn read(text: &str) -> Option<Stat> {
        let (open, close) = (text.find('(')?, text.rfind(')')?);
        let comm = clean(text.get(open + 1..close)?, COMM_MAX);
        let mut fields = text.get(close + 1..)?.split_whitespace();
        let parent = fields.nth(1)?.parse().ok()?;
        // Fields 4 and 22 of proc_pid_stat(5); the first after the bracket is 3.
        let started = fields.nth(17)?.parse().ok()?;
        Some(Stat { comm, parent, started })
    }
}

/// The fields of `/proc/<pid>/status` that are used; each may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Status {
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) vm_size: Option<u64>,
    pub(super) vm_peak: Option<u64>,
}

impl Status {
    pub(super) fn of(folder: &Path) -> Status {
        read_file(&folder.join("status")).map(|text| Status::read(&text)).unwrap_or_default()
    }

    fn read(text: &str) -> Status {
        let mut status = Status::default();
        for line in text.lines() {
            let Some((name, rest)) = line.split_once(':') else { continue };
            let mut words = rest.split_whitespace();
            match name {
                // Real, effective, saved, of the file system.
                "Uid" => status.uid = words.nth(1).and_then(|word| word.parse().ok()),
                "Gid" => status.gid = words.nth(1).and_then(|word| word.parse().ok()),
                "VmPeak" => status.vm_peak = words.next().and_then(kibibytes),
                "VmSize" => {
                    status.vm_size = words.next().and_then(kibibytes);
                    // Cost: the rest, two thirds of the file, is not looked at.
                    break;
                }
                _ => {}
            }
        }
        status
    }
}

fn kibibytes(word: &str) -> Option<u64> {
    word.parse::<u64>().ok().map(|kibibytes| kibibytes.saturating_mul(1_024))
}

pub(super) fn exe(folder: &Path) -> Option<String> {
    let path = fs::read_link(folder.join("exe")).ok()?;
    Some(clean(&path.to_string_lossy(), EXE_MAX))
}

pub(super) fn cmdline(folder: &Path, characters: usize) -> Option<String> {
    let text = (characters > 0).then(|| read_file(&folder.join("cmdline")).ok()).flatten()?;
    Some(clean(text.trim_end_matches('\0'), characters).replace('\u{fffd}', " "))
}

/// Text of others without control characters, cut to `characters`.
pub(crate) fn clean(text: &str, characters: usize) -> String {
    let safe = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().take(characters).map(safe).collect()
}

pub(super) fn read_file(path: &Path) -> io::Result<String> {
    read_up_to(path, FILE_MAX)
}

pub(super) fn read_up_to(path: &Path, octets_max: u64) -> io::Result<String> {
    let mut octets = Vec::new();
    fs::File::open(path)?.take(octets_max).read_to_end(&mut octets)?;
    // Cost: what is UTF-8, nearly all, is not copied.
    Ok(String::from_utf8(octets)
        .unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned()))
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

    #[test]
    fn status_tells_the_effective_ids_and_octets_of_memory() {
        let text =
            "Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nVmPeak:\t  20 kB\nVmSize:\t 10 kB\n";
        let told =
            Status { uid: Some(2), gid: Some(6), vm_size: Some(10_240), vm_peak: Some(20_480) };
        assert_eq!(Status::read(text), told);
        // A kernel thread has no memory of its own; damage leaves a field unknown.
        let told = Status { uid: Some(0), gid: None, vm_size: None, vm_peak: None };
        assert_eq!(Status::read("Uid:\t0\t0\t0\t0\nGid:\t5\nVmPeak: x\nVmSize:\n"), told);
        let most = Status::read(&format!("VmSize:\t{} kB\n", u64::MAX));
        assert_eq!(most.vm_size, Some(u64::MAX));
    }
}
