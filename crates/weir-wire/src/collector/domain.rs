//! One exporter and observation domain: its sessions, what it taught, what waits for a template.

use std::sync::Arc;

use hashbrown::HashMap;
use weir_model::Timestamp;

use super::sequence::{Place, Sequence};
use super::templates::{Known, Templates};
use crate::header::{Header, RawSet};
use crate::knowledge::Knowledge;
use crate::limits::{ExporterSettings, Limits};
use crate::plan::count;
use crate::protocol::Protocol;
use crate::received::{Received, Transport};
use crate::status::SequenceStatus;
use crate::tally::{DropReason, Tally};
use crate::template::Template;
use crate::work::{DataSet, DataSets, Job, Released, Work};

/// First and last message of an exporter that only saved state knows: the first to be forgotten,
/// should room be needed.
pub(crate) const NEVER: Timestamp = Timestamp(0);

/// What a parked Set costs beside its octets.
const PARKED_OVERHEAD: usize = 192;

/// One transport session: a source port (UDP) or a connection.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) port: u16,
    pub(crate) id: u64,
    pub(crate) last_seen: Timestamp,
    pub(crate) sequence: Sequence,
    pub(crate) templates: Templates,
}

#[derive(Debug)]
pub(crate) struct Parked {
    octets: Box<[u8]>,
    received: Received,
    header: Header,
}

impl Parked {
    fn cost(&self) -> usize {
        self.octets.len() + PARKED_OVERHEAD
    }
}

/// State of one exporter and domain.
#[derive(Debug)]
pub(crate) struct Domain {
    pub(crate) protocol: Protocol,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    pub(crate) tally: Tally,
    pub(crate) records_seen: u64,
    pub(crate) templates_evicted: u64,
    pub(crate) clock_skew_ns: i64,
    pub(crate) knowledge: Arc<Knowledge>,
    pub(crate) repair: bool,
    pub(crate) sessions: Vec<Session>,
    /// Sequence accounts of sessions that ended.
    pub(crate) ended: SequenceStatus,
    /// The newest definition of each id on any source port (UDP).
    pub(crate) newest: Templates,
    /// By connection (0 for UDP, where any source port may tell the template) and Set id.
    parked: HashMap<(u64, u16), Vec<Parked>>,
    pub(crate) parked_sets: usize,
    pub(crate) parked_octets: usize,
}

impl Domain {
    pub(crate) fn new(
        protocol: Protocol,
        now: Timestamp,
        settings: Option<&ExporterSettings>,
    ) -> Domain {
        let forced = settings.and_then(|settings| settings.sampling_rate);
        Domain {
            protocol,
            first_seen: now,
            last_seen: now,
            tally: Tally::default(),
            records_seen: 0,
            templates_evicted: 0,
            clock_skew_ns: 0,
            knowledge: Arc::new(Knowledge { forced, ..Knowledge::default() }),
            repair: settings.is_some_and(|settings| settings.repair_antrea_counters),
            sessions: Vec::new(),
            ended: SequenceStatus::default(),
            newest: Templates::default(),
            parked: HashMap::new(),
            parked_sets: 0,
            parked_octets: 0,
        }
    }

    /// The session of a message, opened if it is new: its place in `sessions`.
    #[inline]
    pub(crate) fn session(&mut self, received: &Received, sessions_max: usize) -> usize {
        let key = key(received);
        self.last_seen = received.at;
        if self.first_seen == NEVER {
            self.first_seen = received.at;
        }
        let found = self.sessions.iter().position(|session| (session.port, session.id) == key);
        let at = found.unwrap_or_else(|| {
            if self.sessions.len() >= sessions_max.max(1) {
                self.close_oldest();
            }
            self.sessions.push(Session { port: key.0, id: key.1, ..Session::default() });
            self.sessions.len() - 1
        });
        self.sessions[at].last_seen = received.at;
        at
    }

