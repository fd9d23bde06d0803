use super::*;
use crate::cache::Record;
use crate::testing::{Bench, Capture, Namespace, pair, skip};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

fn source() -> Option<EbpfSockets> {
    source_of(1_024, ENDS_OCTETS)
}

fn source_of(peers_max: u32, ends_octets: u32) -> Option<EbpfSockets> {
    let interval = Duration::from_millis(10);
    let policy = EbpfSocketsPolicy { enabled: true, interval, share: 20, peers_max, ends_octets };
    let (tiers, source) = EbpfSockets::probe(policy, Types::read().as_ref());
    if source.is_none() {
        skip("sockets by eBPF", &tiers[0]);
    }
    source
}

fn of_port(records: Vec<Record>, port: u16) -> Vec<Record> {
    records.into_iter().filter(|r| r.src.port == port || r.dst.port == port).collect()
}

/// Reads to the end and gives the number of octets.
fn swallow(mut stream: TcpStream) -> u64 {
    std::io::copy(&mut stream, &mut std::io::sink()).unwrap()
}

fn settled(source: &mut EbpfSockets, bench: &mut Bench) {
    // The last packets are still on their way when the sockets' owners have let go.
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(60));
        source.poll(Bench::at(1), &mut bench.intake()).unwrap();
    }
}

