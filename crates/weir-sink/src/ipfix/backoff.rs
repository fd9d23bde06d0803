//! How long to wait before the next attempt: twice as long each time, up to a bound, with jitter
//! so that a thousand agents do not come back in the same second.

use std::time::Duration;

/// Grows with failures, shrinks with success. Randomness is the caller's.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new((first, max): (Duration, Duration)) -> Backoff {
        Backoff { first, max: max.max(first), next: first }
    }

    /// The pause after a failure: between half and all of what is due, by `random`.
    pub(crate) fn pause(&mut self, random: u32) -> Duration {
        let due = self.next;
        self.next = (due * 2).min(self.max);
        due / 2 + (due / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// It went well: the next pause is the shortest again.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_bound_and_begin_anew_after_success() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new((seconds(1), seconds(5)));
        let longest: Vec<_> = (0..5).map(|_| backoff.pause(u32::MAX)).collect();
        assert_eq!(longest, [1, 2, 4, 5, 5].map(seconds));
        backoff.reset();
        assert_eq!(backoff.pause(0), Duration::from_millis(500), "half of it at least");
        assert_eq!(backoff.pause(u32::MAX / 2).as_millis(), 1_500);
    }
}