    /// Source ports go before connections, whose templates come only once and which datagrams in
    /// the exporter's name must not push out.
    #[cold]
    fn close_oldest(&mut self) {
        let age = |(_, session): &(usize, &Session)| (session.id != 0, session.last_seen);
        let oldest = self.sessions.iter().enumerate().min_by_key(age).map(|(at, _)| at);
        self.close(oldest.unwrap_or(0));
    }

    /// Closes the session at `at`; its sequence account is kept.
    pub(crate) fn close(&mut self, at: usize) {
        let session = self.sessions.swap_remove(at);
        add(&mut self.ended, session.sequence.status());
    }

    /// Octets, roughly, of templates and knowledge. Templates of `newest` are mostly shared.
    pub(crate) fn state_octets(&self) -> usize {
        let templates = self.sessions.iter().map(|session| session.templates.octets());
        templates.sum::<usize>() + self.knowledge.octets()
    }

    /// Sequence accounts of all sessions together.
    pub(crate) fn sequence(&self) -> SequenceStatus {
        let mut sum = self.ended;
        for session in &self.sessions {
            add(&mut sum, session.sequence.status());
        }
        sum
    }

    /// Takes a message into its session's account; false, and nothing done, when it does not
    /// follow.
    pub(crate) fn observe(&mut self, session: usize, place: Place) -> bool {
        let sequence = &mut self.sessions[session].sequence;
        let follows = !sequence.breaks(&place);
        if follows {
            sequence.observe(place);
        }
        follows
    }

    /// The template of a data Set, and whether another source port defined it.
    #[inline]
    pub(crate) fn template(
        &self,
        session: usize,
        received: &Received,
        id: u16,
    ) -> Option<(&Arc<Known>, bool)> {
        if let Some(known) = self.sessions[session].templates.get(id) {
            return Some((known, false));
        }
        let shared = received.transport == Transport::Udp;
        self.newest.get(id).filter(|_| shared).map(|known| (known, true))
    }

    /// Notes that a template was defined again as it is; false when this is news.
    pub(crate) fn refresh(
        &mut self,
        session: usize,
        received: &Received,
        template: &Template,
        limits: &Limits,
    ) -> bool {
        let now = received.at;
        let Some(known) = self.sessions[session].templates.refresh(template, now) else {
            return false;
        };
        if received.transport == Transport::Udp && self.newest.refresh(template, now).is_none() {
            self.newest.insert(known, now, limits.templates);
        }
        true
    }

    /// Takes in a new or changed template; gives what it costs.
    pub(crate) fn define(
        &mut self,
        session: usize,
        received: &Received,
        template: Template,
        limits: &Limits,
    ) -> usize {
        let udp = received.transport == Transport::Udp;
        let now = received.at;
        let shared = if udp { self.newest.refresh(&template, now) } else { None };
        let fresh = || Arc::new(Known::new(template, self.protocol, self.repair));
        let known = shared.unwrap_or_else(fresh);
        let templates = &mut self.sessions[session].templates;
        let evicted = templates.insert(Arc::clone(&known), now, limits.templates);
        self.templates_evicted += evicted as u64;
        let cost = known.octets();
        if udp {
            self.newest.insert(known, now, limits.templates);
        }
        cost
    }

    /// Withdraws a template of a connection. Over UDP withdrawals are ignored, as RFC 7011 §8.4
    /// demands: anybody could send one in the exporter's name.
    pub(crate) fn withdraw(&mut self, session: usize, received: &Received, id: u16) {
        if received.transport != Transport::Udp {
            self.sessions[session].templates.remove(id);
        }
    }

    /// The same for all templates or all options templates.
    pub(crate) fn withdraw_all(&mut self, session: usize, received: &Received, options: bool) {
        if received.transport != Transport::Udp {
            self.sessions[session].templates.remove_all(options);
        }
    }

