//! What groups are told apart by.

use weir_model::{ColumnDef, ColumnType, Table};

use crate::error::QueryError;
use crate::filter::suggest::nearest;

/// A column of `group_by`.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub def: &'static ColumnDef,
    /// Bits kept of an IPv4 and of an IPv6 address.
    pub prefix: Option<(u8, u8)>,
    /// As asked.
    pub name: String,
}

impl Key {
    /// Reads `column`, `column/v4` or `column/v4/v6`. A prefix for IPv4 alone keeps IPv6
    /// addresses whole.
    pub fn parse(text: &str, table: Table) -> Result<Key, QueryError> {
        let bad = |message: String| QueryError::field("group_by", message);
        let mut parts = text.split('/');
        let name = parts.next().unwrap_or_default().trim();
        let def = table.find(name).ok_or_else(|| {
            let names = table.columns().iter().map(|def| def.name);
            let hint = nearest(name, names).map(|name| format!("; did you mean `{name}`?"));
            let hint = hint.unwrap_or_default();
            bad(format!("`{name}` is not a column of {}{hint}", table.name()))
        })?;
        let lengths: Vec<&str> = parts.collect();
        if lengths.is_empty() {
            return Ok(Key { def, prefix: None, name: text.trim().to_owned() });
        }
        if def.ty != ColumnType::Addr {
            return Err(bad(format!("`{name}` is not an address and takes no prefix length")));
        }
        let read = |text: Option<&&str>, max: u8| match text {
            None => Some(max),
            Some(text) => text.trim().parse::<u8>().ok().filter(|bits| *bits <= max),
        };
        match (read(lengths.first(), 32), read(lengths.get(1), 128), lengths.len()) {
            (Some(v4), Some(v6), 1 | 2) => {
                Ok(Key { def, prefix: Some((v4, v6)), name: text.trim().to_owned() })
            }
            _ => Err(bad(format!("`{text}` is not like `{name}/24` or `{name}/24/48`"))),
        }
    }
}
