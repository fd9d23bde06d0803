//! Parquet back into flow records: files of [`super::Writer`], and any file whose columns have
//! Weir's names and types. Columns with other names are ignored and named.

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use weir_model::batch::ROWS_MAX;
use weir_model::column::Physical;
use weir_model::values::Scalar;
use weir_model::{Addr, ColumnDef, ColumnType, FlowBatch, Mac, Table};

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is damaged or of an unknown kind.
    #[error("not a readable Parquet file")]
    Parquet(#[from] ParquetError),
    /// No column has a name that Weir knows.
    #[error("no column of the file has a name that Weir knows; `weir export` writes such files")]
    NoColumns,
    /// A column has Weir's name and another type.
    #[error("column `{name}` is {found}, which does not fit its type {wanted}")]
    Type {
        /// The column.
        name: &'static str,
        /// The file's physical type.
        found: String,
        /// The column's type.
        wanted: &'static str,
    },
    /// A text value is no address, MAC or list.
    #[error("column `{name}`, row {row} of group {group}: `{value}` is not of type {wanted}")]
    Value {
        /// The column.
        name: &'static str,
        /// Row group, from 0.
        group: usize,
        /// Row within the group, from 0.
        row: usize,
        /// The text.
        value: String,
        /// The column's type.
        wanted: &'static str,
    },
}

/// Reads flow records, at most 65,536 a batch.
pub struct Reader<R: ChunkReader + 'static> {
    file: SerializedFileReader<R>,
    columns: Vec<(usize, &'static ColumnDef)>,
    ignored: Vec<String>,
    group: usize,
    row: usize,
}

impl<R: ChunkReader + 'static> Reader<R> {
    /// Opens a file and matches its columns by name.
    pub fn new(source: R) -> Result<Reader<R>, ReadError> {
        let file = SerializedFileReader::new(source)?;
        let (mut columns, mut ignored) = (Vec::new(), Vec::new());
        for (i, column) in
            file.metadata().file_metadata().schema_descr().columns().iter().enumerate()
        {
            match Table::Flows.find(column.name()) {
                Some(def) => columns.push((i, def)),
                None => ignored.push(column.path().string()),
            }
        }
        if columns.is_empty() {
            return Err(ReadError::NoColumns);
        }
        Ok(Reader { file, columns, ignored, group: 0, row: 0 })
    }

    /// Columns of the file that Weir has no name for.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Rows of the whole file.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.file.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// The next rows, sealed; `None` after the last.
    pub fn next_batch(&mut self) -> Result<Option<FlowBatch>, ReadError> {
        while self.group < self.file.num_row_groups() {
            let total = self.file.metadata().row_group(self.group).num_rows();
            let total = usize::try_from(total).unwrap_or(0);
            if self.row >= total {
                self.group += 1;
                self.row = 0;
                continue;
            }
            let rows = (total - self.row).min(ROWS_MAX);
            let mut batch = FlowBatch::new(Table::Flows);
            batch.append_rows(rows);
            let group = self.file.get_row_group(self.group)?;
            for &(i, def) in &self.columns {
                let slice = Slice { group: self.group, skip: self.row, rows };
                slice.read(group.get_column_reader(i)?, def, &mut batch)?;
            }
            self.row += rows;
            batch.seal();
            return Ok(Some(batch));
        }
        Ok(None)
    }
}

/// The rows of a group that one batch takes.
struct Slice {
    group: usize,
    skip: usize,
    rows: usize,
}

