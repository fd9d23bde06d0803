//! What options records taught about one exporter's domain. The control pass changes it, the
//! decoding pass reads a snapshot.

mod shared;

use std::hash::Hash;
use std::sync::Arc;

use weir_model::Timestamp;

pub(crate) use shared::Shared;

use crate::plan::{FixedRows, Layout, Loc, Plan, Rows, VariableRows, index, number, text};

/// Names by number.
pub(crate) type Names<K> = Shared<K, Arc<str>>;

/// What an entry costs, name included, as a rule.
pub(crate) const ENTRY_OCTETS: usize = 128;
/// Octets of one name that are kept.
const NAME_OCTETS: usize = 256;
/// Octets of an application id that are looked at (RFC 6759: engine and selector).
const APP_ID_OCTETS: usize = 32;

/// What one exporter's domain told so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Knowledge {
    /// The rate set by hand.
    pub(crate) forced: Option<u32>,
    /// The rate of no sampler, interface or template in particular.
    pub(crate) general: Option<u32>,
    pub(crate) samplers: Shared<u64, u32>,
    pub(crate) sampled_interfaces: Shared<u32, u32>,
    pub(crate) sampled_templates: Shared<u16, u32>,
    pub(crate) interfaces: Names<u32>,
    pub(crate) vrfs: Names<u32>,
    pub(crate) applications: Names<Box<[u8]>>,
    /// When the exporter booted (IE 160).
    pub(crate) boot: Option<Timestamp>,
}

impl Knowledge {
    /// The rate for records of `template` that name no sampler. An exporter that told of one
    /// sampler and nothing else means that one.
    pub(crate) fn rate_of_template(&self, template: u16) -> Option<u32> {
        let only = || match self.samplers.len() {
            1 => self.samplers.iter().next().map(|(_, rate)| *rate),
            _ => None,
        };
        let of_template = self.sampled_templates.get(&template).copied();
        of_template.or(self.general).or_else(only)
    }

    /// Names and rates known.
    pub(crate) fn entries(&self) -> usize {
        self.names()
            + self.samplers.len()
            + self.sampled_interfaces.len()
            + self.sampled_templates.len()
    }

    /// Octets, roughly, that all this takes.
    pub(crate) fn octets(&self) -> usize {
        self.entries() * ENTRY_OCTETS
    }

    /// Names known.
    pub(crate) fn names(&self) -> usize {
        self.interfaces.len() + self.vrfs.len() + self.applications.len()
    }
}

/// Sampling as one record tells it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    pub(crate) interval: Option<u64>,
    pub(crate) packets: Option<u64>,
    pub(crate) space: Option<u64>,
    pub(crate) size: Option<u64>,
    pub(crate) population: Option<u64>,
    pub(crate) probability: Option<f64>,
}

impl Told {
    /// One in how many, rounded; `None` where the record does not say. What tells a ratio goes
    /// first: IOS XR sends 1 in IE 305 beside a sample size of 1 and a population of 256. IE 305
    /// without 306 is read as the interval itself, as the exporters mean it that send it so.
    pub(crate) fn rate(&self) -> Option<u32> {
        let ratio = |part: u64, whole: u64| {
            (part > 0 && whole >= part).then(|| whole.saturating_add(part / 2) / part)
        };
        let sized = self.size.zip(self.population).and_then(|(n, of)| ratio(n, of));
        let spaced = self.packets.zip(self.space);
        let spaced = spaced.and_then(|(n, space)| ratio(n, n.saturating_add(space)));
        let likely = self.probability.filter(|p| *p > 0.0 && *p <= 1.0);
        let likely = likely.map(|p| (1.0 / p).round() as u64);
        let interval = self.interval.filter(|&rate| rate > 0);
        let rate = sized.or(spaced).or(interval).or(likely).or(self.packets)?;
        u32::try_from(rate).ok().filter(|&rate| rate > 0)
    }
}

/// One options record, as far as it teaches.
#[derive(Debug, Default)]
struct Lesson {
    told: Told,
    sampler: Option<u64>,
    interface: Option<u32>,
    /// Rates about interface 0 are about all: softflowd says it so.
    interface_in_scope: bool,
    template: Option<u16>,
    vrf: Option<u32>,
    application: Option<Box<[u8]>>,
    interface_name: Option<Arc<str>>,
    vrf_name: Option<Arc<str>>,
    application_name: Option<Arc<str>>,
    boot: Option<u64>,
}

/// True when records of this options template can teach something.
pub(crate) fn teaches(plan: &Plan) -> bool {
    let useful = [34, 50, 305, 309, 311, 82, 83, 236, 94, 96, 160];
    plan.fields.iter().any(|(_, key, _)| key.pen == 0 && useful.contains(&key.id))
}

/// Learns from the options records of a Set. `knowledge` is copied only when something is new, and
/// once a Set; past `entries_max` what is not known yet is ignored.
pub(crate) fn learn(
    knowledge: &mut Arc<Knowledge>,
    plan: &Plan,
    body: &[u8],
    rows_max: usize,
    entries_max: usize,
) {
    match &plan.layout {
        Layout::Fixed { stride } => {
            let rows = FixedRows::new(body, *stride, rows_max);
            learn_rows(knowledge, plan, &rows, entries_max);
        }
        layout @ Layout::Variable { .. } => {
            let mut table = Vec::new();
            index(layout, body, 0, rows_max, Some(&mut table));
            let rows = VariableRows::new(body, &table, plan.variable());
            learn_rows(knowledge, plan, &rows, entries_max);
        }
    }
}

