//! Template in, plan out.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::LazyLock;

use hashbrown::DefaultHashBuilder;
use weir_model::column::{ColumnType, ElementKey};
use weir_model::columns::{PEN_ANTREA, PEN_VMWARE, counters, flows};
use weir_model::{ColumnDef, ColumnId, Table, own};
use weir_registry::ElementType;

use super::time::Form;
use super::{Columns, Duration, Frame, Layout, Loc, Op, Plan, Sampling, Step};
use crate::protocol::Protocol;
use crate::template::{Field, Template, VARIABLE};

/// Columns that an element feeds, with its place in the column's list (0 is preferred).
type Targets = HashMap<ElementKey, Vec<(&'static ColumnDef, usize)>>;

static TARGETS: LazyLock<Targets> = LazyLock::new(|| {
    let mut targets = Targets::new();
    for def in flows::DEFS {
        for (rank, key) in def.from.iter().enumerate() {
            targets.entry(*key).or_default().push((def, rank));
        }
        if let Some(key) = own::element(Table::Flows, def) {
            targets.entry(key).or_default().push((def, def.from.len()));
        }
    }
    targets
});

/// Seeded at random, so that no exporter can choose templates of the same shape.
static SHAPES: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

/// Compiles `template`. `repair` undoes the order of Antrea 2.4–2.6's per-node counters.
pub(crate) fn compile(template: &Template, protocol: Protocol, repair: bool) -> Plan {
    let (layout, locs) = lay_out(&template.fields);
    let mut fields = Vec::new();
    for (position, (field, loc)) in template.fields.iter().zip(locs).enumerate() {
        // Juniper SRX sends fields and scopes of length 0: they say nothing.
        if field.length > 0 {
            let key = if repair { antrea_in_order(field.key) } else { field.key };
            fields.push((position, key, loc));
        }
    }
    let plan = Plan {
        shape: SHAPES.hash_one(&fields),
        template_id: template.id,
        layout,
        scope: template.scope,
        counters: fields.iter().any(|(_, key, _)| is_counter_name(*key)),
        fields,
        steps: Vec::new(),
        extra: Vec::new(),
        mpls: Vec::new(),
        boot: None,
        duration: None,
        sampling: Sampling::default(),
        frame: None,
        icmp_in_port: matches!(protocol, Protocol::NetFlow5 | Protocol::NetFlow7),
        filled: Columns::default(),
    };
    if plan.is_options() { plan } else { Builder::new(plan, protocol).build() }
}

/// Records with the name of a counter are rows of `counters`, as Weir exports them.
fn is_counter_name(key: ElementKey) -> bool {
    own::counters_column(key).is_some_and(|def| def.id == counters::NAME)
}

/// Places of all fields, those of length 0 included.
fn lay_out(fields: &[Field]) -> (Layout, Vec<Loc>) {
    let mut gaps = vec![0u32];
    let locs = fields
        .iter()
        .map(|field| {
            let segment = (gaps.len() - 1) as u16;
            if field.length == VARIABLE {
                gaps.push(0);
                return Loc::Variable { index: segment };
            }
            let gap = gaps.last_mut().expect("starts with one and only grows");
            let (offset, width) = (*gap, u32::from(field.length));
            *gap += width;
            Loc::Fixed { segment, offset, width }
        })
        .collect();
    let layout = match gaps.as_slice() {
        [stride] => Layout::Fixed { stride: *stride as usize },
        _ => Layout::Variable { gaps },
    };
    (layout, locs)
}

struct Builder {
    plan: Plan,
    protocol: Protocol,
    /// Per column the field that feeds it best: (rank, index into the plan's fields).
    best: HashMap<ColumnId, (usize, usize)>,
    fallbacks: Vec<(ElementKey, Step)>,
    mpls: Vec<(u16, Loc)>,
}

impl Builder {
    fn new(plan: Plan, protocol: Protocol) -> Builder {
        let mut best: HashMap<ColumnId, (usize, usize)> = HashMap::new();
        for (index, (_, key, loc)) in plan.fields.iter().enumerate() {
            for (def, rank) in TARGETS.get(key).into_iter().flatten() {
                let offer = (*rank, index);
                if operation(*key, *loc, def).is_some() {
                    best.entry(def.id).and_modify(|b| *b = offer.min(*b)).or_insert(offer);
                }
            }
        }
        Builder { plan, protocol, best, fallbacks: Vec::new(), mpls: Vec::new() }
    }

    fn build(mut self) -> Plan {
        let fields = self.plan.fields.clone();
        let boot = fields.iter().find(|(_, key, _)| *key == ie(160));
        self.plan.boot = boot.map(|(_, _, loc)| *loc);
        for (index, (_, key, loc)) in fields.iter().enumerate() {
            if !self.special(*key, *loc) {
                self.field(index, *key, *loc);
            }
        }
        self.plan.steps.extend(self.fallbacks.drain(..).map(|(_, step)| step));
        // The element says the place on the stack, not the order in the template.
        self.mpls.sort_by_key(|(id, _)| *id);
        self.plan.mpls = self.mpls.drain(..).map(|(_, loc)| loc).collect();
        for step in &self.plan.steps {
            self.plan.filled.insert(step.column);
        }
        if let Some(frame) = &mut self.plan.frame {
            frame.has_octets = self.best.contains_key(&flows::OCTETS);
            frame.has_packets = self.best.contains_key(&flows::PACKETS);
            let length = self.plan.steps.iter().find(|step| step.column == flows::FRAME_LENGTH);
            frame.length = length.map(|step| step.loc);
        }
        self.plan
    }

    /// Elements that are more than one column; true when `key` is one and was dealt with.
    fn special(&mut self, key: ElementKey, loc: Loc) -> bool {
        if key.pen != 0 {
            return false;
        }
        let sampling = &mut self.plan.sampling;
        let slot = match key.id {
            210 => return true,
            34 | 50 => &mut sampling.interval,
            305 => &mut sampling.packets,
            306 => &mut sampling.space,
            309 => &mut sampling.size,
            310 => &mut sampling.population,
            311 => &mut sampling.probability,
            70..=79 if loc.width() == 3 => {
                self.mpls.push((key.id, loc));
                return true;
            }
            160 => return self.plan.boot == Some(loc),
            161 | 162 => return self.duration(key.id, loc),
            104 | 313 | 315 if self.plan.frame.is_none() => {
                let network = key.id == 313;
                let (has_octets, has_packets) = (false, false);
                let frame = Frame { loc, network, length: None, has_octets, has_packets };
                self.plan.frame = Some(frame);
                return true;
            }
            _ => return false,
        };
        let first = slot.is_none();
        if first {
            *slot = Some(loc);
        }
        first
    }

    fn duration(&mut self, id: u16, loc: Loc) -> bool {
        let has = |column| self.best.contains_key(&column);
        let start_missing = match (has(flows::FLOW_START), has(flows::FLOW_END)) {
            (false, true) => true,
            (true, false) => false,
            _ => return false,
        };
        let nanos_per_unit = if id == 161 { 1_000_000 } else { 1_000 };
        self.plan.duration = Some(Duration { loc, nanos_per_unit, start_missing });
        true
    }

    fn field(&mut self, index: usize, key: ElementKey, loc: Loc) {
        let mut kept = false;
        for (def, _) in TARGETS.get(&key).into_iter().flatten() {
            let Some(op) = operation(key, loc, def) else { continue };
            let step = Step {
                op,
                column: def.id,
                physical: def.ty.physical(),
                loc,
                null_if: def.null_if,
                fallback: false,
            };
            let (_, best) = self.best.get(&def.id).copied().unwrap_or((0, index));
            let repeated = self.plan.fields_key(best) == Some(key) && best != index;
            if best == index {
                self.plan.steps.push(step);
                kept = true;
            } else if !repeated && alternative(def) && !self.has_fallback(def.id, key) {
                self.fallbacks.push((key, Step { fallback: true, ..step }));
                kept = true;
            }
        }
        kept |= self.second_name(key, loc);
        self.extra_kinds(key, loc);
        let relative = matches!(key, ElementKey { pen: 0, id: 21 | 22 });
        let unresolved = relative && self.protocol == Protocol::Ipfix && self.plan.boot.is_none();
        if !kept || unresolved {
            self.plan.extra.push((key, loc));
        }
    }

    /// Limit: one of each element and column. A template may repeat an element a thousand times,
    /// and fallbacks are compared with all fields in every Set.
    fn has_fallback(&self, column: ColumnId, key: ElementKey) -> bool {
        self.fallbacks.iter().any(|(other, step)| *other == key && step.column == column)
    }

    /// Open vSwitch names both interfaces by IE 82: the second is the egress one.
    fn second_name(&mut self, key: ElementKey, loc: Loc) -> bool {
        if key != ie(82) || !self.best.contains_key(&flows::IN_IF_NAME) {
            return false;
        }
        let names = self.plan.steps.iter().filter(|step| step.op == Op::Text);
        let taken = names.clone().any(|step| step.column == flows::OUT_IF_NAME);
        let in_name = names.clone().find(|step| step.column == flows::IN_IF_NAME);
        if taken || in_name.is_none_or(|s| s.loc == loc) {
            return false;
        }
        let def = &flows::DEFS[flows::OUT_IF_NAME.index()];
        self.plan.steps.push(Step {
            op: Op::Text,
            column: def.id,
            physical: def.ty.physical(),
            loc,
            null_if: def.null_if,
            fallback: false,
        });
        true
    }

    /// IE 351 tells the kind of tunnel beside its id.
    fn extra_kinds(&mut self, key: ElementKey, loc: Loc) {
        if key == ie(351) && loc.width() == 8 && !self.best.contains_key(&flows::TUNNEL_KIND) {
            let def = &flows::DEFS[flows::TUNNEL_KIND.index()];
            self.plan.steps.push(Step {
                op: Op::SegmentKind,
                column: def.id,
                physical: def.ty.physical(),
                loc,
                null_if: None,
                fallback: false,
            });
        }
    }
}

impl Plan {
    fn fields_key(&self, index: usize) -> Option<ElementKey> {
        self.fields.get(index).map(|(_, key, _)| *key)
    }
}

const fn ie(id: u16) -> ElementKey {
    ElementKey { pen: 0, id }
}

/// Columns whose elements are alternatives for different packets (address families, transport
/// protocols): a template may carry several, of which one is set in a record.
fn alternative(def: &ColumnDef) -> bool {
    def.ty == ColumnType::Addr
        || [
            flows::SRC_PORT,
            flows::DST_PORT,
            flows::ICMP_TYPE,
            flows::ICMP_CODE,
            flows::SRC_MASK,
            flows::DST_MASK,
        ]
        .contains(&def.id)
}

/// The conversion from the octets of `key` at `loc` to the type of `def`; `None` where there is
/// none that keeps the value.
fn operation(key: ElementKey, loc: Loc, def: &ColumnDef) -> Option<Op> {
    let ty = weir_registry::element(key.pen, key.id).map(|element| element.ty);
    let width = loc.width();
    let variable = matches!(loc, Loc::Variable { .. });
    match (key.pen, key.id) {
        (0, 32 | 139) if width != 2 => return None,
        (0, 32 | 139) if def.id == flows::ICMP_TYPE => return Some(Op::IcmpType),
        (0, 32 | 139) => return Some(Op::IcmpCode),
        (0, 351) if width == 8 => return Some(Op::SegmentId),
        (PEN_VMWARE, 891) => return Some(Op::TunnelKind),
        _ => {}
    }
    match def.ty {
        ColumnType::U8 | ColumnType::U16 | ColumnType::U32 | ColumnType::U64 => {
            let number = ty.is_none_or(|ty| ty.is_unsigned() || ty == ElementType::OctetArray);
            let fits = variable && ty == Some(ElementType::OctetArray) || (1..=8).contains(&width);
            (number && fits).then_some(Op::Number)
        }
        ColumnType::Time => time_form(key, ty?, width).map(Op::Time),
        ColumnType::Addr => match (ty, width) {
            (Some(ElementType::String), _) => Some(Op::AddrText),
            (_, 4) => Some(Op::V4),
            (_, 16) => Some(Op::V6),
            _ => None,
        },
        ColumnType::Mac => (width == 6).then_some(Op::Mac),
        ColumnType::Str => {
            let text = ty.is_none_or(|ty| ty == ElementType::String);
            text.then_some(Op::Text)
        }
        ColumnType::Bytes => Some(Op::Octets),
        ColumnType::U32List => (key.pen == own::PEN_WEIR).then_some(Op::Octets),
        ColumnType::F64 | ColumnType::Elements => None,
    }
}

fn time_form(key: ElementKey, ty: ElementType, width: usize) -> Option<Form> {
    let form = match (key.pen, key.id, ty) {
        (0, 21 | 22, _) => Form::Uptime,
        (0, 158 | 159, _) => Form::MicrosAgo,
        (_, _, ElementType::DateTimeSeconds) => Form::Seconds,
        (_, _, ElementType::DateTimeMilliseconds) => Form::Millis,
        (_, _, ElementType::DateTimeMicroseconds) => Form::NtpMicros,
        (_, _, ElementType::DateTimeNanoseconds) => Form::NtpNanos,
        _ => return None,
    };
    let whole = matches!(form, Form::NtpMicros | Form::NtpNanos);
    (if whole { width == 8 } else { (1..=8).contains(&width) }).then_some(form)
}

/// Antrea's Flow Aggregator 2.4.0–2.4.5, 2.5.0–2.5.2 and 2.6.0–2.6.2 wrote its per-node counters
/// in a wrong order; it is a fixed permutation: the element that really lies under `key`.
fn antrea_in_order(key: ElementKey) -> ElementKey {
    if key.pen != PEN_ANTREA {
        return key;
    }
    let id = match key.id {
        123 => 120,
        131 => 121,
        121 => 122,
        129 => 123,
        122 => 124,
        130 => 125,
        120 => 126,
        128 => 127,
        127 => 128,
        135 => 129,
        125 => 130,
        133 => 131,
        126 => 132,
        134 => 133,
        124 => 134,
        132 => 135,
        147 => 146,
        148 => 147,
        146 => 149,
        149 => 148,
        id => id,
    };
    ElementKey { id, ..key }
}

#[cfg(test)]
mod tests;
