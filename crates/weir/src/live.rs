//! Records from the network straight to a writer: `weir decode udp://…` and `weir goflow`. Uses the
//! same collecting process as `weir serve`, with a writer in place of the store.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use weir_ingest::{Ingest, IngestPolicy, IngestStatus, Sink, SinkLoss, Verdict};
use weir_model::SystemClock;
use weir_sink::RecordWriter;
use weir_telemetry::Registry;
use weir_wire::Output;

/// Writes what ingest decodes. Rows of counters and options go out only if asked for.
struct WriterSink {
    writer: Mutex<Box<dyn RecordWriter>>,
    all: bool,
}

impl Sink for WriterSink {
    fn name(&self) -> &'static str {
        "output"
    }

    fn accept(&self, output: &mut Output) -> Verdict {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut result = writer.write(&output.flows);
        if self.all {
            result = result
                .and_then(|()| writer.write(&output.counters))
                .and_then(|()| writer.write(&output.options));
        }
        match result.and_then(|()| writer.flush()) {
            Ok(()) => Verdict::KEPT,
            // Nobody reads on: there is nothing left to do for this process.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(_) => Verdict::lost(SinkLoss::Io),
        }
    }
}

/// A running collection into a writer.
pub struct Live {
    ingest: Ingest,
    sink: Arc<WriterSink>,
}

impl Live {
    /// Opens the UDP sockets and begins. Without state file: nothing is kept over a restart.
    pub fn start(
        udp: Vec<SocketAddr>,
        writer: Box<dyn RecordWriter>,
        all: bool,
    ) -> anyhow::Result<Live> {
        // Cost: one thread, which is what a writer keeps busy anyhow.
        let policy = IngestPolicy {
            udp,
            tcp: Vec::new(),
            in_order: true,
            decode_threads: 1,
            ..IngestPolicy::default()
        };
        let sink = Arc::new(WriterSink { writer: Mutex::new(writer), all });
        let registry = Registry::default();
        let ingest = Ingest::start(&policy, &registry, Arc::new(SystemClock), sink.clone())?;
        Ok(Live { ingest, sink })
    }

    /// Waits for SIGINT or SIGTERM.
    pub fn wait(&self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let kind = tokio::signal::unix::SignalKind::terminate();
            let mut terminate = tokio::signal::unix::signal(kind)?;
            tokio::select! {
                result = tokio::signal::ctrl_c() => result?,
                _ = terminate.recv() => {}
            }
            anyhow::Ok(())
        })
    }

    /// Stops, writes what is in flight and ends the output.
    pub fn finish(self) -> anyhow::Result<IngestStatus> {
        let status = self.ingest.stop();
        let mut writer = self.sink.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.finish().context("ending the output")?;
        Ok(status)
    }
}
