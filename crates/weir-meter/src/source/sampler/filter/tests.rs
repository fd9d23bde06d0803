use super::*;
use weir_wire::packet::{Link, dissect};

/// What goes with a frame.
#[derive(Clone, Copy)]
struct Beside {
    protocol: u32,
    kind: u8,
    hardware: u16,
    random: u32,
}

const BESIDE_V4: Beside = Beside { protocol: 0x0800, kind: 0, hardware: ETHERNET, random: 0 };

/// Runs a program as the kernel would.
fn run(program: &[Instruction], frame: &[u8], beside: Beside) -> u32 {
    let (mut a, mut x, mut at) = (0u32, 0u32, 0usize);
    let load = |offset: u32, width: usize| {
        let octets = frame.get(offset as usize..offset as usize + width)?;
        Some(octets.iter().fold(0u32, |sum, octet| sum << 8 | u32::from(*octet)))
    };
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let loaded = match (code, k) {
            (LOAD_WORD, PROTOCOL) => Some(beside.protocol),
            (LOAD_WORD, KIND) => Some(beside.kind.into()),
            (LOAD_WORD, HARDWARE) => Some(beside.hardware.into()),
            (LOAD_WORD, RANDOM) => Some(beside.random),
            (LOAD_WORD, _) => load(k, 4),
            (LOAD_HALF, _) => load(k, 2),
            (LOAD_OCTET, _) => load(k, 1),
            (LOAD_WORD_X, _) => load(x + k, 4),
            (LOAD_HALF_X, _) => load(x + k, 2),
            (LOAD_OCTET_X, _) => load(x + k, 1),
            (SET_X, _) => {
                x = k;
                Some(a)
            }
            (IP_LENGTH_X, _) => {
                let Some(octet) = load(k, 1) else { return 0 };
                x = (octet & 15) * 4;
                Some(a)
            }
            (JUMP_EQ | JUMP_GT | JUMP_ANY, _) => {
                let yes = match code {
                    JUMP_EQ => a == k,
                    JUMP_GT => a > k,
                    _ => a & k != 0,
                };
                at += usize::from(if yes { jt } else { jf });
                Some(a)
            }
            (ADD_X, _) => Some(a.wrapping_add(x)),
            (SHIFT_LEFT, _) => Some(a << k),
            (SHIFT_RIGHT, _) => Some(a >> k),
            (A_TO_X, _) => {
                x = a;
                Some(a)
            }
            (RETURN, _) => return k,
            _ => panic!("unknown instruction {code:#x}"),
        };
        let Some(value) = loaded else { return 0 };
        a = value;
    }
}

/// Ethernet, IP and TCP or UDP with a payload, IPv4 with four octets of options if so wanted.
pub(in crate::source::sampler) fn frame(
    is_v6: bool,
    proto: u8,
    (src, dst): (u16, u16),
    payload: &[u8],
) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    if is_v6 {
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 60, proto, 64]);
        frame.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        frame.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    } else {
        frame.extend([8, 0, 0x46, 0, 0, 0, 0, 1, 0x40, 0, 64, proto, 0, 0]);
        frame.extend([192, 0, 2, 1, 192, 0, 2, 2, 1, 1, 1, 1]);
    }
    frame.extend(src.to_be_bytes());
    frame.extend(dst.to_be_bytes());
    match proto {
        6 => frame.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x60, 0x18, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]),
        _ => frame.extend([0; 4]),
    }
    frame.extend(payload);
    frame
}

pub(in crate::source::sampler) const QUESTION: &[u8] =
    b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03org\0\0\x01\0\x01";

