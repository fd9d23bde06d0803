//! The door: every message passes here in order of arrival, whatever carried it.
//!
//! Checks the sender, takes the shard's collector for the control pass, and writes down what
//! arrived. Invariant: what is noted in [`Arrivals`] reaches the books before the message reaches
//! a worker, so that "in flight" is never negative.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weir_model::{Addr, Cidr, Timestamp};
use weir_telemetry::LogGate;
use weir_wire::{
    Announcement, Collector, DropReason, ExporterStatus, Limits, LoadError, Received, SessionId,
    Tally, TemplateStatus,
};

use crate::chunk::Entry;
use crate::ledger::{Account, Ledger, Reason};

/// What arrived since the books were last written.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    messages: Account,
    octets: u64,
    octets_dropped: Vec<(Reason, u64)>,
    tally: Tally,
}

/// What the control pass found in one message.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// What is left to decode. `None` when nothing is: dropped, or templates only.
    pub(crate) entry: Option<Entry>,
    /// Its data records, as far as they are known.
    pub(crate) records: Option<u32>,
    /// Its exporter understands acknowledgements.
    pub(crate) announcement: Option<Announcement>,
}

/// Collectors by shard, the list of allowed exporters, and the ledger.
pub(crate) struct Door {
    allow: Box<[Cidr]>,
    shards: Box<[Mutex<Collector>]>,
    pub(crate) ledger: Ledger,
    gate: LogGate<(IpAddr, usize)>,
}

impl Door {
    /// `shards` collectors that have the limits together.
    pub(crate) fn new(allow: &[Cidr], limits: &Limits, shards: usize) -> Door {
        let ledger = Ledger::new(limits.exporters);
        let mut limits = limits.clone();
        limits.exporters = limits.exporters.div_ceil(shards);
        limits.parked_octets = limits.parked_octets.div_ceil(shards);
        Door {
            allow: allow.into(),
            shards: (0..shards).map(|_| Mutex::new(Collector::new(limits.clone()))).collect(),
            ledger,
            gate: LogGate::new(Duration::from_secs(10)),
        }
    }

    /// True when `addr` may send.
    pub(crate) fn allows(&self, addr: IpAddr) -> bool {
        let addr = Addr::from(addr);
        self.allow.is_empty() || self.allow.iter().any(|block| block.contains(addr))
    }

