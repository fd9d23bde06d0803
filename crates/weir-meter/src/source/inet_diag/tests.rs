use super::message::{Socket, fin_received, state_name};
use super::table::Table;
use super::*;
use crate::cache::rows::Identity;
use crate::cache::{CachePolicy, EndReason, FlowCache, Record, Side};
use crate::endpoint::Endpoint;
use crate::netlink::messages;
use crate::owner::{OwnerPolicy, Owners};
use proptest::prelude::*;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use weir_model::{Addr, FlowBatch, Table as ModelTable, Timestamp};

/// Recorded on Linux 6.18: a connection of 100,000 octets one way and 777 the other, whose opener
/// has closed its direction.
const RECORDED: [&[u8]; 4] = [
    include_bytes!("../../../tests/fixtures/linux-6.18-v4-opener.nlmsg"),
    include_bytes!("../../../tests/fixtures/linux-6.18-v4-acceptor.nlmsg"),
    include_bytes!("../../../tests/fixtures/linux-6.18-v6-opener.nlmsg"),
    include_bytes!("../../../tests/fixtures/linux-6.18-v6-acceptor.nlmsg"),
];

fn recorded(octets: &[u8]) -> Socket {
    let message = messages(octets).next().unwrap().unwrap();
    Socket::read(message.body).unwrap()
}

#[test]
fn recorded_sockets_have_their_endpoints_states_and_counts() {
    let [opener, acceptor, opener6, acceptor6] = RECORDED.map(recorded);
    let at = |addr: &str, port| Endpoint { addr: addr.parse().unwrap(), port };
    assert_eq!((opener.local, opener.remote), (at("127.0.0.1", 48090), at("127.0.0.1", 48080)));
    assert_eq!((acceptor6.local, acceptor6.remote), (at("::1", 48080), at("::1", 48090)));
    assert_eq!(state_name(opener.state), Some("FIN_WAIT2"));
    assert_eq!(state_name(acceptor.state), Some("CLOSE_WAIT"));
    let (info, peer) = (opener.info.unwrap(), acceptor.info.unwrap());
    assert_eq!((info.bytes_sent, info.bytes_received), (Some(100_000), Some(777)));
    // The SYN and the FIN count as octets in these two, as the docs of the fields say.
    assert_eq!(info.bytes_acked, Some(100_002));
    assert_eq!((peer.bytes_sent, peer.bytes_received), (Some(777), Some(100_001)));
    assert!(fin_received(acceptor.state) && !fin_received(opener.state));
    assert_eq!((info.total_retrans, info.state), (Some(0), Some(opener.state)));
    assert!(info.rtt.unwrap() > 0 && info.accecn_opt_seen.is_some());
    assert_ne!((opener.cookie, opener.inode), (acceptor.cookie, 0));
    assert_eq!(opener6.info.unwrap().bytes_sent, Some(100_000));
}

proptest! {
    #[test]
    fn damage_to_a_recording_is_contained(
        which in 0usize..4,
        wounds in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut octets = RECORDED[which].to_vec();
        for (at, octet) in wounds {
            *at.get_mut(&mut octets) = octet;
        }
        octets.truncate(cut.index(octets.len()) + 1);
        let mut table = Table::new(0, 0);
        table.begin_dump(4);
        let mut bench = Bench::new();
        for message in messages(&octets).flatten() {
            if let Some(socket) = Socket::read(message.body) {
                let now = bench.at(1);
                table.seen(&socket, false, now, &mut bench.intake());
                table.destroyed(&socket, now, &mut bench.intake());
            }
        }
    }
}

const MAX: usize = 16;

/// Everything that a source needs, without the machine's owners.
struct Bench {
    cache: FlowCache,
    owners: Owners,
    counters: FlowBatch,
}

impl Bench {
    fn new() -> Bench {
        let policy = OwnerPolicy { proc: "/nonexistent".into(), ..OwnerPolicy::default() };
        Bench::with(policy)
    }

    fn with(owners: OwnerPolicy) -> Bench {
        Bench {
            cache: FlowCache::new(CachePolicy::default()),
            owners: Owners::new(owners),
            counters: FlowBatch::new(ModelTable::Counters),
        }
    }

    fn intake(&mut self) -> Intake<'_> {
        Intake {
            cache: &mut self.cache,
            owners: &mut self.owners,
            counters: &mut self.counters,
            identity: Identity { addr: Addr::v4(1) },
        }
    }

    fn at(&self, seconds: u64) -> Moment {
        let mono = Duration::from_secs(seconds);
        Moment { wall: Timestamp::from_seconds(1_800_000_000).plus(mono), mono }
    }

    fn records(&mut self, seconds: u64) -> Vec<Record> {
        let now = self.at(seconds);
        self.cache.expire(now);
        self.cache.take_records()
    }
}

