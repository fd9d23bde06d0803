//! Flows like those of a busy cluster: 20,000 endpoints, popularity Zipf 1.1, 30 % of records
//! continue a recent connection, 8 exporters, 100,000 records a second.

use weir_model::columns::flows;
use weir_model::{Addr, FlowBatch, Table};

/// Rows of a full batch.
pub const ROWS: usize = 65_536;
const ENDPOINTS: usize = 20_000;
/// `received_at` of the first record, about.
pub const START: i64 = 1_800_000_000_000_000_000;

#[derive(Clone, Copy)]
struct Key {
    src: usize,
    dst: usize,
    src_port: u16,
    dst_port: u16,
    proto: u8,
    v6: bool,
}

/// Makes batches of flow records.
pub struct Traffic {
    state: u64,
    popularity: Vec<f64>,
    scattered: Vec<usize>,
    recent: Vec<Key>,
    at: usize,
    row: u64,
}

impl Traffic {
    /// At its start.
    pub fn new() -> Traffic {
        let mut sum = 0.0;
        let weight = |rank: usize| {
            sum += (rank as f64 + 1.0).powf(-1.1);
            sum
        };
        let popularity = (0..ENDPOINTS).map(weight).collect();
        let mut scattered: Vec<usize> = (0..ENDPOINTS).collect();
        let mut traffic = Traffic {
            state: 7,
            popularity,
            scattered: Vec::new(),
            recent: Vec::new(),
            at: 0,
            row: 0,
        };
        for i in (1..ENDPOINTS).rev() {
            scattered.swap(i, traffic.below(i as u64 + 1) as usize);
        }
        traffic.scattered = scattered;
        traffic
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.state;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn endpoint(&mut self) -> usize {
        let at = self.unit() * self.popularity[ENDPOINTS - 1];
        let rank = self.popularity.partition_point(|sum| *sum < at);
        self.scattered[rank.min(ENDPOINTS - 1)]
    }

    fn key(&mut self) -> Key {
        if self.recent.len() == ROWS && self.below(10) < 3 {
            let at = self.next() as usize % ROWS;
            return self.recent[at];
        }
        const PORTS: [u16; 12] =
            [443, 8080, 53, 80, 5432, 6379, 9092, 50051, 3306, 9090, 27017, 8443];
        let (server, client) = (self.endpoint(), self.endpoint());
        let port = PORTS[self.below(12) as usize];
        let proto = match self.below(50) {
            0 => 1,
            _ if port == 53 => 17,
            _ => 6,
        };
        let client_port = 32_768 + self.below(28_232) as u16;
        let v6 = self.below(5) == 0;
        let key = if self.below(2) == 0 {
            Key { src: client, dst: server, src_port: client_port, dst_port: port, proto, v6 }
        } else {
            Key { src: server, dst: client, src_port: port, dst_port: client_port, proto, v6 }
        };
        if self.recent.len() < ROWS {
            self.recent.push(key);
        } else {
            self.recent[self.at % ROWS] = key;
            self.at += 1;
        }
        key
    }

    /// The next `rows` records, sealed.
    pub fn batch(&mut self, rows: usize) -> FlowBatch {
        let mut batch = FlowBatch::new(Table::Flows);
        batch.append_rows(rows);
        batch.fill(flows::EXPORT_PROTOCOL, 0, rows, 10u8);
        batch.fill(flows::SAMPLING_RATE, 0, rows, 1u32);
        for row in 0..rows {
            self.fill_row(&mut batch, row);
        }
        batch.seal();
        batch
    }

    fn fill_row(&mut self, batch: &mut FlowBatch, row: usize) {
        // A datagram holds 18 records of one exporter and is received at one moment.
        let datagram = self.row / 18;
        self.row += 1;
        let now = START + (datagram * 180_000) as i64;
        let jitter = (datagram.wrapping_mul(0x9e37_79b9) % 50_000) as i64;
        let exporter = (datagram.wrapping_mul(0x2545_f491) >> 7) % 8;
        let key = self.key();
        let packets = ((1.0 - self.unit()).powf(-1.0 / 1.25) as u64).min(200_000);
        let size = if packets == 1 { 40 + self.below(81) } else { 60 + self.below(1_381) };
        let end = now / 1_000_000 - self.below(1_000) as i64;
        let duration = if packets == 1 { 0 } else { self.below(60_001) as i64 };
        let flags = [0x02u16, 0x18, 0x1b][self.below(3) as usize];
        let tos = if self.below(20) == 0 { 0xb8u8 } else { 0 };
        let (src_node, dst_node) = (key.src / 110, key.dst / 110);
        batch.set(flows::RECEIVED_AT, row, now + jitter);
        batch.set(flows::EXPORT_TIME, row, now / 1_000_000_000 * 1_000_000_000);
        batch.set(flows::FLOW_START, row, (end - duration) * 1_000_000);
        batch.set(flows::FLOW_END, row, end * 1_000_000);
        batch.set(flows::EXPORTER_ADDR, row, Addr::v4(0x7f00_0001 + exporter as u32));
        batch.set(flows::OBSERVATION_DOMAIN, row, exporter as u32 + 1);
        batch.set(flows::SRC_ADDR, row, address(key.src, key.v6));
        batch.set(flows::DST_ADDR, row, address(key.dst, key.v6));
        batch.set(flows::SRC_PORT, row, if key.proto == 1 { 0 } else { key.src_port });
        batch.set(flows::DST_PORT, row, if key.proto == 1 { 0x0800 } else { key.dst_port });
        batch.set(flows::PROTO, row, key.proto);
        batch.set(flows::TOS, row, tos);
        batch.set(flows::TCP_FLAGS, row, if key.proto == 6 { flags } else { 0 });
        batch.set(flows::DIRECTION, row, key.src as u8 & 1);
        batch.set(flows::END_REASON, row, 1 + self.below(3) as u8);
        batch.set(flows::IN_IF, row, 1 + key.src as u32 % 64);
        batch.set(flows::OUT_IF, row, 1 + key.dst as u32 % 64);
        batch.set(flows::SRC_AS, row, 64_512 + src_node as u32 % 512);
        batch.set(flows::DST_AS, row, 64_512 + dst_node as u32 % 512);
        batch.set(flows::NEXT_HOP, row, address(20_000 + dst_node, key.v6));
        batch.set(flows::OCTETS, row, packets * size);
        batch.set(flows::PACKETS, row, packets);
    }
}

fn address(endpoint: usize, v6: bool) -> Addr {
    let (node, pod) = (endpoint as u128 / 110, endpoint as u128 % 110 + 2);
    match v6 {
        true => Addr(0xfd00_0010 << 96 | node << 64 | pod),
        false => Addr::v4(0x0a00_0000 | (node as u32) << 8 | pod as u32),
    }
}
