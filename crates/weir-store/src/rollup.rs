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
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use weir_model::columns::{flows, rollups};
use weir_model::{Addr, ColumnId, Cube, FlowBatch, Grain, Interner, Scalar, Values};

use crate::read::{BlockColumn, BlockData, ReadError};
use crate::segment::Segment;

mod emit;
mod groups;
mod key;
mod measures;

use groups::{Bucket, Groups};
use key::{Codes, Keys, Scratch, places};
use measures::{Measures, ROWS_AT_ONCE};

/// Groups of one cube that are kept in memory, about 100 octets each; few in tests, so that they
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
    /// Flow records of one segment: every grain comes out.
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
    addrs: Codes,
    strings: Codes,
}

/// Sums up blocks.
pub(crate) struct Builder {
    source: Source,
    names: Names,
    cubes: Vec<Groups>,
    rows: Rows,
    runs: Vec<(i64, Range<usize>)>,
    scratch: Box<Scratch>,
    seed: u64,
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
        let seed = RandomState::new().hash_one(0);
        let cubes = Cube::ALL.iter().map(|cube| Groups::new(*cube, seed)).collect();
        let (names, rows, runs, scratch) = Default::default();
        Builder { source, names, cubes, rows, runs, scratch, seed }
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
            Ok(dictionary) => self.translation(&dictionary),
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

    fn translation(&mut self, dictionary: &crate::Dictionary) -> Translation {
        let strings = dictionary.strings().map(|s| self.names.strings.intern(s).0).collect();
        let addrs = match self.source {
            Source::Records => {
                self.names.addrs = dictionary.addrs().to_vec();
                Codes::Same(dictionary.addrs().len() as u32)
            }
            Source::Rollups(_) => {
                let addrs = dictionary.addrs().iter().map(|addr| self.names.addr(*addr));
                Codes::Table(addrs.collect())
            }
        };
        Translation { addrs, strings: Codes::Table(strings) }
    }

    fn add_block(&mut self, data: &BlockData, translation: &Translation) {
        let of_records = self.source == Source::Records;
        let time = if of_records { flows::RECEIVED_AT } else { rollups::RECEIVED_AT };
        runs(data.column(time), data.rows(), &mut self.runs);
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
        for (at, cube) in Cube::ALL.into_iter().enumerate() {
            if !of_records && own_cube != Some(cube) {
                continue;
            }
            if self.cubes[at].len() + data.rows() > GROUPS_MAX {
                self.spill(at);
            }
            let codes = (&translation.addrs, &translation.strings);
            let keys = Keys::of(&places(cube), of_records, data, codes);
            self.add_cube(at, &keys, &measures);
        }
    }

    fn add_cube(&mut self, at: usize, keys: &Keys<'_>, measures: &Measures<'_>) {
        let groups = &mut self.cubes[at];
        let grain = match self.source {
            Source::Records => finest(groups.cube()),
            Source::Rollups(grain) => grain,
        };
        let unit = grain.nanos() / MINUTE_NANOS;
        let mut runs = self.runs.iter().peekable();
        while let Some((minute, rows)) = runs.next() {
            let start = minute.div_euclid(unit) * unit;
            let mut rows = rows.clone();
            while let Some((_, next)) = runs.next_if(|(m, _)| m.div_euclid(unit) * unit == start) {
                rows.end = next.end;
            }
            groups.with(start, |bucket| add_rows(bucket, rows, keys, measures, &mut self.scratch));
        }
    }

    /// Writes the groups of a cube and forgets them.
    fn spill(&mut self, at: usize) {
        let cube = Cube::ALL[at];
        let mut groups = std::mem::replace(&mut self.cubes[at], Groups::new(cube, self.seed));
        let grains: Vec<Grain> = match self.source {
            Source::Rollups(grain) => vec![grain],
            Source::Records => Grain::ALL.into_iter().filter(|g| cube.kept_at(*g)).collect(),
        };
        for grain in grains {
            groups = groups.coarsen(grain);
            emit::write(&groups, &self.names, self.rows.entry(grain).or_default());
        }
    }

    fn finish(mut self) -> Rows {
        (0..self.cubes.len()).for_each(|at| self.spill(at));
        self.rows
    }
}

/// Adds rows of a block, all of one bucket.
fn add_rows(
    bucket: &mut Bucket,
    rows: Range<usize>,
    keys: &Keys<'_>,
    measures: &Measures<'_>,
    scratch: &mut Scratch,
) {
    if keys.is_constant() {
        return measures.add_same(rows.start, rows.len(), keys.base, bucket);
    }
    for from in rows.clone().step_by(ROWS_AT_ONCE) {
        let n = (rows.end - from).min(ROWS_AT_ONCE);
        keys.fill(from, n, scratch);
        bucket.find(&scratch.low[..n], &scratch.high[..n], &mut scratch.slots);
        measures.add(from, &scratch.slots[..n], bucket);
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

/// Rows that follow one another in the same minute since 1970-01-01.
fn runs(column: &BlockColumn, rows: usize, out: &mut Vec<(i64, Range<usize>)>) {
    out.clear();
    match column {
        BlockColumn::Values { data: Values::I64(times), .. } => {
            let mut from = 0;
            while let Some(first) = times.get(from) {
                let minute = first.div_euclid(MINUTE_NANOS);
                let start = minute.saturating_mul(MINUTE_NANOS);
                let inside = |time: &i64| (0..MINUTE_NANOS).contains(&time.wrapping_sub(start));
                let len = times[from..].iter().position(|time| !inside(time));
                let end = len.map_or(times.len(), |len| from + len.max(1));
                out.push((minute, from..end));
                from = end;
            }
        }
        BlockColumn::Constant(Scalar::I64(time)) => {
            out.push((time.div_euclid(MINUTE_NANOS), 0..rows));
        }
        _ => out.push((0, 0..rows)),
    }
}
