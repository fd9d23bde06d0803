//! In a network namespace of the test's own, against the kernel. Skipped aloud without root.

use super::filter::tests::QUESTION;
use super::names::NamesTap;
use super::samples::Sampler;
use super::*;
use crate::cache::rows::Identity;
use crate::cache::{CachePolicy, FlowCache, Moment, Names};
use crate::owner::{OwnerPolicy, Owners};
use crate::source::{Intake, Source};
use crate::testing::{Namespace, pair};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;
use weir_model::columns::flows as c;
use weir_model::{Addr, FlowBatch, Table, Timestamp};

fn lab() -> Option<(Namespace, Namespace)> {
    let lab = pair();
    if lab.is_none() {
        eprintln!("SKIPPED packets in a network namespace: none can be made, or joined by `ip`");
    }
    lab
}

/// Segments and octets that the one socket of this thread's namespace has sent, by its own account.
fn socket() -> Option<(u64, u64)> {
    let output = Command::new("ss").args(["-tinH", "state", "fin-wait-2"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |name: &str| text.split_whitespace().find_map(|word| word.strip_prefix(name));
    Some((number("segs_out:")?.parse().ok()?, number("bytes_sent:")?.parse().ok()?))
}

struct Desk {
    cache: FlowCache,
    owners: Owners,
    counters: FlowBatch,
}

impl Desk {
    fn new() -> Desk {
        Desk {
            cache: FlowCache::new(CachePolicy::default()),
            owners: Owners::new(OwnerPolicy::default()),
            counters: FlowBatch::new(Table::Counters),
        }
    }

    fn poll(&mut self, source: &mut dyn Source) {
        let identity = Identity { addr: Addr::v4(0xc612_0001) };
        let Desk { cache, owners, counters } = self;
        let mut intake = Intake { cache, owners, counters, identity };
        let now = Moment { wall: Timestamp(1_700_000_000_000_000_000), mono: Duration::ZERO };
        source.poll(now, &mut intake).unwrap();
    }
}

fn rows<T>(sampler: &mut Sampler, each: impl Fn(&FlowBatch, usize) -> T) -> Vec<T> {
    let batch = sampler.rows().unwrap();
    batch.seal();
    (0..batch.rows()).map(|row| each(batch, row)).collect()
}

fn count(source: &dyn Source, name: &str) -> u64 {
    source.counts().iter().find(|(known, _)| *known == name).map(|(_, value)| *value).unwrap()
}

fn text(batch: &FlowBatch, column: weir_model::ColumnId, row: usize) -> String {
    String::from_utf8_lossy(batch.get_octets(column, row).unwrap_or_default()).into_owned()
}

const ALL: SamplingPolicy =
    SamplingPolicy { names: true, rows: true, rate: 1, loopback: false, header_octets: 128 };

#[test]
fn every_packet_of_a_transfer_is_a_sample_with_all_its_segments() {
    let Some((here, there)) = lab() else { return };
    const OCTETS: usize = 4 << 20;
    let (mut sampler, port, told) = here.within(|| {
        let mut sampler = Sampler::probe(ALL).1.unwrap();
        let listener = there.within(|| TcpListener::bind("198.18.0.2:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let reader = std::thread::spawn(move || {
            let mut server = listener.accept().unwrap().0;
            server.read_to_end(&mut Vec::new()).unwrap();
            server
        });
        let mut client = TcpStream::connect(("198.18.0.2", port)).unwrap();
        client.write_all(&vec![7; OCTETS]).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let server = reader.join().unwrap();
        let tries = (0..500).map(|_| std::thread::sleep(Duration::from_millis(20)));
        let told = tries.filter_map(|()| socket()).next();
        Desk::new().poll(&mut sampler);
        drop(server);
        (sampler, port, told)
    });
    let seen = rows(&mut sampler, |batch, row| {
        let number = |column| batch.get_u64(column, row).unwrap_or(0);
        let is_ours = number(c::DST_PORT) == u64::from(port);
        (is_ours, number(c::PACKETS), number(c::OCTETS), number(c::FRAME_LENGTH))
    });
    let (mut packets, mut octets) = (0, 0);
    for (_, more, on_wire, length) in seen.iter().filter(|(is_ours, ..)| *is_ours) {
        (packets, octets) = (packets + more, octets + on_wire);
        assert!(*length <= 1_518, "{length}");
    }
    assert_eq!(count(&sampler, "samples_lost"), 0, "nothing was lost");
    let (segments, sent) = told.unwrap();
    assert!(sent >= OCTETS as u64);
    assert_eq!(packets, segments, "what the socket has sent, to the packet");
    // Payload and, of each packet, Ethernet 14, IPv4 20, TCP 32, check sequence 4; the SYN has 8
    // octets of options more.
    assert_eq!(octets, sent + packets * 70 + 8);
    assert!(seen.len() < packets as usize / 4, "buffers of many segments were seen");
}

#[test]
fn a_sample_says_where_how_often_and_what() {
    let Some((here, there)) = lab() else { return };
    let mut sampler = here.within(|| {
        let there = there.within(|| UdpSocket::bind("198.18.0.2:53")).unwrap();
        let here = UdpSocket::bind("198.18.0.1:0").unwrap();
        // What was before is not in the pool.
        for _ in 0..100 {
            here.send_to(QUESTION, "198.18.0.2:53").unwrap();
            there.recv_from(&mut [0; 64]).unwrap();
        }
        let sampler = Sampler::probe(SamplingPolicy { rate: 2, ..ALL }).1.unwrap();
        for _ in 0..400 {
            here.send_to(QUESTION, "198.18.0.2:53").unwrap();
            let (_, from) = there.recv_from(&mut [0; 64]).unwrap();
            there.send_to(QUESTION, from).unwrap();
            here.recv_from(&mut [0; 64]).unwrap();
        }
        sampler
    });
    let mut desk = Desk::new();
    desk.poll(&mut sampler);
    let mut seen = rows(&mut sampler, |batch, row| {
        let number = |column| batch.get_u64(column, row).unwrap_or(u64::MAX);
        let place = (number(c::IN_IF), number(c::OUT_IF), number(c::SOURCE_INDEX));
        let sizes = (number(c::FRAME_LENGTH), number(c::OCTETS), number(c::PACKETS));
        let account = (number(c::SAMPLING_RATE), number(c::SAMPLE_DROPS), number(c::SAMPLE_POOL));
        (number(c::DST_PORT) == 53, place, sizes, account, text(batch, c::DNS_QUERY, row))
    });
    seen.retain(|(.., query)| query == "example.org");
    let length = 14 + 20 + 8 + QUESTION.len() as u64 + 4;
    let index = seen[0].1.2;
    for (is_outgoing, place, sizes, (rate, drops, pool), _) in &seen {
        let inside = u64::from(weir_wire::sflow5::INTERNAL_IF);
        let expected = if *is_outgoing { (inside, index, index) } else { (index, inside, index) };
        assert_eq!((*place, *sizes), (expected, (length, length, 1)));
        assert_eq!((*rate, *drops), (2, 0));
        // Both ends ask for each other's address, and tell of themselves by IPv6.
        assert!((800..840).contains(pool), "{pool} packets");
    }
    // 800 packets at 1 in 2: seven standard deviations are 99.
    assert!((301..500).contains(&seen.len()), "{} samples", seen.len());
}

#[test]
fn names_join_flows_with_the_time_that_answers_took() {
    let Some((here, there)) = lab() else { return };
    let (mut names, there, here) = here.within(|| {
        let names = NamesTap::probe(&ALL).1.unwrap();
        let there = there.within(|| UdpSocket::bind("198.18.0.2:53")).unwrap();
        (names, there, UdpSocket::bind("198.18.0.1:0").unwrap())
    });
    // The kernel stamps packets a while after it was asked to.
    let tries = (1..100).map(|number| {
        let mut question = QUESTION.to_vec();
        question[1] = number;
        here.send_to(&question, "198.18.0.2:53").unwrap();
        let (_, from) = there.recv_from(&mut [0; 64]).unwrap();
        std::thread::sleep(Duration::from_millis(30));
        question[2] = 0x81;
        there.send_to(&question, from).unwrap();
        here.recv_from(&mut [0; 64]).unwrap();
        here.send_to(&[0; 100], "198.18.0.2:5000").unwrap();
        names_of_exchange(&mut names, number.into(), here.local_addr().unwrap())
    });
    let told = tries.into_iter().find(|told| told.dns_latency_us.is_some()).unwrap();
    assert_eq!(
        (told.app.as_deref(), told.dns_query.as_deref()),
        (Some("dns"), Some("example.org"))
    );
    let latency = told.dns_latency_us.unwrap();
    assert!((30_000..30_000_000).contains(&latency), "{latency}");
}

/// The names of a question and its answer, the `number`th that are taken.
fn names_of_exchange(names: &mut NamesTap, number: u64, here: std::net::SocketAddr) -> Names {
    let mut desk = Desk::new();
    desk.poll(names);
    let counted = (count(names, "name_packets"), count(names, "names_told"));
    assert_eq!(counted, (2 * number, 2 * number));
    let flow = flow_between(here, "198.18.0.2:53".parse().unwrap());
    desk.cache.observe(&flow, Moment { wall: flow.first, mono: Duration::ZERO });
    desk.cache.flush(Moment { wall: flow.first, mono: Duration::ZERO });
    let record = desk.cache.take_records().remove(0);
    Names::clone(&record.names.unwrap())
}

fn flow_between(a: std::net::SocketAddr, b: std::net::SocketAddr) -> crate::cache::Observation {
    use crate::cache::{Initiator, Observation, SourceKind};
    use crate::endpoint::{Endpoint, FlowKey};
    let end = |at: std::net::SocketAddr| Endpoint { addr: at.ip().into(), port: at.port() };
    let (key, end) = FlowKey::new(0, 17, end(a), end(b));
    let at = Timestamp(1_700_000_000_000_000_000);
    let initiator = Initiator { end, sure: true };
    let mut seen = Observation::new(SourceKind::Conntrack, (key, end), initiator, (at, at));
    seen.sent.packets = 1;
    seen
}

#[test]
fn what_does_not_run_says_why() {
    let (tier, source) = NamesTap::probe(&SamplingPolicy { names: false, ..ALL });
    assert!(source.is_none() && !tier.runs && !tier.is_expected);
    assert_eq!(tier.why_not.as_deref(), Some("meter.names is off"));
    let (tier, source) = Sampler::probe(SamplingPolicy::default());
    assert!(source.is_none() && !tier.runs && !tier.is_expected);
    assert_eq!(tier.why_not.as_deref(), Some("meter.sample_rows is off"));
}

#[test]
fn what_is_lost_and_what_has_no_room_is_counted() {
    let Some((here, there)) = lab() else { return };
    let mut sampler = here.within(|| {
        let sampler = Sampler::probe(ALL).1.unwrap();
        let here = UdpSocket::bind("198.18.0.1:0").unwrap();
        // The first asks for the address of the other end; what it cannot tell is not sent.
        let _there = there.within(|| UdpSocket::bind("198.18.0.2:5000")).unwrap();
        for _ in 0..60_000 {
            here.send_to(&[7; 100], "198.18.0.2:5000").unwrap();
        }
        sampler
    });
    let mut desk = Desk::new();
    // 4,096 frames a look, and some 22,000 in the buffer; a frame may come between two readings.
    let balance = |sampler: &Sampler| {
        let counted = |name| count(sampler, name);
        let parts = ["samples", "samples_lost", "samples_unkept", "samples_elsewhere"];
        let known: u64 = parts.into_iter().map(counted).sum();
        counted("samples_passed") == known + counted("samples_unreadable")
    };
    let balanced = (0..500).any(|at| {
        desk.poll(&mut sampler);
        at > 60 && balance(&sampler)
    });
    assert!(balanced, "{:?}", sampler.counts());
    let counted = |name| count(&sampler, name);
    let (made, lost, unkept) =
        (counted("samples"), counted("samples_lost"), counted("samples_unkept"));
    assert_eq!(made, 16_384, "rows are bounded");
    assert!(lost > 0 && unkept > 0, "{lost} lost, {unkept} not kept");
    // Once rows were taken there is room again, and the next tells what was lost before it.
    sampler.rows().unwrap().clear();
    here.within(|| {
        let here = UdpSocket::bind("198.18.0.1:0").unwrap();
        here.send_to(&[7; 100], "198.18.0.2:5000").unwrap();
    });
    desk.poll(&mut sampler);
    let drops = rows(&mut sampler, |batch, row| batch.get_u64(c::SAMPLE_DROPS, row));
    assert_eq!(drops.last(), Some(&Some(lost + unkept)));
}
