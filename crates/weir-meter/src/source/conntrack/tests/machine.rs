//! Real connections through a node that translates them, in namespaces that the tests make: the
//! source runs in the node's, client and server have one each.

use super::*;
use crate::source::inet_diag::{InetDiag, InetDiagPolicy};
use crate::testing::Namespace;
use rustix::net::sockopt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

/// A node with a pod for the client and one for the server, and the services of its rules.
struct Net {
    node: Namespace,
    client: Namespace,
    server: Namespace,
    /// The third octet of the client's addresses; the server's is the next.
    number: u8,
}

const RULES: &str = "
table ip6 t {
    chain out { type filter hook output priority 0; ct state new counter; }
}
table ip t {
    chain raw {
        type filter hook prerouting priority -300;
        udp dport 53 ct zone set 9
        udp sport 5353 ct zone set 9
    }
    chain pre {
        type nat hook prerouting priority -100;
        ip daddr 10.96.0.10 tcp dport 80 dnat to SERVER:8080
        ip daddr 10.96.0.10 udp dport 53 dnat to SERVER:5353
        ip daddr 10.96.0.11 tcp dport 80 dnat to CLIENT:8080
        ip daddr 10.96.0.12 tcp dport 80 dnat to SERVER:8080
    }
    chain post {
        type nat hook postrouting priority 100;
        ct original ip daddr { 10.96.0.11, 10.96.0.12 } masquerade
    }
}";

impl Net {
    /// `None`, said aloud, where the machine cannot have it.
    fn new(number: u8) -> Option<Net> {
        let made = Namespace::new()
            .zip(Namespace::new())
            .zip(Namespace::new())
            .map(|((node, client), server)| Net { node, client, server, number });
        let made = made.filter(Net::is_laid);
        if made.is_none() {
            eprintln!("SKIPPED connection tracking: no namespaces, `ip` or `nft` here");
        }
        made
    }

    fn is_laid(&self) -> bool {
        let pods = [(&self.client, self.number, "c"), (&self.server, self.number + 1, "s")];
        let are_laid = pods.into_iter().all(|(pod, number, name)| {
            let (node, net) = (self.node.pid(), format!("198.18.{number}"));
            pod.sh(format!(
                "ip link set lo up
                 ip link add eth0 type veth peer name {name} netns {node}
                 ip addr add {net}.2/24 dev eth0; ip link set eth0 up"
            )) && self.node.sh(format!("ip addr add {net}.1/24 dev {name}; ip link set {name} up"))
                && pod.sh(format!("ip route add default via {net}.1"))
        });
        let addr = |server| format!("198.18.{}.2", self.number + u8::from(server));
        let rules = RULES.replace("SERVER", &addr(true)).replace("CLIENT", &addr(false));
        are_laid
            && self.node.sh(format!(
                "ip link set lo up; echo 1 > /proc/sys/net/ipv4/ip_forward
                 nft '{rules}' 2>/dev/null"
            ))
    }

    fn addr(&self, is_server: bool, port: u16) -> Endpoint {
        at(&format!("198.18.{}.2", self.number + u8::from(is_server)), port)
    }

    fn policy() -> ConntrackPolicy {
        ConntrackPolicy { accounting: true, ..ConntrackPolicy::default() }
    }

    /// The source in the node's namespace alone, which has had its first look.
    fn source(&self, rig: &mut Rig) -> Option<Conntrack> {
        let mut source = self.source_of_all(rig)?;
        source.others = None;
        Some(source)
    }

    /// The source in the node's namespace and, where it may, in all others.
    fn source_of_all(&self, rig: &mut Rig) -> Option<Conntrack> {
        let (tiers, source) = self.node.run(|| Conntrack::probe(Net::policy()));
        match source {
            Some(mut source) if source.own.doors.is_some() => {
                source.poll(moment(0), &mut rig.intake()).unwrap();
                Some(source)
            }
            _ => {
                eprintln!("SKIPPED connection tracking: {tiers:?}");
                None
            }
        }
    }

