//! The pipeline in one process, without API: sockets, ingest, store.
//!
//! Started by [`crate::pipeline`] as a process of its own, so that its CPU time and memory are not
//! mixed with the generator's. Says on standard output when it listens, and what it did.

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use weir_ingest::{Ingest, IngestPolicy, Sink, SinkLoss, Verdict};
use weir_model::{Clock, FlowBatch, SystemClock, Timestamp};
use weir_store::{DiskFiles, Store, StoreErrorKind, StorePolicy};
use weir_telemetry::Registry;
use weir_wire::Output;

use crate::sys;

/// What to collect, and where to.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// UDP address.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Data folder of the store; without it rows are thrown away.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Compact after the end, as an hour later.
    #[arg(long)]
    compact: bool,
}

/// The system's clock, which can be set forward: compaction waits for the end of an hour.
#[derive(Debug, Default)]
struct ForwardClock(AtomicI64);

impl Clock for ForwardClock {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.0.load(Ordering::Relaxed))
    }
}

struct StoreSink(Store);

impl StoreSink {
    fn append(&self, batch: &FlowBatch) -> Option<SinkLoss> {
        if batch.is_empty() {
            return None;
        }
        let error = self.0.append(batch).err()?;
        Some(match error.kind() {
            StoreErrorKind::DiskFull => SinkLoss::DiskFull,
            StoreErrorKind::Closed => SinkLoss::Closed,
            _ => SinkLoss::Io,
        })
    }
}

impl Sink for StoreSink {
    fn name(&self) -> &'static str {
        "store"
    }

    fn accept(&self, output: &mut Output) -> Verdict {
        Verdict {
            flows: self.append(&output.flows),
            counters: self.append(&output.counters),
            options: self.append(&output.options),
        }
    }
}

struct Nowhere;

impl Sink for Nowhere {
    fn name(&self) -> &'static str {
        "nowhere"
    }

    fn accept(&self, _: &mut Output) -> Verdict {
        Verdict::KEPT
    }
}

/// Collects until standard input ends.
pub fn run(options: &Options) -> Result<()> {
    let clock = Arc::new(ForwardClock::default());
    let store = match &options.data {
        Some(dir) => {
            let mut policy = StorePolicy::new(dir);
            policy.compaction.core_share = 1.0;
            let (store, _) = Store::open(policy, clock.clone(), Arc::new(DiskFiles))?;
            Some(store)
        }
        None => None,
    };
    let sink: Arc<dyn Sink> = match &store {
        Some(store) => Arc::new(StoreSink(store.clone())),
        None => Arc::new(Nowhere),
    };
    let policy =
        IngestPolicy { udp: vec![options.listen], tcp: Vec::new(), ..IngestPolicy::default() };
    let ingest = Ingest::start(&policy, &Registry::new(), clock.clone(), sink)?;
    println!("listening {}", ingest.udp_addresses().first().context("no socket")?);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let status = ingest.stop();
    if let Some(store) = &store {
        store.flush()?;
    }
    let cpu_durable = sys::process_cpu_seconds();
    let octets_durable = octets(store.as_ref());
    if let Some(store) = store.as_ref().filter(|_| options.compact) {
        clock.0.store(7_200_000_000_000, Ordering::Relaxed);
        store.maintain()?;
        // Segments close in the background; the second round merges what the first one closed.
        std::thread::sleep(Duration::from_millis(500));
        store.maintain()?;
    }
    let (cpu_compacted, octets_compacted) = (sys::process_cpu_seconds(), octets(store.as_ref()));
    if let Some(store) = &store {
        store.close()?;
    }
    let books = &status.books;
    let kernel: u64 = status.sockets.iter().map(|socket| socket.kernel_dropped).sum();
    let missing: u64 = status.exporters.iter().map(|exporter| exporter.sequence.missing).sum();
    println!(
        "result flows={} dropped={} kernel={kernel} missing={missing} batches={} \
         cpu_durable={cpu_durable:.4} cpu_compacted={cpu_compacted:.4} \
         octets_durable={octets_durable} octets_compacted={octets_compacted}",
        books.flows.kept,
        books.records.dropped_total() + books.messages.dropped_total(),
        books.batches,
    );
    Ok(())
}

fn octets(store: Option<&Store>) -> u64 {
    let raw = |store: &Store| {
        let tiers = store.health().tiers;
        tiers.iter().filter(|tier| tier.tier == "raw").map(|tier| tier.octets).sum()
    };
    store.map_or(0, raw)
}
