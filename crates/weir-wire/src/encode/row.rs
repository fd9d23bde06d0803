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
}

/// Writes rows of one batch.
#[derive(Debug)]
pub(super) struct RowWriter {
    dialect: Dialect,
    /// When the uptime in the message's header was 0.
    boot: Timestamp,
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
    ) -> RowWriter {
        let present = batch.columns().filter(|(_, column)| **column != Column::Absent);
        let defs = present.filter_map(|(id, _)| batch.table().def(id));
        RowWriter {
            dialect,
            boot,
            mediate: policy.mediate && dialect == Dialect::Ipfix,
            carriers: defs.filter_map(|def| carrier(def, dialect)).collect(),
        }
    }

    /// Writes row `row` to `layout` and `record`, in place of what they held.
    pub(super) fn write(
        &self,
        batch: &FlowBatch,
        row: usize,
        layout: &mut Layout,
        record: &mut Vec<u8>,
    ) {
        layout.clear();
        record.clear();
        for carrier in &self.carriers {
            if let Some(value) = batch.get(carrier.column, row) {
                self.field(batch, row, carrier, value, layout, record);
            }
        }
        if self.mediate {
            mediated(batch, row, layout, record);
        }
    }

    fn field(
        &self,
        batch: &FlowBatch,
        row: usize,
        carrier: &Carrier,
        value: Scalar,
        layout: &mut Layout,
        record: &mut Vec<u8>,
    ) {
        let key = carrier.key;
        match (carrier.form, value) {
            (Form::Unsigned(width), Scalar::U64(value)) => {
                number(key, width, value, layout, record)
            }
            (Form::Mac, Scalar::U64(mac)) => number(key, 6, mac, layout, record),
            (Form::OvsTunnel, Scalar::U64(kind)) => {
                if let Some(kind) = ovs_tunnel(kind) {
                    number(key, 1, kind, layout, record);
                }
            }
            (Form::Icmp(v6), Scalar::U64(value)) => {
                let icmp6 = batch.get_u64(flows::PROTO, row) == Some(58);
                number(if icmp6 { v6 } else { key }, 1, value, layout, record);
            }
            (Form::Millis, Scalar::I64(nanos)) => millis(key, nanos, layout, record),
            (Form::Seconds, Scalar::I64(nanos)) => {
                if let Ok(seconds) = u64::try_from(Timestamp(nanos).seconds()) {
                    number(key, 4, seconds, layout, record);
                }
            }
            (Form::Uptime(otherwise), Scalar::I64(nanos)) => {
                let uptime = nanos.saturating_sub(self.boot.0).div_euclid(MILLI);
                match u32::try_from(uptime) {
                    Ok(uptime) => number(key, 4, uptime.into(), layout, record),
                    Err(_) => millis(otherwise, nanos, layout, record),
                }
            }
            (Form::Address(v6), Scalar::Addr(addr)) => address(key, v6, addr, layout, record),
            (Form::AddressText, Scalar::Addr(addr)) => {
                self.text(key, addr.to_string().as_bytes(), layout, record);
            }
            (form, Scalar::Code(code)) => {
                self.octets(key, form, batch.interner().get(code), layout, record);
            }
            _ => {}
        }
    }

    fn octets(
        &self,
        key: ElementKey,
        form: Form,
        octets: &[u8],
        layout: &mut Layout,
        record: &mut Vec<u8>,
    ) {
        match form {
            Form::Text => self.text(key, octets, layout, record),
            Form::Octets => variable(self.dialect, key, octets, layout, record),
            Form::Labels => {
                let labels: Vec<u32> = u32_list(octets).take(10).collect();
                for (i, label) in labels.iter().enumerate() {
                    let bottom = u64::from(i + 1 == labels.len());
                    let key = ElementKey { id: key.id + i as u16, ..key };
                    let entry = u64::from(label & 0xf_ffff) << 4 | bottom;
                    number(key, 3, entry, layout, record);
                }
            }
            Form::Extra => {
                for element in elements::iter(octets) {
                    element_field(self.dialect, element, layout, record);
                }
            }
            _ => {}
        }
    }

    /// Text: of variable length in IPFIX; NUL-padded in v9, to a few widths so that few templates
    /// describe it.
    fn text(&self, key: ElementKey, text: &[u8], layout: &mut Layout, record: &mut Vec<u8>) {
        if self.dialect == Dialect::Ipfix {
            return variable(self.dialect, key, text, layout, record);
        }
        let width = text.len().next_power_of_two().max(8);
        let Ok(length) = u16::try_from(width) else { return };
        layout.push(key, length);
        record.extend_from_slice(text);
        record.resize(record.len() + width - text.len(), 0);
    }
}

