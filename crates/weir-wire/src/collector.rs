//! State of exporters: templates, options knowledge, sequence accounts, parked Sets.
//!
//! The control pass. Reads every message once in order of arrival and decides what the decoding
//! pass shall do with it; touches the octets of data Sets only where records must be counted
//! (variable length) or teach something (options). Every map that a peer can grow is bounded by
//! [`Limits`].

mod domain;
mod pass;
mod sequence;
mod state;
mod table;
mod templates;

use std::sync::Arc;

use hashbrown::HashMap;
use weir_model::{Addr, Timestamp};

use self::domain::{Domain, Session};
use self::pass::Pass;
use self::sequence::Place;
use self::table::Table;
use self::templates::Entry;
use crate::error::{LoadError, MessageError};
use crate::header::{self, Header};
use crate::legacy;
use crate::limits::Limits;
use crate::protocol::{Protocol, recognise};
use crate::received::{Received, SessionId};
use crate::sflow5;
use crate::status::{ExporterStatus, TemplateStatus};
use crate::tally::{DropReason, Tally};
use crate::work::{Admitted, DataSet, DataSets, Job, Work};

/// Domains of one exporter that are compared when a sequence number does not fit.
const SIBLINGS: usize = 16;

/// Which exporter and domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DomainKey {
    pub(crate) addr: Addr,
    pub(crate) protocol: Protocol,
    pub(crate) domain: u32,
}

/// Mutable state of a set of exporters. `weir-ingest` keeps several, each behind a mutex and with
/// the exporters of one shard of addresses.
#[derive(Debug)]
pub struct Collector {
    limits: Limits,
    domains: HashMap<DomainKey, Domain>,
    parked_octets: usize,
    /// What templates and names take: grows with each, made exact by `expire`.
    state_octets: usize,
    /// Domains of each exporter, as far as kept: at most [`SIBLINGS`].
    siblings: HashMap<(Addr, Protocol), Vec<u32>>,
    /// No exporter can be forgotten before then: spares the search while the table is full.
    full_until: Timestamp,
}

impl Collector {
    /// A collector that knows no exporter yet.
    pub fn new(limits: Limits) -> Collector {
        let full_until = Timestamp(i64::MIN);
        Collector {
            limits,
            domains: HashMap::new(),
            parked_octets: 0,
            state_octets: 0,
            siblings: HashMap::new(),
            full_until,
        }
    }

    /// The control pass over one message, in the order of arrival within its session.
    pub fn admit(&mut self, octets: &[u8], received: &Received) -> Result<Admitted, MessageError> {
        let version = octets.first_chunk().map_or(0, |c| u16::from_be_bytes(*c));
        match recognise(octets).ok_or(MessageError::UnknownProtocol { version })? {
            Protocol::Ipfix => {
                let (header, message) = header::ipfix(octets)?;
                self.admit_sets(Protocol::Ipfix, header, message, header::IPFIX_HEADER, received)
            }
            Protocol::NetFlow9 => {
                let header = header::netflow9(octets)?;
                let start = header::NETFLOW9_HEADER;
                self.admit_sets(Protocol::NetFlow9, header, octets, start, received)
            }
            Protocol::Sflow5 => self.admit_samples(octets, received),
            legacy => self.admit_legacy(legacy, octets, received),
        }
    }

    fn admit_samples(
        &mut self,
        octets: &[u8],
        received: &Received,
    ) -> Result<Admitted, MessageError> {
        let samples = sflow5::header(octets)?;
        let key = DomainKey {
            addr: samples.exporter(received),
            protocol: Protocol::Sflow5,
            domain: samples.sub_agent,
        };
        let header = Header {
            export_time: received.at,
            boot_time: None,
            uptime_ms: Some(samples.uptime_ms),
            sequence: samples.sequence,
            domain: samples.sub_agent,
            sampling_rate: None,
        };
        let (domain, session) = Table {
            domains: &mut self.domains,
            siblings: &mut self.siblings,
            full_until: &mut self.full_until,
        }
        .open(&self.limits, key, received)?;
        // The number is the sender's claim; a sample has at least its head of eight octets.
        domain.records_seen += u64::from(samples.samples).min(octets.len() as u64 / 8);
        let tally = message_tally(octets.len());
        domain.tally += &tally;
        let place = place(&header, Some(1));
        if !domain.observe(session, place) {
            self.observe_break(&key, session, &place);
        }
        let work = Work { protocol: Protocol::Sflow5, job: Job::Samples(samples.samples) };
        Ok(admitted(work, tally))
    }

