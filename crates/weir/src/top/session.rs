//! One watching: the feed, the flows it told, and what is known of how true they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use weir_model::Table;
use weir_query::{Filter, QueryError};

use super::feed::{Event, Feed, Origin, Outlet, Status, Update};
use super::flows::Flows;
use super::rate::Pace;
use crate::cli::client::Refusal;
use crate::cli::query::refusal;

/// What is watched and what was seen.
pub struct Session {
    /// What is watched.
    pub origin: Origin,
    /// Why that, where it was not asked for.
    pub note: Option<String>,
    /// The filter, as it was written.
    pub filter: String,
    /// What was seen.
    pub flows: Flows,
    /// How the feed stands.
    pub status: Status,
    /// Why nothing comes now.
    pub failed: Option<String>,
    /// Nothing will come any more.
    pub is_dead: bool,
    skipped: u64,
    missed: Arc<AtomicU64>,
    events: SyncSender<Event>,
    number: u64,
    feed: Option<Feed>,
    clock: Clock,
}

/// Tells the time since some start; it does not step.
pub type Clock = Box<dyn Fn() -> Duration + Send>;

/// A clock that starts now.
pub fn clock() -> Clock {
    let began = std::time::Instant::now();
    // Why: records of the past lie before the start and must have a place on this clock.
    Box::new(move || began.elapsed() + Duration::from_secs(3_600))
}

/// Checks a filter. The error points at the place.
pub fn parse(text: &str) -> Result<Filter, Refusal> {
    Filter::parse(text, Table::Flows).map_err(|error| refusal(&QueryError::Filter(error), text))
}

impl Session {
    /// Starts to watch.
    pub fn start(
        origin: Origin,
        note: Option<String>,
        filter: &str,
        events: SyncSender<Event>,
        clock: Clock,
    ) -> anyhow::Result<Session> {
        let mut session = Session {
            origin,
            note,
            filter: String::new(),
            flows: Flows::default(),
            status: Status::default(),
            failed: None,
            is_dead: false,
            skipped: 0,
            missed: Arc::default(),
            events,
            number: 0,
            feed: None,
            clock,
        };
        session.watch(filter)?;
        Ok(session)
    }

    /// Watches what `filter` keeps, from now on. What was seen is forgotten: it may not pass. A
    /// filter that is wrong changes nothing.
    pub fn watch(&mut self, filter: &str) -> anyhow::Result<()> {
        let parsed = parse(filter)?;
        self.feed = None;
        self.number += 1;
        let (events, missed) = (self.events.clone(), Arc::clone(&self.missed));
        let outlet = Outlet { events, number: self.number, missed };
        self.feed = Some(Feed::start(&self.origin, parsed, filter, outlet)?);
        self.filter = filter.to_owned();
        self.flows = Flows::default();
        (self.failed, self.is_dead) = (None, false);
        Ok(())
    }

    /// The time on a clock that does not step.
    pub fn now(&self) -> Duration {
        (self.clock)()
    }

    /// Takes in what feed `number` tells.
    pub fn take(&mut self, number: u64, update: Update) {
        if number != self.number {
            return;
        }
        let now = self.now();
        match update {
            Update::Records(records, handed_on) => {
                let at = now.saturating_sub(handed_on.elapsed());
                let pace = self.feed.as_ref().map_or(Pace::Unknown, |feed| feed.pace(at));
                for (record, ago) in records {
                    self.flows.take(record, pace, at.saturating_sub(ago));
                }
                self.failed = None;
                self.sample();
            }
            Update::Skipped(records) => self.skipped = self.skipped.saturating_add(records),
            Update::Status(status) => (self.status, self.failed) = (status, None),
            Update::Failed { why, is_final } => (self.failed, self.is_dead) = (Some(why), is_final),
        }
    }

    /// Brings what is shown up to now.
    pub fn tick(&mut self) {
        self.sample();
        self.flows.expire(self.now());
        if let Some(status) = self.feed.as_ref().and_then(Feed::status) {
            self.status = status;
        }
    }

    fn sample(&mut self) {
        let now = self.now();
        if let Some(feed) = &mut self.feed {
            feed.sample(now);
        }
    }

    /// What there is to see at the start was told.
    pub fn is_warm(&self) -> bool {
        self.feed.as_ref().is_some_and(Feed::is_warm)
    }

    /// The time that rates are of: now, unless the local meter is late.
    pub fn known(&self) -> Duration {
        let now = self.now();
        self.feed.as_ref().map_or(now, |feed| feed.known(now))
    }

    /// Records that were told and are not in the table.
    pub fn lost(&self) -> u64 {
        self.skipped.saturating_add(self.missed.load(Ordering::Relaxed))
    }

    /// How fresh what is shown is, in words.
    pub fn freshness(&self) -> String {
        let heard = match self.flows.quiet(self.now()) {
            None => "no record yet".to_owned(),
            Some(quiet) => format!("last record {} ago", short(quiet)),
        };
        let usual = self.feed.as_ref().and_then(Feed::usual);
        match (usual, self.flows.usual_interval()) {
            (Some(_), _) if !self.is_warm() => "rates come with the second look".to_owned(),
            (Some(usual), _) => {
                format!("sockets looked at every {:.1} s, {heard}", usual.as_secs_f64())
            }
            (None, None) => heard,
            (None, Some(interval)) => format!("{heard}, records tell of {}", short(interval)),
        }
    }
}

/// A time in its largest unit.
pub fn short(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=99 => format!("{seconds} s"),
        seconds @ 100..=5_999 => format!("{} min", seconds / 60),
        seconds @ 6_000..=172_799 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}
