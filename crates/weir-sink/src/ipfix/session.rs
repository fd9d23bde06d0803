//! One connection to the collector: the announcement, templates that it was told, messages on their
//! way, answers. Ends with the connection; what matters beyond that is in the buffer.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use weir_model::Timestamp;
use weir_wire::acknowledge::Answer;
use weir_wire::ipfix::session::{self, Stamp};

use super::buffer::Buffer;
use super::buffer::segment::{Message, Template};
use super::policy::ExportPolicy;
use super::tls::explained;
use super::wire::Wire;

/// Octets that wait for the socket at most, plus one message.
const OUT_MAX: usize = 128 << 10;
/// Datagrams sent before others are looked after.
const BURST: usize = 256;
/// Reads before others are looked after.
const READS: usize = 64;
/// First word of an answer.
const ANSWER: &[u8; 4] = b"WAK1";

/// Whether the collector acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    /// It was asked and has not answered.
    Asked,
    /// It does.
    Yes,
    /// It does not, or the transport has no way back.
    No,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("the collector closed the connection")]
    Closed,
    #[error("{}", explained(.0))]
    Io(#[from] io::Error),
    #[error("the collector answered with something that is no acknowledgement")]
    NoFrame,
    #[error("the collector knows numbers that were not used: another exporter has this identity")]
    Foreign,
    #[error("this exporter has taken another identity, since the disk takes no more numbers")]
    Parted,
}

/// What a step of a session did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Records that left the buffer, and whether acknowledged.
    pub(crate) acknowledged: u64,
    pub(crate) unacknowledged: u64,
    pub(crate) messages: u64,
    pub(crate) octets: u64,
    pub(crate) templates: u64,
    /// Datagrams that the other machine refused (ICMP).
    pub(crate) refused: u64,
}

struct Told {
    template: Arc<Template>,
    at: Duration,
    times: u32,
}

pub(crate) struct Session {
    wire: Wire,
    domain: u32,
    instance: [u8; 16],
    refresh: Duration,
    answer_by: Option<Duration>,
    answer_after: Duration,
    answers: Answers,
    told: HashMap<u16, Told>,
    out: Vec<u8>,
    out_at: usize,
    /// Octets put into `out` so far.
    queued: u64,
    /// Ends of messages: in octets of this connection, in numbers.
    marks: VecDeque<(u64, u64)>,
    frame: Vec<u8>,
    durable: u64,
    announced: bool,
}

