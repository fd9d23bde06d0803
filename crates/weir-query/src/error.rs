//! Why a query has no answer.

use std::time::Duration;

use crate::filter::FilterError;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A field of the query makes no sense.
    #[error("{field}: {message}")]
    Field {
        /// Name of the field in the query.
        field: &'static str,
        /// What is wrong, with the remedy where there is one.
        message: String,
    },
    /// The filter does not parse.
    #[error("filter: {0}")]
    Filter(#[from] FilterError),
    /// The asker stopped it.
    #[error("the query was cancelled")]
    Cancelled,
    /// It would have needed more memory than it may.
    #[error("{what} need more than the {limit} octets of memory that a query may use: {remedy}")]
    Memory {
        /// What grew.
        what: &'static str,
        /// [`crate::QueryLimits::memory`].
        limit: usize,
        /// What the asker can do.
        remedy: &'static str,
    },
    /// It took longer than it may.
    #[error("the query took longer than {limit:?}: narrow the time range or the filter")]
    Time {
        /// [`crate::QueryLimits::time`].
        limit: Duration,
    },
    /// The answer would be too long.
    #[error("the answer has more than {limit} rows: lower `limit` or widen `bucket`")]
    Rows {
        /// [`crate::QueryLimits::rows`].
        limit: usize,
    },
    /// A segment could not be read.
    #[error("segment {segment}, block {block} could not be read")]
    Read {
        /// Number of the segment.
        segment: u64,
        /// Block within it.
        block: usize,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The closed list of reasons, for metrics and status codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueryErrorKind {
    /// The asker's mistake.
    Invalid,
    /// The asker stopped it.
    Cancelled,
    /// A limit was reached.
    Limit,
    /// The store failed.
    Store,
}

impl QueryError {
    /// Which of the closed reasons it is.
    pub fn kind(&self) -> QueryErrorKind {
        match self {
            QueryError::Field { .. } | QueryError::Filter(_) => QueryErrorKind::Invalid,
            QueryError::Cancelled => QueryErrorKind::Cancelled,
            QueryError::Memory { .. } | QueryError::Time { .. } | QueryError::Rows { .. } => {
                QueryErrorKind::Limit
            }
            QueryError::Read { .. } => QueryErrorKind::Store,
        }
    }

    pub(crate) fn field(field: &'static str, message: impl Into<String>) -> QueryError {
        QueryError::Field { field, message: message.into() }
    }
}
