//! What a poll of connection tracking costs: `conntrack_cost [ENTRIES] [POLLS]`, run as root in a
//! namespace of its own (`unshare -n`), fills its table with `conntrack`, and prints processor times:
//! of a bare dump that nobody reads, which is the kernel's part; of a poll that dumps, when all
//! entries are new, none has changed, one in ten has; and of a poll when a better source tells of
//! nine in ten, of all.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for a terminal")]

use std::fmt::Write as _;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use weir_meter::cache::{CachePolicy, FlowCache, Initiator, Moment, Observation, SourceKind};
use weir_meter::owner::{OwnerPolicy, Owners};
use weir_meter::source::conntrack::{Conntrack, ConntrackPolicy};
use weir_meter::source::{Intake, Source};
use weir_meter::{Endpoint, FlowKey, Identity, local_address};
use weir_model::{Clock, FlowBatch, SystemClock, Table};

/// Lines of `conntrack --load-file`: every third connection is one to a service.
fn entries(operation: &str, count: u64, step: usize) -> String {
    let mut lines = String::new();
    for i in (0..count).step_by(step) {
        let (a, b, port) = (i / 250 % 250, i % 250 + 1, 1_024 + i % 60_000);
        let service = if i % 3 == 0 { "10.96.0.10" } else { "10.1.0.1" };
        let replies = match (operation, i % 3) {
            ("-I", 0) => {
                format!("-r 10.1.0.1 -q 10.0.{a}.{b} --reply-port-src 8080 --reply-port-dst {port}")
            }
            ("-I", _) => {
                format!("-r 10.1.0.1 -q 10.0.{a}.{b} --reply-port-src 80 --reply-port-dst {port}")
            }
            _ => String::new(),
        };
        writeln!(
            lines,
            "{operation} -p tcp -s 10.0.{a}.{b} -d {service} --sport {port} --dport 80 {replies} \
             --state ESTABLISHED -t {}",
            if operation == "-I" { 3_600 } else { 7_200 }
        )
        .unwrap();
    }
    lines
}

fn load(lines: &str) {
    let mut tool = Command::new("conntrack")
        .args(["--load-file", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    tool.wait().unwrap();
}

/// Processor time of this thread, in and out of the kernel.
fn spent() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

struct Bench {
    source: Conntrack,
    cache: FlowCache,
    owners: Owners,
    counters: FlowBatch,
    polled: u64,
}

impl Bench {
    fn new() -> Bench {
        let (tiers, source) = Conntrack::probe(ConntrackPolicy::default());
        let Some(source) = source else { panic!("{tiers:?}") };
        Bench {
            source,
            cache: FlowCache::new(CachePolicy::default()),
            owners: Owners::new(OwnerPolicy::default()),
            counters: FlowBatch::new(Table::Counters),
            polled: 0,
        }
    }

    /// A poll a millisecond after the last one: of so many that nobody else tells of the whole
    /// table is dumped.
    fn poll(&mut self) -> Duration {
        let identity = Identity { addr: local_address() };
        let Bench { source, cache, owners, counters, .. } = self;
        let mut intake = Intake { cache, owners, counters, identity };
        self.polled += 1;
        let mono = Duration::from_millis(self.polled);
        let now = Moment { wall: SystemClock.now(), mono };
        let began = spent();
        source.poll(now, &mut intake).unwrap();
        spent() - began
    }

    /// A better source tells of entry `i` of [`entries`].
    fn outdo(&mut self, i: u64) {
        let (a, b, port) = (i / 250 % 250, i % 250 + 1, 1_024 + i % 60_000);
        let client = Endpoint { addr: format!("10.0.{a}.{b}").parse().unwrap(), port: port as u16 };
        let port = if i.is_multiple_of(3) { 8_080 } else { 80 };
        let server = Endpoint { addr: "10.1.0.1".parse().unwrap(), port };
        let (key, end) = FlowKey::new(0, 6, client, server);
        let (wall, mono) = (SystemClock.now(), Duration::from_millis(self.polled));
        let initiator = Initiator { end, sure: true };
        let mut seen = Observation::new(SourceKind::InetDiag, (key, end), initiator, (wall, wall));
        seen.socket = i + 1;
        self.cache.observe(&seen, Moment { wall, mono });
    }

    fn told(&self, what: &str) -> u64 {
        self.source.counts().iter().find(|(name, _)| *name == what).unwrap().1
    }
}

/// Asks the kernel for a dump and throws the answer away.
fn bare_dump() -> Duration {
    use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
    use rustix::net::{
        AddressFamily, RecvFlags, SendFlags, SocketType, bind, recv, sendto, socket,
    };
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, Some(NETFILTER)).unwrap();
    bind(&netlink, &SocketAddrNetlink::new(0, 0)).unwrap();
    // Length 20, IPCTNL_MSG_CT_GET of ctnetlink, NLM_F_REQUEST | NLM_F_DUMP, and any family.
    let mut request = [0; 20];
    request[..4].copy_from_slice(&20u32.to_ne_bytes());
    request[4..6].copy_from_slice(&0x101u16.to_ne_bytes());
    request[6..8].copy_from_slice(&0x301u16.to_ne_bytes());
    let mut buffer = vec![0; 64 << 10];
    let began = spent();
    sendto(&netlink, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).unwrap();
    loop {
        let (_, length) = recv(&netlink, &mut buffer[..], RecvFlags::empty()).unwrap();
        // NLMSG_DONE.
        if length < 16 || buffer[4..6] == 3u16.to_ne_bytes() {
            return spent() - began;
        }
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let count = arguments.next().unwrap_or(10_000);
    let polls = arguments.next().unwrap_or(31);
    let say = |what: &str, ms: f64| println!("{what:<44} {ms:7.2} ms");
    say("bare dump, empty table", median((0..polls).map(|_| bare_dump()).collect()));
    load(&entries("-I", count, 1));
    say("bare dump", median((0..polls).map(|_| bare_dump()).collect()));
    say("poll, all entries new", median((0..9).map(|_| Bench::new().poll()).collect()));
    let mut bench = Bench::new();
    bench.poll();
    println!(
        "{} entries in the table, {} followed",
        bench.told("entries_in_kernel"),
        bench.told("entries")
    );
    say("poll, dump, none changed", median((0..polls).map(|_| bench.poll()).collect()));
    let changed = (0..polls.min(9)).map(|_| {
        // Without counters, that an entry expires later is what tells that it spoke.
        load(&entries("-U", count, 10));
        bench.poll()
    });
    say("poll, dump, one in ten changed", median(changed.collect()));
    (0..count).filter(|i| i % 10 != 0).for_each(|i| bench.outdo(i));
    bench.poll();
    say(
        "poll, a better source tells of nine in ten",
        median((0..polls).map(|_| bench.poll()).collect()),
    );
    (0..count).for_each(|i| bench.outdo(i));
    bench.poll();
    say("poll, a better source tells of all", median((0..polls).map(|_| bench.poll()).collect()));
    println!("{:?}", bench.source.counts());
}