fn payloads() -> Vec<(u8, (u16, u16), Vec<u8>)> {
    let mut hello = vec![0x16, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3];
    hello.extend([0; 53]);
    let over_tcp = [&[0, QUESTION.len() as u8], QUESTION].concat();
    let http = |text: &str| (6, (40_000, 8_080), text.as_bytes().to_vec());
    vec![
        (17, (40_000, 53), QUESTION.to_vec()),
        (17, (53, 40_000), QUESTION.to_vec()),
        (17, (5_353, 5_353), QUESTION.to_vec()),
        (17, (40_000, 5_355), QUESTION.to_vec()),
        (6, (40_000, 53), over_tcp),
        (6, (40_000, 8_443), hello),
        http("GET / HTTP/1.1\r\n\r\n"),
        http("PUT /x HTTP/1.1\r\n\r\n"),
        http("PATCH /x HTTP/1.1\r\n\r\n"),
        http("HTTP/1.1 200 OK\r\n\r\n"),
        // None of these tells a name.
        (17, (40_000, 54), QUESTION.to_vec()),
        (17, (40_000, 53), Vec::new()),
        (6, (40_000, 53), Vec::new()),
        (6, (40_000, 443), vec![0x16, 3, 3, 0, 60, 2, 0, 0, 56, 3, 3]),
        (6, (40_000, 443), vec![0x17; 60]),
        (6, (40_000, 80), Vec::new()),
        (1, (0x0800, 0), vec![0; 40]),
    ]
}

#[test]
fn what_tells_a_name_is_taken_and_nothing_else() {
    let program = names(false);
    for (proto, ports, payload) in payloads() {
        for is_v6 in [false, true] {
            let frame = frame(is_v6, proto, ports, &payload);
            let protocol = if is_v6 { 0x86dd } else { 0x0800 };
            let beside = Beside { protocol, ..BESIDE_V4 };
            let tells = dissect(Link::ETHERNET, &frame).application(&frame).is_some();
            let taken = run(&program, &frame, beside) != 0;
            // Deviation: an empty datagram to a port of DNS is received to be thrown away.
            let is_empty = proto == 17 && payload.is_empty() && ports.1 == 53;
            assert_eq!(taken, tells || is_empty, "{proto} {ports:?} {payload:?} v6 {is_v6}");
            // Devices without a link layer.
            let bare = Beside { hardware: 65_534, ..beside };
            assert_eq!(run(&program, &frame[14..], bare), run(&program, &frame, beside));
        }
    }
}

#[test]
fn fragments_and_other_protocols_are_left() {
    let program = names(false);
    let mut later = frame(false, 17, (40_000, 53), QUESTION);
    assert_ne!(run(&program, &later, BESIDE_V4), 0);
    later[21] = 7;
    assert_eq!(run(&program, &later, BESIDE_V4), 0);
    let arp = Beside { protocol: 0x0806, ..BESIDE_V4 };
    assert_eq!(run(&program, &frame(false, 17, (1, 53), QUESTION), arp), 0);
}

#[test]
fn a_packet_on_loopback_is_taken_once_and_only_when_wanted() {
    let question = frame(false, 17, (40_000, 53), QUESTION);
    for (program, random) in [(names as fn(bool) -> _, 0), (|wanted| sample(1, wanted), u32::MAX)] {
        let taken = |is_wanted, kind| {
            let beside = Beside { hardware: LOOPBACK, kind, random, ..BESIDE_V4 };
            run(&program(is_wanted), &question, beside) != 0
        };
        assert_eq!((taken(false, 0), taken(false, OUTGOING)), (false, false));
        assert_eq!((taken(true, 0), taken(true, OUTGOING)), (true, false));
    }
}

#[test]
fn one_in_n_numbers_is_taken() {
    for rate in [1u32, 2, 400, 1_000_000] {
        let program = sample(rate, true);
        let taken = |random| run(&program, &[], Beside { random, ..BESIDE_V4 }) != 0;
        let last = u32::MAX / rate;
        assert!(taken(0) && taken(last));
        assert_eq!(taken(last.saturating_add(1)), rate == 1);
    }
}

#[test]
fn programs_are_short_and_end() {
    for program in [names(true), names(false), sample(400, true)] {
        assert!(program.len() < 255, "{}", program.len());
        assert_eq!(program.last().map(|last| (last.code, last.k)), Some((RETURN, 0)));
    }
}
