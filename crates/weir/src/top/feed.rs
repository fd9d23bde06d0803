//! Where records come from: this process meters the machine, or a running Weir is followed.
//!
//! Invariant: records never wait for who draws; those that find the queue full are counted. A feed of an
//! earlier filter may still send for a moment: its updates carry its number and are dropped.

pub mod local;
pub mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

use weir_meter::MeterPolicy;
use weir_query::Filter;

use super::keys::Key;
use super::rate::Pace;
use super::record::Record;
use crate::cli::client::Server;

/// Updates that may wait for who draws.
pub const QUEUE: usize = 256;

/// What wakes who draws.
#[derive(Debug)]
pub enum Event {
    /// A key was pressed.
    Key(Key),
    /// The terminal has another size.
    Resize,
    /// Somebody asked for the end by a signal, or the terminal is gone.
    Stop,
    /// A feed, by its number, has something.
    Feed(u64, Update),
}

/// What a feed tells.
#[derive(Debug)]
pub enum Update {
    /// Records, and when they were handed on. With each how long before it was told, of those
    /// that were there already.
    Records(Vec<(Record, Duration)>, Instant),
    /// Records of the server that were not sent, for they were too many.
    Skipped(u64),
    /// How it stands.
    Status(Status),
    /// It has to try again, and why; with `is_final` it does not.
    Failed {
        /// In one line, or with the filter and where it is wrong.
        why: String,
        /// Trying again would not help.
        is_final: bool,
    },
}

/// How a feed stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Tiers of metering that run.
    pub tiers: Vec<String>,
    /// Tiers that this version of Weir does not have.
    pub absent: Vec<String>,
    /// What is missing here, why, and what would help.
    pub missing: Vec<String>,
}

impl Status {
    /// Adds a line of the table of tiers.
    fn add(&mut self, name: &str, runs: bool, why_not: Option<&str>, costs: Option<&str>) {
        match (runs, why_not) {
            (true, None) => self.tiers.push(name.to_owned()),
            (true, Some(_)) => self.tiers.push(format!("{name} (in part)")),
            (false, _) => self.absent.push(name.to_owned()),
        }
        if let (Some(why_not), Some(costs)) = (why_not, costs) {
            self.missing.push(format!("{name}: {why_not}: {costs}"));
        }
    }
}

/// Where a feed sends.
#[derive(Clone)]
pub struct Outlet {
    /// To whom.
    pub events: SyncSender<Event>,
    /// Number of the feed.
    pub number: u64,
    /// Records that found the queue full.
    pub missed: Arc<AtomicU64>,
}

impl Outlet {
    /// Sends records if there is room for them; what else is told, which is little, waits for it.
    /// False when nobody listens any more.
    fn send(&self, update: Update) -> bool {
        let records = match &update {
            Update::Records(records, _) => records.len() as u64,
            _ => return self.events.send(Event::Feed(self.number, update)).is_ok(),
        };
        match self.events.try_send(Event::Feed(self.number, update)) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.missed.fetch_add(records, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}

/// What is watched.
#[derive(Clone)]
pub enum Origin {
    /// This machine, metered here.
    Local(Box<MeterPolicy>),
    /// A running Weir.
    Server(Server),
}

impl Origin {
    /// For people, in a few words.
    pub fn name(&self) -> String {
        match self {
            Origin::Local(_) => "this machine".to_owned(),
            Origin::Server(server) => server.address().to_owned(),
        }
    }
}

/// A feed that runs. Dropping it stops it.
pub enum Feed {
    /// Metering here.
    Local(local::Local),
    /// Following a server.
    Server(server::Follower),
}

impl Feed {
    /// Starts it. `text` is the filter as it was written.
    pub fn start(
        origin: &Origin,
        filter: Filter,
        text: &str,
        outlet: Outlet,
    ) -> anyhow::Result<Feed> {
        Ok(match origin {
            Origin::Local(policy) => Feed::Local(local::Local::start(policy, filter, outlet)?),
            Origin::Server(server) => {
                Feed::Server(server::Follower::start(server.clone(), text.to_owned(), outlet)?)
            }
        })
    }

    /// Asks for what is not told by itself.
    pub fn sample(&mut self, now: Duration) {
        if let Feed::Local(local) = self {
            local.sample(now);
        }
    }

    /// How often records come of what speaks, for those that were handed on at `at`.
    pub fn pace(&self, at: Duration) -> Pace {
        match self {
            Feed::Local(local) => local.pace(at),
            Feed::Server(follower) => follower.pace(),
        }
    }

    /// The time up to which what is silent is known to be.
    pub fn known(&self, now: Duration) -> Duration {
        match self {
            Feed::Local(local) => local.known(now),
            Feed::Server(_) => now,
        }
    }

    /// What there is to see at the start was told.
    pub fn is_warm(&self) -> bool {
        match self {
            Feed::Local(local) => local.has_rates(),
            Feed::Server(follower) => follower.has_told(),
        }
    }

    /// Usual time between looks of a local meter.
    pub fn usual(&self) -> Option<Duration> {
        match self {
            Feed::Local(local) => Some(local.usual()),
            Feed::Server(_) => None,
        }
    }

    /// How it stands, where that is asked for and not told.
    pub fn status(&self) -> Option<Status> {
        match self {
            Feed::Local(local) => Some(local.status()),
            Feed::Server(_) => None,
        }
    }
}
