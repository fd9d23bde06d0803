//! Paths of control groups of version 2 by their ids.
//!
//! The kernel's id of a control group is the inode of its folder, so an id that is not known is
//! looked for by a walk of the tree, bounded and seldom. Groups that are gone are remembered as
//! long as there is room. On a hybrid machine the tree is not at the usual place: the table of
//! mounts tells it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::process::read_up_to;

/// Most control groups that one walk looks at.
const GROUPS_MAX: usize = 16_384;
/// Most that are remembered, the ones that are gone included.
const KNOWN_MAX: usize = 2 * GROUPS_MAX;
/// Most ids that are remembered not to be there.
const MISSING_MAX: usize = 4_096;
/// Levels below the root that are walked.
const DEPTH_MAX: usize = 32;
/// Longest path that is kept, in octets.
const PATH_MAX: usize = 1_024;
/// Shortest time between walks.
const WALK_EVERY: Duration = Duration::from_millis(100);
/// A walk may take one part in so many of the time.
const SHARE: u32 = 100;
/// Octets of the table of mounts that are read.
const MOUNTS_MAX: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct Cgroups {
    mounts: PathBuf,
    root: Option<PathBuf>,
    /// Path below the root, and the walk that saw it last.
    known: HashMap<u64, (Arc<str>, u64)>,
    /// Ids that a walk did not find.
    missing: HashSet<u64>,
    walks: u64,
    /// When the next walk may begin.
    due: Duration,
    /// Groups that a walk did not look at, because there were too many.
    pub(super) untold: u64,
}

impl Cgroups {
    pub(super) fn new(proc: &Path) -> Cgroups {
        Cgroups {
            mounts: proc.join("self/mountinfo"),
            root: None,
            known: HashMap::new(),
            missing: HashSet::new(),
            walks: 0,
            due: Duration::ZERO,
            untold: 0,
        }
    }

    /// The path of a control group, as `/proc/<pid>/cgroup` has it.
    pub(super) fn path(&mut self, id: u64, now: Duration) -> Option<Arc<str>> {
        if id == 0 {
            return None;
        }
        if !self.known.contains_key(&id) && now >= self.due && !self.missing.contains(&id) {
            let began = Instant::now();
            self.walk();
            self.due = now + WALK_EVERY.max(began.elapsed() * SHARE);
            // Why: An id is told of a group that is there, so one that a walk did not find is gone
            // or outside of the tree that can be seen, and ids are not used again.
            if !self.known.contains_key(&id) {
                if self.missing.len() >= MISSING_MAX {
                    self.missing.clear();
                }
                self.missing.insert(id);
            }
        }
        self.known.get(&id).map(|(path, _)| Arc::clone(path))
    }

    fn walk(&mut self) {
        if self.root.is_none() {
            let text = read_up_to(&self.mounts, MOUNTS_MAX).unwrap_or_default();
            self.root = text.lines().find_map(mount_point);
        }
        let Some(root) = &self.root else { return };
        self.walks += 1;
        if let Ok(meta) = fs::metadata(root) {
            self.known.insert(meta.ino(), (Arc::from("/"), self.walks));
        }
        let mut left = GROUPS_MAX;
        let mut folders = vec![(root.clone(), String::new(), 0)];
        while let Some((folder, path, depth)) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                let name = entry.file_name();
                let below = format!("{path}/{}", String::from_utf8_lossy(name.as_bytes()));
                if left == 0 || depth >= DEPTH_MAX || below.len() > PATH_MAX {
                    self.untold += 1;
                    continue;
                }
                left -= 1;
                self.known.insert(entry.ino(), (Arc::from(below.as_str()), self.walks));
                folders.push((entry.path(), below, depth + 1));
            }
        }
        if self.known.len() > KNOWN_MAX {
            let walk = self.walks;
            self.known.retain(|_, (_, seen)| *seen == walk);
        }
    }
}