    /// A connection to `to`, whose server has port 8080 in `pod`, of 10,000 octets and 6 back.
    fn talk(&self, pod: &Namespace, to: &'static str) -> [TcpStream; 2] {
        let listener = pod.run(|| TcpListener::bind("0.0.0.0:8080").unwrap());
        let mut client = self.client.run(move || TcpStream::connect(to).unwrap());
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(&[7; 10_000]).unwrap();
        server.read_exact(&mut [0; 10_000]).unwrap();
        server.write_all(b"thanks").unwrap();
        client.read_exact(&mut [0; 6]).unwrap();
        [client, server]
    }
}

fn port(stream: &TcpStream) -> u16 {
    stream.local_addr().unwrap().port()
}

/// Records that have one of these ports at their source.
fn of_port(records: Vec<Record>, port: u16) -> Vec<Record> {
    records.into_iter().filter(|record| record.src.port == port).collect()
}

#[test]
fn a_forwarded_connection_to_a_service_carries_service_and_endpoint() {
    let mut rig = Rig::new();
    let Some(net) = Net::new(10) else { return };
    let Some(mut source) = net.source(&mut rig) else { return };
    let [client, server] = net.talk(&net.server, "10.96.0.10:80");
    source.drain(moment(1), &mut rig.intake()).unwrap();
    source.poll(moment(5), &mut rig.intake()).unwrap();
    let port = port(&client);
    let records = of_port(rig.records(6), port);
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    assert_eq!((record.src, record.dst), (net.addr(false, port), net.addr(true, 8_080)));
    let nat = record.nat.as_ref().unwrap();
    assert_eq!((nat.service, nat.masquerade), (Some(at("10.96.0.10", 80)), None));
    assert_eq!((record.state, record.sure), ("ESTABLISHED", true));
    assert_eq!(record.sources, [SourceKind::Conntrack]);
    assert_eq!(record.forward, record.forward_total);
    // Payload and 52 octets a segment: of segments there are as many as the kernel made.
    assert!(record.forward.octets >= 10_000 + 52 * record.forward.packets);
    assert!(record.forward.packets >= 3 && record.reverse.octets > 6);
    assert_eq!(source.line().why_not, None);
    drop((client, server));
}

/// Sockets of all namespaces, as seen from the node's.
fn sockets_of(net: &Net, rig: &mut Rig) -> Option<InetDiag> {
    let sockets = net.node.run(|| {
        let (interval, proc) = (Duration::from_millis(10), PathBuf::from("/proc"));
        InetDiag::probe(InetDiagPolicy {
            interval,
            ends: true,
            share: 20,
            sockets_max: 65_536,
            proc,
        })
        .1
    });
    let Some(mut sockets) = sockets else {
        eprintln!("SKIPPED sockets beside the table");
        return None;
    };
    sockets.poll(moment(0), &mut rig.intake()).unwrap();
    Some(sockets)
}

#[test]
fn loopback_that_is_tracked_is_one_flow_with_its_sockets() {
    let mut rig = Rig::new();
    let Some(net) = Net::new(70) else { return };
    let Some(mut source) = net.source(&mut rig) else { return };
    let Some(mut sockets) = sockets_of(&net, &mut rig) else { return };
    for (round, address) in ["127.0.0.1:0", "[::1]:0"].into_iter().enumerate() {
        let (client, mut server) = net.node.run(move || {
            let listener = TcpListener::bind(address).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (client, listener.accept().unwrap().0)
        });
        (&client).write_all(&[7; 10_000]).unwrap();
        server.read_exact(&mut [0; 10_000]).unwrap();
        let seconds = 10 * round as u64;
        source.drain(moment(seconds + 1), &mut rig.intake()).unwrap();
        // Asked for by itself, for no better source has told of it yet.
        let asked = source.told("entries_asked_for");
        source.poll(moment(seconds + 3), &mut rig.intake()).unwrap();
        assert!(source.told("entries_asked_for") > asked);
        sockets.poll(moment(seconds + 4), &mut rig.intake()).unwrap();
        (&client).write_all(&[7; 1_000]).unwrap();
        server.read_exact(&mut [0; 1_000]).unwrap();
        // And no more, once one has.
        let asked = source.told("entries_asked_for");
        source.poll(moment(seconds + 5), &mut rig.intake()).unwrap();
        assert_eq!(
            (source.told("entries_asked_for"), source.told("entries")),
            (asked, round as u64 + 1)
        );
        sockets.poll(moment(seconds + 6), &mut rig.intake()).unwrap();
        let ports = [port(&client), port(&server)];
        let all = rig.records(seconds + 7).into_iter();
        let records: Vec<Record> = all.filter(|r| ports.contains(&r.src.port)).collect();
        assert_eq!(octets(&records), [(11_000, 0)]);
        assert_eq!(records[0].sources, [SourceKind::InetDiag, SourceKind::Conntrack]);
        assert_eq!(records[0].nat, None);
    }
}