/// The relay's view: who exported first, unless the row says so itself.
fn mediated(batch: &FlowBatch, row: usize, layout: &mut Layout, record: &mut Vec<u8>) {
    let (v4, v6) = (ElementKey { pen: 0, id: 403 }, ElementKey { pen: 0, id: 404 });
    if let (None, Some(Scalar::Addr(addr))) =
        (batch.get(flows::ORIGINAL_EXPORTER_ADDR, row), batch.get(flows::EXPORTER_ADDR, row))
    {
        address(v4, Some(v6), addr, layout, record);
    }
    if let (None, Some(domain)) =
        (batch.get(flows::ORIGINAL_DOMAIN, row), batch.get_u64(flows::OBSERVATION_DOMAIN, row))
    {
        number(ElementKey { pen: 0, id: 405 }, 4, domain, layout, record);
    }
}

/// A number of `width` octets; one that does not fit is left out rather than sent wrong.
fn number(key: ElementKey, width: u16, value: u64, layout: &mut Layout, record: &mut Vec<u8>) {
    let octets = value.to_be_bytes();
    let (unused, used) = octets.split_at(8 - usize::from(width.min(8)));
    if unused.iter().all(|octet| *octet == 0) {
        layout.push(key, width);
        record.extend_from_slice(used);
    }
}

fn millis(key: ElementKey, nanos: i64, layout: &mut Layout, record: &mut Vec<u8>) {
    if let Ok(millis) = u64::try_from(nanos.div_euclid(MILLI)) {
        number(key, 8, millis, layout, record);
    }
}

fn address(
    v4: ElementKey,
    v6: Option<ElementKey>,
    addr: Addr,
    layout: &mut Layout,
    record: &mut Vec<u8>,
) {
    match (addr.as_v4(), v6) {
        (Some(address), _) => number(v4, 4, address.into(), layout, record),
        (None, Some(v6)) => {
            layout.push(v6, 16);
            record.extend_from_slice(&addr.octets());
        }
        (None, None) => {}
    }
}

/// Octets of any length: variable in IPFIX, as long as they are in v9 (where none are left out).
fn variable(
    dialect: Dialect,
    key: ElementKey,
    octets: &[u8],
    layout: &mut Layout,
    record: &mut Vec<u8>,
) {
    let Ok(length) = u16::try_from(octets.len()) else { return };
    match dialect {
        Dialect::NetFlow9 if length == 0 || length == VARIABLE => return,
        Dialect::NetFlow9 => layout.push(key, length),
        Dialect::Ipfix => {
            layout.push(key, VARIABLE);
            match u8::try_from(length) {
                Ok(short) if short < 255 => record.push(short),
                _ => {
                    record.push(255);
                    record.extend_from_slice(&length.to_be_bytes());
                }
            }
        }
    }
    record.extend_from_slice(octets);
}

/// An element that travels as it came: numbers keep the width they had.
pub(super) fn element_field(
    dialect: Dialect,
    element: Element<'_>,
    layout: &mut Layout,
    record: &mut Vec<u8>,
) {
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
        return variable(dialect, element.key, element.value, layout, record);
    }
    let Ok(length) = u16::try_from(element.value.len()) else { return };
    layout.push(element.key, length);
    record.extend_from_slice(element.value);
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
