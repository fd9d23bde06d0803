//! Times in filters and in the range of a query: RFC 3339, `now`, `-1h`, `+5m`.

use weir_model::Timestamp;

use super::ast::Value;
use crate::duration;

/// Reads a time; one that hangs on "now" stays relative.
pub(crate) fn parse(text: &str) -> Option<Value> {
    if text.eq_ignore_ascii_case("now") {
        return Some(Value::Ago(0));
    }
    if let Some(back) = text.strip_prefix('-') {
        return duration::parse(back).map(Value::Ago);
    }
    if let Some(ahead) = text.strip_prefix('+') {
        return duration::parse(ahead).map(|nanos| Value::Ago(-nanos));
    }
    text.parse::<Timestamp>().ok().map(Value::Time)
}

/// Writes a relative time so that [`parse`] reads it back.
pub(crate) fn format_ago(nanos: i64) -> String {
    match nanos {
        0 => "now".into(),
        nanos if nanos < 0 => format!("+{}", duration::format(nanos.saturating_neg())),
        nanos => format!("-{}", duration::format(nanos)),
    }
}

/// The point in time that `text` means when it is `now`.
pub(crate) fn resolve(text: &str, now: Timestamp) -> Option<Timestamp> {
    match parse(text)? {
        Value::Time(time) => Some(time),
        Value::Ago(nanos) => Some(Timestamp(now.0.saturating_sub(nanos))),
        _ => None,
    }
}
