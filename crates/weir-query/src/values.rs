//! Values to propose while a filter is typed: those that a recent range of the store has most.

use weir_model::{Clock, ColumnId, ColumnType, Table};
use weir_store::Snapshot;

use crate::answer::AnswerValue;
use crate::engine::run;
use crate::filter::ValueSource;
use crate::limits::{Cancel, QueryLimits};
use crate::query::Query;

/// Groups looked at for columns whose prefix cannot be filtered by.
const GROUPS: usize = 1_000;

/// Looks values up in a snapshot. A look-up that fails or passes a limit proposes nothing.
pub struct RecentValues<'a> {
    /// Where to look.
    pub snapshot: &'a Snapshot,
    /// How far back, as in `-15m`.
    pub from: &'a str,
    /// What a look-up may cost.
    pub limits: &'a QueryLimits,
    /// Stops look-ups.
    pub cancel: &'a Cancel,
    /// What "now" is.
    pub clock: &'a dyn Clock,
}

impl ValueSource for RecentValues<'_> {
    fn top_values(
        &self,
        table: Table,
        column: ColumnId,
        prefix: &str,
        limit: usize,
    ) -> Vec<String> {
        let Some(def) = table.def(column).filter(|def| def.ty != ColumnType::Elements) else {
            return Vec::new();
        };
        let is_text = def.ty == ColumnType::Str;
        let filter = match is_text && !prefix.is_empty() {
            true => format!("{} like {}", def.name, crate::filter::glob_prefix(prefix)),
            false => format!("{} is not null", def.name),
        };
        let query = Query {
            table: table.name().to_owned(),
            from: self.from.to_owned(),
            filter,
            group_by: vec![def.name.to_owned()],
            measures: vec!["records".to_owned()],
            limit: Some(if is_text { limit } else { GROUPS }),
            ..Query::default()
        };
        let Ok(answer) = run(self.snapshot, &query, self.limits, self.cancel, self.clock) else {
            return Vec::new();
        };
        let values = answer.columns.into_iter().next().map(|column| column.values);
        let texts = values.unwrap_or_default().into_iter().filter_map(text);
        texts.filter(|text| text.starts_with(prefix)).take(limit).collect()
    }
}

/// A value as plain text; none for null.
fn text(value: AnswerValue) -> Option<String> {
    Some(match value {
        AnswerValue::Null => return None,
        AnswerValue::U64(n) => n.to_string(),
        AnswerValue::F64(n) => n.to_string(),
        AnswerValue::Time(time) => time.to_string(),
        AnswerValue::Addr(addr) => addr.to_string(),
        AnswerValue::Mac(mac) => mac.to_string(),
        AnswerValue::Text(text) => text,
        AnswerValue::Hex(hex) => format!("0x{hex}"),
    })
}
