//! Following a running Weir: what it has of the last minutes, then its live tail.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use weir_model::{Clock, SystemClock, Table, Timestamp};
use weir_query::RecordsQuery;

use super::local::is_counter;
use super::{Outlet, Status, Update};
use crate::cli::client::{Refusal, Server};
use crate::top::rate::Pace;
use crate::top::record::{COLUMNS, JsonRow, Record};

/// Records of the past that are asked for at the start, newest first.
const PAST: usize = 2_000;
/// How far back they are asked for: a connection is told of every minute.
const BACK: &str = "-70s";
/// Longest line of the stream that is read.
const LINE_MAX: u64 = 1 << 20;
/// Largest health document that is read.
const HEALTH_MAX: u64 = 1 << 24;
/// Shortest and longest pause before the server is asked again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// The following of a server. Dropping it ends it with the next line that comes.
pub struct Follower {
    stopped: Arc<AtomicBool>,
    told: Arc<AtomicBool>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

struct Task {
    server: Server,
    filter: String,
    columns: String,
    outlet: Outlet,
    stopped: Arc<AtomicBool>,
    told: Arc<AtomicBool>,
}

impl Follower {
    /// The records of the past were sent.
    pub fn has_told(&self) -> bool {
        self.told.load(Ordering::Relaxed)
    }

    /// Records come as exporters please.
    pub fn pace(&self) -> Pace {
        Pace::Unknown
    }

