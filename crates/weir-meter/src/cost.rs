//! What the BPF programs cost, measured by the kernel: nanoseconds a run above a program that does nothing.

use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};

use aya::programs::{CgroupSkb, CgroupSkbAttachType, SchedClassifier};
use aya::sys::{Stats, enable_stats};

use crate::bpf::{Object, Types, open_cgroup_root, sys};
use crate::source::{ebpf_sockets, ebpf_tcx};

/// Why nothing could be measured.
pub type CostError = Box<dyn std::error::Error + Send + Sync>;

/// One program.
#[derive(Debug, Clone)]
pub struct Cost {
    /// Its name.
    pub program: &'static str,
    /// How it was measured.
    pub method: &'static str,
    /// Nanoseconds a run, the median of the rounds.
    pub ns: f64,
    /// The same of a program that does nothing, on the same packets.
    pub floor_ns: f64,
}

impl Cost {
    /// What the program costs itself.
    pub fn net_ns(&self) -> f64 {
        self.ns - self.floor_ns
    }
}

/// A frame with a UDP datagram of 64 octets.
fn frame() -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    frame.extend([0x45, 0, 0, 92, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([0x13, 0x88, 0x13, 0x89, 0, 72, 0, 0]);
    frame.resize(14 + 92, 7);
    frame
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}

/// Programs of interfaces, by BPF_PROG_TEST_RUN: `runs` at a time, `rounds` times in turn.
pub fn of_interfaces(runs: u32, rounds: usize) -> Result<Vec<Cost>, CostError> {
    use std::os::fd::AsFd;
    let mut object = ebpf_tcx::object(&Types::read()?, 1_024)?;
    let names = ["weir_idle", "weir_in", "weir_out"];
    let mut figures = [const { Vec::new() }; 3];
    for name in names {
        object.load_classifier(name)?;
    }
    for _ in 0..rounds {
        for (name, figures) in names.into_iter().zip(&mut figures) {
            let program: &mut SchedClassifier = object.program(name)?;
            let (_, ns) = sys::test_run(program.fd()?.as_fd(), &frame(), runs)?;
            figures.push(f64::from(ns));
        }
    }
    let [floor_ns, ns_in, ns_out] = figures.map(median);
    let method = "BPF_PROG_TEST_RUN, UDP of 64 octets";
    let cost = |program, ns| Cost { program, method, ns, floor_ns };
    Ok(vec![cost("tcx ingress", ns_in), cost("tcx egress", ns_out)])
}

/// How packets are sent over loopback to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    Tcp,
    ConnectedUdp,
    LooseUdp,
}

/// Programs of sockets, by the kernel's own statistics while `packets` of 64 octets cross loopback, sent by
/// a connection, by a connected socket of UDP, and by one that is not.
pub fn of_sockets(packets: u32, rounds: usize) -> Result<Vec<Cost>, CostError> {
    let _stats = enable_stats(Stats::RunTime)?;
    let (types, mut costs) = (Types::read()?, Vec::new());
    let cases = [
        ("TCP", Load::Tcp),
        ("connected UDP", Load::ConnectedUdp),
        ("UDP by remote", Load::LooseUdp),
    ];
    for (program, load) in cases {
        let (mut ns, mut floor) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let mut object = ebpf_sockets::object(&types, 1_024, ebpf_sockets::ENDS_OCTETS)?;
            let root = open_cgroup_root()?;
            object.attach_skb("weir_nothing", &root, CgroupSkbAttachType::Egress)?;
            object.attach_skb("weir_egress", &root, CgroupSkbAttachType::Egress)?;
            flood(packets, load)?;
            floor.push(per_run(&mut object, "weir_nothing")?);
            ns.push(per_run(&mut object, "weir_egress")?);
        }
        let method = "live on loopback, 64 octets";
        costs.push(Cost { program, method, ns: median(ns), floor_ns: median(floor) });
    }
    Ok(costs)
}

fn flood(packets: u32, load: Load) -> std::io::Result<()> {
    if load == Load::Tcp {
        return flood_tcp(packets);
    }
    let to = UdpSocket::bind("127.0.0.1:0")?;
    let from = UdpSocket::bind("127.0.0.1:0")?;
    let address = to.local_addr()?;
    if load == Load::ConnectedUdp {
        from.connect(address)?;
    }
    for _ in 0..packets {
        // A full buffer at the receiver drops behind the program.
        let _sent = match load {
            Load::ConnectedUdp => from.send(&[7; 64]),
            _ => from.send_to(&[7; 64], address),
        };
    }
    Ok(())
}

fn flood_tcp(packets: u32) -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    client.set_nodelay(true)?;
    let (mut server, _) = listener.accept()?;
    let reader = std::thread::spawn(move || std::io::copy(&mut server, &mut std::io::sink()));
    for _ in 0..packets {
        client.write_all(&[7; 64])?;
    }
    drop(client);
    match reader.join() {
        Ok(read) => read.map(drop),
        Err(_) => Err(std::io::Error::other("the reader failed")),
    }
}

fn per_run(object: &mut Object, name: &'static str) -> Result<f64, CostError> {
    let program: &mut CgroupSkb = object.program(name)?;
    let info = program.info()?;
    Ok(info.run_time().as_nanos() as f64 / info.run_count().max(1) as f64)
}
