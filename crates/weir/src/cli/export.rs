//! `weir export`: records of a data folder into a file that other tools read.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use weir_model::{Clock, FlowBatch, SystemClock, Timestamp};
use weir_query::{Cancel, QueryError, RecordsQuery};
use weir_sink::Format;

use super::Settings;
use super::out::say;
use super::query::{open, refusal};
use crate::config::policies;

/// Arguments of `weir export`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Data folder; a server may be writing to it
    #[arg(long, value_name = "DIR", default_value = "./weir-data")]
    data: PathBuf,
    /// Start, included: RFC 3339, or back from now, as in -1h
    #[arg(long, value_name = "TIME", default_value = "-1h", allow_hyphen_values = true)]
    from: String,
    /// End, excluded; the same forms
    #[arg(long, value_name = "TIME", default_value = "now", allow_hyphen_values = true)]
    to: String,
    /// Keeps only matching records
    #[arg(long, value_name = "FILTER", default_value = "")]
    filter: String,
    /// File to write; `-` is standard output
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// json, csv, parquet, goflow…; told from the file's ending if it is not given
    #[arg(long)]
    format: Option<Format>,
}

const EXAMPLES: &str = "\
Examples:
  weir export --from -24h --out yesterday.parquet
  weir export --from -1h --filter 'dst_port = 53' --out dns.csv
  weir export --data /var/lib/weir --from 2026-11-19 --to 2026-11-20 --out day.parquet
  duckdb -c \"select src_addr, sum(octets) from 'day.parquet' group by 1 order by 2 desc limit 10\"

Records come as they are stored: the segments with the newest first; merged segments are sorted by
address. Sort where order matters.";

/// One moment for the whole file.
struct Stopped(Timestamp);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        self.0
    }
}

impl Args {
    /// Reads and writes.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let format = self.format()?;
        let snapshot = open(&self.data)?;
        let limits = policies::query_limits(&settings.load()?.query);
        let out: Box<dyn Write + Send> = match self.out.to_str() {
            Some("-") => Box::new(io::stdout()),
            _ => Box::new(
                File::create(&self.out)
                    .with_context(|| format!("creating {}", self.out.display()))?,
            ),
        };
        let mut writer = format.writer(BufWriter::with_capacity(1 << 16, out));
        // Why: a file may take longer than a question may.
        let clock = Stopped(SystemClock.now());
        let query = RecordsQuery {
            from: self.from.clone(),
            to: self.to.clone(),
            filter: self.filter.clone(),
            ..RecordsQuery::default()
        };
        let mut rows = 0u64;
        let shown = io::stderr().is_terminal();
        let write = |batch: FlowBatch| {
            writer.write(&batch).context("writing records")?;
            rows += batch.rows() as u64;
            if shown {
                say(&format!("\r{rows} records\x1b[K"));
            }
            anyhow::Ok(())
        };
        let stats = weir_query::export(&snapshot, &query, &limits, &Cancel::new(), &clock, write)
            .map_err(|error| match error.downcast::<QueryError>() {
            Ok(error) => refusal(&error, &self.filter).into(),
            Err(error) => error,
        })?;
        writer.finish().context("ending the file")?;
        let clear = if shown { "\r\x1b[K" } else { "" };
        say(&format!("{clear}{rows} records written to {}\n", self.out.display()));
        stats.notes.iter().for_each(|note| say(&format!("note: {note}\n")));
        Ok(ExitCode::SUCCESS)
    }

    fn format(&self) -> anyhow::Result<Format> {
        if let Some(format) = self.format {
            return Ok(format);
        }
        match self.out.extension().and_then(|extension| extension.to_str()) {
            Some("parquet") => Ok(Format::Parquet),
            Some("csv") => Ok(Format::Csv),
            Some("json" | "ndjson" | "jsonl") => Ok(Format::Json),
            _ => bail!(
                "--out {}: say --format, or end the name in .parquet, .csv or .json",
                self.out.display()
            ),
        }
    }
}
