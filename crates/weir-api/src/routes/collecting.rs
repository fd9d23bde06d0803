//! `/api/v1/exporters` and `/api/v1/health`: what is received, what became of it, how the store is.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use weir_model::{Addr, Grain, Table, Timestamp};
use weir_store::{Snapshot, StoreHealth, Tier};

use super::query::{Pairs, from_pairs, number};
use crate::app::App;
use crate::html::{Fact, Grouped};
use crate::problem::{Kind, Problem};
use crate::respond;
use crate::view::{Collecting, Loss, LossView, SecureView};

/// Age of an uncommitted row past which the disk is called slow.
const COMMIT_LAG_MAX_MS: u64 = 5_000;

/// How long before their end certificates are told of.
const CERTIFICATE_SOON: Duration = Duration::from_secs(14 * 86_400);

/// Something that an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Concern {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// When it began, where that is known.
    pub since: Option<String>,
    /// Of losses: when the last one was seen.
    pub last_at: Option<String>,
}

/// How bad a concern is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is received or kept.
    Failing,
    /// Something is lost, or will be.
    Warning,
    /// It is over.
    Info,
}

/// `GET /api/v1/exporters`
pub async fn exporters(State(app): State<App>) -> Response {
    respond::exact(&json!({ "exporters": app.collecting().exporters }))
}

/// Which exporter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    #[serde(default)]
    addr: String,
    #[serde(default)]
    domain: Option<String>,
}

/// `GET /api/v1/exporters/templates`
pub async fn templates(State(app): State<App>, pairs: Pairs) -> Result<Response, Problem> {
    let which: Which = from_pairs(pairs.0)?;
    let addr: Addr = which.addr.parse().map_err(|_| {
        Problem::new(Kind::BadRequest, format!("`{}` is not an address", which.addr))
            .field("addr")
            .remedy("the addresses are those of /api/v1/exporters")
    })?;
    let domain = which.domain.map(|text| number("domain", &text)).transpose()?;
    Ok(respond::exact(&app.templates(addr, domain)))
}

/// `GET /api/v1/health`
pub async fn health(State(app): State<App>) -> Response {
    let (collecting, now) = (app.collecting(), app.now());
    let store = app.store().health();
    let mut concerns = concerns(&collecting, &store, now);
    let of_views = app.views().concerns().into_iter();
    concerns.extend(of_views.map(|(what, remedy)| warning(what, remedy)));
    let status = match (store.is_ready(), concerns.is_empty()) {
        (false, _) => "failing",
        (true, false) => "degraded",
        (true, true) => "ok",
    };
    let about = app.about();
    respond::exact(&json!({
        "status": status,
        "concerns": concerns,
        "past": past(&collecting.losses),
        "losses": collecting.losses,
        "version": about.version,
        "started_at": about.started_at.to_string(),
        "now": now.to_string(),
        "exporters": collecting.exporters.len(),
        "ledger": collecting.ledger,
        "queue": collecting.queue,
        "sockets": collecting.sockets,
        "connections": collecting.connections,
        "secure": collecting.secure,
        "meter": collecting.meter,
        "rollup_lag_ms": rollup_lag_ms(&app.store().snapshot()),
        "store": store,
    }))
}

/// How far sums of a minute are behind the records; none while there are none of either.
fn rollup_lag_ms(snapshot: &Snapshot) -> Option<u64> {
    let newest = |table, tier| {
        let infos = snapshot.segments(table, tier).map(|segment| segment.info());
        infos.filter_map(|info| info.last_received_at).max()
    };
    let records = newest(Table::Flows, Tier::Raw)?;
    let sums = newest(Table::Rollups, Tier::Rollup(Grain::Minute))?;
    let end = sums.plus(Duration::from_nanos(Grain::Minute.nanos().unsigned_abs()));
    Some(records.since(end).as_millis() as u64)
}

/// Why Weir is not ready; `None` when it is.
pub fn obstacle(app: &App) -> Option<String> {
    let reason = app.store().health().shedding?;
    Some(format!("the store takes no rows: {reason}"))
}

