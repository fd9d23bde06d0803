//! What became of an input: per exporter, and in all, with losses by reason.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use weir_ingest::capture::CaptureStats;
use weir_ingest::{IngestStatus, Reason};
use weir_wire::{DropReason, ExporterStatus, MessageError, Tally};

/// The account of one input.
#[derive(Debug, Default)]
pub struct Summary {
    /// Counts of all messages.
    total: Tally,
    /// Exporters and domains in the order in which they were first heard.
    pub exporters: Vec<ExporterStatus>,
    /// What was seen in the capture, if it was one.
    pub capture: CaptureStats,
    /// What stopped the reading early, if anything did.
    pub damage: Option<String>,
    /// Losses before decoding that only a listener has: reason and messages.
    listener: BTreeMap<&'static str, u64>,
}

impl Summary {
    /// The account of a listener.
    pub fn from_status(status: &IngestStatus) -> Summary {
        let mut summary = Summary { exporters: status.exporters.clone(), ..Summary::default() };
        let books = &status.books;
        summary.total.messages = books.messages.kept;
        summary.total.flows = books.flows.kept;
        summary.total.counters = books.counters.kept;
        summary.total.options = books.options.kept;
        summary.total.templates = books.templates;
        for reason in Reason::ALL {
            let lost = books.messages.dropped_by(reason)
                + books.sets.dropped_by(reason)
                + books.records.dropped_by(reason);
            if lost > 0 {
                summary.listener.insert(reason.name(), lost);
            }
        }
        let kernel = status.sockets.iter().map(|socket| socket.kernel_dropped).sum();
        if kernel > 0 {
            summary.listener.insert("kernel_dropped", kernel);
        }
        summary
    }

    /// Adds the counts of one message.
    pub fn add(&mut self, tally: &Tally) {
        self.total += tally;
    }

    /// Counts a message that was refused whole.
    pub fn refuse(&mut self, error: &MessageError, octets: usize) {
        self.total.drop_message(error.reason(), octets);
    }

    /// Losses by reason: messages, Sets and records together.
    fn losses(&self) -> BTreeMap<&'static str, u64> {
        let mut losses = self.listener.clone();
        for reason in DropReason::ALL {
            let lost = self.total.dropped(reason);
            let count = lost.messages + lost.sets + lost.records;
            if count > 0 {
                *losses.entry(reason.name()).or_default() += count;
            }
        }
        losses
    }

    /// What the recording itself lacks.
    fn capture_losses(&self) -> Vec<(u64, &'static str)> {
        let c = &self.capture;
        let all = [
            (c.unknown_link, "frames of a link type that Weir does not read"),
            (c.cut, "frames cut short by the recorder: record with `tcpdump -s 0`"),
            (c.fragments_lost, "IP fragments that were never joined"),
            (c.stream_octets_lost, "octets of TCP left out: gaps, or not IPFIX"),
            (u64::from(c.truncated), "packet cut off at the end of the file"),
        ];
        all.into_iter().filter(|(count, _)| *count > 0).collect()
    }

    /// For people: a table of exporters, a line of sums, a line of losses.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |content: String| {
            text.push_str(&content);
            text.push('\n');
        };
        if !self.exporters.is_empty() {
            line(format!(
                "{:<39} {:<9} {:>10} {:>9} {:>9} {:>9} {:>8} {:>6}",
                "exporter",
                "protocol",
                "domain",
                "messages",
                "records",
                "templates",
                "missing",
                "errors"
            ));
        }
        for e in &self.exporters {
            line(format!(
                "{:<39} {:<9} {:>10} {:>9} {:>9} {:>9} {:>8} {:>6}",
                e.addr.to_string(),
                e.protocol.name(),
                e.domain,
                e.tally.messages,
                e.records_seen,
                e.tally.templates,
                e.sequence.missing,
                errors(e).values().sum::<u64>()
            ));
        }
        let t = &self.total;
        line(format!(
            "{} messages: {} flows, {} counters, {} options records, {} templates",
            t.messages, t.flows, t.counters, t.options, t.templates
        ));
        let losses = self.losses();
        if !losses.is_empty() {
            let list: Vec<String> = losses.iter().map(|(name, n)| format!("{name} {n}")).collect();
            line(format!("lost: {}", list.join(", ")));
        }
        for (count, what) in self.capture_losses() {
            line(format!("capture: {count} {what}"));
        }
        if let Some(damage) = &self.damage {
            line(format!("the input ends early: {damage}"));
        }
        text
    }

    /// For programs: one object.
    pub fn json(&self) -> Value {
        let exporters: Vec<Value> = self
            .exporters
            .iter()
            .map(|e| {
                json!({
                    "exporter_addr": e.addr.to_string(),
                    "protocol": e.protocol.name(),
                    "observation_domain": e.domain,
                    "messages": e.tally.messages,
                    "records": e.records_seen,
                    "templates": e.tally.templates,
                    "missing": e.sequence.missing,
                    "gaps": e.sequence.gaps,
                    "reordered": e.sequence.reordered,
                    "duplicates": e.sequence.duplicates,
                    "restarts": e.sequence.restarts,
                    "errors": errors(e),
                })
            })
            .collect();
        json!({
            "messages": self.total.messages,
            "flows": self.total.flows,
            "counters": self.total.counters,
            "options": self.total.options,
            "templates": self.total.templates,
            "errors": self.losses(),
            "damage": self.damage,
            "capture": {
                "frames": self.capture.frames,
                "datagrams": self.capture.datagrams,
                "other_frames": self.capture.other,
                "unknown_link_frames": self.capture.unknown_link,
                "cut_frames": self.capture.cut,
                "fragments_lost": self.capture.fragments_lost,
                "stream_octets_lost": self.capture.stream_octets_lost,
                "truncated": self.capture.truncated,
            },
            "exporters": exporters,
        })
    }
}

/// Losses of one exporter by reason.
fn errors(exporter: &ExporterStatus) -> BTreeMap<&'static str, u64> {
    let counts = DropReason::ALL.map(|reason| {
        let lost = exporter.tally.dropped(reason);
        (reason.name(), lost.messages + lost.sets + lost.records)
    });
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}