    fn admit_legacy(
        &mut self,
        protocol: Protocol,
        octets: &[u8],
        received: &Received,
    ) -> Result<Admitted, MessageError> {
        let (header, count, body) = legacy::header(protocol, octets)?;
        let key = DomainKey { addr: received.addr(), protocol, domain: header.domain };
        let (domain, session) = Table {
            domains: &mut self.domains,
            siblings: &mut self.siblings,
            full_until: &mut self.full_until,
        }
        .open(&self.limits, key, received)?;
        domain.clock_skew_ns = header.export_time.0.saturating_sub(received.at.0);
        let mut tally = message_tally(octets.len());
        tally.sets = 1;
        let fit = body.len() / legacy::record_octets(protocol);
        if fit < count {
            // How many records the missing octets were is only claimed: they count as one.
            tally.drop_records(DropReason::MalformedSet, 1, 0);
        }
        let rows = fit.min(self.limits.records);
        if rows < fit {
            let lost = body.len() / fit * (fit - rows);
            tally.drop_records(DropReason::RecordQuota, (fit - rows) as u64, lost);
        }
        domain.records_seen += rows as u64;
        domain.tally += &tally;
        let mut sets = DataSets::default();
        sets.push(DataSet {
            offset: legacy::HEADER as u32,
            length: body.len() as u32,
            rows: rows as u32,
            plan: legacy::plan_of(protocol),
        });
        let knowledge = Arc::clone(&domain.knowledge);
        let place = place(&header, Some(fit as u32));
        if !domain.observe(session, place) {
            self.observe_break(&key, session, &place);
        }
        let work = Work { protocol, job: Job::Records { header, sets, knowledge } };
        Ok(admitted(work, tally))
    }

    fn admit_sets(
        &mut self,
        protocol: Protocol,
        header: Header,
        message: &[u8],
        start: usize,
        received: &Received,
    ) -> Result<Admitted, MessageError> {
        // Framing first: a broken message changes nothing.
        for set in header::sets(message, start) {
            set?;
        }
        let key = DomainKey { addr: received.addr(), protocol, domain: header.domain };
        let (domain, session) = Table {
            domains: &mut self.domains,
            siblings: &mut self.siblings,
            full_until: &mut self.full_until,
        }
        .open(&self.limits, key, received)?;
        domain.clock_skew_ns = header.export_time.0.saturating_sub(received.at.0);
        let mut pass = Pass {
            protocol,
            header: &header,
            received,
            limits: &self.limits,
            parked_octets: &mut self.parked_octets,
            state_octets: &mut self.state_octets,
            domain,
            session,
            tally: message_tally(message.len()),
            sets: DataSets::default(),
            released: Vec::new(),
            units: Some(0),
            options: 0,
            rows: 0,
            announcement: None,
        };
        for set in header::sets(message, start).flatten() {
            pass.set(&set);
        }
        let broken = pass.observe();
        let admitted = Ok(pass.finish());
        if let Some(place) = broken {
            self.observe_break(&key, session, &place);
        }
        admitted
    }

    /// Takes a message that does not follow its forerunner into the sequence account. Slow path:
    /// looks whether it follows the last one of another domain of the same session.
    #[cold]
    fn observe_break(&mut self, key: &DomainKey, session: usize, place: &Place) {
        let Some(here) = self.domains.get(key).map(|domain| &domain.sessions[session]) else {
            return;
        };
        let siblings = self.siblings.get(&(key.addr, key.protocol)).into_iter().flatten();
        let others = siblings.filter(|&&id| id != key.domain);
        let shared = others
            .filter_map(|&domain| self.domains.get(&DomainKey { domain, ..*key }))
            .filter_map(|other| {
                other.sessions.iter().find(|s| (s.port, s.id) == (here.port, here.id))
            })
            .any(|twin| twin.sequence.expected() == Some(place.sequence));
        if let Some(domain) = self.domains.get_mut(key) {
            domain.sessions[session].sequence.observe(Place { shared, ..*place });
        }
    }

    /// Forgets old templates and old parked data; the tally has what was dropped. Call it every
    /// few seconds.
    pub fn expire(&mut self, now: Timestamp) -> Tally {
        let mut tally = Tally::default();
        let templates_from = now.minus(self.limits.template_lifetime);
        let parked_from = now.minus(self.limits.parked_age);
        for domain in self.domains.values_mut() {
            let mut expired = 0;
            // Templates of connections live as long as the connection.
            for session in domain.sessions.iter_mut().filter(|session| session.id == 0) {
                expired += session.templates.expire(templates_from);
            }
            domain.newest.expire(templates_from);
            domain.templates_evicted += expired as u64;
            let mut dropped = Tally::default();
            self.parked_octets -= domain.drop_parked(&mut dropped, |at, _| at < parked_from);
            domain.tally += &dropped;
            tally += &dropped;
        }
        self.state_octets = self.domains.values().map(Domain::state_octets).sum();
        tally
    }