    /// Starts following on a thread of its own.
    pub fn start(server: Server, filter: String, outlet: Outlet) -> anyhow::Result<Follower> {
        let (stopped, told) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let names = COLUMNS.iter().filter_map(|id| Table::Flows.def(*id)).map(|def| def.name);
        let columns = names.collect::<Vec<_>>().join(",");
        let follower = Follower { stopped: Arc::clone(&stopped), told: Arc::clone(&told) };
        let task = Task { server, filter, columns, outlet, stopped, told };
        std::thread::Builder::new()
            .name("weir-tail".to_owned())
            .spawn(move || task.run())
            .context("starting the thread that follows the server")?;
        Ok(follower)
    }
}

impl Task {
    fn run(self) {
        let mut pause = PAUSES.0;
        while !self.is_stopped() {
            let (had, error) = match self.follow() {
                Ok(lines) => (lines > 0, anyhow::anyhow!("the server ended the stream")),
                Err(error) => (false, error),
            };
            let is_final =
                error.downcast_ref::<Refusal>().is_some_and(|refusal| !refusal.is_passing());
            let told = Update::Failed { why: format!("{error:#}"), is_final };
            if !self.outlet.send(told) || is_final {
                return;
            }
            pause = if had { PAUSES.0 } else { (pause * 2).min(PAUSES.1) };
            std::thread::sleep(pause);
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Follows until the stream ends; how many lines came.
    fn follow(&self) -> anyhow::Result<u64> {
        let parameters = [("filter", self.filter.as_str()), ("columns", &self.columns)];
        let stream = self.server.stream("/api/v1/tail", &parameters, &self.filter)?;
        self.outlet.send(Update::Status(self.health()?));
        let mut newest = self.past()?;
        self.told.store(true, Ordering::Relaxed);
        let mut reader = BufReader::new(stream);
        let (mut line, mut event, mut lines) = (Vec::new(), String::new(), 0);
        loop {
            line.clear();
            let read = reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut line);
            let read = read.context("the server ended the stream")?;
            if read == 0 || self.is_stopped() {
                return Ok(lines);
            }
            if line.last() != Some(&b'\n') && read as u64 == LINE_MAX {
                bail!("a line of the stream is longer than {LINE_MAX} octets");
            }
            lines += 1;
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            if let Some(name) = text.strip_prefix("event: ") {
                event = name.to_owned();
            } else if let Some(data) = text.strip_prefix("data: ") {
                let value = serde_json::from_str(data).context("an event is not JSON")?;
                if !self.event(&event, &value, &mut newest) {
                    return Ok(lines);
                }
            }
        }
    }

    /// Sends an event on; `newest` is when the newest record of the past was received.
    fn event(&self, event: &str, value: &Value, newest: &mut Option<Timestamp>) -> bool {
        match event {
            "record" => {
                // Why: what came between the start of the tail and the look into the past is in both.
                if newest.is_some_and(|newest| received(value).is_some_and(|at| at <= newest)) {
                    return true;
                }
                *newest = None;
                let record = Record::read(&JsonRow(value));
                record.is_none_or(|record| {
                    self.outlet
                        .send(Update::Records(vec![(record, Duration::ZERO)], Instant::now()))
                })
            }
            "skipped" => {
                let of = |name: &str| value.get(name).and_then(Value::as_u64).unwrap_or(0);
                self.outlet.send(Update::Skipped(of("skipped").saturating_add(of("unexamined"))))
            }
            _ => true,
        }
    }

    /// Sends the records of the last minute, oldest first; when the newest was received.
    fn past(&self) -> anyhow::Result<Option<Timestamp>> {
        let query = RecordsQuery {
            from: BACK.to_owned(),
            filter: self.filter.clone(),
            columns: self.columns.split(',').map(str::to_owned).collect(),
            limit: PAST,
            ..RecordsQuery::default()
        };
        let body = self.server.ask("/api/v1/records", &query, &self.filter)?;
        let page: Value = serde_json::from_slice(&body).context("the answer is not as expected")?;
        let rows = page.get("records").and_then(Value::as_array).context("there are no records")?;
        let now = SystemClock.now();
        let records = rows.iter().rev().filter_map(|row| {
            let ago = now.since(received(row)?);
            Some((Record::read(&JsonRow(row))?, ago))
        });
        self.outlet.send(Update::Records(records.collect(), Instant::now()));
        Ok(rows.first().and_then(received))
    }

    /// Which tiers run on the machine of the server.
    fn health(&self) -> anyhow::Result<Status> {
        let mut body = Vec::new();
        let answer = self.server.stream("/api/v1/health", &[], "")?;
        answer.take(HEALTH_MAX).read_to_end(&mut body).context("reading the health document")?;
        let health: Value = serde_json::from_slice(&body).context("health is not as expected")?;
        Ok(status(&health["meter"]))
    }
}

fn received(record: &Value) -> Option<Timestamp> {
    record.get("received_at")?.as_str()?.parse().ok()
}

fn status(meter: &Value) -> Status {
    let mut status = Status::default();
    if meter["enabled"] != true {
        let missing = "the server does not meter its machine (meter.enabled); --local does";
        status.missing.push(missing.to_owned());
    }
    for tier in meter["tiers"].as_array().into_iter().flatten() {
        let name = tier["name"].as_str().unwrap_or_default();
        if !is_counter(name) {
            let runs = tier["runs"] == true;
            status.add(name, runs, tier["why_not"].as_str(), tier["costs"].as_str());
        }
    }
    if let Some(hidden @ 1..) = meter["owners"]["hidden_processes"].as_u64() {
        let missing = format!("the server may not look into {hidden} processes of other users");
        status.missing.insert(0, missing);
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_health_document_tells_tiers_and_what_is_missing() {
        let meter = json!({"enabled": true, "owners": {"hidden_processes": 3}, "tiers": [
            {"name": "inet_diag", "runs": true, "why_not": null, "costs": null},
            {"name": "host_counters", "runs": true, "why_not": null, "costs": null},
            {"name": "conntrack", "runs": false, "why_not": "off", "costs": "services"},
            {"name": "network_namespaces", "runs": false, "why_not": "no", "costs": "pods"},
        ]});
        let status = status(&meter);
        assert_eq!(status.tiers, ["inet_diag"]);
        assert_eq!(status.absent, ["conntrack", "network_namespaces"]);
        assert_eq!(
            status.missing,
            [
                "the server may not look into 3 processes of other users",
                "conntrack: off: services",
                "network_namespaces: no: pods"
            ]
        );
        assert!(super::status(&json!({"enabled": false})).missing[0].contains("--local"));
    }
}
