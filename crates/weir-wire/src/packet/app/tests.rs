use super::*;
use crate::packet::{Link, dissect};
use proptest::prelude::*;
use weir_model::{Table, json};

/// IPv4 with TCP or UDP and a payload.
fn packet(proto: u8, src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    let mut octets = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    octets.extend(src.to_be_bytes());
    octets.extend(dst.to_be_bytes());
    match proto {
        // Twelve octets of options, as with time stamps.
        6 => octets
            .extend([0, 0, 0, 1, 0, 0, 0, 1, 0x80, 0x18, 0, 0, 0, 0, 0, 0].iter().chain(&[1; 12])),
        _ => octets.extend([0; 4]),
    }
    octets.extend(payload);
    octets
}

fn line(packet: &[u8]) -> String {
    let seen = dissect(Link::IPV4, packet);
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(1);
    seen.write_application(packet, &mut batch, 0);
    batch.seal();
    let mut line = Vec::new();
    json::write_row(&batch, 0, &mut line);
    let line = String::from_utf8(line).unwrap();
    line.replace("{\"kind\":\"flow\"", "").trim_matches([',', '}', '\n']).to_owned()
}

/// A question for `labels`, or its answer.
fn dns(flags: u16, labels: &[&[u8]], qtype: u16) -> Vec<u8> {
    let mut octets = vec![0xab, 0xcd];
    octets.extend(flags.to_be_bytes());
    octets.extend([0, 1, 0, 0, 0, 0, 0, 0]);
    for label in labels {
        octets.push(label.len() as u8);
        octets.extend_from_slice(label);
    }
    octets.push(0);
    octets.extend(qtype.to_be_bytes());
    octets.extend([0, 1]);
    octets
}

fn hello(extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([32].iter().chain(&[9; 32]));
    body.extend([0, 4, 0x13, 1, 0x13, 2, 1, 0]);
    let all: Vec<u8> = extensions
        .iter()
        .flat_map(|(kind, value)| {
            let length = value.len() as u16;
            [&kind.to_be_bytes()[..], &length.to_be_bytes(), value].concat()
        })
        .collect();
    body.extend((all.len() as u16).to_be_bytes());
    body.extend(all);
    let length = body.len() as u16;
    let mut octets = vec![0x16, 3, 1];
    octets.extend((length + 4).to_be_bytes());
    octets.extend([1, 0]);
    octets.extend(length.to_be_bytes());
    octets.extend(body);
    octets
}

const NAME: &[u8] = b"\0\x0e\0\0\x0bexample.org";
const OFFERS: &[u8] = b"\0\x0f\x02ZZ\x02\x0a\x0a\x02h2\x08http/1.1";

#[test]
fn dns_questions_and_answers_have_name_type_and_code() {
    let labels: [&[u8]; 3] = [b"wWw", b"Example", b"org"];
    let question = dns(0x0100, &labels, 28);
    let told = r#""app":"dns","dns_query":"www.example.org","dns_qtype":28"#;
    assert_eq!(line(&packet(17, 40_000, 53, &question)), told);
    let answer = dns(0x8183, &labels, 28);
    let failed = r#""app":"dns","dns_query":"www.example.org","dns_qtype":28,"dns_rcode":3"#;
    assert_eq!(line(&packet(17, 53, 40_000, &answer)), failed);
    let tcp = [&(question.len() as u16).to_be_bytes()[..], &question].concat();
    assert_eq!(line(&packet(6, 40_000, 53, &tcp)), told);
    let message = dns::message(&answer).unwrap();
    assert_eq!((message.id, message.is_response), (0xabcd, true));
    assert_eq!(line(&packet(17, 40_000, 54, &question)), "");
}