fn learn_rows<R: Rows>(knowledge: &mut Arc<Knowledge>, plan: &Plan, rows: &R, entries_max: usize) {
    for row in 0..rows.len() {
        let lesson = lesson(plan, rows, row);
        let room = knowledge.entries() < entries_max;
        if lesson.is_news(knowledge, room) {
            lesson.apply(Arc::make_mut(knowledge), room);
        }
    }
}

fn lesson<R: Rows>(plan: &Plan, rows: &R, row: usize) -> Lesson {
    let scopes = plan.scope.unwrap_or(0);
    let mut lesson = Lesson::default();
    for (position, key, loc) in plan.fields.iter().filter(|(_, key, _)| key.pen == 0) {
        lesson.take(key.id, *position < scopes, rows.slice(*loc, row), *loc);
    }
    lesson
}

impl Lesson {
    fn take(&mut self, id: u16, in_scope: bool, field: &[u8], loc: Loc) {
        let value = || number(field);
        match id {
            34 | 50 => self.told.interval = value(),
            305 => self.told.packets = value(),
            306 => self.told.space = value(),
            309 => self.told.size = value(),
            310 => self.told.population = value(),
            311 => self.told.probability = crate::plan::float(field),
            48 | 302 => self.sampler = value(),
            10 | 14 => {
                self.interface = value().and_then(|index| u32::try_from(index).ok());
                self.interface_in_scope |= in_scope;
            }
            145 => self.template = value().and_then(|id| u16::try_from(id).ok()),
            234 | 235 => self.vrf = value().and_then(|id| u32::try_from(id).ok()),
            95 if field.len() <= APP_ID_OCTETS => self.application = Some(field.into()),
            82 => self.interface_name = name(field).or(self.interface_name.take()),
            83 if self.interface_name.is_none() => self.interface_name = name(field),
            236 => self.vrf_name = name(field),
            96 => self.application_name = name(field).or(self.application_name.take()),
            94 if self.application_name.is_none() => self.application_name = name(field),
            160 => self.boot = value().filter(|_| loc.width() == 8),
            _ => {}
        }
    }

    fn boot_time(&self) -> Option<Timestamp> {
        self.boot.map(|millis| Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)))
    }

    /// `room`: whether what is not known yet may be added.
    fn is_news(&self, known: &Knowledge, room: bool) -> bool {
        let rate = self.told.rate();
        let rate_known = || match (self.sampler, self.interface, self.template) {
            (Some(id), _, _) => known.samplers.get(&id).copied(),
            (None, Some(index @ 1..), _) if self.interface_in_scope => {
                known.sampled_interfaces.get(&index).copied()
            }
            (None, _, Some(id)) => known.sampled_templates.get(&id).copied(),
            _ => known.general,
        };
        fn new_name<K: Hash + Eq>(
            key: Option<&K>,
            name: &Option<Arc<str>>,
            names: &Names<K>,
            room: bool,
        ) -> bool {
            let (Some(key), Some(name)) = (key, name) else { return false };
            names.get(key).map_or(room, |known| known != name)
        }
        rate.is_some_and(|rate| rate_known().map_or(room, |known| known != rate))
            || new_name(self.interface.as_ref(), &self.interface_name, &known.interfaces, room)
            || new_name(self.vrf.as_ref(), &self.vrf_name, &known.vrfs, room)
            || new_name(
                self.application.as_ref(),
                &self.application_name,
                &known.applications,
                room,
            )
            || self.boot_time().is_some_and(|boot| known.boot != Some(boot))
    }

    fn apply(self, known: &mut Knowledge, room: bool) {
        fn put<K: Hash + Eq + Clone, V: Clone>(
            map: &mut Shared<K, V>,
            key: K,
            value: V,
            room: bool,
        ) {
            if room || map.get(&key).is_some() {
                map.insert(key, value);
            }
        }
        if let Some(rate) = self.told.rate() {
            match (self.sampler, self.interface, self.template) {
                (Some(id), _, _) => put(&mut known.samplers, id, rate, room),
                (None, Some(index @ 1..), _) if self.interface_in_scope => {
                    put(&mut known.sampled_interfaces, index, rate, room);
                }
                (None, _, Some(id)) => put(&mut known.sampled_templates, id, rate, room),
                _ => known.general = Some(rate),
            }
        }
        known.boot = self.boot_time().or(known.boot);
        if let Some((index, name)) = self.interface.zip(self.interface_name) {
            put(&mut known.interfaces, index, name, room);
        }
        if let Some((id, name)) = self.vrf.zip(self.vrf_name) {
            put(&mut known.vrfs, id, name, room);
        }
        if let Some((id, name)) = self.application.zip(self.application_name) {
            put(&mut known.applications, id, name, room);
        }
    }
}

fn name(field: &[u8]) -> Option<Arc<str>> {
    let text = text(field);
    let end = (0..=NAME_OCTETS.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    let text = text.get(..end.unwrap_or(0)).unwrap_or_default().trim();
    (!text.is_empty()).then(|| Arc::from(text))
}
