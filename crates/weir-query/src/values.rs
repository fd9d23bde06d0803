//! Values to propose while a filter is typed: those that a recent range of the store has most.

use weir_model::{Clock, ColumnId, ColumnType, Table};
use weir_store::Snapshot;

use crate::answer::{Answer, AnswerValue};
use crate::engine::run;
use crate::filter::{Occurring, ValueSource};
use crate::limits::{Cancel, QueryLimits};
use crate::query::Query;

/// Groups looked at.
const GROUPS: usize = 1_000;

/// What is looked at when the whole range takes too long.
const LATEST: &str = "-1m";

/// Looks values up in a snapshot. A look-up that fails or passes a limit proposes nothing.
pub struct RecentValues<'a> {
    /// Where to look.
    pub snapshot: &'a Snapshot,
    /// How far back, as in `-15m`.
    pub from: &'a str,
    /// What the look-ups for one column may cost: two thirds of the time for the range, the rest
    /// for the last minute, should that not be enough.
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
        typed: &str,
        limit: usize,
    ) -> Vec<Occurring> {
        let Some(def) = table.def(column) else { return Vec::new() };
        // Lists are asked for by what they hold, which no group tells.
        if matches!(def.ty, ColumnType::Elements | ColumnType::U32List) || !def.stored {
            return Vec::new();
        }
        let is_text = def.ty == ColumnType::Str;
        let mut filter = format!("{} is not null", def.name);
        if is_text && !typed.is_empty() {
            let inside = crate::filter::glob_inside(typed);
            filter = format!("{} like {inside}", def.name);
        }
        let query = Query {
            table: table.name().to_owned(),
            from: self.from.to_owned(),
            filter,
            group_by: vec![def.name.to_owned()],
            measures: vec!["records".to_owned()],
            limit: Some(GROUPS),
            ..Query::default()
        };
        let share = self.limits.time / 3;
        let Some(answer) = self
            .ask(&query, share * 2)
            .or_else(|| self.ask(&Query { from: LATEST.to_owned(), ..query }, share))
        else {
            return Vec::new();
        };
        let mut columns = answer.columns.into_iter().map(|column| column.values);
        let (values, counts) = (columns.next(), columns.next());
        let values = values.unwrap_or_default().into_iter().zip(counts.unwrap_or_default());
        let found = values.filter_map(|(value, count)| {
            let records = match count {
                AnswerValue::U64(records) => records,
                _ => 0,
            };
            Some(Occurring { text: text(value)?, records })
        });
        let starts = |found: &Occurring| found.text.starts_with(typed);
        let (mut starting, inside): (Vec<_>, Vec<_>) = found.partition(starts);
        if is_text {
            starting.extend(inside);
        }
        starting.truncate(limit);
        starting
    }
}

impl RecentValues<'_> {
    fn ask(&self, query: &Query, time: std::time::Duration) -> Option<Answer> {
        let limits = QueryLimits { time, ..self.limits.clone() };
        run(self.snapshot, query, &limits, self.cancel, self.clock).ok()
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
