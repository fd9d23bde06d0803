mod entries;
mod machine;
mod recorded;
mod tiers;

use super::message::{Entry, Icmp, Tuple};
use super::space::Doors;
use super::table::{self, Exclusions, Sight, Table};
use super::translations::Translations;
use super::*;
use crate::cache::rows::Identity;
use crate::cache::{
    CachePolicy, Count, EndReason, FlowCache, Initiator, Observation, Record, SourceKind,
};
use crate::endpoint::{Endpoint, FlowKey};
use crate::netlink::messages;
use crate::owner::{OwnerPolicy, Owners};
use weir_model::{Addr, FlowBatch, Table as ModelTable, Timestamp};

fn at(addr: &str, port: u16) -> Endpoint {
    Endpoint { addr: addr.parse().unwrap(), port }
}

/// Everything that a source needs, without the machine's owners, and a table of its own.
struct Rig {
    cache: FlowCache,
    owners: Owners,
    counters: FlowBatch,
    translations: Translations,
    table: Table,
}

impl Rig {
    fn new() -> Rig {
        Rig::of_space(0)
    }

    fn of_space(space: u32) -> Rig {
        let exclusions = Exclusions { tunnel_ports: vec![4_789], zones: Vec::new() };
        let policy = OwnerPolicy { proc: "/nonexistent".into(), ..OwnerPolicy::default() };
        let mut rig = Rig {
            cache: FlowCache::new(CachePolicy::default()),
            owners: Owners::new(policy),
            counters: FlowBatch::new(ModelTable::Counters),
            translations: Translations::new(100),
            table: Table::new(space, exclusions),
        };
        rig.table.limit(4);
        rig
    }

    fn intake(&mut self) -> Intake<'_> {
        Intake {
            cache: &mut self.cache,
            owners: &mut self.owners,
            counters: &mut self.counters,
            identity: Identity { addr: Addr::v4(1) },
        }
    }

    fn see(&mut self, entry: &Entry, sight: Sight, seconds: u64) {
        let Rig { cache, translations, table, .. } = self;
        let mut to = table::Bench { cache, translations, now: moment(seconds) };
        table.seen(entry, sight, false, &mut to);
    }

    fn dump(&mut self, entries: &[Entry], history: bool, seconds: u64) {
        let Rig { cache, translations, table, .. } = self;
        let mut to = table::Bench { cache, translations, now: moment(seconds) };
        table.begin_dump();
        entries.iter().for_each(|entry| table.seen(entry, Sight::Dumped, history, &mut to));
        table.end_dump(&mut to);
    }

    fn records(&mut self, seconds: u64) -> Vec<Record> {
        self.cache.expire(moment(seconds));
        self.cache.take_records()
    }

    fn flushed(&mut self, seconds: u64) -> Vec<Record> {
        self.cache.flush(moment(seconds));
        self.cache.take_records()
    }
}

fn moment(seconds: u64) -> Moment {
    let mono = Duration::from_secs(seconds);
    Moment { wall: Timestamp::from_seconds(1_800_000_000).plus(mono), mono }
}

/// A connection of a client to a server, with what both have sent.
fn entry(id: u32, sent: u64, received: u64) -> Entry {
    let (client, server) = (at("198.18.0.1", 40_000), at("198.18.0.2", 8_080));
    let tuple = |src, dst| Tuple { proto: 6, src, dst, icmp: None, zone: None };
    let count = |octets| Some(Count { octets, packets: octets / 100 });
    Entry {
        id,
        original: tuple(client, server),
        reply: tuple(server, client),
        master: None,
        status: 0,
        timeout: Some(400),
        mark: 0,
        zone: 0,
        labels: None,
        sent: count(sent),
        received: count(received),
        start: None,
        stop: None,
        tcp: None,
    }
}

/// The same by way of a service.
fn to_service(id: u32, sent: u64, received: u64) -> Entry {
    let mut entry = entry(id, sent, received);
    entry.original.dst = at("10.96.0.10", 80);
    entry
}

fn octets(records: &[Record]) -> Vec<(u64, u64)> {
    records.iter().map(|record| (record.forward.octets, record.reverse.octets)).collect()
}
