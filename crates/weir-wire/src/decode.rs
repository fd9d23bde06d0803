//! The decoding pass: octets and [`Work`] in, rows out. Pure, and safe to run on any thread.

use std::fmt;

use weir_model::Table;

use crate::collector::Collector;
use crate::error::MessageError;
use crate::limits::Limits;
use crate::output::Output;
use crate::plan::{Context, FlowSet, Plan, Scratch, decode_counters, decode_flows, decode_options};
use crate::received::Received;
use crate::sflow5;
use crate::tally::Tally;
use crate::work::{DataSet, Job, Work};

/// Templates whose Sets wait at a time: the search for that of the next Set goes over all of them.
const PLANS_MAX: usize = 64;

/// Sets of one template that there is room for at once.
const SETS: usize = 16;

/// A message that passed the control pass.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// What to do.
    pub work: &'a Work,
    /// The octets that `work` was made from; others give other rows but cannot panic.
    pub octets: &'a [u8],
    /// How they were received.
    pub received: &'a Received,
}

/// Appends the rows of a message's data to `out` and says how many there were.
pub fn decode(message: Message<'_>, out: &mut Output) -> Tally {
    let mut tally = Tally::default();
    let mut scratch = Scratch::default();
    each_flow_set(message, out, &mut tally, |plan, set, out| {
        decode_flows(plan, &mut [set], &mut scratch, &mut out.flows)
    });
    tally
}

/// Decodes all but the Sets of flow records, which `flows` gets; it gives the rows it appended.
fn each_flow_set<'a>(
    message: Message<'a>,
    out: &mut Output,
    tally: &mut Tally,
    mut flows: impl FnMut(&'a Plan, FlowSet<'a>, &mut Output) -> usize,
) {
    let Message { work, octets, received } = message;
    let (header, sets, knowledge) = match &work.job {
        Job::Samples(_) => return sflow5::decode(octets, received, out, tally),
        Job::Records { header, sets, knowledge } => (header, sets, knowledge),
    };
    let context = Context { header, protocol: work.protocol, received, knowledge };
    // Why: what is kept of one table must not make the message's rows of another count as kept.
    let numbered = received.origin.map(|_| work.table());
    let without_number = Received { origin: None, ..*received };
    for DataSet { offset, length, rows, plan } in sets.iter() {
        let (offset, length, rows) = (*offset as usize, *length as usize, *rows as usize);
        let body = octets.get(offset..offset + length).unwrap_or_default();
        let table = plan.table();
        let other = numbered.is_some_and(|numbered| numbered != table);
        let received = if other { &without_number } else { received };
        match table {
            Table::Counters => {
                let context = Context { received, ..context };
                let rows = decode_counters(plan, body, rows, &context, &mut out.counters);
                tally.counters += rows as u64;
            }
            Table::Options => {
                let context = Context { received, ..context };
                let rows = decode_options(plan, body, rows, &context, &mut out.options);
                tally.options += rows as u64;
            }
            Table::Flows | Table::Rollups => {
                tally.flows += flows(plan, FlowSet { body, rows, context }, out) as u64;
            }
        }
        tally.sets_decoded += 1;
    }
}

/// Messages on their way through the decoding pass together.
///
/// What [`Gathering::add`] and [`Gathering::finish`] append are the rows that [`decode`] gives of
/// each message, for less work: Sets of flow records wait until the end, and those of the same
/// template are decoded together. So the rows come in another order: the Sets of a template keep
/// that of their messages, the templates that in which they were first met.
///
/// What was added and not finished is lost.
#[derive(Default)]
pub struct Gathering<'a> {
    groups: Vec<(&'a Plan, Vec<FlowSet<'a>>)>,
    rows: usize,
    scratch: Scratch,
}

impl<'a> Gathering<'a> {
    /// Takes a message in. What does not wait (options, samples, what made room) is appended to
    /// `out`; the tally is of that and of what this message lost.
    pub fn add(&mut self, message: Message<'a>, out: &mut Output) -> Tally {
        let mut tally = Tally::default();
        each_flow_set(message, out, &mut tally, |plan, set, out| self.put(plan, set, out));
        tally
    }

    /// Rows that will be appended to the batch of flows at most.
    pub fn rows_max(&self) -> usize {
        self.rows
    }

    /// Appends the rows of all Sets that wait, and starts anew.
    pub fn finish(&mut self, out: &mut Output) -> Tally {
        Tally { flows: self.decode_waiting(out) as u64, ..Tally::default() }
    }

    /// Puts a Set to the others of its plan; gives the rows appended to make room for it.
    fn put(&mut self, plan: &'a Plan, set: FlowSet<'a>, out: &mut Output) -> usize {
        let known = self.groups.iter_mut().find(|(other, _)| std::ptr::eq(*other, plan));
        if let Some((_, sets)) = known {
            self.rows += set.rows;
            sets.push(set);
            return 0;
        }
        let appended = if self.groups.len() < PLANS_MAX { 0 } else { self.decode_waiting(out) };
        self.rows += set.rows;
        let mut sets = Vec::with_capacity(SETS);
        sets.push(set);
        self.groups.push((plan, sets));
        appended
    }

    fn decode_waiting(&mut self, out: &mut Output) -> usize {
        self.rows = 0;
        let mut appended = 0;
        let mut groups = &mut self.groups[..];
        while let [(plan, sets), others @ ..] = groups {
            // Exporters of a kind have the same templates. Theirs come exporter by exporter, so that
            // what tells the exporter has long runs.
            for (_, more) in
                others.iter_mut().filter(|(other, more)| !more.is_empty() && other == plan)
            {
                sets.append(more);
            }
            appended += decode_flows(plan, sets, &mut self.scratch, &mut out.flows);
            groups = others;
        }
        self.groups.clear();
        appended
    }
}

impl fmt::Debug for Gathering<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathering").field("rows_max", &self.rows).finish_non_exhaustive()
    }
}

/// Both passes in one, on one thread: for command lines and tests.
#[derive(Debug)]
pub struct Decoder {
    collector: Collector,
}

impl Decoder {
    /// A decoder that knows no exporter yet.
    pub fn new(limits: Limits) -> Decoder {
        Decoder { collector: Collector::new(limits) }
    }

    /// Decodes one message, and parked Sets that it makes decodable, to the ends of `out`.
    pub fn decode(
        &mut self,
        octets: &[u8],
        received: &Received,
        out: &mut Output,
    ) -> Result<Tally, MessageError> {
        let admitted = self.collector.admit(octets, received)?;
        let mut tally = admitted.tally;
        for released in &admitted.released {
            tally += &decode(released.message(), out);
        }
        tally += &decode(Message { work: &admitted.work, octets, received }, out);
        Ok(tally)
    }

    /// The state behind it.
    pub fn collector(&self) -> &Collector {
        &self.collector
    }

    /// The same, to expire or end sessions.
    pub fn collector_mut(&mut self) -> &mut Collector {
        &mut self.collector
    }
}