fn concerns(collecting: &Collecting, store: &StoreHealth, now: Timestamp) -> Vec<Concern> {
    let mut concerns = of_store(store, now);
    concerns.extend(collecting.losses.iter().filter(|loss| loss.recent > 0).map(|loss| {
        let (lost, remedy) = lost(loss.what, loss.recent);
        let what = format!("{lost} in the last 5 minutes, {} since the start", loss.total);
        Concern {
            since: loss.since.map(|time| time.to_string()),
            last_at: loss.last_at.map(|time| time.to_string()),
            ..warning(what, remedy)
        }
    }));
    concerns.extend(of_certificates(&collecting.secure, now));
    let ledger = &collecting.ledger;
    let metered = &collecting.meter.ledger;
    for (name, account) in [
        ("messages", &ledger.messages),
        ("sets", &ledger.sets),
        ("records", &ledger.records),
        ("metered flows", &metered.flows),
        ("metered counters", &metered.counters),
    ] {
        if !account.balances() {
            let what = format!("the account of {name} does not balance");
            concerns.push(warning(what, "this is a bug: please report it"));
        }
    }
    concerns
}

/// Certificates that end soon, or have ended.
fn of_certificates(secure: &SecureView, now: Timestamp) -> impl Iterator<Item = Concern> {
    let own = ("the certificate of ingest.tls_certificate", secure.certificate_expires);
    let ca = ("a certificate in ingest.tls_client_ca", secure.client_ca_expires);
    [own, ca].into_iter().filter_map(move |(which, ends)| {
        let ends = ends.filter(|ends| *ends < now.plus(CERTIFICATE_SOON))?;
        let verb = if ends <= now { "ended" } else { "ends" };
        let remedy = "write a new one over it (docs/tls.md); it is taken without a restart";
        Some(warning(format!("{which} {verb} at {ends}"), remedy))
    })
}

/// Losses that are over.
fn past(losses: &[LossView]) -> Vec<Concern> {
    let over = losses.iter().filter(|loss| loss.total > 0 && loss.recent == 0);
    let concern = |loss: &LossView| {
        let (lost, remedy) = lost(loss.what, loss.total);
        Concern {
            severity: Severity::Info,
            since: loss.since.map(|time| time.to_string()),
            last_at: loss.last_at.map(|time| time.to_string()),
            ..warning(format!("{lost} since the start, none in the last 5 minutes"), remedy)
        }
    };
    over.map(concern).collect()
}

/// What was lost and what to do about it.
fn lost(what: Loss, count: u64) -> (String, &'static str) {
    match what {
        Loss::KernelDropped => (
            format!("receive buffers were full: the kernel dropped {count} datagrams"),
            "raise net.core.rmem_max and ingest.receive_buffer; `weir doctor` says how far",
        ),
        Loss::QueueFull => (
            format!("decoding did not keep up: {count} messages were dropped"),
            "give it more cores, or raise ingest.queue_max if bursts are short",
        ),
    }
}

fn warning(what: String, remedy: &'static str) -> Concern {
    Concern { what, remedy, severity: Severity::Warning, since: None, last_at: None }
}

fn of_store(store: &StoreHealth, now: Timestamp) -> Vec<Concern> {
    let mut concerns = Vec::new();
    if let Some(reason) = store.shedding {
        let what = match &store.advice {
            Some(advice) => format!("the store takes no rows: {reason}: {advice}"),
            None => format!("the store takes no rows: {reason}"),
        };
        let remedy = "free space on the disk of the data folder, or set or lower \
                      store.octets_max; it recovers by itself";
        concerns.push(Concern { severity: Severity::Failing, ..warning(what, remedy) });
    }
    if store.commit_lag_ms > COMMIT_LAG_MAX_MS {
        let what = format!("the oldest uncommitted row is {} ms old", store.commit_lag_ms);
        let since = now.minus(Duration::from_millis(store.commit_lag_ms));
        let remedy = "the disk is slow: look at what else writes to it";
        concerns.push(Concern { since: Some(since.to_string()), ..warning(what, remedy) });
    }
    for file in &store.quarantined {
        concerns.push(warning(
            format!("{} with {} rows was put aside: {}", file.file, file.rows, file.reason),
            "keep the file for inspection or delete it; its rows take no part in answers",
        ));
    }
    for file in &store.damaged {
        concerns.push(warning(
            format!("{} with {} rows is damaged: {}", file.file, file.rows, file.reason),
            "check the disk; what can be read of the file still answers, and it is not merged",
        ));
    }
    if let Some(advice) = store.advice.as_ref().filter(|_| store.shedding.is_none()) {
        concerns.push(warning(advice.clone(), "do it before rows are lost; it recovers by itself"));
    }
    concerns
}

