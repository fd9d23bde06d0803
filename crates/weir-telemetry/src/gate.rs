//! Logs that a peer can cause, let through once per interval and key.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Keys remembered. Past it the whole memory is dropped: a flood of keys then logs once per key
/// and round, and costs no more memory.
const KEYS_MAX: usize = 4_096;

#[derive(Debug)]
struct Entry {
    since: Instant,
    suppressed: u64,
}

/// Decides which of many equal log lines are written. Exact counts belong in a counter; this
/// says how many lines were left out.
#[derive(Debug)]
pub struct LogGate<K> {
    interval: Duration,
    seen: Mutex<HashMap<K, Entry>>,
}

impl<K: Hash + Eq> LogGate<K> {
    /// One line per key and `interval`.
    pub fn new(interval: Duration) -> LogGate<K> {
        LogGate { interval, seen: Mutex::new(HashMap::new()) }
    }

    /// `Some(lines left out since the last one)` when this line should be written.
    pub fn admit(&self, key: K) -> Option<u64> {
        self.admit_at(key, Instant::now())
    }

    /// The same at a given moment.
    pub fn admit_at(&self, key: K, now: Instant) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = seen.get_mut(&key) {
            if now.saturating_duration_since(entry.since) < self.interval {
                entry.suppressed += 1;
                return None;
            }
            let suppressed = entry.suppressed;
            *entry = Entry { since: now, suppressed: 0 };
            return Some(suppressed);
        }
        if seen.len() >= KEYS_MAX {
            seen.clear();
        }
        seen.insert(key, Entry { since: now, suppressed: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_passes_and_the_next_says_how_many_did_not() {
        let gate = LogGate::new(Duration::from_secs(10));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let passed = [(1, 0), (1, 1), (2, 1), (1, 9), (1, 10), (1, 20)]
            .map(|(key, second)| gate.admit_at(key, at(second)));
        assert_eq!(passed, [Some(0), None, Some(0), None, Some(2), Some(0)]);
    }

    #[test]
    fn memory_is_bounded() {
        let gate = LogGate::new(Duration::from_secs(10));
        let now = Instant::now();
        for key in 0..3 * KEYS_MAX {
            assert_eq!(gate.admit_at(key, now), Some(0));
        }
        assert!(gate.seen.lock().unwrap().len() <= KEYS_MAX);
    }
}
