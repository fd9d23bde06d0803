//! Measures what packet sockets cost each packet that passes them.
//!
//! `cargo run --release -p weir-meter --example sampler_cost [PACKETS]`, as root, with `ip`: a pair of
//! interfaces between two network namespaces of its own, and datagrams sent through it as fast as
//! one thread goes, without a socket, with the names' one, with samples of 1 in 400 and with both.
//! Prints nanoseconds of processor time a packet of the sender, in whose system calls filters run, and of
//! the receiving thread, the best of seven rounds each.

use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use weir_meter::cache::{CachePolicy, FlowCache};
use weir_meter::owner::{OwnerPolicy, Owners};
use weir_meter::source::sampler::names::NamesTap;
use weir_meter::source::sampler::samples::Sampler;
use weir_meter::source::{Intake, Source};
use weir_meter::{Identity, Moment, SamplingPolicy};
use weir_model::{Addr, FlowBatch, Table, Timestamp};

const ROUNDS: usize = 7;

fn ip(arguments: &str) -> bool {
    Command::new("ip").args(arguments.split(' ')).status().is_ok_and(|status| status.success())
}

/// Makes the namespaces, removes them at the end.
struct Lab;

impl Lab {
    fn new() -> Option<Lab> {
        let lab = Lab;
        let steps = [
            "netns add weir-cost-a",
            "netns add weir-cost-b",
            "-n weir-cost-a link add v0 type veth peer name v1 netns weir-cost-b",
            "-n weir-cost-a addr add 10.77.0.1/24 dev v0",
            "-n weir-cost-b addr add 10.77.0.2/24 dev v1",
            "-n weir-cost-a link set v0 up",
            "-n weir-cost-b link set v1 up",
        ];
        steps.iter().all(|step| ip(step)).then_some(lab)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in ["weir-cost-a", "weir-cost-b"] {
            ip(&format!("netns del {name}"));
        }
    }
}

fn enter(name: &str) -> std::io::Result<()> {
    let namespace = File::open(format!("/run/netns/{name}"))?;
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
}

/// Nanoseconds of processor time of this thread (proc(5), schedstat).
fn busy() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn look(sources: &mut [Box<dyn Source>], is_over: &AtomicBool) -> u64 {
    let (mut cache, mut owners) =
        (FlowCache::new(CachePolicy::default()), Owners::new(OwnerPolicy::default()));
    let mut counters = FlowBatch::new(Table::Counters);
    let now = Moment { wall: Timestamp(0), mono: Duration::ZERO };
    while !is_over.load(Ordering::Relaxed) {
        for source in sources.iter_mut() {
            let (cache, owners, counters) = (&mut cache, &mut owners, &mut counters);
            let identity = Identity { addr: Addr::v4(1) };
            let _counted = source.poll(now, &mut Intake { cache, owners, counters, identity });
            if let Some(rows) = source.rows() {
                rows.clear();
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    busy()
}

/// Nanoseconds a packet of the sender and of the receiver.
fn round(policy: SamplingPolicy, packets: u32) -> std::io::Result<(u64, u64)> {
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    if let (_, Some(names)) = NamesTap::probe(&policy) {
        sources.push(Box::new(names));
    }
    if let (_, Some(samples)) = Sampler::probe(policy) {
        sources.push(Box::new(samples));
    }
    let socket = UdpSocket::bind("10.77.0.1:0")?;
    socket.connect("10.77.0.2:5000")?;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let receiver = scope.spawn(|| look(&mut sources, &is_over));
        let (payload, start) = ([7; 200], busy());
        for _ in 0..packets {
            socket.send(&payload)?;
        }
        let took = busy() - start;
        is_over.store(true, Ordering::Relaxed);
        let received = receiver.join().unwrap_or(0);
        Ok((took / u64::from(packets), received / u64::from(packets)))
    })
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn main() -> std::io::Result<()> {
    let packets = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(300_000);
    let Some(_lab) = Lab::new() else {
        println!("SKIPPED: network namespaces are refused");
        return Ok(());
    };
    enter("weir-cost-b")?;
    // Takes what comes and reads none of it: once it is full, the kernel drops.
    let _there = UdpSocket::bind("10.77.0.2:5000")?;
    enter("weir-cost-a")?;
    let policy = |names, rows| SamplingPolicy { names, rows, ..SamplingPolicy::default() };
    let variants = [
        ("no packet socket", policy(false, false)),
        ("names", policy(true, false)),
        ("samples, 1 in 400", policy(false, true)),
        ("both", policy(true, true)),
    ];
    let mut best = [(u64::MAX, u64::MAX); 4];
    for _ in 0..ROUNDS {
        for (best, (_, policy)) in best.iter_mut().zip(variants) {
            let (sender, receiver) = round(policy, packets)?;
            *best = (best.0.min(sender), best.1.min(receiver));
        }
    }
    for ((sender, receiver), (name, _)) in best.iter().zip(variants) {
        println!("{name}: sender {sender} ns a packet, receiver {receiver} ns a packet");
    }
    Ok(())
}
