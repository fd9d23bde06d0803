//! The sequence account of one session: what was missing before decoding, in the protocol's own
//! unit (v5 and v7 flows, v9 messages, IPFIX data records, sFlow datagrams).
//!
//! Each message covers the units `start..start + n`. Holes that a gap left are remembered (up to
//! [`HOLES`]), so that messages which come late give their units back, and so are the last
//! messages (up to [`RECENT`]), so that copies are known. All arithmetic is modulo 2^32.

use crate::status::SequenceStatus;

const HOLES: usize = 16;
const RECENT: usize = 16;

/// A step back of more units than this is a new start, not a late message.
const LATE_MAX: u32 = 1 << 20;

/// Messages in a row that come from behind without filling a hole: the exporter began anew.
const BEHIND_MAX: u8 = 3;

/// An uptime that falls by more than this says that the exporter booted; less is reordering.
const UPTIME_SLACK_MS: u32 = 60_000;

/// Messages in a row that fit another way of numbering and not the one believed in.
const DOUBTS_MAX: u8 = 2;

/// What the sequence number of a message counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Numbering {
    /// Not known yet; read as `First`.
    #[default]
    Unknown,
    /// Units before this message, as the standards say.
    First,
    /// Units with this message: Open vSwitch in NetFlow v5, softflowd in IPFIX.
    Last,
    /// Messages, where the standard wants records.
    Messages,
}

/// What a message says of its place in the stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) sequence: u32,
    /// Units it covers; `None` when a Set without template leaves that open.
    pub(crate) units: Option<u32>,
    /// Those of them that are options records, which softflowd does not count.
    pub(crate) options: u32,
    pub(crate) uptime_ms: Option<u32>,
    /// The number is the next one of another domain of the session: Open vSwitch counts all its
    /// domains together.
    pub(crate) shared: bool,
}

/// The account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sequence {
    status: SequenceStatus,
    expected: Option<u32>,
    /// The same, had the options records of the last message not been counted.
    expected_without_options: u32,
    numbering: Numbering,
    doubts: u8,
    /// Sequence number of the last message in order.
    last: u32,
    uptime_ms: Option<u32>,
    holes: Vec<(u32, u32)>,
    recent: Vec<(u32, u32)>,
    /// Slot of `recent` that is written next.
    oldest: usize,
    behind: u8,
}

impl Sequence {
    pub(crate) fn status(&self) -> SequenceStatus {
        self.status
    }

    /// The number that would come next.
    pub(crate) fn expected(&self) -> Option<u32> {
        self.expected
    }

    /// True when `place` does not follow: the caller may want to look at other domains first.
    pub(crate) fn breaks(&self, place: &Place) -> bool {
        let fits = |expected| self.fits(self.numbering, expected, place, place.units.unwrap_or(0));
        self.expected.is_some_and(|expected| !fits(expected))
    }

    /// Takes one message into account.
    pub(crate) fn observe(&mut self, place: Place) {
        if self.booted(place.uptime_ms) {
            self.status.restarts += 1;
            self.forget();
        }
        let Some(units) = place.units else {
            // What comes next cannot be foretold: the account goes on from there.
            self.expected = None;
            self.last = place.sequence;
            return;
        };
        let Some(expected) = self.expected else {
            return self.accept(&place, place.sequence, units);
        };
        self.doubt(expected, &place, units);
        if place.shared || self.fits(self.numbering, expected, &place, units) {
            let start = self.start(&place, units);
            return self.accept(&place, start, units);
        }
        let units = if self.numbering == Numbering::Messages { 1 } else { units };
        let start = self.start(&place, units);
        let ahead = start.wrapping_sub(expected);
        if ahead < 1 << 31 {
            self.status.missing += u64::from(ahead);
            self.status.gaps += 1;
            if self.holes.len() == HOLES {
                self.holes.remove(0);
            }
            self.holes.push((expected, ahead));
            self.accept(&place, start, units);
        } else if units > 0 {
            // A message without units (templates only) has no place of its own.
            self.late(&place, start, units, expected.wrapping_sub(start));
        }
    }

