//! What a query is answered with.

use serde::{Serialize, Serializer};
use weir_model::{Addr, Mac, Timestamp};

/// Largest integer that every JSON reader keeps exactly (2^53).
const EXACT_MAX: u64 = 1 << 53;

/// The answer to a [`crate::Query`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// Bucket (if asked for), group columns, measures, in that order; all of one length. Groups
    /// come by rank; the buckets of a group by time, those without rows left out.
    pub columns: Vec<AnswerColumn>,
    /// The same columns without the group columns, over the rows of the groups that `limit` cut
    /// off: one row, or one a bucket. Empty when nothing was cut off.
    pub other: Vec<AnswerColumn>,
    /// The same columns over all rows: one row, or one a bucket.
    pub total: Vec<AnswerColumn>,
    /// How it was answered.
    pub stats: Stats,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerColumn {
    /// `time`, the group-by text, or the measure's text; `previous.` in front for the compared
    /// period, `reverse.` for the other direction.
    pub name: String,
    /// Type word of the column table, `f64` for averages and rates.
    #[serde(rename = "type")]
    pub ty: &'static str,
    /// Unit word; empty for a plain number.
    pub unit: &'static str,
    /// One value a row.
    pub values: Vec<AnswerValue>,
}

/// One value of an answer.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant is the kind it names")]
pub enum AnswerValue {
    Null,
    U64(u64),
    F64(f64),
    Time(Timestamp),
    Addr(Addr),
    Mac(Mac),
    Text(String),
    /// Octets and lists, as lower-case hex.
    Hex(String),
}

impl Serialize for AnswerValue {
    /// Integers above 2^53 become strings; addresses, MACs and times text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            AnswerValue::Null => serializer.serialize_none(),
            AnswerValue::U64(n) if *n > EXACT_MAX => serializer.collect_str(n),
            AnswerValue::U64(n) => serializer.serialize_u64(*n),
            AnswerValue::F64(n) => serializer.serialize_f64(*n),
            AnswerValue::Time(time) => serializer.collect_str(time),
            AnswerValue::Addr(addr) => serializer.collect_str(addr),
            AnswerValue::Mac(mac) => serializer.collect_str(mac),
            AnswerValue::Text(text) | AnswerValue::Hex(text) => serializer.serialize_str(text),
        }
    }
}

/// How a query was answered.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Stats {
    /// `raw`, a rollup's name, or several joined by `+`, coarsest first.
    pub tier: String,
    /// Start of the range, resolved (RFC 3339).
    pub from: String,
    /// End of the range, resolved.
    pub to: String,
    /// Segments in the range.
    pub segments: u64,
    /// Blocks read.
    pub blocks: u64,
    /// Blocks that zone maps, dictionaries or bloom filters ruled out.
    pub blocks_pruned: u64,
    /// Rows in the blocks read.
    pub rows: u64,
    /// Rows that the filter kept.
    pub rows_matched: u64,
    /// Matched rows whose sampling rate is unknown; they were counted as unsampled. Only raw
    /// rows tell.
    pub rows_rate_unknown: u64,
    /// Blocks that are damaged and were left out; the notes name their files.
    pub blocks_damaged: u64,
    /// What the asker must know of the answer: that retention dropped what was asked about, that
    /// the range was widened to what is kept, that a file is damaged. Empty when all is well.
    pub notes: Vec<String>,
    /// Milliseconds it took.
    pub ms: f64,
}
