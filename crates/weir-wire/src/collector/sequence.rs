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

/// Which unit of a message its sequence number names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Numbering {
    #[default]
    Unknown,
    /// The first, as the standards say.
    First,
    /// The last: Open vSwitch in NetFlow v5.
    Last,
}

/// What a message says of its place in the stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) sequence: u32,
    /// Units it covers; `None` when a Set without template leaves that open.
    pub(crate) units: Option<u32>,
    pub(crate) uptime_ms: Option<u32>,
    /// True for protocols whose exporters may number by the last unit (v5).
    pub(crate) may_name_last: bool,
}

/// The account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sequence {
    status: SequenceStatus,
    expected: Option<u32>,
    numbering: Numbering,
    /// Sequence number of the last message in order.
    last: u32,
    uptime_ms: Option<u32>,
    holes: Vec<(u32, u32)>,
    recent: Vec<(u32, u32)>,
    behind: u8,
}

impl Sequence {
    pub(crate) fn status(&self) -> SequenceStatus {
        self.status
    }

    /// Takes one message into account.
    pub(crate) fn observe(&mut self, place: Place) {
        let booted = self.booted(place.uptime_ms);
        if booted {
            self.status.restarts += 1;
            self.forget();
        }
        let Some(units) = place.units else {
            // What comes next cannot be foretold: the account goes on from there.
            self.expected = None;
            self.last = place.sequence;
            return;
        };
        let start = self.start(place, units);
        let Some(expected) = self.expected else {
            return self.accept(place.sequence, start, units);
        };
        let ahead = start.wrapping_sub(expected);
        match ahead {
            0 => self.accept(place.sequence, start, units),
            _ if ahead < 1 << 31 => {
                self.status.missing += u64::from(ahead);
                self.status.gaps += 1;
                if self.holes.len() == HOLES {
                    self.holes.remove(0);
                }
                self.holes.push((expected, ahead));
                self.accept(place.sequence, start, units);
            }
            // A message without units (templates only) has no place of its own.
            _ if units == 0 => {}
            _ => self.late(place.sequence, start, units, expected.wrapping_sub(start)),
        }
    }

    fn late(&mut self, sequence: u32, start: u32, units: u32, by: u32) {
        if self.recent.contains(&(start, units)) {
            self.status.duplicates += 1;
        } else if self.fill_hole(start, units) {
            self.status.reordered += 1;
            self.status.missing = self.status.missing.saturating_sub(units.into());
            self.remember(start, units);
        } else if start == 0 || by > LATE_MAX || self.behind + 1 >= BEHIND_MAX {
            self.status.restarts += 1;
            self.forget();
            self.accept(sequence, start, units);
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

    /// First unit of the message, once it is known (or found out) what its number names.
    fn start(&mut self, place: Place, units: u32) -> u32 {
        let first = place.sequence;
        let last = place.sequence.wrapping_add(1).wrapping_sub(units);
        if !place.may_name_last {
            return first;
        }
        if let (Numbering::Unknown, Some(expected)) = (self.numbering, self.expected) {
            let fits_first = first == expected;
            let fits_last = last == self.last.wrapping_add(1);
            self.numbering = match (fits_first, fits_last) {
                (true, false) => Numbering::First,
                (false, true) => Numbering::Last,
                _ => Numbering::Unknown,
            };
            if self.numbering == Numbering::Last {
                self.expected = Some(last);
            }
        }
        if self.numbering == Numbering::Last { last } else { first }
    }

    fn accept(&mut self, sequence: u32, start: u32, units: u32) {
        self.expected = Some(start.wrapping_add(units));
        self.last = sequence;
        self.behind = 0;
        self.remember(start, units);
    }

    fn remember(&mut self, start: u32, units: u32) {
        if units > 0 {
            if self.recent.len() == RECENT {
                self.recent.remove(0);
            }
            self.recent.push((start, units));
        }
    }

    fn forget(&mut self) {
        self.expected = None;
        self.behind = 0;
        self.holes.clear();
        self.recent.clear();
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

    fn run(messages: &[(u32, u32)], may_name_last: bool) -> SequenceStatus {
        let mut account = Sequence::default();
        for &(sequence, units) in messages {
            let units = Some(units);
            account.observe(Place { sequence, units, uptime_ms: None, may_name_last });
        }
        account.status()
    }

    #[test]
    fn gaps_late_messages_and_copies() {
        let status = run(&[(10, 5), (25, 5), (15, 5), (30, 1), (25, 5)], false);
        let expected = SequenceStatus {
            missing: 5,
            gaps: 1,
            reordered: 1,
            duplicates: 1,
            ..SequenceStatus::default()
        };
        assert_eq!(status, expected);
    }

    #[test]
    fn numbers_wrap_without_a_gap() {
        assert_eq!(run(&[(u32::MAX - 1, 4), (2, 4), (6, 1)], false), SequenceStatus::default());
    }

    #[test]
    fn open_vswitch_numbers_v5_by_the_last_record() {
        let ovs = [(1, 2), (5, 4), (9, 4), (13, 4), (23, 10)];
        assert_eq!(run(&ovs, true), SequenceStatus::default());
        let lossy = [(1, 2), (5, 4), (13, 4), (23, 10)];
        assert_eq!(run(&lossy, true), SequenceStatus { missing: 4, gaps: 1, ..Default::default() });
    }

    #[test]
    fn standard_v5_loss_is_seen() {
        let status = run(&[(0, 30), (30, 30), (60, 12), (72, 30), (132, 30)], true);
        assert_eq!(status, SequenceStatus { missing: 30, gaps: 1, ..Default::default() });
    }

    #[test]
    fn a_new_start_is_no_loss() {
        let restart = SequenceStatus { restarts: 1, ..Default::default() };
        assert_eq!(run(&[(900, 10), (910, 10), (0, 10), (10, 10)], false), restart);
        let mut account = Sequence::default();
        for (sequence, uptime) in
            [(100, 9_000_000), (101, 9_001_000), (5_000, 1_000), (5_001, 2_000)]
        {
            account.observe(Place {
                sequence,
                units: Some(1),
                uptime_ms: Some(uptime),
                may_name_last: false,
            });
        }
        assert_eq!(account.status(), restart);
    }

    #[test]
    fn sets_without_template_suspend_the_account() {
        let mut account = Sequence::default();
        for (sequence, units) in [(10, Some(5)), (15, None), (99, Some(1)), (101, Some(1))] {
            account.observe(Place { sequence, units, uptime_ms: None, may_name_last: false });
        }
        assert_eq!(account.status(), SequenceStatus { missing: 1, gaps: 1, ..Default::default() });
    }
}
