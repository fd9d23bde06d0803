use super::*;
use crate::cache::Record;
use crate::testing::nodes::{Node, two_nodes};
use crate::testing::{Bench, Capture, Namespace, pair, skip};
use std::io::Write;
use std::net::TcpStream;

/// A source whose programs look at the interfaces of `space`.
fn source(space: &Namespace, interfaces: &[&str]) -> Option<EbpfTcx> {
    let policy = EbpfTcxPolicy {
        enabled: true,
        interval: Duration::from_millis(10),
        share: 20,
        flows_max: 4_096,
        interfaces: interfaces.iter().map(|name| (*name).to_owned()).collect(),
    };
    let (tiers, source) = space.run(move || EbpfTcx::probe(policy, Types::read().as_ref()));
    if source.is_none() {
        skip("packets at interfaces", &tiers[0]);
    }
    source
}

fn swallow(mut stream: TcpStream) -> u64 {
    std::io::copy(&mut stream, &mut std::io::sink()).unwrap()
}

fn settled(source: &mut EbpfTcx, bench: &mut Bench) {
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(50));
        source.poll(Bench::at(1), &mut bench.intake()).unwrap();
    }
}

fn of_port(records: Vec<Record>, port: u16) -> Vec<Record> {
    records.into_iter().filter(|r| r.src.port == port || r.dst.port == port).collect()
}

