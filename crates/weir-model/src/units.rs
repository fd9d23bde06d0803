//! Units of column values.

/// Unit of a column's values, as the schema tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the units' own names")]
pub enum Unit {
    None,
    Octets,
    Packets,
    Flows,
    Microseconds,
    Milliseconds,
    BitsPerSecond,
    OctetsPerSecond,
}

impl Unit {
    /// The word the schema uses; empty for a plain number.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::None => "",
            Unit::Octets => "octets",
            Unit::Packets => "packets",
            Unit::Flows => "flows",
            Unit::Microseconds => "us",
            Unit::Milliseconds => "ms",
            Unit::BitsPerSecond => "bit/s",
            Unit::OctetsPerSecond => "octet/s",
        }
    }
}
