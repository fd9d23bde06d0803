//! A capture through the decoder into a writer, with an account of what became of it.

mod summary;

use std::io::Read;
use std::time::Duration;

use anyhow::Context;
use weir_ingest::capture::{Capture, CaptureError};
use weir_model::Timestamp;
use weir_sink::RecordWriter;
use weir_wire::{Decoder, Limits, Output, Received};

pub use summary::Summary;

/// Rows after which what was decoded is written: enough to be cheap, few enough to be live.
const WRITE_ROWS: usize = 8_192;

/// One pass over one input.
pub struct Decoding<'a> {
    writer: &'a mut dyn RecordWriter,
    all: bool,
    decoder: Decoder,
    output: Output,
    summary: Summary,
}

impl<'a> Decoding<'a> {
    /// A decoder that knows no template yet. `all` writes counters and options records too.
    pub fn new(writer: &'a mut dyn RecordWriter, all: bool) -> Decoding<'a> {
        Decoding {
            writer,
            all,
            decoder: Decoder::new(Limits::default()),
            output: Output::new(),
            summary: Summary::default(),
        }
    }

    /// Decodes a capture to its end. Damage in the middle ends it early and is told in the summary.
    pub fn capture(mut self, input: impl Read) -> anyhow::Result<Summary> {
        let mut capture = Capture::new(input)?;
        let mut last = Timestamp::default();
        for datagram in capture.by_ref() {
            match datagram {
                Ok(datagram) => {
                    last = datagram.at;
                    self.message(&datagram.payload, &datagram.received())?;
                }
                Err(error @ CaptureError::Io { .. }) => return Err(error.into()),
                Err(error) => {
                    self.summary.damage = Some(error.to_string());
                    break;
                }
            }
        }
        self.summary.capture = capture.stats();
        self.write()?;
        // What is still parked has lost its chance: count it as data whose template never came.
        let rest = self.decoder.collector_mut().expire(last.plus(Duration::MAX));
        self.summary.add(&rest);
        self.summary.exporters = self.decoder.collector().exporters().collect();
        Ok(self.summary)
    }

    fn message(&mut self, octets: &[u8], received: &Received) -> anyhow::Result<()> {
        match self.decoder.decode(octets, received, &mut self.output) {
            Ok(tally) => self.summary.add(&tally),
            Err(error) => self.summary.refuse(&error, octets.len()),
        }
        if self.output.is_full() || self.output.flows.rows() >= WRITE_ROWS {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> anyhow::Result<()> {
        self.output.seal();
        let mut result = self.writer.write(&self.output.flows);
        if self.all {
            result = result
                .and_then(|()| self.writer.write(&self.output.counters))
                .and_then(|()| self.writer.write(&self.output.options));
        }
        self.output.clear();
        result.and_then(|()| self.writer.flush()).context("writing records")
    }
}