/// The store's lines of the status page.
pub fn store_facts(app: &App) -> Vec<Fact> {
    let health = app.store().health();
    let rows: u64 = health.tiers.iter().filter(|tier| tier.tier == "raw").map(|t| t.rows).sum();
    let mut facts = vec![
        ("rows", Grouped(rows).to_string()),
        ("octets", Grouped(health.octets).to_string()),
        ("octets a day", Grouped(health.octets_per_day as u64).to_string()),
        ("free", format!("{} of {}", Grouped(health.disk_free), Grouped(health.disk_total))),
        ("commit lag", format!("{} ms, last sync {:.1} ms", health.commit_lag_ms, health.fsync_ms)),
    ];
    if let Some(days) = health.days_until_full {
        facts.push(("full in", format!("{days:.1} days at this rate")));
    }
    if let Some(reason) = health.shedding {
        facts.push(("takes no rows", reason.to_owned()));
    }
    for file in &health.quarantined {
        facts.push(("put aside", format!("{}: {}", file.file, file.reason)));
    }
    for file in &health.damaged {
        facts.push(("damaged", format!("{}: {}", file.file, file.reason)));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::AccountView;

    const NOW: Timestamp = Timestamp(1_795_176_000_000_000_000);

    fn loss(what: Loss, total: u64, recent: u64) -> LossView {
        LossView { what, total, recent, since: Some(NOW), last_at: Some(NOW) }
    }

    #[test]
    fn certificates_that_end_within_two_weeks_are_told() {
        let at = |days: i64| Some(Timestamp(NOW.0 + days * 86_400_000_000_000));
        let secure = |own, ca| SecureView {
            certificate_expires: own,
            client_ca_expires: ca,
            ..SecureView::default()
        };
        let told = |secure: &SecureView| -> Vec<String> {
            of_certificates(secure, NOW).map(|concern| concern.what).collect()
        };
        assert_eq!(told(&secure(at(15), None)), [""; 0]);
        assert_eq!(
            told(&secure(at(13), at(-1))),
            [
                "the certificate of ingest.tls_certificate ends at 2026-12-03T12:00:00Z",
                "a certificate in ingest.tls_client_ca ended at 2026-11-19T12:00:00Z",
            ]
        );
    }

    #[test]
    fn every_loss_is_a_concern_with_a_remedy() {
        let mut collecting = Collecting::default();
        let healthy = StoreHealth::default();
        assert_eq!(concerns(&collecting, &healthy, NOW), []);
        collecting.losses = vec![loss(Loss::KernelDropped, 5, 3), loss(Loss::QueueFull, 5, 5)];
        collecting.ledger.messages =
            AccountView { received: 9, kept: 2, in_flight: 0, dropped: [("queue_full", 5)].into() };
        let store = StoreHealth {
            shedding: Some("disk_full"),
            commit_lag_ms: COMMIT_LAG_MAX_MS + 1,
            ..StoreHealth::default()
        };
        let found = concerns(&collecting, &store, NOW);
        let told: Vec<_> =
            found.iter().map(|c| (c.what.as_str(), c.severity, c.since.is_some())).collect();
        assert_eq!(
            told,
            [
                ("the store takes no rows: disk_full", Severity::Failing, false),
                ("the oldest uncommitted row is 5001 ms old", Severity::Warning, true),
                (
                    "receive buffers were full: the kernel dropped 3 datagrams in the last 5 \
                     minutes, 5 since the start",
                    Severity::Warning,
                    true
                ),
                (
                    "decoding did not keep up: 5 messages were dropped in the last 5 minutes, \
                     5 since the start",
                    Severity::Warning,
                    true
                ),
                ("the account of messages does not balance", Severity::Warning, false),
            ]
        );
    }

    #[test]
    fn a_loss_that_is_over_is_told_and_concerns_nobody() {
        let losses = vec![loss(Loss::KernelDropped, 5, 0), loss(Loss::QueueFull, 0, 0)];
        let collecting = Collecting { losses, ..Collecting::default() };
        assert_eq!(concerns(&collecting, &StoreHealth::default(), NOW), []);
        let told = past(&collecting.losses);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].severity, told[0].last_at.is_some()), (Severity::Info, true));
    }
}
