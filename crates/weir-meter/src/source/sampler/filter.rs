//! The classic BPF programs that decide in the kernel which frames are received (bpf(4),
//! linux/filter.h): one in N at random, or those that tell names.
//!
//! A load past the end of a frame ends a program with 0, which is "no": so nothing is checked
//! before it is loaded. Offsets count from the link-layer header, as packet sockets of type RAW
//! have it; loads by them reach what is not in the linear part of a buffer too.

use crate::sys::packet::{Instruction, SNAP};

const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_OCTET: u16 = 0x30;
const LOAD_WORD_X: u16 = 0x40;
const LOAD_HALF_X: u16 = 0x48;
const LOAD_OCTET_X: u16 = 0x50;
const SET_X: u16 = 0x01;
/// X = 4 * (octet & 15): the length of an IPv4 header.
const IP_LENGTH_X: u16 = 0xb1;
const JUMP_EQ: u16 = 0x15;
const JUMP_GT: u16 = 0x25;
const JUMP_ANY: u16 = 0x45;
const ADD_X: u16 = 0x0c;
const SHIFT_LEFT: u16 = 0x64;
const SHIFT_RIGHT: u16 = 0x74;
const A_TO_X: u16 = 0x07;
const RETURN: u16 = 0x06;

/// What is not in the frame but goes with it (`SKF_AD_OFF`).
const BESIDE: u32 = 0xffff_f000;
const PROTOCOL: u32 = BESIDE;
const KIND: u32 = BESIDE + 4;
const HARDWARE: u32 = BESIDE + 28;
const RANDOM: u32 = BESIDE + 56;

/// `PACKET_OUTGOING`.
pub(super) const OUTGOING: u8 = 4;
/// `ARPHRD_ETHER` and `ARPHRD_LOOPBACK`, whose frames begin with an Ethernet header.
pub(super) const ETHERNET: u16 = 1;
pub(super) const LOOPBACK: u16 = 772;
const ETHERNET_HEADER: u32 = 14;

/// First words of HTTP/1 messages.
const HTTP: [&[u8; 4]; 10] =
    [b"GET ", b"HTTP", b"POST", b"HEAD", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN", b"TRAC"];
const DNS: [u32; 3] = [53, 5_353, 5_355];

/// Where a jump leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Next,
    Take,
    Leave,
    Label(usize),
}

#[derive(Debug, Default)]
struct Program {
    steps: Vec<(u16, u32, To, To)>,
    labels: Vec<usize>,
}

impl Program {
    fn step(&mut self, code: u16, k: u32) {
        self.steps.push((code, k, To::Next, To::Next));
    }

    fn branch(&mut self, code: u16, k: u32, yes: To, no: To) {
        self.steps.push((code, k, yes, no));
    }

    /// A place that is not known yet.
    fn label(&mut self) -> To {
        self.labels.push(usize::MAX);
        To::Label(self.labels.len() - 1)
    }

    /// The label is here.
    fn here(&mut self, label: To) {
        if let To::Label(number) = label {
            self.labels[number] = self.steps.len();
        }
    }

    /// Puts the two ends behind the steps and makes distances of places.
    fn finish(self) -> Vec<Instruction> {
        let take = self.steps.len();
        let distance = |from: usize, to: To| {
            let place = match to {
                To::Next => from + 1,
                To::Take => take,
                To::Leave => take + 1,
                To::Label(number) => self.labels[number],
            };
            // Proof: both programs are shorter than 255 instructions (tested), and jumps lead
            // forward.
            u8::try_from(place - from - 1).expect("the programs are short")
        };
        let steps = self.steps.iter().enumerate();
        let mut program: Vec<Instruction> = steps
            .map(|(at, (code, k, yes, no))| Instruction {
                code: *code,
                jt: distance(at, *yes),
                jf: distance(at, *no),
                k: *k,
            })
            .collect();
        for k in [SNAP as u32, 0] {
            program.push(Instruction { code: RETURN, jt: 0, jf: 0, k });
        }
        program
    }

    /// Leaves frames of the loopback interface, or of the two that each packet makes there the
    /// outgoing one. The kind of device is in the accumulator afterwards.
    fn loopback(&mut self, is_wanted: bool) {
        let other = self.label();
        self.step(LOAD_WORD, HARDWARE);
        if is_wanted {
            self.branch(JUMP_EQ, LOOPBACK.into(), To::Next, other);
            self.step(LOAD_WORD, KIND);
            self.branch(JUMP_EQ, OUTGOING.into(), To::Leave, To::Next);
            self.step(LOAD_WORD, HARDWARE);
            self.here(other);
        } else {
            self.branch(JUMP_EQ, LOOPBACK.into(), To::Leave, To::Next);
            self.here(other);
        }
    }

