//! Numbers with the units of their column: `10MB`, `1.5KiB`, `5ms`, `0x1f`.

use weir_model::Unit;

/// Multipliers by their letters. Binary ones stand after the decimal ones.
const FACTORS: [(&str, u64); 12] = [
    ("", 1),
    ("k", 1_000),
    ("K", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
];

/// `text` (digits, one point at most) times `factor`; `None` when that is no whole number.
pub(crate) fn decimal(text: &str, factor: u128) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}");
    if whole.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || digits.len() > 30 {
        return None;
    }
    let value = digits.parse::<u128>().ok()?.checked_mul(factor)?;
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    (value % scale == 0).then_some(value / scale)
}

/// Reads a number of a column with this unit.
pub(crate) fn parse(text: &str, unit: Unit) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with('+'));
    }
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, suffix) = text.split_at_checked(split)?;
    u64::try_from(decimal(digits, factor(suffix, unit)?.into())?).ok()
}

fn factor(suffix: &str, unit: Unit) -> Option<u64> {
    let ends: &[&str] = match unit {
        Unit::Microseconds | Unit::Milliseconds if !suffix.is_empty() => {
            return time_factor(suffix, unit);
        }
        Unit::Octets => &["B"],
        Unit::BitsPerSecond => &["bit/s", "bps", "b/s"],
        Unit::OctetsPerSecond => &["B/s", "Bps"],
        _ => &[],
    };
    let letters = ends.iter().find_map(|end| suffix.strip_suffix(end)).unwrap_or(suffix);
    FACTORS.iter().find(|(word, _)| *word == letters).map(|(_, factor)| *factor)
}

/// Whole multiples of the column's unit only.
fn time_factor(suffix: &str, unit: Unit) -> Option<u64> {
    let nanos = crate::duration::parse(&format!("1{suffix}"))?;
    let base = if unit == Unit::Microseconds { 1_000 } else { 1_000_000 };
    (nanos % base == 0).then(|| u64::try_from(nanos / base).ok()).flatten()
}

/// The shortest text that [`parse`] reads back as `value`.
pub(crate) fn format(value: u64, unit: Unit) -> String {
    let end = match unit {
        Unit::None => return value.to_string(),
        Unit::Microseconds | Unit::Milliseconds => return format_time(value, unit),
        Unit::Octets => "B",
        Unit::BitsPerSecond => "bit/s",
        Unit::OctetsPerSecond => "B/s",
        Unit::Packets | Unit::Flows => "",
    };
    let fits = |factor: u64| value >= factor && value.is_multiple_of(factor);
    let exact =
        |rows: &[(&'static str, u64)]| rows.iter().rev().find(|(_, factor)| fits(*factor)).copied();
    let decimal = FACTORS.get(..7).and_then(exact).filter(|(_, factor)| *factor > 1);
    match decimal.or_else(|| FACTORS.get(7..).and_then(exact)) {
        Some(("K", factor)) => format!("{}k{end}", value / factor),
        Some((word, factor)) => format!("{}{word}{end}", value / factor),
        None => value.to_string(),
    }
}

fn format_time(value: u64, unit: Unit) -> String {
    let per_ms = if unit == Unit::Microseconds { 1_000 } else { 1 };
    match value {
        0 => "0".into(),
        v if v % (1_000 * per_ms) == 0 => format!("{}s", v / (1_000 * per_ms)),
        v if v % per_ms == 0 => format!("{}ms", v / per_ms),
        v => format!("{v}us"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_multiply() {
        assert_eq!(parse("10MB", Unit::Octets), Some(10_000_000));
        assert_eq!(parse("1.5KiB", Unit::Octets), Some(1_536));
        assert_eq!(parse("2G", Unit::Packets), Some(2_000_000_000));
        assert_eq!(parse("10Mbit/s", Unit::BitsPerSecond), Some(10_000_000));
        assert_eq!(parse("5ms", Unit::Microseconds), Some(5_000));
        assert_eq!(parse("250", Unit::Microseconds), Some(250));
        assert_eq!(parse("0x1F", Unit::None), Some(31));
        for bad in ["", "B", "1.5", "10MiX", "-1", "1e3", "99999999999999999999", "5ms"] {
            assert_eq!(parse(bad, Unit::Octets), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn parse_undoes_format(value: u64, round in 0u32..6, which in 0usize..8) {
            let units = [
                Unit::None, Unit::Octets, Unit::Packets, Unit::Flows, Unit::Microseconds,
                Unit::Milliseconds, Unit::BitsPerSecond, Unit::OctetsPerSecond,
            ];
            let unit = units[which];
            for value in [value, (value % 5_000).saturating_mul(1_000u64.pow(round)), value << (round * 10)] {
                prop_assert_eq!(parse(&format(value, unit), unit), Some(value));
            }
        }
    }
}