#[test]
fn sockets_and_the_table_tell_one_flow_of_a_service_masqueraded_or_not() {
    let mut rig = Rig::new();
    let Some(net) = Net::new(20) else { return };
    let Some(mut source) = net.source(&mut rig) else { return };
    let Some(mut sockets) = sockets_of(&net, &mut rig) else { return };
    // The server in its pod; masqueraded too; and the client itself, as a service's hairpin.
    let cases = [
        (&net.server, true, "10.96.0.10:80", false),
        (&net.server, true, "10.96.0.12:80", true),
        (&net.client, false, "10.96.0.11:80", true),
    ];
    let mut seconds = 1;
    for (pod, is_server, service, is_masqueraded) in cases {
        let ends = net.talk(pod, service);
        let port = port(&ends[0]);
        // Whichever comes first.
        source.drain(moment(seconds), &mut rig.intake()).unwrap();
        sockets.poll(moment(seconds + 5), &mut rig.intake()).unwrap();
        source.poll(moment(seconds + 6), &mut rig.intake()).unwrap();
        drop(ends);
        std::thread::sleep(Duration::from_millis(50));
        sockets.drain(moment(seconds + 7), &mut rig.intake()).unwrap();
        source.poll(moment(seconds + 12), &mut rig.intake()).unwrap();
        let all = rig.flushed(seconds + 13);
        let of_service = |record: &Record| record.src == net.addr(false, port);
        let records: Vec<Record> = all.into_iter().filter(of_service).collect();
        assert_eq!(records.len(), 1, "{service}: {records:?}");
        let record = &records[0];
        assert_eq!(record.dst, net.addr(is_server, 8_080), "{service}");
        assert_eq!(record.sources, [SourceKind::InetDiag, SourceKind::Conntrack]);
        assert!(record.src_side.is_some() && record.dst_side.is_some());
        let nat = record.nat.as_ref().unwrap();
        let (addr, service_port) = service.split_once(':').unwrap();
        assert_eq!(nat.service, Some(at(addr, service_port.parse().unwrap())));
        assert_eq!(nat.masquerade.is_some(), is_masqueraded);
        // Payload, and the peer's FIN where no look has seen the state that follows it.
        assert!((10_000..=10_001).contains(&record.forward.octets), "{record:?}");
        assert!((6..=7).contains(&record.reverse.octets));
        seconds += 300;
    }
}

#[test]
fn datagrams_to_a_service_are_one_flow_to_the_octet() {
    let mut rig = Rig::new();
    let Some(net) = Net::new(30) else { return };
    let Some(mut source) = net.source(&mut rig) else { return };
    let server = net.server.run(|| UdpSocket::bind("0.0.0.0:5353").unwrap());
    let client = net.client.run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    client.send_to(&[1; 40], "10.96.0.10:53").unwrap();
    let (_, from) = server.recv_from(&mut [0; 100]).unwrap();
    server.send_to(&[2; 500], from).unwrap();
    client.recv_from(&mut [0; 1_000]).unwrap();
    source.drain(moment(1), &mut rig.intake()).unwrap();
    source.poll(moment(5), &mut rig.intake()).unwrap();
    let port = client.local_addr().unwrap().port();
    let records = of_port(rig.records(6), port);
    assert_eq!(octets(&records), [(68, 528)]);
    assert_eq!(records[0].dst, net.addr(true, 5_353));
    let nat = records[0].nat.as_ref().unwrap();
    assert_eq!((nat.service, nat.zone), (Some(at("10.96.0.10", 53)), 9));
}

