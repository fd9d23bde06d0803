use super::*;
use proptest::prelude::*;
use weir_testkit::Dice;

const EXPORTER: [u8; 4] = [192, 0, 2, 1];
const COLLECTOR: [u8; 4] = [192, 0, 2, 2];

fn be(value: usize) -> [u8; 2] {
    (value as u16).to_be_bytes()
}

fn udp(payload: &[u8]) -> Vec<u8> {
    [&be(2055), &be(4739), &be(payload.len() + 8), &[0, 0], payload].concat()
}

fn ipv4(proto: u8, id: u16, word: u16, payload: &[u8]) -> Vec<u8> {
    let total = be(payload.len() + 20);
    let (id, word) = (id.to_be_bytes(), word.to_be_bytes());
    [&[0x45, 0], &total[..], &id, &word, &[64, proto, 0, 0], &EXPORTER, &COLLECTOR, payload]
        .concat()
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let (source, destination) = ([0xfd; 16], [0xfe; 16]);
    let length = be(payload.len());
    [&[0x60, 0, 0, 0], &length[..], &[next, 64], &source, &destination, payload].concat()
}

fn ether(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[0; 12], &ether_type.to_be_bytes()[..], payload].concat()
}

/// A segment from the exporter's port 50000 to 4739.
fn tcp(sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let ports = [be(50_000), be(4739)].concat();
    let rest = [&[0x50, flags][..], &[0; 6]].concat();
    let segment = [&ports[..], &sequence.to_be_bytes(), &[0; 4], &rest, payload].concat();
    ether(0x0800, &ipv4(6, 0, 0, &segment))
}

/// A message with a body of `length - 16` octets.
fn message(length: usize, sequence: u8) -> Vec<u8> {
    let mut message =
        [&[0, 10][..], &be(length), &[0x65, 0x53, 0xf1, 0, 0, 0, 0, sequence]].concat();
    message.resize(length, sequence);
    message
}

/// A little-endian microsecond file, one second between frames.
fn pcap(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    for word in [0, 0, 65_535, link] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    for (second, frame) in frames.iter().enumerate() {
        for word in [second as u32, 7, frame.len() as u32, frame.len() as u32] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(frame);
    }
    file
}

fn read(file: &[u8]) -> (Vec<CapturedDatagram>, CaptureStats) {
    check_capture(file);
    let mut capture = Capture::new(file).unwrap();
    let datagrams = capture.by_ref().map(Result::unwrap).collect();
    (datagrams, capture.stats())
}

fn payloads(file: &[u8]) -> Vec<Vec<u8>> {
    read(file).0.into_iter().map(|datagram| datagram.payload).collect()
}

#[test]
fn datagrams_have_their_times_and_addresses() {
    let frame = ether(0x0800, &ipv4(17, 0, 0x4000, &udp(b"flows")));
    let padded = [frame, vec![0; 9]].concat();
    let (datagrams, stats) = read(&pcap(1, &[ether(0x0806, &[0; 28]), padded]));
    let expected = CapturedDatagram {
        at: Timestamp(1_000_007_000),
        source: "192.0.2.1:2055".parse().unwrap(),
        destination: "192.0.2.2:4739".parse().unwrap(),
        transport: Transport::Udp,
        session: SessionId(0),
        payload: b"flows".to_vec(),
    };
    assert_eq!(datagrams, [expected]);
    let expected = CaptureStats { frames: 2, datagrams: 1, other: 1, ..CaptureStats::default() };
    assert_eq!(stats, expected);
}

