//! Columns that take more than a loop over one field: text, lists, durations, sampled frames.

use std::borrow::Cow;

use weir_model::column::NullIf;
use weir_model::columns::flows;
use weir_model::{FlowBatch, Scalar, elements};

use super::rows::Rows;
use super::run::{address, each, number};
use super::time::scale;
use super::{Duration, Frame, Op, Plan, Step};
use crate::packet::{Link, dissect};

/// Text as the wire pads it: up to the first NUL.
pub(crate) fn cut(field: &[u8]) -> &[u8] {
    match field.iter().position(|&octet| octet == 0) {
        Some(end) => &field[..end],
        None => field,
    }
}

/// Text of a field: cut at its padding, made valid UTF-8.
pub(crate) fn text(field: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(cut(field))
}

pub(super) fn texts<R: Rows>(step: &Step, rows: &R, start: usize, batch: &mut FlowBatch) {
    let mut last = None;
    for (row, field) in rows.slices(step.loc).enumerate() {
        let field = cut(field);
        if field.is_empty() && step.null_if == Some(NullIf::Empty) {
            continue;
        }
        // Neighbouring records mostly name the same pods, interfaces, policies.
        let code = match last {
            Some((same, code)) if same == field => code,
            _ => batch.interner_mut().intern(String::from_utf8_lossy(field).as_bytes()),
        };
        last = Some((field, code));
        batch.set(step.column, start + row, code);
    }
}

pub(super) fn octets<R: Rows>(step: &Step, rows: &R, start: usize, batch: &mut FlowBatch) {
    for (row, field) in rows.slices(step.loc).enumerate() {
        let nothing = match step.null_if {
            Some(NullIf::AllZero) => field.iter().all(|&octet| octet == 0),
            Some(_) => field.is_empty(),
            None => false,
        };
        if !nothing {
            batch.set_octets(step.column, start + row, field);
        }
    }
}

/// Fills rows in which the preferred element said nothing.
pub(super) fn fallback<R: Rows>(step: &Step, rows: &R, start: usize, batch: &mut FlowBatch) {
    for (row, field) in rows.slices(step.loc).enumerate() {
        let now = batch.get(step.column, start + row);
        let Some(value) = alternative(step, field) else { continue };
        let better = is_nothing(now) && !is_nothing(Some(value));
        if better || now.is_none() && step.null_if.is_none() {
            batch.set_scalar(step.column, start + row, value);
        }
    }
}

fn alternative(step: &Step, field: &[u8]) -> Option<Scalar> {
    match step.op {
        Op::Number => number(field).map(Scalar::U64),
        Op::IcmpType => field.first().map(|&kind| Scalar::U64(kind.into())),
        Op::IcmpCode => field.get(1).map(|&code| Scalar::U64(code.into())),
        _ => address(step.op, field).map(Scalar::Addr),
    }
}

fn is_nothing(value: Option<Scalar>) -> bool {
    match value {
        None | Some(Scalar::U64(0)) => true,
        Some(Scalar::Addr(addr)) => addr.is_unspecified(),
        _ => false,
    }
}

/// What is left after the steps.
pub(super) fn finish<R: Rows>(plan: &Plan, rows: &R, start: usize, batch: &mut FlowBatch) {
    if let Some(boot) = plan.boot {
        uptimes(plan, boot, rows, start, batch);
    }
    if let Some(duration) = &plan.duration {
        complete(duration, rows, start, batch);
    }
    if !plan.mpls.is_empty() {
        mpls(plan, rows, start, batch);
    }
    if plan.icmp_in_port {
        icmp_in_port(rows.len(), start, batch);
    }
    if !plan.extra.is_empty() || plan.steps.iter().any(|step| step.fallback) {
        extra(plan, rows, start, batch);
    }
}

/// Uptimes of records that say themselves when the exporter booted (IE 160).
fn uptimes<R: Rows>(plan: &Plan, boot: super::Loc, rows: &R, start: usize, batch: &mut FlowBatch) {
    let relative = |step: &&Step| step.op == Op::Time(super::time::Form::Uptime);
    for step in plan.steps.iter().filter(relative) {
        for row in 0..rows.len() {
            let (boot, uptime) = (number(rows.slice(boot, row)), number(rows.slice(step.loc, row)));
            if let (Some(boot), Some(uptime)) = (boot, uptime) {
                let millis = boot.saturating_add(uptime);
                batch.set(step.column, start + row, scale(millis, 1_000_000));
            }
        }
    }
}

