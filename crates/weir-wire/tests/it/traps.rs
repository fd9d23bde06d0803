//! Known ways in which exporters break or bend the standards: one test each, named after the device
//! where it is known. Captures are used where there is one; else the octets are put together here.

mod enterprises;
mod framing;
mod sampling;
mod sequence;
mod values;

use std::net::SocketAddr;

use weir_model::column::ElementKey;
use weir_model::{ColumnId, Timestamp, elements};
use weir_wire::{Decoder, Limits, Output, Received, Tally};

/// Export time of messages made here.
const SECONDS: u32 = 1_700_000_000;

/// A decoder, what it has put out, and what it has counted.
struct Lab {
    decoder: Decoder,
    out: Output,
    tally: Tally,
    source: SocketAddr,
}

impl Lab {
    fn new() -> Lab {
        Lab::with(Limits::default())
    }

    fn with(limits: Limits) -> Lab {
        Lab {
            decoder: Decoder::new(limits),
            out: Output::new(),
            tally: Tally::default(),
            source: "192.0.2.1:2055".parse().unwrap(),
        }
    }

    /// Sends from that port from now on.
    fn port(&mut self, port: u16) -> &mut Lab {
        self.source.set_port(port);
        self
    }

    fn send(&mut self, message: &[u8]) -> &mut Lab {
        let at = Timestamp::from_seconds(SECONDS.into());
        let received = Received::udp(at, self.source);
        self.tally += &self.decoder.decode(message, &received, &mut self.out).unwrap();
        self
    }

    fn numbers(&self, column: ColumnId) -> Vec<Option<u64>> {
        (0..self.out.flows.rows()).map(|row| self.out.flows.get_u64(column, row)).collect()
    }

    fn texts(&self, column: ColumnId) -> Vec<Option<String>> {
        let text = |row| {
            let octets = self.out.flows.get_octets(column, row)?;
            Some(String::from_utf8(octets.to_vec()).unwrap())
        };
        (0..self.out.flows.rows()).map(text).collect()
    }

    /// The `occurrence`-th value of an element without a column in row `row`.
    fn extra(&self, row: usize, pen: u32, id: u16, occurrence: usize) -> Option<Vec<u8>> {
        let list = self.out.flows.get_octets(weir_model::columns::flows::EXTRA, row)?;
        elements::find(list, ElementKey { pen, id }, occurrence).map(<[u8]>::to_vec)
    }

    /// Nothing that came is unaccounted for, and nothing was dropped.
    fn nothing_lost(&self) {
        assert_eq!(self.tally.drops(), Tally::default().drops());
        assert_eq!(self.tally.sets_open(), 0, "{:?}", self.tally);
    }
}

/// Values of a column of flows in a capture.
fn column(session: &crate::captures::Session, column: ColumnId) -> Vec<Option<u64>> {
    let batch = &session.out.flows;
    (0..batch.rows()).map(|row| batch.get_u64(column, row)).collect()
}
