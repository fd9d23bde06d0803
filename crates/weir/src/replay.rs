//! Plays the exports of captures to a collector over UDP, at the pace at which they were recorded
//! or another. Shared by `weir replay` and `weir serve --demo`.
//!
//! Re-timing rewrites the time in the header of NetFlow v5, v7, v9 and IPFIX messages to now. Flow
//! times that count from the exporter's uptime (v5, v7, v9) move along; absolute flow times of
//! IPFIX stay as recorded, and sFlow tells no time at all. Sequence numbers are not touched: a loop
//! looks like an exporter that restarts.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use weir_ingest::capture::{Capture, CaptureError, CapturedDatagram};
use weir_model::Timestamp;
use weir_wire::{Protocol, recognise};

/// One datagram to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// When it was captured.
    pub at: Timestamp,
    /// Who sent it.
    pub source: SocketAddr,
    /// Its payload.
    pub octets: Vec<u8>,
}

/// The exports in a capture, in the order of their times. Messages found in TCP streams and IPFIX
/// files are sent as datagrams too, where they fit into one.
pub fn read(capture: impl Read) -> Result<Vec<Datagram>, CaptureError> {
    let mut datagrams = Vec::new();
    for message in Capture::new(capture)? {
        let CapturedDatagram { at, source, payload: octets, .. } = message?;
        if recognise(&octets).is_some() && octets.len() <= PAYLOAD_MAX {
            datagrams.push(Datagram { at, source, octets });
        }
    }
    datagrams.sort_by_key(|datagram| datagram.at);
    Ok(datagrams)
}

/// Octets that a UDP datagram over IPv4 can carry.
const PAYLOAD_MAX: usize = 65_507;

/// How fast to play.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// So many times as fast as it was recorded.
    Times(f64),
    /// As fast as the socket takes it.
    FlatOut,
}

impl Pace {
    /// How long after the first datagram the one captured `offset` later is sent.
    fn due(self, offset: Duration) -> Duration {
        match self {
            Pace::Times(times) => offset.div_f64(times),
            Pace::FlatOut => Duration::ZERO,
        }
    }
}

/// Sets the header time of a message to `now`. False when its protocol has none.
pub fn retime(octets: &mut [u8], now: Timestamp) -> bool {
    let seconds = u32::try_from(now.seconds()).unwrap_or(u32::MAX).to_be_bytes();
    let nanos = u32::try_from(now.0.rem_euclid(1_000_000_000)).unwrap_or(0).to_be_bytes();
    let fields: &[(usize, [u8; 4])] = match recognise(octets) {
        Some(Protocol::NetFlow5 | Protocol::NetFlow7) => &[(8, seconds), (12, nanos)],
        Some(Protocol::NetFlow9) => &[(8, seconds)],
        Some(Protocol::Ipfix) => &[(4, seconds)],
        Some(Protocol::Sflow5) | None => return false,
    };
    for (at, value) in fields {
        match octets.get_mut(*at..at + 4) {
            Some(field) => field.copy_from_slice(value),
            None => return false,
        }
    }
    true
}

/// The sockets that datagrams are sent from: one per original sender, so that a collector tells
/// the senders apart by port; on loopback by address too.
#[derive(Debug)]
pub struct Senders {
    target: SocketAddr,
    sockets: HashMap<SocketAddr, UdpSocket>,
}

/// Senders that get a socket of their own. Past it a new sender is refused: a capture with more is
/// no capture of exports.
const SENDERS_MAX: usize = 512;

impl Senders {
    /// Sends to `target`.
    pub fn new(target: SocketAddr) -> Senders {
        Senders { target, sockets: HashMap::new() }
    }

    /// Sends one datagram. A refusal by the target's machine (nobody listens) is an error of the
    /// next send, which is tried again once: UDP itself has no answer to wait for.
    pub fn send(&mut self, source: SocketAddr, octets: &[u8]) -> io::Result<()> {
        let socket = self.socket(source)?;
        match socket.send(octets) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                socket.send(octets).map(drop)
            }
            result => result.map(drop),
        }
    }

    fn socket(&mut self, source: SocketAddr) -> io::Result<&UdpSocket> {
        let count = self.sockets.len();
        match self.sockets.entry(source) {
            std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                if count >= SENDERS_MAX {
                    let text = format!("the capture has more than {SENDERS_MAX} senders");
                    return Err(io::Error::other(text));
                }
                let socket = UdpSocket::bind((local(self.target.ip(), count), 0))?;
                socket.connect(self.target)?;
                Ok(entry.insert(socket))
            }
        }
    }
}

