//! What pages of records cost anywhere in a store: without order, with a filter, by a column.
//!
//! `cargo run --release -p weir-query --example records_bench FOLDER [offset]`, over a data folder
//! that somebody else wrote (`weir serve`, `weir import`). Medians of 5, wall time.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use weir_model::{SystemClock, Table};
use weir_query::{Cancel, Order, QueryLimits, RecordsPage, RecordsQuery, records};
use weir_store::{DiskFiles, Store, Tier};

type Failure = Box<dyn std::error::Error>;

/// What a table shows.
const COLUMNS: [&str; 10] = [
    "received_at",
    "exporter_addr",
    "src_addr",
    "src_port",
    "dst_addr",
    "dst_port",
    "proto",
    "octets",
    "packets",
    "tcp_flags",
];

/// Rows of a page.
const PAGE: usize = 200;

fn main() -> Result<(), Failure> {
    let folder = std::env::args().nth(1).map(PathBuf::from).ok_or("say the folder")?;
    let offset = std::env::args().nth(2).map_or(Ok(5_000_000), |text| text.parse())?;
    let (store, _) = Store::open_read_only(&folder, Arc::new(DiskFiles))?;
    let snapshot = store.snapshot();
    let infos = snapshot.segments(Table::Flows, Tier::Raw).map(|segment| segment.info());
    let infos: Vec<_> = infos.collect();
    let first = infos.iter().filter_map(|info| info.first_received_at).min();
    let last = infos.iter().filter_map(|info| info.last_received_at).max();
    let (Some(first), Some(last)) = (first, last) else { return Err("no flows".into()) };
    println!("{} rows", infos.iter().map(|info| info.rows).sum::<u64>());
    for (order_by, order) in [("", Order::Desc), ("octets", Order::Desc), ("src_addr", Order::Asc)]
    {
        for filter in ["", "proto = udp", "src_addr in 10.0.0.0/16 and dst_port = 443"] {
            for offset in [0, offset] {
                let query = RecordsQuery {
                    from: first.to_string(),
                    to: last.plus(std::time::Duration::from_nanos(1)).to_string(),
                    filter: filter.into(),
                    limit: PAGE,
                    columns: COLUMNS.map(str::to_owned).to_vec(),
                    order_by: order_by.into(),
                    order,
                    offset,
                    ..RecordsQuery::default()
                };
                let limits = QueryLimits::default();
                let ask = || records(&snapshot, &query, &limits, &Cancel::new(), &SystemClock);
                let (wall, page) = median(ask)?;
                println!(
                    "{order_by:<9} {filter:<45} offset {offset:>8} {:>8.1} ms, {} rows, {} blocks",
                    wall * 1e3,
                    page.rows.rows(),
                    page.stats.blocks
                );
            }
        }
    }
    Ok(())
}

fn median<E>(ask: impl Fn() -> Result<RecordsPage, E>) -> Result<(f64, RecordsPage), E> {
    let mut page = ask()?;
    let mut walls = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        page = ask()?;
        walls.push(started.elapsed().as_secs_f64());
    }
    walls.sort_by(f64::total_cmp);
    Ok((walls.get(2).copied().unwrap_or(0.0), page))
}
