//! One row as a list of fields and their octets.

use weir_model::column::ElementKey;
use weir_model::columns::flows;
use weir_model::elements::{self, Element};
use weir_model::json::u32_list;
use weir_model::{Addr, Column, FlowBatch, Scalar, Timestamp};
use weir_registry::ElementType;

use super::EncoderPolicy;
use super::carry::{Carrier, Form, carrier, kind, travels};
use super::packer::Dialect;

/// Length that says "variable" in a template (RFC 7011 §7).
pub(super) const VARIABLE: u16 = u16::MAX;

/// Nanoseconds of a millisecond.
const MILLI: i64 = 1_000_000;

/// One field of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Field {
    pub(super) key: ElementKey,
    pub(super) length: u16,
}

/// The fields of a record in their order: what a template describes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Layout {
    pub(super) fields: Vec<Field>,
    /// Leading fields that are the scope; `None` for a template of flows.
    pub(super) scopes: Option<u16>,
}

impl Layout {
    pub(super) fn clear(&mut self) {
        self.fields.clear();
        self.scopes = None;
    }

    /// The fields so far are the scope, what follows are options.
    pub(super) fn end_scope(&mut self) {
        self.scopes = Some(self.fields.len() as u16);
    }

    fn push(&mut self, key: ElementKey, length: u16) {
        self.fields.push(Field { key, length });
    }

    /// Octets of the template record at most.
    pub(super) fn template_octets(&self) -> usize {
        let specifier = |field: &Field| if field.key.pen == 0 { 4 } else { 8 };
        6 + self.fields.iter().map(specifier).sum::<usize>()
    }

    /// Appends the template record under `id` (RFC 7011 §3.4.1–2, RFC 3954 §5.2, §6.1).
    pub(super) fn write_template(&self, dialect: Dialect, id: u16, out: &mut Vec<u8>) {
        let mut put = |value: u16| out.extend_from_slice(&value.to_be_bytes());
        put(id);
        let fields = self.fields.len() as u16;
        match (dialect, self.scopes) {
            (_, None) => put(fields),
            (Dialect::Ipfix, Some(scopes)) => {
                put(fields);
                put(scopes);
            }
            (Dialect::NetFlow9, Some(scopes)) => {
                put(scopes * 4);
                put((fields - scopes) * 4);
            }
        }
        for field in &self.fields {
            let enterprise = field.key.pen != 0;
            out.extend_from_slice(
                &(field.key.id | if enterprise { 0x8000 } else { 0 }).to_be_bytes(),
            );
            out.extend_from_slice(&field.length.to_be_bytes());
            if enterprise {
                out.extend_from_slice(&field.key.pen.to_be_bytes());
            }
        }
    }
}

/// A record under construction: its fields and their octets.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) layout: Layout,
    pub(super) octets: Vec<u8>,
}

impl Draft {
    pub(super) fn clear(&mut self) {
        self.layout.clear();
        self.octets.clear();
    }

    /// A number of `width` octets; one that does not fit is left out rather than sent wrong, and
    /// the answer is false.
    pub(super) fn number(&mut self, key: ElementKey, width: u16, value: u64) -> bool {
        let octets = value.to_be_bytes();
        let (unused, used) = octets.split_at(8 - usize::from(width.min(8)));
        let fits = unused.iter().all(|octet| *octet == 0);
        if fits {
            self.layout.push(key, width);
            self.octets.extend_from_slice(used);
        }
        fits
    }

    /// A fraction.
    pub(super) fn float(&mut self, key: ElementKey, value: f64) {
        self.layout.push(key, 8);
        self.octets.extend_from_slice(&value.to_be_bytes());
    }

    fn millis(&mut self, key: ElementKey, nanos: i64) {
        if let Ok(millis) = u64::try_from(nanos.div_euclid(MILLI)) {
            self.number(key, 8, millis);
        }
    }

    fn address(&mut self, v4: ElementKey, v6: Option<ElementKey>, addr: Addr) {
        match (addr.as_v4(), v6) {
            (Some(address), _) => {
                self.number(v4, 4, address.into());
            }
            (None, Some(v6)) => self.address16(v6, addr),
            (None, None) => {}
        }
    }

