//! Opening and forgetting exporters.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use weir_model::{Addr, Timestamp};

use super::domain::Domain;
use super::{DomainKey, SIBLINGS};
use crate::error::MessageError;
use crate::limits::Limits;
use crate::protocol::Protocol;
use crate::received::Received;

/// The exporters, borrowed apart from the rest of the collector.
pub(super) struct Table<'a> {
    pub(super) domains: &'a mut HashMap<DomainKey, Domain>,
    pub(super) siblings: &'a mut HashMap<(Addr, Protocol), Vec<u32>>,
    pub(super) full_until: &'a mut Timestamp,
}

impl<'a> Table<'a> {
    /// The domain and session of a message, opened if they are new.
    #[inline]
    pub(super) fn open(
        mut self,
        limits: &Limits,
        key: DomainKey,
        received: &Received,
    ) -> Result<(&'a mut Domain, usize), MessageError> {
        if self.domains.len() >= limits.exporters && !self.domains.contains_key(&key) {
            self.forget_idle(limits, received.at)?;
        }
        // Cost: one look-up for a known exporter, some 10 ns of the 100 that a datagram may take.
        let domain = match self.domains.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let siblings = self.siblings.entry((key.addr, key.protocol)).or_default();
                if siblings.len() < SIBLINGS {
                    siblings.push(key.domain);
                }
                let settings = limits.settings_of(key.addr);
                new.insert(Domain::new(key.protocol, received.at, settings))
            }
        };
        let session = domain.session(received, limits.sessions);
        Ok((domain, session))
    }

    /// Makes room for one exporter by forgetting the one silent for longest, if that is long
    /// enough and it has nothing parked.
    #[cold]
    fn forget_idle(&mut self, limits: &Limits, now: Timestamp) -> Result<(), MessageError> {
        let refused = MessageError::TooManyExporters { limit: limits.exporters };
        if now < *self.full_until {
            return Err(refused);
        }
        let idle = self.domains.iter().filter(|(_, domain)| domain.parked_sets == 0);
        let oldest = idle.min_by_key(|(_, domain)| domain.last_seen);
        let (key, seen) = oldest.map(|(key, domain)| (*key, domain.last_seen)).ok_or(refused)?;
        let free_at = seen.plus(limits.exporter_idle);
        if now < free_at {
            *self.full_until = free_at;
            return Err(refused);
        }
        self.domains.remove(&key);
        if let Some(siblings) = self.siblings.get_mut(&(key.addr, key.protocol)) {
            siblings.retain(|domain| *domain != key.domain);
            if siblings.is_empty() {
                self.siblings.remove(&(key.addr, key.protocol));
            }
        }
        Ok(())
    }
}
