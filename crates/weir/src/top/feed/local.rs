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
/// Part of the time that looks may take: who looks at a screen wants to see more than a daemon may.
const SHARE: u32 = 4;
/// Time over which the usual interval of looks is measured.
const MEASURED: Duration = Duration::from_secs(5);

/// The meter as long as it runs.
pub struct Local {
    handle: Handle,
    looks: Looks,
}

/// When the sockets were looked at, by who asks now and then how often they were. A look that
/// takes long is made less often, so it is not known beforehand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Looks {
    count: u64,
    /// When it was last seen that one was made, and the time before.
    seen: [Duration; 2],
    usual: Duration,
    measured: (u64, Duration),
}

impl Looks {
    /// No look was made yet.
    fn new() -> Looks {
        Looks { count: 0, seen: [Duration::ZERO; 2], usual: LOOK, measured: (0, Duration::ZERO) }
    }

    /// Takes in how many looks were made until `now`.
    fn take(&mut self, count: u64, now: Duration) {
        if count != self.count {
            (self.count, self.seen) = (count, [now, self.seen[0]]);
        }
        let (before, since) = self.measured;
        let passed = now.saturating_sub(since);
        if before == 0 {
            self.measured = (count, now);
        } else if passed >= MEASURED && count > before {
            self.usual = passed.div_f64((count - before) as f64).max(LOOK);
            self.measured = (count, now);
        }
    }

    /// Time that records which were made at `at` tell of at most: since the look before. Their own
    /// look is told after them, so it may have been seen later than that, but not earlier.
    fn pace(&self, at: Duration) -> Pace {
        let before = if self.seen[0] < at { self.seen[0] } else { self.seen[1] };
        Pace::Looks(at.saturating_sub(before).max(LOOK))
    }

    /// The time that is known of: while a look is late nobody has fallen silent. Of a look that was
    /// just seen the records may still wait.
    fn known(&self, now: Duration) -> Duration {
        let last = if self.seen[0] < now { self.seen[0] } else { self.seen[1] };
        now.min(last + LOOK)
    }
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
            self.outlet.send(Update::Records(records, Instant::now()));
        }
        Taken::default()
    }
}

/// The policy of a meter whose every look is told.
fn quick(policy: &MeterPolicy) -> MeterPolicy {
    MeterPolicy {
        enabled: true,
        interval: LOOK,
        share: SHARE,
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
        Ok(Local { handle, looks: Looks::new() })
    }

    /// Asks how often it has looked by now.
    pub fn sample(&mut self, now: Duration) {
        let status = self.handle.status();
        let of = |name: &str| {
            let mut counts = status.sources.iter().flat_map(|source| &source.counts);
            counts.find(|(count, _)| *count == name).map(|(_, value)| *value)
        };
        // Why: The best source that runs sets the pace; one look of the kernel's list of sockets is a
        // dump in each network namespace.
        let dumps = || of("dumps").unwrap_or(0) / of("namespaces").unwrap_or(1).max(1);
        self.looks.take(of("looks").unwrap_or_else(dumps), now);
    }

    /// Time that records which were made at `at` tell of at most.
    pub fn pace(&self, at: Duration) -> Pace {
        self.looks.pace(at)
    }

    /// The time up to which what is silent is known to be.
    pub fn known(&self, now: Duration) -> Duration {
        self.looks.known(now)
    }

    /// Rates are there: two looks were made.
    pub fn has_rates(&self) -> bool {
        self.looks.count >= 2
    }

    /// Usual time between looks.
    pub fn usual(&self) -> Duration {
        self.looks.usual
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_late_look_makes_nobody_silent() {
        let mut looks = Looks::new();
        looks.take(1, ms(1_000));
        looks.take(1, ms(8_000));
        assert_eq!(looks.known(ms(8_000)), ms(2_000));
        assert_eq!(looks.pace(ms(8_000)), Pace::Looks(ms(7_000)));
        looks.take(2, ms(8_100));
        assert_eq!(looks.known(ms(8_100)), ms(2_000), "its records may wait");
        assert_eq!(looks.pace(ms(8_000)), Pace::Looks(ms(7_000)), "they were made before");
        assert_eq!(looks.known(ms(8_500)), ms(8_500));
        assert_eq!(looks.pace(ms(8_200)), Pace::Looks(LOOK));
        assert_eq!(looks.usual, ms(7_100));
    }
}
