//! Which sums of flow records the store keeps: the cubes (sets of dimensions) and the grains
//! (lengths of a bucket of time) of [`crate::columns::rollups`].
//!
//! The store fills them, the planner of queries picks among them; both read this list only.
//! Numbers are on disk: append only.

use std::time::Duration;

use crate::column::ColumnId;
use crate::columns::{flows, rollups};

/// A set of dimensions that flow records are summed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Cube {
    /// Exporter, ingress and egress interface, protocol.
    Interfaces = 0,
    /// Protocol and destination port.
    Ports = 1,
    /// AS of the source and of the destination.
    Systems = 2,
    /// Country of the source and of the destination.
    Countries = 3,
    /// Source address.
    Sources = 4,
    /// Destination address.
    Destinations = 5,
    /// Exporter and protocol: totals.
    Exporters = 6,
}

impl Cube {
    /// All cubes, in the order of their numbers.
    pub const ALL: [Cube; 7] = [
        Cube::Interfaces,
        Cube::Ports,
        Cube::Systems,
        Cube::Countries,
        Cube::Sources,
        Cube::Destinations,
        Cube::Exporters,
    ];

    /// All cubes by the number of rows that they usually have, fewest first: the first that has
    /// every dimension of a question answers it fastest.
    pub const SMALLEST_FIRST: [Cube; 7] = [
        Cube::Exporters,
        Cube::Countries,
        Cube::Interfaces,
        Cube::Systems,
        Cube::Ports,
        Cube::Sources,
        Cube::Destinations,
    ];

    /// The number in column `cube`.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The cube with this number.
    pub fn from_number(number: u8) -> Option<Cube> {
        Cube::ALL.get(usize::from(number)).copied()
    }

    /// Its dimensions: the column of the flow table and the column of the rollup table.
    pub const fn dimensions(self) -> &'static [(ColumnId, ColumnId)] {
        match self {
            Cube::Interfaces => &[
                (flows::EXPORTER_ADDR, rollups::EXPORTER_ADDR),
                (flows::IN_IF, rollups::IN_IF),
                (flows::OUT_IF, rollups::OUT_IF),
                (flows::PROTO, rollups::PROTO),
            ],
            Cube::Ports => &[(flows::PROTO, rollups::PROTO), (flows::DST_PORT, rollups::DST_PORT)],
            Cube::Systems => &[(flows::SRC_AS, rollups::SRC_AS), (flows::DST_AS, rollups::DST_AS)],
            Cube::Countries => &[
                (flows::SRC_COUNTRY, rollups::SRC_COUNTRY),
                (flows::DST_COUNTRY, rollups::DST_COUNTRY),
            ],
            Cube::Sources => &[(flows::SRC_ADDR, rollups::SRC_ADDR)],
            Cube::Destinations => &[(flows::DST_ADDR, rollups::DST_ADDR)],
            Cube::Exporters => {
                &[(flows::EXPORTER_ADDR, rollups::EXPORTER_ADDR), (flows::PROTO, rollups::PROTO)]
            }
        }
    }

    /// False for sums that are not kept at this grain: where a bucket has nearly as many groups
    /// as records, the records answer as fast.
    pub const fn kept_at(self, grain: Grain) -> bool {
        matches!(self, Cube::Exporters) || !matches!(grain, Grain::Minute)
    }
}

/// Length of a bucket of time. Buckets start at whole multiples since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Grain {
    /// 1 minute.
    Minute = 0,
    /// 5 minutes.
    FiveMinutes = 1,
    /// 1 hour.
    Hour = 2,
}

impl Grain {
    /// All grains, finest first.
    pub const ALL: [Grain; 3] = [Grain::Minute, Grain::FiveMinutes, Grain::Hour];

    /// The number on disk.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The grain with this number.
    pub fn from_number(number: u8) -> Option<Grain> {
        Grain::ALL.get(usize::from(number)).copied()
    }

    /// Length of a bucket.
    pub const fn duration(self) -> Duration {
        match self {
            Grain::Minute => Duration::from_secs(60),
            Grain::FiveMinutes => Duration::from_secs(300),
            Grain::Hour => Duration::from_secs(3600),
        }
    }

    /// Length of a bucket in nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.duration().as_nanos() as i64
    }

    /// The word that stands for the grain in paths, settings and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Grain::Minute => "1m",
            Grain::FiveMinutes => "5m",
            Grain::Hour => "1h",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    #[test]
    fn a_cube_names_the_same_column_in_both_tables() {
        for cube in Cube::ALL {
            assert_eq!(Cube::from_number(cube.number()), Some(cube));
            for (flow, rollup) in cube.dimensions() {
                let (flow, rollup) =
                    (Table::Flows.def(*flow).unwrap(), Table::Rollups.def(*rollup).unwrap());
                assert_eq!((flow.name, flow.ty), (rollup.name, rollup.ty));
            }
        }
    }

    #[test]
    fn every_cube_is_kept_by_the_hour_and_has_its_place_by_size() {
        for cube in Cube::ALL {
            assert!(cube.kept_at(Grain::Hour));
            assert_eq!(Cube::SMALLEST_FIRST.iter().filter(|other| **other == cube).count(), 1);
        }
    }

    #[test]
    fn a_coarser_grain_is_a_multiple_of_a_finer_one() {
        for pair in Grain::ALL.windows(2) {
            assert_eq!(pair[1].nanos() % pair[0].nanos(), 0);
        }
    }
}
