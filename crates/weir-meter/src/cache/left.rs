//! Flows that have left the cache, remembered for as long as a worse source may still tell of them.
//!
//! Connection tracking holds a connection for two minutes after its sockets are gone, and tells
//! its counts at the end. Those octets were told by then: what comes late is absorbed, counted.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::observation::SourceKind;
use crate::endpoint::FlowKey;

/// Longer than TIME_WAIT and its timer in connection tracking (120 s).
const MEMORY: Duration = Duration::from_secs(180);

#[derive(Debug)]
pub(super) struct Left {
    max: usize,
    left: HashMap<FlowKey, (Duration, SourceKind)>,
    order: VecDeque<(Duration, FlowKey)>,
}

impl Left {
    pub(super) fn new(max: usize) -> Left {
        Left { max, left: HashMap::new(), order: VecDeque::new() }
    }

    /// Remembers that the flow was metered by `best`.
    pub(super) fn remember(&mut self, key: FlowKey, best: SourceKind, now: Duration) {
        self.left.insert(key, (now, best));
        self.order.push_back((now, key));
        self.forget_old(now);
    }

    /// True when a better source than `source` has told this flow's octets lately.
    pub(super) fn has_better(&self, key: FlowKey, source: SourceKind, now: Duration) -> bool {
        !self.left.is_empty()
            && self
                .left
                .get(&key)
                .is_some_and(|(since, best)| *best < source && now.saturating_sub(*since) <= MEMORY)
    }

    /// It is in the cache again.
    pub(super) fn forget(&mut self, key: FlowKey) {
        self.left.remove(&key);
    }

    fn forget_old(&mut self, now: Duration) {
        let is_old = |since: Duration| now.saturating_sub(since) > MEMORY;
        while let Some((since, key)) = self.order.front().copied() {
            if self.order.len() <= self.max && !is_old(since) {
                return;
            }
            self.order.pop_front();
            if self.left.get(&key).is_some_and(|(at, _)| *at == since) {
                self.left.remove(&key);
            }
        }
    }
}
