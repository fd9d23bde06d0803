//! Network namespaces that tests make and remove, and captures in them: the truth to compare with.

pub(crate) mod nodes;

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use weir_model::{Addr, FlowBatch, Table, Timestamp};

use crate::cache::rows::Identity;
use crate::cache::{CachePolicy, FlowCache, Moment, Record};
use crate::owner::{OwnerPolicy, Owners};
use crate::source::Intake;

/// Says aloud that a tier cannot be tested here. Where it should run, as root on a kernel that has all of it,
/// that is a failure: a program that the verifier refuses must not pass for a machine that lacks something.
pub(crate) fn skip(what: &str, tier: &crate::source::Tier) {
    let why = tier.why_not.clone().unwrap_or_default();
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map_while(|word| word.parse::<u32>().ok());
    let kernel = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let may = rustix::process::geteuid().is_root() && !why.contains("os error 1");
    let has = kernel >= (6, 6) && !why.contains("no BTF") && !why.contains("no cgroup");
    assert!(!(may && has), "{what} should run on Linux {release}: {why}");
    eprintln!("SKIPPED {what}: {why}");
}

/// A network namespace with a thread in it. It is gone when this is dropped.
pub(crate) struct Namespace {
    process: Child,
    ask: SyncSender<Box<dyn FnOnce() + Send>>,
}

impl Namespace {
    /// `None` where this user may not make one.
    pub(crate) fn new() -> Option<Namespace> {
        let own = std::fs::read_link("/proc/self/ns/net").ok()?;
        let process = Command::new("unshare").args(["-n", "sleep", "600"]).spawn().ok()?;
        let (ask, asked) = sync_channel::<Box<dyn FnOnce() + Send>>(0);
        let made = Namespace { process, ask };
        let path = made.path();
        let is_there = (0..400).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            std::fs::read_link(&path).is_ok_and(|link| link != own)
        });
        let space = std::fs::File::open(path).ok().filter(|_| is_there)?;
        std::thread::spawn(move || {
            rustix::thread::move_into_link_name_space(space.as_fd(), None).unwrap();
            asked.into_iter().for_each(|work| work());
        });
        made.sh("ip link set lo up").then_some(made)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.process.id()))
    }

    /// Runs `work` in the namespace.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = sync_channel(1);
        self.ask.send(Box::new(move || tell.send(work()).unwrap())).unwrap();
        told.recv().unwrap()
    }

    /// Runs `work`, which may borrow, in another thread in the namespace: sockets made within belong
    /// to it.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path = self.path();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let space = std::fs::File::open(path).unwrap();
                rustix::thread::move_into_link_name_space(space.as_fd(), None).unwrap();
                work()
            });
            thread.join().unwrap()
        })
    }

    /// Runs a line of shell in it; true when that succeeds.
    pub(crate) fn sh(&self, line: impl Into<String>) -> bool {
        let line = line.into();
        self.run(move || {
            let ended = Command::new("sh").args(["-ec", &line]).stderr(Stdio::null()).status();
            ended.is_ok_and(|ended| ended.success())
        })
    }

    pub(crate) fn listen(&self, address: &'static str) -> TcpListener {
        self.run(move || TcpListener::bind(address).unwrap())
    }

    pub(crate) fn connect(&self, address: &'static str) -> TcpStream {
        self.run(move || TcpStream::connect(address).unwrap())
    }

    pub(crate) fn udp(&self, address: &'static str) -> UdpSocket {
        self.run(move || UdpSocket::bind(address).unwrap())
    }
}

impl Namespace {
    /// Sends `count` pings to `to` and waits for each answer.
    pub(crate) fn ping(&self, to: std::net::Ipv4Addr, count: u16) {
        use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, ipproto};
        let work = move || {
            let kind = (AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP));
            let socket = rustix::net::socket(kind.0, kind.1, kind.2).unwrap();
            let wait = Some(Duration::from_secs(2));
            let timeout = rustix::net::sockopt::Timeout::Recv;
            rustix::net::sockopt::set_socket_timeout(&socket, timeout, wait).unwrap();
            for number in 0..count {
                let mut echo = [8, 0, 0, 0, 0, 7, 0, number as u8];
                let sum = 0x0800u32 + 7 + u32::from(number);
                echo[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
                let to = std::net::SocketAddrV4::new(to, 0);
                rustix::net::sendto(&socket, &echo, SendFlags::empty(), &to).unwrap();
                let mut answer = [0u8; 64];
                loop {
                    rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty()).unwrap();
                    if (answer[20], answer[27]) == (0, number as u8) {
                        break;
                    }
                }
            }
        };
        self.run(work);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// Two namespaces with an interface each, `wa` at 198.18.0.1 and `wb` at 198.18.0.2 (and
