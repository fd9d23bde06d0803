//! Templates and options knowledge as octets, to survive a restart.
//!
//! Layout, all big-endian: 8 octets of magic with the version, then entries of a kind (u8), an
//! exporter (address 16, protocol 1, domain 4), a length (u32) and so many octets. Kind 1 is a
//! template: source port (u16), last definition (i64), 1 for options, the record as it came.
//! Kinds 2 to 9 are one fact each: a key, then a value. A template is read back by the parser of
//! the wire, so a state file can do no more than a datagram.

use std::hash::Hash;
use std::sync::Arc;

use hashbrown::HashMap;
use weir_model::{Addr, Timestamp};

use super::DomainKey;
use super::domain::{Domain, NEVER, Session};
use super::templates::Known;
use crate::error::LoadError;
use crate::knowledge::{Knowledge, Shared};
use crate::limits::Limits;
use crate::protocol::Protocol;
use crate::template::{Definition, Template, read};

const MAGIC: &[u8; 8] = b"WEIRTPL\x01";

const TEMPLATE: u8 = 1;
const GENERAL: u8 = 2;
const SAMPLER: u8 = 3;
const SAMPLED_INTERFACE: u8 = 4;
const SAMPLED_TEMPLATE: u8 = 5;
const INTERFACE: u8 = 6;
const VRF: u8 = 7;
const APPLICATION: u8 = 8;
const BOOT: u8 = 9;

pub(super) fn save(domains: &HashMap<DomainKey, Domain>) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let mut keys: Vec<_> = domains.keys().collect();
    keys.sort_unstable();
    for key in keys {
        let domain = &domains[key];
        let mut put = |kind: u8, parts: &[&[u8]]| entry(&mut out, key, kind, parts);
        // Connections and their templates end with the program.
        for session in domain.sessions.iter().filter(|session| session.id == 0) {
            let mut templates: Vec<_> = session.templates.entries().collect();
            templates.sort_unstable_by_key(|entry| entry.known.template.id);
            for template in templates {
                let known = &template.known.template;
                let options = [u8::from(known.scope.is_some())];
                let (port, time) = (session.port.to_be_bytes(), template.defined.0.to_be_bytes());
                put(TEMPLATE, &[&port, &time, &options, &known.raw]);
            }
        }
        save_knowledge(&domain.knowledge, &mut put);
    }
    out
}

fn save_knowledge(known: &Knowledge, put: &mut impl FnMut(u8, &[&[u8]])) {
    if let Some(rate) = known.general {
        put(GENERAL, &[&rate.to_be_bytes()]);
    }
    if let Some(boot) = known.boot {
        put(BOOT, &[&boot.0.to_be_bytes()]);
    }
    for (id, rate) in sorted(&known.samplers) {
        put(SAMPLER, &[&id.to_be_bytes(), &rate.to_be_bytes()]);
    }
    for (index, rate) in sorted(&known.sampled_interfaces) {
        put(SAMPLED_INTERFACE, &[&index.to_be_bytes(), &rate.to_be_bytes()]);
    }
    for (id, rate) in sorted(&known.sampled_templates) {
        put(SAMPLED_TEMPLATE, &[&id.to_be_bytes(), &rate.to_be_bytes()]);
    }
    for (kind, names) in [(INTERFACE, &known.interfaces), (VRF, &known.vrfs)] {
        for (id, name) in sorted(names) {
            put(kind, &[&id.to_be_bytes(), name.as_bytes()]);
        }
    }
    for (id, name) in sorted(&known.applications) {
        put(APPLICATION, &[&[id.len() as u8], id, name.as_bytes()]);
    }
}

/// The same state gives the same octets.
fn sorted<K: Ord + Hash, V>(map: &Shared<K, V>) -> Vec<(&K, &V)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries
}

