//! Rates from deltas: what a record counts is spread over the time that it tells of.
//!
//! That time begins with the flow's last record (or with the flow) and ends when the record was
//! told (of a flow that is over: with its last packet). The rate stands until the next record is
//! due and is 0 from then on. A record of 60 s thus gives its mean over 60 s, one of 1 s that second's.

use std::time::Duration;

use weir_model::Timestamp;

/// Shortest time that octets are spread over: what is shown is per second.
const SHORTEST: Duration = Duration::from_secs(1);
/// The same for sampled packets, of which one in a thousand or fewer is told.
const SHORTEST_SAMPLED: Duration = Duration::from_secs(10);
/// How often Weir tells of a flow that goes on, as long as nobody has changed it.
const ACTIVE_TIMEOUT: Duration = Duration::from_secs(60);
/// How late a record may be before its flow counts as silent.
const LATE: Duration = Duration::from_millis(1_500);
/// How long a flow that is over is shown, and counted at most.
pub const LINGER: Duration = Duration::from_secs(5);

/// How often records come of a flow that is not silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Whenever the local meter has looked, which it does this often.
    Looks(Duration),
    /// As exporters please.
    Unknown,
}

/// What becomes of the flow after a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It goes on.
    GoesOn,
    /// It is over.
    Over,
    /// The record does not say.
    Unknown,
    /// The record is of one packet.
    Sample,
}

/// The part of a record that rates are made of.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// When it was told.
    pub at: Timestamp,
    /// First packet of the flow.
    pub start: Option<Timestamp>,
    /// Last packet of the flow.
    pub end: Option<Timestamp>,
    /// Octets since the last record.
    pub octets: [u64; 2],
    /// The flow has octets that this record does not tell of: there were records before.
    pub is_later: bool,
    /// Whether there will be another.
    pub after: After,
}

/// The rate of one flow, source to destination and back.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rate {
    /// Where the time begins that the next record tells of.
    since: Option<Timestamp>,
    /// Octets that wait for the time to be long enough.
    waiting: [u64; 2],
    octets_per_second: [f64; 2],
    /// What is shown is made of what waits.
    is_first: bool,
    /// A record has told how far apart records are.
    has_interval: bool,
    interval: Duration,
    until: Duration,
}

impl Rate {
    /// Takes a record in at `now`, on a clock that does not step.
    pub fn take(&mut self, told: &Told, pace: Pace, now: Duration) {
        let shortest = match told.after {
            After::Sample => SHORTEST_SAMPLED,
            _ => SHORTEST,
        };
        let begun = match (self.since, told.start) {
            // Why: an entry of a router's cache that began after the last record is its own.
            (Some(since), Some(start)) => Some(since.max(start)),
            (since, start) => since.or(start),
        };
        let end = match (told.after, told.end) {
            (After::Over, Some(end)) => end.min(told.at),
            _ => told.at,
        };
        let mut length = begun.map_or(Duration::ZERO, |begun| end.since(begun));
        // Why: A flow that speaks after a silence was told at the first look, so what it sent
        // came after the look before.
        if let Pace::Looks(look) = pace
            && self.since.is_some()
            && self.waiting == [0; 2]
            && length > look.mul_f64(1.5)
        {
            length = look;
        }
        // Why: the record before was not heard. Weir's are this far apart.
        if self.since.is_none() && told.is_later {
            length = length.min(ACTIVE_TIMEOUT);
        }
        for (waiting, octets) in self.waiting.iter_mut().zip(told.octets) {
            *waiting = waiting.saturating_add(octets);
        }
        let is_over = told.after == After::Over;
        if is_over && self.waiting == [0; 2] {
            self.until = self.until.min(now + SHORTEST);
            return;
        }
        if is_over && self.is_first && told.octets == [0; 2] {
            // All of a short flow was shown when it was first told.
            return;
        }
        if length < shortest.mul_f64(0.8) && !is_over {
            self.since = begun.or(Some(told.at));
            if self.until <= now || self.is_first {
                self.show(shortest, now + shortest);
                self.is_first = true;
            }
            return;
        }
        // A look that came a little early is divided by its own time.
        let length = length.max(if is_over { shortest } else { shortest.mul_f64(0.8) });
        let until = match (told.after, pace) {
            (After::Over, _) => now + length.min(LINGER),
            // Why: Weir tells of a new flow early, then in its usual interval.
            (After::GoesOn, Pace::Unknown) if !self.has_interval => {
                now + length.max(ACTIVE_TIMEOUT) + LATE
            }
            (After::GoesOn, Pace::Unknown) => now + length + LATE,
            (_, Pace::Looks(look)) => now + length.max(look) + LATE,
            (After::Unknown | After::Sample, Pace::Unknown) => now + length,
        };
        self.show(length, until);
        (self.waiting, self.is_first, self.has_interval) = ([0; 2], false, true);
        self.since = Some(told.at);
    }

