//! Rows of counters back to counter samples and rtmetric messages.

use std::ops::Range;

use weir_model::columns::counters as k;
use weir_model::{ColumnId, FlowBatch, Mac, Scalar};

use super::out::Out;
use crate::sflow5::counters::structures::{Field, Kind, STRUCTURES};
use crate::sflow5::counters::{OCTETS_NAME, RTMETRIC_STRUCTURE, lists};

struct Rows<'a> {
    batch: &'a FlowBatch,
}

impl<'a> Rows<'a> {
    fn u32(&self, id: ColumnId, row: usize) -> u32 {
        self.batch.get_u64(id, row).map_or(0, |value| u32::try_from(value).unwrap_or(u32::MAX))
    }

    fn name(&self, row: usize) -> &'a [u8] {
        self.batch.get_octets(k::NAME, row).unwrap_or_default()
    }

    fn text(&self, row: usize) -> &'a str {
        let octets = self.batch.get_octets(k::VALUE_TEXT, row).unwrap_or_default();
        std::str::from_utf8(octets).unwrap_or_default()
    }

    fn fraction(&self, row: usize) -> f64 {
        match self.batch.get(k::VALUE_F, row) {
            Some(Scalar::F64(value)) => value,
            _ => 0.0,
        }
    }

    fn group(&self, row: usize) -> [Option<Scalar>; 5] {
        let is_metric = self.u32(k::STRUCTURE, row) == RTMETRIC_STRUCTURE;
        [
            Some(Scalar::U64(is_metric.into())),
            self.batch.get(k::SOURCE_CLASS, row),
            self.batch.get(k::SOURCE_INDEX, row),
            self.batch.get(k::SEQUENCE, row),
            self.batch.get(k::SOURCE_NAME, row),
        ]
    }
}

/// End of the rows that belong to the same sample as the first.
pub(super) fn group_end(batch: &FlowBatch, rows: Range<usize>) -> usize {
    let values = Rows { batch };
    let first = values.group(rows.start);
    rows.clone().find(|row| values.group(*row) != first).unwrap_or(rows.end)
}

/// Writes the sample of `rows`, which are one group, under `sequence` where the rows have none.
pub(super) fn sample(out: &mut Out, batch: &FlowBatch, rows: Range<usize>, sequence: u32) {
    let values = Rows { batch };
    let first = rows.start;
    if values.u32(k::STRUCTURE, first) == RTMETRIC_STRUCTURE {
        return out.structure(RTMETRIC_STRUCTURE, |out| metrics(out, &values, rows));
    }
    let sequence =
        batch.get(k::SEQUENCE, first).map_or(sequence, |_| values.u32(k::SEQUENCE, first));
    let (class, index) = (values.u32(k::SOURCE_CLASS, first), values.u32(k::SOURCE_INDEX, first));
    let is_compact = index < 1 << 24;
    out.structure(if is_compact { 2 } else { 4 }, |out| {
        out.u32(sequence);
        if is_compact {
            out.u32(class << 24 | index);
        } else {
            out.words(&[class, index]);
        }
        let at = out.octets().len();
        out.u32(0);
        let (mut row, mut count) = (rows.start, 0);
        while row < rows.end {
            let end = record_end(&values, row, rows.end);
            let structure = values.u32(k::STRUCTURE, row);
            out.structure(structure, |out| record(out, &values, structure, row..end));
            (row, count) = (end, count + 1);
        }
        out.put_u32(at, count);
    });
}

/// A record ends where the structure changes, or where its first field comes again.
fn record_end(values: &Rows<'_>, start: usize, end: usize) -> usize {
    let (structure, first) = (values.u32(k::STRUCTURE, start), values.name(start));
    let belongs =
        |row: &usize| values.u32(k::STRUCTURE, *row) == structure && values.name(*row) != first;
    (start + 1..end).find(|row| !belongs(row)).unwrap_or(end)
}