#[test]
fn a_connection_between_two_looks_is_told_with_its_counts_and_a_reused_port_is_another() {
    let mut rig = Rig::new();
    let Some(net) = Net::new(40) else { return };
    let Some(mut source) = net.source(&mut rig) else { return };
    let listener = net.server.run(|| TcpListener::bind("0.0.0.0:8080").unwrap());
    let local: SocketAddr = format!("{}:0", net.addr(false, 0).addr).parse().unwrap();
    let mut port = 0;
    for octets in [1_000, 2_000] {
        // The port of the first, again.
        let local = SocketAddr::new(local.ip(), port);
        let client = net.client.run(move || connect_from(local, "10.96.0.10:80"));
        port = self::port(&client);
        let (mut server, _) = listener.accept().unwrap();
        (&client).write_all(&vec![7; octets]).unwrap();
        server.read_exact(&mut vec![0; octets]).unwrap();
        // With a reset the port is free at once.
        sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
        drop(client);
        let _reset = server.read(&mut [0; 1]);
    }
    // The table would keep the second for ten seconds.
    net.node.sh("conntrack -D -p tcp >/dev/null 2>&1 || nft flush ruleset".to_owned());
    source.drain(moment(1), &mut rig.intake()).unwrap();
    if source.told("entries") > 0 {
        eprintln!("SKIPPED ends of connections: no `conntrack` here");
        return;
    }
    let records = of_port(rig.records(4), port);
    assert_eq!(records.len(), 2, "{records:?}");
    let sent: Vec<u64> = records.iter().map(|record| record.forward.octets).collect();
    assert!((1_000..2_000).contains(&sent[0]) && (2_000..3_000).contains(&sent[1]), "{sent:?}");
    for record in &records {
        assert_eq!(record.dst, net.addr(true, 8_080));
        assert_eq!((record.reason, record.state), (EndReason::EndOfFlow, "CLOSE"));
    }
}

fn connect_from(local: SocketAddr, to: &str) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &local).unwrap();
    connect(&socket, &to.parse::<SocketAddr>().unwrap()).unwrap();
    socket.into()
}

impl Conntrack {
    fn told(&self, what: &str) -> u64 {
        self.counts().into_iter().find(|(name, _)| *name == what).unwrap().1
    }
}

#[test]
fn lost_notifications_are_counted_and_made_up_for_by_a_dump() {
    let mut rig = Rig::new();
    let Some(net) = Net::new(50) else { return };
    let Some(mut source) = net.source(&mut rig) else { return };
    source.policy.entries_max = 1_000;
    let Some(Doors { events: Ok(events), .. }) = &source.own.doors else { panic!("no events") };
    sockopt::set_socket_recv_buffer_size(events.fd(), 1).unwrap();
    let server = net.server.run(|| UdpSocket::bind("0.0.0.0:5353").unwrap());
    let clients: Vec<UdpSocket> =
        net.client.run(|| (0..50).map(|_| UdpSocket::bind("0.0.0.0:0").unwrap()).collect());
    for client in &clients {
        client.send_to(&[1; 40], "10.96.0.10:53").unwrap();
        server.recv_from(&mut [0; 100]).unwrap();
    }
    source.drain(moment(2), &mut rig.intake()).unwrap();
    assert!(source.told("notifications_lost") > 0);
    let records = rig.records(7);
    let ours = |record: &&Record| record.dst == net.addr(true, 5_353);
    let told: Vec<u64> = records.iter().filter(ours).map(|record| record.forward.octets).collect();
    assert_eq!(told, [68; 50]);
}

