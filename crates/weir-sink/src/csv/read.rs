//! CSV into flow records. Columns are matched by the names in the header; those of no meaning to
//! Weir are ignored and named. Times without zone are UTC.

use std::io::{self, BufRead};

use weir_model::batch::ROWS_MAX;
use weir_model::columns::flows;
use weir_model::named::TCP_FLAGS;
use weir_model::{Addr, ColumnDef, ColumnType, FlowBatch, Mac, Scalar, Table, Timestamp};

use super::write::is_formula;

/// Longest record: a line that never ends must not fill the memory.
const RECORD_OCTETS_MAX: usize = 1 << 20;

/// nfdump's column names (1.6 short names, then those of 1.7) and Weir's.
const NFDUMP: &[(&str, &str)] = &[
    ("ts", "flow_start"),
    ("te", "flow_end"),
    ("tr", "received_at"),
    ("sa", "src_addr"),
    ("da", "dst_addr"),
    ("sp", "src_port"),
    ("dp", "dst_port"),
    ("pr", "proto"),
    ("flg", "tcp_flags"),
    ("fwd", "forwarding_status"),
    ("stos", "tos"),
    ("dtos", "post_tos"),
    ("ipkt", "packets"),
    ("ibyt", "octets"),
    ("opkt", "reverse_packets"),
    ("obyt", "reverse_octets"),
    ("in", "in_if"),
    ("out", "out_if"),
    ("sas", "src_as"),
    ("das", "dst_as"),
    ("smk", "src_mask"),
    ("dmk", "dst_mask"),
    ("dir", "direction"),
    ("nh", "next_hop"),
    ("nhb", "bgp_next_hop"),
    ("svln", "src_vlan"),
    ("dvln", "dst_vlan"),
    ("ismc", "src_mac"),
    ("odmc", "post_dst_mac"),
    ("idmc", "dst_mac"),
    ("osmc", "post_src_mac"),
    ("ra", "exporter_addr"),
    ("firstseen", "flow_start"),
    ("lastseen", "flow_end"),
    ("received", "received_at"),
    ("srcaddr", "src_addr"),
    ("dstaddr", "dst_addr"),
    ("srcport", "src_port"),
    ("dstport", "dst_port"),
    ("bytes", "octets"),
];

/// Why a file could not be read further. Lines count from 1.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source failed.
    #[error("reading line {line}")]
    Io {
        /// Line that was being read.
        line: u64,
        /// What the source said.
        #[source]
        source: io::Error,
    },
    /// No column has a name that Weir or nfdump uses.
    #[error(
        "the header has no column that Weir knows; `weir export` and `nfdump -o csv` write such files"
    )]
    NoColumns,
    /// A record is longer than a megabyte.
    #[error("line {line}: the record is longer than 1 MiB; is a quotation mark unclosed?")]
    TooLong {
        /// Line the record began on.
        line: u64,
    },
    /// A value is not of its column's type.
    #[error("line {line}: `{value}` in column `{column}` is not of type {wanted}")]
    Value {
        /// Line the record began on.
        line: u64,
        /// Name in the header.
        column: String,
        /// The text, cut to 64 characters.
        value: String,
        /// The column's type.
        wanted: &'static str,
    },
}

