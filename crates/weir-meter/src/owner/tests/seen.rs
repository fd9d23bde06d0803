//! Processes that are looked at again, that were only seen, and the tree of them.

use super::*;
use crate::owner::tree::{Process, ProcessTree};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn seen(pid: u32, ticks: u64, comm: &str) -> SeenProcess<'_> {
    SeenProcess { pid, started_ns: ticks * 10_000_000 + 9_999_999, comm, ..SeenProcess::default() }
}

#[test]
fn memory_is_looked_at_again_after_a_minute_and_once_for_all_sockets() {
    let tree = Tree::new("again");
    tree.process(10, "server", 0, 1);
    (0..3).for_each(|fd| tree.socket(10, fd, 100 + fd));
    let mut owners = tree.owners();
    for inode in 100..103 {
        assert_eq!(find(&mut owners, inode, 0).unwrap().vm_size, Some(8_192));
    }
    fs::write(tree.0.join("10/status"), "Uid:\t0 0 0 0\nGid:\t0 0 0 0\nVmSize:\t 16 kB\n").unwrap();
    assert_eq!(owners.of(100, at(59)).unwrap().vm_size, Some(8_192));
    let owner = owners.of(100, at(70)).unwrap();
    assert_eq!(
        (owner.vm_size, owner.uid, owner.user.as_deref()),
        (Some(16_384), Some(0), Some("root"))
    );
    let version = owners.version();
    assert_eq!(owners.of(101, at(70)).unwrap().vm_size, Some(16_384));
    assert_eq!(owners.version(), version, "the other sockets read nothing");
}

#[test]
fn a_parent_that_started_after_its_child_is_another_process() {
    let tree = Tree::new("reused");
    tree.process(20, "stranger", 0, 900);
    tree.process(21, "child", 20, 500);
    tree.socket(21, 1, 7);
    let owner = find(&mut tree.owners(), 7, 0).unwrap();
    assert_eq!((owner.parent_pid, owner.parent_comm.as_deref()), (Some(20), None));
}

#[test]
fn a_process_that_is_there_is_read_and_one_that_is_not_is_as_it_was_seen() {
    let tree = Tree::new("seen");
    tree.process(1, "init", 0, 1);
    tree.process(30, "server", 1, 50);
    let mut owners = tree.owners();
    // A thread of it has a name of its own.
    let alive = owners.of_process(&seen(30, 50, "worker-1"), at(0));
    assert_eq!((alive.comm.as_str(), alive.vm_size), ("server", Some(8_192)));
    assert_eq!(alive.exe.as_deref(), Some("/usr/bin/prog"));

    let gone = SeenProcess {
        uid: 33,
        gid: 44,
        parent_pid: 30,
        parent_comm: "server",
        exe: Some("/bin/cu\nrl"),
        ..seen(31, 60, "curl\u{7}")
    };
    let owner = owners.of_process(&gone, at(0));
    assert_eq!((owner.pid, owner.comm.as_str(), owner.started), (31, "curl\u{fffd}", 60));
    assert_eq!(owner.exe.as_deref(), Some("/bin/cu\u{fffd}rl"));
    assert_eq!((owner.user.as_deref(), owner.group.as_deref()), (Some("web"), Some("www")));
    assert_eq!(
        (owner.parent_started, owner.parent_exe.as_deref()),
        (Some(50), Some("/usr/bin/prog"))
    );
    // The number was given to another process since.
    tree.process(31, "other", 1, 70);
    assert_eq!(owners.of_process(&gone, at(5)), owner);
    assert_eq!(owners.of_process(&seen(31, 70, "other"), at(5)).comm, "other");
    // What was read is remembered after the exit.
    fs::remove_dir_all(tree.0.join("30")).unwrap();
    assert_eq!(owners.of_process(&seen(30, 50, "server"), at(500)).vm_size, Some(8_192));
    // Parents that nobody knows keep the name that was seen.
    let orphan = SeenProcess { parent_pid: 77, parent_comm: "sh", ..seen(78, 80, "x") };
    let owner = owners.of_process(&orphan, at(5));
    assert_eq!((owner.parent_pid, owner.parent_comm.as_deref()), (Some(77), Some("sh")));
    let renamed = SeenProcess { parent_pid: 31, parent_comm: "sh", ..seen(79, 80, "x") };
    assert_eq!(owners.of_process(&renamed, at(5)).parent_started, None, "31 is not named so");
}

#[test]
fn what_is_told_late_of_a_process_that_is_gone_is_added() {
    use std::os::unix::fs::MetadataExt;
    let tree = Tree::new("seen-late");
    let root = tree.0.join("unified");
    fs::create_dir_all(tree.0.join("self")).unwrap();
    let mounts = format!("41 31 0:38 / {} rw - cgroup2 cgroup2 rw\n", root.display());
    fs::write(tree.0.join("self/mountinfo"), mounts).unwrap();
    let mut owners = tree.owners();
    let gone = SeenProcess { cgroup_id: 1, ..seen(41, 5, "x") };
    assert_eq!(owners.of_process(&gone, at(0)).exe, None);
    assert_eq!(
        owners.of_process(&SeenProcess { exe: Some("/bin/x"), ..gone }, at(0)).exe.as_deref(),
        Some("/bin/x")
    );
    // A group that was made since the last walk is found by the next.
    fs::create_dir_all(root.join("late.service")).unwrap();
    let cgroup_id = fs::metadata(root.join("late.service")).unwrap().ino();
    let late = SeenProcess { cgroup_id, ..gone };
    assert_eq!(owners.of_process(&late, at(0)).cgroup.unit, None);
    let owner = owners.of_process(&late, at(9));
    assert_eq!(owner.cgroup.unit.as_deref(), Some("late.service"));
    assert_eq!((owner.exe.as_deref(), owners.counts().processes), (Some("/bin/x"), 1));
}

