//! Metering in this process: no store, no port, no privilege.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use weir_meter::cache::CachePolicy;
use weir_meter::{Deps, Handle, MeterPolicy, RowSink, Taken};
use weir_model::{Clock, FlowBatch, SystemClock};
use weir_query::Filter;
use weir_telemetry::Registry;

use super::{Outlet, Status, Update};
use crate::top::rate::Pace;
use crate::top::record::{BatchRow, Record};

/// How often the sockets are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Longest interval between looks that the meter makes under load.
const LOOK_MAX: Duration = Duration::from_secs(30);
/// Time over which the interval of looks is measured.
const MEASURED: Duration = Duration::from_secs(5);

/// The meter as long as it runs.
pub struct Local {
    handle: Handle,
    look: Duration,
    measured: (Instant, u64),
}

/// Makes records of rows and sends them on. Counters are not asked for.
struct Sink {
    filter: Filter,
    outlet: Outlet,
}

impl RowSink for Sink {
    fn accept(&self, flows: &mut FlowBatch, _counters: &mut FlowBatch) -> Taken {
        let filter = self.filter.at(SystemClock.now());
        let kept = (0..flows.rows()).filter(|&row| filter.matches(flows, row));
        let records = kept.filter_map(|row| Record::read(&BatchRow(flows, row)));
        let records: Vec<_> = records.map(|record| (record, Duration::ZERO)).collect();
        if !records.is_empty() {
            self.outlet.send(Update::Records(records));
        }
        Taken::default()
    }
}

/// The policy of a meter whose every look is told.
fn quick(policy: &MeterPolicy) -> MeterPolicy {
    MeterPolicy {
        enabled: true,
        interval: LOOK,
        counter_interval: Duration::from_secs(3_600),
        cache: CachePolicy {
            // Why: shorter than a look, so that one that comes a little early is told too.
            active_timeout: LOOK / 2,
            first_report: Duration::ZERO,
            idle_timeout: Duration::from_secs(60),
            ..policy.cache
        },
        ..policy.clone()
    }
}

impl Local {
    /// Starts metering.
    pub fn start(policy: &MeterPolicy, filter: Filter, outlet: Outlet) -> anyhow::Result<Local> {
        let deps = Deps {
            registry: Registry::new(),
            clock: Arc::new(SystemClock),
            sink: Arc::new(Sink { filter, outlet }),
        };
        let (handle, task) =
            weir_meter::build(&quick(policy), deps).context("preparing metering")?;
        std::thread::Builder::new()
            .name("weir-meter".to_owned())
            .spawn(move || task.run())
            .context("starting the thread of metering")?;
        Ok(Local { handle, look: LOOK, measured: (Instant::now(), 0) })
    }

    /// How often it looks: seldom, where a look takes long.
    pub fn pace(&mut self, now: Instant) -> Pace {
        let passed = now.saturating_duration_since(self.measured.0);
        if passed >= MEASURED {
            let (dumps, spaces) = self.dumps();
            let made = dumps.saturating_sub(self.measured.1);
            if made > 0 {
                let rounds = made as f64 / spaces.max(1) as f64;
                self.look = passed.div_f64(rounds).clamp(LOOK, LOOK_MAX);
            }
            self.measured = (now, dumps);
        }
        Pace::Looks(self.look)
    }

    /// Looks made so far, and namespaces that each was made in.
    fn dumps(&self) -> (u64, u64) {
        let status = self.handle.status();
        let of = |name: &str| {
            let counts = status.sources.iter().flat_map(|source| &source.counts);
            counts.filter(|(count, _)| *count == name).map(|(_, value)| value).sum::<u64>()
        };
        (of("dumps"), of("namespaces"))
    }

    /// What runs here and what is missing.
    pub fn status(&self) -> Status {
        let meter = self.handle.status();
        let mut status = Status::default();
        for tier in meter.tiers.iter().filter(|tier| !is_counter(tier.name)) {
            status.add(tier.name, tier.runs, tier.why_not.as_deref(), tier.costs);
        }
        if meter.owners.hidden > 0 {
            status.missing.insert(
                0,
                format!(
                    "{} processes of other users cannot be looked into, their connections are known \
                     by user alone: root, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, names them",
                    meter.owners.hidden
                ),
            );
        }
        status
    }
}

/// Tiers that count interfaces and the host: nothing of theirs is shown.
pub fn is_counter(tier: &str) -> bool {
    matches!(tier, "interface_counters" | "host_counters")
}
