//! The exporting process for sFlow v5: packet samples and counters in UDP datagrams to a collector.
//!
//! sFlow tells of sampled packets and of counters, not of flows: a row is sent as a flow sample if
//! it has a frame's length or tells why a packet was dropped, and left out, counted, if it is a
//! flow record. Invariant: datagrams, and the samples of each data source, are numbered without
//! gaps, so that a collector's account of what the network lost is right; pool and drops are the
//! row's own. UDP tells nobody what arrives: what could not even be sent is counted.
//!
//! ```
//! use weir_model::{FlowBatch, Table, columns::flows};
//! use weir_sink::sflow::{Packer, SflowSettings};
//! let mut rows = FlowBatch::new(Table::Flows);
//! rows.append_rows(1);
//! rows.set(flows::SAMPLING_RATE, 0, 400u32);
//! rows.set(flows::FRAME_LENGTH, 0, 1518u32);
//! let mut packer = Packer::new(SflowSettings::new("192.0.2.1".parse().unwrap()));
//! let (mut sent, uptime) = (0, std::time::Duration::from_secs(60));
//! packer.flows(&rows, uptime, |_, _| sent += 1);
//! packer.flush(uptime, |_, _| sent += 1);
//! assert_eq!((sent, packer.counts().flow_samples), (1, 1));
//! ```

pub mod live;
mod packer;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use weir_model::{Addr, FlowBatch};
use weir_wire::sflow5::encode::DATAGRAM_MAX;

pub use packer::{Packer, SflowCounts};

/// Port of sFlow collectors (IANA).
pub const SFLOW_PORT: u16 = 6343;

/// Who sends, and how much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SflowSettings {
    /// Address by which collectors know this agent, whatever address datagrams come from.
    pub agent: Addr,
    /// Number of this process among those that send with this address.
    pub sub_agent: u32,
    /// Octets of a datagram at most; a single sample that is longer goes alone.
    pub datagram_max: usize,
}

impl SflowSettings {
    /// The usual: sub-agent 0, datagrams of 1,400 octets.
    pub fn new(agent: Addr) -> SflowSettings {
        SflowSettings { agent, sub_agent: 0, datagram_max: DATAGRAM_MAX }
    }
}

/// Sends datagrams to one collector.
#[derive(Debug)]
pub struct Exporter {
    socket: UdpSocket,
    packer: Packer,
    sending: Sending,
}

/// What became of the datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sending {
    sent: u64,
    octets: u64,
    unsent: u64,
    rows: u64,
    rows_unsent: u64,
    refusal: Option<io::ErrorKind>,
}

impl Sending {
    fn send(&mut self, socket: &UdpSocket, datagram: &[u8], rows: u64) {
        match socket.send(datagram) {
            Ok(_) => {
                self.sent += 1;
                self.octets += datagram.len() as u64;
                self.rows += rows;
            }
            // Nobody listens (ECONNREFUSED of the datagram before), no route, no room: the next
            // datagram is as good a try as this one again.
            Err(error) => {
                self.unsent += 1;
                self.rows_unsent += rows;
                self.refusal = Some(error.kind());
            }
        }
    }
}

impl Exporter {
    /// An exporter to `collector`. Nothing is sent yet, and that nobody listens is not known.
    pub fn connect(collector: SocketAddr, settings: SflowSettings) -> io::Result<Exporter> {
        let (socket, packer) = (socket(collector)?, Packer::new(settings));
        Ok(Exporter { socket, packer, sending: Sending::default() })
    }

    /// Sends to `collector` from now on: the collector moved. Numbers go on. After an error it sends
    /// to where it did.
    pub fn reconnect(&mut self, collector: SocketAddr) -> io::Result<()> {
        self.socket = socket(collector)?;
        Ok(())
    }

    /// What the system said of the last datagram that it did not take, since this was asked last.
    pub fn take_refusal(&mut self) -> Option<io::ErrorKind> {
        self.sending.refusal.take()
    }

    /// Sends the packet samples among the rows of a sealed batch of flows. The last datagram waits
    /// for more until [`Exporter::flush`]. `uptime` is the agent's.
    pub fn flows(&mut self, batch: &FlowBatch, uptime: Duration) {
        let Exporter { socket, packer, sending } = self;
        packer.flows(batch, uptime, |datagram, rows| sending.send(socket, datagram, rows));
    }

    /// Sends the rows of a sealed batch of counters, those of one source and moment as one sample.
    pub fn counters(&mut self, batch: &FlowBatch, uptime: Duration) {
        let Exporter { socket, packer, sending } = self;
        packer.counters(batch, uptime, |datagram, rows| sending.send(socket, datagram, rows));
    }

    /// Sends what waits. sFlow asks that no sample waits longer than a second.
    pub fn flush(&mut self, uptime: Duration) {
        let Exporter { socket, packer, sending } = self;
        packer.flush(uptime, |datagram, rows| sending.send(socket, datagram, rows));
    }

    /// What was sent so far and what was not.
    pub fn counts(&self) -> SflowCounts {
        let Sending { sent, octets, unsent, rows, rows_unsent, .. } = self.sending;
        let counts = self.packer.counts();
        SflowCounts {
            datagrams: sent,
            datagrams_unsent: unsent,
            octets,
            rows,
            rows_unsent,
            ..counts
        }
    }
}

fn socket(collector: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match collector {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(collector)?;
    // A full send buffer is a reason to count, not to stop metering.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
