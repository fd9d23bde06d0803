//! When a certificate ends: the one thing about it that operators must hear of in time.
//!
//! Reads as much of the DER (RFC 5280 §4.1) as leads there. What it cannot read has no end; whether
//! a certificate is valid is decided by rustls.

use weir_model::Timestamp;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `notAfter` of a certificate in DER.
pub(super) fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut fields, _) = element(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = skip(fields)?;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        fields = skip(fields)?;
    }
    let (validity, _) = element(fields, SEQUENCE)?;
    let end = skip(validity)?;
    let (digits, _) = element(end, *end.first()?)?;
    time(*end.first()?, digits)
}

/// The content of the element that `der` begins with, if it has this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, short], rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        // Limit: certificates of more than 4 octets of length are none that anybody has.
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (octets.iter().fold(0, |length, &octet| length << 8 | usize::from(octet)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn skip(der: &[u8]) -> Option<&[u8]> {
    element(der, *der.first()?).map(|(_, rest)| rest)
}

/// `YYMMDDHHMMSSZ` (until 2049) or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let digits = text.strip_suffix(b"Z")?;
    let two = |at: usize| -> Option<i64> {
        let pair = std::str::from_utf8(digits.get(at..at + 2)?).ok()?;
        pair.parse().ok().filter(|_| pair.bytes().all(|octet| octet.is_ascii_digit()))
    };
    let (year, at) = match (tag, digits.len()) {
        (UTC_TIME, 12) => (two(0)? + if two(0)? < 50 { 2_000 } else { 1_900 }, 2),
        (GENERALIZED_TIME, 14) => (two(0)? * 100 + two(2)?, 4),
        _ => return None,
    };
    let (month, day) = (two(at)?, two(at + 2)?);
    let seconds = two(at + 4)? * 3_600 + two(at + 6)? * 60 + two(at + 8)?;
    Some(Timestamp::from_seconds(days(year, month, day) * 86_400 + seconds))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have their leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_time_are_read() {
        let seconds =
            |tag, text: &str| time(tag, text.as_bytes()).map(|time| time.0 / 1_000_000_000);
        assert_eq!(seconds(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(seconds(UTC_TIME, "240229120000Z"), Some(1_709_208_000));
        assert_eq!(seconds(GENERALIZED_TIME, "20500301000001Z"), Some(2_529_705_601));
        assert_eq!(seconds(UTC_TIME, "2402291200Z"), None);
        assert_eq!(seconds(UTC_TIME, "24022912000xZ"), None);
    }

    #[test]
    fn octets_that_are_no_certificate_have_no_end() {
        for der in [&[][..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 2, 0x30, 0]] {
            assert_eq!(not_after(der), None);
        }
    }
}
