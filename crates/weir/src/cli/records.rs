//! `weir records`: raw records, newest first, or as they arrive.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;
use weir_model::{SystemClock, Table};
use weir_query::{Cancel, Order, RecordsQuery};

use super::Settings;
use super::client::Server;
use super::out::{print, say};
use super::query::{Range, open, refusal};
use super::table::{Output, Stats, align, csv_field, named, plain};
use super::text::{visible, visible_json};
use crate::config::policies;

/// Columns of the table when none are named.
const TABLE_COLUMNS: [&str; 9] = [
    "received_at",
    "exporter_addr",
    "src_addr",
    "src_port",
    "dst_addr",
    "dst_port",
    "proto",
    "octets",
    "reverse_octets",
];

/// Records of one page.
const PAGE: usize = 1_000;

/// Arguments of `weir records`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    /// Reads a data folder itself, whatever --server says; a server may be writing to it
    #[arg(long, value_name = "DIR", conflicts_with = "follow")]
    data: Option<PathBuf>,
    #[command(flatten)]
    range: Range,
    /// Columns to show; all in JSON, the key ones in a table
    #[arg(long, short, value_name = "COLUMN,…", value_delimiter = ',')]
    columns: Vec<String>,
    /// Records to show
    #[arg(long, short, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Column that orders the records; those without a value come last [default: received_at]
    #[arg(long, value_name = "COLUMN", conflicts_with = "follow")]
    order_by: Option<String>,
    /// Smallest, or oldest, first
    #[arg(long, conflicts_with = "follow")]
    ascending: bool,
    /// Records of that order to pass over
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "follow")]
    offset: usize,
    /// Shows records as they arrive, until interrupted
    #[arg(long)]
    follow: bool,
    /// Form of the records; json and ndjson are one object a line
    #[arg(long, short, value_enum, default_value = "ndjson")]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  weir records --filter 'dst_port = 53' --limit 20
  weir records --follow --filter 'addr in 10.1.0.0/16' --output table
  weir records --from -1d --order-by octets --limit 20 --output table
  weir records --from -5m --columns src_addr,dst_addr,octets --output csv
  weir records --table counters --filter 'name = \"ifInOctets\"'";

/// The API's page of records.
#[derive(Debug, Deserialize)]
struct Page {
    records: Vec<Value>,
    next: Option<String>,
    #[serde(default)]
    stats: Stats,
}

impl Args {
    fn shown(&self) -> Vec<String> {
        match self.columns.is_empty() && matches!(self.output, Output::Table) {
            true if self.range.table == "flows" => TABLE_COLUMNS.map(str::to_owned).to_vec(),
            _ => self.columns.clone(),
        }
    }

