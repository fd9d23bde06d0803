//! The templates of one session, and the newest of one exporter's domain.

use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use weir_model::Timestamp;

use crate::knowledge::teaches;
use crate::plan::{Plan, compile};
use crate::protocol::Protocol;
use crate::template::Template;

/// A template with its plan, which is compiled when the first data come: a datagram can define
/// thousands.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) template: Template,
    protocol: Protocol,
    repair: bool,
    plan: OnceLock<(Arc<Plan>, bool)>,
}

impl Known {
    pub(crate) fn new(template: Template, protocol: Protocol, repair: bool) -> Known {
        Known { template, protocol, repair, plan: OnceLock::new() }
    }

    fn compiled(&self) -> &(Arc<Plan>, bool) {
        self.plan.get_or_init(|| {
            let plan = compile(&self.template, self.protocol, self.repair);
            let teaches = plan.is_options() && teaches(&plan);
            (Arc::new(plan), teaches)
        })
    }

    /// Octets, roughly, that it takes once compiled.
    pub(crate) fn octets(&self) -> usize {
        OVERHEAD + self.template.raw.len() * GROWTH
    }

    #[cfg(test)]
    pub(crate) fn is_compiled(&self) -> bool {
        self.plan.get().is_some()
    }

    pub(crate) fn plan(&self) -> &Arc<Plan> {
        &self.compiled().0
    }

    /// True when its records are options that sampling rates or names can be learnt from.
    pub(crate) fn teaches(&self) -> bool {
        self.compiled().1
    }
}

/// What a template costs beside its fields, with its plan and its places in maps.
const OVERHEAD: usize = 512;
/// What an octet of a definition becomes once fields and steps are made of it.
const GROWTH: usize = 32;

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) known: Arc<Known>,
    /// When it was last defined.
    pub(crate) defined: Timestamp,
}

/// Templates by id, at most a limit of them.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    entries: HashMap<u16, Entry>,
}

impl Templates {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Octets, roughly, that the templates take.
    pub(crate) fn octets(&self) -> usize {
        self.entries.values().map(|entry| entry.known.octets()).sum()
    }

    pub(crate) fn get(&self, id: u16) -> Option<&Arc<Known>> {
        self.entries.get(&id).map(|entry| &entry.known)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Notes that `raw` defined template `id` again; `None` when that is news.
    pub(crate) fn refresh(&mut self, template: &Template, now: Timestamp) -> Option<Arc<Known>> {
        let entry = self.entries.get_mut(&template.id)?;
        // The same octets may come as a template first and as an options template later.
        let same = entry.known.template.raw == template.raw
            && entry.known.template.scope == template.scope;
        same.then(|| {
            entry.defined = now;
            Arc::clone(&entry.known)
        })
    }

    /// Puts a template in and says how many had to go. When full, the eighth that was defined
    /// longest ago goes, so that a flood of definitions does not search all of them each time.
    pub(crate) fn insert(&mut self, known: Arc<Known>, now: Timestamp, limit: usize) -> usize {
        let id = known.template.id;
        let mut evicted = 0;
        if self.entries.len() >= limit && !self.entries.contains_key(&id) {
            let mut ages: Vec<_> = self.entries.iter().map(|(id, e)| (e.defined, *id)).collect();
            ages.sort_unstable();
            for (_, id) in ages.into_iter().take((limit / 8).max(1)) {
                evicted += usize::from(self.entries.remove(&id).is_some());
            }
        }
        self.entries.insert(id, Entry { known, defined: now });
        evicted
    }

    pub(crate) fn remove(&mut self, id: u16) {
        self.entries.remove(&id);
    }

    /// Forgets all templates, or all options templates.
    pub(crate) fn remove_all(&mut self, options: bool) {
        self.entries.retain(|_, entry| entry.known.template.scope.is_some() != options);
    }

    /// Forgets those last defined before `oldest`, and says how many.
    pub(crate) fn expire(&mut self, oldest: Timestamp) -> usize {
        let before = self.entries.len();
        self.entries.retain(|_, entry| entry.defined >= oldest);
        before - self.entries.len()
    }
}
