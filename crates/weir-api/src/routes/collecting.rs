//! `/api/v1/exporters` and `/api/v1/health`: what is received, what became of it, how the store is.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use weir_store::StoreHealth;

use crate::app::App;
use crate::html::{Fact, Grouped};
use crate::respond;
use crate::view::Collecting;

/// Age of an uncommitted row past which the disk is called slow.
const COMMIT_LAG_MAX_MS: u64 = 5_000;

/// Something that an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Concern {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: &'static str,
}

/// `GET /api/v1/exporters`
pub async fn exporters(State(app): State<App>) -> Response {
    respond::exact(&json!({ "exporters": app.collecting().exporters }))
}

/// `GET /api/v1/health`
pub async fn health(State(app): State<App>) -> Response {
    let collecting = app.collecting();
    let store = app.store().health();
    let mut concerns = concerns(&collecting, &store);
    concerns.extend(app.views().concerns().into_iter().map(|what| Concern {
        what,
        remedy: "take from the file what is needed, then delete it; new views are saved beside it",
    }));
    let status = match (store.is_ready(), concerns.is_empty()) {
        (false, _) => "failing",
        (true, false) => "degraded",
        (true, true) => "ok",
    };
    let about = app.about();
    respond::exact(&json!({
        "status": status,
        "concerns": concerns,
        "version": about.version,
        "started_at": about.started_at.to_string(),
        "now": app.now().to_string(),
        "exporters": collecting.exporters.len(),
        "ledger": collecting.ledger,
        "queue": collecting.queue,
        "sockets": collecting.sockets,
        "connections": collecting.connections,
        "store": store,
    }))
}

/// Why Weir is not ready; `None` when it is.
pub fn obstacle(app: &App) -> Option<String> {
    let reason = app.store().health().shedding?;
    Some(format!("the store takes no rows: {reason}"))
}

fn concerns(collecting: &Collecting, store: &StoreHealth) -> Vec<Concern> {
    let mut concerns = Vec::new();
    let mut push = |what: String, remedy| concerns.push(Concern { what, remedy });
    if let Some(reason) = store.shedding {
        push(
            match &store.advice {
                Some(advice) => format!("the store takes no rows: {reason}: {advice}"),
                None => format!("the store takes no rows: {reason}"),
            },
            "free space on the disk of the data folder, or set or lower store.octets_max; it recovers by itself",
        );
    }
    if store.commit_lag_ms > COMMIT_LAG_MAX_MS {
        push(
            format!("the oldest uncommitted row is {} ms old", store.commit_lag_ms),
            "the disk is slow: look at what else writes to it",
        );
    }
    for file in &store.quarantined {
        push(
            format!("{} with {} rows was put aside: {}", file.file, file.rows, file.reason),
            "keep the file for inspection or delete it; its rows take no part in answers",
        );
    }
    for file in &store.damaged {
        push(
            format!("{} with {} rows is damaged: {}", file.file, file.rows, file.reason),
            "check the disk; what can be read of the file still answers, and it is not merged",
        );
    }
    if let Some(advice) = store.advice.as_ref().filter(|_| store.shedding.is_none()) {
        push(advice.clone(), "do it before rows are lost; it recovers by itself");
    }
    let lost: u64 = collecting.sockets.iter().map(|socket| socket.kernel_dropped).sum();
    if lost > 0 {
        push(
            format!(
                "the kernel dropped {lost} datagrams since the start: receive buffers were full"
            ),
            "raise net.core.rmem_max and ingest.receive_buffer; `weir doctor` says how far",
        );
    }
    let ledger = &collecting.ledger;
    if let Some(lost) = ledger.messages.dropped.get("queue_full") {
        push(
            format!("{lost} messages were dropped since the start: decoding did not keep up"),
            "give it more cores, or raise ingest.queue_max if bursts are short",
        );
    }
    for (name, account) in
        [("messages", &ledger.messages), ("sets", &ledger.sets), ("records", &ledger.records)]
    {
        if !account.balances() {
            push(
                format!("the account of {name} does not balance"),
                "this is a bug: please report it",
            );
        }
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
    use crate::view::{AccountView, SocketView};

    #[test]
    fn every_loss_is_a_concern_with_a_remedy() {
        let mut collecting = Collecting::default();
        let healthy = StoreHealth::default();
        assert_eq!(concerns(&collecting, &healthy), []);
        collecting.sockets.push(SocketView {
            transport: "udp",
            address: "[::]:2055".into(),
            buffer_octets: 0,
            kernel_dropped: 3,
        });
        collecting.ledger.messages =
            AccountView { received: 9, kept: 2, in_flight: 0, dropped: [("queue_full", 5)].into() };
        let store = StoreHealth {
            shedding: Some("disk_full"),
            commit_lag_ms: COMMIT_LAG_MAX_MS + 1,
            ..StoreHealth::default()
        };
        let found: Vec<String> =
            concerns(&collecting, &store).into_iter().map(|concern| concern.what).collect();
        assert_eq!(
            found,
            [
                "the store takes no rows: disk_full",
                "the oldest uncommitted row is 5001 ms old",
                "the kernel dropped 3 datagrams since the start: receive buffers were full",
                "5 messages were dropped since the start: decoding did not keep up",
                "the account of messages does not balance",
            ]
        );
    }
}
