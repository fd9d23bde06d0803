//! From rows of a batch to the column data of a block.

use std::ops::Range;

use weir_model::columns::flows;
use weir_model::{Addr, Bitmap, Code, ColumnId, FlowBatch, Physical, Scalar, Table};

use super::directory::scalar_of;
use super::mapped::{Numbering, Ordinals, Split};
use super::source::{Dense, Source};
use super::{ColumnEntry, Directory, Form};
use crate::dictionary::BatchCodes;
use crate::encoding::encode::{Profile, profile, runs};
use crate::encoding::validity::encode_validity;
use crate::encoding::{Encoder, Lane};
use crate::zone::Zone;

/// Blocks of fewer rows are written lightly: compaction will write their rows again.
const LIGHT_ROWS: usize = 4_096;
/// A column with runs longer than this on average is small as it is.
const LONG_RUN: usize = 8;

/// Columns that determine others, by table.
fn determining(table: Table) -> &'static [ColumnId] {
    match table {
        Table::Flows => &[flows::SRC_ADDR, flows::DST_ADDR],
        _ => &[],
    }
}

/// Columns that are near to another one, by table.
fn near(table: Table, id: ColumnId) -> Option<ColumnId> {
    (table == Table::Flows && id == flows::FLOW_START).then_some(flows::FLOW_END)
}

/// A column that others may be written by.
struct Reference {
    id: ColumnId,
    validity: Option<Bitmap>,
    ordinals: Ordinals,
}

/// Writes blocks, with memory that is used again.
pub(crate) struct BlockWriter {
    encoder: Encoder,
    numbering: Numbering,
    codes: Vec<Code>,
    distances: Vec<i64>,
    quick: bool,
}

/// A column while it is written.
struct Draft<'a> {
    id: ColumnId,
    physical: Physical,
    nulls: u32,
    validity: Option<&'a Bitmap>,
}

impl BlockWriter {
    pub(crate) fn new() -> BlockWriter {
        BlockWriter {
            encoder: Encoder::new(),
            numbering: Numbering::default(),
            codes: Vec::new(),
            distances: Vec::new(),
            quick: false,
        }
    }

    /// Whether to spare what takes more time than it saves octets.
    pub(crate) fn set_quick(&mut self, quick: bool) {
        self.quick = quick;
    }

    pub(crate) fn encoder(&mut self) -> &mut Encoder {
        &mut self.encoder
    }

    /// Appends the data of rows `rows` of `batch` to `out`, where their frame starts at `frame`.
    pub(crate) fn encode(
        &mut self,
        batch: &FlowBatch,
        rows: Range<usize>,
        dictionary: &mut BatchCodes<'_>,
        frame: usize,
        out: &mut Vec<u8>,
    ) -> Directory {
        self.encoder.set_compress(!self.quick && rows.len() >= LIGHT_ROWS);
        let mut entries = Vec::new();
        let mut references = Vec::new();
        for def in batch.table().columns().iter().filter(|def| def.stored) {
            let id = def.id;
            let physical = def.ty.physical();
            let start = out.len();
            let mut entry = match Source::of(batch.column(id), rows.clone()) {
                Source::Absent => continue,
                Source::Constant(value) => constant(id, physical, value, dictionary),
                Source::Dense { values, validity } => {
                    let nulls = validity.as_ref().map_or(0, |bits| bits.len() - bits.count_ones());
                    let validity = validity.as_ref();
                    let draft = Draft { id, physical, nulls: nulls as u32, validity };
                    if let Some(bits) = validity {
                        encode_validity(bits, &mut self.encoder, out);
                    }
                    let near = near(batch.table(), id);
                    let entry =
                        match near.map(|id| (id, Source::of(batch.column(id), rows.clone()))) {
                            Some((id, other)) => self.minus(&draft, &values, id, &other, out),
                            None => None,
                        };
                    match entry {
                        Some(entry) => entry,
                        None => self.dense(&draft, values, dictionary, &mut references, out),
                    }
                }
            };
            if entry.form == Form::Constant {
                out.truncate(start);
            }
            entry.offset = (start - frame) as u32;
            entry.len = (out.len() - start) as u32;
            entry.crc = if entry.len == 0 { 0 } else { crc32c::crc32c(&out[start..]) };
            entries.push(entry);
        }
        let ordinals = references.into_iter().map(|reference: Reference| reference.ordinals);
        ordinals.for_each(|ordinals| self.numbering.recycle(ordinals));
        Directory::new(entries)
    }

