//! Flow records into Parquet: one row group a batch of at least [`GROUP_ROWS`] rows.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use weir_model::{ColumnDef, ColumnType, FlowBatch, Scalar, Table, json};

use super::{columns, schema};
use crate::format::RecordWriter;

/// Rows that are collected before a row group is written: readers work a group at a time.
const GROUP_ROWS: usize = 65_536;

/// Writes flow records as one Parquet file. Nothing can be read before `finish`.
pub struct Writer<W: Write + Send> {
    state: State<W>,
    pending: FlowBatch,
}

enum State<W: Write + Send> {
    New(Option<W>),
    Open(Box<SerializedFileWriter<W>>),
    Done,
}

impl<W: Write + Send> Writer<W> {
    /// A writer to `out`.
    pub fn new(out: W) -> Writer<W> {
        Writer { state: State::New(Some(out)), pending: FlowBatch::new(Table::Flows) }
    }

    fn file(&mut self) -> io::Result<&mut SerializedFileWriter<W>> {
        if let State::New(out) = &mut self.state {
            let out =
                out.take().ok_or_else(|| io::Error::other("the output could not be opened"))?;
            let level = ZstdLevel::try_new(1).map_err(io_error)?;
            let properties =
                WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
            let schema = schema().map_err(io_error)?;
            let file = SerializedFileWriter::new(out, schema, Arc::new(properties));
            self.state = State::Open(Box::new(file.map_err(io_error)?));
        }
        match &mut self.state {
            State::Open(file) => Ok(file),
            _ => Err(io::Error::other("the file is already finished")),
        }
    }

    fn write_group(&mut self) -> io::Result<()> {
        let mut batch = std::mem::replace(&mut self.pending, FlowBatch::new(Table::Flows));
        batch.seal();
        let file = self.file()?;
        let mut group = file.next_row_group().map_err(io_error)?;
        for def in columns() {
            let column = group.next_column().map_err(io_error)?;
            let column = column.ok_or_else(|| io::Error::other("schema and columns differ"))?;
            write_column(column, def, &batch).map_err(io_error)?;
        }
        group.close().map_err(io_error)?;
        batch.clear();
        self.pending = batch;
        Ok(())
    }
}

impl<W: Write + Send> RecordWriter for Writer<W> {
    fn write(&mut self, batch: &FlowBatch) -> io::Result<()> {
        if batch.table() != Table::Flows {
            return Ok(());
        }
        self.pending.append(batch);
        if self.pending.rows() >= GROUP_ROWS || self.pending.is_full() {
            self.write_group()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if !self.pending.is_empty() {
            self.write_group()?;
        }
        self.file()?;
        match std::mem::replace(&mut self.state, State::Done) {
            State::Open(mut file) => {
                file.finish().map_err(io_error)?;
                file.inner_mut().flush()
            }
            _ => Ok(()),
        }
    }
}

fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => io::Error::other(source),
        other => io::Error::other(other),
    }
}

fn write_column(
    mut column: SerializedColumnWriter<'_>,
    def: &ColumnDef,
    batch: &FlowBatch,
) -> Result<(), ParquetError> {
    match def.ty {
        ColumnType::U8 | ColumnType::U16 | ColumnType::U32 => {
            // The logical type says unsigned: the bits are kept, the sign is not.
            write_values(column.typed::<Int32Type>(), def, batch, |v, _| match v {
                Scalar::U64(v) => Some(v as u32 as i32),
                _ => None,
            })?;
        }
        ColumnType::U64 | ColumnType::Time => {
            write_values(column.typed::<Int64Type>(), def, batch, |v, _| match v {
                Scalar::U64(v) => Some(v as i64),
                Scalar::I64(v) => Some(v),
                _ => None,
            })?;
        }
        ColumnType::F64 => {
            write_values(column.typed::<DoubleType>(), def, batch, |v, _| match v {
                Scalar::F64(v) => Some(v),
                _ => None,
            })?;
        }
        ColumnType::Str | ColumnType::Bytes | ColumnType::Elements => {
            write_values(column.typed::<ByteArrayType>(), def, batch, |_, octets| {
                Some(ByteArray::from(octets.to_vec()))
            })?;
        }
        ColumnType::Addr | ColumnType::Mac | ColumnType::U32List => {
            let mut text = Vec::new();
            write_values(column.typed::<ByteArrayType>(), def, batch, |v, octets| {
                text.clear();
                json::write_value(def, v, octets, &mut text);
                let bare = text.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\""));
                Some(ByteArray::from(bare.unwrap_or(&text).to_vec()))
            })?;
        }
    }
    column.close()
}

fn write_values<T: DataType>(
    column: &mut ColumnWriterImpl<'_, T>,
    def: &ColumnDef,
    batch: &FlowBatch,
    mut convert: impl FnMut(Scalar, &[u8]) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let mut values = Vec::new();
    let mut levels = Vec::with_capacity(batch.rows());
    for row in 0..batch.rows() {
        let value = batch
            .get(def.id, row)
            .and_then(|value| convert(value, batch.get_octets(def.id, row).unwrap_or_default()));
        levels.push(i16::from(value.is_some()));
        values.extend(value);
    }
    column.write_batch(&values, Some(&levels), None).map(|_| ())
}
