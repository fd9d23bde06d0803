//! Runs a plan over the records of a Set: one tight loop a column.

use weir_model::columns::{flows, options};
use weir_model::values::Native;
use weir_model::{Addr, ColumnId, FlowBatch, elements};

use super::rows::{FixedRows, Rows, VariableRows, index};
use super::time::{Base, Form, nanos};
use super::{Layout, Loc, Op, Plan, Step, enrich, special};
use crate::header::Header;
use crate::knowledge::Knowledge;
use crate::protocol::Protocol;
use crate::received::Received;

/// What all records of a message share.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) header: &'a Header,
    pub(crate) protocol: Protocol,
    pub(crate) received: &'a Received,
    pub(crate) knowledge: &'a Knowledge,
}

impl Context<'_> {
    fn base(&self) -> Base {
        let boot = self.header.boot_time.or(self.knowledge.boot);
        Base {
            export: self.header.export_time.0,
            uptime: self.header.uptime_ms,
            boot: boot.map(|time| time.0),
        }
    }
}

/// One Set of flow records and the message it came in.
#[derive(Clone, Copy)]
pub(crate) struct FlowSet<'a> {
    pub(crate) body: &'a [u8],
    /// Records to decode at most; once decoded, those that were.
    pub(crate) rows: usize,
    pub(crate) context: Context<'a>,
}

/// Octets of records that go through the column loops together.
// Cost: they are read once a column, so they should stay in a first-level cache, beside the ends
// of the columns.
const TOGETHER: usize = 16 << 10;

/// Where the records of several Sets are put one after the other, to be reused.
#[derive(Default)]
pub(crate) struct Scratch {
    body: Vec<u8>,
    table: Vec<u32>,
}

/// Appends the records of `sets`, which are all of this plan, to a batch of flows, Set by Set in
/// their order, and says how many there were.
// Cost: a column costs some ten nanoseconds before its first value. Paid by each Set, whose
// records are a dozen, that is half of the work; so Sets are copied together, a few nanoseconds
// each, and their columns filled in one go.
pub(crate) fn decode_flows<'a>(
    plan: &Plan,
    sets: &mut [FlowSet<'a>],
    scratch: &mut Scratch,
    batch: &mut FlowBatch,
) -> usize {
    let mut decoded = 0;
    let mut rest = sets;
    while let Some(first) = rest.first() {
        let mut octets = first.body.len();
        let fits = |set: &&FlowSet<'a>| {
            octets += set.body.len();
            octets <= TOGETHER
        };
        let together = 1 + rest[1..].iter().take_while(fits).count();
        let (now, later) = rest.split_at_mut(together);
        decoded += decode_together(plan, now, scratch, batch);
        rest = later;
    }
    decoded
}

