//! Records to NetFlow v7 packets: 24 octets of header and up to 27 records of 52. The fields are
//! those of v5, without engine and sampling.

use weir_model::columns::flows;
use weir_model::{FlowBatch, Timestamp};

use crate::encode::Encoded;
use crate::netflow5::encode::{Row, header};

/// Most records of one packet.
const RECORDS_MAX: usize = 27;

/// Encodes batches of flows as NetFlow v7. Only what v5 has is sent; rows of IPv6 are left out.
#[derive(Debug)]
pub struct Encoder {
    boot: Timestamp,
    /// Flows sent so far.
    sequence: u32,
    records: Vec<u8>,
}

impl Encoder {
    /// An encoder whose exporter started at `boot` and that has sent nothing yet.
    pub fn new(boot: Timestamp) -> Encoder {
        Encoder { boot, sequence: 0, records: Vec::new() }
    }

    /// Hands the IPv4 rows of `batch` to `emit`.
    pub fn encode(
        &mut self,
        batch: &FlowBatch,
        now: Timestamp,
        emit: &mut dyn FnMut(&[u8]),
    ) -> Encoded {
        let mut encoded = Encoded::default();
        for row in 0..batch.rows() {
            let row = Row { batch, row, boot: self.boot };
            match row.common() {
                Some(common) => self.records.extend_from_slice(&record(&row, &common)),
                None => encoded.skipped += 1,
            }
            if self.records.len() >= RECORDS_MAX * 52 {
                self.flush(now, &mut encoded, emit);
            }
        }
        self.flush(now, &mut encoded, emit);
        encoded
    }

    fn flush(&mut self, now: Timestamp, encoded: &mut Encoded, emit: &mut dyn FnMut(&[u8])) {
        let count = self.records.len() / 52;
        if count == 0 {
            return;
        }
        let mut packet = header(7, count, now, self.boot, self.sequence).to_vec();
        packet.extend_from_slice(&[0; 4]);
        packet.append(&mut self.records);
        self.sequence = self.sequence.wrapping_add(count as u32);
        encoded.messages += 1;
        encoded.octets += packet.len() as u64;
        encoded.records += count as u64;
        emit(&packet);
    }
}

fn record(row: &Row<'_>, common: &[u8; 36]) -> [u8; 52] {
    let mut octets = [0; 52];
    octets[..36].copy_from_slice(common);
    octets[37] = row.number(flows::TCP_FLAGS) as u8;
    octets[38] = row.number(flows::PROTO) as u8;
    octets[39] = row.number(flows::TOS) as u8;
    octets[40..46].copy_from_slice(&row.route());
    octets
}
