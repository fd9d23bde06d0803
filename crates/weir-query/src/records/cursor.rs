//! Where a page ended, as text that the asker hands back.

use std::fmt;

use weir_model::{ColumnDef, ColumnId};

use super::line::Value;
use crate::error::QueryError;

/// The last row of a page: its value in the column that orders, its time, the hash of what it
/// holds, and how many rows equal in all three were given. Nothing of it names a segment, so it
/// means the same after segments were merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    pub time: i64,
    pub hash: u64,
    pub given: usize,
    /// Order by a column: which one, whether ascending, and the value, none for null. None in the
    /// order of time.
    pub by: Option<(ColumnId, bool, Option<Value>)>,
    /// Ascending in the order of time.
    pub oldest_first: bool,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{:x}.{:x}", self.time, self.hash, self.given)?;
        match &self.by {
            None if self.oldest_first => f.write_str(".a"),
            None => Ok(()),
            Some((id, ascending, value)) => {
                write!(f, ".{}{:x}.", if *ascending { 'a' } else { 'd' }, id.0)?;
                match value {
                    None => f.write_str("n"),
                    Some(Value::Number(number)) => write!(f, "u{number:x}"),
                    Some(Value::Octets(octets)) => {
                        f.write_str("s")?;
                        octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
                    }
                }
            }
        }
    }
}

impl Cursor {
    /// Reads what [`Cursor::fmt`] wrote for a page ordered by `by`; none is the order of time.
    pub fn parse(
        text: &str,
        by: Option<&ColumnDef>,
        ascending: bool,
    ) -> Result<Cursor, QueryError> {
        let bad = || QueryError::field("cursor", format!("`{text}` did not come from a page"));
        let mut parts = text.split('.');
        let mut hex = || parts.next().and_then(|part| u64::from_str_radix(part, 16).ok());
        let (Some(time), Some(hash), Some(given)) = (hex(), hex(), hex()) else {
            return Err(bad());
        };
        let (order, value, end) = (parts.next(), parts.next(), parts.next());
        let sign = if ascending { 'a' } else { 'd' };
        let wanted = match by {
            Some(def) => Some(format!("{sign}{:x}", def.id.0)),
            None => ascending.then(|| "a".to_owned()),
        };
        if end.is_some() || value.is_some() && order == Some("a") {
            return Err(bad());
        }
        if order != wanted.as_deref() {
            let message = format!("`{text}` came from a page in another order");
            return Err(QueryError::field("cursor", message));
        }
        let by = match (by, value) {
            (None, _) => None,
            (Some(def), Some(value)) => Some((def.id, ascending, parse(value).ok_or_else(bad)?)),
            (Some(_), None) => return Err(bad()),
        };
        let oldest_first = by.is_none() && ascending;
        let given = usize::try_from(given).unwrap_or(usize::MAX);
        Ok(Cursor { time: time as i64, hash, given, by, oldest_first })
    }
}

/// A value, none for null; `None` when it is not one.
fn parse(text: &str) -> Option<Option<Value>> {
    let rest = text.get(1..)?;
    match text.as_bytes().first()? {
        b'n' if rest.is_empty() => Some(None),
        b'u' => u64::from_str_radix(rest, 16).ok().map(|number| Some(Value::Number(number))),
        b's' if rest.is_ascii() && rest.len() % 2 == 0 => {
            let octets = (0..rest.len() / 2).map(|at| {
                rest.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())
            });
            octets.collect::<Option<Vec<u8>>>().map(|octets| Some(Value::Octets(octets)))
        }
        _ => None,
    }
}