#[test]
fn a_namespace_that_goes_takes_its_connections_with_it_and_loses_none() {
    let mut rig = Rig::new();
    let Some(net) = Net::new(60) else { return };
    let Some(there) = Namespace::new() else { return };
    let is_laid = there.sh(
        "ip link set lo up; echo 1 > /proc/sys/net/netfilter/nf_conntrack_acct
         nft 'table ip t { chain c { type filter hook output priority 0; ct state new counter; }; }'"
            .to_owned(),
    );
    let Some(mut source) = net.source_of_all(&mut rig).filter(|_| is_laid) else { return };
    let link = std::fs::read_link(format!("/proc/{}/ns/net", there.pid())).unwrap();
    let digits = |c: &char| c.is_ascii_digit();
    let number: u64 =
        link.to_string_lossy().chars().filter(digits).collect::<String>().parse().unwrap();
    let sockets = there.run(|| {
        let one = UdpSocket::bind("127.0.0.1:0").unwrap();
        one.connect(one.local_addr().unwrap()).unwrap();
        one
    });
    sockets.send(&[1; 72]).unwrap();
    let knows = |source: &Conntrack| source.others.as_ref().unwrap().spaces.contains_key(&number);
    source.poll(moment(40), &mut rig.intake()).unwrap();
    if !knows(&source) {
        eprintln!("SKIPPED other network namespaces: {:?}", source.counts());
        return;
    }
    sockets.send(&[1; 172]).unwrap();
    let process = there.pid();
    // It goes while it is read.
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        drop((there, sockets));
    });
    for _ in 0..200 {
        source.poll(moment(41), &mut rig.intake()).unwrap();
    }
    killer.join().unwrap();
    source.poll(moment(60), &mut rig.intake()).unwrap();
    assert!(!knows(&source), "the namespace of {process} is still held");
    let all = rig.flushed(61);
    let told: u64 = all
        .iter()
        .filter(|record| record.src.addr.to_ip().is_loopback() && record.proto == 17)
        .map(|record| record.forward.octets + record.reverse.octets)
        .filter(|octets| *octets == 300)
        .sum();
    assert_eq!(told, 300, "{all:?}");
}

#[test]
fn what_an_overlay_carries_is_told_and_its_outer_packets_are_not() {
    let mut rig = Rig::new();
    let Some(net) = Net::new(80) else { return };
    let Some(mut source) = net.source(&mut rig) else { return };
    let end = |own: u8, other: u8| {
        format!(
            "ip link add vx0 type vxlan id 42 local 198.18.81.{own} remote 198.18.81.{other} dstport 4789
             ip addr add 10.244.0.{own}/24 dev vx0; ip link set vx0 up"
        )
    };
    if !net.node.sh(end(1, 2)) || !net.server.sh(end(2, 1)) {
        eprintln!("SKIPPED an overlay: no VXLAN here");
        return;
    }
    let server = net.server.run(|| UdpSocket::bind("10.244.0.2:7000").unwrap());
    let client = net.node.run(|| UdpSocket::bind("10.244.0.1:0").unwrap());
    client.send_to(&[1; 40], "10.244.0.2:7000").unwrap();
    let (_, from) = server.recv_from(&mut [0; 100]).unwrap();
    server.send_to(&[2; 500], from).unwrap();
    client.recv_from(&mut [0; 1_000]).unwrap();
    source.drain(moment(1), &mut rig.intake()).unwrap();
    source.poll(moment(61), &mut rig.intake()).unwrap();
    assert!(source.told("entries_of_tunnels") >= 1, "{:?}", source.counts());
    let records = rig.flushed(62);
    assert!(records.iter().all(|record| record.dst.port != 4_789), "{records:?}");
    let port = client.local_addr().unwrap().port();
    assert_eq!(octets(&of_port(records, port)), [(68, 528)]);
}
