//! Rollups: sums of flow records by bucket of time and cube.
//!
//! Computed once from the blocks of a segment that is closed, later merged from the rows of
//! finer or smaller rollup segments. Addresses and strings stay codes until rows are written.
//!
//! Invariant: measures are additive, so the sum over the rows of all rollup segments of a grain is
//! the sum over the raw rows that they were made of, however often they were merged. Rows with
//! equal dimensions may stand in one segment more than once: when a cube has more than
//! [`GROUPS_MAX`] groups, those so far are written and counting starts anew, so memory is bounded
//! and no answer changes; the segment only gets larger.
//!
//! Nulls are kept: a dimension that a record does not have is a group of its own, and a measure
//! that no record of a group has is null, not 0.

use std::collections::BTreeMap;

use weir_model::columns::{flows, rollups};
use weir_model::{Addr, ColumnId, Cube, FlowBatch, Grain, Interner, Scalar, Table, Values};

use crate::read::{BlockColumn, BlockData, ReadError};
use crate::segment::Segment;

mod emit;
mod groups;
mod measures;

use groups::Groups;
use measures::Measures;

/// Groups of one cube that are kept in memory, about 160 octets each; few in tests, so that they
/// go past it.
pub(crate) const GROUPS_MAX: usize = if cfg!(test) { 400 } else { 1 << 19 };

/// Addresses and strings that are kept between the segments of a merge: past them the groups so
/// far are written.
const NAMES_MAX: usize = 4 << 20;

const MINUTE_NANOS: i64 = Grain::Minute.nanos();

/// Rows of rollups by grain, each batch of one cube.
pub(crate) type Rows = BTreeMap<Grain, Vec<FlowBatch>>;

/// Where a builder's rows come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Flow records: every grain comes out.
    Records,
    /// Rollups of one grain: the same grain comes out.
    Rollups(Grain),
}

/// The addresses and strings behind the codes of groups.
#[derive(Debug, Default)]
pub(crate) struct Names {
    addrs: Vec<Addr>,
    addr_codes: hashbrown::HashMap<Addr, u32>,
    strings: Interner,
}

/// What turns a segment's codes into those of [`Names`].
struct Translation {
    addrs: Vec<u32>,
    strings: Vec<u32>,
}

/// Sums up blocks.
pub(crate) struct Builder {
    source: Source,
    names: Names,
    cubes: Vec<Groups>,
    rows: Rows,
    scratch: Scratch,
}

#[derive(Default)]
struct Scratch {
    minutes: Vec<i64>,
    keys: Vec<u128>,
    slots: Vec<u32>,
}

/// Sums of the records of a segment, for every grain and cube. Blocks that cannot be read are
/// left out and told.
pub(crate) fn of_records(
    segment: &Segment,
    go_on: &dyn Fn() -> bool,
) -> Option<(Rows, Vec<ReadError>)> {
    let mut builder = Builder::new(Source::Records);
    let errors = builder.add_segment(segment, go_on)?;
    Some((builder.finish(), errors))
}

/// One set of rows out of the rollups of a grain. An input that cannot be read whole is an error:
/// merging what is left of it would hide the rest.
pub(crate) fn merge(
    segments: &[std::sync::Arc<Segment>],
    grain: Grain,
    go_on: &dyn Fn() -> bool,
) -> Option<Result<Vec<FlowBatch>, ReadError>> {
    let mut builder = Builder::new(Source::Rollups(grain));
    for segment in segments {
        if let Some(error) = builder.add_segment(segment, go_on)?.pop() {
            return Some(Err(error));
        }
    }
    Some(Ok(builder.finish().remove(&grain).unwrap_or_default()))
}

impl Builder {
    fn new(source: Source) -> Builder {
        let cubes = Cube::ALL.iter().map(|cube| Groups::new(*cube)).collect();
        let (names, rows, scratch) = Default::default();
        Builder { source, names, cubes, rows, scratch }
    }

    /// `None` when it was called off.
    fn add_segment(
        &mut self,
        segment: &Segment,
        go_on: &dyn Fn() -> bool,
    ) -> Option<Vec<ReadError>> {
        if self.names.addrs.len() > NAMES_MAX || self.names.strings.len() > NAMES_MAX {
            (0..self.cubes.len()).for_each(|at| self.spill(at));
            self.names = Names::default();
        }
        let mut errors = Vec::new();
        let translation = match segment.dictionary() {
            Ok(dictionary) => Translation {
                addrs: dictionary.addrs().iter().map(|addr| self.names.addr(*addr)).collect(),
                strings: dictionary.strings().map(|s| self.names.strings.intern(s).0).collect(),
            },
            Err(error) => return Some(vec![error]),
        };
        let columns = columns_of(self.source);
        for block in 0..segment.block_count() {
            if !go_on() {
                return None;
            }
            match segment.read(block, &columns) {
                Ok(data) => self.add_block(&data, &translation),
                Err(error) => errors.push(error),
            }
        }
        Some(errors)
    }

    fn add_block(&mut self, data: &BlockData, translation: &Translation) {
        let time = match self.source {
            Source::Records => flows::RECEIVED_AT,
            Source::Rollups(_) => rollups::RECEIVED_AT,
        };
        minutes(data.column(time), data.rows(), &mut self.scratch.minutes);
        let measures = match self.source {
            Source::Records => Measures::of_records(data),
            Source::Rollups(_) => Measures::of_rollups(data),
        };
        let own_cube = match (self.source, data.column(rollups::CUBE)) {
            (Source::Rollups(_), BlockColumn::Constant(Scalar::U64(cube))) => {
                Cube::from_number(*cube as u8)
            }
            _ => None,
        };
        for at in 0..self.cubes.len() {
            let cube = Cube::ALL[at];
            if self.source != Source::Records && own_cube != Some(cube) {
                continue;
            }
            if self.cubes[at].len() + data.rows() > GROUPS_MAX {
                self.spill(at);
            }
            self.add_cube(at, data, &measures, translation);
        }
    }