impl Slice {
    fn read(
        &self,
        column: ColumnReader,
        def: &'static ColumnDef,
        batch: &mut FlowBatch,
    ) -> Result<(), ReadError> {
        match (column, def.ty.physical(), def.ty) {
            (
                ColumnReader::Int32ColumnReader(c),
                Physical::U8 | Physical::U16 | Physical::U32,
                _,
            ) => self.scalars(c, def, batch, |v| Scalar::U64((v as u32).into())),
            (ColumnReader::Int64ColumnReader(c), Physical::I64, _) => {
                self.scalars(c, def, batch, Scalar::I64)
            }
            (ColumnReader::Int64ColumnReader(c), Physical::U64 | Physical::U32, _) => {
                self.scalars(c, def, batch, |v| Scalar::U64(v as u64))
            }
            (ColumnReader::DoubleColumnReader(c), Physical::F64, _) => {
                self.scalars(c, def, batch, Scalar::F64)
            }
            (
                ColumnReader::ByteArrayColumnReader(c),
                Physical::Code,
                ColumnType::Str | ColumnType::Bytes | ColumnType::Elements,
            ) => self.values(c, |row, value: ByteArray| {
                batch.set_octets(def.id, row, value.data());
                Ok(())
            }),
            (
                ColumnReader::ByteArrayColumnReader(c),
                _,
                ColumnType::Addr | ColumnType::Mac | ColumnType::U32List,
            ) => self.values(c, |row, value: ByteArray| {
                let text = String::from_utf8_lossy(value.data());
                set_text(batch, def, row, &text).ok_or_else(|| ReadError::Value {
                    name: def.name,
                    group: self.group,
                    row: self.skip + row,
                    value: text.chars().take(64).collect(),
                    wanted: def.ty.name(),
                })
            }),
            (other, ..) => Err(ReadError::Type {
                name: def.name,
                found: kind(&other).to_owned(),
                wanted: def.ty.name(),
            }),
        }
    }

    fn scalars<T: DataType>(
        &self,
        column: ColumnReaderImpl<T>,
        def: &ColumnDef,
        batch: &mut FlowBatch,
        widen: impl Fn(T::T) -> Scalar,
    ) -> Result<(), ReadError> {
        self.values(column, |row, value| {
            batch.set_scalar(def.id, row, widen(value));
            Ok(())
        })
    }

    /// Calls `set` for each row of the slice that has a value.
    fn values<T: DataType>(
        &self,
        mut column: ColumnReaderImpl<T>,
        mut set: impl FnMut(usize, T::T) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        if self.skip > 0 {
            column.skip_records(self.skip)?;
        }
        let (mut row, mut levels, mut values) = (0, Vec::new(), Vec::new());
        while row < self.rows {
            levels.clear();
            values.clear();
            let (records, ..) =
                column.read_records(self.rows - row, Some(&mut levels), None, &mut values)?;
            if records == 0 {
                break;
            }
            let mut found = values.drain(..);
            for i in 0..records {
                // A required column has no levels: every row has a value.
                if levels.get(i).is_none_or(|&level| level > 0)
                    && let Some(value) = found.next()
                {
                    set(row + i, value)?;
                }
            }
            row += records;
        }
        Ok(())
    }
}

fn set_text(batch: &mut FlowBatch, def: &ColumnDef, row: usize, text: &str) -> Option<()> {
    match def.ty {
        ColumnType::Addr => batch.set(def.id, row, text.parse::<Addr>().ok()?),
        ColumnType::Mac => batch.set(def.id, row, text.parse::<Mac>().ok()?.0),
        _ => {
            let mut octets = Vec::new();
            let inner = text.strip_prefix('[')?.strip_suffix(']')?;
            for number in inner.split(',').map(str::trim).filter(|n| !n.is_empty()) {
                octets.extend_from_slice(&number.parse::<u32>().ok()?.to_be_bytes());
            }
            batch.set_octets(def.id, row, &octets);
        }
    }
    Some(())
}

fn kind(reader: &ColumnReader) -> &'static str {
    match reader {
        ColumnReader::BoolColumnReader(_) => "BOOLEAN",
        ColumnReader::Int32ColumnReader(_) => "INT32",
        ColumnReader::Int64ColumnReader(_) => "INT64",
        ColumnReader::Int96ColumnReader(_) => "INT96",
        ColumnReader::FloatColumnReader(_) => "FLOAT",
        ColumnReader::DoubleColumnReader(_) => "DOUBLE",
        ColumnReader::ByteArrayColumnReader(_) => "BYTE_ARRAY",
        ColumnReader::FixedLenByteArrayColumnReader(_) => "FIXED_LEN_BYTE_ARRAY",
    }
}
