//! Fills what options records told about: sampling rates, interface, VRF and application names.

use weir_model::columns::flows;
use weir_model::{ColumnId, FlowBatch};

use super::rows::Rows;
use super::run::{Context, number};
use super::{Plan, Sampling};
use crate::knowledge::{Knowledge, Names};

pub(super) fn fill<R: Rows>(
    plan: &Plan,
    rows: &R,
    context: &Context<'_>,
    start: usize,
    batch: &mut FlowBatch,
) {
    let knowledge = context.knowledge;
    sampling(plan, rows, context, start, batch);
    let n = rows.len();
    for (number, name, known) in [
        (flows::IN_IF, flows::IN_IF_NAME, &knowledge.interfaces),
        (flows::OUT_IF, flows::OUT_IF_NAME, &knowledge.interfaces),
        (flows::INGRESS_VRF, flows::VRF_NAME, &knowledge.vrfs),
    ] {
        if !known.is_empty() && plan.fills(number) && !plan.fills(name) {
            names(number, name, known, start..start + n, batch);
        }
    }
    if !knowledge.applications.is_empty() && plan.fills(flows::APP_ID) && !plan.fills(flows::APP) {
        applications(knowledge, start..start + n, batch);
    }
}

fn names(
    number: ColumnId,
    name: ColumnId,
    known: &Names<u32>,
    rows: std::ops::Range<usize>,
    batch: &mut FlowBatch,
) {
    let mut last = None;
    for row in rows {
        let Some(value) = batch.get_u64(number, row) else { continue };
        let code = match last {
            Some((same, code)) if same == value => code,
            _ => {
                let name = u32::try_from(value).ok().and_then(|value| known.get(&value));
                name.map(|name| batch.interner_mut().intern(name.as_bytes()))
            }
        };
        last = Some((value, code));
        if let Some(code) = code {
            batch.set(name, row, code);
        }
    }
}

fn applications(knowledge: &Knowledge, rows: std::ops::Range<usize>, batch: &mut FlowBatch) {
    for row in rows {
        let id = batch.get_octets(flows::APP_ID, row);
        if let Some(name) = id.and_then(|id| knowledge.applications.get(id)) {
            batch.set_octets(flows::APP, row, name.as_bytes());
        }
    }
}

/// What a record tells itself goes first, then the setting, then the sampler it names, its
/// ingress interface, its template, and last what the exporter says of no sampler in particular.
fn sampling<R: Rows>(
    plan: &Plan,
    rows: &R,
    context: &Context<'_>,
    start: usize,
    batch: &mut FlowBatch,
) {
    let (n, knowledge) = (rows.len(), context.knowledge);
    let told = plan.sampling.is_told();
    let by_sampler = !knowledge.samplers.is_empty() && plan.fills(flows::SAMPLER_ID);
    let by_interface = !knowledge.sampled_interfaces.is_empty() && plan.fills(flows::IN_IF);
    let of_header = context.header.sampling_rate;
    let general = of_header.or_else(|| knowledge.rate_of_template(plan.template_id));
    if !told && (knowledge.forced.is_some() || !by_sampler && !by_interface) {
        if let Some(rate) = knowledge.forced.or(general) {
            batch.fill(flows::SAMPLING_RATE, start, n, rate);
        }
        return;
    }
    if !told && by_sampler && !by_interface {
        return of_samplers(plan, rows, knowledge, general, start, batch);
    }
    for row in 0..n {
        let own = if told { record_rate(&plan.sampling, rows, row) } else { None };
        let look_up = |batch: &FlowBatch| {
            let sampler = batch.get_u64(flows::SAMPLER_ID, start + row).filter(|_| by_sampler);
            let of_sampler = sampler.and_then(|id| knowledge.samplers.get(&id).copied());
            let interface = batch.get_u64(flows::IN_IF, start + row).filter(|_| by_interface);
            let interface = interface.and_then(|index| u32::try_from(index).ok());
            let of_interface =
                interface.and_then(|i| knowledge.sampled_interfaces.get(&i).copied());
            of_sampler.or(of_interface).or(general)
        };
        if let Some(rate) = own.or(knowledge.forced).or_else(|| look_up(batch)) {
            batch.set(flows::SAMPLING_RATE, start + row, rate);
        }
    }
}

/// The common case of routers: every record names its sampler.
fn of_samplers<R: Rows>(
    plan: &Plan,
    rows: &R,
    knowledge: &Knowledge,
    general: Option<u32>,
    start: usize,
    batch: &mut FlowBatch,
) {
    let step = plan.steps.iter().find(|step| step.column == flows::SAMPLER_ID);
    let Some(step) = step else { return };
    let mut last = None;
    for (row, field) in rows.slices(step.loc).enumerate() {
        let rate = match last {
            Some((same, rate)) if same == field => rate,
            _ => {
                let known = number(field).and_then(|id| knowledge.samplers.get(&id).copied());
                known.or(general)
            }
        };
        last = Some((field, rate));
        if let Some(rate) = rate {
            batch.set(flows::SAMPLING_RATE, start + row, rate);
        }
    }
}

fn record_rate<R: Rows>(sampling: &Sampling, rows: &R, row: usize) -> Option<u32> {
    let value = |loc: Option<super::Loc>| loc.and_then(|loc| number(rows.slice(loc, row)));
    crate::knowledge::Told {
        interval: value(sampling.interval),
        packets: value(sampling.packets),
        space: value(sampling.space),
        size: value(sampling.size),
        population: value(sampling.population),
        probability: sampling.probability.and_then(|loc| float(rows.slice(loc, row))),
    }
    .rate()
}

/// A floating-point number of 4 or 8 octets.
pub(crate) fn float(field: &[u8]) -> Option<f64> {
    match field.len() {
        4 => field.first_chunk().map(|o| f64::from(f32::from_be_bytes(*o))),
        8 => field.first_chunk().map(|o| f64::from_be_bytes(*o)),
        _ => None,
    }
}