/// Octets and packets of both directions of one transfer, by Weir and by the capture.
fn transfer(setup: &str, address: &'static str, octets: usize) -> Option<()> {
    let mut source = source()?;
    let Some((a, b)) = pair() else {
        eprintln!("SKIPPED exactness: this user may not make network namespaces");
        return None;
    };
    if !a.sh(setup.replace("DEV", "wa")) || !b.sh(setup.replace("DEV", "wb")) {
        eprintln!("SKIPPED exactness with `{setup}`: no ethtool, or it refused");
        return None;
    }
    let Some(capture) = Capture::start(&a, "wa") else {
        eprintln!("SKIPPED exactness: no tcpdump");
        return None;
    };
    let mut bench = Bench::new();
    source.poll(Bench::at(0), &mut bench.intake()).unwrap();
    let address_of = |address: &str| address.parse::<SocketAddr>().unwrap();
    let listener = b.listen(address);
    let mut client = a.connect(address);
    let (server, _) = listener.accept().unwrap();
    let reader = std::thread::spawn(move || swallow(server));
    client.write_all(&vec![7u8; octets]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(reader.join().unwrap(), octets as u64);
    // The server closed first its own direction, so the client's end is not TIME_WAIT's business.
    let local = client.local_addr().unwrap();
    swallow(client);
    settled(&mut source, &mut bench);
    let port = address_of(address).port();
    let truth = capture.finish(port);
    let records = of_port(bench.flush(), port);
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    assert_eq!((record.src.port, record.dst.port, record.sure), (local.port(), port, true));
    let by = |addr| truth.iter().find(|sum| sum.0 == addr).map(|sum| (sum.1, sum.2)).unwrap();
    let (forward, reverse) = (by(record.src.addr), by(record.dst.addr));
    assert_eq!((record.forward.packets, record.forward.octets), forward, "{setup}: forward");
    // Why: The last ACK of the end that closed first is sent for it by the kernel when its socket
    // is in TIME_WAIT, and belongs to no socket.
    let missed = (reverse.0 - record.reverse.packets, reverse.1 - record.reverse.octets);
    assert_eq!(missed, (0, 0), "{setup}: reverse");
    Some(())
}

#[test]
fn octets_and_packets_are_those_of_the_wire_when_the_sender_segments_late() {
    for address in ["198.18.0.2:7001", "[2001:db8::2]:7001"] {
        transfer("ethtool -K DEV tso off gso off gro off", address, 20 << 20);
    }
}

#[test]
fn octets_and_packets_are_those_of_the_wire_when_the_receiver_merges() {
    // Merging by the receiver's interface; the sender's segments one by one.
    transfer("ethtool -K DEV tso off gso off gro on", "198.18.0.2:7002", 20 << 20);
}

#[test]
fn datagrams_are_counted_by_remote_and_by_socket() {
    let Some(mut source) = source() else { return };
    let Some((a, b)) = pair() else {
        eprintln!("SKIPPED datagrams: this user may not make network namespaces");
        return;
    };
    let mut bench = Bench::new();
    let server = b.udp("198.18.0.2:7003");
    // One that is connected, two that are not.
    let connected = a.udp("198.18.0.1:0");
    connected.connect("198.18.0.2:7003").unwrap();
    let loose = [a.udp("198.18.0.1:0"), a.udp("198.18.0.1:0")];
    let ports = [&connected, &loose[0], &loose[1]].map(|s| s.local_addr().unwrap().port());
    let mut buffer = [0; 2_000];
    for n in 1..=300 {
        connected.send(&vec![1; n]).unwrap();
        loose[n % 2].send_to(&[2; 64], "198.18.0.2:7003").unwrap();
        for _ in 0..2 {
            let (length, from) = server.recv_from(&mut buffer).unwrap();
            server.send_to(&buffer[..length.min(10)], from).unwrap();
        }
    }
    source.poll(Bench::at(0), &mut bench.intake()).unwrap();
    drop((connected, loose, server));
    settled(&mut source, &mut bench);
    let records = of_port(bench.flush(), 7_003);
    let counts = |port: u16| {
        let of: Vec<&Record> = records.iter().filter(|r| r.src.port == port).collect();
        assert_eq!(of.len(), 1, "{port}: {records:?}");
        assert!(of[0].sure && of[0].src_side.is_some() && of[0].dst_side.is_some());
        (of[0].forward, of[0].reverse)
    };
    let count = |octets, packets| Count { octets, packets };
    let headers = 28;
    assert_eq!(
        counts(ports[0]),
        (count(300 * 301 / 2 + 300 * headers, 300), count(45 + 291 * 10 + 300 * headers, 300)),
    );
    for port in &ports[1..] {
        assert_eq!(counts(*port), (count(150 * 92, 150), count(150 * 38, 150)));
    }
}

#[test]
fn a_connection_of_milliseconds_has_its_process_which_is_gone() {
    let Some(mut source) = source() else { return };
    let Some(space) = Namespace::new() else {
        eprintln!("SKIPPED short connections: this user may not make network namespaces");
        return;
    };
    let listener = space.listen("127.0.0.1:7004");
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        swallow(stream)
    });
    let script = "exec 3<>/dev/tcp/127.0.0.1/7004; echo hello >&3";
    let pid = space.run(move || {
        let mut child = Command::new("bash").args(["-c", script]).spawn().unwrap();
        child.wait().unwrap();
        child.id()
    });
    assert_eq!(server.join().unwrap(), 6);
    let mut bench = Bench::new();
    settled(&mut source, &mut bench);
    let records = of_port(bench.flush(), 7_004);
    assert_eq!(records.len(), 1, "{records:?}");
    let owner = |side: &Option<crate::cache::Side>| side.as_ref().unwrap().owner.clone().unwrap();
    let (client, server) = (owner(&records[0].src_side), owner(&records[0].dst_side));
    assert_eq!((client.pid, client.comm.as_str()), (pid, "bash"));
    assert!(client.exe.as_deref().is_some_and(|exe| exe.ends_with("/bash")), "{client:?}");
    assert_eq!(client.parent_pid, Some(std::process::id()));
    assert_eq!(server.pid, std::process::id());
    assert_eq!(records[0].reason, crate::cache::EndReason::ForcedEnd);
}

#[test]
fn the_worker_that_serves_is_the_owner_and_older_sockets_have_theirs() {
    let Some(space) = Namespace::new() else {
        eprintln!("SKIPPED owners: this user may not make network namespaces");
        return;
    };
    // Older than metering: nobody saw who made it.
    let old = space.listen("127.0.0.1:7005");
    let old_client = space.connect("127.0.0.1:7005");
    let (mut old_server, _) = old.accept().unwrap();
    let Some(mut source) = source() else { return };
    let mut bench = Bench::new();
    old_server.write_all(b"hello").unwrap();

    // Accepted by this process, served by a child.
    let listener = space.listen("127.0.0.1:7006");
    let mut client = space.connect("127.0.0.1:7006");
    let (server, _) = listener.accept().unwrap();
    let socket: OwnedFd = server.into();
    let mut child = Command::new("cat")
        .stdin(socket)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("cat is everywhere");
    client.write_all(b"to the child").unwrap();
    settled(&mut source, &mut bench);
    let records = bench.flush();
    let side = |port: u16| {
        let of: Vec<&Record> = records.iter().filter(|r| r.dst.port == port).collect();
        assert_eq!(of.len(), 1, "{records:?}");
        of[0].dst_side.as_ref().unwrap().owner.as_ref().unwrap().pid
    };
    assert_eq!(side(7_006), child.id());
    assert_eq!(side(7_005), std::process::id());
    drop((client, old_client));
    child.wait().unwrap();
}

