//! The thread of one destination: rows to messages, messages to the buffer, the buffer to the
//! collector. It waits for one of: rows, the socket, an attempt to connect, what is due.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use weir_model::Clock;
use weir_wire::encode::EncoderPolicy;
use weir_wire::ipfix::parts::{Part, PartsEncoder};

use super::backoff::Backoff;
use super::buffer::Buffer;
use super::buffer::segment::Template;
use super::dial::Dialing;
use super::exporter::{Link, Shared};
use super::ledger::Loss;
use super::policy::ExportPolicy;
use super::session::{Answers, Ended, Progress, Session};
use super::wire::Wire;

/// Longest wait: how late what is due may be.
const TICK: Duration = Duration::from_millis(200);
/// Time after which a connection counts as one that works.
const PROVEN_AFTER: Duration = Duration::from_secs(10);
/// Pause between notes of how far the collector is.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// Batches made into messages before the socket is looked after.
const BATCHES: usize = 8;

enum State {
    Waiting { until: Duration },
    Dialing(Dialing),
    Open { session: Box<Session>, since: Duration, told: bool },
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    policy: ExportPolicy,
    clock: Arc<dyn Clock>,
    random: fn() -> u32,
    began: Instant,
    encoder: PartsEncoder,
    /// When the first record of the open message came.
    waiting_since: Option<Duration>,
    buffer: Buffer,
    backoff: Backoff,
    state: State,
    answers: Answers,
    noted: Duration,
    woken: UnixStream,
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        policy: ExportPolicy,
        clock: Arc<dyn Clock>,
        random: fn() -> u32,
        buffer: Buffer,
        woken: UnixStream,
    ) -> Worker {
        let encoder = PartsEncoder::new(EncoderPolicy {
            domain: policy.domain,
            message_octets_max: policy.message_limit(),
            ..EncoderPolicy::default()
        });
        Worker {
            backoff: Backoff::new(policy.reconnect),
            shared,
            policy,
            clock,
            random,
            began: Instant::now(),
            encoder,
            waiting_since: None,
            buffer,
            state: State::Waiting { until: Duration::ZERO },
            answers: Answers::Asked,
            noted: Duration::ZERO,
            woken,
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Works until it is stopped, then for as long as a stop may take, and closes the buffer.
    pub(super) fn run(mut self) {
        let mut stop_by = None;
        loop {
            let more = self.take_rows(stop_by.is_some());
            self.connection();
            self.account();
            if self.shared.stopping.load(Ordering::Relaxed) {
                let by = *stop_by.get_or_insert(self.now() + self.policy.stop_after);
                let made = !more && self.encoder.waiting() == 0;
                // Why: A collector that is away now is not worth waiting for.
                let away = matches!(self.state, State::Waiting { .. });
                if made && (away || self.buffer.records() == 0) || self.now() >= by {
                    break;
                }
            }
            self.wait(more);
        }
        self.close();
    }

    /// Makes messages of rows; true when more wait.
    fn take_rows(&mut self, flush: bool) -> bool {
        let now = self.now();
        let mut left = BATCHES;
        while left > 0
            && let Some(batch) = self.shared.queue.take()
        {
            left -= 1;
            let Self { encoder, buffer, shared, .. } = self;
            let taken = encoder.push(&batch, &mut |part| keep(buffer, shared, part, now));
            shared.ledger.dropped(Loss::Unsendable, taken.skipped);
            self.waiting_since.get_or_insert(now);
        }
        let due = self.waiting_since.is_some_and(|at| now - at >= self.policy.flush_after);
        if due || flush {
            let Self { encoder, buffer, shared, .. } = self;
            encoder.flush(&mut |part| keep(buffer, shared, part, now));
        }
        if self.encoder.waiting() == 0 {
            self.waiting_since = None;
        }
        self.buffer.tick(now);
        if now - self.noted >= NOTE_EVERY {
            self.noted = now;
            self.buffer.note_released();
        }
        left == 0
    }

    /// One step of the connection: dials, opens, sends and reads, gives up.
    fn connection(&mut self) {
        let now = self.now();
        match &mut self.state {
            State::Waiting { until } => {
                let stopping = self.shared.stopping.load(Ordering::Relaxed);
                if now >= *until && !stopping {
                    let shared = Arc::clone(&self.shared);
                    let dialing = Dialing::start(&self.policy.target, move || shared.wake());
                    self.state = State::Dialing(dialing);
                }
            }
            State::Dialing(dialing) => {
                let Some(result) = dialing.poll() else { return };
                let opened = result.map_err(|error| error.to_string()).and_then(|connected| {
                    Wire::new(connected, &self.policy).map_err(|error| error.to_string())
                });
                match opened {
                    Ok((wire, peer)) => {
                        tracing::debug!(to = %self.policy.target, %peer, "connected");
                        let session =
                            Session::new(wire, &self.policy, &mut self.buffer, self.answers);
                        let session = Box::new(session);
                        self.state = State::Open { session, since: now, told: false };
                        self.step(now);
                    }
                    Err(error) => self.fail(&error, now),
                }
            }
            State::Open { .. } => self.step(now),
        }
    }

    fn step(&mut self, now: Duration) {
        let State::Open { session, since, told } = &mut self.state else { return };
        let mut progress = Progress::default();
        let stepped = session.step(&mut self.buffer, self.clock.now(), now, &mut progress);
        self.shared.ledger.sent(progress.acknowledged, true);
        self.shared.ledger.sent(progress.unacknowledged, false);
        self.shared.count(&progress);
        if let Err(ended) = stepped {
            let since = *since;
            return self.ended(&ended, since, now);
        }
        let answers = session.answers();
        if !session.wire().is_handshaking() && (!*told || answers != self.answers) {
            *told = true;
            self.shared.set_link(Link::Connected, None);
            let to = &self.policy.target;
            match answers {
                // Why: In TLS 1.3 a collector refuses a client's certificate after this.
                Answers::Asked => tracing::debug!(%to, "asked whether it acknowledges"),
                Answers::Yes => tracing::info!(%to, acknowledges = "yes", "exporting"),
                Answers::No => tracing::info!(%to, acknowledges = "no", "exporting"),
            }
        }
        self.answers = answers;
        if answers == Answers::Yes || now - *since >= PROVEN_AFTER {
            self.backoff.reset();
        }
    }

    fn ended(&mut self, ended: &Ended, since: Duration, now: Duration) {
        if let Ended::Parted | Ended::Foreign = ended {
            tracing::warn!(to = %self.policy.target, reason = %ended, "another identity is taken");
        }
        self.shared.disconnected();
        if now - since >= PROVEN_AFTER {
            self.backoff.reset();
        }
        self.fail(&ended.to_string(), now);
    }

    fn fail(&mut self, error: &str, now: Duration) {
        let pause = self.backoff.pause((self.random)());
        if let Some(suppressed) = self.shared.gate.admit(()) {
            let to = &self.policy.target;
            tracing::warn!(%to, error, retry = ?pause, suppressed, "the collector is away");
        }
        self.shared.set_link(Link::Away, Some(error.to_owned()));
        self.state = State::Waiting { until: now + pause };
    }

    fn account(&mut self) {
        for (loss, records) in self.buffer.take_losses() {
            if records > 0 {
                self.shared.ledger.dropped(loss, records);
            }
        }
        self.shared.tell_buffer(&self.buffer);
    }

    /// Waits for what comes first.
    fn wait(&mut self, more: bool) {
        let mut timeout = if more { Duration::ZERO } else { TICK };
        if let State::Waiting { until } = &self.state {
            timeout = timeout.min(until.saturating_sub(self.now()));
        }
        let mut fds = vec![PollFd::new(&self.woken, PollFlags::IN)];
        if let State::Open { session, .. } = &self.state {
            let out = if session.wants_write() { PollFlags::OUT } else { PollFlags::empty() };
            fds.push(PollFd::new(session.wire(), PollFlags::IN | out));
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(0),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        // An interruption counts as a time-out.
        let _interrupted = poll(&mut fds, Some(&timeout));
        let mut octets = [0; 256];
        while (&self.woken).read(&mut octets).is_ok_and(|read| read == octets.len()) {}
    }

    fn close(mut self) {
        while self.take_rows(true) {}
        if let State::Open { session, .. } = &mut self.state {
            // Why: Kept on disk they are sent again, in case nobody has them. Without a disk there is
            // only the socket's word.
            let sent = if self.policy.buffer.disk_max == 0 {
                session.believe_socket(&mut self.buffer)
            } else {
                0
            };
            self.shared.ledger.sent(sent, false);
            session.close();
        }
        self.account();
        let now = self.now();
        let shared = Arc::clone(&self.shared);
        let (left, losses) = self.buffer.close(now);
        for (loss, records) in losses.into_iter().chain([(Loss::Stopped, left)]) {
            shared.ledger.dropped(loss, records);
        }
        shared.set_link(Link::Stopped, None);
    }
}

/// Takes a part of the encoder into the buffer.
fn keep(buffer: &mut Buffer, shared: &Shared, part: Part<'_>, now: Duration) {
    match part {
        Part::Template { id, options, record } => {
            buffer.define(Template { id, options, record: record.into() });
        }
        Part::Message { octets, records } => {
            if !buffer.append(octets, records, now) {
                shared.ledger.dropped(Loss::Unsendable, records.into());
            }
        }
    }
}
