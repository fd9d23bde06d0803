//! Network of the host (host_net_io) and its protocols (MIB-II: IP, ICMP, TCP, UDP).

use std::fs;
use std::path::Path;

use weir_wire::sflow5::counters::structures::STRUCTURES;

use crate::counters::Counters;

pub(super) const TRAFFIC: u32 = 2_006;
/// Structures with the words that begin their lines in `/proc/net/snmp`.
pub(super) const PROTOCOLS: [(u32, &str); 4] =
    [(2_007, "Ip"), (2_008, "Icmp"), (2_009, "Tcp"), (2_010, "Udp")];

/// Columns of `/proc/net/dev` with their names in sFlow.
const COLUMNS: [(usize, &str); 8] = [
    (0, "bytes_in"),
    (1, "pkts_in"),
    (2, "errs_in"),
    (3, "drops_in"),
    (8, "bytes_out"),
    (9, "pkts_out"),
    (10, "errs_out"),
    (11, "drops_out"),
];

/// Sums over the devices of the machine, or where it has none (a container) over all but loopback.
pub(super) fn traffic(rows: &mut Counters<'_>) {
    let Ok(text) = fs::read_to_string("/proc/net/dev") else { return };
    let is_device = |name: &str| Path::new("/sys/class/net").join(name).join("device").exists();
    for ((_, name), sum) in COLUMNS.iter().zip(sums(&text, is_device)) {
        rows.number(name, sum);
    }
}

fn sums(text: &str, is_device: impl Fn(&str) -> bool) -> [u64; 8] {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let lines: Vec<(&str, &str)> = lines.map(|(name, rest)| (name.trim(), rest)).collect();
    let has_devices = lines.iter().any(|(name, _)| is_device(name));
    let mut sums = [0u64; 8];
    for (name, rest) in lines {
        if name == "lo" || (has_devices && !is_device(name)) {
            continue;
        }
        let numbers: Vec<u64> = rest.split_whitespace().map_while(|n| n.parse().ok()).collect();
        for (sum, (at, _)) in sums.iter_mut().zip(COLUMNS) {
            *sum = sum.wrapping_add(numbers.get(at).copied().unwrap_or(0));
        }
    }
    sums
}

/// The counters of one protocol, by two lines: names, then values. They are those of the kernel's
/// namespace, 64 bits wide where MIB-II has 32.
pub(super) fn protocol(text: &str, structure: u32, protocol: &str, rows: &mut Counters<'_>) {
    let mut lines = text.lines().filter_map(|line| {
        line.strip_prefix(protocol)?.strip_prefix(':').map(str::split_whitespace)
    });
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return };
    let told: Vec<(&str, &str)> = names.zip(values).collect();
    let Some(known) = STRUCTURES.iter().find(|known| known.id == structure) else { return };
    for field in known.fields {
        let name = field.name.get(protocol.len()..).unwrap_or_default();
        let value = told.iter().find(|(told, _)| *told == spelling(name)).map(|(_, value)| value);
        // No limit on connections is -1.
        if let Some(value) = value.and_then(|text| text.parse::<i64>().ok()) {
            rows.number(field.name, u64::from_ne_bytes(value.to_ne_bytes()));
        }
    }
}

/// The kernel's word for what sFlow abbreviates in another way.
fn spelling(name: &str) -> &str {
    match name {
        "InParamProbs" => "InParmProbs",
        "OutParamProbs" => "OutParmProbs",
        "InCsumErrs" => "InCsumErrors",
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Moment;
    use crate::cache::rows::Identity;
    use std::time::Duration;
    use weir_model::columns::counters as c;
    use weir_model::{Addr, FlowBatch, Table, Timestamp};

    const DEV: &str = "Inter-|   Receive\n face |bytes\n\
        lo: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\n\
        eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n veth1: 10 20 30 40 0 0 0 0 50 60 70 80 0 0 0 0\n";

    #[test]
    fn devices_count_or_all_but_loopback_where_there_are_none() {
        assert_eq!(sums(DEV, |name| name == "eth0"), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(sums(DEV, |_| false), [11, 22, 33, 44, 55, 66, 77, 88]);
    }

    #[test]
    fn every_field_of_the_protocols_has_the_kernels_word() {
        let text = std::fs::read_to_string("/proc/net/snmp").unwrap();
        let now = Moment { wall: Timestamp(0), mono: Duration::ZERO };
        for (structure, word) in PROTOCOLS {
            let mut batch = FlowBatch::new(Table::Counters);
            let identity = Identity { addr: Addr::v4(1) };
            protocol(
                &text,
                structure,
                word,
                &mut Counters::of_host(&mut batch, identity, structure, now),
            );
            let told: Vec<String> = (0..batch.rows())
                .filter_map(|row| batch.get_octets(c::NAME, row))
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .collect();
            let fields = STRUCTURES.iter().find(|known| known.id == structure).unwrap().fields;
            let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
            assert_eq!(told, known);
        }
    }

    #[test]
    fn values_are_those_below_their_names() {
        let mut batch = FlowBatch::new(Table::Counters);
        let now = Moment { wall: Timestamp(0), mono: Duration::ZERO };
        let identity = Identity { addr: Addr::v4(1) };
        let text = "Udp: NoPorts InDatagrams New\nUdp: 4 7 1\nUdpLite: NoPorts\nUdpLite: 9\n";
        protocol(text, 2_010, "Udp", &mut Counters::of_host(&mut batch, identity, 2_010, now));
        let told = |row| (batch.get_octets(c::NAME, row), batch.get_u64(c::VALUE, row));
        assert_eq!(batch.rows(), 2);
        assert_eq!(told(0), (Some(&b"udpInDatagrams"[..]), Some(7)));
        assert_eq!(told(1), (Some(&b"udpNoPorts"[..]), Some(4)));
    }
}
