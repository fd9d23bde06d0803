//! Searches for raw records until `weir-query` has its own.

use weir_model::Clock;
use weir_query::{Cancel, QueryError, QueryLimits, RecordsPage, RecordsQuery};
use weir_store::Snapshot;

/// Refuses.
pub fn records(
    _: &Snapshot,
    _: &RecordsQuery,
    _: &QueryLimits,
    _: &Cancel,
    _: &dyn Clock,
) -> Result<RecordsPage, QueryError> {
    Err(QueryError::Field { field: "table", message: "raw records cannot be searched yet".into() })
}