impl Session {
    /// Begins. `answers` is what is known of this collector from connections before.
    pub(crate) fn new(
        wire: Wire,
        policy: &ExportPolicy,
        buffer: &mut Buffer,
        answers: Answers,
    ) -> Session {
        buffer.rewind();
        let answers = match (wire.is_udp(), answers) {
            (true, _) | (_, Answers::No) => Answers::No,
            (false, Answers::Asked | Answers::Yes) => Answers::Asked,
        };
        Session {
            announced: wire.is_udp(),
            wire,
            domain: policy.domain,
            instance: buffer.instance(),
            refresh: policy.template_refresh,
            answer_by: None,
            answer_after: policy.answer_after,
            answers,
            told: HashMap::new(),
            out: Vec::new(),
            out_at: 0,
            queued: 0,
            marks: VecDeque::new(),
            frame: Vec::new(),
            durable: 0,
        }
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    pub(crate) fn answers(&self) -> Answers {
        self.answers
    }

    /// True when something waits for the socket.
    pub(crate) fn wants_write(&self) -> bool {
        self.out_at < self.out.len() || self.wire.wants_write()
    }

    /// Sends and reads what can be without waiting. `progress` tells what was done, also before an
    /// error.
    pub(crate) fn step(
        &mut self,
        buffer: &mut Buffer,
        wall: Timestamp,
        now: Duration,
        progress: &mut Progress,
    ) -> Result<(), Ended> {
        if buffer.instance() != self.instance {
            return Err(Ended::Parted);
        }
        // Why: Read first. A collector that closes says why not at all, and a write would hide it.
        self.read(buffer, progress)?;
        match self.wire.is_udp() {
            true => self.datagrams(buffer, wall, now, progress),
            false => self.stream(buffer, wall, now, progress),
        }
    }

    fn stream(
        &mut self,
        buffer: &mut Buffer,
        wall: Timestamp,
        now: Duration,
        progress: &mut Progress,
    ) -> Result<(), Ended> {
        loop {
            self.fill(buffer, wall, now, progress);
            let written = self.wire.write(self.out.get(self.out_at..).unwrap_or_default());
            match written {
                Ok(count) => self.out_at += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
            if self.out_at >= self.out.len() {
                self.out.clear();
                self.out_at = 0;
                if buffer.is_sent() {
                    break;
                }
            }
        }
        if !self.wire.is_handshaking() && self.announced {
            self.answer_by.get_or_insert(now + self.answer_after);
        }
        if self.answers == Answers::Asked && self.answer_by.is_some_and(|by| now >= by) {
            self.answers = Answers::No;
        }
        if self.answers == Answers::No {
            progress.unacknowledged += self.believe_socket(buffer);
        }
        Ok(())
    }

    /// Lets go of what the socket has taken; gives its records. Of a collector that acknowledges
    /// that is nothing.
    pub(crate) fn believe_socket(&mut self, buffer: &mut Buffer) -> u64 {
        let on_socket = self.wire.on_socket();
        let mut records = 0;
        while let Some((_, end)) = self.marks.front().filter(|(octets, _)| *octets <= on_socket) {
            records += buffer.release(*end);
            self.marks.pop_front();
        }
        records
    }

    /// Says goodbye where the transport has a word for it.
    pub(crate) fn close(&mut self) {
        self.wire.close();
    }

    /// Puts messages into `out` while there is room.
    fn fill(
        &mut self,
        buffer: &mut Buffer,
        wall: Timestamp,
        now: Duration,
        progress: &mut Progress,
    ) {
        if self.out_at > OUT_MAX {
            self.out.drain(..self.out_at);
            self.out_at = 0;
        }
        let at = |sequence| Stamp { at: wall, sequence, domain: self.domain };
        if !self.announced {
            self.announced = true;
            session::announcement(&mut self.out, at(buffer.first()), &self.instance);
            self.queued += self.out.len() as u64;
        }
        while self.out.len() - self.out_at < OUT_MAX {
            let Some(message) = buffer.next_to_send() else { break };
            let before = self.out.len();
            for template in &message.templates {
                let known = self.told.get(&template.id);
                if known.is_some_and(|known| known.template == *template) {
                    continue;
                }
                let at = at(message.first);
                session::template(
                    &mut self.out,
                    at,
                    template.options,
                    &template.record,
                    known.is_some(),
                );
                let told = Told { template: Arc::clone(template), at: now, times: 1 };
                self.told.insert(template.id, told);
                progress.templates += 1;
            }
            let start = self.out.len();
            self.out.extend_from_slice(&message.octets);
            if let Some(copy) = self.out.get_mut(start..) {
                session::stamp(copy, at(message.first));
            }
            let octets = (self.out.len() - before) as u64;
            self.queued += octets;
            progress.messages += 1;
            progress.octets += octets;
            if self.answers != Answers::Yes {
                self.marks.push_back((self.queued, message.end()));
            }
        }
    }

    fn datagrams(
        &mut self,
        buffer: &mut Buffer,
        wall: Timestamp,
        now: Duration,
        progress: &mut Progress,
    ) -> Result<(), Ended> {
        for _ in 0..BURST {
            // What did not go is taken again.
            buffer.rewind();
            let Some(message) = buffer.next_to_send() else { break };
            if !self.datagram(&message, wall, now, progress)? {
                self.out.clear();
                self.out.push(0);
                return Ok(());
            }
            progress.unacknowledged += buffer.release(message.end());
        }
        self.out.clear();
        if buffer.records() > 0 {
            self.out.push(0);
        }
        Ok(())
    }

    /// Sends a message after the templates that are due; false when the socket has no room.
    fn datagram(
        &mut self,
        message: &Message,
        wall: Timestamp,
        now: Duration,
        progress: &mut Progress,
    ) -> Result<bool, Ended> {
        let at = Stamp { at: wall, sequence: message.first, domain: self.domain };
        let mut octets = Vec::new();
        for template in &message.templates {
            let known = self.told.get(&template.id).filter(|known| known.template == *template);
            // Why: The first datagrams may be lost as any, and with them all until the next: so a
            // new template is told again after 1, 2, 4 … seconds.
            let due = known.is_none_or(|known| {
                let pause = Duration::from_secs(1 << known.times.saturating_sub(1).min(16));
                now.saturating_sub(known.at) >= pause.min(self.refresh)
            });
            if !due {
                continue;
            }
            let times = known.map_or(0, |known| known.times) + 1;
            octets.clear();
            session::template(&mut octets, at, template.options, &template.record, false);
            if !self.send(&octets, progress)? {
                return Ok(false);
            }
            let told = Told { template: Arc::clone(template), at: now, times };
            self.told.insert(template.id, told);
            progress.templates += 1;
        }
        octets.clear();
        octets.extend_from_slice(&message.octets);
        session::stamp(&mut octets, at);
        let sent = self.send(&octets, progress)?;
        progress.messages += u64::from(sent);
        Ok(sent)
    }

    fn send(&mut self, octets: &[u8], progress: &mut Progress) -> Result<bool, Ended> {
        // A refusal is of a datagram before; it is told once, so the second try sends.
        for _ in 0..2 {
            match self.wire.write(octets) {
                Ok(_) => {
                    progress.octets += octets.len() as u64;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    progress.refused += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    fn read(&mut self, buffer: &mut Buffer, progress: &mut Progress) -> Result<(), Ended> {
        let mut octets = [0; 1_024];
        for _ in 0..READS {
            let came = match self.wire.read(&mut octets) {
                Ok(0) if self.wire.is_udp() => continue,
                Ok(0) => return Err(Ended::Closed),
                Ok(came) => octets.get(..came).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error)
                    if self.wire.is_udp() && error.kind() == io::ErrorKind::ConnectionRefused =>
                {
                    progress.refused += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if !self.wire.is_udp() {
                self.frame.extend_from_slice(came);
                self.frames(buffer, progress)?;
            }
        }
        Ok(())
    }

    fn frames(&mut self, buffer: &mut Buffer, progress: &mut Progress) -> Result<(), Ended> {
        while let Some((frame, rest)) = self.frame.split_first_chunk::<{ Answer::OCTETS }>() {
            let Answer { domain, durable } = Answer::decode(frame).ok_or(Ended::NoFrame)?;
            self.frame = rest.to_vec();
            if domain != self.domain || durable < self.durable {
                continue;
            }
            if durable > buffer.next() {
                buffer.part();
                return Err(Ended::Foreign);
            }
            self.answers = Answers::Yes;
            self.marks.clear();
            self.durable = durable;
            progress.acknowledged += buffer.release(durable);
        }
        match ANSWER.starts_with(self.frame.get(..4).unwrap_or(&self.frame)) {
            true => Ok(()),
            false => Err(Ended::NoFrame),
        }
    }
}
