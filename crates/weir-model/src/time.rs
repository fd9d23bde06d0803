//! Points in time: nanoseconds since 1970-01-01 UTC, and their RFC 3339 text.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Nanoseconds since 1970-01-01 00:00:00 UTC, leap seconds not counted. Which clock it was read
/// from is told by the column it lies in (`received_at`, `export_time`, `flow_start` …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole seconds; saturates.
    pub const fn from_seconds(seconds: i64) -> Timestamp {
        Timestamp(seconds.saturating_mul(NANOS_PER_SECOND))
    }

    /// From milliseconds; saturates.
    pub const fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis.saturating_mul(1_000_000))
    }

    /// Whole seconds, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SECOND)
    }

    /// This time plus `by`; saturates.
    pub fn plus(self, by: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(nanos(by)))
    }

    /// This time minus `by`; saturates.
    pub fn minus(self, by: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(nanos(by)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Days since 1970-01-01 to (year, month, day) in the proleptic Gregorian calendar.
/// The civil-from-days method: years start in March, so that the leap day comes last.
const fn civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month as u32, day as u32)
}

/// The inverse of [`civil`].
const fn days(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month as i64 + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day as i64 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with 0, 3, 6 or 9 digits of fraction: as many as the value needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        let fraction = self.0.rem_euclid(NANOS_PER_SECOND);
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match fraction {
            0 => {}
            n if n % 1_000_000 == 0 => write!(f, ".{:03}", n / 1_000_000)?,
            n if n % 1_000 == 0 => write!(f, ".{:06}", n / 1_000)?,
            n => write!(f, ".{n:09}")?,
        }
        f.write_str("Z")
    }
}

/// Text that is no point in time. Carries the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time like 2026-11-20T03:12:00Z")]
pub struct TimestampError(pub String);

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads RFC 3339 (`T` or a blank; `Z` or an offset; any number of fraction digits), a date
    /// and time without zone as UTC, or a date alone.
    fn from_str(text: &str) -> Result<Timestamp, TimestampError> {
        parse(text).ok_or_else(|| TimestampError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let mut parts = date.split('-');
    let year: i64 = number(parts.next()?, 4)?;
    let month = u32::try_from(number(parts.next()?, 2)?).ok()?;
    let day = u32::try_from(number(parts.next()?, 2)?).ok()?;
    let date = days(year, month, day);
    if parts.next().is_some() || civil(date) != (year, month, day) {
        return None;
    }
    let midnight = date * 86_400;
    if rest.is_empty() {
        return Some(Timestamp::from_seconds(midnight));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = (rest.get(..8)?, rest.get(8..)?);
    let mut parts = clock.split(':');
    let hour = number(parts.next()?, 2)?;
    let minute = number(parts.next()?, 2)?;
    let second = number(parts.next()?, 2)?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            (fraction_nanos(rest.get(..digits)?)?, rest.get(digits..)?)
        }
        None => (0, rest),
    };
    let seconds = midnight + hour * 3_600 + minute * 60 + second - zone_seconds(zone)?;
    Some(Timestamp(seconds.checked_mul(NANOS_PER_SECOND)?.checked_add(fraction)?))
}

fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn fraction_nanos(digits: &str) -> Option<i64> {
    let kept = digits.get(..digits.len().min(9))?;
    let scale = 10i64.pow(u32::try_from(9 - kept.len()).ok()?);
    (!kept.is_empty()).then(|| kept.parse::<i64>().ok()).flatten().map(|n| n * scale)
}

fn zone_seconds(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z" | "z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
    Some(sign * (number(hours, 2)? * 3_600 + number(minutes, 2)? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_has_as_many_digits_as_the_value_needs() {
        let at = |nanos| Timestamp(1_700_000_000 * NANOS_PER_SECOND + nanos).to_string();
        assert_eq!(at(0), "2023-11-14T22:13:20Z");
        assert_eq!(at(7_000_000), "2023-11-14T22:13:20.007Z");
        assert_eq!(at(7_000), "2023-11-14T22:13:20.000007Z");
        assert_eq!(at(7), "2023-11-14T22:13:20.000000007Z");
    }

    #[test]
    fn zones_and_short_forms_are_read() {
        let utc: Timestamp = "2026-11-20T03:12:00Z".parse().unwrap();
        assert_eq!("2026-11-20T04:12:00+01:00".parse(), Ok(utc));
        assert_eq!("2026-11-20 03:12:00".parse(), Ok(utc));
        assert_eq!("2026-11-20".parse(), Ok(Timestamp(utc.0 - 11_520 * NANOS_PER_SECOND)));
        for bad in ["", "2026-13-01", "2026-02-30", "2026-11-20T25:00:00Z", "yesterday", "1"] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn parse_undoes_format(nanos in -4_000_000_000_000_000_000i64..9_000_000_000_000_000_000) {
            let time = Timestamp(nanos);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}
