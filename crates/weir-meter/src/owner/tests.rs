mod seen;

use super::*;
use std::os::unix::fs::symlink;

use weir_model::Timestamp;

/// A process tree of our own in a temporary folder.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Tree {
        let path = std::env::temp_dir().join(format!("weir-{name}-{}", std::process::id()));
        let _fresh = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Tree(path)
    }

    fn process(&self, pid: u32, comm: &str, parent: u32, started: u64) {
        let folder = self.0.join(pid.to_string());
        fs::create_dir_all(folder.join("fd")).unwrap();
        let stat =
            format!("{pid} ({comm}) S {parent} 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 {started} 9 1");
        fs::write(folder.join("stat"), stat).unwrap();
        fs::write(folder.join("cgroup"), "0::/system.slice/x.service\n").unwrap();
        fs::write(folder.join("cmdline"), "prog\0-a\0b\0").unwrap();
        let status =
            "Name:\tx\nUid:\t0\t33\t33\t33\nGid:\t0\t44\t44\t44\nVmPeak:\t 9 kB\nVmSize:\t 8 kB\n";
        fs::write(folder.join("status"), status).unwrap();
        let exe = folder.join("exe");
        let _before = fs::remove_file(&exe);
        symlink("/usr/bin/prog", exe).unwrap();
    }

    fn socket(&self, pid: u32, fd: u32, inode: u32) {
        let link = self.0.join(format!("{pid}/fd/{fd}"));
        symlink(format!("socket:[{inode}]"), link).unwrap();
    }

    fn close(&self, pid: u32, fd: u32) {
        fs::remove_file(self.0.join(format!("{pid}/fd/{fd}"))).unwrap();
    }

    fn owners(&self) -> Owners {
        self.owners_with(|_| {})
    }

    fn owners_with(&self, change: impl FnOnce(&mut OwnerPolicy)) -> Owners {
        fs::write(self.0.join("stat"), "cpu 1 2\nintr 5 6\nbtime 1000000\nprocesses 9\n").unwrap();
        fs::write(self.0.join("passwd"), "root:x:0:0::/:/bin/sh\nweb:x:33:33::/:\n").unwrap();
        fs::write(self.0.join("group"), "root:x:0:\nwww:x:44:web\n").unwrap();
        let mut policy = OwnerPolicy {
            proc: self.0.clone(),
            passwd: self.0.join("passwd"),
            group: self.0.join("group"),
            runtimes: RuntimePolicy::none(),
            ..OwnerPolicy::default()
        };
        change(&mut policy);
        Owners::new(policy)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn find(owners: &mut Owners, inode: u32, now: u64) -> Option<Arc<Owner>> {
    let known = owners.of(inode, at(now));
    owners.search(at(now));
    owners.of(inode, at(now)).or(known)
}

#[test]
fn an_owner_has_its_name_program_parent_and_unit() {
    let tree = Tree::new("owner");
    tree.process(1, "init", 0, 1);
    tree.process(40, "web server", 1, 700);
    tree.socket(40, 3, 555);
    let mut owners = tree.owners_with(|policy| policy.cmdline_max = 6);
    let owner = find(&mut owners, 555, 0).unwrap();
    assert_eq!((owner.pid, owner.comm.as_str(), owner.started), (40, "web server", 700));
    assert_eq!((owner.parent_pid, owner.parent_comm.as_deref()), (Some(1), Some("init")));
    assert_eq!(owner.exe.as_deref(), Some("/usr/bin/prog"));
    assert_eq!(owner.cmdline.as_deref(), Some("prog -"));
    assert_eq!((owner.uid, owner.user.as_deref()), (Some(33), Some("web")));
    assert_eq!((owner.gid, owner.group.as_deref()), (Some(44), Some("www")));
    assert_eq!((owner.vm_size, owner.vm_peak), (Some(8_192), Some(9_216)));
    assert_eq!(owner.parent_exe.as_deref(), Some("/usr/bin/prog"));
    assert_eq!((owner.parent_uid, owner.parent_user.as_deref()), (Some(33), Some("web")));
    assert_eq!(owner.parent_started, Some(1));
    assert_eq!(owner.started_at, Some(Timestamp::from_millis(1_000_007_000)));
    assert_eq!(owner.cgroup.unit.as_deref(), Some("x.service"));
    assert_eq!(tree.owners().policy.cmdline_max, 0, "command lines are off by default");
}

#[test]
fn a_socket_that_was_passed_on_is_found_with_its_new_owner() {
    let tree = Tree::new("passed");
    tree.process(10, "master", 1, 1);
    tree.process(11, "worker", 10, 2);
    tree.socket(10, 5, 7);
    let mut owners = tree.owners();
    assert_eq!(find(&mut owners, 7, 0).unwrap().pid, 10);
    let hand_over = |from: u32, to: u32| {
        tree.close(from, 5);
        tree.socket(to, 5, 7);
    };
    // A new owner is looked at again at once.
    hand_over(10, 11);
    assert_eq!(find(&mut owners, 7, 0).unwrap().pid, 11);
    for second in [1, 2, 4, 8, 16] {
        assert_eq!(find(&mut owners, 7, second).unwrap().pid, 11);
    }
    // An old one is believed for a while, then looked at again.
    hand_over(11, 10);
    assert_eq!(find(&mut owners, 7, 25).unwrap().pid, 11);
    assert_eq!(find(&mut owners, 7, 26).unwrap().pid, 10);
}

#[test]
fn names_outlive_their_process_until_the_memory_is_full() {
    let tree = Tree::new("exited");
    tree.process(20, "parent", 1, 5);
    tree.socket(20, 1, 100);
    tree.process(21, "child", 20, 6);
    tree.socket(21, 1, 101);
    let mut owners = tree.owners_with(|policy| policy.processes_max = 2);
    assert!(find(&mut owners, 100, 0).is_some());
    fs::remove_dir_all(tree.0.join("20")).unwrap();
    let child = find(&mut owners, 101, 0).unwrap();
    assert_eq!(child.parent_comm.as_deref(), Some("parent"));
    assert_eq!(owners.of(100, at(1)).unwrap().comm, "parent");
    tree.process(22, "third", 1, 7);
    tree.socket(22, 1, 102);
    assert!(find(&mut owners, 102, 1).is_some());
    assert_eq!((owners.counts().processes, owners.counts().processes_evicted), (2, 1));
}

#[test]
fn a_search_is_bounded_and_goes_on_where_it_stopped() {
    let tree = Tree::new("bounded");
    for pid in 1..=6 {
        tree.process(pid, "p", 0, 1);
        tree.socket(pid, 0, 1_000 + pid);
        tree.socket(pid, 1, 2_000 + pid);
    }
    let mut owners = tree.owners_with(|policy| policy.links_per_search = 4);
    assert!(owners.of(2_006, at(0)).is_none());
    for searches in 1..=3 {
        owners.search(at(0));
        assert!(owners.counts().links <= 4 * searches);
    }
    assert_eq!(owners.of(2_006, at(0)).unwrap().pid, 6);
    let links = owners.counts().links;
    owners.search(at(0));
    assert_eq!(owners.counts().links, links, "nothing is wanted, nothing is read");
}

#[test]
fn nobody_is_told_after_some_rounds_and_asked_again_later() {
    let tree = Tree::new("nobody");
    tree.process(1, "p", 0, 1);
    let mut owners = tree.owners();
    for _ in 0..4 {
        assert!(find(&mut owners, 9, 0).is_none());
    }
    assert_eq!((owners.counts().nobody, owners.wanted), (1, 0));
    tree.socket(1, 4, 9);
    assert!(find(&mut owners, 9, 59).is_none());
    assert!(find(&mut owners, 9, 60).is_some());
    assert!(owners.of(0, at(0)).is_none());
}

#[test]
fn processes_that_vanish_or_hide_are_counted() {
    let tree = Tree::new("vanish");
    tree.process(1, "p", 0, 1);
    tree.socket(1, 4, 9);
    // Gone between the listing and the look: a folder without `fd`, and one without `stat`.
    fs::create_dir(tree.0.join("2")).unwrap();
    fs::remove_file(tree.0.join("1/stat")).unwrap();
    let mut owners = tree.owners();
    assert!(find(&mut owners, 9, 0).is_none());
    assert_eq!(owners.counts().vanished, 2);
    // No tree at all: /proc is not mounted.
    let mut owners = tree.owners_with(|policy| policy.proc = tree.0.join("none"));
    assert!(find(&mut owners, 9, 0).is_none());
}

#[test]
fn descriptors_that_may_not_be_read_are_counted() {
    use std::os::unix::fs::PermissionsExt;
    let tree = Tree::new("hidden");
    tree.process(1, "p", 0, 1);
    let folder = tree.0.join("1/fd");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(&folder).is_ok() {
        eprintln!("SKIPPED hidden descriptors: root may read everything");
        return;
    }
    let mut owners = tree.owners();
    assert!(find(&mut owners, 9, 0).is_none());
    assert_eq!(owners.counts().hidden, 1);
}

#[test]
fn sockets_past_the_bound_have_no_owner_and_are_counted() {
    let tree = Tree::new("many");
    let mut owners = tree.owners_with(|policy| policy.sockets_max = 2);
    for inode in 1..=3 {
        assert!(owners.of(inode, at(0)).is_none());
    }
    assert_eq!(owners.counts().untracked, 1);
    owners.forget(1);
    owners.of(3, at(0));
    assert_eq!((owners.counts().untracked, owners.wanted, owners.places.len()), (1, 2, 2));
}

#[test]
fn this_process_owns_its_sockets() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let inode = {
        use std::os::fd::AsRawFd;
        inode_at(Path::new(&format!("/proc/self/fd/{}", socket.as_raw_fd()))).unwrap().unwrap()
    };
    let mut owners = Owners::new(OwnerPolicy::default());
    let found = (0..50).find_map(|_| find(&mut owners, inode, 0)).unwrap();
    assert_eq!(found.pid, std::process::id());
    let comm = fs::read_to_string("/proc/self/comm").unwrap();
    assert_eq!(found.comm, comm.trim());
    assert_eq!(found.exe.as_deref(), std::env::current_exe().unwrap().to_str());
}