    fn late(&mut self, place: &Place, start: u32, units: u32, by: u32) {
        if self.recent.contains(&(start, units)) {
            self.status.duplicates += 1;
        } else if self.fill_hole(start, units) {
            self.status.reordered += 1;
            self.status.missing = self.status.missing.saturating_sub(units.into());
            self.remember(start, units);
        } else if start == 0 || by > LATE_MAX || self.behind + 1 >= BEHIND_MAX {
            self.status.restarts += 1;
            self.forget();
            self.accept(place, start, units);
        } else {
            self.status.reordered += 1;
            self.behind += 1;
        }
    }

    fn booted(&mut self, uptime_ms: Option<u32>) -> bool {
        let (Some(now), Some(before)) = (uptime_ms, self.uptime_ms) else {
            self.uptime_ms = uptime_ms.or(self.uptime_ms);
            return false;
        };
        // The uptime wraps after 49.7 days; that is a step forward modulo 2^32.
        let back = before.wrapping_sub(now);
        let fell = back > UPTIME_SLACK_MS && back < 1 << 31;
        if fell || back >= 1 << 31 {
            self.uptime_ms = Some(now);
        }
        fell
    }

    /// True when the message is the next one, its number read as `numbering`.
    fn fits(&self, numbering: Numbering, expected: u32, place: &Place, units: u32) -> bool {
        let data = units.saturating_sub(place.options);
        let step = place.sequence.wrapping_sub(self.last);
        match numbering {
            Numbering::Unknown | Numbering::First => {
                place.sequence == expected || place.sequence == self.expected_without_options
            }
            Numbering::Last => step == units || step == data,
            Numbering::Messages => step == 1,
        }
    }

    /// Finds out what the number counts: at first by one message that fits one way only, later by
    /// several in a row.
    fn doubt(&mut self, expected: u32, place: &Place, units: u32) {
        let fits = |numbering| self.fits(numbering, expected, place, units);
        let all = [Numbering::First, Numbering::Last, Numbering::Messages];
        let mut fitting = all.into_iter().filter(|&numbering| fits(numbering));
        let (one, more) = (fitting.next(), fitting.next());
        match one {
            Some(one) if more.is_none() && one != self.numbering => {
                self.doubts += 1;
                if self.numbering == Numbering::Unknown || self.doubts >= DOUBTS_MAX {
                    (self.numbering, self.doubts) = (one, 0);
                }
            }
            _ => self.doubts = 0,
        }
    }

    /// First unit of the message. Under `Last` and `Messages` units are numbered from 1.
    fn start(&self, place: &Place, units: u32) -> u32 {
        match self.numbering {
            Numbering::Last => place.sequence.wrapping_add(1).wrapping_sub(units),
            _ => place.sequence,
        }
    }

    fn accept(&mut self, place: &Place, start: u32, units: u32) {
        let (next, without) = match self.numbering {
            Numbering::Last | Numbering::Messages => {
                let next = place.sequence.wrapping_add(1);
                (next, next)
            }
            _ => {
                let next = place.sequence.wrapping_add(units);
                (next, next.wrapping_sub(place.options.min(units)))
            }
        };
        self.expected = Some(next);
        self.expected_without_options = without;
        self.last = place.sequence;
        self.behind = 0;
        self.remember(start, units);
    }

    fn remember(&mut self, start: u32, units: u32) {
        if units > 0 {
            match self.recent.get_mut(self.oldest) {
                Some(oldest) => *oldest = (start, units),
                None => self.recent.push((start, units)),
            }
            self.oldest = (self.oldest + 1) % RECENT;
        }
    }

    fn forget(&mut self) {
        self.expected = None;
        self.behind = 0;
        self.doubts = 0;
        self.holes.clear();
        self.recent.clear();
        self.oldest = 0;
    }

