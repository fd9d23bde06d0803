//! Packet samples as rows: one in N of the packets of this machine, as sFlow's samples look.

use std::collections::HashMap;
use std::time::Duration;

use weir_model::column::ElementKey;
use weir_model::columns::flows as c;
use weir_model::{FlowBatch, Table, elements};
use weir_wire::sflow5::{EXTRA_PEN, INTERNAL_IF};

use super::filter::{self, OUTGOING};
use super::links::Links;
use super::packet::Packet;
use super::{SamplingPolicy, Tap};
use crate::cache::Moment;
use crate::cache::rows::{Identity, LOCAL};
use crate::source::{Intake, Source, SourceError, Tier};
use crate::sys::packet::Frame;

/// Name of the source, and word of `metered_by`.
pub(crate) const NAME: &str = "packet_sampling";
/// Octets of the receive buffer: 4,000 samples and more.
const BUFFER: usize = 8 << 20;
/// Calls of 64 frames a look: 16,384 samples a second. What is more is lost and counted.
const CALLS: usize = 64;
/// Time between looks. sFlow asks that no sample waits for longer than a second.
const INTERVAL: Duration = Duration::from_millis(250);
/// How often interfaces and addresses are read.
const LINKS_INTERVAL: Duration = Duration::from_secs(1);
/// Rows that wait to be taken. Past it samples are dropped, counted.
const ROWS_MAX: usize = 16_384;
/// Octets of a sampled header at most (Host sFlow's limit).
const HEADER_MAX: usize = 256;
/// `PACKET_HOST`.
const HOST: u8 = 0;

/// The source.
pub struct Sampler {
    tap: Tap,
    policy: SamplingPolicy,
    links: Links,
    looked: Option<Duration>,
    rows: FlowBatch,
    /// Packets of each interface when sampling began; of one that came later, none.
    began: HashMap<u32, u64>,
    /// Samples that had no room here.
    unkept: u64,
    /// Samples of packets that count at another interface.
    elsewhere: u64,
    made: u64,
}

impl Sampler {
    /// Opens the socket, if the policy wants samples.
    pub fn probe(policy: SamplingPolicy) -> (Tier, Option<Sampler>) {
        const COSTS: &str = "there are no packet samples to keep or to export by sFlow";
        let missing = |why| Tier { is_expected: policy.rows, ..Tier::missing(NAME, why, COSTS) };
        if !policy.rows {
            return (missing("meter.sample_rows is off".to_owned()), None);
        }
        // Why: Interfaces first, so that the account of each begins before its first sample.
        let links = match Links::open() {
            Ok(links) => links,
            Err(error) => return (missing(error.to_string()), None),
        };
        match Tap::open(&filter::sample(policy.rate, policy.loopback), BUFFER) {
            Ok(tap) => {
                let sampler = Sampler {
                    tap,
                    policy,
                    began: links.table().all(),
                    links,
                    looked: None,
                    rows: FlowBatch::new(Table::Flows),
                    unkept: 0,
                    elsewhere: 0,
                    made: 0,
                };
                (Tier::runs(NAME), Some(sampler))
            }
            Err(why) => (missing(why), None),
        }
    }

    fn take(&mut self, now: Moment, identity: Identity) -> Result<(), SourceError> {
        let Self { tap, policy, links, rows, began, unkept, elsewhere, made, .. } = self;
        let ((_, lost), links) = (tap.totals(), links.table());
        // Interfaces do not change their account within this call.
        let mut pools = HashMap::new();
        tap.each(CALLS, |frame| {
            let packet = Packet::new(frame);
            let src = packet.seen.ip.and_then(|ip| ip.src);
            if !links.counts(frame.interface, frame.kind == OUTGOING, src) {
                *elsewhere += 1;
                return;
            }
            if rows.rows() >= ROWS_MAX {
                *unkept += 1;
                return;
            }
            let pool = *pools.entry(frame.interface).or_insert_with(|| {
                let packets = links.packets(frame.interface).unwrap_or(0);
                packets.saturating_sub(began.get(&frame.interface).copied().unwrap_or(0))
            });
            let drops = lost.saturating_add(*unkept);
            let sample = Sample { frame, packet: &packet, pool, drops };
            sample.push(rows, *policy, identity, now);
            *made += 1;
        })
    }
}