    /// Takes names in IP that begins `base` octets into the frame. Never goes on behind itself.
    fn names_at(&mut self, base: u32) {
        let (v6, transport) = (self.label(), self.label());
        self.step(LOAD_WORD, PROTOCOL);
        self.branch(JUMP_EQ, 0x0800, To::Next, v6);
        self.step(LOAD_HALF, base + 6);
        // Later fragments have no ports.
        self.branch(JUMP_ANY, 0x1fff, To::Leave, To::Next);
        self.step(IP_LENGTH_X, base);
        self.step(LOAD_OCTET, base + 9);
        // An unconditional jump, as a comparison with two equal ends.
        self.branch(JUMP_EQ, 0, transport, transport);
        self.here(v6);
        self.branch(JUMP_EQ, 0x86dd, To::Next, To::Leave);
        self.step(SET_X, 40);
        self.step(LOAD_OCTET, base + 6);
        self.here(transport);
        let tcp = self.label();
        self.branch(JUMP_EQ, 6, tcp, To::Next);
        self.branch(JUMP_EQ, 17, To::Next, To::Leave);
        for at in [base, base + 2] {
            self.step(LOAD_HALF_X, at);
            for port in DNS {
                self.branch(JUMP_EQ, port, To::Take, To::Next);
            }
        }
        self.branch(JUMP_EQ, 0, To::Leave, To::Leave);
        self.here(tcp);
        self.tcp_at(base);
    }

    fn tcp_at(&mut self, base: u32) {
        let dns = self.label();
        for at in [base, base + 2] {
            self.step(LOAD_HALF_X, at);
            self.branch(JUMP_EQ, DNS[0], dns, To::Next);
        }
        self.payload_at(base);
        self.step(LOAD_WORD_X, base);
        for word in HTTP {
            self.branch(JUMP_EQ, u32::from_be_bytes(*word), To::Take, To::Next);
        }
        // A handshake record of TLS whose message is a ClientHello.
        self.step(SHIFT_RIGHT, 16);
        self.branch(JUMP_EQ, 0x1603, To::Next, To::Leave);
        self.step(LOAD_OCTET_X, base + 5);
        self.branch(JUMP_EQ, 1, To::Take, To::Leave);
        self.here(dns);
        self.payload_at(base);
        // Length, header: a segment without them has no name.
        self.step(LOAD_OCTET_X, base + 13);
        self.branch(JUMP_EQ, 0, To::Take, To::Take);
    }

    /// X from the beginning of the TCP header to that of its payload.
    fn payload_at(&mut self, base: u32) {
        self.step(LOAD_OCTET_X, base + 12);
        self.step(SHIFT_RIGHT, 4);
        self.step(SHIFT_LEFT, 2);
        self.step(ADD_X, 0);
        self.step(A_TO_X, 0);
    }
}

/// Takes what may tell a name: DNS, a ClientHello of TLS, heads of HTTP/1. Neither tagged frames
/// whose tag the device has not taken off, nor tunnels, nor IPv6 with extension headers.
pub(super) fn names(with_loopback: bool) -> Vec<Instruction> {
    let mut program = Program::default();
    program.loopback(with_loopback);
    let (framed, bare) = (program.label(), program.label());
    program.branch(JUMP_EQ, ETHERNET.into(), framed, To::Next);
    program.branch(JUMP_EQ, LOOPBACK.into(), framed, bare);
    program.here(framed);
    program.names_at(ETHERNET_HEADER);
    program.here(bare);
    program.names_at(0);
    program.finish()
}

/// Takes a frame with the probability of 1 in `rate`.
pub(super) fn sample(rate: u32, with_loopback: bool) -> Vec<Instruction> {
    let mut program = Program::default();
    program.loopback(with_loopback);
    program.step(LOAD_WORD, RANDOM);
    // Of 2³² numbers ⌊(2³² - 1) / rate⌋ + 1 are taken: the error is under rate / 2³².
    program.branch(JUMP_GT, u32::MAX / rate.max(1), To::Leave, To::Take);
    program.finish()
}

#[cfg(test)]
pub(super) mod tests;