    /// Control pass over one message, `octets`, that starts at `start` of its chunk.
    pub(crate) fn admit(
        &self,
        octets: &[u8],
        start: usize,
        received: Received,
        arrivals: &mut Arrivals,
    ) -> Passed {
        let exporter = received.source.ip();
        if !self.allows(exporter) {
            self.refuse(exporter, octets.len(), Reason::NotAllowed, arrivals);
            return Passed::default();
        }
        let admitted = lock(&self.shards[self.shard(exporter)]).admit(octets, &received);
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(error) => {
                let reason = Reason::Wire(error.reason());
                if let Some(suppressed) = self.gate.admit((exporter, reason.number())) {
                    tracing::warn!(exporter = %received.source, %error, suppressed, "message dropped");
                }
                self.refuse(exporter, octets.len(), reason, arrivals);
                return Passed::default();
            }
        };
        arrivals.messages.received += 1;
        arrivals.octets += octets.len() as u64;
        arrivals.tally += &admitted.tally;
        self.ledger.charge_tally(exporter, &admitted.tally);
        let (records, announcement) = (admitted.records, admitted.announcement);
        if admitted.work.is_empty() && admitted.released.is_empty() {
            let duplicate = Reason::Wire(DropReason::Duplicate);
            if admitted.tally.dropped(DropReason::Duplicate).sets > 0 {
                arrivals.messages.drop(duplicate, 1);
                self.ledger.charge(exporter, duplicate, 1, 0);
            } else {
                arrivals.messages.kept += 1;
            }
            return Passed { entry: None, records, announcement };
        }
        let released: u64 = admitted.released.iter().map(|released| released.work.sets()).sum();
        let entry = Entry {
            open_sets: admitted.work.sets() + released,
            work: admitted.work,
            received,
            start,
            len: octets.len(),
            released: admitted.released,
            noted: None,
        };
        Passed { entry: Some(entry), records, announcement }
    }

    /// Notes a message that was dropped before or instead of the control pass.
    pub(crate) fn refuse(
        &self,
        exporter: IpAddr,
        octets: usize,
        reason: Reason,
        arrivals: &mut Arrivals,
    ) {
        arrivals.messages.received += 1;
        arrivals.messages.drop(reason, 1);
        arrivals.octets += octets as u64;
        arrivals.octets_dropped.push((reason, octets as u64));
        self.ledger.charge(exporter, reason, 1, 0);
    }

    /// Writes down what arrived.
    pub(crate) fn note(&self, arrivals: &mut Arrivals) {
        if arrivals.messages.received == 0 {
            return;
        }
        let arrivals = std::mem::take(arrivals);
        let mut books = self.ledger.books();
        books.messages.received += arrivals.messages.received;
        books.messages.kept += arrivals.messages.kept;
        for (sum, n) in books.messages.dropped.iter_mut().zip(arrivals.messages.dropped) {
            *sum += n;
        }
        books.octets += arrivals.octets;
        for (reason, octets) in arrivals.octets_dropped {
            books.octets_dropped[reason.number()] += octets;
        }
        books.count(&arrivals.tally);
    }

    /// Drops admitted messages for which the queue had no room.
    pub(crate) fn overflow(&self, entries: &[Entry]) {
        let mut books = self.ledger.books();
        for entry in entries {
            books.messages.drop(Reason::QueueFull, 1);
            books.sets.drop(Reason::QueueFull, entry.open_sets);
            books.octets_dropped[Reason::QueueFull.number()] += entry.len as u64;
            let exporter = entry.received.source.ip();
            self.ledger.charge(exporter, Reason::QueueFull, 1, entry.open_sets);
        }
        drop(books);
        let Some(first) = entries.first() else { return };
        let (exporter, dropped) = (first.received.source, entries.len());
        if let Some(suppressed) = self.gate.admit((IpAddr::from([0; 4]), 0)) {
            tracing::error!(%exporter, dropped, suppressed, "queue full, messages dropped");
        }
    }

    /// Forgets what has aged, in every shard.
    pub(crate) fn expire(&self, now: Timestamp) {
        for shard in &self.shards {
            let tally = lock(shard).expire(now);
            self.ledger.books().count(&tally);
        }
    }

    /// Forgets a closed connection's templates and parked data.
    pub(crate) fn end_session(&self, exporter: IpAddr, session: SessionId) {
        let tally = lock(&self.shards[self.shard(exporter)]).end_session(session);
        self.ledger.charge_tally(exporter, &tally);
        self.ledger.books().count(&tally);
    }

    /// What each shard wants kept over a restart.
    pub(crate) fn save(&self) -> Vec<Vec<u8>> {
        self.shards.iter().map(|shard| lock(shard).save()).collect()
    }

    /// Takes in one blob of [`Door::save`], whose shards may have been cut otherwise.
    pub(crate) fn load(&self, blob: &[u8]) -> Result<(), LoadError> {
        for (i, shard) in self.shards.iter().enumerate() {
            lock(shard).load(blob, |addr| self.shard(addr.to_ip()) == i)?;
        }
        Ok(())
    }

    /// Status of every exporter and domain.
    pub(crate) fn exporters(&self) -> Vec<ExporterStatus> {
        self.shards.iter().flat_map(|shard| lock(shard).exporters().collect::<Vec<_>>()).collect()
    }

    /// Templates that an exporter told, at most so many, and how many more there are.
    pub(crate) fn templates(
        &self,
        addr: Addr,
        domain: Option<u32>,
        most: usize,
    ) -> (Vec<TemplateStatus>, usize) {
        // All of an exporter, whatever its domains, is in one shard.
        let shard = self.shards.get(self.shard(addr.to_ip()));
        shard.map(|shard| lock(shard).templates(addr, domain, most)).unwrap_or_default()
    }

    /// Sets parked at the moment.
    pub(crate) fn parked_sets(&self) -> u64 {
        self.shards.iter().map(|shard| lock(shard).parked_sets()).sum()
    }

    fn shard(&self, addr: IpAddr) -> usize {
        if self.shards.len() == 1 {
            return 0;
        }
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(addr);
        (hash % self.shards.len() as u64) as usize
    }
}

fn lock(shard: &Mutex<Collector>) -> MutexGuard<'_, Collector> {
    // A collector that panicked is still a collector: its maps are whole, one message is lost.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