fn socket_of(mut base: Socket, sent: u64, received: u64, state: u8) -> Socket {
    let info = base.info.as_mut().unwrap();
    (info.bytes_sent, info.bytes_received) = (Some(sent), Some(received));
    base.state = state;
    base
}

#[test]
fn both_ends_of_a_loopback_connection_are_one_flow_from_the_opener_to_the_listener() {
    let [opener, acceptor, ..] = RECORDED.map(recorded);
    for order in [[opener, acceptor], [acceptor, opener]] {
        let (mut table, mut bench) = (Table::new(0, 0), Bench::new());
        table.begin_dump(MAX);
        table.listener(&Socket { remote: Endpoint { addr: Addr(0), port: 0 }, ..acceptor });
        let now = bench.at(0);
        for socket in order {
            table.seen(&socket, false, now, &mut bench.intake());
        }
        table.end_dump(now, &mut bench.intake());
        for socket in order {
            table.destroyed(&Socket { state: 7, ..socket }, now, &mut bench.intake());
        }
        let records = bench.records(2);
        assert_eq!(records.len(), 1);
        let record = &records[0];
        assert_eq!((record.src, record.dst, record.sure), (opener.local, acceptor.local, true));
        assert_eq!((record.forward.octets, record.reverse.octets), (100_000, 777));
        assert_eq!(record.reason, EndReason::EndOfFlow);
    }
}

#[test]
fn the_peers_fin_is_no_octet_when_its_state_was_seen() {
    let acceptor = recorded(RECORDED[1]);
    let (mut table, mut bench) = (Table::new(0, 0), Bench::new());
    table.begin_dump(MAX);
    let now = bench.at(0);
    table.seen(&acceptor, false, now, &mut bench.intake());
    table.end_dump(now, &mut bench.intake());
    table.destroyed(&Socket { state: 7, ..acceptor }, now, &mut bench.intake());
    let records = bench.records(2);
    assert_eq!(records[0].forward.octets.max(records[0].reverse.octets), 100_000);
}

#[test]
fn history_before_metering_is_in_totals_alone() {
    let opener = recorded(RECORDED[0]);
    let (mut table, mut bench) = (Table::new(0, 0), Bench::new());
    table.begin_dump(MAX);
    let now = bench.at(0);
    table.seen(&socket_of(opener, 1_000, 5, 1), true, now, &mut bench.intake());
    table.end_dump(now, &mut bench.intake());
    let now = bench.at(1);
    table.seen(&socket_of(opener, 1_400, 5, 1), false, now, &mut bench.intake());
    let records = bench.records(5);
    assert_eq!((records[0].forward.octets, records[0].forward_total.octets), (400, 1_400));
    assert_eq!((records[0].reverse.octets, records[0].reverse_total.octets), (0, 5));
}

#[test]
fn a_flow_that_left_the_cache_goes_on_without_telling_an_octet_twice() {
    let opener = recorded(RECORDED[0]);
    let (mut table, mut bench) = (Table::new(0, 0), Bench::new());
    let mut octets = 0;
    for (second, sent) in [(0, 100), (1, 100), (20, 100), (21, 150), (40, 150), (41, 170)] {
        table.begin_dump(MAX);
        let now = bench.at(second);
        table.seen(&socket_of(opener, sent, 0, 1), false, now, &mut bench.intake());
        table.end_dump(now, &mut bench.intake());
        octets += bench.records(second).iter().map(|r| r.forward.octets).sum::<u64>();
    }
    let now = bench.at(42);
    bench.cache.flush(now);
    octets += bench.cache.take_records().iter().map(|r| r.forward.octets).sum::<u64>();
    assert_eq!((octets, bench.cache.counts().begun), (170, 3));
}

#[test]
fn a_socket_that_two_dumps_miss_is_gone() {
    let opener = recorded(RECORDED[0]);
    let (mut table, mut bench) = (Table::new(0, 0), Bench::new());
    for second in 0..3 {
        table.begin_dump(1);
        let now = bench.at(second);
        if second == 0 {
            table.seen(&opener, false, now, &mut bench.intake());
            let other = Socket { cookie: 1, ..opener };
            table.seen(&other, false, now, &mut bench.intake());
            assert_eq!(table.counts().untracked, 1);
        }
        table.end_dump(now, &mut bench.intake());
        assert_eq!(table.counts().sockets, u64::from(second < 2));
    }
    assert_eq!((table.counts().vanished, bench.records(4)[0].reason), (1, EndReason::EndOfFlow));
}

