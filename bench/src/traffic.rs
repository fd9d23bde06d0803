//! The traffic model: who talks to whom, how much, for how long.
//!
//! 20 000 endpoints, 110 to a node, popularity Zipf 1.1 with ranks scattered over nodes; 30 % of
//! records continue one of the last 65,536 5-tuples; 20 % of flows are IPv6. The same seed gives
//! the same flows, on every machine.

const ENDPOINTS: usize = 20_000;
const PER_NODE: usize = 110;
const ZIPF: f64 = 1.1;
const REPEATS: f64 = 0.3;
const RECENT: usize = 65_536;
const SERVICES: [u16; 12] = [443, 8080, 53, 80, 5432, 6379, 9092, 50_051, 3306, 9090, 27_017, 8443];

/// Flow records of one simulated second.
pub const FLOWS_PER_SECOND: u64 = 100_000;

/// A small fast generator of pseudo-random numbers (SplitMix64, public domain).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Starts at `seed`.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// Uniform in (0, 1].
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

/// The key of a flow. Endpoints are numbers; addresses follow from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuple {
    /// Endpoint that sends.
    pub src: u32,
    /// Endpoint that receives.
    pub dst: u32,
    /// Port it sends from.
    pub src_port: u16,
    /// Port it sends to.
    pub dst_port: u16,
    /// IP protocol.
    pub proto: u8,
    /// True for IPv6.
    pub v6: bool,
}

/// One flow record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Its key.
    pub tuple: Tuple,
    /// Packets.
    pub packets: u64,
    /// Octets.
    pub octets: u64,
    /// Start, in milliseconds since 1970.
    pub start_ms: u64,
    /// End, in milliseconds since 1970.
    pub end_ms: u64,
    /// TCP flags.
    pub flags: u8,
    /// Type of service.
    pub tos: u8,
    /// Why it was reported.
    pub end_reason: u8,
}

impl Flow {
    /// 0 in, 1 out: by the parity of the source.
    pub fn direction(&self) -> u8 {
        (self.tuple.src & 1) as u8
    }
}

/// Node of an endpoint.
pub fn node(endpoint: u32) -> u32 {
    endpoint / PER_NODE as u32
}

/// IPv4 address of an endpoint: a /24 of 10.0.0.0/8 per node.
pub fn v4(endpoint: u32) -> [u8; 4] {
    let (node, host) = (node(endpoint), endpoint % PER_NODE as u32 + 1);
    [10, (node >> 8) as u8, node as u8, host as u8]
}

/// IPv6 address of an endpoint: a /64 of fd00:10::/32 per node.
pub fn v6(endpoint: u32) -> [u8; 16] {
    let (node, host) = (node(endpoint), endpoint % PER_NODE as u32 + 1);
    let [n0, n1] = (node as u16).to_be_bytes();
    [0xfd, 0, 0, 0x10, 0, 0, n0, n1, 0, 0, 0, 0, 0, 0, 0, host as u8]
}

/// AS number of an endpoint.
pub fn asn(endpoint: u32) -> u32 {
    64_512 + node(endpoint) % 512
}

/// Interface of an endpoint.
pub fn interface(endpoint: u32) -> u32 {
    endpoint % 64 + 1
}

/// Draws flows.
#[derive(Debug)]
pub struct Traffic {
    dice: Dice,
    /// Cumulative popularity by rank.
    cumulative: Vec<f64>,
    /// Endpoint of a rank.
    ranked: Vec<u32>,
    recent: Vec<Tuple>,
    drawn: u64,
    base_ms: u64,
    v6_share: f64,
}