    /// Puts a data Set aside until its template comes. `room` is what all exporters together may
    /// still park. Gives what it took, or counts a drop.
    pub(crate) fn park(
        &mut self,
        set: &RawSet<'_>,
        header: &Header,
        received: &Received,
        room: usize,
        limits: &Limits,
        tally: &mut Tally,
    ) -> usize {
        let octets = set.body;
        let cost = octets.len() + PARKED_OVERHEAD;
        if cost > room || self.parked_octets + cost > limits.parked_octets_per_exporter {
            tally.drop_set(DropReason::ParkQuota, octets.len());
            return 0;
        }
        let (_, connection) = key(received);
        let parked = Parked { octets: octets.into(), received: *received, header: *header };
        self.parked.entry((connection, set.id)).or_default().push(parked);
        self.parked_sets += 1;
        self.parked_octets += cost;
        tally.sets_parked += 1;
        cost
    }

    /// Takes out the Sets that waited for template `id` in this session (UDP: on any port).
    pub(crate) fn release(
        &mut self,
        session: usize,
        received: &Received,
        id: u16,
        limits: &Limits,
        tally: &mut Tally,
    ) -> Vec<Released> {
        let Some(known) = self.sessions[session].templates.get(id).cloned() else {
            return Vec::new();
        };
        let (_, connection) = key(received);
        let waiting = self.parked.remove(&(connection, id)).unwrap_or_default();
        let mut released = Vec::with_capacity(waiting.len());
        for set in waiting {
            self.parked_sets -= 1;
            self.parked_octets -= set.cost();
            tally.sets_released += 1;
            released.push((self.learn(&known, &set, limits, tally), set));
        }
        // One snapshot for all of them, made after the last was learnt from: one each would copy
        // the names of an exporter as often as it parked Sets.
        let job = |(rows, set): (u32, Parked)| Released {
            work: self.work(&known, &set, rows),
            octets: set.octets,
            received: set.received,
        };
        released.into_iter().map(job).collect()
    }

    /// Counts the records of a Set whose template came, and learns from them.
    fn learn(&mut self, known: &Known, set: &Parked, limits: &Limits, tally: &mut Tally) -> u32 {
        let plan = known.plan();
        let (_, rows) = count(plan, &set.octets, limits.records, tally);
        if known.teaches() {
            crate::knowledge::learn(&mut self.knowledge, plan, &set.octets, rows, limits.names);
        }
        self.records_seen += rows as u64;
        rows as u32
    }

    fn work(&self, known: &Known, set: &Parked, rows: u32) -> Work {
        let mut sets = DataSets::default();
        let (length, plan) = (set.octets.len() as u32, Arc::clone(known.plan()));
        sets.push(DataSet { offset: 0, length, rows, plan });
        let knowledge = Arc::clone(&self.knowledge);
        Work { protocol: self.protocol, job: Job::Records { header: set.header, sets, knowledge } }
    }

    /// Drops parked Sets that `old` picks by time and connection; gives the cost of what went.
    pub(crate) fn drop_parked(
        &mut self,
        tally: &mut Tally,
        old: impl Fn(Timestamp, u64) -> bool,
    ) -> usize {
        let before = self.parked_octets;
        let (mut sets, mut cost) = (0, 0);
        self.parked.retain(|(connection, _), waiting| {
            waiting.retain(|set| {
                let goes = old(set.received.at, *connection);
                if goes {
                    sets += 1;
                    cost += set.cost();
                    tally.drop_set(DropReason::NoTemplate, set.octets.len());
                }
                !goes
            });
            !waiting.is_empty()
        });
        self.parked_sets -= sets;
        self.parked_octets -= cost;
        before - self.parked_octets
    }
}

fn key(received: &Received) -> (u16, u64) {
    match received.transport {
        Transport::Udp => (received.source.port(), 0),
        _ => (received.source.port(), received.session.0),
    }
}

fn add(sum: &mut SequenceStatus, other: SequenceStatus) {
    sum.missing += other.missing;
    sum.gaps += other.gaps;
    sum.reordered += other.reordered;
    sum.duplicates += other.duplicates;
    sum.restarts += other.restarts;
}