#[test]
fn a_process_that_executed_another_program_is_named_anew() {
    let tree = Tree::new("exec");
    tree.process(40, "sh", 0, 5);
    let mut owners = tree.owners();
    assert_eq!(owners.of_process(&seen(40, 5, "sh"), at(0)).comm, "sh");
    tree.process(40, "curl", 0, 5);
    assert_eq!(owners.of_process(&seen(40, 5, "curl"), at(2)).comm, "curl");
    assert_eq!(owners.counts().processes, 1);
}

#[test]
fn the_container_of_a_process_that_is_gone_comes_from_its_control_group() {
    use std::os::unix::fs::MetadataExt;
    let tree = Tree::new("seen-cgroup");
    let root = tree.0.join("unified");
    let group = root.join(format!("system.slice/docker-{ID}.scope"));
    fs::create_dir_all(&group).unwrap();
    fs::create_dir_all(tree.0.join("self")).unwrap();
    let mounts = format!("41 31 0:38 / {} rw - cgroup2 cgroup2 rw\n", root.display());
    fs::write(tree.0.join("self/mountinfo"), mounts).unwrap();
    let cgroup_id = fs::metadata(&group).unwrap().ino();
    let mut owners = tree.owners();
    let owner = owners.of_process(&SeenProcess { cgroup_id, ..seen(50, 5, "x") }, at(0));
    assert_eq!(owner.cgroup.container_id.as_deref(), Some(ID));
    assert_eq!(owner.runtime(), Some("docker"));
}

#[test]
fn a_container_that_was_unknown_is_asked_for_again_while_its_processes_speak() {
    let tree = Tree::new("late-name");
    tree.process(80, "web", 0, 5);
    tree.socket(80, 3, 7);
    fs::write(tree.0.join("80/cgroup"), format!("0::/machine.slice/libpod-{ID}.scope\n")).unwrap();
    let list = tree.0.join("containers.json");
    let mut owners =
        tree.owners_with(|policy| policy.runtimes.lists = vec![("libpod", list.clone())]);
    let name = |owner: &Owner| owner.named().and_then(|named| named.name.clone());
    let unknown = |owners: &Owners, count| {
        (0..2_000).any(|_| {
            std::thread::sleep(Duration::from_millis(2));
            owners.counts().containers.unknown == count
        })
    };
    let owner = find(&mut owners, 7, 0).unwrap();
    assert!(unknown(&owners, 1) && name(&owner).is_none());
    // Neither way to ask for an owner asks the runtime again too soon, and both do in time.
    assert!(owners.of(7, at(3)).is_some());
    owners.of_process(&seen(80, 5, "web"), at(30));
    assert!(unknown(&owners, 2));
    fs::write(&list, format!("[{{\"id\":\"{ID}\",\"names\":[\"shop\"]}}]")).unwrap();
    assert!(owners.of(7, at(59)).is_some());
    let is_named = || {
        std::thread::sleep(Duration::from_millis(2));
        name(&owner).as_deref() == Some("shop")
    };
    assert!((0..2_000).any(|_| is_named()), "the owner that was told first has the name too");
}

fn names(processes: &[Process]) -> Vec<(&str, bool, bool)> {
    let of = |p: &'_ Process| (p.owns_sockets, p.exited);
    processes.iter().map(|p| (p.owner.comm.as_str(), of(p).0, of(p).1)).collect()
}

#[test]
fn the_tree_has_owners_of_sockets_with_all_their_ancestors() {
    let tree = Tree::new("tree");
    for (pid, comm, parent, started) in [
        (1, "init", 0, 1),
        (60, "sshd", 1, 9),
        (61, "bash", 60, 20),
        (62, "curl", 61, 30),
        (63, "cron", 1, 40),
    ] {
        tree.process(pid, comm, parent, started);
    }
    tree.socket(62, 3, 7);
    tree.socket(63, 3, 8);
    let mut owners = tree.owners();
    assert!(find(&mut owners, 7, 0).is_some() && find(&mut owners, 8, 0).is_some());
    fs::remove_dir_all(tree.0.join("62")).unwrap();
    let told = ProcessTree::new(owners.known(), &tree.0);
    let all = told.all();
    let expected = [
        ("init", false, false),
        ("sshd", false, false),
        ("bash", false, false),
        ("curl", true, true),
        ("cron", true, false),
    ];
    assert_eq!(names(&all), expected);
    assert_eq!(names(&told.chain(62)), expected[..4]);
    assert_eq!(names(&told.chain(99)), []);
    assert_eq!(told.latest(61).map(|owner| owner.comm.as_str()), Some("bash"));
    assert_eq!(told.latest(99), None);
}

#[test]
fn a_tree_that_goes_in_circles_ends() {
    let tree = Tree::new("circle");
    tree.process(70, "a", 71, 5);
    tree.process(71, "b", 70, 5);
    tree.socket(70, 3, 7);
    let mut owners = tree.owners();
    assert!(find(&mut owners, 7, 0).is_some());
    let told = ProcessTree::new(owners.known(), &tree.0);
    assert_eq!(told.chain(70).len(), 2);
}