#[test]
fn an_opened_connection_is_told_apart_by_its_state_or_its_port() {
    let base = recorded(RECORDED[0]);
    for (state, port, src_port, sure) in
        [(1, 48090, 48090, false), (1, 40000, 48080, false), (SYN_SENT, 40000, 40000, true)]
    {
        let (mut table, mut bench) = (Table::new(0, 0), Bench::new());
        table.begin_dump(MAX);
        let local = Endpoint { port, ..base.local };
        let now = bench.at(0);
        table.seen(
            &Socket { local, ..socket_of(base, 1, 1, state) },
            false,
            now,
            &mut bench.intake(),
        );
        let record = &bench.records(5)[0];
        assert_eq!((record.src.port, record.sure), (src_port, sure), "{state} {port}");
    }
}
const SYN_SENT: u8 = 2;

/// The source on this machine's own sockets.
fn source() -> Option<InetDiag> {
    let (interval, proc) = (Duration::from_millis(10), PathBuf::from("/proc"));
    let policy = InetDiagPolicy { interval, share: 20, ends: true, sockets_max: 65_536, proc };
    let (tiers, source) = InetDiag::probe(policy);
    if source.is_none() {
        eprintln!("SKIPPED sockets of this machine: {tiers:?}");
    }
    source
}

fn poll_until(
    source: &mut InetDiag,
    bench: &mut Bench,
    mut found: impl FnMut(&mut Bench) -> Option<Record>,
) -> Record {
    for _ in 0..2_000 {
        let now = Moment { mono: bench.at(0).mono, ..bench.at(0) };
        source.poll(now, &mut bench.intake()).unwrap();
        if let Some(record) = found(bench) {
            return record;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the flow was not seen");
}

fn pair(address: &str) -> (TcpStream, TcpStream, SocketAddr, SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let ends = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    // Why: The listener goes with this function, so directions are those of ports from here on,
    // unless the source has seen it; the caller keeps another one where that matters.
    (client, server, ends.0, ends.1)
}

/// What an end has sent is the payload, and more where segments were sent again: a machine under
/// load does that within itself too. What the other end has received is the payload in any case.
fn assert_sent(by: &Side, to: &Side, octets: u64) {
    assert_eq!(to.received_total.octets, octets);
    match by.retransmits {
        0 => assert_eq!(by.sent_total.octets, octets),
        _ => assert!(by.sent_total.octets >= octets),
    }
}

fn of_ports(record: &Record, ports: [u16; 2]) -> bool {
    let mut own = [record.src.port, record.dst.port];
    let mut other = ports;
    own.sort_unstable();
    other.sort_unstable();
    own == other
}

#[test]
fn what_was_sent_over_loopback_is_what_is_told_with_its_process() {
    let Some(mut source) = source() else { return };
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut bench = Bench::with(OwnerPolicy::default());
        let now = bench.at(0);
        source.poll(now, &mut bench.intake()).unwrap();
        let (mut client, mut server, local, remote) = pair(address);
        let ports = [local.port(), remote.port()];
        let writer = std::thread::spawn(move || {
            client.write_all(&[7; 300_000]).unwrap();
            let mut back = vec![0; 4_321];
            client.read_exact(&mut back).unwrap();
            client
        });
        let mut octets = vec![0; 300_000];
        server.read_exact(&mut octets).unwrap();
        server.write_all(&[8; 4_321]).unwrap();
        let client = writer.join().unwrap();
        let record = poll_until(&mut source, &mut bench, |bench| {
            let now = bench.at(6);
            bench.cache.expire(now);
            let records = bench.cache.take_records();
            let found = records.into_iter().find(|record| of_ports(record, ports))?;
            let has_owner =
                |side: &Option<Side>| side.as_ref().is_some_and(|side| side.owner.is_some());
            (has_owner(&found.src_side) && has_owner(&found.dst_side)).then_some(found)
        });
        let (by, to) = (record.src_side.as_ref().unwrap(), record.dst_side.as_ref().unwrap());
        let (client_side, server_side) = match record.src.port == local.port() {
            true => (by, to),
            false => (to, by),
        };
        assert_sent(client_side, server_side, 300_000);
        assert_sent(server_side, client_side, 4_321);
        assert_eq!(record.forward_total, by.sent_total);
        assert!(by.sent_total.packets > 1 && to.sent_total.packets > 1);
        let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
        for side in [&record.src_side, &record.dst_side] {
            let side = side.as_ref().unwrap();
            let owner = side.owner.as_ref().unwrap();
            assert_eq!((owner.pid, owner.comm.as_str()), (std::process::id(), comm.trim()));
            assert_eq!((side.state, side.tcp.rtt_us.is_some()), ("ESTABLISHED", true));
            let (uid, _) = side.user.as_ref().unwrap();
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            assert!(status.contains(&format!("\nUid:\t{uid}\t")));
        }
        client.shutdown(Shutdown::Both).unwrap();
    }
}

#[test]
fn a_connection_shorter_than_the_interval_is_told_at_its_end() {
    let Some(mut source) = source() else { return };
    if source.own.doors.destroyed.is_err() {
        eprintln!("SKIPPED ends of connections: the kernel does not tell them to this user");
        return;
    }
    let mut bench = Bench::new();
    let now = bench.at(0);
    source.poll(now, &mut bench.intake()).unwrap();
    let (mut client, mut server, local, remote) = pair("127.0.0.1:0");
    client.write_all(&[1; 5_000]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut octets = Vec::new();
    server.read_to_end(&mut octets).unwrap();
    server.write_all(&[2; 60]).unwrap();
    drop(server);
    let mut back = Vec::new();
    client.read_to_end(&mut back).unwrap();
    drop(client);
    let ports = [local.port(), remote.port()];
    // The ends are told one after the other.
    for _ in 0..2_000 {
        let now = bench.at(0);
        source.drain(now, &mut bench.intake()).unwrap();
        if source.own.table_counts().short >= 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut found = None;
    for _ in 0..20 {
        let now = bench.at(0);
        source.drain(now, &mut bench.intake()).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    for _ in 0..2_000 {
        let now = bench.at(0);
        source.drain(now, &mut bench.intake()).unwrap();
        let now = bench.at(2);
        bench.cache.expire(now);
        let records = bench.cache.take_records();
        found = found.or(records.into_iter().find(|record| of_ports(record, ports)));
        if found.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let record = found.expect("the kernel tells of both ends");
    let (src, dst) = (record.src_side.as_ref().unwrap(), record.dst_side.as_ref().unwrap());
    let (of_client, of_server) =
        if record.src.port == local.port() { (src, dst) } else { (dst, src) };
    // The peer's FIN is an octet to an end whose last states no dump has seen.
    assert_eq!((of_server.received_total.octets, of_client.received_total.octets), (5_001, 61));
    for (side, octets) in [(of_client, 5_000), (of_server, 60)] {
        assert!(side.sent_total.octets == octets || side.retransmits > 0, "{side:?}");
    }
    assert_eq!(record.reason, EndReason::EndOfFlow);
    assert!(source.own.table_counts().short >= 2);
}

#[test]
fn a_connection_between_two_namespaces_is_one_flow_of_both_ends() {
    let Some(mut source) = source() else { return };
    let Some((a, b)) = source.others.as_ref().and_then(|_| crate::testing::pair()) else {
        eprintln!(
            "SKIPPED other network namespaces: this user may not enter them, no `ip` or no veth"
        );
        return;
    };
    let mut bench = Bench::with(OwnerPolicy::default());
    let now = bench.at(0);
    source.poll(now, &mut bench.intake()).unwrap();
    assert!(source.counts().contains(&("namespaces_refused", 0)), "{:?}", source.counts());
    let listener = b.run(|| TcpListener::bind("198.18.0.2:0").unwrap());
    let address = listener.local_addr().unwrap();
    let mut client = a.run(move || TcpStream::connect(address).unwrap());
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(&[7; 10_000]).unwrap();
    let mut octets = vec![0; 10_000];
    server.read_exact(&mut octets).unwrap();
    server.write_all(b"thanks").unwrap();
    client.read_exact(&mut octets[..6]).unwrap();
    let ports = [address.port(), client.local_addr().unwrap().port()];
    let record = poll_until(&mut source, &mut bench, |bench| {
        let now = bench.at(6);
        bench.cache.expire(now);
        let records = bench.cache.take_records();
        records.into_iter().find(|record| of_ports(record, ports) && record.src_side.is_some())
    });
    assert_eq!((record.dst.port, record.sure), (address.port(), true));
    let (by, to) = (record.src_side.as_ref().unwrap(), record.dst_side.as_ref().unwrap());
    assert_sent(by, to, 10_000);
    assert_sent(to, by, 6);

    // The namespaces go with their last process, and their flows with them.
    let gone = [&a, &b].map(|space| space.run(|| namespaces::own().unwrap()));
    let known = |source: &InetDiag| {
        let spaces = &source.others.as_ref().unwrap().spaces;
        gone.iter().filter(|number| spaces.contains_key(number)).count()
    };
    assert_eq!(known(&source), 2);
    drop((client, server, listener, a, b));
    let now = bench.at(60);
    source.poll(now, &mut bench.intake()).unwrap();
    assert_eq!(known(&source), 0);
}
