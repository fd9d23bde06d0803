//! Acknowledged streams: which numbered records are durable, and which came before.
//!
//! Between the thread of connections, which asks before each message of an exporter that announced
//! itself, the workers, which say what the sink did with it, and the sink, which knows what was kept
//! by an earlier run (`docs/formats/acknowledgement.md`). Invariant: what is told to an exporter is
//! durable, or dropped for a counted reason; what it sends again is kept once.

mod ranges;
mod stream;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use weir_model::Table;
use weir_wire::acknowledge::Instance;
use weir_wire::{Announcement, SessionId};

use crate::sink::{Sink, SinkLoss, Ticket, Verdict};
pub(crate) use stream::Place;
use stream::Stream;

/// Streams that are known at once: those without a connection and with nothing on its way are
/// forgotten first.
const STREAMS_MAX: usize = 4_096;

/// Messages on their way, of all streams together.
const IN_FLIGHT_MAX: usize = 1 << 18;

/// Ranges that it takes to say what is kept of one stream, past which its connection ends.
const RANGES_MAX: usize = 1 << 17;

/// Number of a stream; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StreamId(u64);

/// A message of a stream on its way to the sink.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noted {
    pub(crate) stream: StreamId,
    pub(crate) number: u64,
    /// What became of its rows for this table decides.
    pub(crate) table: Table,
}

/// What there is to know of acknowledgement at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AcknowledgeStatus {
    /// Streams (exporter and observation domain) that have a connection.
    pub streams: usize,
    /// Messages that are on their way to the sink or not durable yet.
    pub in_flight: usize,
    /// Answers told.
    pub answers: u64,
    /// Times that the sink was asked what it had.
    pub questions: u64,
    /// How long that took, in all.
    pub asking: Duration,
}

#[derive(Default)]
struct Inner {
    streams: HashMap<StreamId, (StreamKey, Stream)>,
    by_key: HashMap<StreamKey, StreamId>,
    next_id: u64,
    in_flight: usize,
    /// Handed to the sink, not known to be durable.
    waiting: Vec<(Ticket, Vec<(StreamId, u64)>)>,
    questions: VecDeque<(StreamId, u64)>,
    closed: bool,
    status: AcknowledgeStatus,
}

type StreamKey = (Instance, u32);

/// See the module.
pub(crate) struct Acknowledging {
    inner: Mutex<Inner>,
    asked: Condvar,
    /// `None` when the sink keeps nothing beyond this run: then nothing is acknowledged.
    sink: Option<Arc<dyn Sink>>,
}

impl Acknowledging {
    pub(crate) fn new(sink: &Arc<dyn Sink>) -> Acknowledging {
        let sink = sink.durable().is_some().then(|| Arc::clone(sink));
        Acknowledging { inner: Mutex::default(), asked: Condvar::new(), sink }
    }

    /// True when announcements are answered.
    pub(crate) fn is_on(&self) -> bool {
        self.sink.is_some()
    }

    /// Opens a stream, or takes it over from an older connection. `None` when there are too many.
    pub(crate) fn announce(
        &self,
        session: SessionId,
        domain: u32,
        announcement: Announcement,
    ) -> Option<StreamId> {
        let mut inner = self.lock();
        let key = (announcement.instance, domain);
        let id = match inner.by_key.get(&key) {
            Some(id) => *id,
            None => inner.open(key)?,
        };
        let (_, stream) = inner.streams.get_mut(&id)?;
        stream.announce(session, announcement.first);
        Some(id)
    }

    /// Where a message belongs; asks the sink first where that is needed.
    pub(crate) fn place(&self, id: StreamId, session: SessionId, sequence: u32) -> Place {
        let mut inner = self.lock();
        let full = inner.in_flight >= IN_FLIGHT_MAX;
        let many = inner.questions.len() >= STREAMS_MAX;
        let Some((_, stream)) = inner.streams.get_mut(&id) else { return Place::Over };
        let place = match stream.place(session, sequence) {
            Place::New(_) if full => Place::Wait,
            Place::Ask(_) if many => Place::Wait,
            _ if stream.ranges() > RANGES_MAX => Place::Over,
            place => place,
        };
        if let Place::Ask(from) = place {
            stream.ask(from);
            inner.questions.push_back((id, from));
            drop(inner);
            self.asked.notify_one();
        }
        place
    }

    /// Notes a message that passed the control pass.
    pub(crate) fn taken(&self, id: StreamId, number: u64, records: Option<u32>, in_flight: bool) {
        let mut inner = self.lock();
        let Some((_, stream)) = inner.streams.get_mut(&id) else { return };
        let before = stream.in_flight();
        stream.taken(number, records, in_flight);
        let added = stream.in_flight() - before;
        inner.in_flight += added;
    }

