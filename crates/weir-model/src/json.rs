//! One row as one line of JSON. Names come from the column table, null columns are left out,
//! enumerations stay numbers, addresses, MACs and times are text, octets are hex.

use std::io::Write;

use hashbrown::HashMap;

use crate::addr::Mac;
use crate::batch::FlowBatch;
use crate::column::{ColumnDef, ColumnType};
use crate::elements;
use crate::time::Timestamp;
use crate::values::Scalar;

/// Appends row `row` of `batch` as a JSON object without a line end.
///
/// ```
/// use weir_model::{FlowBatch, Table, columns::flows, json};
/// let mut batch = FlowBatch::new(Table::Flows);
/// batch.append_rows(1);
/// batch.set(flows::SRC_PORT, 0, 443u16);
/// let mut line = Vec::new();
/// json::write_row(&batch, 0, &mut line);
/// assert_eq!(line, br#"{"kind":"flow","src_port":443}"#);
/// ```
pub fn write_row(batch: &FlowBatch, row: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"kind\":\"");
    out.extend_from_slice(batch.table().kind().as_bytes());
    out.push(b'"');
    for (id, column) in batch.columns() {
        let (Some(value), Some(def)) = (column.get(row), batch.table().def(id)) else { continue };
        out.extend_from_slice(b",\"");
        out.extend_from_slice(def.name.as_bytes());
        out.extend_from_slice(b"\":");
        let octets = match value {
            Scalar::Code(code) => batch.interner().get(code),
            _ => &[],
        };
        write_value(def, value, octets, out);
    }
    out.push(b'}');
}

/// Appends one value of column `def` as JSON. `octets` is what a `Code` names.
pub fn write_value(def: &ColumnDef, value: Scalar, octets: &[u8], out: &mut Vec<u8>) {
    match (def.ty, value) {
        (ColumnType::Mac, Scalar::U64(mac)) => put(out, format_args!("\"{}\"", Mac(mac))),
        (_, Scalar::U64(number)) => put(out, format_args!("{number}")),
        (_, Scalar::I64(time)) => put(out, format_args!("\"{}\"", Timestamp(time))),
        (_, Scalar::F64(number)) if number.is_finite() => put(out, format_args!("{number}")),
        (_, Scalar::F64(_)) => out.extend_from_slice(b"null"),
        (_, Scalar::Addr(addr)) => put(out, format_args!("\"{addr}\"")),
        (ColumnType::Str, Scalar::Code(_)) => write_text(&String::from_utf8_lossy(octets), out),
        (ColumnType::U32List, Scalar::Code(_)) => write_list(octets, out),
        (ColumnType::Elements, Scalar::Code(_)) => write_elements(octets, out),
        (_, Scalar::Code(_)) => write_hex(octets, out),
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector has no error to report.
    let _infallible = out.write_fmt(text);
}

/// Appends `text` as a JSON string (RFC 8259 §7).
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            c if u32::from(c) < 0x20 || c == '\u{7f}' => {
                put(out, format_args!("\\u{:04x}", u32::from(c)))
            }
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

fn write_hex(octets: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for octet in octets {
        out.push(DIGITS[usize::from(octet >> 4)]);
        out.push(DIGITS[usize::from(octet & 15)]);
    }
    out.push(b'"');
}

/// The numbers of a [`ColumnType::U32List`] value; octets past the last whole number are ignored.
pub fn u32_list(octets: &[u8]) -> impl Iterator<Item = u32> {
    octets.chunks_exact(4).map(|c| u32::from_be_bytes([c[0], c[1], c[2], c[3]]))
}

fn write_list(octets: &[u8], out: &mut Vec<u8>) {
    out.push(b'[');
    for (i, number) in u32_list(octets).enumerate() {
        put(out, format_args!("{}{number}", if i == 0 { "" } else { "," }));
    }
    out.push(b']');
}

/// Keys are the filter language's `ie(pen,id)`, with the occurrence (from 1) after the first.
fn write_elements(octets: &[u8], out: &mut Vec<u8>) {
    out.push(b'{');
    // A hostile record repeats elements by the thousand: counted, not searched for.
    let mut earlier = HashMap::new();
    for (i, element) in elements::iter(octets).enumerate() {
        let key = element.key;
        let count = earlier.entry(key).or_insert(0u32);
        let comma = if i == 0 { "" } else { "," };
        match *count {
            0 => put(out, format_args!("{comma}\"ie({},{})\":", key.pen, key.id)),
            n => put(out, format_args!("{comma}\"ie({},{},{n})\":", key.pen, key.id)),
        }
        *count += 1;
        write_hex(element.value, out);
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::{ElementKey, Table};
    use crate::columns::flows;
    use crate::{Addr, Timestamp};

    #[test]
    fn each_type_has_its_form() {
        let mut batch = FlowBatch::new(Table::Flows);
        batch.append_rows(1);
        batch.set(flows::FLOW_START, 0, Timestamp::from_millis(1_700_000_000_007).0);
        batch.set(flows::SRC_ADDR, 0, Addr::v4(0xc000_0201));
        batch.set(flows::SRC_MAC, 0, 0x0200_5e10_0001u64);
        batch.set(flows::OCTETS, 0, u64::MAX);
        batch.set_octets(flows::SRC_POD, 0, "a\"<\u{1}é".as_bytes());
        batch.set_octets(flows::AS_PATH, 0, &[0, 0, 0, 1, 0, 0, 2, 0]);
        let mut extra = Vec::new();
        let key = ElementKey { pen: 9, id: 12235 };
        elements::push(&mut extra, key, &[1, 0xab]);
        elements::push(&mut extra, key, &[]);
        batch.set_octets(flows::EXTRA, 0, &extra);
        let mut line = Vec::new();
        write_row(&batch, 0, &mut line);
        let text = String::from_utf8(line).unwrap();
        for part in [
            r#""flow_start":"2023-11-14T22:13:20.007Z""#,
            r#""src_addr":"192.0.2.1""#,
            r#""src_mac":"02:00:5e:10:00:01""#,
            r#""octets":18446744073709551615"#,
            "\"src_pod\":\"a\\\"<\\u0001é\"",
            r#""as_path":[1,512]"#,
            r#""extra":{"ie(9,12235)":"01ab","ie(9,12235,1)":""}"#,
        ] {
            assert!(text.contains(part), "{part} not in {text}");
        }
    }
}