#[test]
fn a_flow_through_bridge_and_overlay_is_one_with_the_octets_of_its_packets() {
    let Some((a, b)) = two_nodes() else {
        eprintln!("SKIPPED the overlay: no namespaces, no bridge or VXLAN, or no ethtool");
        return;
    };
    let Some(mut source) = source(&a.node, &[]) else { return };
    let names: Vec<&str> = source.attached.values().map(|at| &*at.name).collect();
    assert!(["veth1", "veth2", "u0"].iter().all(|name| names.contains(name)), "{names:?}");
    assert_eq!(names.len(), 3, "the bridge and the tunnel's end are passed by: {names:?}");
    let Some(capture) = Capture::start(&a.pods[0], "eth0") else {
        eprintln!("SKIPPED the overlay: no tcpdump");
        return;
    };
    let mut bench = Bench::new();
    let listener = b.pods[0].listen("0.0.0.0:7101");
    let mut client = a.pods[0].connect("10.244.2.11:7101");
    let (server, _) = listener.accept().unwrap();
    let reader = std::thread::spawn(move || swallow(server));
    client.write_all(&vec![7u8; 3 << 20]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(reader.join().unwrap(), 3 << 20);
    swallow(client);
    a.pods[0].ping([10, 244, 2, 11].into(), 3);
    settled(&mut source, &mut bench);
    let truth = capture.finish(7_101);
    let records = bench.flush();
    let outer = records.iter().filter(|r| r.proto == 17 && r.dst.port == 4_789).count();
    assert_eq!(outer, 0, "outer packets are not counted beside what they carry");
    let ping: Vec<&Record> = records.iter().filter(|r| r.proto == 1).collect();
    assert_eq!(ping.len(), 1, "{ping:?}");
    assert_eq!((ping[0].forward.packets, ping[0].reverse.packets), (3, 3));
    let (asks, answers) = ("10.244.1.11".parse().unwrap(), "10.244.2.11".parse().unwrap());
    assert_eq!((ping[0].src.addr, ping[0].dst.addr), (asks, answers));
    let records = of_port(records, 7_101);
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    assert_eq!((record.dst.port, record.sure), (7_101, true));
    let by = |addr| truth.iter().find(|sum| sum.0 == addr).map(|sum| (sum.1, sum.2)).unwrap();
    assert_eq!((record.forward.packets, record.forward.octets), by(record.src.addr));
    assert_eq!((record.reverse.packets, record.reverse.octets), by(record.dst.addr));
    let tunnel = record.tunnel.unwrap();
    let outer = ["172.31.0.1", "172.31.0.2"].map(|addr| addr.parse().unwrap());
    assert_eq!((tunnel.kind, tunnel.id), (1, 42));
    assert!(outer.contains(&tunnel.src) && outer.contains(&tunnel.dst));
    let through = record.through.clone().map(|at| at.unwrap().name.to_string());
    assert_eq!(through, ["veth1", "u0"]);
    assert_eq!(record.tcp_flags & 3, 3);
}

#[test]
fn interfaces_that_come_later_are_looked_at_and_those_that_go_are_let_go() {
    let Some(node) = Node::new(3) else {
        eprintln!("SKIPPED interfaces: this user may not make network namespaces");
        return;
    };
    let Some(source) = source(&node.node, &["veth*"]) else { return };
    assert_eq!(source.attached.len(), 2);
    // Names of interfaces mean something in the thread's own namespace.
    let follow = |mut source: EbpfTcx, wanted: usize| {
        node.node.run(move || {
            let mut bench = Bench::new();
            for _ in 0..200 {
                source.drain(Bench::at(1), &mut bench.intake()).unwrap();
                if source.attached.len() == wanted {
                    return source;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            panic!("{:?} and not {wanted}", source.attached);
        })
    };
    assert!(node.node.sh("ip link add veth9 type veth peer name other9; ip link set veth9 up"));
    let source = follow(source, 3);
    assert!(node.node.sh("ip link del veth9"));
    let _source = follow(source, 2);
    // Others' programs and filters stay where they are, and so does traffic.
    node.pods[0].ping([10, 244, 3, 12].into(), 1);
}

#[test]
fn flows_past_the_bound_are_counted_as_lost() {
    let Some(node) = Node::new(4) else {
        eprintln!("SKIPPED the full map: this user may not make network namespaces");
        return;
    };
    let Some(mut source) = source(&node.node, &["veth*"]) else { return };
    let socket = node.pods[0].udp("10.244.4.11:0");
    let mut sent = 0;
    for port in 1_000..6_500u16 {
        sent += u64::from(socket.send_to(b"x", ("10.244.4.12", port)).is_ok());
    }
    std::thread::sleep(Duration::from_millis(100));
    let mut bench = Bench::new();
    source.poll(Bench::at(1), &mut bench.intake()).unwrap();
    let lost = source.counts().into_iter().find(|(name, _)| *name == "packets_lost_map_full");
    let lost = lost.unwrap().1;
    assert!(sent == 5_500 && lost > 0, "{lost} of {sent}");
    // The next interval has room again.
    socket.send_to(b"x", ("10.244.4.12", 999)).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    source.poll(Bench::at(2), &mut bench.intake()).unwrap();
    assert_eq!(of_port(bench.flush(), 999).len(), 1);
}

#[test]
fn fragments_of_ipv6_but_the_first_have_no_ports() {
    let Some((a, b)) = pair() else {
        eprintln!("SKIPPED fragments: this user may not make network namespaces");
        return;
    };
    let Some(mut source) = source(&a, &["wa"]) else { return };
    let receiver = b.udp("[2001:db8::2]:7103");
    let sender = a.udp("[2001:db8::1]:0");
    for octet in 1..=20 {
        // No fragment begins as another does.
        let octets: Vec<u8> = (0..4_000u16).map(|at| (at / 100) as u8 ^ octet).collect();
        sender.send_to(&octets, "[2001:db8::2]:7103").unwrap();
        assert_eq!(receiver.recv(&mut [0; 5_000]).unwrap(), 4_000);
    }
    let mut bench = Bench::new();
    settled(&mut source, &mut bench);
    let records = bench.flush().into_iter().filter(|record| record.proto == 17);
    let mut seen: Vec<_> = records.map(|r| (r.dst.port, r.forward.packets)).collect();
    seen.sort_unstable();
    assert_eq!(seen, [(0, 40), (7_103, 20)]);
}

#[test]
fn a_buffer_in_an_overlay_counts_as_the_segments_that_it_carries() {
    use crate::source::ebpf_sockets::{ENDS_OCTETS, EbpfSockets, EbpfSocketsPolicy};
    let Some((a, b)) = two_nodes() else {
        eprintln!(
            "SKIPPED buffers in an overlay: no namespaces, no bridge or VXLAN, or no ethtool"
        );
        return;
    };
    // The pod hands over buffers, and the uplink sees them whole, outer headers once in front.
    assert!(a.pods[0].sh("ethtool -K eth0 tso on gso on >/dev/null"));
    let Some(mut source) = source(&a.node, &["u0"]) else { return };
    // Sockets are equal to the wire, as their own tests say.
    let policy = EbpfSocketsPolicy {
        enabled: true,
        interval: Duration::from_millis(10),
        share: 20,
        peers_max: 1_024,
        ends_octets: ENDS_OCTETS,
    };
    let (tiers, sockets) = EbpfSockets::probe(policy, Types::read().as_ref());
    let Some(mut sockets) = sockets else {
        return skip("sockets by eBPF", &tiers[0]);
    };
    let (mut at_uplink, mut at_socket) = (Bench::new(), Bench::new());
    let listener = b.pods[0].listen("0.0.0.0:7102");
    let mut client = a.pods[0].connect("10.244.2.11:7102");
    let (server, _) = listener.accept().unwrap();
    let reader = std::thread::spawn(move || swallow(server));
    client.write_all(&vec![7u8; 3 << 20]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(reader.join().unwrap(), 3 << 20);
    swallow(client);
    settled(&mut source, &mut at_uplink);
    sockets.poll(Bench::at(1), &mut at_socket.intake()).unwrap();
    let [uplink, socket] = [at_uplink, at_socket].map(|mut bench| {
        let records = of_port(bench.flush(), 7_102);
        assert_eq!(records.len(), 1, "{records:?}");
        records[0].forward
    });
    assert_eq!(uplink, socket);
}
