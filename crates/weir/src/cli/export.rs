//! `weir export`: records of a data folder into a file that other tools read.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use weir_model::{Clock, SystemClock, Timestamp};
use weir_query::{Cancel, RecordsQuery};
use weir_sink::Format;

use super::Settings;
use super::out::say;
use super::query::{open, refusal};
use crate::config::policies;

/// Records fetched at a time: a block's worth.
const PAGE: usize = 65_536;

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

Records come newest first.";

/// One moment for all pages: "now" must not move between them.
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
        let mut limits = policies::query_limits(&settings.load()?.query);
        limits.records = PAGE;
        let out: Box<dyn Write + Send> = match self.out.to_str() {
            Some("-") => Box::new(io::stdout()),
            _ => Box::new(
                File::create(&self.out)
                    .with_context(|| format!("creating {}", self.out.display()))?,
            ),
        };
        let mut writer = format.writer(BufWriter::with_capacity(1 << 16, out));
        let clock = Stopped(SystemClock.now());
        let mut query = RecordsQuery {
            from: self.from.clone(),
            to: self.to.clone(),
            filter: self.filter.clone(),
            limit: PAGE,
            ..RecordsQuery::default()
        };
        let mut rows = 0u64;
        let shown = io::stderr().is_terminal();
        loop {
            let mut page = weir_query::records(&snapshot, &query, &limits, &Cancel::new(), &clock)
                .map_err(|error| refusal(&error, &self.filter))?;
            page.rows.seal();
            writer.write(&page.rows).context("writing records")?;
            rows += page.rows.rows() as u64;
            if shown {
                say(&format!("\r{rows} records\x1b[K"));
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        writer.finish().context("ending the file")?;
        let clear = if shown { "\r\x1b[K" } else { "" };
        say(&format!("{clear}{rows} records written to {}\n", self.out.display()));
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