#[test]
fn retransmits_and_round_trips_are_those_of_the_socket() {
    let Some(mut source) = source() else { return };
    let Some((a, b)) = pair() else {
        eprintln!("SKIPPED health: this user may not make network namespaces");
        return;
    };
    // Segment by segment: of a few buffers of 45 segments none may be met.
    let is_lossy = a.sh("ethtool -K wa tso off gso off >/dev/null")
        && b.sh("nft add table inet f
         nft 'add chain inet f in { type filter hook input priority 0; }'
         nft add rule inet f in tcp dport 7007 numgen random mod 100 '<' 2 drop");
    if !is_lossy {
        eprintln!("SKIPPED health: no nft or no ethtool");
        return;
    }
    let mut bench = Bench::new();
    let listener = b.listen("198.18.0.2:7007");
    let mut client = a.connect("198.18.0.2:7007");
    let (server, _) = listener.accept().unwrap();
    let reader = std::thread::spawn(move || swallow(server));
    client.write_all(&vec![7u8; 3 << 20]).unwrap();
    // Told twice, so that deltas are summed.
    source.poll(Bench::at(1), &mut bench.intake()).unwrap();
    client.write_all(&vec![7u8; 3 << 20]).unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    let text = a.run(|| {
        let output = Command::new("ss").args(["-tniH", "dport", "=", ":7007"]).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    });
    source.poll(Bench::at(2), &mut bench.intake()).unwrap();
    let Ok(text) = text else {
        eprintln!("SKIPPED health: no ss");
        return;
    };
    let retransmits: u32 = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix("retrans:")?.split('/').nth(1)?.parse().ok())
        .unwrap_or(0);
    let records = of_port(bench.flush(), 7_007);
    let told = records[0].retransmits.unwrap();
    assert!(retransmits > 0 && told.abs_diff(retransmits) <= 1, "{told} told, {text}");
    let tcp = records[0].src_side.as_ref().unwrap().tcp;
    let (low, high) = (tcp.rtt_min_us.unwrap(), tcp.rtt_max_us.unwrap());
    assert!(low > 0 && low <= high && tcp.rtt_us.is_some(), "{tcp:?}");
    drop(client);
    reader.join().unwrap();
}

fn counted(source: &EbpfSockets, name: &str) -> u64 {
    source.counts().into_iter().find(|(of, _)| *of == name).unwrap().1
}

#[test]
fn a_full_ring_and_a_full_map_are_counted_and_metering_goes_on() {
    let Some(mut source) = source_of(16, 4_096) else { return };
    let Some(space) = Namespace::new() else {
        eprintln!("SKIPPED full maps: this user may not make network namespaces");
        return;
    };
    let listener = space.listen("127.0.0.1:7008");
    for _ in 0..100 {
        let client = space.connect("127.0.0.1:7008");
        let (server, _) = listener.accept().unwrap();
        drop((client, server));
    }
    let sender = space.udp("127.0.0.1:0");
    for port in 9_000..9_100 {
        // Nobody listens; the answer of that is no matter.
        let _refused = sender.send_to(b"x", ("127.0.0.1", port));
    }
    assert!(counted(&source, "ends_lost") > 0 && counted(&source, "peers_lost") > 0);
    let mut bench = Bench::new();
    source.poll(Bench::at(1), &mut bench.intake()).unwrap();
    bench.flush();
    let lost = counted(&source, "ends_lost");
    drop((space.connect("127.0.0.1:7008"), listener.accept().unwrap()));
    settled(&mut source, &mut bench);
    // Others' connections end at the same time on a machine that is in use.
    let own = of_port(bench.flush(), 7_008);
    assert!(!own.is_empty() || counted(&source, "ends_lost") > lost, "nothing was told");
}