    /// Asks and prints.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        if self.follow {
            self.follow()?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.limit == 0 {
            bail!(
                "--limit 0 would show nothing: ask for 1 or more; `weir export` writes all of a range"
            );
        }
        let mut records = Vec::new();
        let mut cursor = None;
        let mut notes = Vec::new();
        while records.len() < self.limit {
            let wanted = (self.limit - records.len()).min(PAGE);
            let page: Page = serde_json::from_slice(&self.page(settings, wanted, cursor)?)
                .context("the answer is not as expected")?;
            records.extend(page.records);
            for note in page.stats.notes {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let shown = match self.shown() {
            shown if shown.is_empty() => every_name(&records, &self.range.table),
            shown => shown,
        };
        print(&form(&records, &shown, self.output, true))?;
        notes.iter().for_each(|note: &String| say(&format!("note: {}\n", visible(note))));
        Ok(ExitCode::SUCCESS)
    }

    fn page(
        &self,
        settings: &Settings,
        limit: usize,
        cursor: Option<String>,
    ) -> anyhow::Result<Vec<u8>> {
        let query = RecordsQuery {
            table: self.range.table.clone(),
            from: self.range.from.clone(),
            to: self.range.to.clone(),
            filter: self.range.filter.clone(),
            columns: self.shown(),
            limit,
            offset: if cursor.is_some() { 0 } else { self.offset },
            cursor,
            order_by: self.order_by.clone().unwrap_or_default(),
            order: if self.ascending { Order::Asc } else { Order::Desc },
            ..RecordsQuery::default()
        };
        let Some(folder) = &self.data else {
            return self.server.ask("/api/v1/records", &query, &query.filter);
        };
        let limits = policies::query_limits(&settings.load()?.query);
        let page =
            weir_query::records(&open(folder)?, &query, &limits, &Cancel::new(), &SystemClock);
        Ok(weir_api::records_page(&page.map_err(|error| refusal(&error, &query.filter))?))
    }

    fn follow(&self) -> anyhow::Result<()> {
        let shown = self.shown();
        let columns = shown.join(",");
        let parameters = [("filter", self.range.filter.as_str()), ("columns", &columns)];
        let stream = self.server.stream("/api/v1/tail", &parameters, &self.range.filter)?;
        let mut event = String::new();
        let mut first = true;
        for line in BufReader::new(stream).lines() {
            let line = line.context("the server closed the stream")?;
            if let Some(name) = line.strip_prefix("event: ") {
                event = name.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                let value: Value = serde_json::from_str(data).context("an event is not JSON")?;
                match event.as_str() {
                    "record" => {
                        print(&form(std::slice::from_ref(&value), &shown, self.output, first))?;
                        first = false;
                    }
                    "skipped" => say(&format!(
                        "# {} records over the rate, {} not looked at\n",
                        plain(value.get("skipped")),
                        plain(value.get("unexamined"))
                    )),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Every column that some record has, in the order of the column table.
fn every_name(records: &[Value], table: &str) -> Vec<String> {
    let table = Table::ALL.into_iter().find(|known| known.name() == table);
    let columns = table.map_or(&[][..], Table::columns);
    let has = |name: &str| records.iter().any(|record| record.get(name).is_some());
    columns.iter().map(|def| def.name).filter(|name| has(name)).map(str::to_owned).collect()
}

fn form(records: &[Value], columns: &[String], output: Output, heading: bool) -> String {
    match output {
        Output::Json | Output::Ndjson => {
            records.iter().map(|record| visible_json(&line(record))).collect()
        }
        Output::Csv => {
            let names = columns.iter().map(|name| csv_field(name)).collect::<Vec<_>>().join(",");
            let mut out = if heading { format!("{names}\r\n") } else { String::new() };
            for record in records {
                let fields = columns.iter().map(|name| csv_field(&plain(record.get(name))));
                out.push_str(&fields.collect::<Vec<_>>().join(","));
                out.push_str("\r\n");
            }
            out
        }
        Output::Table => {
            let mut lines = if heading { vec![columns.to_vec()] } else { Vec::new() };
            for record in records {
                let cells = columns.iter().map(|name| match record.get(name) {
                    None => "-".to_owned(),
                    value => named(name, value).unwrap_or_else(|| visible(&plain(value))),
                });
                lines.push(cells.collect());
            }
            pad(&lines)
        }
    }
}

/// A record as a line of JSON, its columns in the order of the column table.
fn line(record: &Value) -> String {
    let kind = record.get("kind").and_then(Value::as_str).unwrap_or_default();
    let table = Table::ALL.into_iter().find(|table| table.kind() == kind);
    let columns = table.map_or(&[][..], Table::columns).iter().map(|def| def.name);
    let fields = std::iter::once("kind").chain(columns).filter_map(|name| {
        let value = record.get(name)?;
        Some(format!("\"{name}\":{value}"))
    });
    format!("{{{}}}\n", fields.collect::<Vec<_>>().join(","))
}

/// Aligns, with least widths so that the lines of `--follow` stand under each other.
fn pad(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let padded: Vec<Vec<String>> =
        lines.iter().map(|line| line.iter().map(|cell| format!("{cell:<15}")).collect()).collect();
    align(&padded, &vec![false; columns])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn records_take_each_form() {
        let records = [
            json!({"kind": "flow", "src_addr": "10.0.0.1", "octets": "18446744073709551615"}),
            json!({"kind": "flow", "src_addr": "::1", "src_pod": "x\u{9b}y"}),
        ];
        let columns = every_name(&records, "flows");
        assert_eq!(columns, ["src_addr", "octets", "src_pod"]);
        assert_eq!(
            form(&records, &columns, Output::Csv, true),
            "src_addr,octets,src_pod\r\n10.0.0.1,18446744073709551615,\r\n::1,,x\\u{9b}y\r\n"
        );
        assert_eq!(
            form(&records[1..], &columns, Output::Ndjson, true),
            "{\"kind\":\"flow\",\"src_addr\":\"::1\",\"src_pod\":\"x\\u009by\"}\n"
        );
        assert_eq!(
            form(&records[..1], &columns, Output::Table, false),
            "10.0.0.1         18446744073709551615  -\n"
        );
    }
}