    /// Writes the values of a column that has more than one.
    fn dense(
        &mut self,
        draft: &Draft<'_>,
        values: Dense<'_>,
        dictionary: &mut BatchCodes<'_>,
        references: &mut Vec<Reference>,
        out: &mut Vec<u8>,
    ) -> ColumnEntry {
        match values {
            Dense::U8(v) => self.lanes(draft, &v, references, out),
            Dense::U16(v) => self.lanes(draft, &v, references, out),
            Dense::U32(v) => self.lanes(draft, &v, references, out),
            Dense::U64(v) => self.lanes(draft, &v, references, out),
            Dense::I64(v) => self.lanes(draft, &v, references, out),
            Dense::F64(v) => self.lanes(draft, &v, references, out),
            Dense::Code(v) => {
                let mut codes = std::mem::take(&mut self.codes);
                codes.clear();
                codes.extend(v.iter().map(|code| dictionary.string(*code)));
                let entry = self.lanes(draft, &codes, references, out);
                self.codes = codes;
                entry
            }
            Dense::Addr(v) => self.addrs(draft, &v, dictionary, references, out),
        }
    }

    fn lanes<T: Lane>(
        &mut self,
        draft: &Draft<'_>,
        values: &[T],
        references: &[Reference],
        out: &mut Vec<u8>,
    ) -> ColumnEntry {
        let same = |a: T, b: T| a.to_bits() == b.to_bits();
        let runs = runs(values);
        if runs * LONG_RUN >= values.len() {
            for reference in determining_of(references, draft) {
                let Some(split) = reference.ordinals.split(values, same) else { continue };
                let found = self.mapped(draft, &split, values.len(), reference.id, out);
                if let Some(entry) = found {
                    return entry;
                }
            }
        }
        let (min, max) = T::bounds(values);
        let profile = Profile { min, max, runs };
        if profile.min == profile.max && draft.nulls == 0 {
            return draft.entry(Form::Constant, profile);
        }
        self.encoder.wide_profiled(values, profile, out, true);
        draft.entry(Form::Values, profile)
    }

    /// Writes a column by one that determines it, if that is smaller.
    fn mapped<T: Lane>(
        &mut self,
        draft: &Draft<'_>,
        split: &Split<T>,
        values: usize,
        by: ColumnId,
        out: &mut Vec<u8>,
    ) -> Option<ColumnEntry> {
        let profile = split.profile();
        if profile.min == profile.max && draft.nulls == 0 {
            return Some(draft.entry(Form::Constant, profile));
        }
        let limit = values * profile.width() / 16;
        let pays = split.encode(limit, &mut self.encoder, out);
        pays.then(|| draft.entry(Form::Mapped(by), profile))
    }

