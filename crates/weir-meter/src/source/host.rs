//! Host counters from `/proc` and `/sys`: what machine it is and its adapters (sFlow 2000, 2001),
//! processor (2003), memory (2004), disks (2005), network (2006), IP, ICMP, TCP, UDP (2007 to 2010).
//!
//! Units are those of Host sFlow: milliseconds of processor time, octets of memory, kibibytes paged,
//! pages swapped. What cannot be read has no rows; without processor and memory nothing runs.

mod disks;
mod network;
mod system;

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use super::{Intake, Source, SourceError, Tier};
use crate::cache::Moment;
use crate::counters::Counters;

/// Name of the source.
pub(crate) const NAME: &str = "host_counters";
const CPU: u32 = 2_003;
const MEMORY: u32 = 2_004;
/// Milliseconds of a tick: USER_HZ is 100 on every Linux of today.
const MS_A_TICK: u64 = 10;

/// The source.
#[derive(Debug)]
pub struct Host {
    interval: Duration,
}

impl Host {
    /// Reads the files once.
    pub fn probe(interval: Duration) -> (Tier, Option<Host>) {
        match Files::read() {
            Ok(_) => (Tier::runs(NAME), Some(Host { interval })),
            Err(error) => {
                let costs = "load and memory of this machine are not seen";
                (Tier::missing(NAME, error.to_string(), costs), None)
            }
        }
    }
}

impl Source for Host {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<Duration, SourceError> {
        let files = Files::read()?;
        let mut rows = Counters::of_host(intake.counters, intake.identity, CPU, now);
        files.processor(&mut rows);
        let mut rows = Counters::of_host(intake.counters, intake.identity, MEMORY, now);
        files.memory(&mut rows);
        let mut structure = |id, tell: fn(&mut Counters<'_>)| {
            tell(&mut Counters::of_host(intake.counters, intake.identity, id, now));
        };
        structure(system::DESCRIPTION, system::description);
        structure(system::ADAPTERS, system::adapters);
        structure(disks::DISKS, disks::tell);
        structure(network::TRAFFIC, network::traffic);
        let text = fs::read_to_string("/proc/net/snmp").unwrap_or_default();
        for (id, protocol) in network::PROTOCOLS {
            let identity = intake.identity;
            let mut rows = Counters::of_host(intake.counters, identity, id, now);
            network::protocol(&text, id, protocol, &mut rows);
        }
        Ok(self.interval)
    }
}

/// The texts that the counters are in.
struct Files {
    loadavg: String,
    stat: String,
    meminfo: String,
    uptime: String,
    vmstat: String,
    cpuinfo: String,
}