#[test]
fn odd_names_are_escaped_and_cut_names_are_not_told() {
    let odd = dns(0, &[b"a.b\\", b"\x07\xff_x"], 1);
    assert!(line(&packet(17, 1, 53, &odd)).contains(r#""a\\.b\\\\.\\007\\255_x""#));
    assert!(line(&packet(17, 1, 53, &dns(0, &[], 2))).contains(r#""dns_query":".","dns_qtype":2"#));
    let whole = dns(0, &[b"example", b"org"], 1);
    assert_eq!(line(&packet(17, 1, 53, &whole[..20])), r#""app":"dns""#);
    // The name is whole, its type is not.
    assert_eq!(line(&packet(17, 1, 53, &whole[..26])), r#""app":"dns","dns_query":"example.org""#);
    // A pointer to itself, which would be followed for ever.
    let pointer = [&whole[..12], &[0xc0, 12, 0, 1, 0, 1]].concat();
    assert_eq!(line(&packet(17, 1, 53, &pointer)), r#""app":"dns""#);
}

#[test]
fn answers_of_multicast_dns_have_no_question() {
    let mut answer = dns(0x8400, &[], 0);
    answer[5] = 0;
    assert_eq!(line(&packet(17, 5353, 5353, &answer)), r#""app":"mdns","dns_rcode":0"#);
    assert!(
        line(&packet(17, 50_000, 5355, &dns(0, &[b"host"], 1))).starts_with(r#""app":"llmnr""#)
    );
}

#[test]
fn hello_tells_server_and_offers_on_any_port() {
    let octets = hello(&[(0x0a0a, &[]), (0, NAME), (16, OFFERS)]);
    let told = r#""app":"tls","tls_sni":"example.org","tls_alpn":"h2,http/1.1""#;
    assert_eq!(line(&packet(6, 40_000, 8_443, &octets)), told);
    // Cut behind the name: the offers are not known. Cut before: TLS it is.
    let offers = octets.len() - OFFERS.len() - 1;
    let cut = packet(6, 40_000, 443, &octets[..offers]);
    assert_eq!(line(&cut), r#""app":"tls","tls_sni":"example.org""#);
    assert_eq!(line(&packet(6, 40_000, 443, &octets[..60])), r#""app":"tls""#);
    // A ServerHello is not one.
    let mut server = octets.clone();
    server[5] = 2;
    assert_eq!(line(&packet(6, 443, 40_000, &server)), "");
    // What the record does not hold is another's.
    let mut short = octets;
    short[3..5].copy_from_slice(&60u16.to_be_bytes());
    assert_eq!(line(&packet(6, 40_000, 443, &short)), r#""app":"tls""#);
}

#[test]
fn http_requests_and_responses() {
    let request =
        b"POST /a/b?token=secret HTTP/1.1\r\nAccept: */*\r\nhOST:  example.org:8080 \r\n\r\nx";
    let told =
        r#""app":"http","http_host":"example.org:8080","http_method":"POST","http_url":"/a/b""#;
    assert_eq!(line(&packet(6, 40_000, 8_080, request)), told);
    let response = b"HTTP/1.0 404 Not Found\r\nHost: no.example\r\n\r\n";
    assert_eq!(line(&packet(6, 80, 40_000, response)), r#""app":"http","http_status":404"#);
    // Cut in the target, then in the host.
    let cut = r#""app":"http","http_method":"POST""#;
    assert_eq!(line(&packet(6, 40_000, 80, &request[..9])), cut);
    assert_eq!(line(&packet(6, 40_000, 80, &request[..60])), format!(r#"{cut},"http_url":"/a/b""#));
    for other in [
        &b"GETX / HTTP/1.1\r\n"[..],
        b"GET x",
        b"HTTP/1.1 0xx",
        b"HTTP/1.1 20",
        b"POST 1 RTSP/1.0\r\n",
    ] {
        assert_eq!(line(&packet(6, 40_000, 80, other)), "", "{}", String::from_utf8_lossy(other));
    }
}

#[test]
fn padding_and_empty_segments_tell_nothing() {
    assert_eq!(dissect(Link::IPV4, &packet(6, 1, 443, &[])).payload_left, 0);
    assert_eq!(line(&packet(6, 1, 53, &[0; 6])), "");
}

/// What `openssl s_client -servername www.example.org -alpn h2,http/1.1` of OpenSSL 3.0 sends first.
const OPENSSL: &str = "160301014e0100014a03039822b0eed4edf37489bcee46604ac72e3b592ffb3a057778e80d90aa8201d7ed20\
     09d49213132f640b2465291bf71847844197e6afe538c8efdc5c8fe555a0e4e9003e130213031301c02cc030\
     009fcca9cca8ccaac02bc02f009ec024c028006bc023c0270067c00ac0140039c009c0130033009d009c003d\
     003c0035002f00ff010000c300000014001200000f7777772e6578616d706c652e6f7267000b000403000102\
     000a00160014001d0017001e0019001801000101010201030104002300000010000e000c0268320868747470\
     2f312e310016000000170000000d002a0028040305030603080708080809080a080b08040805080604010501\
     0601030303010302040205020602002b0009080304030303020301002d00020101003300260024001d0020e8\
     700f87a42a3e3412fe8f5ee63bc55715fc6a92cbba4cd43544ba6ade28bd1d";

#[test]
fn openssl_is_understood() {
    let digits = OPENSSL.as_bytes().chunks_exact(2);
    let octets: Vec<u8> = digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    assert_eq!(octets.len(), 339);
    let told = r#""app":"tls","tls_sni":"www.example.org","tls_alpn":"h2,http/1.1""#;
    assert_eq!(line(&packet(6, 40_000, 443, &octets)), told);
}

proptest! {
    #[test]
    fn damage_is_contained(which in 0usize..4, at: prop::sample::Index, octet: u8, cut: prop::sample::Index) {
        let mut octets = match which {
            0 => dns(0x8180, &[b"www", b"example"], 1),
            1 => hello(&[(0, NAME), (16, OFFERS)]),
            2 => b"GET /x HTTP/1.1\r\nHost: example.org\r\n\r\n".to_vec(),
            _ => b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        };
        *at.get_mut(&mut octets) = octet;
        octets.truncate(cut.index(octets.len() + 1));
        check(&octets);
        crate::check::check_packet(&packet(6, 1, 53, &octets));
        crate::check::check_packet(&packet(17, 1, 53, &octets));
    }

    #[test]
    fn names_come_back(labels in prop::collection::vec("[a-z0-9_-]{1,20}", 1..8)) {
        let octets: Vec<&[u8]> = labels.iter().map(|label| label.as_bytes()).collect();
        let message = dns::message(&dns(0, &octets, 1)).unwrap();
        let name = message.name.unwrap();
        prop_assert_eq!(String::from_utf8_lossy(name.as_bytes()), labels.join("."));
    }
}