impl Traffic {
    /// Flows from `base_ms` on; `v6_share` of them IPv6.
    pub fn new(seed: u64, base_ms: u64, v6_share: f64) -> Traffic {
        let mut dice = Dice::new(seed);
        let mut ranked: Vec<u32> = (0..ENDPOINTS as u32).collect();
        for i in (1..ENDPOINTS).rev() {
            ranked.swap(i, dice.below(i as u64 + 1) as usize);
        }
        let mut sum = 0.0;
        let weight = |rank: usize| (rank as f64 + 1.0).powf(-ZIPF);
        let mut cumulative: Vec<f64> = (0..ENDPOINTS)
            .map(|rank| {
                sum += weight(rank);
                sum
            })
            .collect();
        cumulative.iter_mut().for_each(|value| *value /= sum);
        Traffic { dice, cumulative, ranked, recent: Vec::new(), drawn: 0, base_ms, v6_share }
    }

    fn endpoint(&mut self) -> u32 {
        let at = self.dice.unit();
        let rank = self.cumulative.partition_point(|&value| value < at);
        self.ranked[rank.min(ENDPOINTS - 1)]
    }

    fn tuple(&mut self) -> Tuple {
        if self.recent.len() == RECENT && self.dice.unit() <= REPEATS {
            return self.recent[self.dice.below(RECENT as u64) as usize];
        }
        let (server, client) = (self.endpoint(), self.endpoint());
        let service = SERVICES[self.dice.below(SERVICES.len() as u64) as usize];
        let port = 32_768 + self.dice.below(28_232) as u16;
        let proto = match self.dice.below(100) {
            0 => 1,
            _ if service == 53 => 17,
            _ => 6,
        };
        let (service, port) = if proto == 1 { (0, 0) } else { (service, port) };
        let v6 = self.dice.unit() <= self.v6_share;
        let request = self.dice.below(2) == 0;
        let (src, dst) = if request { (client, server) } else { (server, client) };
        let (src_port, dst_port) = if request { (port, service) } else { (service, port) };
        let tuple = Tuple { src, dst, src_port, dst_port, proto, v6 };
        if self.recent.len() < RECENT {
            self.recent.push(tuple);
        } else {
            self.recent[(self.drawn % RECENT as u64) as usize] = tuple;
        }
        tuple
    }

    /// The next flow.
    pub fn draw(&mut self) -> Flow {
        let tuple = self.tuple();
        let packets = (self.dice.unit().powf(-1.0 / 1.25) as u64).clamp(1, 200_000);
        let one = packets == 1;
        let size = if one { 40 + self.dice.below(81) } else { 60 + self.dice.below(1_381) };
        let now_ms = self.base_ms + self.drawn * 1_000 / FLOWS_PER_SECOND;
        let end_ms = now_ms - self.dice.below(1_000);
        let start_ms = if one { end_ms } else { end_ms - self.dice.below(60_000) };
        let flags = match tuple.proto {
            6 => [0x02, 0x18, 0x1b][self.dice.below(3) as usize],
            _ => 0,
        };
        let tos = if self.dice.below(20) == 0 { 0xb8 } else { 0 };
        let end_reason = 1 + self.dice.below(3) as u8;
        self.drawn += 1;
        let octets = packets * size;
        Flow { tuple, packets, octets, start_ms, end_ms, flags, tos, end_reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_has_the_shares_it_is_described_by() {
        let mut traffic = Traffic::new(1, 1_763_600_000_000, 0.2);
        let flows: Vec<Flow> = (0..300_000).map(|_| traffic.draw()).collect();
        let share = |of: fn(&Flow) -> bool| {
            flows.iter().filter(|flow| of(flow)).count() as f64 / flows.len() as f64
        };
        assert!((share(|flow| flow.tuple.v6) - 0.2).abs() < 0.02);
        assert!((share(|flow| flow.packets == 1) - 0.58).abs() < 0.02);
        assert!((share(|flow| flow.tos == 0xb8) - 0.05).abs() < 0.01);
        assert!(flows.iter().all(|flow| flow.start_ms <= flow.end_ms));
        let again: Vec<Flow> = {
            let mut traffic = Traffic::new(1, 1_763_600_000_000, 0.2);
            (0..1_000).map(|_| traffic.draw()).collect()
        };
        assert_eq!(again, flows[..1_000]);
    }
}