    fn add_cube(
        &mut self,
        at: usize,
        data: &BlockData,
        measures: &Measures,
        translation: &Translation,
    ) {
        let groups = &mut self.cubes[at];
        let grain = match self.source {
            Source::Records => finest(groups.cube()),
            Source::Rollups(grain) => grain,
        };
        let scratch = &mut self.scratch;
        let unit = grain.nanos() / MINUTE_NANOS;
        scratch.keys.clear();
        scratch.keys.extend(scratch.minutes.iter().map(|minute| groups::time_key(*minute, unit)));
        let mut shift = 0;
        for (flow, rollup) in groups.cube().dimensions() {
            let id = if self.source == Source::Records { *flow } else { *rollup };
            let column = data.column(id);
            let bits =
                add_dimension(&mut scratch.keys, shift, id, column, self.source, translation);
            shift += bits;
        }
        groups.find(&scratch.keys, &mut scratch.slots);
        measures.add(&scratch.slots, groups.sums());
    }

    /// Writes the groups of a cube and forgets them.
    fn spill(&mut self, at: usize) {
        let groups = std::mem::replace(&mut self.cubes[at], Groups::new(Cube::ALL[at]));
        let grains: Vec<Grain> = match self.source {
            Source::Rollups(grain) => vec![grain],
            Source::Records => {
                Grain::ALL.into_iter().filter(|grain| groups.cube().kept_at(*grain)).collect()
            }
        };
        let mut groups = groups;
        for grain in grains {
            groups = groups.coarsen(grain.nanos() / MINUTE_NANOS);
            emit::write(&groups, &self.names, self.rows.entry(grain).or_default());
        }
    }

    fn finish(mut self) -> Rows {
        (0..self.cubes.len()).for_each(|at| self.spill(at));
        self.rows
    }
}

impl Names {
    fn addr(&mut self, addr: Addr) -> u32 {
        *self.addr_codes.entry(addr).or_insert_with(|| {
            self.addrs.push(addr);
            (self.addrs.len() - 1) as u32
        })
    }
}

fn finest(cube: Cube) -> Grain {
    Grain::ALL.into_iter().find(|grain| cube.kept_at(*grain)).unwrap_or(Grain::Hour)
}

fn columns_of(source: Source) -> Vec<ColumnId> {
    let mut ids = match source {
        Source::Records => vec![flows::RECEIVED_AT],
        Source::Rollups(_) => vec![rollups::RECEIVED_AT, rollups::CUBE],
    };
    for (flow, rollup) in Cube::ALL.iter().flat_map(|cube| cube.dimensions()) {
        ids.push(if source == Source::Records { *flow } else { *rollup });
    }
    ids.extend(match source {
        Source::Records => measures::OF_RECORDS.to_vec(),
        Source::Rollups(_) => measures::OF_ROLLUPS.to_vec(),
    });
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Minutes since 1970-01-01 of a column of times.
fn minutes(column: &BlockColumn, rows: usize, out: &mut Vec<i64>) {
    out.clear();
    match column {
        BlockColumn::Values { data: Values::I64(times), .. } => {
            // Cost: times come nearly in order, so that the division is rare.
            let (mut minute, mut start) = (0, 0);
            out.extend(times.iter().map(|&time| {
                if !(0..MINUTE_NANOS).contains(&time.wrapping_sub(start)) {
                    minute = time.div_euclid(MINUTE_NANOS);
                    start = minute * MINUTE_NANOS;
                }
                minute
            }));
        }
        BlockColumn::Constant(Scalar::I64(time)) => {
            out.resize(rows, time.div_euclid(MINUTE_NANOS));
        }
        _ => out.resize(rows, 0),
    }
}

/// Adds a dimension to every key, as value + 1, null as 0. Returns the bits it takes.
fn add_dimension(
    keys: &mut [u128],
    shift: u32,
    id: ColumnId,
    column: &BlockColumn,
    source: Source,
    translation: &Translation,
) -> u32 {
    let table = if source == Source::Records { Table::Flows } else { Table::Rollups };
    let ty = table.def(id).map(|def| def.ty);
    let codes = match ty {
        Some(weir_model::ColumnType::Addr) => &translation.addrs,
        _ => &translation.strings,
    };
    let named = |code: u32| codes.get(code as usize).copied().unwrap_or(u32::MAX - 1);
    match column {
        BlockColumn::Absent => {}
        BlockColumn::Constant(scalar) => {
            let value = match scalar {
                Scalar::U64(value) => *value,
                Scalar::Code(code) => u64::from(named(code.0)),
                _ => 0,
            };
            let part = (u128::from(value) + 1) << shift;
            keys.iter_mut().for_each(|key| *key |= part);
        }
        BlockColumn::Values { data, validity } => {
            let mut put = |row: usize, value: u64| {
                if validity.as_ref().is_none_or(|bits| bits.get(row)) {
                    keys[row] |= (u128::from(value) + 1) << shift;
                }
            };
            match data {
                Values::U8(v) => v.iter().enumerate().for_each(|(i, x)| put(i, u64::from(*x))),
                Values::U16(v) => v.iter().enumerate().for_each(|(i, x)| put(i, u64::from(*x))),
                Values::U32(v) => v.iter().enumerate().for_each(|(i, x)| put(i, u64::from(*x))),
                Values::Code(v) => {
                    v.iter().enumerate().for_each(|(i, x)| put(i, u64::from(named(x.0))));
                }
                _ => {}
            }
        }
    }
    emit::bits(ty)
}
