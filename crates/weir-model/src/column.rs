//! What one row of the column table says. The rows themselves are in [`crate::columns`].

use crate::named::Named;
use crate::units::Unit;

/// Stable number of a column within its table: also its index in a batch. Never reused; a
/// column that is retired keeps its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub u16);

impl ColumnId {
    /// Index into a batch's array of columns.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The kinds of record that Weir keeps: three that exporters send, one that the store makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Flow records and packet samples.
    Flows = 0,
    /// One counter of a counter sample a row.
    Counters = 1,
    /// One options record a row.
    Options = 2,
    /// Sums of flow records over a bucket of time and the dimensions of a [`crate::rollup::Cube`].
    Rollups = 3,
}

impl Table {
    /// All tables, in the order of their numbers.
    pub const ALL: [Table; 4] = [Table::Flows, Table::Counters, Table::Options, Table::Rollups];

    /// The table with this number.
    pub const fn from_number(number: u8) -> Option<Table> {
        match number {
            0 => Some(Table::Flows),
            1 => Some(Table::Counters),
            2 => Some(Table::Options),
            3 => Some(Table::Rollups),
            _ => None,
        }
    }

    /// The table's columns, indexed by [`ColumnId`].
    pub const fn columns(self) -> &'static [ColumnDef] {
        match self {
            Table::Flows => crate::columns::flows::DEFS,
            Table::Counters => crate::columns::counters::DEFS,
            Table::Options => crate::columns::options::DEFS,
            Table::Rollups => crate::columns::rollups::DEFS,
        }
    }

    /// The word that stands for the table in paths and queries.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Flows => "flows",
            Table::Counters => "counters",
            Table::Options => "options",
            Table::Rollups => "rollups",
        }
    }

    /// The `kind` that a record of this table has in JSON.
    pub const fn kind(self) -> &'static str {
        match self {
            Table::Flows => "flow",
            Table::Counters => "counters",
            Table::Options => "options",
            Table::Rollups => "rollup",
        }
    }

    /// Finds a column by its exact name.
    pub fn find(self, name: &str) -> Option<&'static ColumnDef> {
        self.columns().iter().find(|def| def.name == name)
    }

    /// The definition of `id`, or `None` when a newer writer knows columns that we do not.
    pub fn def(self, id: ColumnId) -> Option<&'static ColumnDef> {
        self.columns().get(id.index())
    }
}

/// What a column's values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// IEEE 754, 64 bits.
    F64,
    /// Nanoseconds since 1970-01-01 UTC.
    Time,
    /// IPv6 address, or IPv4 mapped into it.
    Addr,
    /// MAC address in the low 48 bits.
    Mac,
    /// UTF-8 text (sanitised by the decoder; hostile wherever it is shown).
    Str,
    /// Octets.
    Bytes,
    /// A list of 32-bit numbers, kept as big-endian octets.
    U32List,
    /// A list of information elements (see [`crate::elements`]).
    Elements,
}

/// How values of a type lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Physical {
    /// `u8`
    U8,
    /// `u16`
    U16,
    /// `u32`
    U32,
    /// `u64`
    U64,
    /// `i64`
    I64,
    /// `f64`
    F64,
    /// [`crate::Addr`]
    Addr,
    /// [`crate::Code`]: index into the batch's interner.
    Code,
}

impl ColumnType {
    /// The memory layout of this type.
    pub const fn physical(self) -> Physical {
        match self {
            ColumnType::U8 => Physical::U8,
            ColumnType::U16 => Physical::U16,
            ColumnType::U32 => Physical::U32,
            ColumnType::U64 | ColumnType::Mac => Physical::U64,
            ColumnType::F64 => Physical::F64,
            ColumnType::Time => Physical::I64,
            ColumnType::Addr => Physical::Addr,
            ColumnType::Str | ColumnType::Bytes | ColumnType::U32List | ColumnType::Elements => {
                Physical::Code
            }
        }
    }

