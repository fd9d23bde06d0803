//! `weir serve`: the component list and the order in which the components start and stop.
//!
//! Invariant: they stop along the flow of data: sources, pipeline, store, API. So nothing that was
//! received is lost by an ordinary stop, and the API answers until everything is safe.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::oneshot;
use weir_api::{About, Hub, Parts};
use weir_ingest::Ingest;
use weir_model::{Clock, SystemClock};
use weir_telemetry::Registry;

use crate::config::policies::Policies;
use crate::console::CONSOLE;
use crate::demo::Demo;

mod access;
mod collecting;
mod kept;
mod losses;
mod metering;
mod metrics;
mod open;
mod rates;
mod sink;
pub mod stop;

use collecting::Running;
use metering::Metering;
use open::Ports;
use sink::StoreSink;
use stop::Signals;

/// Silence after which an HTTP connection is closed, beyond the longest query.
const HTTP_SILENCE: Duration = Duration::from_secs(60);

/// Runs until it is told to stop. `demo` also replays the captures that Weir ships with.
pub async fn run(policies: Policies, demo: bool) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let started_at = clock.now();
    let registry = Registry::new();
    let hub = Hub::default();

    let listener = open::listen(policies.http.listen).await?;
    let http = listener.local_addr()?;
    let access = access::access(&policies.http, &policies.folder, started_at)?;
    let store = open::store(&policies, &clock)?;
    let sink = Arc::new(StoreSink::new(store.clone(), hub.clone()));
    let ingest = Ingest::start(&policies.ingest, &registry, Arc::clone(&clock), sink.clone())?;
    let (udp, tcp) = (ingest.udp_addresses().to_vec(), ingest.tcp_addresses().to_vec());
    let metering = Metering::start(&policies.meter, &registry, Arc::clone(&clock), sink)?;
    let running = Arc::new(Running::new(ingest, metering));
    metrics::register(&registry, store.clone());
    let sampler = collecting::sample_regularly(&running);

    let about = About {
        version: env!("CARGO_PKG_VERSION"),
        data_folder: policies.folder.clone(),
        udp: udp.clone(),
        tcp: tcp.clone(),
        started_at,
        demo,
    };
    let (status, told) = (Arc::clone(&running), Arc::clone(&running));
    let owning = Arc::clone(&running);
    let parts = Parts {
        store: store.clone(),
        collecting: Arc::new(move || status.status()),
        templates: Arc::new(move |addr, domain| told.templates(addr, domain)),
        processes: Arc::new(move |pid| owning.processes(pid)),
        hub: hub.clone(),
        registry,
        clock,
        limits: policies.query.clone(),
        policy: policies.api.clone(),
        about,
        console: CONSOLE,
    };
    let (stop_api, api_stopped) = oneshot::channel::<()>();
    let api = tokio::spawn(weir_api::server::serve(
        listener,
        weir_api::router(parts, access),
        policies.http.connections_max,
        policies.query.time + HTTP_SILENCE,
        async move {
            let _sender_gone = api_stopped.await;
        },
    ));
    tracing::info!(
        url = %format_args!("http://{http}/"),
        data = %policies.folder.display(),
        udp = %Ports(&udp),
        tcp = %Ports(&tcp),
        "weir is ready"
    );
    let replay = if demo { Some(Demo::start(&udp)?) } else { None };

    let signal = signals.next().await;
    tracing::info!(signal, "stopping: sources, pipeline, store, API");
    sampler.abort();
    let stopping = move || -> anyhow::Result<()> {
        drop(replay);
        running.stop();
        hub.close();
        store.close().context("closing the store")
    };
    let closed = signals.unless_asked_again(tokio::task::spawn_blocking(stopping)).await;
    let _api_gone = stop_api.send(());
    api.await.context("the API ended abnormally")??;
    closed.context("stopping ended abnormally")??;
    tracing::info!("stopped, every record is safe");
    Ok(())
}