    /// Takes `start..start + units` out of the hole that holds all of it.
    fn fill_hole(&mut self, start: u32, units: u32) -> bool {
        let holds = |&(from, length): &(u32, u32)| {
            let into = start.wrapping_sub(from);
            into < length && units <= length - into
        };
        let Some(at) = self.holes.iter().position(holds) else { return false };
        let (from, length) = self.holes.remove(at);
        let before = start.wrapping_sub(from);
        let after = length - before - units;
        if before > 0 {
            self.holes.push((from, before));
        }
        if after > 0 && self.holes.len() < HOLES {
            self.holes.push((start.wrapping_add(units), after));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(sequence: u32, units: u32) -> Place {
        Place { sequence, units: Some(units), options: 0, uptime_ms: None, shared: false }
    }

    fn run(messages: &[(u32, u32)]) -> SequenceStatus {
        let mut account = Sequence::default();
        for &(sequence, units) in messages {
            account.observe(place(sequence, units));
        }
        account.status()
    }

    const CLEAN: SequenceStatus =
        SequenceStatus { missing: 0, gaps: 0, reordered: 0, duplicates: 0, restarts: 0 };

    #[test]
    fn gaps_late_messages_and_copies() {
        let status = run(&[(3, 7), (10, 5), (25, 5), (15, 5), (30, 1), (25, 5)]);
        let expected = SequenceStatus { missing: 5, gaps: 1, reordered: 1, duplicates: 1, ..CLEAN };
        assert_eq!(status, expected);
    }

    #[test]
    fn numbers_wrap_without_a_gap() {
        assert_eq!(run(&[(u32::MAX - 1, 4), (2, 4), (6, 1)]), CLEAN);
    }

    #[test]
    fn open_vswitch_numbers_v5_by_the_last_record() {
        assert_eq!(run(&[(1, 2), (5, 4), (9, 4), (13, 4), (23, 10)]), CLEAN);
        let lossy = run(&[(1, 2), (5, 4), (13, 4), (23, 10)]);
        assert_eq!(lossy, SequenceStatus { missing: 4, gaps: 1, ..CLEAN });
    }

    #[test]
    fn softflowd_numbers_ipfix_by_the_last_record_without_options() {
        let mut account = Sequence::default();
        for (sequence, units, options) in
            [(1, 2, 1), (8, 7, 0), (18, 10, 0), (20, 2, 0), (22, 3, 1), (24, 2, 0)]
        {
            account.observe(Place { options, ..place(sequence, units) });
        }
        assert_eq!(account.status(), CLEAN);
    }

    #[test]
    fn exporters_that_count_messages_lose_nothing() {
        assert_eq!(run(&[(7, 20), (8, 20), (9, 3), (10, 0), (11, 20)]), CLEAN);
        let lossy = run(&[(7, 20), (8, 20), (11, 20), (12, 20)]);
        assert_eq!(lossy, SequenceStatus { missing: 2, gaps: 1, ..CLEAN });
    }

    #[test]
    fn open_vswitch_counts_all_domains_together() {
        let mut account = Sequence::default();
        account.observe(place(1, 0));
        let next = place(2, 1);
        assert!(account.breaks(&next));
        account.observe(Place { shared: true, ..next });
        assert_eq!((account.status(), account.expected()), (CLEAN, Some(3)));
    }

    #[test]
    fn standard_v5_loss_is_seen() {
        let status = run(&[(0, 30), (30, 30), (60, 12), (72, 30), (132, 30)]);
        assert_eq!(status, SequenceStatus { missing: 30, gaps: 1, ..CLEAN });
    }

    #[test]
    fn a_new_start_is_no_loss() {
        let restart = SequenceStatus { restarts: 1, ..CLEAN };
        assert_eq!(run(&[(900, 10), (910, 10), (0, 10), (10, 10)]), restart);
        let mut account = Sequence::default();
        let uptimes = [(100, 9_000_000), (101, 9_001_000), (5_000, 1_000), (5_001, 2_000)];
        for (sequence, uptime) in uptimes {
            account.observe(Place { uptime_ms: Some(uptime), ..place(sequence, 1) });
        }
        assert_eq!(account.status(), restart);
    }

    #[test]
    fn sets_without_template_suspend_the_account() {
        let mut account = Sequence::default();
        for (sequence, units) in [(10, Some(5)), (15, None), (99, Some(1)), (101, Some(1))] {
            account.observe(Place { units, ..place(sequence, 0) });
        }
        assert_eq!(account.status(), SequenceStatus { missing: 1, gaps: 1, ..CLEAN });
    }
}
