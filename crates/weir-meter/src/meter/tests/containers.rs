//! A container of this machine, from its control group and a runtime's socket to the row.

use super::*;
use crate::owner::runtime::RuntimePolicy;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

const ID: &str = "5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed";

/// A control group of version 2 with the name that docker gives; removed when dropped.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Group> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
        let path = Path::new(line.split(' ').nth(4)?).join(format!("docker-{ID}.scope"));
        fs::create_dir(&path).ok()?;
        Some(Group(path))
    }

    /// A shell in it, which goes on with `line`.
    fn shell(&self, line: &str) -> Command {
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("echo $$ > {}/cgroup.procs; {line}", self.0.display())]);
        shell
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn runtime() -> PathBuf {
    let path = std::env::temp_dir().join(format!("weir-docker-{}.sock", std::process::id()));
    let _fresh = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut request, mut octet) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut octet).unwrap_or(0) == 1 {
                request.push(octet[0]);
            }
            let known = request.starts_with(format!("GET /containers/{ID}/").as_bytes());
            let answer: &[u8] = match known {
                true => {
                    b"HTTP/1.0 200 OK\r\n\r\n{\"Name\":\"/shop\",\"Config\":{\"Image\":\"shop:7\"}}"
                }
                false => b"HTTP/1.0 404 Not Found\r\n\r\n{}",
            };
            let _gone = stream.write_all(answer);
        }
    });
    path
}

#[test]
fn a_process_in_a_container_has_the_names_of_its_runtime() {
    let mut policy = quick();
    policy.cache.active_timeout = Duration::from_millis(100);
    let socket = runtime();
    policy.owners.runtimes =
        RuntimePolicy { sockets: vec![("docker", socket.clone())], ..RuntimePolicy::none() };
    // The group is older than metering, so that the first look for groups finds it.
    let group = Group::new();
    let (handle, thread, kept, _) = started(policy);
    let runs = |name| handle.status().tiers.iter().any(|tier| tier.name == name && tier.runs);
    let Some(group) = group.filter(|_| runs("inet_diag")) else {
        eprintln!("SKIPPED names of a container: no control group can be made, or no socket read");
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let held: std::os::fd::OwnedFd = listener.accept().unwrap().0.into();
    let quiet = std::process::Stdio::null;
    let mut child = group.shell("exec cat").stdin(held).stdout(quiet()).spawn().unwrap();
    let server = |batch: &FlowBatch, row: usize| {
        [
            flows::DST_PROCESS,
            flows::DST_CONTAINER_ID,
            flows::DST_CONTAINER,
            flows::DST_IMAGE,
            flows::DST_RUNTIME,
        ]
        .map(|column| text(batch, column, row))
    };
    let expected = ["cat", ID, "shop", "shop:7", "docker"].map(str::to_owned);
    wait_for(|| {
        client.write_all(b"x").unwrap();
        kept.with_port(port, server).last() == Some(&expected)
    });
    drop(client);
    child.wait().unwrap();
    // Rows are handed on before the status tells what was found.
    wait_for(|| handle.status().owners.containers.named >= 1);

    if runs("ebpf_sockets") {
        // Over in a few milliseconds, with its process: only its control group's id tells where.
        let connect = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
        assert!(group.shell(&connect).stdout(quiet()).status().unwrap().success());
        let opener = |batch: &FlowBatch, row: usize| {
            [flows::SRC_PROCESS, flows::SRC_CONTAINER].map(|column| text(batch, column, row))
        };
        let expected = ["bash", "shop"].map(str::to_owned);
        wait_for(|| kept.with_port(port, opener).contains(&expected));
    } else {
        eprintln!("SKIPPED a container's short connection: eBPF does not run");
    }
    handle.stop();
    thread.join().unwrap();
    fs::remove_file(socket).unwrap();
}
