//! Lengths of time as people write them: `5ms`, `90s`, `1h30m`, `7d`.

/// Unit words with their nanoseconds, longest unit first.
const UNITS: [(&str, i64); 8] = [
    ("w", 604_800_000_000_000),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Nanoseconds of `text`; `None` when it is no length of time or does not fit. A fraction is
/// taken as far as a nanosecond.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let mut total = 0i64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        total = total.checked_add(scaled(number, nanos_of(unit)?)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

fn nanos_of(unit: &str) -> Option<i64> {
    let unit = match unit {
        "µs" | "μs" => "us",
        "min" => "m",
        unit => unit,
    };
    UNITS.iter().find(|(word, _)| *word == unit).map(|(_, nanos)| *nanos)
}

/// `number` (decimal, fraction allowed) times `factor`; `None` when it is not a whole number.
fn scaled(number: &str, factor: i64) -> Option<i64> {
    let value = crate::filter::number::decimal(number, u128::try_from(factor).ok()?)?;
    i64::try_from(value).ok()
}

/// The shortest text of so many nanoseconds, not negative.
pub(crate) fn format(nanos: i64) -> String {
    let mut text = String::new();
    let mut rest = nanos.max(0);
    for (word, unit) in UNITS.iter().skip(1) {
        if rest >= *unit {
            text.push_str(&format!("{}{word}", rest / unit));
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_written() {
        assert_eq!(parse("1h30m"), Some(5_400_000_000_000));
        assert_eq!(parse("1.5s"), Some(1_500_000_000));
        assert_eq!(parse("2w"), parse("14d"));
        for bad in ["", "5", "h", "1x", "1h-", "99999999999d", "0.1ns"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        for text in ["1h30m", "5ms", "14d", "1s1ns", "0s"] {
            assert_eq!(parse(text).map(format).as_deref(), Some(text));
        }
    }
}