/// 2001:db8::1, 2001:db8::2), that lead to each other.
pub(crate) fn pair() -> Option<(Namespace, Namespace)> {
    let (a, b) = Namespace::new().zip(Namespace::new())?;
    let is_up = a.sh(format!("ip link add wa type veth peer name wb netns {}", b.pid()))
        && [(&a, "wa", 1), (&b, "wb", 2)].iter().all(|(space, name, last)| {
            space.sh(format!(
                "sysctl -qw net.ipv6.conf.{name}.accept_dad=0 net.ipv6.conf.{name}.router_solicitations=0 2>/dev/null || true
                 ip addr add 198.18.0.{last}/30 dev {name}
                 ip addr add 2001:db8::{last}/64 dev {name} nodad
                 ip link set {name} up"
            ))
        });
    is_up.then_some((a, b))
}

/// What an independent observer has counted: a capture of every packet of one interface.
pub(crate) struct Capture {
    process: Child,
    file: PathBuf,
}

impl Capture {
    /// `None` where there is no tcpdump.
    pub(crate) fn start(space: &Namespace, interface: &str) -> Option<Capture> {
        let number = std::sync::atomic::AtomicU32::new(0);
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("weir-{}-{}-{number}-{interface}.pcap", std::process::id(), space.pid());
        let file = std::env::temp_dir().join(name);
        let path = file.to_string_lossy().into_owned();
        let line = interface.to_owned();
        let process = space.run(move || {
            Command::new("tcpdump")
                .args(["-i", &line, "-s", "96", "-B", "65536", "-U", "-n", "-w", &path])
                .stderr(Stdio::piped())
                .spawn()
        });
        let mut process = process.ok()?;
        // It says so when it listens.
        use std::io::{BufRead, BufReader};
        let lines = BufReader::new(process.stderr.take()?).lines();
        let mut lines = lines.map_while(Result::ok);
        lines.find(|line| line.contains("listening on"))?;
        std::thread::spawn(move || lines.for_each(drop));
        Some(Capture { process, file })
    }

    /// Packets and octets of IP by sender's address and port, of those that have `port` at an end.
    pub(crate) fn finish(mut self, port: u16) -> Vec<(Addr, u64, u64)> {
        // The ring delivers late.
        std::thread::sleep(Duration::from_millis(1_500));
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.process.wait().unwrap();
        let octets = std::fs::read(&self.file).unwrap();
        std::fs::remove_file(&self.file).unwrap();
        let mut sums: Vec<(Addr, u64, u64)> = Vec::new();
        let mut at = 24;
        while let Some(head) = octets.get(at..at + 16) {
            let kept = u32::from_le_bytes(head[8..12].try_into().unwrap()) as usize;
            let frame = &octets[at + 16..at + 16 + kept];
            at += 16 + kept;
            let Some((src, length, ports)) = of_frame(frame) else { continue };
            if !ports.contains(&port) {
                continue;
            }
            match sums.iter_mut().find(|sum| sum.0 == src) {
                Some(sum) => (sum.1, sum.2) = (sum.1 + 1, sum.2 + length),
                None => sums.push((src, 1, length)),
            }
        }
        sums
    }
}

/// Source, length by the IP header, ports of an Ethernet frame.
fn of_frame(frame: &[u8]) -> Option<(Addr, u64, [u16; 2])> {
    let be = |at: usize| Some(u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?));
    match be(12)? {
        0x0800 => {
            let transport = 14 + usize::from(frame.get(14)? & 15) * 4;
            let src = u32::from_be_bytes(frame.get(26..30)?.try_into().ok()?);
            Some((Addr::v4(src), be(16)?.into(), [be(transport)?, be(transport + 2)?]))
        }
        0x86dd => {
            let src = u128::from_be_bytes(frame.get(22..38)?.try_into().ok()?);
            Some((Addr(src), u64::from(be(18)?) + 40, [be(54)?, be(56)?]))
        }
        _ => None,
    }
}

/// Everything that a source needs, with the machine's owners.
pub(crate) struct Bench {
    pub(crate) cache: FlowCache,
    pub(crate) owners: Owners,
    pub(crate) counters: FlowBatch,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench {
            cache: FlowCache::new(CachePolicy::default()),
            owners: Owners::new(OwnerPolicy::default()),
            counters: FlowBatch::new(Table::Counters),
        }
    }

    pub(crate) fn intake(&mut self) -> Intake<'_> {
        Intake {
            cache: &mut self.cache,
            owners: &mut self.owners,
            counters: &mut self.counters,
            identity: Identity { addr: Addr::v4(1) },
        }
    }

    pub(crate) fn at(seconds: u64) -> Moment {
        let mono = Duration::from_secs(seconds);
        Moment { wall: Timestamp::from_seconds(1_800_000_000).plus(mono), mono }
    }

    /// Every flow that it holds, reported.
    pub(crate) fn flush(&mut self) -> Vec<Record> {
        self.cache.flush(Bench::at(1_000));
        self.cache.take_records()
    }
}