/// The address to send from. Linux has all of 127.0.0.0/8, so on loopback each sender gets one.
fn local(target: IpAddr, number: usize) -> IpAddr {
    match target {
        IpAddr::V4(v4) if v4.is_loopback() => {
            // Proof: `number` is below SENDERS_MAX, so no two senders share an address.
            let [high, low] = u16::try_from(number + 1).unwrap_or(u16::MAX).to_be_bytes();
            IpAddr::from([127, 77, high, low])
        }
        IpAddr::V4(_) => IpAddr::from([0, 0, 0, 0]),
        IpAddr::V6(_) => IpAddr::from([0u8; 16]),
    }
}

/// What a player tells while it plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Datagrams sent.
    pub datagrams: u64,
    /// Octets sent.
    pub octets: u64,
}

/// Plays `datagrams`, which are in the order of their times, once. `pause` waits and says whether
/// to go on; `tell` hears of every datagram. Returns what was sent.
pub fn play(
    datagrams: &[Datagram],
    senders: &mut Senders,
    pace: Pace,
    now: Option<&dyn Fn() -> Timestamp>,
    pause: &mut dyn FnMut(Duration) -> bool,
    tell: &mut dyn FnMut(Progress),
) -> io::Result<Progress> {
    let mut progress = Progress::default();
    let Some(first) = datagrams.first() else { return Ok(progress) };
    let started = Instant::now();
    let mut message = Vec::new();
    for datagram in datagrams {
        let due = pace.due(datagram.at.since(first.at));
        let wait = due.saturating_sub(started.elapsed());
        if !wait.is_zero() && !pause(wait) {
            return Ok(progress);
        }
        message.clear();
        message.extend_from_slice(&datagram.octets);
        if let Some(now) = now {
            retime(&mut message, now());
        }
        senders.send(datagram.source, &message)?;
        progress.datagrams += 1;
        progress.octets += message.len() as u64;
        tell(progress);
    }
    Ok(progress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_times_are_rewritten_where_the_protocol_has_them() {
        let now = Timestamp(1_800_000_000_000_000_007);
        let seconds = 1_800_000_000u32.to_be_bytes();
        let mut v5 = [vec![0, 5], vec![9; 22]].concat();
        assert!(retime(&mut v5, now));
        assert_eq!(v5, [&[0, 5, 9, 9, 9, 9, 9, 9], &seconds[..], &[0, 0, 0, 7], &[9; 8]].concat());
        let mut v9 = [vec![0, 9], vec![8; 18]].concat();
        assert!(retime(&mut v9, now));
        assert_eq!(v9, [&[0, 9, 8, 8, 8, 8, 8, 8], &seconds[..], &[8; 8]].concat());
        let mut ipfix = [vec![0, 10], vec![7; 14]].concat();
        assert!(retime(&mut ipfix, now));
        assert_eq!(ipfix, [&[0, 10, 7, 7], &seconds[..], &[7; 8]].concat());
        let mut sflow = vec![0, 0, 0, 5, 0, 0, 0, 1];
        let before = sflow.clone();
        assert!(!retime(&mut sflow, now));
        assert_eq!(sflow, before);
        assert!(!retime(&mut [0, 10, 0, 4, 1], now), "a header cut short is left alone");
    }

    #[test]
    fn loopback_senders_have_addresses_of_their_own_and_messages_arrive_in_order() {
        let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
        let datagram = |second: i64, port: u16, octet: u8| Datagram {
            at: Timestamp::from_seconds(second),
            source: SocketAddr::from(([192, 0, 2, 1], port)),
            octets: vec![octet],
        };
        let datagrams = [datagram(0, 1, 10), datagram(10, 2, 11), datagram(20, 1, 12)];
        let mut senders = Senders::new(collector.local_addr().unwrap());
        let mut waits = Vec::new();
        let sent = play(
            &datagrams,
            &mut senders,
            Pace::Times(1e6),
            None,
            &mut |wait| {
                waits.push(wait);
                true
            },
            &mut |_| {},
        );
        assert_eq!(sent.unwrap(), Progress { datagrams: 3, octets: 3 });
        let mut buffer = [0; 4];
        let received = [(); 3].map(|()| {
            let (length, from) = collector.recv_from(&mut buffer).unwrap();
            (buffer[..length].to_vec(), from)
        });
        assert_eq!([&received[0].0, &received[1].0, &received[2].0], [&[10], &[11], &[12]]);
        assert_eq!(received[0].1, received[2].1);
        assert_ne!(received[0].1.ip(), received[1].1.ip());
        assert!(waits.iter().all(|wait| *wait <= Duration::from_micros(20)), "{waits:?}");
    }

    #[test]
    fn playing_stops_when_told() {
        let datagrams = [0, 3_600].map(|second| Datagram {
            at: Timestamp::from_seconds(second),
            source: SocketAddr::from(([192, 0, 2, 1], 1)),
            octets: vec![1],
        });
        let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut senders = Senders::new(collector.local_addr().unwrap());
        let pace = Pace::Times(1.0);
        let sent = play(&datagrams, &mut senders, pace, None, &mut |_| false, &mut |_| {});
        assert_eq!(sent.unwrap().datagrams, 1);
    }
}
