//! Information elements of IANA and of enterprises: names, abstract data types, semantics, units.
//!
//! Beside the flow of data: decoders ask it how to read a field that has no column of its own,
//! people ask it for names. The table in `table.rs` is generated from the lists in `data/` by
//! `cargo xtask registry`; a test fails when the two differ. Facts only, no I/O.
//!
//! Element ids of NetFlow v9 above IANA's range, which v9 has no enterprise numbers for, stand
//! under enterprise 0 (`data/00000-v9.csv`); ids from 57472 on are ntop's and stand under theirs.
#![forbid(unsafe_code)]

mod table;

use weir_model::column::ElementKey;
use weir_model::columns::PEN_REVERSE;

/// Abstract data types (RFC 7012 §3.1, RFC 6313, IANA).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the registry's own names")]
pub enum ElementType {
    Unsigned8,
    Unsigned16,
    Unsigned32,
    Unsigned64,
    Unsigned256,
    Signed8,
    Signed16,
    Signed32,
    Signed64,
    Float32,
    Float64,
    Boolean,
    MacAddress,
    OctetArray,
    String,
    DateTimeSeconds,
    DateTimeMilliseconds,
    DateTimeMicroseconds,
    DateTimeNanoseconds,
    Ipv4Address,
    Ipv6Address,
    BasicList,
    SubTemplateList,
    SubTemplateMultiList,
}

impl ElementType {
    /// Octets of the type when it is not reduced (RFC 7011 §6.2); `None` where length varies.
    pub const fn octets(self) -> Option<u16> {
        match self {
            ElementType::Unsigned8 | ElementType::Signed8 | ElementType::Boolean => Some(1),
            ElementType::Unsigned16 | ElementType::Signed16 => Some(2),
            ElementType::Unsigned32
            | ElementType::Signed32
            | ElementType::Float32
            | ElementType::DateTimeSeconds
            | ElementType::Ipv4Address => Some(4),
            ElementType::Unsigned64
            | ElementType::Signed64
            | ElementType::Float64
            | ElementType::DateTimeMilliseconds
            | ElementType::DateTimeMicroseconds
            | ElementType::DateTimeNanoseconds => Some(8),
            ElementType::MacAddress => Some(6),
            ElementType::Ipv6Address => Some(16),
            ElementType::Unsigned256 => Some(32),
            ElementType::OctetArray
            | ElementType::String
            | ElementType::BasicList
            | ElementType::SubTemplateList
            | ElementType::SubTemplateMultiList => None,
        }
    }

    /// True for unsigned numbers that fit into 64 bits.
    pub const fn is_unsigned(self) -> bool {
        matches!(
            self,
            ElementType::Unsigned8
                | ElementType::Unsigned16
                | ElementType::Unsigned32
                | ElementType::Unsigned64
        )
    }
}

/// Data type semantics (RFC 7012 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the registry's own names")]
pub enum Semantics {
    Default,
    Quantity,
    TotalCounter,
    DeltaCounter,
    Identifier,
    Flags,
    List,
    SnmpCounter,
    SnmpGauge,
}

/// One information element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElementInfo {
    /// Its enterprise number and id.
    pub key: ElementKey,
    /// Its name, as its registry writes it.
    pub name: &'static str,
    /// Its abstract data type.
    pub ty: ElementType,
    /// What its number means.
    pub semantics: Semantics,
    /// Unit of its number, empty if it has none.
    pub units: &'static str,
}

/// Every element, in the order of enterprise number and id.
pub fn elements() -> &'static [ElementInfo] {
    table::ELEMENTS
}

/// Looks an element up. A reverse element (PEN 29305, RFC 5103) gives the forward one's entry.
///
/// ```
/// assert_eq!(weir_registry::element(0, 8).unwrap().name, "sourceIPv4Address");
/// assert_eq!(weir_registry::element(29305, 1).unwrap().name, "octetDeltaCount");
/// assert!(weir_registry::element(0, 9999).is_none());
/// ```
pub fn element(pen: u32, id: u16) -> Option<&'static ElementInfo> {
    let pen = if pen == PEN_REVERSE { 0 } else { pen };
    let key = ElementKey { pen, id };
    let found = table::ELEMENTS.binary_search_by_key(&key, |element| element.key).ok()?;
    table::ELEMENTS.get(found)
}

/// Finds an element by its name, letter case aside; IANA's first.
pub fn by_name(name: &str) -> Option<&'static ElementInfo> {
    table::ELEMENTS.iter().find(|element| element.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests;
