//! Weir's own information elements: what takes out and takes in what no element of a standard
//! or of another enterprise can.
//!
//! They are derived from the column table: under [`PEN_WEIR`], a column of `flows` has the number
//! of the column, one of `counters` that number and [`COUNTERS`]; from [`ACK_VERSION`] on stand the
//! elements of the announcement (docs/formats/acknowledgement.md). So a new column has an element
//! by being there, and numbers are never reused because numbers of columns are not.

use crate::column::{ColumnDef, ColumnId, ElementKey, Table};
use crate::columns::{counters, flows};

/// Weir's enterprise number. A placeholder: the number that RFC 5612 reserves for documentation,
/// until IANA assigns one. This is the only place that says it; what others read from the wire under
/// this number is private to Weir until then.
pub const PEN_WEIR: u32 = 32_473;

/// What is added to the number of a column of `counters`.
pub const COUNTERS: u16 = 20_000;

/// Version of acknowledgements that an exporter understands.
pub const ACK_VERSION: ElementKey = ElementKey { pen: PEN_WEIR, id: 30_001 };
/// The 16 octets that an exporter has given itself.
pub const EXPORTER_INSTANCE: ElementKey = ElementKey { pen: PEN_WEIR, id: 30_002 };
/// Number of the oldest record that is not acknowledged.
pub const FIRST_SEQUENCE: ElementKey = ElementKey { pen: PEN_WEIR, id: 30_003 };

/// What a message's header, its receipt or its session say, and what travels in a way of its own.
const NOT_FLOWS: [ColumnId; 9] = [
    flows::RECEIVED_AT,
    flows::EXPORT_TIME,
    flows::EXPORTER_ADDR,
    flows::EXPORT_PROTOCOL,
    flows::OBSERVATION_DOMAIN,
    flows::EXPORTER_INSTANCE,
    flows::EXPORT_SEQUENCE,
    flows::SAMPLING_RATE,
    flows::EXTRA,
];

const NOT_COUNTERS: [ColumnId; 5] = [
    counters::RECEIVED_AT,
    counters::EXPORTER_ADDR,
    counters::EXPORTER_INSTANCE,
    counters::EXPORT_SEQUENCE,
    counters::OBSERVATION_DOMAIN,
];

/// The own element of a column: of every column of `flows` and `counters` that is kept and that is
/// not told by the message itself.
///
/// ```
/// use weir_model::{Table, own};
/// let process = Table::Flows.find("src_process").unwrap();
/// assert_eq!(own::element(Table::Flows, process).unwrap().id, process.id.0);
/// ```
pub fn element(table: Table, def: &ColumnDef) -> Option<ElementKey> {
    let (not, base): (&[ColumnId], u16) = match table {
        Table::Flows => (&NOT_FLOWS, 0),
        Table::Counters => (&NOT_COUNTERS, COUNTERS),
        Table::Options | Table::Rollups => return None,
    };
    let travels = def.stored && !not.contains(&def.id);
    travels.then_some(ElementKey { pen: PEN_WEIR, id: base + def.id.0 })
}

/// The column of `counters` that an own element is of.
pub fn counters_column(key: ElementKey) -> Option<&'static ColumnDef> {
    if key.pen != PEN_WEIR {
        return None;
    }
    let def = Table::Counters.def(ColumnId(key.id.checked_sub(COUNTERS)?))?;
    element(Table::Counters, def).map(|_| def)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_tables_keep_apart() {
        assert!(flows::DEFS.len() < usize::from(COUNTERS));
        assert!(counters::DEFS.len() + usize::from(COUNTERS) < usize::from(ACK_VERSION.id));
    }

    #[test]
    fn elements_of_counters_lead_back_to_their_columns() {
        for def in counters::DEFS {
            match element(Table::Counters, def) {
                Some(key) => assert_eq!(counters_column(key).unwrap().name, def.name),
                None => assert!(!def.stored || NOT_COUNTERS.contains(&def.id), "{}", def.name),
            }
        }
        assert!(counters_column(ElementKey { pen: 0, id: 20_006 }).is_none());
        assert!(counters_column(ACK_VERSION).is_none());
    }
}
