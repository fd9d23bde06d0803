//! Where decoded batches go.

use weir_model::Table;
use weir_telemetry::Label;
use weir_wire::Output;
use weir_wire::acknowledge::Instance;

/// Why a sink lost rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SinkLoss {
    /// No room on the disk.
    DiskFull,
    /// Reading or writing failed.
    Io,
    /// The sink is shutting down.
    Closed,
    /// The sink found the rows at fault.
    Refused,
    /// The sink's code failed.
    Panicked,
}

impl SinkLoss {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();
}

impl Label for SinkLoss {
    const NAME: &'static str = "reason";
    const ALL: &'static [SinkLoss] = &[
        SinkLoss::DiskFull,
        SinkLoss::Io,
        SinkLoss::Closed,
        SinkLoss::Refused,
        SinkLoss::Panicked,
    ];

    fn index(self) -> usize {
        self as usize
    }

    fn value(self) -> &'static str {
        match self {
            SinkLoss::DiskFull => "disk_full",
            SinkLoss::Io => "io",
            SinkLoss::Closed => "closed",
            SinkLoss::Refused => "refused",
            SinkLoss::Panicked => "panicked",
        }
    }
}

/// What became of the rows that [`Sink::accept`] was given: `None` is kept, per table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verdict {
    /// The flows.
    pub flows: Option<SinkLoss>,
    /// The counters.
    pub counters: Option<SinkLoss>,
    /// The options records.
    pub options: Option<SinkLoss>,
}

impl Verdict {
    /// Everything was kept.
    pub const KEPT: Verdict = Verdict { flows: None, counters: None, options: None };

    /// What became of the rows of `table`.
    pub(crate) fn of(&self, table: Table) -> Option<SinkLoss> {
        match table {
            Table::Flows | Table::Rollups => self.flows,
            Table::Counters => self.counters,
            Table::Options => self.options,
        }
    }

    /// Everything was lost for one reason.
    pub const fn lost(reason: SinkLoss) -> Verdict {
        Verdict { flows: Some(reason), counters: Some(reason), options: Some(reason) }
    }
}

/// Takes decoded batches: the store, a test.
///
/// Called from several threads at a time. It may block: datagrams then wait in the queue, and past
/// its bound are dropped and counted; connections are made to wait.
pub trait Sink: Send + Sync {
    /// The word for it in metrics.
    fn name(&self) -> &'static str;

    /// Takes the rows of `output`, which is sealed; batches may be empty. The caller clears it
    /// afterwards, so an implementation copies, or puts another batch in place of what it takes.
    fn accept(&self, output: &mut Output) -> Verdict;

    /// The sink as one whose rows outlive this run; `None` (the default) when they do not. Only
    /// such a sink makes ingest acknowledge records.
    fn durable(&self) -> Option<&dyn DurableSink> {
        None
    }
}

/// Says whether the rows of one [`DurableSink::accept_tracked`] are durable by now.
pub type Ticket = Box<dyn Fn() -> bool + Send>;

/// A sink whose rows outlive this run.
pub trait DurableSink: Sink {
    /// As [`Sink::accept`], with a ticket for the rows that were taken. Those that one call brings
    /// for one table are durable together or not at all, whatever happens.
    fn accept_tracked(&self, output: &mut Output) -> (Verdict, Ticket);

    /// The messages of an exporter's domain that are kept, this run's or an earlier one's, from
    /// `first` on. May take long.
    fn kept(&self, instance: &Instance, domain: u32, first: u64) -> Kept;
}

/// Numbers of messages (`export_sequence`) that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Ranges of numbers in which every message is kept.
    pub numbers: Vec<std::ops::Range<u64>>,
    /// Everything below is in `numbers`: past it, ask again. More than what was asked for.
    pub until: u64,
}