    /// Notes what the sink did with messages whose rows it was given.
    pub(crate) fn handed(&self, messages: Vec<Noted>, verdict: Verdict, ticket: Option<Ticket>) {
        if messages.is_empty() {
            return;
        }
        let mut inner = self.lock();
        let mut kept = Vec::with_capacity(messages.len());
        for Noted { stream, number, table } in messages {
            match verdict.of(table) {
                Some(SinkLoss::DiskFull | SinkLoss::Io | SinkLoss::Closed) => {
                    inner.settle(stream, number, false);
                }
                // What the sink refuses for good, it would refuse again.
                Some(SinkLoss::Refused | SinkLoss::Panicked) => {
                    inner.settle(stream, number, true);
                }
                None => kept.push((stream, number)),
            }
        }
        match ticket {
            Some(ticket) => inner.waiting.push((ticket, kept)),
            None => kept.into_iter().for_each(|(id, number)| inner.settle(id, number, true)),
        }
    }

    /// Looks which of what was handed over is durable now.
    pub(crate) fn look(&self) {
        let mut inner = self.lock();
        let durable: Vec<_> = inner.waiting.extract_if(.., |(ticket, _)| ticket()).collect();
        for (id, number) in durable.into_iter().flat_map(|(_, messages)| messages) {
            inner.settle(id, number, true);
        }
    }

    /// What is to be told to a connection of one of its streams, if there is news.
    pub(crate) fn news(&self, id: StreamId, session: SessionId) -> Option<u64> {
        let mut inner = self.lock();
        let (_, stream) = inner.streams.get_mut(&id)?;
        let news = stream.news().filter(|_| stream.owner == Some(session));
        inner.status.answers += u64::from(news.is_some());
        news
    }

    /// True when records of the stream were lost for the moment, or another connection has it.
    pub(crate) fn is_over(&self, id: StreamId, session: SessionId) -> bool {
        let inner = self.lock();
        let stream = inner.streams.get(&id).map(|(_, stream)| stream);
        stream.is_none_or(|stream| stream.is_lost() || stream.owner != Some(session))
    }

    /// True when this connection announced the stream last.
    pub(crate) fn is_owner(&self, id: StreamId, session: SessionId) -> bool {
        self.lock().streams.get(&id).is_some_and(|(_, stream)| stream.owner == Some(session))
    }

    /// Lets go of the streams of a connection that ended.
    pub(crate) fn end_session(&self, ids: impl Iterator<Item = StreamId>, session: SessionId) {
        let mut inner = self.lock();
        for id in ids {
            if let Some((_, stream)) = inner.streams.get_mut(&id)
                && stream.owner == Some(session)
            {
                stream.owner = None;
            }
        }
    }

    /// Answers questions until [`Acknowledging::close`]: the life of a thread of its own, since the
    /// sink may have to read.
    pub(crate) fn answer_questions(&self) {
        let Some(sink) = self.sink.as_deref().and_then(|sink| sink.durable()) else { return };
        let mut inner = self.lock();
        while !inner.closed {
            let Some((id, from)) = inner.questions.pop_front() else {
                inner = self.asked.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let key = inner.streams.get(&id).map(|(key, _)| *key);
            let Some((instance, domain)) = key else { continue };
            drop(inner);
            let started = Instant::now();
            let kept = sink.kept(&instance, domain, from);
            let took = started.elapsed();
            tracing::debug!(domain, from, ranges = kept.numbers.len(), ?took, "asked what is kept");
            inner = self.lock();
            inner.status.questions += 1;
            inner.status.asking += took;
            if let Some((_, stream)) = inner.streams.get_mut(&id) {
                stream.remember(from, kept.numbers.into_iter(), kept.until);
            }
        }
    }

    /// Ends the thread of questions.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.asked.notify_all();
    }

    pub(crate) fn status(&self) -> AcknowledgeStatus {
        let inner = self.lock();
        let owned = inner.streams.values().filter(|(_, stream)| stream.owner.is_some());
        AcknowledgeStatus { streams: owned.count(), in_flight: inner.in_flight, ..inner.status }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is whole before the lock is let go; a panic leaves whole values.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn open(&mut self, key: StreamKey) -> Option<StreamId> {
        if self.streams.len() >= STREAMS_MAX {
            // The store knows what these have, should they come again.
            let idle = |stream: &Stream| stream.owner.is_none() && stream.in_flight() == 0;
            self.streams.retain(|_, (_, stream)| !idle(stream));
            let streams = &self.streams;
            self.by_key.retain(|_, id| streams.contains_key(id));
        }
        if self.streams.len() >= STREAMS_MAX {
            return None;
        }
        self.next_id += 1;
        let id = StreamId(self.next_id);
        self.streams.insert(id, (key, Stream::new()));
        self.by_key.insert(key, id);
        Some(id)
    }

    fn settle(&mut self, id: StreamId, number: u64, kept: bool) {
        let Some((_, stream)) = self.streams.get_mut(&id) else { return };
        let before = stream.in_flight();
        stream.settle(number, kept);
        self.in_flight -= before - stream.in_flight();
    }
}