fn entry(out: &mut Vec<u8>, key: &DomainKey, kind: u8, parts: &[&[u8]]) {
    out.push(kind);
    out.extend_from_slice(&key.addr.octets());
    out.push(key.protocol.number());
    out.extend_from_slice(&key.domain.to_be_bytes());
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.extend_from_slice(&(length as u32).to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// What to add to the knowledge.
type Addition = Box<dyn FnOnce(&mut Knowledge)>;

/// One fact read back.
enum Fact {
    Template { port: u16, defined: Timestamp, template: Template },
    Knows(Addition),
}

pub(super) fn load(
    saved: &[u8],
    limits: &Limits,
    domains: &mut HashMap<DomainKey, Domain>,
    keep: impl Fn(Addr) -> bool,
) -> Result<(), LoadError> {
    let body = saved.strip_prefix(MAGIC).ok_or(LoadError::Version)?;
    let mut facts = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let damaged = LoadError::Damaged { offset: saved.len() - rest.len() };
        let (key, fact, took) = read_entry(rest, limits).ok_or(damaged)?;
        rest = rest.get(took..).ok_or(damaged)?;
        facts.push((key, fact));
    }
    for (key, fact) in facts.into_iter().filter(|(key, _)| keep(key.addr)) {
        if domains.contains_key(&key) || domains.len() < limits.exporters {
            let settings = limits.settings_of(key.addr);
            let domain =
                domains.entry(key).or_insert_with(|| Domain::new(key.protocol, NEVER, settings));
            apply(domain, fact, limits);
        }
    }
    Ok(())
}

fn apply(domain: &mut Domain, fact: Fact, limits: &Limits) {
    match fact {
        Fact::Knows(learn) => {
            if domain.knowledge.entries() < limits.names {
                learn(Arc::make_mut(&mut domain.knowledge));
            }
        }
        Fact::Template { port, defined, template } => {
            let known = Arc::new(Known::new(template, domain.protocol, domain.repair));
            let found = domain.sessions.iter().position(|s| s.port == port && s.id == 0);
            let at = match found {
                Some(at) => at,
                None if domain.sessions.len() >= limits.sessions => return,
                None => {
                    domain.sessions.push(Session { port, ..Session::default() });
                    domain.sessions.len() - 1
                }
            };
            let id = known.template.id;
            let newest = domain.newest.entries().find(|e| e.known.template.id == id);
            if newest.is_none_or(|entry| entry.defined <= defined) {
                domain.newest.insert(Arc::clone(&known), defined, limits.templates);
            }
            domain.sessions[at].templates.insert(known, defined, limits.templates);
        }
    }
}

fn read_entry(rest: &[u8], limits: &Limits) -> Option<(DomainKey, Fact, usize)> {
    let (kind, after) = rest.split_first()?;
    let (addr, after) = after.split_first_chunk::<16>()?;
    let (&protocol, after) = after.split_first()?;
    let (domain, after) = after.split_first_chunk::<4>()?;
    let (length, after) = after.split_first_chunk::<4>()?;
    let value = after.get(..u32::from_be_bytes(*length) as usize)?;
    let protocol = Protocol::from_number(protocol)?;
    let key = DomainKey { addr: Addr::v6(*addr), protocol, domain: u32::from_be_bytes(*domain) };
    let fact = match *kind {
        TEMPLATE => read_template(protocol, value, limits)?,
        kind => Fact::Knows(read_fact(kind, value)?),
    };
    Some((key, fact, rest.len() - after.len() + value.len()))
}

fn read_template(protocol: Protocol, value: &[u8], limits: &Limits) -> Option<Fact> {
    let (port, after) = value.split_first_chunk::<2>()?;
    let (time, after) = after.split_first_chunk::<8>()?;
    let (&options, raw) = after.split_first()?;
    match read(protocol, options == 1, raw, limits.template_fields)?.ok()? {
        (Definition::Define(template), took) if took == raw.len() => Some(Fact::Template {
            port: u16::from_be_bytes(*port),
            defined: Timestamp(i64::from_be_bytes(*time)),
            template,
        }),
        _ => None,
    }
}

fn read_fact(kind: u8, value: &[u8]) -> Option<Addition> {
    let word = |at: usize| value.get(at..)?.first_chunk().map(|c| u32::from_be_bytes(*c));
    let text = |at: usize| Some(Arc::<str>::from(std::str::from_utf8(value.get(at..)?).ok()?));
    Some(match kind {
        GENERAL => {
            let rate = word(0)?;
            Box::new(move |known| known.general = Some(rate))
        }
        BOOT => {
            let boot = Timestamp(i64::from_be_bytes(*value.first_chunk()?));
            Box::new(move |known| known.boot = Some(boot))
        }
        SAMPLER => {
            let (id, rate) = (u64::from_be_bytes(*value.first_chunk()?), word(8)?);
            Box::new(move |known| known.samplers.insert(id, rate))
        }
        SAMPLED_INTERFACE => {
            let (index, rate) = (word(0)?, word(4)?);
            Box::new(move |known| known.sampled_interfaces.insert(index, rate))
        }
        SAMPLED_TEMPLATE => {
            let (id, rate) = (u16::from_be_bytes(*value.first_chunk()?), word(2)?);
            Box::new(move |known| known.sampled_templates.insert(id, rate))
        }
        INTERFACE => {
            let (index, name) = (word(0)?, text(4)?);
            Box::new(move |known| known.interfaces.insert(index, name))
        }
        VRF => {
            let (id, name) = (word(0)?, text(4)?);
            Box::new(move |known| known.vrfs.insert(id, name))
        }
        APPLICATION => {
            let length = usize::from(*value.first()?);
            let (id, name) = (value.get(1..1 + length)?.into(), text(1 + length)?);
            Box::new(move |known| known.applications.insert(id, name))
        }
        _ => return None,
    })
}
