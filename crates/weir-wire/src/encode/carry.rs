//! Which element carries a column out, and in what form.

use weir_model::column::ElementKey;
use weir_model::columns::flows;
use weir_model::{ColumnDef, ColumnId, ColumnType, Table, own};
use weir_registry::{ElementType, element};

use super::packer::Dialect;

/// How the values of a column become octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Big-endian number of so many octets.
    Unsigned(u16),
    /// 6 octets.
    Mac,
    /// Milliseconds since 1970, 8 octets.
    Millis,
    /// Seconds since 1970, 4 octets.
    Seconds,
    /// Milliseconds of the exporter's uptime, 4 octets; where they do not reach, [`Form::Millis`]
    /// by the other element.
    Uptime(ElementKey),
    /// An address of 4 octets by the carrier's key, one of 16 by this.
    Address(Option<ElementKey>),
    /// An address of 16 octets, IPv4 mapped.
    Address16,
    /// An address as text.
    AddressText,
    /// Text.
    Text,
    /// Octets.
    Octets,
    /// Up to ten MPLS labels, by this element and those after it.
    Labels,
    /// ICMP type or code: the carrier's key for IPv4, this for IPv6.
    Icmp(ElementKey),
    /// Open vSwitch's numbers for kinds of tunnel.
    OvsTunnel,
    /// Elements without a column, as they came.
    Extra,
}

/// A column and what takes it out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carrier {
    pub(super) column: ColumnId,
    pub(super) key: ElementKey,
    pub(super) form: Form,
    /// Weir's own element, for values that the other cannot hold.
    pub(super) own: Option<ElementKey>,
}

const fn iana(id: u16) -> ElementKey {
    ElementKey { pen: 0, id }
}

/// The carrier of `def`, if it has one in `dialect`.
pub(super) fn carrier(def: &ColumnDef, dialect: Dialect) -> Option<Carrier> {
    let own = own::element(Table::Flows, def).filter(|_| dialect == Dialect::Ipfix);
    let carrier = |key, form| Some(Carrier { column: def.id, key, form, own });
    match (def.id, dialect) {
        // The message header says it.
        (flows::OBSERVATION_DOMAIN, _) => return None,
        (flows::SAMPLING_RATE, _) => return carrier(iana(34), Form::Unsigned(4)),
        (flows::EXTRA, _) => return carrier(iana(0), Form::Extra),
        (flows::MPLS_LABELS, _) => return carrier(iana(70), Form::Labels),
        (flows::ICMP_TYPE, _) => return carrier(iana(176), Form::Icmp(iana(178))),
        (flows::ICMP_CODE, _) => return carrier(iana(177), Form::Icmp(iana(179))),
        // Every v9 collector knows FIRST_SWITCHED and LAST_SWITCHED, few know 152 and 153.
        (flows::FLOW_START, Dialect::NetFlow9) => {
            return carrier(iana(22), Form::Uptime(iana(152)));
        }
        (flows::FLOW_END, Dialect::NetFlow9) => return carrier(iana(21), Form::Uptime(iana(153))),
        _ => {}
    }
    let of_others = || def.from.iter().copied().filter(move |key| travels(dialect, *key));
    let candidates = || of_others().chain(own);
    let of_type = |ty| candidates().find(|key| kind(*key) == Some(ty));
    match def.ty {
        ColumnType::Addr => {
            let (v4, v6) = (of_type(ElementType::Ipv4Address), of_type(ElementType::Ipv6Address));
            match (v4, of_type(ElementType::String)) {
                (Some(v4), _) => carrier(v4, Form::Address(v6)),
                (None, Some(text)) => carrier(text, Form::AddressText),
                (None, None) => carrier(v6?, Form::Address16),
            }
        }
        ColumnType::Time => {
            let key = candidates().next()?;
            match kind(key)? {
                ElementType::DateTimeMilliseconds => carrier(key, Form::Millis),
                ElementType::DateTimeSeconds => carrier(key, Form::Seconds),
                _ => None,
            }
        }
        ColumnType::Mac => carrier(candidates().next()?, Form::Mac),
        ColumnType::Str => carrier(candidates().next()?, Form::Text),
        ColumnType::Bytes => carrier(candidates().next()?, Form::Octets),
        ColumnType::U8 | ColumnType::U16 | ColumnType::U32 | ColumnType::U64 => {
            let key = number(def, of_others).or(own)?;
            let form = match def.id {
                flows::TUNNEL_KIND => Form::OvsTunnel,
                _ => Form::Unsigned(width(key).unwrap_or(octets(def.ty))),
            };
            carrier(key, form)
        }
        ColumnType::U32List => carrier(own?, Form::Octets),
        ColumnType::F64 | ColumnType::Elements => None,
    }
}

/// The first element that is wide enough for every value of the column, else the first.
fn number<I: Iterator<Item = ElementKey>>(
    def: &ColumnDef,
    candidates: impl Fn() -> I,
) -> Option<ElementKey> {
    let wide = |key: &ElementKey| width(*key).is_none_or(|width| width >= octets(def.ty));
    candidates().find(wide).or_else(|| candidates().next())
}

/// True when `dialect` can name the element: v9 has no enterprises, IPFIX ids have 15 bits.
pub(super) fn travels(dialect: Dialect, key: ElementKey) -> bool {
    match dialect {
        Dialect::NetFlow9 => key.pen == 0,
        Dialect::Ipfix => key.id < 0x8000,
    }
}

/// The registered type of an element.
pub(super) fn kind(key: ElementKey) -> Option<ElementType> {
    element(key.pen, key.id).map(|info| info.ty)
}

pub(super) fn width(key: ElementKey) -> Option<u16> {
    match kind(key)? {
        ElementType::Unsigned8 => Some(1),
        ElementType::Unsigned16 => Some(2),
        ElementType::Unsigned32 => Some(4),
        ElementType::Unsigned64 => Some(8),
        _ => None,
    }
}

fn octets(ty: ColumnType) -> u16 {
    match ty {
        ColumnType::U8 => 1,
        ColumnType::U16 => 2,
        ColumnType::U32 => 4,
        _ => 8,
    }
}