#[test]
fn every_link_type_leads_to_the_datagram() {
    let packet = ipv4(17, 0, 0, &udp(b"x"));
    let six = ipv6(17, &udp(b"x"));
    let tagged = ether(0x88a8, &[&[0, 5, 0x81, 0, 0, 6, 8, 0], &packet[..]].concat());
    let cooked = [&[0; 14], &[8, 0][..], &packet].concat();
    let cooked2 = [&[0x86, 0xdd][..], &[0; 18], &six].concat();
    let frames = [
        (0, [&[2, 0, 0, 0], &packet[..]].concat()),
        (108, [&[0, 0, 0, 24], &six[..]].concat()),
        (1, tagged),
        (1, ether(0x86dd, &ipv6(0, &[&[17, 0, 1, 4, 0, 0, 0, 0], &udp(b"x")[..]].concat()))),
        (101, packet.clone()),
        (101, six),
        (228, packet),
        (113, cooked),
        (276, cooked2),
    ];
    for (link, frame) in frames {
        assert_eq!(payloads(&pcap(link, &[frame])), [b"x"], "link {link}");
    }
    let (datagrams, stats) = read(&pcap(147, &[vec![1, 2, 3]]));
    assert_eq!((datagrams.len(), stats.unknown_link), (0, 1));
}

#[test]
fn byte_orders_and_resolutions_of_pcap() {
    let frame = ipv4(17, 0, 0, &udp(b"x"));
    let little = pcap(101, &[frame]);
    let swap = |file: &[u8]| {
        let mut file = file.to_vec();
        file[..4].reverse();
        file[4..6].reverse();
        file[6..8].reverse();
        for at in (8..40).step_by(4) {
            file[at..at + 4].reverse();
        }
        file
    };
    assert_eq!(read(&little), read(&swap(&little)));
    let mut nanos = little.clone();
    nanos[0] = 0x4d;
    nanos[1] = 0x3c;
    assert_eq!(read(&nanos).0[0].at, Timestamp(7));
    assert_eq!(read(&little).0[0].at, Timestamp(7_000));
}

fn block(is_little: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let word = |value: u32| if is_little { value.to_le_bytes() } else { value.to_be_bytes() };
    let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
    let length = word((body.len() + padding.len() + 12) as u32);
    [&word(kind), &length, body, &padding, &length].concat()
}

fn words(is_little: bool, words: &[u32]) -> Vec<u8> {
    let bytes = |w: &u32| if is_little { w.to_le_bytes() } else { w.to_be_bytes() };
    words.iter().flat_map(bytes).collect()
}

fn section(is_little: bool) -> Vec<u8> {
    block(is_little, 0x0a0d_0d0a, &words(is_little, &[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]))
}

fn interface(is_little: bool, link: u16, options: &[u8]) -> Vec<u8> {
    let link = if is_little { link.to_le_bytes() } else { link.to_be_bytes() };
    block(is_little, 1, &[&link[..], &[0, 0, 0, 0, 0, 0], options].concat())
}

#[test]
fn pcapng_sections_interfaces_and_resolutions() {
    let packet = ipv4(17, 0, 0, &udp(b"one"));
    let length = packet.len() as u32;
    let mut file = Vec::new();
    for is_little in [true, false] {
        let nanos = if is_little { [9, 0, 1, 0, 9, 0, 0, 0] } else { [0, 9, 0, 1, 9, 0, 0, 0] };
        let powers =
            if is_little { [9, 0, 1, 0, 0x8a, 0, 0, 0] } else { [0, 9, 0, 1, 0x8a, 0, 0, 0] };
        let enhanced = |interface: u32, ticks: u32| {
            let head = words(is_little, &[interface, 0, ticks, length, length]);
            block(is_little, 6, &[head, packet.clone()].concat())
        };
        file.extend(section(is_little));
        file.extend(interface(is_little, 101, &[]));
        file.extend(interface(is_little, 101, &nanos));
        file.extend(interface(is_little, 101, &powers));
        file.extend(block(is_little, 5, &[0; 8]));
        file.extend(enhanced(0, 1_500_000));
        file.extend(enhanced(1, 1_500_000));
        file.extend(enhanced(2, 1_536));
        file.extend(block(is_little, 3, &[words(is_little, &[length]), packet.clone()].concat()));
    }
    let times: Vec<_> = read(&file).0.iter().map(|datagram| datagram.at.0).collect();
    let section = [1_500_000_000, 1_500_000, 1_500_000_000, 1_500_000_000];
    assert_eq!(times, [section, section].concat());
}