fn decode_together(
    plan: &Plan,
    sets: &mut [FlowSet<'_>],
    scratch: &mut Scratch,
    batch: &mut FlowBatch,
) -> usize {
    let Scratch { body, table } = scratch;
    body.clear();
    match &plan.layout {
        Layout::Fixed { stride } => {
            if let [only] = sets {
                let rows = FixedRows::new(only.body, *stride, only.rows);
                only.rows = rows.len();
                return flow_rows(plan, &rows, sets, batch);
            }
            for set in &mut *sets {
                let rows = FixedRows::new(set.body, *stride, set.rows);
                set.rows = rows.len();
                body.extend_from_slice(rows.octets());
            }
            flow_rows(plan, &FixedRows::new(body, *stride, usize::MAX), sets, batch)
        }
        layout @ Layout::Variable { .. } => {
            table.clear();
            for set in &mut *sets {
                let from = body.len();
                body.extend_from_slice(set.body);
                set.rows = index(layout, body, from, set.rows, Some(table)).rows;
            }
            flow_rows(plan, &VariableRows::new(body, table, plan.variable()), sets, batch)
        }
    }
}

/// Appends `rows`, which are those of `sets` one after the other.
fn flow_rows<R: Rows>(plan: &Plan, rows: &R, sets: &[FlowSet<'_>], batch: &mut FlowBatch) -> usize {
    let n = rows.len();
    if n == 0 {
        return 0;
    }
    let start = batch.append_rows(n);
    constants(plan, sets, start, n, batch);
    if let Some(frame) = &plan.frame {
        special::frames(frame, rows, start, batch);
    }
    for step in &plan.steps {
        run(step, rows, sets, start, batch);
    }
    special::finish(plan, rows, start, batch);
    let told_alike = |a: &FlowSet<'_>, b: &FlowSet<'_>| {
        std::ptr::eq(a.context.knowledge, b.context.knowledge)
            && a.context.header.sampling_rate == b.context.header.sampling_rate
    };
    let mut first = 0;
    for alike in sets.chunk_by(told_alike) {
        let n = alike.iter().map(|set| set.rows).sum();
        enrich::fill(plan, &rows.part(first, n), &alike[0].context, start + first, batch);
        first += n;
    }
    n
}

/// Columns that are the same in all records of a message.
fn constants(plan: &Plan, sets: &[FlowSet<'_>], start: usize, n: usize, batch: &mut FlowBatch) {
    fn each_set<T: Native>(
        id: ColumnId,
        sets: &[FlowSet<'_>],
        start: usize,
        batch: &mut FlowBatch,
        value: impl Fn(&Context<'_>) -> T,
    ) {
        batch.fill_runs(id, start, sets.iter().map(|set| (set.rows, value(&set.context))));
    }
    each_set(flows::RECEIVED_AT, sets, start, batch, |of| of.received.at.0);
    each_set(flows::EXPORT_TIME, sets, start, batch, |of| of.header.export_time.0);
    each_set(flows::EXPORTER_ADDR, sets, start, batch, |of| of.received.addr());
    each_set(flows::EXPORTER_PORT, sets, start, batch, |of| of.received.source.port());
    each_set(flows::EXPORT_PROTOCOL, sets, start, batch, |of| of.protocol.number());
    each_set(flows::SEQUENCE, sets, start, batch, |of| of.header.sequence);
    if !plan.fills(flows::OBSERVATION_DOMAIN) {
        each_set(flows::OBSERVATION_DOMAIN, sets, start, batch, |of| of.header.domain);
    }
    if sets.iter().any(|set| set.context.received.origin.is_some()) {
        origins(sets, start, batch);
    }
    if plan.template_id != 0 {
        batch.fill(flows::TEMPLATE_ID, start, n, plan.template_id);
    }
}

/// Whose numbered records these are, where their exporter understands acknowledgements.
fn origins(sets: &[FlowSet<'_>], start: usize, batch: &mut FlowBatch) {
    let mut row = start;
    for set in sets {
        if let Some(origin) = set.context.received.origin {
            let instance = batch.interner_mut().intern(&origin.instance);
            batch.fill(flows::EXPORTER_INSTANCE, row, set.rows, instance);
            batch.fill(flows::EXPORT_SEQUENCE, row, set.rows, origin.number);
        }
        row += set.rows;
    }
}

/// Appends the records of `body` to a batch of options and says how many there were.
pub(crate) fn decode_options(
    plan: &Plan,
    body: &[u8],
    rows_max: usize,
    context: &Context<'_>,
    batch: &mut FlowBatch,
) -> usize {
    match &plan.layout {
        Layout::Fixed { stride } => {
            let rows = FixedRows::new(body, *stride, rows_max);
            option_rows(plan, &rows, context, batch);
            rows.len()
        }
        layout @ Layout::Variable { .. } => {
            let mut table = Vec::new();
            let found = index(layout, body, 0, rows_max, Some(&mut table));
            option_rows(plan, &VariableRows::new(body, &table, plan.variable()), context, batch);
            found.rows
        }
    }
}

fn option_rows<R: Rows>(plan: &Plan, rows: &R, context: &Context<'_>, batch: &mut FlowBatch) {
    let n = rows.len();
    let start = batch.append_rows(n);
    let (header, received) = (context.header, context.received);
    batch.fill(options::RECEIVED_AT, start, n, received.at.0);
    batch.fill(options::EXPORT_TIME, start, n, header.export_time.0);
    batch.fill(options::EXPORTER_ADDR, start, n, received.addr());
    batch.fill(options::EXPORT_PROTOCOL, start, n, context.protocol.number());
    batch.fill(options::OBSERVATION_DOMAIN, start, n, header.domain);
    batch.fill(options::TEMPLATE_ID, start, n, plan.template_id);
    if let Some(origin) = received.origin {
        let instance = batch.interner_mut().intern(&origin.instance);
        batch.fill(options::EXPORTER_INSTANCE, start, n, instance);
        batch.fill(options::EXPORT_SEQUENCE, start, n, origin.number);
    }
    let scopes = plan.scope.unwrap_or(0);
    let mut list = Vec::new();
    for row in 0..n {
        for (column, in_scope) in [(options::SCOPE, true), (options::FIELDS, false)] {
            list.clear();
            for (_, key, loc) in plan.fields.iter().filter(|(p, _, _)| (*p < scopes) == in_scope) {
                elements::push(&mut list, *key, rows.slice(*loc, row));
            }
            batch.set_octets(column, start + row, &list);
        }
    }
}

/// Fills one column.
fn run<R: Rows>(step: &Step, rows: &R, sets: &[FlowSet<'_>], start: usize, batch: &mut FlowBatch) {
    if step.fallback {
        return special::fallback(step, rows, start, batch);
    }
    let (column, loc) = (step.column, step.loc);
    match step.op {
        Op::Number if step.null_if.is_none() => numbers(step, rows, start, batch),
        Op::Number => {
            each(
                rows,
                loc,
                |field| number(field).filter(|&value| value != 0),
                |row, value| {
                    batch.set_scalar(column, start + row, weir_model::Scalar::U64(value));
                },
            );
        }
        Op::Time(form) if form.is_relative() => {
            relative_times(form, step, rows, sets, start, batch);
        }
        Op::Time(form) => times(form, step, rows, start, batch),
        Op::V4 | Op::V6 | Op::AddrText => addresses(step, rows, start, batch),
        Op::Mac => {
            let values = rows.arrays::<6>(loc);
            let wide = |[a, b, c, d, e, f]: [u8; 6]| u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
            batch.extend(column, start, values.map(wide));
        }
        Op::Text => special::texts(step, rows, start, batch),
        Op::Octets => special::octets(step, rows, start, batch),
        Op::IcmpType => batch.extend(column, start, rows.arrays(loc).map(|[kind, _]| kind)),
        Op::IcmpCode => batch.extend(column, start, rows.arrays(loc).map(|[_, code]| code)),
        Op::TunnelKind => {
            each(
                rows,
                loc,
                |field| tunnel_kind(number(field)?),
                |row, kind| {
                    batch.set(column, start + row, kind);
                },
            );
        }
        // The upper octet of IE 351 says what the lower three identify (RFC 7133 §5, IANA).
        Op::SegmentKind => {
            each(
                rows,
                loc,
                |field| segment_kind(*field.first()?),
                |row, kind| {
                    batch.set(column, start + row, kind);
                },
            );
        }
        Op::SegmentId => {
            let id = |octets| match u64::from_be_bytes(octets) {
                typed if typed >> 56 != 0 => typed & 0xff_ffff,
                plain => plain,
            };
            batch.extend(column, start, rows.arrays(loc).map(id));
        }
    }
}

fn addresses<R: Rows>(step: &Step, rows: &R, start: usize, batch: &mut FlowBatch) {
    let (column, loc) = (step.column, step.loc);
    match step.op {
        Op::V4 if step.null_if.is_none() => {
            let values = rows.arrays(loc).map(|octets| Addr::v4(u32::from_be_bytes(octets)));
            batch.extend(column, start, values);
        }
        Op::V6 if step.null_if.is_none() => {
            batch.extend(column, start, rows.arrays(loc).map(Addr::v6));
        }
        op => {
            let keep = step.null_if.is_none();
            let told = |addr: &Addr| keep || !addr.is_unspecified();
            let convert = |field: &[u8]| address(op, field).filter(told);
            each(rows, loc, convert, |row, value| batch.set(column, start + row, value));
        }
    }
}

/// Calls `put` for each row whose field converts.
pub(super) fn each<R: Rows, T>(
    rows: &R,
    loc: Loc,
    convert: impl Fn(&[u8]) -> Option<T>,
    mut put: impl FnMut(usize, T),
) {
    for (row, field) in rows.slices(loc).enumerate() {
        if let Some(value) = convert(field) {
            put(row, value);
        }
    }
}

/// An unsigned number of 1 to 8 octets, more if they begin with zeros; `None` otherwise.
pub(crate) fn number(field: &[u8]) -> Option<u64> {
    let (zeros, tail) = field.split_at(field.len().saturating_sub(8));
    if field.is_empty() || zeros.iter().any(|&octet| octet != 0) {
        return None;
    }
    Some(tail.iter().fold(0, |value, &octet| value << 8 | u64::from(octet)))
}

pub(super) fn address(op: Op, field: &[u8]) -> Option<Addr> {
    match op {
        Op::V4 => Some(Addr::v4(u32::from_be_bytes(field.try_into().ok()?))),
        Op::V6 => Some(Addr::v6(field.try_into().ok()?)),
        _ => std::str::from_utf8(special::cut(field)).ok()?.parse().ok(),
    }
}

/// Open vSwitch's `tunnelType` (its lib/ofproto IPFIX enumeration) in the numbers of
/// [`weir_model::named::TUNNEL_KIND`].
fn tunnel_kind(value: u64) -> Option<u8> {
    match value {
        1 => Some(1),
        2 => Some(2),
        3 => Some(10),
        4 => Some(11),
        5 => Some(12),
        7 => Some(3),
        _ => None,
    }
}

fn segment_kind(kind: u8) -> Option<u8> {
    match kind {
        1 => Some(1),
        2 => Some(9),
        _ => None,
    }
}

/// Widths that one load reads go column at a time; others (reduced to 3, 5, 6, 7 octets, wider
/// than the column, variable) value by value.
fn numbers<R: Rows>(step: &Step, rows: &R, start: usize, batch: &mut FlowBatch) {
    use weir_model::column::Physical as P;
    let (id, loc) = (step.column, step.loc);
    macro_rules! load {
        ($from:ty => $to:ty) => {
            batch.extend(
                id,
                start,
                rows.arrays(loc).map(|o| <$to>::from(<$from>::from_be_bytes(o))),
            )
        };
    }
    match (step.physical, loc.width()) {
        (P::U8, 1) => load!(u8 => u8),
        (P::U16, 1) => load!(u8 => u16),
        (P::U16, 2) => load!(u16 => u16),
        (P::U32, 1) => load!(u8 => u32),
        (P::U32, 2) => load!(u16 => u32),
        (P::U32, 4) => load!(u32 => u32),
        (P::U64, 1) => load!(u8 => u64),
        (P::U64, 2) => load!(u16 => u64),
        (P::U64, 4) => load!(u32 => u64),
        (P::U64, 8) => load!(u64 => u64),
        (P::U8, _) => narrow::<u8, R>(step, rows, start, batch),
        (P::U16, _) => narrow::<u16, R>(step, rows, start, batch),
        (P::U32, _) => narrow::<u32, R>(step, rows, start, batch),
        _ => narrow::<u64, R>(step, rows, start, batch),
    }
}

/// A number that does not fit the column is null rather than another number.
fn narrow<T: Native + TryFrom<u64>, R: Rows>(
    step: &Step,
    rows: &R,
    start: usize,
    batch: &mut FlowBatch,
) {
    let fit = |field: &[u8]| T::try_from(number(field)?).ok();
    each(rows, step.loc, fit, |row, value| batch.set(step.column, start + row, value));
}

/// Times that need no message to be told.
fn times<R: Rows>(form: Form, step: &Step, rows: &R, start: usize, batch: &mut FlowBatch) {
    // Cost: a loop for each form that is common, so that no value asks which it is.
    macro_rules! all {
        ($form:expr) => {{
            let absolute = |value: u64| nanos($form, value, &Base::default()).unwrap_or_default();
            times_of(step, rows, absolute, start, batch)
        }};
    }
    match form {
        Form::Seconds => all!(Form::Seconds),
        Form::Millis => all!(Form::Millis),
        rare => all!(rare),
    }
}

fn times_of<R: Rows>(
    step: &Step,
    rows: &R,
    absolute: impl Fn(u64) -> i64,
    start: usize,
    batch: &mut FlowBatch,
) {
    let (id, loc) = (step.column, step.loc);
    match loc.width() {
        4 => {
            let values = rows.arrays(loc).map(|octets| absolute(u32::from_be_bytes(octets).into()));
            batch.extend(id, start, values);
        }
        8 => batch.extend(id, start, rows.arrays(loc).map(|o| absolute(u64::from_be_bytes(o)))),
        _ => {
            let time = |field: &[u8]| number(field).map(&absolute);
            each(rows, loc, time, |row, value| batch.set(id, start + row, value));
        }
    }
}

/// Times that count from something else in each message.
fn relative_times<R: Rows>(
    form: Form,
    step: &Step,
    rows: &R,
    sets: &[FlowSet<'_>],
    start: usize,
    batch: &mut FlowBatch,
) {
    let (id, loc) = (step.column, step.loc);
    let bases = sets.iter().map(|set| (set.rows, set.context.base()));
    let uptimes = form == Form::Uptime && loc.width() == 4;
    if uptimes && bases.clone().all(|(_, base)| base.uptimes().is_some()) {
        let mut slots = batch.slots::<i64>(id, start, rows.len());
        let mut values = rows.arrays(loc).map(u32::from_be_bytes);
        for (n, base) in bases {
            let Some(uptimes) = base.uptimes() else { continue };
            let (now, later) = slots.split_at_mut(n.min(slots.len()));
            slots = later;
            for (slot, value) in now.iter_mut().zip(&mut values) {
                *slot = uptimes.nanos(value);
            }
        }
        return;
    }
    let mut first = 0;
    for (n, base) in bases {
        for row in first..first + n {
            let value = number(rows.slice(loc, row));
            if let Some(time) = value.and_then(|value| nanos(form, value, &base)) {
                batch.set(id, start + row, time);
            }
        }
        first += n;
    }
}

#[cfg(test)]
mod tests;
