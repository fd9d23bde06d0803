//! `/api/v1/meter/processes`: who owns the metered sockets, and who began them.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use weir_model::Timestamp;

use super::query::{Pairs, from_pairs, number};
use crate::app::App;
use crate::blocking;
use crate::problem::{Kind, Problem};
use crate::respond;
use crate::view::processes::{ProcessView, ProcessesView};

/// How far two tellings of one start may differ: the time of the boot is known in seconds.
const SLACK: Duration = Duration::from_secs(2);
/// Processes that are told unless the request says otherwise, and at most.
const LIMIT: usize = 1_000;
const LIMIT_MAX: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    #[serde(default)]
    pid: Option<String>,
    #[serde(default)]
    process_start: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

/// `GET /api/v1/meter/processes`
pub async fn get(State(app): State<App>, pairs: Pairs) -> Result<Response, Problem> {
    let which: Which = from_pairs(pairs.0)?;
    let limit = which.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let what = format!("`{limit}` is not between 1 and {LIMIT_MAX}");
        return Err(Problem::new(Kind::BadRequest, what)
            .field("limit")
            .remedy("ask for one process by its pid"));
    }
    let pid: Option<u32> = which.pid.map(|text| number("pid", &text)).transpose()?;
    if pid.is_none() && which.process_start.is_some() {
        return Err(Problem::new(Kind::BadRequest, "a start without a pid names no process")
            .field("process_start")
            .remedy("give pid too: src_pid and src_process_start of a record name a process"));
    }
    let start = which.process_start.as_deref().map(time).transpose()?;
    let asked = app.clone();
    // Why: a file of /proc is read of each.
    let look = move |_: &_| asked.processes(pid);
    let mut processes = blocking::run(app.queries(), app.limits().time, look).await?;
    if let (Some(pid), Some(start)) = (pid, start) {
        processes = chain(processes, pid, start);
    }
    let left_out = processes.len().saturating_sub(limit) as u64;
    // The first ones stay, so whoever is told has its ancestors before it.
    processes.truncate(limit);
    Ok(respond::exact(&ProcessesView { processes, left_out }))
}

fn time(text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|_| {
        Problem::new(Kind::BadRequest, format!("`{text}` is not a time"))
            .field("process_start")
            .remedy("write a time like 2026-11-20T12:00:00Z")
    })
}

/// Of the processes that had `pid`, the one that started at `start`, with its ancestors.
fn chain(mut processes: Vec<ProcessView>, pid: u32, start: Timestamp) -> Vec<ProcessView> {
    let is_then = |time: Timestamp| time.since(start) <= SLACK && start.since(time) <= SLACK;
    let mut next = processes
        .iter()
        .find(|process| process.pid == pid && process.process_start.is_some_and(is_then))
        .map(|process| process.id.clone());
    let mut chain = Vec::new();
    // Each is taken out, so a circle ends.
    while let Some(place) = processes.iter().position(|process| Some(&process.id) == next.as_ref())
    {
        let process = processes.remove(place);
        next.clone_from(&process.parent_id);
        chain.push(process);
    }
    chain.reverse();
    chain
}