#[test]
fn pcapng_errors_name_the_offset() {
    let first = section(true);
    let packet = block(true, 6, &words(true, &[0, 0, 0, 0, 0]));
    let error = |file: &[u8]| {
        let found = Capture::new(file).unwrap().find_map(Result::err);
        found.map(|error| error.to_string()).unwrap_or_default()
    };
    let expected = "block at offset 28: packet of no interface, or longer than its block";
    assert_eq!(error(&[first.clone(), packet].concat()), expected);
    let short = [first.clone(), vec![6, 0, 0, 0, 8, 0, 0, 0]].concat();
    assert_eq!(error(&short), "block at offset 28 has the impossible length 8");
    let huge = pcap(1, &[]).into_iter().chain([0xff; 16]).collect::<Vec<_>>();
    assert_eq!(error(&huge), "frame at offset 24 has the impossible length 4294967295");
    let refused = Capture::new(&b""[..]).err().map(|error| error.to_string());
    assert_eq!(refused.as_deref(), Some("is empty, or ends within its header"));
    let refused = Capture::new(&b"GIF89a"[..]).err().map(|error| error.to_string());
    let expected = "starts with [47, 49, 46, 38], which is no pcap, pcapng or IPFIX file";
    assert_eq!(refused.as_deref(), Some(expected));
}

#[test]
fn a_capture_that_ends_inside_a_packet_is_read_to_there() {
    let frame = ether(0x0800, &ipv4(17, 0, 0, &udp(b"flows")));
    let file = pcap(1, &[frame.clone(), frame]);
    for cut in [1, 20, 47, 50, 62] {
        let (datagrams, stats) = read(&file[..file.len() - cut]);
        assert_eq!((datagrams.len(), stats.truncated), (1, true), "{cut} octets cut");
    }
    assert!(!read(&file).1.truncated);
}

#[test]
fn fragments_are_joined_in_any_order() {
    let whole = udp(&(0..200).collect::<Vec<u8>>());
    let piece = |id: u16, at: usize, end: usize| {
        let more = if end < whole.len() { 0x2000 } else { 0 };
        ether(0x0800, &ipv4(17, id, more | (at / 8) as u16, &whole[at..end]))
    };
    let frames = [piece(1, 160, 208), piece(1, 0, 80), piece(2, 0, 80), piece(1, 80, 160)];
    let (datagrams, stats) = read(&pcap(1, &frames));
    assert_eq!((datagrams.len(), stats.fragments_lost), (1, 1));
    assert_eq!(datagrams[0].payload, whole[8..]);
    let six = |at: usize, end: usize| {
        let more = u16::from(end < whole.len());
        let header = [&[17, 0], &be(at | usize::from(more))[..], &[0, 0, 0, 9]].concat();
        ipv6(44, &[&header, &whole[at..end]].concat())
    };
    assert_eq!(payloads(&pcap(101, &[six(80, 208), six(0, 80)])), [&whole[8..]]);
}

#[test]
fn fragments_are_bounded_and_the_oldest_goes() {
    let first = |id: u16| ipv4(17, id, 0x2000, &udp(&[0; 8])[..16]);
    let frames: Vec<_> = (0..1_000).map(first).collect();
    let (datagrams, stats) = read(&pcap(101, &frames));
    assert_eq!((datagrams.len(), stats.fragments_lost), (0, 1_000));
}

#[test]
fn ipfix_over_tcp_is_cut_into_messages() {
    let stream = [message(40, 1), message(24, 2), message(16, 3)].concat();
    let isn = u32::MAX - 20;
    let part =
        |from: usize, to: usize| tcp(isn.wrapping_add(1 + from as u32), 0x18, &stream[from..to]);
    // Out of order, repeated, overlapping, and over the wrap of the sequence numbers.
    let frames =
        [tcp(isn, 0x02, &[]), part(0, 10), part(50, 80), part(0, 10), part(30, 60), part(10, 30)];
    let (datagrams, stats) = read(&pcap(1, &frames));
    let payloads: Vec<_> = datagrams.iter().map(|datagram| datagram.payload.clone()).collect();
    assert_eq!(payloads, [message(40, 1), message(24, 2), message(16, 3)]);
    assert!(datagrams.iter().all(|d| (d.transport, d.session) == (Transport::Tcp, SessionId(1))));
    assert_eq!(stats.stream_octets_lost, 0);
}