    /// Writes a column of addresses.
    fn addrs(
        &mut self,
        draft: &Draft<'_>,
        values: &[Addr],
        dictionary: &mut BatchCodes<'_>,
        references: &mut Vec<Reference>,
        out: &mut Vec<u8>,
    ) -> ColumnEntry {
        let same = |a: Addr, b: Addr| a == b;
        for reference in determining_of(references, draft) {
            // Cost: an address that another determines is looked up once for each of those.
            let Some(split) = reference.ordinals.split(values, same) else { continue };
            let (mut heads, mut wrong) = (Vec::new(), Vec::new());
            dictionary.addrs(&split.heads, &mut heads);
            dictionary.addrs(&split.wrong, &mut wrong);
            let bounds = addr_bounds(split.heads.iter().chain(&split.wrong));
            let code = heads.first().copied().unwrap_or_default();
            let split = split.with(heads, wrong);
            if let Some(entry) = self.mapped(draft, &split, values.len(), reference.id, out) {
                return entry.of_addrs(bounds, code);
            }
        }
        let mut codes = std::mem::take(&mut self.codes);
        dictionary.addrs(values, &mut codes);
        let entry = self.lanes(draft, &codes, &[], out);
        let determines = values.len() >= LIGHT_ROWS
            && determining(dictionary.table()).contains(&draft.id)
            && entry.form == Form::Values;
        let end = dictionary.addr_count();
        let ordinals = determines.then(|| self.numbering.ordinals(&codes, end)).flatten();
        let bounds = match &ordinals {
            Some(ordinals) => addr_bounds(ordinals.firsts().iter().map(|r| &values[*r as usize])),
            None => addr_bounds(values.iter()),
        };
        let entry = entry.of_addrs(bounds, codes.first().copied().unwrap_or_default());
        match ordinals {
            Some(ordinals) if ordinals.pay() => {
                let validity = draft.validity.cloned();
                references.push(Reference { id: draft.id, validity, ordinals });
            }
            Some(ordinals) => self.numbering.recycle(ordinals),
            None => {}
        }
        self.codes = codes;
        entry
    }

    /// Writes a time as its distance to another one, if that is smaller.
    fn minus(
        &mut self,
        draft: &Draft<'_>,
        values: &Dense<'_>,
        id: ColumnId,
        other: &Source<'_>,
        out: &mut Vec<u8>,
    ) -> Option<ColumnEntry> {
        let Dense::I64(values) = values else { return None };
        let Source::Dense { values: Dense::I64(other), validity } = other else { return None };
        let other_varies = other.iter().any(|value| *value != other[0]);
        if validity.as_ref() != draft.validity || !other_varies {
            return None;
        }
        let own = profile(values);
        let between = |(other, own): (&i64, &i64)| other.wrapping_sub(*own);
        self.distances.clear();
        self.distances.extend(other.iter().zip(values.iter()).map(between));
        let distance = profile(&self.distances);
        if distance.width() > own.width() || own.runs * LONG_RUN < values.len() {
            return None;
        }
        self.encoder.wide_profiled(&self.distances, distance, out, true);
        Some(draft.entry(Form::Minus(id), own))
    }
}

impl Draft<'_> {
    fn entry(&self, form: Form, profile: Profile) -> ColumnEntry {
        let zone = Zone {
            min: scalar_of(self.physical, profile.min),
            max: scalar_of(self.physical, profile.max),
            nulls: self.nulls,
        };
        let (id, physical) = (self.id, self.physical);
        ColumnEntry { id, physical, form, zone, code: Code(0), offset: 0, len: 0, crc: 0 }
    }
}

/// Columns that may determine one whose draft this is.
fn determining_of<'r>(
    references: &'r [Reference],
    draft: &Draft<'_>,
) -> impl Iterator<Item = &'r Reference> {
    let validity = draft.validity;
    references.iter().filter(move |reference| reference.validity.as_ref() == validity)
}

/// Lowest and highest address.
fn addr_bounds<'a>(mut addrs: impl Iterator<Item = &'a Addr>) -> (Addr, Addr) {
    let first = addrs.next().copied().unwrap_or_default();
    addrs.fold((first, first), |(min, max), addr| (min.min(*addr), max.max(*addr)))
}

fn constant(
    id: ColumnId,
    physical: Physical,
    value: Scalar,
    dictionary: &mut BatchCodes<'_>,
) -> ColumnEntry {
    let mut code = Code(0);
    let value = match value {
        Scalar::Addr(addr) => {
            code = dictionary.addr(addr);
            Scalar::Addr(addr)
        }
        Scalar::Code(string) => Scalar::Code(dictionary.string(string)),
        other => other,
    };
    let zone = Zone { min: value, max: value, nulls: 0 };
    ColumnEntry { id, physical, form: Form::Constant, zone, code, offset: 0, len: 0, crc: 0 }
}
