//! Records into CSV. All columns that the store keeps, so that files of different runs have the
//! same shape; null is an empty field.

use std::io::{self, Write};
use std::ops::Range;

use weir_model::{ColumnDef, ColumnType, FlowBatch, Scalar, Table, json};

use crate::format::RecordWriter;

/// Writes records of one table as CSV.
pub struct Writer<W> {
    out: W,
    table: Table,
    columns: Vec<&'static ColumnDef>,
    header: bool,
    line: Vec<u8>,
    value: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// A writer of every stored column of flow records.
    pub fn new(out: W) -> Writer<W> {
        let columns = Table::Flows.columns().iter().filter(|def| def.stored).collect();
        Writer::with_columns(out, Table::Flows, columns)
    }

    /// A writer of these columns of a table, in this order.
    pub fn with_columns(out: W, table: Table, columns: Vec<&'static ColumnDef>) -> Writer<W> {
        Writer { out, table, columns, header: false, line: Vec::new(), value: Vec::new() }
    }

    /// What it writes to.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    fn write_header(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.header, true) {
            let names: Vec<&str> = self.columns.iter().map(|def| def.name).collect();
            writeln!(self.out, "{}", names.join(","))?;
        }
        Ok(())
    }
}

impl<W: Write> Writer<W> {
    /// Writes some rows of a batch; the header before the first. Batches of other tables are
    /// ignored.
    pub fn write_rows(&mut self, batch: &FlowBatch, rows: Range<usize>) -> io::Result<()> {
        if batch.table() != self.table {
            return Ok(());
        }
        self.write_header()?;
        for row in rows {
            self.line.clear();
            for (i, def) in self.columns.iter().enumerate() {
                if i > 0 {
                    self.line.push(b',');
                }
                let Some(value) = batch.get(def.id, row) else { continue };
                let octets = batch.get_octets(def.id, row).unwrap_or_default();
                if def.ty == ColumnType::Str {
                    write_field(&String::from_utf8_lossy(octets), &mut self.line);
                    continue;
                }
                self.value.clear();
                json::write_value(def, value, octets, &mut self.value);
                match value {
                    // Text forms come quoted as JSON strings; lists hold commas.
                    Scalar::Code(_) => {
                        write_field(&String::from_utf8_lossy(unquote(&self.value)), &mut self.line);
                    }
                    _ => self.line.extend_from_slice(unquote(&self.value)),
                }
            }
            self.line.push(b'\n');
            self.out.write_all(&self.line)?;
        }
        Ok(())
    }
}

impl<W: Write + Send> RecordWriter for Writer<W> {
    fn write(&mut self, batch: &FlowBatch) -> io::Result<()> {
        self.write_rows(batch, 0..batch.rows())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write_header()?;
        self.out.flush()
    }
}

fn unquote(json: &[u8]) -> &[u8] {
    json.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(json)
}

/// True for text that a spreadsheet would take for a formula, and for such text behind
/// apostrophes: so that taking one away gives back what one was put before.
pub fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// Appends one field, quoted when it must be. A field that a spreadsheet would take for a formula
/// gets a leading apostrophe, which the reader takes away: names come from the network.
pub fn write_field(text: &str, line: &mut Vec<u8>) {
    let formula = is_formula(text);
    if !formula && !text.contains(['"', ',', '\n', '\r']) {
        line.extend_from_slice(text.as_bytes());
        return;
    }
    line.push(b'"');
    if formula {
        line.push(b'\'');
    }
    line.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::Addr;
    use weir_model::columns::flows;

    #[test]
    fn hostile_names_stay_one_field() {
        let mut batch = FlowBatch::new(Table::Flows);
        batch.append_rows(2);
        batch.set(flows::SRC_ADDR, 0, Addr::v4(0x0a00_0001));
        batch.set_octets(flows::SRC_POD, 0, b"a,\"b\"\nc");
        batch.set_octets(flows::SRC_POD, 1, b"=cmd()");
        batch.set_octets(flows::AS_PATH, 1, &[0, 0, 0, 1, 0, 0, 0, 2]);
        let columns = [flows::SRC_ADDR, flows::SRC_POD, flows::AS_PATH];
        let columns = columns.iter().filter_map(|id| Table::Flows.def(*id)).collect();
        let mut out = Vec::new();
        let mut writer = Writer::with_columns(&mut out, Table::Flows, columns);
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        drop(writer);
        let expected =
            "src_addr,src_pod,as_path\n10.0.0.1,\"a,\"\"b\"\"\nc\",\n,\"'=cmd()\",\"[1,2]\"\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn what_looks_like_a_formula_is_read_back_as_it_was() {
        let texts = ["=1+1", "+1", "-1", "@x", "\tx", "'=1", "''@x", "'plain", "plain"];
        let mut batch = FlowBatch::new(Table::Flows);
        batch.append_rows(texts.len());
        for (row, text) in texts.iter().enumerate() {
            batch.set_octets(flows::SRC_POD, row, text.as_bytes());
        }
        batch.seal();
        let columns = Table::Flows.def(flows::SRC_POD).into_iter().collect();
        let mut out = Vec::new();
        Writer::with_columns(&mut out, Table::Flows, columns).write(&batch).unwrap();
        let cells = String::from_utf8(out.clone()).unwrap();
        assert!(cells.lines().skip(1).all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t'])));
        let mut reader = super::super::Reader::new(out.as_slice()).unwrap();
        let read = reader.next_batch().unwrap().unwrap();
        let found = |row| read.get_octets(flows::SRC_POD, row).map(String::from_utf8_lossy);
        let found: Vec<_> = (0..read.rows()).filter_map(found).collect();
        assert_eq!(found, texts);
    }

    #[test]
    fn no_record_still_has_a_header() {
        let mut out = Vec::new();
        Writer::new(&mut out).finish().unwrap();
        assert!(out.starts_with(b"received_at,export_time,flow_start,"));
    }
}
