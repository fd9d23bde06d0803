//! `weir import`: records of a file into a data folder.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use weir_model::columns::flows;
use weir_model::{FlowBatch, Scalar, SystemClock};
use weir_sink::{RecordWriter, csv, parquet};
use weir_store::{DiskFiles, Store};

use super::Settings;
use super::out::say;
use crate::config::policies;
use crate::decode::Decoding;

/// Arguments of `weir import`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Parquet, CSV (Weir's or nfdump's) or a capture of exports; `weir export` writes the first two
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Data folder; no server may be using it
    #[arg(long, value_name = "DIR", default_value = "./weir-data")]
    data: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  weir import day.parquet --data ./weir-data
  nfdump -r nfcapd.202611200300 -o csv > flows.csv && weir import flows.csv
  weir import exports.pcap

Records keep their times: a row without received_at takes flow_end, and retention counts from it.";

/// What a file is, by its first octets: names lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Parquet,
    Capture,
    Csv,
}

impl Args {
    /// Reads and stores.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let policy = policies::store_policy(&settings.load()?.store, &self.data);
        let (store, _) = Store::open(policy, Arc::new(SystemClock), Arc::new(DiskFiles))
            .with_context(|| format!("opening {}", self.data.display()))?;
        let mut into = Into { store: &store, rows: 0, undated: 0 };
        for path in &self.files {
            let before = into.rows;
            import(path, &mut into).with_context(|| format!("reading {}", path.display()))?;
            say(&format!("{}: {} records\n", path.display(), into.rows - before));
        }
        let (rows, undated) = (into.rows, into.undated);
        store.flush().context("making the records durable")?;
        store.close().context("closing the store")?;
        say(&format!("{rows} records imported into {}\n", self.data.display()));
        if undated > 0 {
            say(&format!(
                "{undated} records had neither received_at nor flow_end and were left out\n"
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The store as a writer of records.
struct Into<'a> {
    store: &'a Store,
    rows: u64,
    undated: u64,
}

impl RecordWriter for Into<'_> {
    fn write(&mut self, batch: &FlowBatch) -> std::io::Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        self.store.append(batch).map_err(std::io::Error::other)?;
        self.rows += batch.rows() as u64;
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn import(path: &Path, into: &mut Into<'_>) -> anyhow::Result<()> {
    let mut file = File::open(path)?;
    let mut start = [0; 4];
    let read = file.read(&mut start)?;
    file.rewind()?;
    match kind(&start[..read])? {
        Kind::Parquet => {
            let mut reader = parquet::Reader::new(file)?;
            tell_ignored(path, reader.ignored());
            while let Some(batch) = reader.next_batch()? {
                store(batch, into)?;
            }
        }
        Kind::Csv => {
            let mut reader = csv::Reader::new(BufReader::with_capacity(1 << 16, file))?;
            tell_ignored(path, reader.ignored());
            while let Some(batch) = reader.next_batch()? {
                store(batch, into)?;
            }
        }
        Kind::Capture => {
            let summary = Decoding::new(into, true).capture(BufReader::new(file))?;
            say(&summary.text());
        }
    }
    Ok(())
}

/// Leaves out rows without a time: the store is ordered by it.
fn store(mut batch: FlowBatch, into: &mut Into<'_>) -> anyhow::Result<()> {
    let dated =
        |batch: &FlowBatch, row| matches!(batch.get(flows::RECEIVED_AT, row), Some(Scalar::I64(_)));
    let rows = batch.rows();
    for row in 0..rows {
        if let (false, Some(Scalar::I64(end))) =
            (dated(&batch, row), batch.get(flows::FLOW_END, row))
        {
            batch.set(flows::RECEIVED_AT, row, end);
        }
    }
    batch.seal();
    let undated = (0..rows).filter(|&row| !dated(&batch, row)).count();
    if undated > 0 {
        into.undated += undated as u64;
        batch = batch.select((0..rows).filter(|&row| dated(&batch, row)));
    }
    into.write(&batch).context("storing")
}

fn kind(start: &[u8]) -> anyhow::Result<Kind> {
    match start {
        b"PAR1" => Ok(Kind::Parquet),
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xd4, 0xc3, 0xb2, 0xa1] => Ok(Kind::Capture),
        [0xa1, 0xb2, 0x3c, 0x4d] | [0x4d, 0x3c, 0xb2, 0xa1] => Ok(Kind::Capture),
        [0x0a, 0x0d, 0x0d, 0x0a] | [0x00, 0x0a, _, _] => Ok(Kind::Capture),
        [first, ..] if first.is_ascii_graphic() || *first == 0xef => Ok(Kind::Csv),
        _ => bail!("neither Parquet, CSV nor a capture"),
    }
}

fn tell_ignored(path: &Path, ignored: &[String]) {
    if !ignored.is_empty() {
        let names: Vec<String> = ignored.iter().map(|name| super::text::visible(name)).collect();
        say(&format!("{}: ignored columns: {}\n", path.display(), names.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_first_octets() {
        assert_eq!(kind(b"PAR1").unwrap(), Kind::Parquet);
        assert_eq!(kind(b"ts,t").unwrap(), Kind::Csv);
        assert_eq!(kind(&[0xd4, 0xc3, 0xb2, 0xa1]).unwrap(), Kind::Capture);
        assert_eq!(kind(&[0x00, 0x0a, 1, 2]).unwrap(), Kind::Capture);
        assert!(kind(&[0, 0, 0, 0]).is_err());
    }
}
