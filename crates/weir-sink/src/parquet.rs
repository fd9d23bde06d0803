//! Apache Parquet, out and in: how other tools read what Weir keeps. The only module that knows
//! the format; it uses the column writer, without Arrow.
//!
//! Every stored column is an optional column with the column's number plus one as field id.
//! Unsigned numbers keep their width as logical type, times are UTC nanoseconds, addresses, MACs
//! and lists are text (what DuckDB, pandas and Spark can use without a plug-in), octets and
//! element lists are binary.

mod read;
mod write;

pub use read::{ReadError, Reader};
pub use write::Writer;

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Storage};
use parquet::errors::ParquetError;
use parquet::schema::types::{Type, TypePtr};
use weir_model::{ColumnDef, ColumnType, Table};

/// Stored columns of flow records, in the order of the file.
fn columns() -> impl Iterator<Item = &'static ColumnDef> {
    Table::Flows.columns().iter().filter(|def| def.stored)
}

fn storage(def: &ColumnDef) -> (Storage, Option<LogicalType>) {
    let uint = |bit_width| Some(LogicalType::integer(bit_width, false));
    match def.ty {
        ColumnType::U8 => (Storage::INT32, uint(8)),
        ColumnType::U16 => (Storage::INT32, uint(16)),
        ColumnType::U32 => (Storage::INT32, uint(32)),
        ColumnType::U64 => (Storage::INT64, uint(64)),
        ColumnType::F64 => (Storage::DOUBLE, None),
        ColumnType::Time => (Storage::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS))),
        ColumnType::Addr | ColumnType::Mac | ColumnType::Str | ColumnType::U32List => {
            (Storage::BYTE_ARRAY, Some(LogicalType::String))
        }
        ColumnType::Bytes | ColumnType::Elements => (Storage::BYTE_ARRAY, None),
    }
}

fn schema() -> Result<TypePtr, ParquetError> {
    let field = |def: &ColumnDef| {
        let (storage, logical) = storage(def);
        Type::primitive_type_builder(def.name, storage)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .with_id(Some(i32::from(def.id.0) + 1))
            .build()
            .map(Arc::new)
    };
    let fields = columns().map(field).collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder("weir_flows").with_fields(fields).build().map(Arc::new)
}

#[cfg(test)]
mod tests;
