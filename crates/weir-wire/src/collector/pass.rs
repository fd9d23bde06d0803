//! The control pass over the Sets of one message whose framing is good.

use std::sync::Arc;

use super::domain::Domain;
use super::{Place, place};
use crate::acknowledge::Announcement;
use crate::header::{Header, RawSet};
use crate::knowledge::learn;
use crate::limits::Limits;
use crate::plan::{Plan, count};
use crate::protocol::Protocol;
use crate::received::Received;
use crate::tally::{DropReason, Tally};
use crate::template::{Definition, TemplateError, read};
use crate::work::{Admitted, DataSet, DataSets, Job, Released, Work};

/// The control pass over the Sets of one message.
pub(super) struct Pass<'a> {
    pub(super) protocol: Protocol,
    pub(super) header: &'a Header,
    pub(super) received: &'a Received,
    pub(super) limits: &'a Limits,
    pub(super) parked_octets: &'a mut usize,
    /// An upper bound of what all templates and names take.
    pub(super) state_octets: &'a mut usize,
    pub(super) domain: &'a mut Domain,
    pub(super) session: usize,
    pub(super) tally: Tally,
    pub(super) sets: DataSets,
    pub(super) released: Vec<Released>,
    /// Data records so far; `None` once a Set without template was met.
    pub(super) units: Option<u32>,
    /// Those of them that are options records.
    pub(super) options: u32,
    pub(super) rows: usize,
    pub(super) announcement: Option<Announcement>,
}

impl Pass<'_> {
    pub(super) fn set(&mut self, set: &RawSet<'_>) {
        self.tally.sets += 1;
        match (self.protocol, set.id) {
            (Protocol::NetFlow9, 0) | (Protocol::Ipfix, 2) => self.templates(set.body, false),
            (Protocol::NetFlow9, 1) | (Protocol::Ipfix, 3) => self.templates(set.body, true),
            (_, 256..) => self.data(set),
            _ => self.tally.drop_set(DropReason::Reserved, set.body.len()),
        }
    }

    fn templates(&mut self, body: &[u8], options: bool) {
        let mut rest = body;
        while let Some(definition) = read(self.protocol, options, rest, self.limits.template_fields)
        {
            match definition {
                Ok((definition, took)) => {
                    if !self.definition(definition, options) {
                        return self.tally.drop_set(DropReason::TemplateQuota, rest.len());
                    }
                    rest = rest.get(took..).unwrap_or_default();
                }
                Err(error) => {
                    let reason = match error {
                        TemplateError::TooManyFields { .. } => DropReason::TemplateQuota,
                        _ => DropReason::MalformedTemplate,
                    };
                    return self.tally.drop_set(reason, rest.len());
                }
            }
        }
        self.tally.sets_control += 1;
    }

    /// False when there is no room for a new template.
    fn definition(&mut self, definition: Definition, options: bool) -> bool {
        match definition {
            Definition::Define(template) => {
                let (session, limits, id) = (self.session, self.limits, template.id);
                if !self.domain.refresh(session, self.received, &template, limits) {
                    if *self.state_octets >= limits.state_octets {
                        return false;
                    }
                    *self.state_octets +=
                        self.domain.define(session, self.received, template, limits);
                    let before = self.domain.parked_octets;
                    let mut ready =
                        self.domain.release(session, self.received, id, limits, &mut self.tally);
                    *self.parked_octets -= before - self.domain.parked_octets;
                    self.released.append(&mut ready);
                }
                self.tally.templates += 1;
            }
            Definition::Withdraw(id) => {
                self.tally.withdrawals += 1;
                self.domain.withdraw(self.session, self.received, id);
            }
            Definition::WithdrawAll => {
                self.tally.withdrawals += 1;
                self.domain.withdraw_all(self.session, self.received, options);
            }
        }
        true
    }

    fn data(&mut self, set: &RawSet<'_>) {
        let found = self.domain.template(self.session, self.received, set.id);
        let Some((known, borrowed)) = found else {
            self.units = None;
            if self.received.origin.is_some() {
                // Why: rows that come later would not be kept together with those of their message.
                return self.tally.drop_set(DropReason::NoTemplate, set.body.len());
            }
            let room = self.limits.parked_octets.saturating_sub(*self.parked_octets);
            let (header, received) = (self.header, self.received);
            let tally = &mut self.tally;
            let took = self.domain.park(set, header, received, room, self.limits, tally);
            *self.parked_octets += took;
            return;
        };
        self.tally.templates_borrowed += u64::from(borrowed);
        let (plan, teaches) = (Arc::clone(known.plan()), known.teaches());
        self.known_data(set, plan, teaches);
    }

    fn known_data(&mut self, set: &RawSet<'_>, plan: Arc<Plan>, teaches: bool) {
        let room = self.limits.records.saturating_sub(self.rows);
        let (all, rows) = count(&plan, set.body, room, &mut self.tally);
        self.units = self.units.map(|units| units.wrapping_add(all as u32));
        if plan.is_options() {
            self.options = self.options.wrapping_add(all as u32);
        }
        if teaches {
            let full = *self.state_octets >= self.limits.state_octets;
            let names = if full { 0 } else { self.limits.names };
            let before = self.domain.knowledge.octets();
            learn(&mut self.domain.knowledge, &plan, set.body, rows, names);
            *self.state_octets += self.domain.knowledge.octets().saturating_sub(before);
        }
        if self.received.origin.is_some_and(|origin| origin.repeat) {
            self.tally.drop_set(DropReason::Duplicate, set.body.len());
            return self.tally.drop_records(DropReason::Duplicate, rows as u64, 0);
        }
        if plan.is_options() && self.announcement.is_none() {
            self.announcement = Announcement::read(&plan, set.body);
        }
        self.rows += rows;
        self.sets.push(DataSet {
            offset: set.offset as u32,
            length: set.body.len() as u32,
            rows: rows as u32,
            plan,
        });
    }

    /// Takes the message into the sequence account; gives its place when it does not follow, which
    /// is left to the caller.
    pub(super) fn observe(&mut self) -> Option<Place> {
        let (units, options) = match self.protocol {
            Protocol::NetFlow9 => (Some(1), 0),
            _ => (self.units, self.options),
        };
        let place = Place { options, ..place(self.header, units) };
        (!self.domain.observe(self.session, place)).then_some(place)
    }

    /// Closes the books of the pass and takes out what it found.
    // Cost: by reference, since a pass is some 260 octets that would be moved for each message.
    #[inline]
    pub(super) fn finish(&mut self) -> Admitted {
        self.domain.records_seen += self.rows as u64;
        self.domain.tally += &self.tally;
        let knowledge = Arc::clone(&self.domain.knowledge);
        let sets = std::mem::take(&mut self.sets);
        Admitted {
            work: Work {
                protocol: self.protocol,
                job: Job::Records { header: *self.header, sets, knowledge },
            },
            released: std::mem::take(&mut self.released),
            tally: std::mem::take(&mut self.tally),
            records: self.units,
            announcement: self.announcement,
        }
    }
}