fn record(out: &mut Out, values: &Rows<'_>, structure: u32, rows: Range<usize>) {
    let known = STRUCTURES.binary_search_by_key(&structure, |known| known.id);
    let fields = known.map_or(&[][..], |at| STRUCTURES[at].fields);
    // Structure 5 has a field of the name that octets without fields have too.
    let is_rest = |row: &usize| {
        let has_text = values.batch.get(k::VALUE_TEXT, *row).is_some();
        has_text && values.name(*row) == OCTETS_NAME.as_bytes()
    };
    let row_of = |known: &Field| {
        let is_it = |row: &usize| values.name(*row) == known.name.as_bytes() && !is_rest(row);
        rows.clone().find(is_it)
    };
    // A body that was cut has no rows for what follows, and is cut again.
    let told = fields.iter().rposition(|known| row_of(known).is_some()).map_or(0, |at| at + 1);
    for known in &fields[..told] {
        match row_of(known) {
            Some(row) => field(out, values, known, row),
            None => unknown(out, structure, known),
        }
    }
    let is_field = |row: &usize| {
        fields.iter().any(|known| known.name.as_bytes() == values.name(*row)) && !is_rest(row)
    };
    let row = rows.clone().find(|row| !is_field(row)).unwrap_or(rows.end);
    let octets = (row..rows.end).find(is_rest);
    let lists_end = octets.unwrap_or(rows.end);
    // Octets come after the lists, so lists of no items stood before them.
    let has_lists = lists_end > row || octets.is_some();
    match structure {
        lists::ADAPTERS if has_lists => adapters(out, values, row..lists_end),
        lists::SFP if has_lists => {
            // A last lane that was cut off counts too: it reads back as the part that is there.
            out.u32((lists_end - row).div_ceil(lists::LANE.len()) as u32);
            (row..lists_end).for_each(|row| out.u32(values.u32(k::VALUE, row)));
        }
        lists::PORT_BUFFERS if has_lists => {
            let is_first = |row: &usize| values.name(*row).starts_with(b"egress_queue_unicast");
            let middle = (row..lists_end).find(|row| !is_first(row)).unwrap_or(lists_end);
            for list in [row..middle, middle..lists_end] {
                out.u32(list.len() as u32);
                list.for_each(|row| out.u32(hundredths(values.fraction(row))));
            }
        }
        _ => {}
    }
    if let Some(row) = octets {
        out.raw(&unhex(values.text(row)));
    }
}

fn field(out: &mut Out, values: &Rows<'_>, field: &Field, row: usize) {
    match field.kind {
        // What a machine counts in 64 bits wraps here as it would in 32.
        Kind::U32 => out.u32(values.batch.get_u64(k::VALUE, row).unwrap_or(0) as u32),
        Kind::U64 => out.u64(values.batch.get_u64(k::VALUE, row).unwrap_or(0)),
        Kind::I32 => out.u32(values.fraction(row) as i32 as u32),
        Kind::F32 => out.u32((values.fraction(row) as f32).to_bits()),
        Kind::Percent => out.u32(hundredths(values.fraction(row))),
        Kind::Text => out.opaque(values.text(row).as_bytes()),
        Kind::Mac => out.mac(values.text(row).parse().unwrap_or(Mac(0)).0),
        Kind::Uuid => {
            let mut octets = unhex(&values.text(row).replace('-', ""));
            octets.resize(16, 0);
            out.raw(&octets);
        }
        Kind::Octet => out.octet(values.u32(k::VALUE, row) as u8),
    }
}

/// A field that the agent does not know: all ones of a counter, 0 of anything else, as Host sFlow
/// has it. Structures 1 and 2006 to 2010 hold counters but for the few that are named.
fn unknown(out: &mut Out, structure: u32, field: &Field) {
    const GAUGES: [&str; 8] = [
        "networkType",
        "ifSpeed",
        "ifDirection",
        "ifStatus",
        "ifPromiscuousMode",
        "ipForwarding",
        "ipDefaultTTL",
        "tcpCurrEstab",
    ];
    let is_counter = matches!(structure, 1 | 2006..=2010) && !GAUGES.contains(&field.name);
    match field.kind {
        Kind::U32 => out.u32(if is_counter { u32::MAX } else { 0 }),
        Kind::U64 => out.u64(if is_counter { u64::MAX } else { 0 }),
        Kind::Percent => out.u32(u32::MAX),
        Kind::I32 | Kind::F32 | Kind::Text => out.u32(0),
        Kind::Mac => out.mac(0),
        Kind::Uuid => out.raw(&[0; 16]),
        Kind::Octet => out.octet(0),
    }
}

fn adapters(out: &mut Out, values: &Rows<'_>, rows: Range<usize>) {
    let is_index = |row: &usize| values.name(*row).ends_with(b"_ifIndex");
    out.u32(rows.clone().filter(is_index).count() as u32);
    for row in rows.clone() {
        if is_index(&row) {
            out.u32(values.u32(k::VALUE, row));
            let macs = (row + 1..rows.end).take_while(|row| !is_index(row)).count();
            out.u32(macs as u32);
        } else {
            out.mac(values.text(row).parse().unwrap_or(Mac(0)).0);
        }
    }
}

fn metrics(out: &mut Out, values: &Rows<'_>, rows: Range<usize>) {
    out.opaque(values.batch.get_octets(k::SOURCE_NAME, rows.start).unwrap_or_default());
    out.u32(rows.len() as u32);
    for row in rows {
        out.opaque(values.name(row));
        match (values.batch.get(k::VALUE, row), values.batch.get(k::VALUE_F, row)) {
            (Some(Scalar::U64(number)), _) => {
                out.u32(4);
                out.u64(number);
            }
            (_, Some(Scalar::F64(number))) => {
                out.u32(6);
                out.u64(number.to_bits());
            }
            _ => {
                out.u32(0);
                out.opaque(values.text(row).as_bytes());
            }
        }
    }
}

/// The inverse of the percentages that decoding makes.
fn hundredths(percent: f64) -> u32 {
    if percent < 0.0 { u32::MAX } else { (percent * 100.0).round() as u32 }
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16).unwrap_or(0) as u8;
    text.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