#[test]
fn a_tcp_connection_that_began_earlier_is_joined_at_a_message() {
    let frames = [
        tcp(500, 0x18, b"tail of a message"),
        tcp(517, 0x18, &message(20, 1)),
        tcp(537, 0x18, b"GET / HTTP/1.1"),
        tcp(600, 0x18, &message(16, 2)),
    ];
    let (datagrams, stats) = read(&pcap(1, &frames));
    assert_eq!(datagrams.len(), 2);
    assert_eq!(stats.stream_octets_lost, 17 + 14);
}

#[test]
fn a_file_of_messages_is_recognised() {
    let file = [message(20, 1), message(16, 2)].concat();
    let (datagrams, _) = read(&file);
    assert_eq!(datagrams.len(), 2);
    assert_eq!((datagrams[1].transport, &datagrams[1].payload), (Transport::File, &message(16, 2)));
    assert_eq!(datagrams[0].at, Timestamp::from_seconds(0x6553_f100));
    let (cut, stats) = read(&file[..30]);
    assert_eq!((cut.len(), stats.truncated), (1, true));
    let bad = [message(20, 1), vec![0, 9, 0, 16]].concat();
    let error = Capture::new(&bad[..]).unwrap().find_map(Result::err).unwrap().to_string();
    assert_eq!(error, "IPFIX message at offset 20 has the impossible length 16");
}

#[test]
fn captures_of_the_corpus_give_what_the_simple_reader_gives() {
    let Some(folder) = weir_testkit::corpus::corpus() else {
        return weir_testkit::corpus::skip_aloud("captures", "WEIR_CORPUS is not set");
    };
    let mut files = 0;
    for folder in ["corpus-sflow", "corpus-ovs", "corpus/goflow2", "corpus/tcpdump", "corpus/vflow"]
        .map(|name| folder.join(name))
    {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "pcap") {
                continue;
            }
            let file = std::fs::read(&path).unwrap();
            let simple = weir_testkit::capture::payloads(&file).unwrap();
            let simple: Vec<_> = simple.into_iter().map(|p| (p.at, p.source, p.octets)).collect();
            let ours: Vec<_> =
                read(&file).0.into_iter().map(|d| (d.at, d.source, d.payload)).collect();
            assert_eq!(ours, simple, "{}", path.display());
            files += 1;
        }
    }
    assert!(files > 20, "{files} files");
}

#[test]
fn damaged_captures_are_contained() {
    let stream = [message(40, 1), message(24, 2)].concat();
    let fragment = ether(0x0800, &ipv4(17, 1, 0x2000, &udp(&[0; 8])));
    let frames = [
        tcp(0, 2, &[]),
        tcp(1, 0x18, &stream),
        fragment,
        ether(0x0800, &ipv4(17, 0, 0, &udp(b"x"))),
    ];
    let mut next_generation = section(true);
    next_generation.extend(interface(true, 1, &[9, 0, 1, 0, 9, 0, 0, 0]));
    for frame in &frames {
        let length = frame.len() as u32;
        let head = words(true, &[0, 0, 9, length, length]);
        next_generation.extend(block(true, 6, &[head, frame.clone()].concat()));
    }
    let mut dice = Dice::new(0xca97);
    for file in [pcap(1, &frames), next_generation, stream] {
        for _ in 0..3_000 {
            let mut damaged = file.clone();
            (0..=dice.below(3)).for_each(|_| dice.damage(&mut damaged));
            check_capture(&damaged);
        }
    }
}

proptest! {
    #[test]
    fn any_octets_are_contained(octets in prop::collection::vec(any::<u8>(), 0..300), magic in 0usize..4) {
        let starts: [&[u8]; 4] = [&[0xd4, 0xc3, 0xb2, 0xa1], &[0x0a, 0x0d, 0x0d, 0x0a], &[0, 10], &[]];
        check_capture(&[starts[magic], &octets].concat());
    }
}