    fn show(&mut self, length: Duration, until: Duration) {
        let seconds = length.as_secs_f64();
        self.octets_per_second = self.waiting.map(|octets| octets as f64 / seconds);
        self.interval = length;
        self.until = until;
    }

    /// Octets a second at `now`.
    pub fn at(&self, now: Duration) -> [f64; 2] {
        if now < self.until { self.octets_per_second } else { [0.0; 2] }
    }

    /// Time that the last record told of.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Until when it stands.
    pub fn until(&self) -> Duration {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn told(at: f64, octets: u64, after: After) -> Told {
        let at = Timestamp::from_millis((at * 1_000.0) as i64);
        let start = (after != After::Sample).then_some(Timestamp(0));
        Told { at, start, end: Some(at), octets: [octets, 0], is_later: false, after }
    }

    #[test]
    fn a_record_of_a_minute_and_one_of_a_second_give_the_same_rate() {
        let (mut minute, mut second) = (Rate::default(), Rate::default());
        minute.take(&told(60.0, 60_000, After::GoesOn), Pace::Unknown, seconds(60.0));
        for i in 1..=60 {
            let at = f64::from(i);
            second.take(&told(at, 1_000, After::GoesOn), Pace::Looks(SECOND), seconds(at));
        }
        assert_eq!(minute.at(seconds(60.0)), [1_000.0, 0.0]);
        assert_eq!(second.at(seconds(60.0)), [1_000.0, 0.0]);
        assert_eq!(minute.interval(), seconds(60.0));
        // The first is good until its next record is due, the second until a look has told more.
        assert_eq!((minute.at(seconds(121.0))[0], minute.at(seconds(122.0))[0]), (1_000.0, 0.0));
        assert_eq!((second.at(seconds(62.0))[0], second.at(seconds(63.0))[0]), (1_000.0, 0.0));
    }

    #[test]
    fn the_first_report_after_five_seconds_is_good_for_the_minute_that_follows() {
        let mut rate = Rate::default();
        rate.take(&told(5.0, 5_000, After::GoesOn), Pace::Unknown, seconds(5.0));
        assert_eq!(rate.at(seconds(64.0)), [1_000.0, 0.0]);
        rate.take(&told(65.0, 120_000, After::GoesOn), Pace::Unknown, seconds(65.0));
        assert_eq!(rate.at(seconds(126.0)), [2_000.0, 0.0]);
        // A server that tells every 2 s is believed when it does not.
        rate.take(&told(67.0, 2_000, After::GoesOn), Pace::Unknown, seconds(67.0));
        assert_eq!((rate.at(seconds(70.0))[0], rate.at(seconds(71.0))[0]), (1_000.0, 0.0));
    }

    #[test]
    fn of_an_old_flow_the_first_record_heard_tells_of_its_last_minute() {
        let mut rate = Rate::default();
        let record = Told { is_later: true, ..told(7_200.0, 60_000, After::GoesOn) };
        rate.take(&record, Pace::Unknown, seconds(1.0));
        assert_eq!(rate.at(seconds(1.0)), [1_000.0, 0.0]);
        let mut whole = Rate::default();
        whole.take(&told(7_200.0, 72_000, After::Over), Pace::Unknown, seconds(1.0));
        assert_eq!(whole.at(seconds(1.0)), [10.0, 0.0]);
    }

    #[test]
    fn a_burst_after_silence_counts_for_the_look_that_saw_it() {
        let mut rate = Rate::default();
        rate.take(&told(1.0, 10, After::GoesOn), Pace::Looks(SECOND), seconds(1.0));
        rate.take(&told(31.0, 900, After::GoesOn), Pace::Looks(SECOND), seconds(31.0));
        assert_eq!(rate.at(seconds(31.0)), [900.0, 0.0]);
        let mut slow = Rate::default();
        slow.take(&told(1.0, 10, After::GoesOn), Pace::Unknown, seconds(1.0));
        slow.take(&told(31.0, 900, After::GoesOn), Pace::Unknown, seconds(31.0));
        assert_eq!(slow.at(seconds(31.0)), [30.0, 0.0]);
    }

    #[test]
    fn a_short_flow_is_told_once_and_its_octets_count_once() {
        let mut rate = Rate::default();
        let record =
            Told { start: Some(Timestamp::from_millis(95)), ..told(0.1, 700, After::Over) };
        rate.take(&record, Pace::Unknown, seconds(10.0));
        assert_eq!(rate.at(seconds(10.9)), [700.0, 0.0]);
        assert_eq!(rate.at(seconds(11.0)), [0.0, 0.0]);
    }

    #[test]
    fn an_end_with_nothing_new_does_not_show_octets_again() {
        let mut short = Rate::default();
        short.take(&told(0.1, 700, After::GoesOn), Pace::Looks(SECOND), seconds(0.1));
        assert_eq!(short.at(seconds(1.0)), [700.0, 0.0]);
        short.take(&told(1.1, 0, After::Over), Pace::Looks(SECOND), seconds(1.1));
        assert_eq!(short.at(seconds(1.1)), [0.0, 0.0]);
        let mut long = Rate::default();
        long.take(&told(60.0, 60_000, After::GoesOn), Pace::Unknown, seconds(60.0));
        long.take(&told(80.0, 0, After::Over), Pace::Unknown, seconds(80.0));
        assert_eq!((long.at(seconds(80.5))[0], long.at(seconds(81.0))[0]), (1_000.0, 0.0));
    }

    #[test]
    fn samples_are_summed_until_they_are_a_rate() {
        let mut rate = Rate::default();
        for i in 0..40 {
            let at = f64::from(i) * 0.5;
            rate.take(&told(at, 1_000, After::Sample), Pace::Unknown, seconds(at));
        }
        // 2,000 octets a second came.
        let shown = rate.at(seconds(19.6))[0];
        assert!((1_700.0..2_300.0).contains(&shown), "{shown}");
        assert_eq!(rate.at(seconds(40.0)), [0.0, 0.0]);
    }

    #[test]
    fn records_that_come_too_early_are_summed_with_the_next() {
        let mut rate = Rate::default();
        let looks = Pace::Looks(SECOND);
        rate.take(&told(1.0, 1_000, After::GoesOn), looks, seconds(1.0));
        rate.take(&told(1.5, 500, After::GoesOn), looks, seconds(1.5));
        assert_eq!(rate.at(seconds(1.5)), [1_000.0, 0.0]);
        rate.take(&told(2.0, 1_500, After::GoesOn), looks, seconds(2.0));
        assert_eq!(rate.at(seconds(2.0)), [2_000.0, 0.0]);
        rate.take(&told(2.5, 500, After::GoesOn), looks, seconds(2.5));
        rate.take(&told(3.6, 1_100, After::GoesOn), looks, seconds(3.6));
        assert_eq!(rate.at(seconds(3.6)), [1_000.0, 0.0]);
    }
}
