//! Rows as lines to a file or to standard output, live: one thread and one bounded queue each, so
//! that a reader that is slow costs the others nothing.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use weir_model::{FlowBatch, Table};
use weir_telemetry::{LogGate, Registry};

use crate::format::{Format, RecordWriter};
use crate::ntop::{self, Fathers};

/// Batches that may wait.
const WAITING: usize = 256;

#[derive(Debug, Default)]
struct Counts {
    received: AtomicU64,
    written: AtomicU64,
    full: AtomicU64,
    failed: AtomicU64,
    ended: AtomicBool,
}

/// The account of one output: received = written + queue_full + io + in flight, in records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinesStatus {
    /// Where to.
    pub target: String,
    /// Records handed to it.
    pub received: u64,
    /// Records written.
    pub written: u64,
    /// Records for which the queue had no room.
    pub queue_full: u64,
    /// Records that could not be written.
    pub io: u64,
    /// The reader has gone: nothing is written any more.
    pub ended: bool,
}

/// Writes to one place until it is dropped.
#[derive(Debug)]
pub struct LinesExporter {
    target: String,
    format: Format,
    counts: Arc<Counts>,
    sender: Option<SyncSender<Arc<FlowBatch>>>,
    thread: Option<JoinHandle<()>>,
}

impl LinesExporter {
    /// Opens the place and starts the thread. `None` is standard output. `fathers` tells of parents
    /// where the format is ntop's; others do not ask.
    pub fn start(
        place: Option<PathBuf>,
        format: Format,
        fathers: Fathers,
        registry: &Registry,
    ) -> io::Result<LinesExporter> {
        let target = match &place {
            Some(path) => format!("json:{}", path.display()),
            None => "json:-".to_owned(),
        };
        let out: Box<dyn Write + Send> = match place {
            Some(path) => Box::new(OpenOptions::new().create(true).append(true).open(path)?),
            None => Box::new(io::stdout()),
        };
        let counts = Arc::new(Counts::default());
        let (sender, receiver) = sync_channel(WAITING);
        let (shared, name) = (Arc::clone(&counts), target.clone());
        let thread =
            std::thread::Builder::new().name("weir-lines".to_owned()).spawn(move || {
                let out = BufWriter::new(out);
                let writer: Box<dyn RecordWriter> = match format {
                    Format::Ntop => Box::new(ntop::Writer::new(out).with_fathers(fathers)),
                    format => format.writer(out),
                };
                write(&receiver, writer, &shared, &name);
            })?;
        let (shown, name) = (Arc::clone(&counts), target.clone());
        registry.on_collect(move |out| {
            let status = status(&shown, &name);
            for (outcome, records) in [
                ("received", status.received),
                ("written", status.written),
                ("queue_full", status.queue_full),
                ("io", status.io),
            ] {
                out.counter(
                    "weir_lines_records_total",
                    "records of an output of lines, by what became of them",
                    &[("to", &name), ("outcome", outcome)],
                    records,
                );
            }
        });
        Ok(LinesExporter { target, format, counts, sender: Some(sender), thread: Some(thread) })
    }

    /// Hands rows to the thread. Never waits; what finds no room is counted. Rows of tables that the
    /// format does not hold are none of its records.
    pub fn offer(&self, batch: &Arc<FlowBatch>) {
        if batch.table() != Table::Flows && !self.format.holds_all_tables() {
            return;
        }
        let rows = batch.rows() as u64;
        self.counts.received.fetch_add(rows, Ordering::Relaxed);
        let Some(sender) = &self.sender else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            sender.try_send(Arc::clone(batch))
        {
            self.counts.full.fetch_add(rows, Ordering::Relaxed);
        }
    }

    /// How things stand.
    pub fn status(&self) -> LinesStatus {
        status(&self.counts, &self.target)
    }

    /// Writes what waits and ends.
    pub fn stop(mut self) -> LinesStatus {
        self.end();
        self.status()
    }

    fn end(&mut self) {
        self.sender = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(to = %self.target, "an output of lines ended in a panic");
        }
    }
}

impl Drop for LinesExporter {
    fn drop(&mut self) {
        self.end();
    }
}

fn status(counts: &Counts, target: &str) -> LinesStatus {
    let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    LinesStatus {
        target: target.to_owned(),
        received: get(&counts.received),
        written: get(&counts.written),
        queue_full: get(&counts.full),
        io: get(&counts.failed),
        ended: counts.ended.load(Ordering::Relaxed),
    }
}

fn write(
    receiver: &Receiver<Arc<FlowBatch>>,
    mut writer: Box<dyn RecordWriter>,
    counts: &Counts,
    target: &str,
) {
    let gate = LogGate::new(Duration::from_secs(30));
    loop {
        // Lines wait for company for a moment at most, so that a live reader sees them.
        let batch = match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(batch) => batch,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let rows = batch.rows() as u64;
        match write_batch(writer.as_mut(), &batch) {
            Ok(()) => counts.written.fetch_add(rows, Ordering::Relaxed),
            Err(error) => {
                if error.kind() == io::ErrorKind::BrokenPipe {
                    counts.ended.store(true, Ordering::Relaxed);
                } else if let Some(suppressed) = gate.admit(()) {
                    tracing::warn!(to = target, %error, suppressed, "records were not written");
                }
                counts.failed.fetch_add(rows, Ordering::Relaxed)
            }
        };
    }
}

fn write_batch(writer: &mut dyn RecordWriter, batch: &FlowBatch) -> io::Result<()> {
    writer.write(batch)?;
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::columns::flows;

    #[test]
    fn lines_are_appended_and_counted() {
        let path = std::env::temp_dir().join(format!("weir-lines-{}", std::process::id()));
        let _old = std::fs::remove_file(&path);
        let mut batch = FlowBatch::new(Table::Flows);
        batch.append_rows(2);
        batch.set(flows::SRC_PORT, 0, 443u16);
        batch.seal();
        let batch = Arc::new(batch);
        for _ in 0..2 {
            let registry = Registry::new();
            let (place, nobody) = (Some(path.clone()), Box::new(|_| None));
            let exporter = LinesExporter::start(place, Format::Json, nobody, &registry).unwrap();
            exporter.offer(&batch);
            let status = exporter.stop();
            assert_eq!((status.received, status.written, status.io), (2, 2, 0));
            assert!(registry.render().contains("outcome=\"written\"} 2"));
        }
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text.lines().count(), 4);
        assert!(text.starts_with("{\"kind\":\"flow\",\"src_port\":443}"), "{text}");
    }
}
