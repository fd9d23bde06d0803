//! Translated connections: other keys by which sources may know the same flow.
//!
//! With destination translation the initiator's socket sees the service's address, the responder's
//! the initiator's or what was put in its place. Connection tracking knows both; here they lead to
//! one key, of the initiator before and the responder after translation.

use std::collections::{HashMap, VecDeque};

use super::observation::{Initiator, Nat, Observation};
use crate::endpoint::{End, Endpoint, FlowKey};

/// A connection as connection tracking knows it: both directions, as packets of them look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// IP protocol.
    pub proto: u8,
    /// Source and destination of the original direction.
    pub original: (Endpoint, Endpoint),
    /// Source and destination of the reply direction.
    pub reply: (Endpoint, Endpoint),
    /// Zone, mark and labels; the endpoints in it are filled in here.
    pub nat: Nat,
}

impl Translation {
    /// The key of the flow, and the initiator's end of it.
    pub fn key(&self) -> (FlowKey, End) {
        FlowKey::new(0, self.proto, self.original.0, self.reply.0)
    }

    /// The two keys under which sockets and packets may show it, each with the initiator's end.
    pub(super) fn others(&self) -> [(FlowKey, End); 2] {
        let (original, reply) = (self.original, self.reply);
        let before = FlowKey::new(0, self.proto, original.0, original.1);
        let after = FlowKey::new(0, self.proto, reply.1, reply.0);
        [before, after]
    }

    /// Something of it was translated.
    pub fn is_translated(&self) -> bool {
        self.original.0 != self.reply.1 || self.original.1 != self.reply.0
    }

    fn nat(&self) -> Nat {
        let (original, reply) = (self.original, self.reply);
        Nat {
            service: (original.1 != reply.0).then_some(original.1),
            masquerade: (original.0 != reply.1).then_some(reply.1),
            ..self.nat.clone()
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Alias {
    key: FlowKey,
    /// The initiator's end in the key that was looked up, and in the flow's.
    from: End,
    to: End,
}

/// All translations that are known, at most `max`; past it the oldest is forgotten.
#[derive(Debug)]
pub(super) struct Aliases {
    max: usize,
    aliases: HashMap<FlowKey, Alias>,
    /// By the flow's own key: the translation, and the keys that lead there.
    nats: HashMap<FlowKey, (Nat, [FlowKey; 2])>,
    order: VecDeque<FlowKey>,
    pub(super) evicted: u64,
}

impl Aliases {
    pub(super) fn new(max: usize) -> Aliases {
        Aliases {
            max: max.max(1),
            aliases: HashMap::new(),
            nats: HashMap::new(),
            order: VecDeque::new(),
            evicted: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nats.len()
    }

    /// Learns a translation. The keys that lead to it from now on, each with whether its lower end
    /// is the higher one of the flow's key.
    pub(super) fn learn(&mut self, of: &Translation) -> Vec<(FlowKey, bool)> {
        let (key, to) = of.key();
        let others = of.others();
        if self.nats.insert(key, (of.nat(), others.map(|(other, _)| other))).is_none() {
            self.order.push_back(key);
        }
        let mut fresh = Vec::new();
        for (other, from) in others {
            let is_new = other != key
                && self.aliases.insert(other, Alias { key, from, to }).is_none_or(|a| a.key != key);
            if is_new {
                fresh.push((other, from != to));
            }
        }
        while self.nats.len() > self.max {
            let Some(oldest) = self.order.pop_front() else { break };
            self.evicted += u64::from(self.remove(oldest));
        }
        fresh
    }

    /// Forgets a translation, unless the keys lead to another connection by now.
    pub(super) fn forget(&mut self, of: &Translation) {
        self.remove(of.key().0);
        // Why: Places of what is forgotten are swept when they are the half, so that the queue is
        // at most twice as long as the table.
        if self.order.len() > 2 * self.nats.len() + 16 {
            let nats = &self.nats;
            self.order.retain(|key| nats.contains_key(key));
        }
    }

    fn remove(&mut self, key: FlowKey) -> bool {
        let Some((_, others)) = self.nats.remove(&key) else { return false };
        for other in others {
            if self.aliases.get(&other).is_some_and(|alias| alias.key == key) {
                self.aliases.remove(&other);
            }
        }
        true
    }

    pub(super) fn nat(&self, key: FlowKey) -> Option<&Nat> {
        if self.nats.is_empty() { None } else { self.nats.get(&key).map(|(nat, _)| nat) }
    }

    /// The key of the flow that `key` leads to.
    pub(super) fn key(&self, key: FlowKey) -> FlowKey {
        if self.aliases.is_empty() { key } else { self.aliases.get(&key).map_or(key, |a| a.key) }
    }

    /// The observation by the flow's own key; `None` where it has that already.
    pub(super) fn resolve(&self, seen: &Observation) -> Option<Observation> {
        let alias = if self.aliases.is_empty() { None } else { self.aliases.get(&seen.key) }?;
        let end = if seen.end == alias.from { alias.to } else { alias.to.other() };
        let initiator = Initiator { end: alias.to, sure: true };
        Some(Observation { key: alias.key, end, initiator, ..seen.clone() })
    }
}
