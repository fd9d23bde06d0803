//! Records to NetFlow v5 packets: 24 octets of header and up to 30 records of 48.
//!
//! v5 has a fixed set of fields and no null: a column that a row lacks is sent as 0. It knows IPv4
//! only: rows with another address are left out and counted.

use std::time::Duration;

use weir_model::columns::flows;
use weir_model::{ColumnId, FlowBatch, Scalar, Timestamp};

use crate::encode::Encoded;

/// Most records of one packet.
const RECORDS_MAX: usize = 30;

/// Longest sampling interval: 14 bits.
const RATE_MAX: u64 = 0x3fff;

/// The AS number that stands for those past 16 bits (RFC 6793 §9).
const AS_TRANS: u64 = 23_456;

/// How the encoder names itself.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Engine type of the header: the upper octet of the observation domain.
    pub engine_type: u8,
    /// Engine id of the header: its lower octet.
    pub engine_id: u8,
    /// When the exporter's uptime was 0.
    pub boot: Timestamp,
}

/// Encodes batches of flows as NetFlow v5.
#[derive(Debug)]
pub struct Encoder {
    policy: Policy,
    /// Flows sent so far.
    sequence: u32,
    records: Vec<u8>,
}

impl Encoder {
    /// An encoder that has sent nothing yet.
    pub fn new(policy: Policy) -> Encoder {
        Encoder { policy, sequence: 0, records: Vec::new() }
    }

    /// Hands the IPv4 rows of `batch` to `emit`. Rows of one packet have one sampling rate, which
    /// the header tells; rates that 14 bits cannot hold are sent as unknown.
    pub fn encode(
        &mut self,
        batch: &FlowBatch,
        now: Timestamp,
        emit: &mut dyn FnMut(&[u8]),
    ) -> Encoded {
        let mut encoded = Encoded::default();
        let mut rate = 0;
        for row in 0..batch.rows() {
            let row = Row { batch, row, boot: self.policy.boot };
            let sampled = row.number(flows::SAMPLING_RATE);
            let sampled = if sampled > RATE_MAX { 0 } else { sampled };
            if sampled != rate || self.records.len() >= RECORDS_MAX * 48 {
                self.flush(now, rate, &mut encoded, emit);
            }
            rate = sampled;
            match row.common() {
                Some(common) => self.records.extend_from_slice(&record(&row, &common)),
                None => encoded.skipped += 1,
            }
        }
        self.flush(now, rate, &mut encoded, emit);
        encoded
    }

    fn flush(
        &mut self,
        now: Timestamp,
        rate: u64,
        encoded: &mut Encoded,
        emit: &mut dyn FnMut(&[u8]),
    ) {
        let count = self.records.len() / 48;
        if count == 0 {
            return;
        }
        let mut packet = header(5, count, now, self.policy.boot, self.sequence).to_vec();
        packet.extend_from_slice(&[self.policy.engine_type, self.policy.engine_id]);
        // Mode 1: packet interval sampling.
        let sampling = if rate == 0 { 0 } else { 0x4000 | rate as u16 };
        packet.extend_from_slice(&sampling.to_be_bytes());
        packet.append(&mut self.records);
        self.sequence = self.sequence.wrapping_add(count as u32);
        encoded.messages += 1;
        encoded.octets += packet.len() as u64;
        encoded.records += count as u64;
        emit(&packet);
    }
}

/// The first 20 octets of a v5 or v7 header.
pub(crate) fn header(
    version: u8,
    count: usize,
    now: Timestamp,
    boot: Timestamp,
    sequence: u32,
) -> [u8; 20] {
    let mut header = [0; 20];
    header[1] = version;
    header[3] = count as u8;
    // The uptime counts whole milliseconds, so the time of day beside it does as well.
    let at = now.minus(Duration::from_nanos(now.0.rem_euclid(1_000_000) as u64));
    let uptime = at.since(boot).as_millis() as u32;
    let nanos = at.0.rem_euclid(1_000_000_000) as u32;
    let words = [uptime, at.seconds() as u32, nanos, sequence];
    for (slot, word) in header[4..].chunks_exact_mut(4).zip(words) {
        slot.copy_from_slice(&word.to_be_bytes());
    }
    header
}

/// A row, read as v5 and v7 need it.
pub(crate) struct Row<'a> {
    pub(crate) batch: &'a FlowBatch,
    pub(crate) row: usize,
    pub(crate) boot: Timestamp,
}

impl Row<'_> {
    /// The number in `column`, 0 where it is null.
    pub(crate) fn number(&self, column: ColumnId) -> u64 {
        self.batch.get_u64(column, self.row).unwrap_or(0)
    }

    fn address(&self, column: ColumnId) -> Option<u32> {
        match self.batch.get(column, self.row) {
            Some(Scalar::Addr(addr)) => addr.as_v4(),
            _ => Some(0),
        }
    }

    fn uptime(&self, column: ColumnId) -> u32 {
        match self.batch.get(column, self.row) {
            // Wraps after 49 days, as a router's uptime does.
            Some(Scalar::I64(nanos)) => {
                nanos.saturating_sub(self.boot.0).div_euclid(1_000_000) as u32
            }
            _ => 0,
        }
    }

    /// The 36 octets that v5 and v7 records begin with; `None` for a row of IPv6.
    pub(crate) fn common(&self) -> Option<[u8; 36]> {
        let mut octets = [0; 36];
        let count = |column| u32::try_from(self.number(column)).unwrap_or(u32::MAX);
        let port = |column| u16::try_from(self.number(column)).unwrap_or(0);
        let icmp = self.number(flows::PROTO) == 1;
        let dst_port = match self.batch.get_u64(flows::ICMP_TYPE, self.row) {
            Some(kind) if icmp => (kind as u16) << 8 | self.number(flows::ICMP_CODE) as u16,
            _ => port(flows::DST_PORT),
        };
        let words = [
            self.address(flows::SRC_ADDR)?,
            self.address(flows::DST_ADDR)?,
            self.address(flows::NEXT_HOP)?,
            u32::from(port(flows::IN_IF)) << 16 | u32::from(port(flows::OUT_IF)),
            count(flows::PACKETS),
            count(flows::OCTETS),
            self.uptime(flows::FLOW_START),
            self.uptime(flows::FLOW_END),
            u32::from(port(flows::SRC_PORT)) << 16 | u32::from(dst_port),
        ];
        for (slot, word) in octets.chunks_exact_mut(4).zip(words) {
            slot.copy_from_slice(&word.to_be_bytes());
        }
        Some(octets)
    }

    /// AS numbers and mask lengths, as both versions have them.
    pub(crate) fn route(&self) -> [u8; 6] {
        let autonomous = |column| {
            let number = self.number(column);
            (if number > 0xffff { AS_TRANS } else { number }) as u16
        };
        let [a, b] = autonomous(flows::SRC_AS).to_be_bytes();
        let [c, d] = autonomous(flows::DST_AS).to_be_bytes();
        [a, b, c, d, self.number(flows::SRC_MASK) as u8, self.number(flows::DST_MASK) as u8]
    }
}

fn record(row: &Row<'_>, common: &[u8; 36]) -> [u8; 48] {
    let mut octets = [0; 48];
    octets[..36].copy_from_slice(common);
    octets[37] = row.number(flows::TCP_FLAGS) as u8;
    octets[38] = row.number(flows::PROTO) as u8;
    octets[39] = row.number(flows::TOS) as u8;
    octets[40..46].copy_from_slice(&row.route());
    octets
}
