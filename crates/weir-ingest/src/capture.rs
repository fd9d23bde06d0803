//! Captures as input: pcap, pcapng and IPFIX files to the messages that exporters sent.
//!
//! Used by `weir decode`, `weir replay`, `weir import` and the demo, in place of the sockets. Link
//! layers are stripped, IP fragments joined, IPFIX over TCP is put in order and cut into
//! messages. Everything else in a capture is passed over and counted.
//!
//! Invariant: memory is bounded by [`FRAME_MAX`] and the limits that `fragments` and `streams` name,
//! whatever lengths the file claims, and every step reads further. A capture that ends inside a
//! packet (the recorder was stopped) is read to that point and says so in [`CaptureStats`].

mod fragments;
mod frame;
mod pcap;
mod pcapng;
mod source;
mod streams;

use std::collections::VecDeque;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};

use weir_model::Timestamp;
use weir_wire::{Received, SessionId, Transport};

use fragments::Fragments;
use frame::Found;
use source::Source;
use streams::Streams;

/// Longest frame that is read; what libpcap itself allows.
pub const FRAME_MAX: usize = 256 << 10;

/// One message of an exporter, found in a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedDatagram {
    /// When it was captured; in an IPFIX file the export time.
    pub at: Timestamp,
    /// Who sent it; `0.0.0.0:0` in an IPFIX file.
    pub source: SocketAddr,
    /// Whom it was sent to.
    pub destination: SocketAddr,
    /// UDP, TCP or an IPFIX file.
    pub transport: Transport,
    /// The TCP connection, numbered from 1 in the order of appearance; 0 for UDP.
    pub session: SessionId,
    /// A UDP payload, or one IPFIX message.
    pub payload: Vec<u8>,
}

impl CapturedDatagram {
    /// The receipt that decoders want, with the time of capture.
    pub fn received(&self) -> Received {
        Received {
            at: self.at,
            source: self.source,
            transport: self.transport,
            session: self.session,
            origin: None,
        }
    }
}

/// What was seen in a capture so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaptureStats {
    /// Frames of any kind.
    pub frames: u64,
    /// Messages given out.
    pub datagrams: u64,
    /// Frames that hold neither UDP nor a TCP segment with IPFIX.
    pub other: u64,
    /// Frames of link types that we cannot read.
    pub unknown_link: u64,
    /// Frames whose packet was cut short by the recorder.
    pub cut: u64,
    /// IP fragments that were never joined.
    pub fragments_lost: u64,
    /// TCP octets that were left out: gaps, and connections whose start is not IPFIX.
    pub stream_octets_lost: u64,
    /// True when the file ended inside a packet.
    pub truncated: bool,
}

/// Why a capture cannot be read on. Offsets count octets from the start of the file.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Nothing, or less than the smallest header.
    #[error("is empty, or ends within its header")]
    Empty,
    /// Neither pcap, pcapng nor IPFIX.
    #[error("starts with {first:02x?}, which is no pcap, pcapng or IPFIX file")]
    NotACapture {
        /// The first octets.
        first: [u8; 4],
    },
    /// A length that cannot be.
    #[error("{what} at offset {offset} has the impossible length {length}")]
    BadLength {
        /// Which structure.
        what: &'static str,
        /// Where it starts.
        offset: u64,
        /// What it claims.
        length: u64,
    },
    /// A pcapng block that contradicts the format.
    #[error("block at offset {offset}: {what}")]
    BadBlock {
        /// Where it starts.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Reading failed.
    #[error("cannot read at offset {offset}")]
    Io {
        /// Octets read until then.
        offset: u64,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// One frame with its link type (tcpdump.org's LINKTYPE numbers).
#[derive(Debug, Clone, Copy)]
struct Captured<'a> {
    at: Timestamp,
    link: u32,
    octets: &'a [u8],
}

#[derive(Debug)]
enum Format {
    Pcap(pcap::Header),
    Pcapng(pcapng::Section),
    /// The octets that told the format belong to the first message.
    Ipfix {
        first: Option<[u8; 4]>,
    },
}

/// Reads a capture; an iterator of the messages in it. After an error it ends.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use weir_ingest::capture::Capture;
/// let file = std::io::BufReader::new(std::fs::File::open("flows.pcap")?);
/// for datagram in Capture::new(file)? {
///     let datagram = datagram?;
///     let length = datagram.payload.len();
///     assert!(length <= 65_535, "{length} octets from {}", datagram.source);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Capture<R> {
    source: Source<R>,
    format: Format,
    fragments: Fragments,
    streams: Streams,
    ready: VecDeque<CapturedDatagram>,
    stats: CaptureStats,
    done: bool,
}