impl Files {
    fn read() -> Result<Files, SourceError> {
        let read = |path: &'static str| {
            fs::read_to_string(path).map_err(|source| SourceError::File { path, source })
        };
        Ok(Files {
            loadavg: read("/proc/loadavg")?,
            stat: read("/proc/stat")?,
            meminfo: read("/proc/meminfo")?,
            // Why: Less than the others, and hidden in some sandboxes.
            uptime: read("/proc/uptime").unwrap_or_default(),
            vmstat: read("/proc/vmstat").unwrap_or_default(),
            cpuinfo: read("/proc/cpuinfo").unwrap_or_default(),
        })
    }

    fn processor(&self, rows: &mut Counters<'_>) {
        let mut load = self.loadavg.split_whitespace();
        for name in ["load_one", "load_five", "load_fifteen"] {
            if let Some(value) = load.next().and_then(|text| text.parse().ok()) {
                rows.fraction(name, value);
            }
        }
        let processes = load.next().and_then(|text| text.split_once('/'));
        if let Some((Ok(run), Ok(total))) = processes.map(|(run, all)| (run.parse(), all.parse())) {
            rows.number("proc_run", run);
            rows.number("proc_total", total);
        }
        let is_cpu = |line: &&str| {
            line.strip_prefix("cpu")
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        rows.number("cpu_num", self.stat.lines().filter(is_cpu).count() as u64);
        let speed =
            self.cpuinfo.lines().find_map(|line| line.strip_prefix("cpu MHz")?.split_once(':'));
        if let Some(megahertz) = speed.and_then(|(_, text)| text.trim().parse::<f64>().ok()) {
            rows.number("cpu_speed", megahertz as u64);
        }
        let uptime = self.uptime.split('.').next().and_then(|text| text.parse().ok());
        if let Some(seconds) = uptime {
            rows.number("uptime", seconds);
        }
        const TIMES: [&str; 10] = [
            "cpu_user",
            "cpu_nice",
            "cpu_system",
            "cpu_idle",
            "cpu_wio",
            "cpu_intr",
            "cpu_sintr",
            "cpu_steal",
            "cpu_guest",
            "cpu_guest_nice",
        ];
        let numbers = |word: &str| {
            let line = self.stat.lines().find_map(|line| line.strip_prefix(word)).unwrap_or("");
            line.split_whitespace().map_while(|text| text.parse::<u64>().ok()).collect::<Vec<_>>()
        };
        for (name, ticks) in TIMES.into_iter().zip(numbers("cpu ")) {
            rows.number(name, ticks.saturating_mul(MS_A_TICK));
        }
        for (name, word) in [("interrupts", "intr "), ("contexts", "ctxt ")] {
            if let Some(value) = numbers(word).first() {
                rows.number(name, *value);
            }
        }
    }

    fn memory(&self, rows: &mut Counters<'_>) {
        let values: HashMap<&str, u64> = self.meminfo.lines().filter_map(line).collect();
        for (name, word) in [
            ("mem_total", "MemTotal"),
            ("mem_free", "MemFree"),
            ("mem_shared", "Shmem"),
            ("mem_buffers", "Buffers"),
            ("mem_cached", "Cached"),
            ("swap_total", "SwapTotal"),
            ("swap_free", "SwapFree"),
        ] {
            if let Some(octets) = values.get(word) {
                rows.number(name, *octets);
            }
        }
        for (name, word) in [
            ("page_in", "pgpgin "),
            ("page_out", "pgpgout "),
            ("swap_in", "pswpin "),
            ("swap_out", "pswpout "),
        ] {
            let line = self.vmstat.lines().find_map(|line| line.strip_prefix(word));
            if let Some(value) = line.and_then(|text| text.trim().parse().ok()) {
                rows.number(name, value);
            }
        }
    }
}

