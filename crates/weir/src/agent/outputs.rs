//! All destinations of the agent as one sink of metering's rows.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Context;
use weir_meter::{Handle, RowSink, Taken};
use weir_model::columns::flows;
use weir_model::{Clock, ColumnId, FlowBatch, Scalar, Table};
use weir_sink::Format;
use weir_sink::ipfix::{Deps, ExportStatus, Exporter};
use weir_sink::lines::{LinesExporter, LinesStatus};
use weir_sink::ntop::Father;
use weir_sink::sflow::live::{SflowExporter, SflowStatus};
use weir_telemetry::Registry;

use crate::config::agent::AgentPolicy;

/// Name of ntop's keys among the formats.
const NTOP: &str = "ntop";
/// `metered_by` of packet samples.
const SAMPLES: &[u8] = b"packet_sampling";

#[derive(Default)]
struct Running {
    exporters: Vec<Exporter>,
    lines: Vec<LinesExporter>,
    sflow: Vec<SflowExporter>,
}

/// How each of them stands.
pub struct Statuses {
    /// Those by IPFIX.
    pub exporters: Vec<ExportStatus>,
    /// Those of lines.
    pub lines: Vec<LinesStatus>,
    /// Those by sFlow.
    pub sflow: Vec<SflowStatus>,
}

/// Every destination, each on a thread of its own.
pub struct Outputs {
    running: Mutex<Running>,
    /// IP protocols that go out; `None` is all.
    protocols: Option<Vec<u8>>,
    filtered: Arc<AtomicU64>,
    /// Who tells of processes, once metering is there.
    meter: Arc<OnceLock<Arc<Handle>>>,
    names: String,
}

impl Outputs {
    /// Starts them; a collector that is away is none of their errors.
    pub fn start(
        policy: &AgentPolicy,
        registry: &Registry,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Outputs> {
        let deps = Deps { registry: registry.clone(), clock: Arc::clone(clock), random };
        let mut running = Running::default();
        let mut names = Vec::new();
        for export in &policy.exports {
            names.push(export.target.to_string());
            running.exporters.push(Exporter::start(export.clone(), &deps)?);
        }
        for target in &policy.sflow {
            names.push(target.to_string());
            running.sflow.push(SflowExporter::start(target.clone(), registry)?);
        }
        let meter = Arc::<OnceLock<Arc<Handle>>>::default();
        // The keys of ntop where they are built in, else Weir's own.
        let format = NTOP.parse().unwrap_or(Format::Json);
        for place in &policy.lines {
            let known = Arc::clone(&meter);
            let fathers = Box::new(move |pid| father(known.get()?, pid));
            let exporter = LinesExporter::start(place.clone(), format, fathers, registry)
                .with_context(|| match place {
                    Some(path) => format!("opening {} for lines", path.display()),
                    None => "opening standard output for lines".to_owned(),
                })?;
            names.push(exporter.status().target);
            running.lines.push(exporter);
        }
        let filtered = Arc::new(AtomicU64::new(0));
        let shown = Arc::clone(&filtered);
        registry.on_collect(move |out| {
            out.counter(
                "weir_agent_records_filtered_total",
                "flow records of protocols that are not exported (protocolFilter)",
                &[],
                shown.load(Ordering::Relaxed),
            );
        });
        let protocols = policy.protocols.clone();
        let running = Mutex::new(running);
        Ok(Outputs { running, protocols, filtered, meter, names: names.join(" ") })
    }

    /// Lets lines tell of processes that metering knows. Before, they tell what records have.
    pub fn meter_is(&self, handle: &Arc<Handle>) {
        self.meter.get_or_init(|| Arc::clone(handle));
    }

    /// How each of them stands.
    pub fn status(&self) -> Statuses {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        Statuses {
            exporters: running.exporters.iter().map(Exporter::status).collect(),
            lines: running.lines.iter().map(LinesExporter::status).collect(),
            sflow: running.sflow.iter().map(SflowExporter::status).collect(),
        }
    }

    /// True when there are pipes alone and no reader is left.
    pub fn nobody_reads(&self) -> bool {
        let Statuses { exporters, lines, sflow } = self.status();
        let has_lines_alone = exporters.is_empty() && sflow.is_empty() && !lines.is_empty();
        has_lines_alone && lines.iter().all(|status| status.ended)
    }

    /// Stops all, at the same time, and tells how they ended.
    pub fn stop(&self) {
        let running = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *running)
        };
        running.exporters.iter().for_each(Exporter::begin_stop);
        for exporter in running.exporters {
            let status = exporter.stop();
            let account = &status.account;
            tracing::info!(
                to = status.target,
                records = account.received,
                acknowledged = account.acknowledged,
                unacknowledged = account.unacknowledged,
                dropped = account.dropped.iter().sum::<u64>(),
                kept_on_disk = account.in_flight(),
                "stopped exporting"
            );
        }
        for lines in running.lines {
            let LinesStatus { target, received, written, .. } = lines.stop();
            tracing::info!(to = target, records = received, written, "stopped writing");
        }
        for exporter in running.sflow {
            let status = exporter.stop();
            tracing::info!(
                to = status.target,
                records = status.received,
                sent = status.counts.rows,
                samples = status.counts.flow_samples,
                counter_samples = status.counts.counter_samples,
                dropped = status.received.saturating_sub(status.counts.rows),
                "stopped exporting sFlow"
            );
        }
    }
}

