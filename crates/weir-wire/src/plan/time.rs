//! The time encodings of RFC 7011 §6.1.7–10 and of NetFlow, all to nanoseconds since 1970.

/// How a field tells time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Seconds,
    Millis,
    /// 64-bit NTP format, of which RFC 7011 uses microseconds.
    NtpMicros,
    /// 64-bit NTP format.
    NtpNanos,
    /// Milliseconds since the exporter booted.
    Uptime,
    /// Microseconds before the export time.
    MicrosAgo,
}

impl Form {
    /// True when the time depends on what the message or its exporter tells.
    pub(crate) fn is_relative(self) -> bool {
        matches!(self, Form::Uptime | Form::MicrosAgo)
    }
}

/// Seconds from 1900 (NTP) to 1970.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// What relative times are relative to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Base {
    /// Export time in nanoseconds.
    pub(crate) export: i64,
    /// The uptime, in milliseconds, that goes with it.
    pub(crate) uptime: Option<u32>,
    /// When the exporter booted, in nanoseconds.
    pub(crate) boot: Option<i64>,
}

/// The time that `value` tells; `None` where it is relative to what nobody told.
#[inline]
pub(crate) fn nanos(form: Form, value: u64, base: &Base) -> Option<i64> {
    Some(match form {
        Form::Seconds => scale(value, 1_000_000_000),
        Form::Millis => scale(value, 1_000_000),
        Form::NtpMicros => ntp(value, 1_000_000, 1_000),
        Form::NtpNanos => ntp(value, 1_000_000_000, 1),
        Form::Uptime => return Some(base.uptimes()?.nanos(value as u32)),
        Form::MicrosAgo => base.export.saturating_sub(scale(value, 1_000)),
    })
}

#[inline]
pub(crate) fn scale(value: u64, by: i64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX).saturating_mul(by)
}

/// Deviation: a number below 1970 in NTP terms is a plain count of the unit since 1970, which
/// some exporters send; 0 stays 0 that way.
#[inline]
fn ntp(value: u64, units: u64, nanos_per_unit: i64) -> i64 {
    let seconds = value >> 32;
    if seconds < NTP_TO_UNIX {
        return scale(value, nanos_per_unit);
    }
    let fraction = ((value & 0xffff_ffff) * units + (1 << 31)) >> 32;
    scale(seconds - NTP_TO_UNIX, 1_000_000_000) + scale(fraction, nanos_per_unit)
}

/// How far past the header's an uptime may be: some exporters write the header first. Past it, the
/// flow began before the uptime wrapped.
const UPTIME_AHEAD_MS: u32 = 3_600_000;

/// What the uptimes of a message count from: `at` is when the exporter had been up for `oldest`,
/// and the other uptimes are told by how far they are past that, modulo 2³² (49.7 days).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uptimes {
    oldest: u32,
    at: i64,
}

impl Uptimes {
    /// The time of an uptime.
    #[inline]
    pub(crate) fn nanos(self, uptime: u32) -> i64 {
        let later = i64::from(uptime.wrapping_sub(self.oldest));
        self.at.saturating_add(later * 1_000_000)
    }
}

impl Base {
    /// `None` where nobody told what uptimes are relative to.
    pub(crate) fn uptimes(&self) -> Option<Uptimes> {
        match (self.uptime, self.boot) {
            (Some(now), _) => {
                let ahead = UPTIME_AHEAD_MS + 1;
                let ago = (1i64 << 32) - i64::from(ahead);
                let at = self.export.saturating_sub(ago * 1_000_000);
                Some(Uptimes { oldest: now.wrapping_add(ahead), at })
            }
            (None, Some(boot)) => Some(Uptimes { oldest: 0, at: boot }),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Base = Base { export: 1_700_000_000_000_000_000, uptime: Some(5_000), boot: None };

    #[test]
    fn ntp_format_keeps_its_unit() {
        // 2023-11-14T22:13:20.5 is NTP second 3908988800.
        let half = (3_908_988_800u64 << 32) | 0x8000_0000;
        assert_eq!(nanos(Form::NtpNanos, half, &BASE), Some(1_700_000_000_500_000_000));
        assert_eq!(nanos(Form::NtpMicros, half, &BASE), Some(1_700_000_000_500_000_000));
        let third = (3_908_988_800u64 << 32) | (0x1_0000_0000 / 3);
        assert_eq!(nanos(Form::NtpMicros, third, &BASE), Some(1_700_000_000_333_333_000));
    }

    #[test]
    fn plain_counts_in_ntp_fields_are_told_apart() {
        let nanoseconds = 1_700_000_000_123_456_789;
        assert_eq!(nanos(Form::NtpNanos, nanoseconds, &BASE), Some(nanoseconds as i64));
        assert_eq!(nanos(Form::NtpMicros, 0, &BASE), Some(0));
    }

    #[test]
    fn uptime_wraps() {
        let export = BASE.export;
        assert_eq!(nanos(Form::Uptime, 4_000, &BASE), Some(export - 1_000_000_000));
        let before_wrap = u64::from(u32::MAX - 999);
        assert_eq!(nanos(Form::Uptime, before_wrap, &BASE), Some(export - 6_000_000_000));
        let month = 30 * 86_400_000;
        let up_for_long = Base { uptime: Some(month + 1_000), ..BASE };
        let (old, new) = (1_000, u64::from(month) + 2_000);
        let month_ago = export - i64::from(month) * 1_000_000;
        assert_eq!(nanos(Form::Uptime, old, &up_for_long), Some(month_ago));
        assert_eq!(nanos(Form::Uptime, new, &up_for_long), Some(export + 1_000_000_000));
        let boot_only = Base { uptime: None, boot: Some(7), ..BASE };
        assert_eq!(nanos(Form::Uptime, 1, &boot_only), Some(1_000_007));
        assert_eq!(nanos(Form::Uptime, 1, &Base { boot: None, ..boot_only }), None);
    }
}
