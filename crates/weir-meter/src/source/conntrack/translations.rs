//! What the cache was told of translations, and when it may forget them.
//!
//! Several tables may hold one translated connection (zones of one namespace, namespaces of one
//! machine); it is over when the last of them has said so. And then not at once: records of its
//! end, and what sockets tell of their last octets, are still to come under its addresses.

use std::collections::HashMap;
use std::time::Duration;

use crate::cache::{FlowCache, Moment, Translation};
use crate::endpoint::FlowKey;

/// How long a translation is kept after its end. Longer than ended flows linger in the cache and
/// than sockets are looked at, unless a look takes long.
const LINGER: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Translations {
    max: usize,
    live: HashMap<FlowKey, u32>,
    leaving: HashMap<FlowKey, (Duration, Translation)>,
}

impl Translations {
    /// None yet. Past `max` that are about to be forgotten, they are at once.
    pub(super) fn new(max: usize) -> Translations {
        Translations { max, live: HashMap::new(), leaving: HashMap::new() }
    }

    /// Tells the cache; `is_new` when this table has not told it before.
    pub(super) fn learn(
        &mut self,
        of: &Translation,
        is_new: bool,
        cache: &mut FlowCache,
        now: Moment,
    ) {
        let (key, _) = of.key();
        if is_new {
            *self.live.entry(key).or_default() += 1;
        }
        self.leaving.remove(&key);
        cache.translate(of, now);
    }

    /// One table has it no more.
    pub(super) fn release(&mut self, of: &Translation, cache: &mut FlowCache, now: Moment) {
        let (key, _) = of.key();
        let Some(count) = self.live.get_mut(&key) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        self.live.remove(&key);
        match self.leaving.len() < self.max {
            true => drop(self.leaving.insert(key, (now.mono + LINGER, of.clone()))),
            false => cache.untranslate(of),
        }
    }

    /// Forgets what is due.
    pub(super) fn sweep(&mut self, cache: &mut FlowCache, now: Moment) {
        self.leaving.retain(|_, (due, of)| {
            let stays = now.mono < *due;
            if !stays {
                cache.untranslate(of);
            }
            stays
        });
    }
}
