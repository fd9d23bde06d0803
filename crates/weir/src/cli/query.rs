//! `weir query`: one logical query, asked of a server or of a data folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::ValueEnum;
use weir_model::SystemClock;
use weir_query::{Cancel, Compare, Directions, Order, Query, TimeColumn};
use weir_store::{DiskFiles, Snapshot, Store};

use super::Settings;
use super::client::{Refusal, Server};
use super::out::{print, say};
use super::table::{Output, notes, render};
use super::text::visible;
use crate::config::policies;

/// Arguments of `weir query`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    /// Reads a data folder itself, whatever --server says; a server may be writing to it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    range: Range,
    /// Columns to group by; addresses may have prefix lengths, as in src_addr/24/48
    #[arg(long, short, value_name = "COLUMN,…", value_delimiter = ',')]
    group_by: Vec<String>,
    /// octets, packets, flows, bps, pps, fps, both_octets, both_bps, reverse_bps, avg(rtt_us),
    /// p95(rtt_us), distinct(dst_addr) …
    /// [default: both_octets,both_packets,flows; octets,packets,flows where directions stand apart;
    /// records of the other tables]
    #[arg(long, short, value_name = "MEASURE,…", value_delimiter = ',')]
    measure: Vec<String>,
    /// Leaves octets and packets as exported instead of multiplying by the sampling rate
    #[arg(long)]
    unscaled: bool,
    /// Width of time buckets, as in 10s, 1m or 1h
    #[arg(long, short, value_name = "SPAN")]
    bucket: Option<String>,
    /// Groups to show, ranked by the first measure or --order-by; the rest is summed up
    #[arg(long, short, value_name = "N", default_value_t = 10)]
    limit: usize,
    /// Measure that ranks the groups
    #[arg(long, value_name = "MEASURE")]
    order_by: Option<String>,
    /// Shows the smallest first
    #[arg(long)]
    ascending: bool,
    /// Adds the figures of an earlier period
    #[arg(long, value_enum, value_name = "PERIOD")]
    compare: Option<Period>,
    /// Counts each octet for the end that sent it, also where one record carries both directions
    #[arg(long, conflicts_with = "both_directions")]
    split_directions: bool,
    /// The same, and counts what each group received beside what it sent
    #[arg(long)]
    both_directions: bool,
    /// Time that the range and the buckets are about; all but received_at read raw rows
    #[arg(long, value_enum, value_name = "COLUMN", default_value = "received_at")]
    time: Time,
    /// Form of the answer
    #[arg(long, short, value_enum, default_value = "table")]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  weir query --from -1h --group-by src_addr,dst_addr --measure octets,bps
  weir query --from -24h --bucket 1h --group-by proto
  weir query --group-by src_addr --both-directions
  weir query --filter 'src_addr in 10.0.0.0/8 and dst_port in (80, 443)' -g src_addr/24
  weir query --from 2026-11-19T03:00:00Z --to 2026-11-19T04:00:00Z -g src_pod --compare previous
  weir query --data ./weir-data --output csv -g exporter_addr";

/// What is asked about: shared by `query` and `records`.
#[derive(Debug, Clone, clap::Args)]
pub struct Range {
    /// Start: back from now as in -1h or -7d, or RFC 3339
    #[arg(long, value_name = "TIME", default_value = "-1h", allow_hyphen_values = true)]
    pub from: String,
    /// End, not included
    #[arg(long, value_name = "TIME", default_value = "now", allow_hyphen_values = true)]
    pub to: String,
    /// Keeps matching records only, as in 'proto = tcp and dst_port = 443'
    #[arg(long, short, value_name = "FILTER", default_value = "")]
    pub filter: String,
    /// flows, counters or options
    #[arg(long, value_name = "TABLE", default_value = "flows")]
    pub table: String,
}

/// Periods to compare with.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Period {
    /// The period of the same length just before
    Previous,
    /// The same period a day earlier
    Day,
    /// The same period a week earlier
    Week,
}

/// Time columns.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Time {
    ReceivedAt,
    FlowEnd,
    FlowStart,
    #[value(name = "export_time")]
    Exported,
}

impl Args {
    fn measures(&self) -> Vec<String> {
        let words: &[&str] = match (self.measure.is_empty(), self.range.table.as_str()) {
            (false, _) => return self.measure.clone(),
            (true, "flows") if self.directions() != Directions::One => {
                &["octets", "packets", "flows"]
            }
            (true, "flows") => &["both_octets", "both_packets", "flows"],
            (true, _) => &["records"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn directions(&self) -> Directions {
        match (self.both_directions, self.split_directions) {
            (true, _) => Directions::Both,
            (_, true) => Directions::Split,
            _ => Directions::One,
        }
    }

    fn query(&self) -> Query {
        Query {
            table: self.range.table.clone(),
            from: self.range.from.clone(),
            to: self.range.to.clone(),
            filter: self.range.filter.clone(),
            group_by: self.group_by.clone(),
            measures: self.measures(),
            unscaled: self.unscaled,
            bucket: self.bucket.clone(),
            limit: Some(self.limit),
            order_by: self.order_by.clone().unwrap_or_default(),
            order: if self.ascending { Order::Asc } else { Order::Desc },
            compare: self.compare.map(|period| match period {
                Period::Previous => Compare::Previous,
                Period::Day => Compare::Day,
                Period::Week => Compare::Week,
            }),
            directions: self.directions(),
            time: match self.time {
                Time::ReceivedAt => TimeColumn::ReceivedAt,
                Time::FlowEnd => TimeColumn::FlowEnd,
                Time::FlowStart => TimeColumn::FlowStart,
                Time::Exported => TimeColumn::ExportTime,
            },
        }
    }

    /// Asks and prints.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let query = self.query();
        let document = match &self.data {
            None => self.server.ask("/api/v1/query", &query, &query.filter)?,
            Some(folder) => {
                let limits = policies::query_limits(&settings.load()?.query);
                let snapshot = open(folder)?;
                let answer =
                    weir_query::run(&snapshot, &query, &limits, &Cancel::new(), &SystemClock);
                let refused = |error| refusal(&error, &query.filter);
                serde_json::to_vec(&answer.map_err(refused)?)?
            }
        };
        print(&render(&document, self.output)?)?;
        if matches!(self.output, Output::Csv | Output::Ndjson) {
            notes(&document).iter().for_each(|note| say(&format!("note: {}\n", visible(note))));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads the data folder as it is on disk now.
pub fn open(folder: &Path) -> anyhow::Result<Snapshot> {
    // Why: to a reader an absent store is an empty one, and a mistyped name would answer zero.
    let given = folder;
    let folder = policies::store_folder(given);
    if !folder.is_dir() {
        bail!("{} is no data folder of Weir: it holds no store", given.display());
    }
    DiskFiles::raise_limit();
    let (store, report) = Store::open_read_only(&folder, Arc::new(DiskFiles))
        .with_context(|| format!("opening the data folder {}", folder.display()))?;
    for file in &report.quarantined {
        say(&format!("warning: {} takes no part: {}\n", file.file, file.reason));
    }
    Ok(store.snapshot())
}

/// A refusal of the engine in the form that a server's would have.
pub fn refusal(error: &weir_query::QueryError, filter: &str) -> Refusal {
    Refusal::new(weir_api::query_problem(error, filter), filter)
}
