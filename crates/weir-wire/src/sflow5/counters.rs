//! Counter records: one row of `counters` for each field.
//!
//! Names are those of the specifications and of sflowtool (`ifInOctets`, `dot3StatsFCSErrors`,
//! `load_one`, `mem_total` …). Unsigned numbers are in `value` as sent (all ones is "unknown" by
//! convention and stays), fractions, percentages and signed numbers in `value_f`, text, MAC
//! addresses and UUIDs in `value_text`. A structure we do not know, and what follows the fields of
//! one that we do, is a row named `octets` whose `value_text` is the hex of it.

pub(super) mod lists;
pub mod structures;

use std::fmt::Write;

use weir_model::columns::counters as k;
use weir_model::{FlowBatch, Mac};

use super::sample::Source;
use super::xdr::{Xdr, clean};
use structures::{Field, Kind, STRUCTURES};

/// The number under which rtmetric values stand in `structure`.
pub const RTMETRIC_STRUCTURE: u32 = 4300 << 12 | 1002;

/// Name of the row that holds octets we have no fields for.
pub const OCTETS_NAME: &str = "octets";

/// Where the rows of one counter record go.
pub(super) struct Rows<'a> {
    rows: &'a mut FlowBatch,
    source: Source,
    sequence: u32,
    structure: u32,
}

/// Appends the rows of one counter record.
pub(super) fn decode(
    structure: u32,
    body: &[u8],
    source: Source,
    sequence: u32,
    rows: &mut FlowBatch,
) {
    let mut rows = Rows { rows, source, sequence, structure };
    let mut x = Xdr::new(body);
    match STRUCTURES.binary_search_by_key(&structure, |known| known.id) {
        Ok(at) => {
            for field in STRUCTURES[at].fields {
                if rows.field(field, &mut x).is_none() {
                    return;
                }
            }
            // The lists end early where the body does.
            let _cut_short = lists::decode(structure, &mut rows, &mut x);
            if !x.rest().is_empty() {
                rows.octets(x.rest());
            }
        }
        Err(_) => rows.octets(body),
    }
}

impl Rows<'_> {
    fn add(&mut self, name: &str) -> usize {
        let row = self.rows.append_rows(1);
        self.rows.set(k::SOURCE_CLASS, row, self.source.class);
        self.rows.set(k::SOURCE_INDEX, row, self.source.index);
        self.rows.set(k::STRUCTURE, row, self.structure);
        self.rows.set(k::SEQUENCE, row, self.sequence);
        self.rows.set_octets(k::NAME, row, name.as_bytes());
        row
    }

    fn number(&mut self, name: &str, value: u64) {
        let row = self.add(name);
        self.rows.set(k::VALUE, row, value);
    }

    fn fraction(&mut self, name: &str, value: f64) {
        let row = self.add(name);
        self.rows.set(k::VALUE_F, row, value);
    }

    fn text(&mut self, name: &str, value: &str) {
        let row = self.add(name);
        self.rows.set_octets(k::VALUE_TEXT, row, value.as_bytes());
    }

    fn octets(&mut self, octets: &[u8]) {
        self.text(OCTETS_NAME, &hex(octets));
    }

    fn field(&mut self, field: &Field, x: &mut Xdr<'_>) -> Option<()> {
        let name = field.name;
        match field.kind {
            Kind::U32 => self.number(name, x.u32()?.into()),
            Kind::U64 => self.number(name, x.u64()?),
            Kind::I32 => self.fraction(name, f64::from(x.u32()? as i32)),
            Kind::F32 => self.fraction(name, f32::from_bits(x.u32()?).into()),
            Kind::Percent => self.fraction(name, percent(x.u32()?)),
            Kind::Text => self.text(name, &clean(x.opaque()?)),
            Kind::Mac => self.text(name, &Mac(x.mac()?).to_string()),
            Kind::Uuid => self.text(name, &uuid(x.fixed(16)?)),
            Kind::Octet => self.number(name, x.octet()?.into()),
        }
        Some(())
    }
}

/// Hundredths of a percent; all ones, which is "unknown", reads as -1 as sflowtool has it.
fn percent(hundredths: u32) -> f64 {
    if hundredths == u32::MAX { -1.0 } else { f64::from(hundredths) / 100.0 }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        // Writing to a string has no error to report.
        let _infallible = write!(text, "{octet:02x}");
        text
    })
}

fn uuid(octets: &[u8]) -> String {
    let mut text = hex(octets);
    for at in [20, 16, 12, 8] {
        if text.len() > at {
            text.insert(at, '-');
        }
    }
    text
}