fn complete<R: Rows>(duration: &Duration, rows: &R, start: usize, batch: &mut FlowBatch) {
    let (from, to, sign) = match duration.start_missing {
        true => (flows::FLOW_END, flows::FLOW_START, -1),
        false => (flows::FLOW_START, flows::FLOW_END, 1),
    };
    each(rows, duration.loc, number, |row, length| {
        if let Some(Scalar::I64(known)) = batch.get(from, start + row) {
            let length = scale(length, duration.nanos_per_unit).saturating_mul(sign);
            batch.set(to, start + row, known.saturating_add(length));
        }
    });
}

/// Labels of IEs 70–79: 20 bits of label, 3 of class, the bottom-of-stack bit. All zeros is no
/// entry (label 0 alone on the stack would carry that bit).
fn mpls<R: Rows>(plan: &Plan, rows: &R, start: usize, batch: &mut FlowBatch) {
    let mut list = Vec::new();
    for row in 0..rows.len() {
        list.clear();
        for loc in &plan.mpls {
            match number(rows.slice(*loc, row)) {
                Some(entry) if entry != 0 => {
                    list.extend_from_slice(&(entry as u32 >> 4).to_be_bytes());
                }
                _ => {}
            }
        }
        if !list.is_empty() {
            batch.set_octets(flows::MPLS_LABELS, start + row, &list);
        }
    }
}

fn icmp_in_port(rows: usize, start: usize, batch: &mut FlowBatch) {
    for row in start..start + rows {
        if batch.get_u64(flows::PROTO, row) == Some(1) {
            let port = batch.get_u64(flows::DST_PORT, row).unwrap_or(0);
            batch.set(flows::ICMP_TYPE, row, (port >> 8) as u8);
            batch.set(flows::ICMP_CODE, row, port as u8);
        }
    }
}

fn extra<R: Rows>(plan: &Plan, rows: &R, start: usize, batch: &mut FlowBatch) {
    let fallbacks = plan.steps.iter().filter(|step| step.fallback);
    let fallbacks: Vec<_> = fallbacks
        .filter_map(|step| {
            let (_, key, _) = plan.fields.iter().find(|(_, _, loc)| *loc == step.loc)?;
            Some((*key, step))
        })
        .collect();
    let mut list = Vec::new();
    for row in 0..rows.len() {
        list.clear();
        for (key, loc) in &plan.extra {
            elements::push(&mut list, *key, rows.slice(*loc, row));
        }
        let mut last = None;
        for (key, step) in &fallbacks {
            // Cisco's SRv6 records tell both families: IPv4 within and IPv6 around it. What did
            // not get the column is kept here.
            let field = rows.slice(step.loc, row);
            let told = alternative(step, field);
            let unused = !is_nothing(told) && told != batch.get(step.column, start + row);
            if unused && last != Some(step.loc) {
                elements::push(&mut list, *key, field);
                last = Some(step.loc);
            }
        }
        if !list.is_empty() {
            batch.set_octets(flows::EXTRA, start + row, &list);
        }
    }
}

/// Sampled frames: their headers fill the key columns. Comes before the steps, so that what the
/// record tells itself stands. A record without counters is one packet of the frame's length.
pub(super) fn frames<R: Rows>(frame: &Frame, rows: &R, start: usize, batch: &mut FlowBatch) {
    for row in 0..rows.len() {
        let octets = rows.slice(frame.loc, row);
        let link = match octets.first() {
            None => continue,
            Some(_) if !frame.network => Link::ETHERNET,
            Some(first) if first >> 4 == 6 => Link::IPV6,
            Some(_) => Link::IPV4,
        };
        let seen = dissect(link, octets);
        seen.write(batch, start + row);
        seen.write_application(octets, batch, start + row);
        let length = frame.length.and_then(|loc| number(rows.slice(loc, row)));
        if !frame.has_octets {
            let length = length.unwrap_or(octets.len() as u64);
            batch.set(flows::OCTETS, start + row, length);
        }
        if !frame.has_packets {
            batch.set(flows::PACKETS, start + row, 1u64);
        }
    }
}