/// `MemTotal:  16384 kB` as a name and octets.
fn line(line: &str) -> Option<(&str, u64)> {
    let (name, rest) = line.split_once(':')?;
    let kibibytes: u64 = rest.split_whitespace().next()?.parse().ok()?;
    Some((name, kibibytes.saturating_mul(1_024)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::rows::Identity;
    use weir_model::columns::counters as c;
    use weir_model::{Addr, FlowBatch, Scalar, Table, Timestamp};

    #[test]
    fn counters_have_host_sflows_names_and_units() {
        let files = Files {
            loadavg: "0.50 1.25 2.00 3/456 789\n".into(),
            stat: "cpu  10 2 3 400 5 6 7 8 9 1\ncpu0 1 1\ncpu1 1 1\nintr 77 1\nctxt 88\n".into(),
            meminfo: "MemTotal:       2 kB\nMemFree: 1 kB\nodd\nHugePages: x\n".into(),
            uptime: "12.34 1.0\n".into(),
            vmstat: "pgpgin 31\npgpgout 32\npswpin 33\npswpout 34\n".into(),
            cpuinfo: "model name\t: x\ncpu MHz\t\t: 2995.2\n".into(),
        };
        let mut batch = FlowBatch::new(Table::Counters);
        let now = Moment { wall: Timestamp(5), mono: Duration::ZERO };
        let identity = Identity { addr: Addr::v4(1) };
        files.processor(&mut Counters::of_host(&mut batch, identity, CPU, now));
        files.memory(&mut Counters::of_host(&mut batch, identity, MEMORY, now));
        let told: Vec<(String, Option<Scalar>)> = (0..batch.rows())
            .map(|row| {
                let name = batch.get_octets(c::NAME, row).unwrap_or_default();
                let value = batch.get(c::VALUE, row).or(batch.get(c::VALUE_F, row));
                (String::from_utf8_lossy(name).into_owned(), value)
            })
            .collect();
        let value = |name: &str| told.iter().find(|(n, _)| n == name).and_then(|(_, v)| *v);
        assert_eq!(value("load_five"), Some(Scalar::F64(1.25)));
        assert_eq!(value("proc_total"), Some(Scalar::U64(456)));
        assert_eq!(value("cpu_num"), Some(Scalar::U64(2)));
        assert_eq!(value("cpu_user"), Some(Scalar::U64(100)));
        assert_eq!(value("cpu_guest_nice"), Some(Scalar::U64(10)));
        assert_eq!(value("contexts"), Some(Scalar::U64(88)));
        assert_eq!(value("mem_total"), Some(Scalar::U64(2_048)));
        assert_eq!(value("uptime"), Some(Scalar::U64(12)));
        assert_eq!(value("mem_cached"), None);
        assert_eq!(value("cpu_speed"), Some(Scalar::U64(2_995)));
        assert_eq!(
            (value("page_in"), value("swap_out")),
            (Some(Scalar::U64(31)), Some(Scalar::U64(34)))
        );
    }

    /// Structure, name and value as text.
    fn told(batch: &FlowBatch) -> Vec<(u64, String, String)> {
        let text = |octets: Option<&[u8]>| {
            String::from_utf8_lossy(octets.unwrap_or_default()).into_owned()
        };
        let value = |row| match (batch.get(c::VALUE, row), batch.get(c::VALUE_F, row)) {
            // Fractions go as 32 bits, counters wrap there.
            (Some(Scalar::U64(number)), _) => number.to_string(),
            (_, Some(Scalar::F64(number))) => format!("{number:.2}"),
            _ => text(batch.get_octets(c::VALUE_TEXT, row)),
        };
        (0..batch.rows())
            .map(|row| {
                let structure = batch.get_u64(c::STRUCTURE, row).unwrap_or(0);
                (structure, text(batch.get_octets(c::NAME, row)), value(row))
            })
            .collect()
    }

    #[test]
    fn what_this_machine_counts_arrives_by_sflow() {
        use crate::cache::{CachePolicy, FlowCache};
        use crate::owner::{OwnerPolicy, Owners};
        use weir_wire::sflow5::{self, encode::Encoder};
        let Some(mut host) = Host::probe(Duration::from_secs(1)).1 else {
            return eprintln!("SKIPPED counters of this host: /proc is not readable");
        };
        let mut counters = FlowBatch::new(Table::Counters);
        let mut intake = Intake {
            cache: &mut FlowCache::new(CachePolicy::default()),
            owners: &mut Owners::new(OwnerPolicy::default()),
            counters: &mut counters,
            identity: Identity { addr: Addr::v4(1) },
        };
        host.poll(Moment { wall: Timestamp(5), mono: Duration::ZERO }, &mut intake).unwrap();
        counters.seal();
        let mut encoder = Encoder::new(Addr::v4(1), 0, 1_400);
        assert_eq!(encoder.counters(&counters, 0..counters.rows()), Ok(counters.rows()));
        let datagram = encoder.finish(0).unwrap();
        assert!(datagram.len() <= 1_400, "{} octets", datagram.len());
        let (mut out, mut tally) = (weir_wire::Output::new(), weir_wire::Tally::default());
        let source = (std::net::Ipv4Addr::LOCALHOST, 6_343).into();
        let received = weir_wire::Received::udp(Timestamp(5), source);
        sflow5::decode(datagram, &received, &mut out, &mut tally);
        out.seal();
        let arrived = told(&out.counters);
        for (structure, name, value) in told(&counters) {
            let wrapped = value.parse().map(|number: u64| (number as u32).to_string());
            let is_it = |(s, n, v): &(u64, String, String)| {
                (*s, n) == (structure, &name) && (*v == value || Ok(v) == wrapped.as_ref())
            };
            assert!(arrived.iter().any(is_it), "{structure} {name} {value}: {arrived:?}");
        }
        let structures: Vec<u64> = {
            let mut all: Vec<u64> = arrived.iter().map(|(structure, ..)| *structure).collect();
            all.dedup();
            all
        };
        let expected = [2_003, 2_004, 2_000, 2_001, 2_005, 2_006, 2_007, 2_008, 2_009, 2_010];
        // A machine without adapters has no such structure.
        assert!(expected.iter().all(|known| *known == 2_001 || structures.contains(known)));
        assert!(arrived.iter().all(|(_, name, _)| name != "octets"), "nothing is left over");
    }
}