    fn address16(&mut self, key: ElementKey, addr: Addr) {
        self.layout.push(key, 16);
        self.octets.extend_from_slice(&addr.octets());
    }

    /// Octets of any length: variable in IPFIX, as long as they are in v9 (where none are left
    /// out).
    pub(super) fn variable(&mut self, dialect: Dialect, key: ElementKey, octets: &[u8]) {
        let Ok(length) = u16::try_from(octets.len()) else { return };
        match dialect {
            Dialect::NetFlow9 if length == 0 || length == VARIABLE => return,
            Dialect::NetFlow9 => self.layout.push(key, length),
            Dialect::Ipfix => {
                self.layout.push(key, VARIABLE);
                match u8::try_from(length) {
                    Ok(short) if short < 255 => self.octets.push(short),
                    _ => {
                        self.octets.push(255);
                        self.octets.extend_from_slice(&length.to_be_bytes());
                    }
                }
            }
        }
        self.octets.extend_from_slice(octets);
    }

    /// An element that travels as it came: numbers keep the width they had.
    pub(super) fn element(&mut self, dialect: Dialect, element: Element<'_>) {
        if !travels(dialect, element.key) {
            return;
        }
        let free = matches!(
            kind(element.key),
            None | Some(
                ElementType::OctetArray
                    | ElementType::String
                    | ElementType::BasicList
                    | ElementType::SubTemplateList
                    | ElementType::SubTemplateMultiList
            )
        );
        if free || element.value.is_empty() {
            return self.variable(dialect, element.key, element.value);
        }
        let Ok(length) = u16::try_from(element.value.len()) else { return };
        self.layout.push(element.key, length);
        self.octets.extend_from_slice(element.value);
    }

    /// Text: of variable length in IPFIX; NUL-padded in v9, to a few widths so that few templates
    /// describe it.
    fn text(&mut self, dialect: Dialect, key: ElementKey, text: &[u8]) {
        if dialect == Dialect::Ipfix {
            return self.variable(dialect, key, text);
        }
        let width = text.len().next_power_of_two().max(8);
        let Ok(length) = u16::try_from(width) else { return };
        self.layout.push(key, length);
        self.octets.extend_from_slice(text);
        self.octets.resize(self.octets.len() + width - text.len(), 0);
    }
}

/// Writes rows of one batch.
#[derive(Debug)]
pub(super) struct RowWriter {
    dialect: Dialect,
    /// When the uptime in the message's header was 0.
    boot: Timestamp,
    /// Export time: a decoder takes uptimes past it for those of 49 days ago.
    now: Timestamp,
    mediate: bool,
    carriers: Vec<Carrier>,
}

impl RowWriter {
    /// A writer of the columns that `batch` has and `dialect` can carry.
    pub(super) fn new(
        batch: &FlowBatch,
        dialect: Dialect,
        policy: &EncoderPolicy,
        boot: Timestamp,
        now: Timestamp,
    ) -> RowWriter {
        let present = batch.columns().filter(|(_, column)| **column != Column::Absent);
        let defs = present.filter_map(|(id, _)| batch.table().def(id));
        RowWriter {
            dialect,
            boot,
            now,
            mediate: policy.mediate && dialect == Dialect::Ipfix,
            carriers: defs.filter_map(|def| carrier(def, dialect)).collect(),
        }
    }

    /// Writes row `row` to `draft`, in place of what it held.
    pub(super) fn write(&self, batch: &FlowBatch, row: usize, draft: &mut Draft) {
        draft.clear();
        for carrier in &self.carriers {
            match batch.get(carrier.column, row) {
                Some(Scalar::Code(code)) => {
                    self.octets(carrier, batch.interner().get(code), draft);
                }
                Some(value) => {
                    let icmp6 = batch.get_u64(flows::PROTO, row) == Some(58);
                    self.value(carrier, value, icmp6, draft);
                }
                None => {}
            }
        }
        if self.mediate {
            mediated(batch, row, draft);
        }
    }