impl fmt::Display for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names)
    }
}

impl RowSink for Outputs {
    fn accept(&self, flows: &mut FlowBatch, counters: &mut FlowBatch) -> Taken {
        for batch in [flows, counters] {
            if batch.is_empty() {
                continue;
            }
            let empty = FlowBatch::new(batch.table());
            let mut batch = std::mem::replace(batch, empty);
            if let Some(protocols) = &self.protocols
                && let Some(kept) = of_protocols(&batch, protocols)
            {
                self.filtered.fetch_add((batch.rows() - kept.rows()) as u64, Ordering::Relaxed);
                batch = kept;
            }
            self.hand_out(batch);
        }
        Taken::default()
    }
}

impl Outputs {
    /// Gives rows to who takes them: counters to all, packet samples to sFlow where it is, which
    /// tells of nothing else, and flows to the others. So no destination counts a packet twice.
    fn hand_out(&self, batch: FlowBatch) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let is_counters = batch.table() != Table::Flows;
        let (others, samples) = if is_counters || running.sflow.is_empty() {
            let all = Arc::new(batch);
            (Some(Arc::clone(&all)), is_counters.then_some(all))
        } else {
            let is_sample =
                |row: &usize| batch.get_octets(flows::METERED_BY, *row) == Some(SAMPLES);
            let (samples, others): (Vec<_>, Vec<_>) = (0..batch.rows()).partition(is_sample);
            if samples.is_empty() {
                (Some(Arc::new(batch)), None)
            } else {
                let part = |rows: &[usize]| Some(Arc::new(rows_of(&batch, rows)));
                (part(&others).filter(|others| !others.is_empty()), part(&samples))
            }
        };
        if let Some(batch) = &others {
            running.exporters.iter().for_each(|exporter| exporter.offer(batch));
            running.lines.iter().for_each(|lines| lines.offer(batch));
        }
        if let Some(batch) = &samples {
            running.sflow.iter().for_each(|exporter| exporter.offer(batch));
        }
    }
}

/// What is known of a parent, if metering remembers it.
fn father(meter: &Handle, pid: u32) -> Option<Father> {
    let processes = meter.processes();
    let owner = processes.latest(pid)?;
    let text = |name: &Option<Arc<str>>| name.as_deref().map(str::to_owned);
    Some(Father {
        uid: owner.uid,
        user: text(&owner.user),
        gid: owner.gid,
        group: text(&owner.group),
        vm_size: owner.vm_size,
        vm_peak: owner.vm_peak,
    })
}

/// The flows of these protocols; `None` where that is all of the batch.
fn of_protocols(batch: &FlowBatch, protocols: &[u8]) -> Option<FlowBatch> {
    let wanted = |row: &usize| {
        let proto = batch.get_u64(flows::PROTO, *row);
        proto.is_none_or(|proto| protocols.iter().any(|wanted| u64::from(*wanted) == proto))
    };
    let rows: Vec<usize> = (0..batch.rows()).filter(wanted).collect();
    if rows.len() == batch.rows() || batch.table() != Table::Flows {
        return None;
    }
    Some(rows_of(batch, &rows))
}

/// A batch of these rows.
fn rows_of(batch: &FlowBatch, rows: &[usize]) -> FlowBatch {
    let mut kept = FlowBatch::new(batch.table());
    let start = kept.append_rows(rows.len());
    let columns: Vec<ColumnId> = batch.columns().map(|(id, _)| id).collect();
    for id in columns {
        for (at, row) in rows.iter().enumerate() {
            match batch.get(id, *row) {
                Some(Scalar::Code(code)) => {
                    kept.set_octets(id, start + at, batch.interner().get(code));
                }
                Some(value) => kept.set_scalar(id, start + at, value),
                None => {}
            }
        }
    }
    kept.seal();
    kept
}

/// For the jitter of reconnects: what tells two agents apart is enough.
fn random() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_that_are_not_wanted_stay_behind() {
        let mut batch = FlowBatch::new(Table::Flows);
        batch.append_rows(3);
        for (row, proto) in [6u8, 17, 6].into_iter().enumerate() {
            batch.set(flows::PROTO, row, proto);
            batch.set_octets(flows::SRC_PROCESS, row, format!("p{row}").as_bytes());
        }
        batch.seal();
        let kept = of_protocols(&batch, &[6]).unwrap();
        let names: Vec<_> =
            (0..kept.rows()).map(|row| kept.get_octets(flows::SRC_PROCESS, row).unwrap()).collect();
        assert_eq!(names, [b"p0", b"p2"]);
        assert!(of_protocols(&batch, &[6, 17]).is_none());
        assert_eq!(of_protocols(&batch, &[132]).unwrap().rows(), 0);
    }
}