/// Where the tree of version 2 is mounted, of one line of the table of mounts:
/// `36 35 98:0 /root /mount/point options - cgroup2 source options`.
fn mount_point(line: &str) -> Option<PathBuf> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    // Why: A part of the tree that is mounted elsewhere (into a container) does not hold it all.
    (kind.starts_with("cgroup2 ") && root == "/").then(|| PathBuf::from(unescape(point)))
}

/// Blanks, tabs, line ends and backslashes of a mount point are written as `\040` and the like.
fn unescape(text: &str) -> String {
    let mut plain = text.to_owned();
    for (code, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        plain = plain.replace(code, character);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> Tree {
            let path = std::env::temp_dir().join(format!("weir-{name}-{}", std::process::id()));
            let _fresh = fs::remove_dir_all(&path);
            fs::create_dir_all(path.join("self")).unwrap();
            fs::create_dir_all(path.join("a tree")).unwrap();
            let point = path.join("a tree").to_str().unwrap().replace(' ', "\\040");
            let mounts = format!(
                "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                 32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                 40 31 0:38 /pod /elsewhere rw - cgroup2 cgroup2 rw\n\
                 41 31 0:38 / {point} rw,relatime shared:9 - cgroup2 cgroup2 rw\n"
            );
            fs::write(path.join("self/mountinfo"), mounts).unwrap();
            Tree(path)
        }

        fn group(&self, path: &str) -> u64 {
            let folder = self.0.join("a tree").join(path);
            fs::create_dir_all(&folder).unwrap();
            fs::metadata(folder).unwrap().ino()
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _gone = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_group_is_found_by_its_id_and_remembered_when_it_is_gone() {
        let tree = Tree::new("cgroups");
        let mut cgroups = Cgroups::new(&tree.0);
        let (first, at) = (tree.group("system.slice/a.service"), Duration::from_secs);
        assert_eq!(cgroups.path(first, at(0)).as_deref(), Some("/system.slice/a.service"));
        let second = tree.group("late");
        assert_eq!(cgroups.path(second, at(0)), None, "no walk so soon");
        assert_eq!(cgroups.walks, 1);
        fs::remove_dir(tree.0.join("a tree/system.slice/a.service")).unwrap();
        assert_eq!(cgroups.path(second, at(60)).as_deref(), Some("/late"));
        assert_eq!(cgroups.path(first, at(60)).as_deref(), Some("/system.slice/a.service"));
        let root = fs::metadata(tree.0.join("a tree")).unwrap().ino();
        assert_eq!(cgroups.path(root, at(999)).as_deref(), Some("/"));
        assert_eq!(cgroups.path(0, at(999)), None);
        assert_eq!(cgroups.walks, 2);
    }

    #[test]
    fn a_tree_past_the_bound_is_walked_in_part_and_counted() {
        let tree = Tree::new("cgroups-deep");
        let deep = vec!["d"; DEPTH_MAX + 1].join("/");
        let id = tree.group(&deep);
        let mut cgroups = Cgroups::new(&tree.0);
        assert_eq!(cgroups.path(id, Duration::ZERO), None);
        assert_eq!((cgroups.known.len(), cgroups.untold), (DEPTH_MAX + 1, 1), "the root too");
    }

    #[test]
    fn a_machine_without_the_tree_names_no_group() {
        let mut cgroups = Cgroups::new(Path::new("/nowhere"));
        assert_eq!(cgroups.path(7, Duration::ZERO), None);
    }

    #[test]
    fn a_group_that_is_not_there_costs_one_walk() {
        let tree = Tree::new("cgroups-missing");
        let mut cgroups = Cgroups::new(&tree.0);
        for second in 0..9 {
            assert_eq!(cgroups.path(1, Duration::from_secs(second)), None);
        }
        assert_eq!(cgroups.walks, 1);
        for id in 1..=MISSING_MAX as u64 + 1 {
            cgroups.path(id, Duration::from_secs(100 + id));
        }
        assert!(cgroups.missing.len() <= MISSING_MAX);
    }
}
