//! One JSON object a line; the keys are column names (see `weir_model::json`).

use std::io::{self, Write};

use weir_model::{FlowBatch, json};

use crate::format::RecordWriter;

/// Writes JSON lines, of all three tables.
pub struct Writer<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// A writer to `out`.
    pub fn new(out: W) -> Writer<W> {
        Writer { out, line: Vec::new() }
    }
}

impl<W: Write + Send> RecordWriter for Writer<W> {
    fn write(&mut self, batch: &FlowBatch) -> io::Result<()> {
        for row in 0..batch.rows() {
            self.line.clear();
            json::write_row(batch, row, &mut self.line);
            self.line.push(b'\n');
            self.out.write_all(&self.line)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