    fn value(&self, carrier: &Carrier, value: Scalar, icmp6: bool, draft: &mut Draft) {
        let key = carrier.key;
        match (carrier.form, value) {
            (Form::Unsigned(width), Scalar::U64(value)) => {
                if let (false, Some(own)) = (draft.number(key, width, value), carrier.own) {
                    draft.number(own, 8, value);
                }
            }
            (Form::Mac, Scalar::U64(mac)) => {
                draft.number(key, 6, mac);
            }
            (Form::OvsTunnel, Scalar::U64(kind)) => match (ovs_tunnel(kind), carrier.own) {
                (Some(kind), _) => {
                    draft.number(key, 1, kind);
                }
                (None, Some(own)) => {
                    draft.number(own, 1, kind);
                }
                (None, None) => {}
            },
            (Form::Address16, Scalar::Addr(addr)) => draft.address16(key, addr),
            (Form::Icmp(v6), Scalar::U64(value)) => {
                draft.number(if icmp6 { v6 } else { key }, 1, value);
            }
            (Form::Millis, Scalar::I64(nanos)) => draft.millis(key, nanos),
            (Form::Seconds, Scalar::I64(nanos)) => {
                if let Ok(seconds) = u64::try_from(Timestamp(nanos).seconds()) {
                    draft.number(key, 4, seconds);
                }
            }
            (Form::Uptime(otherwise), Scalar::I64(nanos)) => {
                let uptime = nanos.saturating_sub(self.boot.0).div_euclid(MILLI);
                match u32::try_from(uptime) {
                    Ok(uptime) if nanos <= self.now.0 => {
                        draft.number(key, 4, uptime.into());
                    }
                    _ => draft.millis(otherwise, nanos),
                }
            }
            (Form::Address(v6), Scalar::Addr(addr)) => draft.address(key, v6, addr),
            (Form::AddressText, Scalar::Addr(addr)) => {
                draft.text(self.dialect, key, addr.to_string().as_bytes());
            }
            _ => {}
        }
    }

    fn octets(&self, carrier: &Carrier, octets: &[u8], draft: &mut Draft) {
        let key = carrier.key;
        match carrier.form {
            Form::Text => draft.text(self.dialect, key, octets),
            Form::Octets => draft.variable(self.dialect, key, octets),
            Form::Labels => {
                let labels: Vec<u32> = u32_list(octets).take(10).collect();
                for (i, label) in labels.iter().enumerate() {
                    let bottom = u64::from(i + 1 == labels.len());
                    let key = ElementKey { id: key.id + i as u16, ..key };
                    draft.number(key, 3, u64::from(label & 0xf_ffff) << 4 | bottom);
                }
            }
            Form::Extra => {
                for element in elements::iter(octets) {
                    draft.element(self.dialect, element);
                }
            }
            _ => {}
        }
    }
}

/// The relay's view: who exported first, unless the row says so itself.
fn mediated(batch: &FlowBatch, row: usize, draft: &mut Draft) {
    let key = |id| ElementKey { pen: 0, id };
    if let (None, Some(Scalar::Addr(addr))) =
        (batch.get(flows::ORIGINAL_EXPORTER_ADDR, row), batch.get(flows::EXPORTER_ADDR, row))
    {
        draft.address(key(403), Some(key(404)), addr);
    }
    if let (None, Some(domain)) =
        (batch.get(flows::ORIGINAL_DOMAIN, row), batch.get_u64(flows::OBSERVATION_DOMAIN, row))
    {
        draft.number(key(405), 4, domain);
    }
}

/// Open vSwitch's number for a kind of tunnel (`ipfix-entities`: 1 VXLAN, 2 GRE, 3 LISP, 4 STT,
/// 5 IPsec GRE, 7 Geneve); the inverse of what the decoder does.
fn ovs_tunnel(kind: u64) -> Option<u64> {
    match kind {
        1 | 2 => Some(kind),
        3 => Some(7),
        10 => Some(3),
        11 => Some(4),
        12 => Some(5),
        _ => None,
    }
}