#[test]
fn raw_sockets_and_the_kernel_s_own_are_no_flows_of_ports() {
    use rustix::net::{AddressFamily, SendFlags, SocketType, ipproto, sendto, socket};
    let Some(mut source) = source() else { return };
    let Some(space) = Namespace::new() else {
        eprintln!("SKIPPED raw sockets: this user may not make network namespaces");
        return;
    };
    let (netns, raw) = space.run(|| {
        // Nobody listens: the kernel refuses by a socket of its own.
        assert!(TcpStream::connect("127.0.0.1:7009").is_err());
        let raw = socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::TCP)).unwrap();
        let to = std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0);
        let mut reset = [0u8; 20];
        (reset[1], reset[12], reset[13]) = (7, 5 << 4, 4);
        sendto(&raw, &reset, SendFlags::empty(), &to).unwrap();
        (namespaces::own().unwrap() as u32, raw)
    });
    let mut bench = Bench::new();
    source.poll(Bench::at(0), &mut bench.intake()).unwrap();
    drop(raw);
    settled(&mut source, &mut bench);
    let records = bench.flush();
    let is_here = |record: &&Record| {
        let sides = [&record.src_side, &record.dst_side].into_iter().flatten();
        sides.into_iter().any(|side| side.netns == netns)
    };
    let here: Vec<&Record> = records.iter().filter(is_here).collect();
    assert_eq!(here.iter().map(|r| r.dst.port).collect::<Vec<_>>(), [7_009], "{here:?}");
}

#[test]
fn a_socket_that_connects_again_is_told_again() {
    use rustix::net::{AddressFamily, SocketType, connect, socket};
    let Some(mut source) = source() else { return };
    let Some(space) = Namespace::new() else {
        eprintln!("SKIPPED a second connection: this user may not make network namespaces");
        return;
    };
    let client = space.run(|| {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        let to: SocketAddr = "127.0.0.1:7010".parse().unwrap();
        assert!(connect(&socket, &to).is_err(), "nobody listens");
        socket
    });
    let listener = space.listen("127.0.0.1:7011");
    let to: SocketAddr = "127.0.0.1:7011".parse().unwrap();
    connect(&client, &to).unwrap();
    let (server, _) = listener.accept().unwrap();
    let mut client = TcpStream::from(client);
    client.write_all(&[7; 1_000]).unwrap();
    drop(client);
    assert_eq!(swallow(server), 1_000);
    let mut bench = Bench::new();
    settled(&mut source, &mut bench);
    let records = of_port(bench.flush(), 7_011);
    assert_eq!(records.len(), 1, "{records:?}");
    let side = records[0].src_side.as_ref().expect("the end that connected was seen");
    assert!((1_000..1_600).contains(&side.sent_total.octets), "{side:?}");
    assert_eq!(records[0].retransmits, Some(0));
}

#[test]
fn a_socket_of_udp_that_is_connected_again_counts_each_remote_by_itself() {
    let Some(mut source) = source() else { return };
    let Some(space) = Namespace::new() else {
        eprintln!("SKIPPED remotes: this user may not make network namespaces");
        return;
    };
    let [first, second] = ["127.0.0.1:7011", "127.0.0.1:7012"].map(|at| space.udp(at));
    let sender = space.udp("127.0.0.1:0");
    let local = sender.local_addr().unwrap().port();
    for (to, count) in [(&first, 3), (&second, 5), (&first, 7)] {
        sender.connect(to.local_addr().unwrap()).unwrap();
        (0..count).for_each(|_| assert_eq!(sender.send(&[7; 64]).unwrap(), 64));
    }
    let mut bench = Bench::new();
    settled(&mut source, &mut bench);
    let records = of_port(bench.flush(), local);
    let packets = |port: u16| {
        let of = records.iter().filter(|record| record.dst.port == port);
        of.map(|record| record.forward.packets).sum::<u64>()
    };
    assert_eq!((packets(7_011), packets(7_012)), (10, 5), "{records:?}");
}
