//! Raw rows as JSON, row by row or column by column, with the answer's rule that integers above
//! 2^53 are strings.

use weir_model::{ColumnDef, ColumnId, ColumnType, FlowBatch, Scalar, json};
use weir_query::RecordsPage;

/// Largest integer that every JSON reader keeps exactly.
const EXACT_MAX: u64 = 1 << 53;

/// The page as a JSON document: `records`, `next`, `stats`.
pub fn page(page: &RecordsPage) -> Vec<u8> {
    let mut out = b"{\"records\":[".to_vec();
    for row in 0..page.rows.rows() {
        if row > 0 {
            out.push(b',');
        }
        write_row(&page.rows, row, &page.columns, &mut out);
    }
    out.push(b']');
    end(page, &mut out);
    out
}

/// The page as a JSON document with an array a column: `columns`, `rows`, `next`, `stats`. The
/// values are those of [`page()`]; null stands where a row has none.
pub fn columns_page(page: &RecordsPage) -> Vec<u8> {
    let (table, rows) = (page.rows.table(), page.rows.rows());
    let mut out = b"{\"columns\":[".to_vec();
    for (i, def) in page.columns.iter().filter_map(|id| table.def(*id)).enumerate() {
        let comma = if i > 0 { "," } else { "" };
        let (name, ty, unit) = (def.name, def.ty.name(), def.unit.name());
        let head = format!("{comma}{{\"name\":\"{name}\",\"type\":\"{ty}\",\"unit\":\"{unit}\"");
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(b",\"values\":[");
        for row in 0..rows {
            if row > 0 {
                out.push(b',');
            }
            match page.rows.get(def.id, row) {
                None => out.extend_from_slice(b"null"),
                Some(value) => write_value(def, value, octets(&page.rows, value), &mut out),
            }
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(format!("],\"rows\":{rows}").as_bytes());
    end(page, &mut out);
    out
}

/// What both forms end with.
fn end(page: &RecordsPage, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"next\":");
    match &page.next {
        Some(cursor) => json::write_text(cursor, out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"stats\":");
    out.extend_from_slice(&serde_json::to_vec(&page.stats).unwrap_or_default());
    out.push(b'}');
}

fn octets(batch: &FlowBatch, value: Scalar) -> &[u8] {
    match value {
        Scalar::Code(code) => batch.interner().get(code),
        _ => &[],
    }
}

/// One row as a JSON object of the given columns; null ones are left out.
pub fn write_row(batch: &FlowBatch, row: usize, columns: &[ColumnId], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"kind\":\"");
    out.extend_from_slice(batch.table().kind().as_bytes());
    out.push(b'"');
    for &id in columns {
        let (Some(value), Some(def)) = (batch.get(id, row), batch.table().def(id)) else {
            continue;
        };
        out.extend_from_slice(b",\"");
        out.extend_from_slice(def.name.as_bytes());
        out.extend_from_slice(b"\":");
        write_value(def, value, octets(batch, value), out);
    }
    out.push(b'}');
}

fn write_value(def: &ColumnDef, value: Scalar, octets: &[u8], out: &mut Vec<u8>) {
    let is_text = matches!(value, Scalar::U64(n) if n > EXACT_MAX && def.ty != ColumnType::Mac);
    if is_text {
        out.push(b'"');
    }
    json::write_value(def, value, octets, out);
    if is_text {
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::{Table, columns::flows};

    #[test]
    fn integers_that_readers_would_round_are_text() {
        let mut batch = FlowBatch::new(Table::Flows);
        batch.append_rows(1);
        batch.set(flows::OCTETS, 0, u64::MAX);
        batch.set(flows::PACKETS, 0, 1u64 << 53);
        batch.set_octets(flows::SRC_POD, 0, b"a\"b");
        batch.seal();
        let mut line = Vec::new();
        write_row(&batch, 0, &[flows::SRC_POD, flows::PACKETS, flows::OCTETS], &mut line);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            r#"{"kind":"flow","src_pod":"a\"b","packets":9007199254740992,"octets":"18446744073709551615"}"#
        );
    }
}
