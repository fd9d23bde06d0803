//! From rows of a batch to the column data of a block.

use std::ops::Range;

use weir_model::columns::flows;
use weir_model::{Addr, Bitmap, Code, ColumnId, FlowBatch, Physical, Scalar, Table};

use super::directory::scalar_of;
use super::mapped::Ordinals;
use super::source::{Dense, Source};
use super::{ColumnEntry, Directory, Form};
use crate::dictionary::BatchCodes;
use crate::encoding::encode::{Profile, profile};
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
        BlockWriter { encoder: Encoder::new() }
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
        self.encoder.set_compress(rows.len() >= LIGHT_ROWS);
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
                let codes: Vec<Code> = v.iter().map(|code| dictionary.string(*code)).collect();
                self.lanes(draft, &codes, references, out)
            }
            Dense::Addr(v) => {
                let codes = addr_codes(&v, dictionary);
                let mut entry = self.lanes(draft, &codes, references, out);
                let first = v.first().copied().unwrap_or_default();
                let (min, max) =
                    v.iter().fold((first, first), |(min, max), v| (min.min(*v), max.max(*v)));
                entry.zone.min = Scalar::Addr(min);
                entry.zone.max = Scalar::Addr(max);
                entry.code = codes.first().copied().unwrap_or_default();
                if v.len() >= LIGHT_ROWS
                    && determining(dictionary.table()).contains(&draft.id)
                    && entry.form == Form::Values
                    && let Some(ordinals) = Ordinals::of(&codes).filter(Ordinals::pay)
                {
                    let validity = draft.validity.cloned();
                    references.push(Reference { id: draft.id, validity, ordinals });
                }
                entry
            }
        }
    }

    fn lanes<T: Lane>(
        &mut self,
        draft: &Draft<'_>,
        values: &[T],
        references: &[Reference],
        out: &mut Vec<u8>,
    ) -> ColumnEntry {
        let profile = profile(values);
        let form = if profile.min == profile.max && draft.nulls == 0 {
            Form::Constant
        } else if let Some(id) = self.mapped(draft, values, profile, references, out) {
            Form::Mapped(id)
        } else {
            self.encoder.wide_profiled(values, profile, out, true);
            Form::Values
        };
        draft.entry(form, profile)
    }

    /// Writes the column by one that determines it, if there is one.
    fn mapped<T: Lane>(
        &mut self,
        draft: &Draft<'_>,
        values: &[T],
        profile: Profile,
        references: &[Reference],
        out: &mut Vec<u8>,
    ) -> Option<ColumnId> {
        if profile.runs * LONG_RUN < values.len() {
            return None;
        }
        let limit = values.len() * profile.width() / 16;
        for reference in references.iter().filter(|r| r.validity.as_ref() == draft.validity) {
            if reference.ordinals.encode(values, limit, &mut self.encoder, out) {
                return Some(reference.id);
            }
        }
        None
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
        let distances: Vec<i64> = other.iter().zip(values.iter()).map(between).collect();
        let distance = profile(&distances);
        if distance.width() > own.width() || own.runs * LONG_RUN < values.len() {
            return None;
        }
        self.encoder.wide_profiled(&distances, distance, out, true);
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

/// Codes of addresses. Rows of one datagram have the same exporter: what was looked up for the
/// row before is remembered.
fn addr_codes(addrs: &[Addr], dictionary: &mut BatchCodes<'_>) -> Vec<Code> {
    let mut last: Option<(Addr, Code)> = None;
    let code = |addr: &Addr| match last {
        Some((known, code)) if known == *addr => code,
        _ => {
            let code = dictionary.addr(*addr);
            last = Some((*addr, code));
            code
        }
    };
    addrs.iter().map(code).collect()
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