    /// Forgets the templates and parked data of a connection that closed.
    pub fn end_session(&mut self, session: SessionId) -> Tally {
        let mut tally = Tally::default();
        if session == SessionId(0) {
            return tally;
        }
        for domain in self.domains.values_mut() {
            while let Some(at) = domain.sessions.iter().position(|s| s.id == session.0) {
                domain.close(at);
            }
            let mut dropped = Tally::default();
            self.parked_octets -= domain.drop_parked(&mut dropped, |_, id| id == session.0);
            domain.tally += &dropped;
            tally += &dropped;
        }
        tally
    }

    /// Templates and options knowledge, to [`Collector::load`] after a restart.
    pub fn save(&self) -> Vec<u8> {
        state::save(&self.domains)
    }

    /// Takes in what `save` of this or another collector gave; `keep` picks the exporters of this
    /// shard. Nothing is changed when the state is damaged.
    pub fn load(&mut self, saved: &[u8], keep: impl Fn(Addr) -> bool) -> Result<(), LoadError> {
        state::load(saved, &self.limits, &mut self.domains, keep)?;
        for key in self.domains.keys() {
            let siblings = self.siblings.entry((key.addr, key.protocol)).or_default();
            if siblings.len() < SIBLINGS && !siblings.contains(&key.domain) {
                siblings.push(key.domain);
            }
        }
        Ok(())
    }

    /// Sets parked at the moment.
    pub fn parked_sets(&self) -> u64 {
        self.domains.values().map(|domain| domain.parked_sets as u64).sum()
    }

    /// The templates that an exporter's domain told (every domain if none is named), by id and
    /// session; at most `most`, and how many more there are.
    pub fn templates(
        &self,
        addr: Addr,
        domain: Option<u32>,
        most: usize,
    ) -> (Vec<TemplateStatus>, usize) {
        let asked = |key: &DomainKey| key.addr == addr && domain.is_none_or(|d| d == key.domain);
        let domains = self.domains.iter().filter(|(key, _)| asked(key));
        let sessions = domains.flat_map(|(_, domain)| &domain.sessions);
        let told = sessions.flat_map(|s| s.templates.entries().map(move |entry| (s, entry)));
        let mut told: Vec<_> = told.collect();
        told.sort_unstable_by_key(|(s, entry)| (entry.known.template.id, s.id, s.port));
        let left_out = told.len().saturating_sub(most);
        told.truncate(most);
        let status = |(session, entry): (&Session, &Entry)| {
            let template = &entry.known.template;
            TemplateStatus {
                id: template.id,
                port: session.port,
                session: session.id,
                fields: template.fields.clone(),
                scope: template.scope,
                defined: entry.defined,
            }
        };
        (told.into_iter().map(status).collect(), left_out)
    }

    /// One status per exporter and observation domain.
    pub fn exporters(&self) -> impl Iterator<Item = ExporterStatus> {
        self.domains.iter().map(|(key, domain)| status(key, domain))
    }
}

/// A message of a protocol without templates.
fn admitted(work: Work, tally: Tally) -> Admitted {
    Admitted { work, released: Vec::new(), tally, records: None, announcement: None }
}

fn message_tally(octets: usize) -> Tally {
    Tally { messages: 1, octets: octets as u64, ..Tally::default() }
}

fn place(header: &Header, units: Option<u32>) -> Place {
    let (sequence, uptime_ms) = (header.sequence, header.uptime_ms);
    Place { sequence, units, options: 0, uptime_ms, shared: false }
}

fn status(key: &DomainKey, domain: &Domain) -> ExporterStatus {
    let known = &domain.knowledge;
    let mut sampling: Vec<(Option<u64>, u32)> =
        known.samplers.iter().map(|(id, rate)| (Some(*id), *rate)).collect();
    sampling.extend(known.forced.or(known.general).map(|rate| (None, rate)));
    sampling.sort_unstable();
    ExporterStatus {
        addr: key.addr,
        protocol: key.protocol,
        domain: key.domain,
        sessions: domain.sessions.len(),
        first_seen: domain.first_seen,
        last_seen: domain.last_seen,
        tally: domain.tally.clone(),
        records_seen: domain.records_seen,
        sequence: domain.sequence(),
        templates: domain.sessions.iter().map(|session| session.templates.len()).sum(),
        templates_evicted: domain.templates_evicted,
        parked_sets: domain.parked_sets,
        parked_octets: domain.parked_octets,
        sampling,
        names: known.names(),
        clock_skew_ns: domain.clock_skew_ns,
    }
}

#[cfg(test)]
mod tests;