impl<R: Read> Capture<R> {
    /// Recognises the format by the first four octets.
    pub fn new(reader: R) -> Result<Capture<R>, CaptureError> {
        let mut source = Source::new(reader);
        let first = source.start()?;
        let format = match first {
            pcapng::SECTION => Format::Pcapng(pcapng::Section::default()),
            // An IPFIX message: version 10 and a length that holds at least its header.
            [0, 10, hi, lo] if u16::from_be_bytes([hi, lo]) >= 16 => {
                Format::Ipfix { first: Some(first) }
            }
            _ => Format::Pcap(
                pcap::Header::read(first, &mut source)?
                    .ok_or(CaptureError::NotACapture { first })?,
            ),
        };
        Ok(Capture {
            source,
            format,
            fragments: Fragments::default(),
            streams: Streams::default(),
            ready: VecDeque::new(),
            stats: CaptureStats::default(),
            done: false,
        })
    }

    /// What was seen so far.
    pub fn stats(&self) -> CaptureStats {
        CaptureStats {
            fragments_lost: self.fragments.lost(),
            stream_octets_lost: self.streams.octets_lost(),
            ..self.stats
        }
    }

    /// Octets of the file read so far, for progress bars.
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// Reads one frame, or one message of an IPFIX file. False at the end.
    fn step(&mut self) -> Result<bool, CaptureError> {
        let captured = match &mut self.format {
            Format::Pcap(header) => header.frame(&mut self.source)?,
            Format::Pcapng(section) => section.frame(&mut self.source)?,
            Format::Ipfix { first } => {
                let first = first.take();
                return self.message(first);
            }
        };
        let Some(captured) = captured else { return Ok(false) };
        self.stats.frames += 1;
        let (found, is_cut) = frame::find(&captured, &mut self.fragments);
        self.stats.cut += u64::from(is_cut);
        let at = captured.at;
        match found {
            Found::Udp { source, destination, payload } => self.ready.push_back(CapturedDatagram {
                at,
                source,
                destination,
                transport: Transport::Udp,
                session: SessionId(0),
                payload,
            }),
            Found::Tcp(segment) => self.streams.segment(at, &segment, &mut self.ready),
            Found::Fragment => {}
            Found::Other => self.stats.other += 1,
            Found::UnknownLink => self.stats.unknown_link += 1,
        }
        Ok(true)
    }

    /// One message of an IPFIX file (RFC 5655).
    fn message(&mut self, first: Option<[u8; 4]>) -> Result<bool, CaptureError> {
        let offset = if first.is_some() { 0 } else { self.source.offset() };
        let first = match first {
            Some(first) => Some(first),
            None => self.source.array()?,
        };
        let Some(first) = first else { return Ok(false) };
        let length = u16::from_be_bytes([first[2], first[3]]);
        if first[..2] != [0, 10] || length < 16 {
            let what = "IPFIX message";
            return Err(CaptureError::BadLength { what, offset, length: length.into() });
        }
        let Some(rest) = self.source.octets(usize::from(length) - 4)? else { return Ok(false) };
        let payload = [&first[..], rest].concat();
        let seconds = u32::from_be_bytes([payload[4], payload[5], payload[6], payload[7]]);
        let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        self.stats.frames += 1;
        self.ready.push_back(CapturedDatagram {
            at: Timestamp::from_seconds(seconds.into()),
            source: nobody,
            destination: nobody,
            transport: Transport::File,
            session: SessionId(1),
            payload,
        });
        Ok(true)
    }
}

impl<R: Read> Iterator for Capture<R> {
    type Item = Result<CapturedDatagram, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(datagram) = self.ready.pop_front() {
                self.stats.datagrams += 1;
                return Some(Ok(datagram));
            }
            if self.done {
                return None;
            }
            match self.step() {
                Ok(true) => {}
                Ok(false) => {
                    self.done = true;
                    self.stats.truncated = self.source.was_cut();
                    self.fragments.give_up();
                }
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Reads `octets` as a capture and asserts what must hold whatever they are: messages are no
/// longer than the file and no more than it has frames' worth of octets. For fuzzing and for
/// tests on damaged captures.
pub fn check_capture(octets: &[u8]) {
    let Ok(mut capture) = Capture::new(octets) else { return };
    let (mut messages, mut total) = (0usize, 0usize);
    while let Some(Ok(datagram)) = capture.next() {
        messages += 1;
        total += datagram.payload.len();
        assert!(datagram.payload.len() <= octets.len());
    }
    assert!(capture.next().is_none(), "it ends after an error");
    let stats = capture.stats();
    assert_eq!(stats.datagrams, messages as u64);
    assert!(messages <= octets.len(), "{messages} messages from {} octets", octets.len());
    assert!(total <= octets.len() * 2, "{total} octets of payload from {}", octets.len());
    assert!(capture.offset() <= octets.len() as u64);
}

#[cfg(test)]
mod tests;