    /// The word the schema, the docs and answers use.
    pub const fn name(self) -> &'static str {
        match self {
            ColumnType::U8 => "u8",
            ColumnType::U16 => "u16",
            ColumnType::U32 => "u32",
            ColumnType::U64 => "u64",
            ColumnType::F64 => "f64",
            ColumnType::Time => "time",
            ColumnType::Addr => "addr",
            ColumnType::Mac => "mac",
            ColumnType::Str => "string",
            ColumnType::Bytes => "octets",
            ColumnType::U32List => "u32_list",
            ColumnType::Elements => "elements",
        }
    }
}

/// Where a column stands in menus and reference pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the groups' own names")]
pub enum Group {
    Time,
    Exporter,
    Key,
    Counter,
    Link,
    Route,
    Nat,
    Tunnel,
    Kubernetes,
    Policy,
    Process,
    Tcp,
    App,
    Geo,
    Sampling,
    Other,
}

impl Group {
    /// The word the schema and the docs use.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Time => "time",
            Group::Exporter => "exporter",
            Group::Key => "key",
            Group::Counter => "counter",
            Group::Link => "link",
            Group::Route => "route",
            Group::Nat => "nat",
            Group::Tunnel => "tunnel",
            Group::Kubernetes => "kubernetes",
            Group::Policy => "policy",
            Group::Process => "process",
            Group::Tcp => "tcp",
            Group::App => "app",
            Group::Geo => "geo",
            Group::Sampling => "sampling",
            Group::Other => "other",
        }
    }
}

/// What a query may do with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A point in time.
    Time,
    /// Filter and group by it.
    Dimension,
    /// Sum it; multiplied by `sampling_rate` when a query scales.
    Scaled,
    /// Average, bound or take percentiles of it; a sum is allowed but not scaled.
    Measure,
    /// A running total: never summed.
    Total,
}

impl Role {
    /// The word the schema and the docs use.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Time => "time",
            Role::Dimension => "dimension",
            Role::Scaled => "measure_scaled",
            Role::Measure => "measure",
            Role::Total => "total",
        }
    }
}

/// A value that an exporter sends to say "nothing" (DESIGN §3: only where an exporter is known
/// to do so).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NullIf {
    /// The number 0, or the address `0.0.0.0` or `::`.
    Zero,
    /// Text or octets of length 0.
    Empty,
    /// Octets that are all zero.
    AllZero,
}

/// An information element: private enterprise number (0 = IANA, 29305 = reverse) and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementKey {
    /// Private enterprise number.
    pub pen: u32,
    /// Element id without the enterprise bit.
    pub id: u16,
}

/// One row of the column table.
#[derive(Debug, Clone, Copy)]
pub struct ColumnDef {
    /// Stable number and index.
    pub id: ColumnId,
    /// Name in JSON, filters, menus.
    pub name: &'static str,
    /// Type of its values.
    pub ty: ColumnType,
    /// Unit of its values.
    pub unit: Unit,
    /// Menu group.
    pub group: Group,
    /// What queries may do with it.
    pub role: Role,
    /// Elements that feed the column, the one that carries it out first. Elements that need
    /// more than a change of type (MPLS labels, ICMP type and code) are listed too.
    pub from: &'static [ElementKey],
    /// The value that means null, if any.
    pub null_if: Option<NullIf>,
    /// Names of its values, if it is an enumeration or a set of flags.
    pub named: Option<&'static Named>,
    /// False for what only a decoder's output shows and the store leaves out.
    pub stored: bool,
    /// For people: one line, no full stop.
    pub doc: &'static str,
}

impl ColumnDef {
    /// What a row says unless it says otherwise.
    pub(crate) const BASE: ColumnDef = ColumnDef {
        id: ColumnId(0),
        name: "",
        ty: ColumnType::U8,
        unit: Unit::None,
        group: Group::Other,
        role: Role::Dimension,
        from: &[],
        null_if: None,
        named: None,
        stored: true,
        doc: "",
    };
}
