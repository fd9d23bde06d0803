//! Decode plans: a template compiled once into steps of (place, column, conversion).
//!
//! Between the control pass, which compiles, and the decoding pass, which runs. Which element
//! feeds which column is read from the column table; only elements that need more than a change
//! of type are named here. Elements without a column go to `extra`.

mod compile;
mod counters;
mod enrich;
mod rows;
mod run;
mod special;
mod time;

use weir_model::column::{ElementKey, NullIf, Physical};
use weir_model::columns::flows;
use weir_model::{ColumnId, Table};

pub(crate) use compile::compile;
pub(crate) use counters::decode_counters;
pub(crate) use enrich::float;
pub(crate) use rows::{FixedRows, Rows, VariableRows, count, index};
pub(crate) use run::{Context, FlowSet, Scratch, decode_flows, decode_options, number};
pub(crate) use special::text;

/// Shape of the records of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Every record has `stride` octets.
    Fixed { stride: usize },
    /// Octets of fixed fields before each field of variable length, and after the last.
    Variable { gaps: Vec<u32> },
}

/// Place of a field in its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Loc {
    /// `offset` octets after the start of the record (segment 0) or after the end of the
    /// `segment`-th field of variable length.
    Fixed { segment: u16, offset: u32, width: u32 },
    /// The `index`-th field of variable length.
    Variable { index: u16 },
}

impl Loc {
    pub(crate) fn offset(self) -> usize {
        match self {
            Loc::Fixed { offset, .. } => offset as usize,
            Loc::Variable { .. } => 0,
        }
    }

    /// Octets of the field; 0 where it varies.
    pub(crate) fn width(self) -> usize {
        match self {
            Loc::Fixed { width, .. } => width as usize,
            Loc::Variable { .. } => 0,
        }
    }
}

/// How the octets of a field become the value of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// Unsigned number, reduced or not.
    Number,
    /// A time in the given form.
    Time(time::Form),
    V4,
    V6,
    /// An address as text (Antrea's egressIP).
    AddrText,
    Mac,
    Text,
    Octets,
    /// Upper and lower octet of a 16-bit type and code.
    IcmpType,
    IcmpCode,
    /// Open vSwitch's tunnel types in our numbers.
    TunnelKind,
    /// Type and id in IE 351.
    SegmentKind,
    SegmentId,
}

/// One column of one template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) column: ColumnId,
    pub(crate) physical: Physical,
    pub(crate) loc: Loc,
    pub(crate) null_if: Option<NullIf>,
    /// Only for rows where an earlier step left null or nothing but zeros.
    pub(crate) fallback: bool,
}

/// Completes the start or end of a flow from the other and its duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duration {
    pub(crate) loc: Loc,
    pub(crate) nanos_per_unit: i64,
    /// Start from end; else end from start.
    pub(crate) start_missing: bool,
}

/// Sampling as a record itself tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sampling {
    /// IE 34 or 50: one in this many.
    pub(crate) interval: Option<Loc>,
    /// IE 305.
    pub(crate) packets: Option<Loc>,
    /// IE 306.
    pub(crate) space: Option<Loc>,
    /// IE 309.
    pub(crate) size: Option<Loc>,
    /// IE 310.
    pub(crate) population: Option<Loc>,
    /// IE 311.
    pub(crate) probability: Option<Loc>,
}

impl Sampling {
    /// True when the record tells something.
    pub(crate) fn is_told(&self) -> bool {
        *self != Sampling::default()
    }
}

/// A sampled frame or packet in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) loc: Loc,
    /// True for IE 313, which starts at the IP header.
    pub(crate) network: bool,
    /// IE 312, the length on the wire.
    pub(crate) length: Option<Loc>,
    /// The record counts octets (packets) itself.
    pub(crate) has_octets: bool,
    pub(crate) has_packets: bool,
}

/// A compiled template.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    /// Hash of the fields. It stands first, so that plans that differ are told apart by it: hostile
    /// templates may be equal up to the last of a thousand fields.
    pub(crate) shape: u64,
    pub(crate) template_id: u16,
    pub(crate) layout: Layout,
    /// Number of scope fields of an options template.
    pub(crate) scope: Option<usize>,
    /// Its records are rows of `counters` (options templates only).
    pub(crate) counters: bool,
    /// Every field with octets, in order; position in the template first.
    pub(crate) fields: Vec<(usize, ElementKey, Loc)>,
    pub(crate) steps: Vec<Step>,
    pub(crate) extra: Vec<(ElementKey, Loc)>,
    pub(crate) mpls: Vec<Loc>,
    /// IE 160 in the record: when the exporter booted, in milliseconds.
    pub(crate) boot: Option<Loc>,
    pub(crate) duration: Option<Duration>,
    pub(crate) sampling: Sampling,
    pub(crate) frame: Option<Frame>,
    /// NetFlow v5 and v7 put ICMP type and code into the destination port.
    pub(crate) icmp_in_port: bool,
    /// Columns that a step fills, a bit each.
    pub(crate) filled: Columns,
}

/// A set of columns of flows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Columns([u64; flows::DEFS.len().div_ceil(64)]);

impl Columns {
    pub(crate) fn insert(&mut self, column: ColumnId) {
        if let Some(word) = self.0.get_mut(column.index() / 64) {
            *word |= 1 << (column.index() % 64);
        }
    }

    #[inline]
    pub(crate) fn contains(&self, column: ColumnId) -> bool {
        self.0.get(column.index() / 64).is_some_and(|word| word >> (column.index() % 64) & 1 == 1)
    }
}

impl Plan {
    /// Fields of variable length.
    pub(crate) fn variable(&self) -> usize {
        match &self.layout {
            Layout::Fixed { .. } => 0,
            Layout::Variable { gaps } => gaps.len() - 1,
        }
    }

    /// True for an options template.
    pub(crate) fn is_options(&self) -> bool {
        self.scope.is_some()
    }

    /// Where its records become rows.
    pub(crate) fn table(&self) -> Table {
        match (self.is_options(), self.counters) {
            (false, _) => Table::Flows,
            (true, true) => Table::Counters,
            (true, false) => Table::Options,
        }
    }

    pub(crate) fn fills(&self, column: ColumnId) -> bool {
        self.filled.contains(column)
    }
}