/// Reads flow records, at most 65,536 a batch.
pub struct Reader<R> {
    /// A summary that is not of records was reached.
    ended: bool,
    source: R,
    line: u64,
    columns: Vec<Option<(&'static ColumnDef, String)>>,
    ignored: Vec<String>,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    pub fn new(mut source: R) -> Result<Reader<R>, ReadError> {
        let mut line = 0;
        let header = read_record(&mut source, &mut line)?.unwrap_or_default();
        let (mut columns, mut ignored) = (Vec::new(), Vec::new());
        for name in header {
            let name = name.trim().trim_start_matches('\u{feff}').to_owned();
            let lower = name.to_ascii_lowercase();
            let ours = NFDUMP.iter().find(|(nfdump, _)| *nfdump == lower).map(|(_, ours)| *ours);
            match Table::Flows.find(ours.unwrap_or(&lower)) {
                Some(def) => columns.push(Some((def, name))),
                None => {
                    columns.push(None);
                    ignored.push(name);
                }
            }
        }
        if columns.iter().all(Option::is_none) {
            return Err(ReadError::NoColumns);
        }
        Ok(Reader { ended: false, source, line, columns, ignored })
    }

    /// Columns of the file that Weir has no name for.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The next rows, sealed; `None` after the last. A row without `received_at` takes `flow_end`.
    pub fn next_batch(&mut self) -> Result<Option<FlowBatch>, ReadError> {
        let mut batch = FlowBatch::new(Table::Flows);
        while !self.ended && batch.rows() < ROWS_MAX && !batch.is_full() {
            let began = self.line + 1;
            let Some(record) = read_record(&mut self.source, &mut self.line)? else { break };
            // nfdump ends its file with a summary of its own.
            if record.len() == 1 && (record[0].is_empty() || record[0] == "Summary") {
                if record[0] == "Summary" {
                    self.ended = true;
                    break;
                }
                continue;
            }
            let row = batch.append_rows(1);
            for (text, column) in record.iter().zip(&self.columns) {
                let (Some((def, name)), text) = (column, text.trim()) else { continue };
                if text.is_empty() {
                    continue;
                }
                set_text(&mut batch, def, row, text).ok_or_else(|| ReadError::Value {
                    line: began,
                    column: name.clone(),
                    value: text.chars().take(64).collect(),
                    wanted: def.ty.name(),
                })?;
            }
            if let (None, Some(Scalar::I64(end))) =
                (batch.get(flows::RECEIVED_AT, row), batch.get(flows::FLOW_END, row))
            {
                batch.set(flows::RECEIVED_AT, row, end);
            }
        }
        batch.seal();
        Ok((!batch.is_empty()).then_some(batch))
    }
}

/// The fields of one record, which may span lines inside quotation marks.
fn read_record(
    source: &mut impl BufRead,
    line: &mut u64,
) -> Result<Option<Vec<String>>, ReadError> {
    let began = *line + 1;
    let (mut record, mut open) = (Vec::new(), false);
    loop {
        let before = record.len();
        let limit = (RECORD_OCTETS_MAX + 1 - before) as u64;
        let mut limited = io::Read::take(&mut *source, limit);
        let read = limited.read_until(b'\n', &mut record);
        read.map_err(|source| ReadError::Io { line: *line + 1, source })?;
        if record.len() > RECORD_OCTETS_MAX {
            return Err(ReadError::TooLong { line: began });
        }
        if record.len() == before {
            if record.is_empty() {
                return Ok(None);
            }
            break;
        }
        *line += 1;
        // Only the new part is looked at: a record of many lines is still read in linear time.
        let quotes = record[before..].iter().filter(|&&octet| octet == b'"').count();
        open ^= quotes % 2 == 1;
        if !open {
            break;
        }
    }
    let text = String::from_utf8_lossy(&record);
    Ok(Some(split(text.trim_end_matches(['\n', '\r']))))
}

fn split(record: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = record.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

/// Sets a value from its text form. Numbers may be names of the column's enumeration, TCP flags
/// may be nfdump's `...AP.SF`.
fn set_text(batch: &mut FlowBatch, def: &ColumnDef, row: usize, text: &str) -> Option<()> {
    match def.ty {
        ColumnType::Time => batch.set(def.id, row, text.parse::<Timestamp>().ok()?.0),
        ColumnType::Addr => batch.set(def.id, row, text.parse::<Addr>().ok()?),
        ColumnType::Mac => batch.set(def.id, row, text.parse::<Mac>().ok()?.0),
        ColumnType::F64 => batch.set(def.id, row, text.parse::<f64>().ok()?),
        ColumnType::Str => {
            // The writer puts an apostrophe before what a spreadsheet would take for a formula.
            let formula = text.strip_prefix('\'').filter(|text| is_formula(text));
            batch.set_octets(def.id, row, formula.unwrap_or(text).as_bytes());
        }
        ColumnType::Bytes => batch.set_octets(def.id, row, &hex(text)?),
        ColumnType::U32List => {
            let mut octets = Vec::new();
            let inner = text.strip_prefix('[')?.strip_suffix(']')?;
            for number in inner.split(',').map(str::trim).filter(|n| !n.is_empty()) {
                octets.extend_from_slice(&number.parse::<u32>().ok()?.to_be_bytes());
            }
            batch.set_octets(def.id, row, &octets);
        }
        ColumnType::Elements => batch.set_octets(def.id, row, &elements(text)?),
        ColumnType::U8 | ColumnType::U16 | ColumnType::U32 | ColumnType::U64 => {
            let number = text.parse::<u64>().ok().or_else(|| {
                let named = def.named.and_then(|named| named.value(text));
                named.or_else(|| match def.id {
                    flows::TCP_FLAGS => flag_letters(text),
                    flows::PROTO => nfdump_protocol(text),
                    _ => None,
                })
            })?;
            let bits = match def.ty {
                ColumnType::U8 => 8,
                ColumnType::U16 => 16,
                ColumnType::U32 => 32,
                _ => 64,
            };
            if bits < 64 && number >> bits != 0 {
                return None;
            }
            batch.set_scalar(def.id, row, Scalar::U64(number));
        }
    }
    Some(())
}

/// Protocols that nfdump calls otherwise than IANA does.
fn nfdump_protocol(text: &str) -> Option<u64> {
    let number = match text.to_ascii_lowercase().as_str() {
        "ipip" => 4,
        "rte6" => 43,
        "frag6" => 44,
        "icmp6" => 58,
        "nohe6" => 59,
        "opts6" => 60,
        _ => return None,
    };
    Some(number)
}

/// nfdump writes the first letters of the flags that are set and dots for the rest.
fn flag_letters(text: &str) -> Option<u64> {
    let mut flags = 0;
    for letter in text.chars().filter(|&c| c != '.') {
        let named = TCP_FLAGS.rows().iter().find(|(_, name)| {
            name.chars().next().is_some_and(|first| first.eq_ignore_ascii_case(&letter))
        });
        flags |= named?.0;
    }
    Some(flags)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The inverse of the JSON form of an element list: `{"ie(pen,id)":"hex", ...}`.
fn elements(text: &str) -> Option<Vec<u8>> {
    let mut list = Vec::new();
    let mut rest = text.strip_prefix('{')?.strip_suffix('}')?;
    while !rest.is_empty() {
        let (key, after) = rest.strip_prefix("\"ie(")?.split_once(")\":\"")?;
        let (value, after) = after.split_once('"')?;
        let mut numbers = key.split(',');
        let key = weir_model::column::ElementKey {
            pen: numbers.next()?.parse().ok()?,
            id: numbers.next()?.parse().ok()?,
        };
        weir_model::elements::push(&mut list, key, &hex(value)?);
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Some(list)
}

#[cfg(test)]
mod tests;