impl Source for Sampler {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<Duration, SourceError> {
        self.tap.account()?;
        if self.looked.is_none_or(|at| now.mono.saturating_sub(at) >= LINKS_INTERVAL) {
            self.links.look()?;
            self.looked = Some(now.mono);
        }
        self.take(now, intake.identity)?;
        Ok(INTERVAL)
    }

    fn rows(&mut self) -> Option<&mut FlowBatch> {
        Some(&mut self.rows)
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let (passed, lost) = self.tap.totals();
        vec![
            ("samples", self.made),
            ("samples_passed", passed),
            ("samples_lost", lost),
            ("samples_unkept", self.unkept),
            ("samples_elsewhere", self.elsewhere),
            ("samples_unreadable", self.tap.unreadable),
        ]
    }
}

/// One sample on its way into a row.
struct Sample<'a> {
    frame: &'a Frame<'a>,
    packet: &'a Packet,
    pool: u64,
    drops: u64,
}

impl Sample<'_> {
    fn push(&self, rows: &mut FlowBatch, policy: SamplingPolicy, identity: Identity, now: Moment) {
        let row = rows.append_rows(1);
        let Sample { frame, packet, .. } = self;
        let at = frame.at.and_then(|at| i64::try_from(at.as_nanos()).ok()).unwrap_or(now.wall.0);
        rows.set(c::RECEIVED_AT, row, now.wall.0);
        rows.set(c::EVENT_TIME, row, at);
        rows.set(c::EXPORTER_ADDR, row, identity.addr);
        rows.set(c::EXPORT_PROTOCOL, row, LOCAL);
        rows.set(c::OBSERVATION_DOMAIN, row, 0u32);
        rows.set_octets(c::METERED_BY, row, NAME.as_bytes());
        rows.set(c::SAMPLING_RATE, row, policy.rate.max(1));
        // Both wrap at 32 bits, as sFlow's do.
        rows.set(c::SAMPLE_POOL, row, self.pool as u32);
        rows.set(c::SAMPLE_DROPS, row, self.drops as u32);
        rows.set(c::SOURCE_CLASS, row, 0u8);
        rows.set(c::SOURCE_INDEX, row, frame.interface);
        let (input, output) = match frame.kind {
            OUTGOING => (INTERNAL_IF, frame.interface),
            HOST => (frame.interface, INTERNAL_IF),
            // Forwarded, or sent to many: by where is not known when it comes in.
            _ => (frame.interface, 0),
        };
        rows.set(c::IN_IF, row, input);
        rows.set(c::OUT_IF, row, output);
        rows.set(c::DIRECTION, row, u8::from(frame.kind == OUTGOING));
        rows.set(c::FRAME_LENGTH, row, packet.frame_length());
        rows.set(c::PACKETS, row, packet.packets);
        rows.set(c::OCTETS, row, packet.octets_on_wire);
        packet.seen.write(rows, row);
        packet.seen.write_application(packet.octets(), rows, row);
        if policy.header_octets > 0 {
            rows.set_octets(c::EXTRA, row, &header_record(packet, policy.header_octets));
        }
    }
}

/// The sampled header as an sFlow record (0:1) among what has no column: that is how the sample's
/// octets reach an exporter, and how they would be kept if they came from another agent.
fn header_record(packet: &Packet, octets_max: usize) -> Vec<u8> {
    let octets = packet.octets();
    let octets = octets.get(..octets_max.min(HEADER_MAX)).unwrap_or(octets);
    let stripped = if packet.link == weir_wire::packet::Link::ETHERNET { 4 } else { 0 };
    let mut body = Vec::with_capacity(20 + octets.len());
    for word in [packet.link.0, packet.frame_length(), stripped, octets.len() as u32] {
        body.extend(word.to_be_bytes());
    }
    body.extend(octets);
    body.resize(body.len().next_multiple_of(4), 0);
    let mut extra = Vec::new();
    elements::push(&mut extra, ElementKey { pen: EXTRA_PEN, id: 1 }, &body);
    extra
}
