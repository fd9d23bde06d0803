//! Packets by packet sockets (AF_PACKET): names for the flow cache, and packet samples.
//!
//! Two sources, each with a socket of its own whose filter runs in the kernel, so that only what
//! is wanted is copied. [`names`] takes every packet that tells a name of DNS, TLS or HTTP and
//! gives it to the flow that other sources count. [`samples`] draws one in N and makes rows of
//! them as sFlow's samples look; since flows are counted by others already, it runs only when it is asked to.
//! Both hear all interfaces of their network namespace, loopback only on request, and need
//! CAP_NET_RAW.

mod filter;
mod links;
pub mod names;
mod packet;
pub mod samples;

use std::io;

use super::SourceError;
use crate::sys::packet::{BATCH, Batch, Frame, Instruction, PacketSocket};

/// What an operator decides about packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SamplingPolicy {
    /// Whether names are looked for.
    pub names: bool,
    /// Whether samples become rows. They are beside the flows, which count the same packets.
    pub rows: bool,
    /// One packet in this many is a sample.
    pub rate: u32,
    /// Whether packets on the loopback interface count.
    pub loopback: bool,
    /// Octets of each sample's headers that are kept with its row, for an sFlow exporter; 0 for
    /// none.
    pub header_octets: usize,
}

impl Default for SamplingPolicy {
    fn default() -> SamplingPolicy {
        SamplingPolicy { names: true, rows: false, rate: 400, loopback: false, header_octets: 0 }
    }
}

/// A socket with its account.
struct Tap {
    socket: PacketSocket,
    batch: Batch,
    passed: u64,
    dropped: u64,
    /// Buffers of kinds that have no `struct virtio_net_hdr`: none of TCP's or UDP's segments.
    unreadable: u64,
}

impl Tap {
    /// Opens a socket; says what is missing where that is refused.
    fn open(program: &[Instruction], buffer: usize) -> Result<Tap, String> {
        let why = |error: io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                format!("packet socket: {error}; CAP_NET_RAW is needed")
            }
            _ => format!("packet socket: {error}"),
        };
        let socket = PacketSocket::open(program, buffer).map_err(why)?;
        Ok(Tap { socket, batch: Batch::new(), passed: 0, dropped: 0, unreadable: 0 })
    }

    /// Gives what waits to `each`, in at most `calls` calls.
    fn each(&mut self, calls: usize, mut each: impl FnMut(&Frame<'_>)) -> Result<(), SourceError> {
        for _ in 0..calls {
            let received = match self.socket.receive(&mut self.batch) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    self.unreadable += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            (0..received).filter_map(|at| self.batch.frame(at)).for_each(|frame| each(&frame));
            // Fewer also where an unreadable one follows: the rest comes with the next look.
            if received < BATCH {
                break;
            }
        }
        Ok(())
    }

    /// Reads the kernel's account, which begins anew each time.
    fn account(&mut self) -> Result<(), SourceError> {
        let (passed, dropped) = self.socket.statistics()?;
        self.passed += passed;
        self.dropped += dropped;
        Ok(())
    }

    /// Frames that passed the filter, and those of them that were lost for want of room.
    fn totals(&self) -> (u64, u64) {
        (self.passed, self.dropped)
    }
}

#[cfg(test)]
mod tests;
