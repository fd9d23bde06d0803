//! `weir decode`: exports in a capture, or from the network, to one line a record.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use weir_sink::{Format, RecordWriter};

use super::out::say;
use crate::decode::{Decoding, Summary};
use crate::live::Live;

/// Arguments of `weir decode`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Capture (pcap, pcapng, or a file of IPFIX messages), `-` for standard input, or
    /// `udp://[HOST]:PORT` to listen
    source: String,
    /// json, goflow, goflow-v3, goflow-json, goflow-pb, goflow2-json, goflow2-pb, ntop, csv or parquet
    #[arg(long, short, default_value = "json")]
    format: Format,
    /// File to write to, instead of standard output
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Writes counters and options records too (json only)
    #[arg(long)]
    all: bool,
    /// Form of the summary on standard error
    #[arg(long, value_enum, default_value = "text")]
    summary: Form,
}

/// Form of the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A table for people
    Text,
    /// One JSON object
    Json,
    /// None
    None,
}

const EXAMPLES: &str = "\
Examples:
  weir decode exports.pcap                        one JSON object a flow
  weir decode exports.pcap --all | jq 'select(.kind == \"counters\")'
  tcpdump -w - udp port 2055 | weir decode -      while it is captured
  weir decode udp://:2055 --format goflow         what goflow would print
  weir decode exports.pcap --format parquet --out flows.parquet

Exit code: 0 when the input was read to its end, whatever was malformed in it (it is counted);
2 when it could not be read, or not to its end (what came before is written).";

/// The code for an input that could not be read.
const UNREADABLE: u8 = 2;

impl Args {
    /// Decodes and prints.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if self.all && !self.format.holds_all_tables() {
            say("error: --all: only json holds counters and options records beside flows\n");
            return Ok(ExitCode::from(UNREADABLE));
        }
        let summary = match self.source.strip_prefix("udp://") {
            Some(address) => self.listen(listen_address(address)?)?,
            None => match self.read() {
                Ok(summary) => summary,
                Err(error) => {
                    say(&format!("error: {error:#}\n"));
                    return Ok(ExitCode::from(UNREADABLE));
                }
            },
        };
        match (self.summary, &summary.damage) {
            (Form::Text, _) => say(&summary.text()),
            (Form::Json, _) => say(&format!("{}\n", summary.json())),
            (Form::None, Some(damage)) => say(&format!("error: {}: {damage}\n", self.source)),
            (Form::None, None) => {}
        }
        Ok(ExitCode::from(if summary.damage.is_some() { UNREADABLE } else { 0 }))
    }

    fn read(&self) -> anyhow::Result<Summary> {
        let input: Box<dyn Read> = match self.source.as_str() {
            "-" => Box::new(io::stdin().lock()),
            path => Box::new(File::open(path).with_context(|| format!("opening {path}"))?),
        };
        let mut writer = self.writer()?;
        let decoding = Decoding::new(&mut *writer, self.all);
        let result = decoding.capture(BufReader::with_capacity(1 << 16, input));
        let summary = result.with_context(|| format!("reading {}", self.source))?;
        writer.finish().context("ending the output")?;
        Ok(summary)
    }

    fn listen(&self, address: SocketAddr) -> anyhow::Result<Summary> {
        let live = Live::start(vec![address], self.writer()?, self.all)?;
        say(&format!("listening on udp {address}, until interrupted\n"));
        live.wait()?;
        Ok(Summary::from_status(&live.finish()?))
    }

    fn writer(&self) -> anyhow::Result<Box<dyn RecordWriter>> {
        let out: Box<dyn Write + Send> = match &self.out {
            Some(path) => Box::new(create(path)?),
            None => Box::new(Pipe(io::stdout())),
        };
        Ok(self.format.writer(BufWriter::with_capacity(1 << 16, out)))
    }
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("creating {}", path.display()))
}

fn listen_address(text: &str) -> anyhow::Result<SocketAddr> {
    let full = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    full.parse().with_context(|| {
        format!("udp://{text}: expected a port, as in udp://:2055, or an address and port")
    })
}

/// Standard output, with a closed pipe as an ordinary end.
struct Pipe(io::Stdout);

fn ended<T>(result: io::Result<T>) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result,
    }
}

impl Write for Pipe {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        ended(self.0.write(octets))
    }

    fn flush(&mut self) -> io::Result<()> {
        ended(self.0.flush())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_listens_everywhere() {
        assert_eq!(listen_address(":2055").unwrap(), "[::]:2055".parse().unwrap());
        assert_eq!(listen_address("127.0.0.1:9").unwrap(), "127.0.0.1:9".parse().unwrap());
        assert!(listen_address("2055").is_err());
    }
}
