//! `weir agent`: metering and exporters, and the order in which they start and stop.
//!
//! Invariant: they stop along the flow of data: metering, which hands on every flow that it holds,
//! then the exporters, which send or keep what they have. A destination that is away stops nothing.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::oneshot;
use weir_meter::{Deps as MeterDeps, Handle};
use weir_model::{Clock, SystemClock};
use weir_telemetry::Registry;

use crate::config::agent::AgentPolicy;
use crate::serve::stop::Signals;

mod outputs;
mod status;

use outputs::Outputs;

/// Connections to its page of metrics at once.
const CONNECTIONS_MAX: usize = 16;
/// Silence after which one is closed.
const SILENCE: Duration = Duration::from_secs(15);
/// Pause between looks whether anybody still takes records.
const LOOK: Duration = Duration::from_millis(500);

/// Runs until it is told to stop, or until nobody takes its lines any more.
pub async fn run(policy: AgentPolicy) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let registry = Registry::new();
    let http = match policy.http {
        Some(address) => Some(tokio::net::TcpListener::bind(address).await.with_context(|| {
            format!(
                "listening on {address} (agent.http; another agent runs? --http '' does without)"
            )
        })?),
        None => None,
    };
    let outputs = Arc::new(Outputs::start(&policy, &registry, &clock)?);
    let deps = MeterDeps { registry: registry.clone(), clock, sink: outputs.clone() };
    let (handle, meter) = meter(&policy, deps)?;
    let handle = Arc::new(handle);
    outputs.meter_is(&handle);

    let (stop_http, http_stopped) = oneshot::channel::<()>();
    let address = http.as_ref().and_then(|listener| listener.local_addr().ok());
    if let Some(listener) = http {
        let (shown, metering) = (Arc::clone(&outputs), Arc::clone(&handle));
        let health = Arc::new(move || status::health(&shown, &metering.status()));
        let router = weir_api::small::router(registry, health);
        let stopped = async move {
            let _sender_gone = http_stopped.await;
        };
        tokio::spawn(weir_api::server::serve(listener, router, CONNECTIONS_MAX, SILENCE, stopped));
    }
    let http = address.map_or_else(|| "off".to_owned(), |address| format!("http://{address}/"));
    tracing::info!(to = %outputs, %http, "weir agent is ready");

    let signal = tokio::select! {
        signal = signals.next() => signal,
        () = nobody_reads(&outputs) => "end of output",
    };
    tracing::info!(signal, "stopping: metering, exporters");
    let stopping = move || {
        handle.stop();
        if meter.join().is_err() {
            tracing::error!("metering ended in a panic");
        }
        outputs.stop();
    };
    let stopped = signals.unless_asked_again(tokio::task::spawn_blocking(stopping)).await;
    let _http_gone = stop_http.send(());
    stopped.context("stopping ended abnormally")
}

fn meter(policy: &AgentPolicy, deps: MeterDeps) -> anyhow::Result<(Handle, JoinHandle<()>)> {
    let (handle, task) = weir_meter::build(&policy.meter, deps).context("preparing metering")?;
    for tier in &handle.status().tiers {
        let (why_not, costs) = (tier.why_not.as_deref(), tier.costs);
        match tier.runs {
            true => tracing::info!(tier = tier.name, why_not, costs, "metering this machine"),
            false => tracing::info!(tier = tier.name, why_not, costs, "metering without this tier"),
        }
    }
    let thread = std::thread::Builder::new()
        .name("weir-meter".to_owned())
        .spawn(move || task.run())
        .context("starting the thread of metering")?;
    Ok((handle, thread))
}

/// Resolves when every destination was a pipe and its reader has gone.
async fn nobody_reads(outputs: &Outputs) {
    while !outputs.nobody_reads() {
        tokio::time::sleep(LOOK).await;
    }
}
