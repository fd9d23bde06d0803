//! What has to be had before anything can run: the HTTP port and the store.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use weir_model::Clock;
use weir_store::{DiskFiles, Store};

use crate::config::policies::Policies;

/// Fewer open files than this are told at the start: a store that keeps years of sums has more.
const FILES_MIN: u64 = 16_384;

/// Binds the HTTP port, or says who may have it and what to do.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => bail!(
            "cannot listen for HTTP on {address}: another program has port {port} (see `ss -ltnp`), \
             perhaps a Weir that is running; choose another with --http {ip}:PORT",
            port = address.port(),
            ip = address.ip(),
        ),
        Err(error) => Err(error).with_context(|| format!("cannot listen for HTTP on {address}")),
    }
}

/// Opens the store, telling what the last run left behind.
pub fn store(policies: &Policies, clock: &Arc<dyn Clock>) -> anyhow::Result<Store> {
    // Why: Who talked to whom is nobody's business but the operator's and their group's.
    let mut maker = std::fs::DirBuilder::new();
    maker.recursive(true).mode(0o750);
    maker
        .create(&policies.folder)
        .with_context(|| format!("making the data folder {}", policies.folder.display()))?;
    let files_max = DiskFiles::raise_limit();
    let opened = Store::open(policies.store.clone(), Arc::clone(clock), Arc::new(DiskFiles));
    let (store, report) =
        opened.with_context(|| format!("opening the data folder {}", policies.folder.display()))?;
    for file in &report.quarantined {
        tracing::error!(
            file = file.file,
            rows = file.rows,
            reason = file.reason,
            "damaged file put aside"
        );
    }
    for segment in &report.recovered {
        let (rows, octets_cut) = (segment.rows, segment.octets_cut);
        tracing::info!(file = segment.file, rows, octets_cut, "segment of the last run recovered");
    }
    let (segments, rows) = (report.segments, report.rows);
    if files_max.is_some_and(|max| max < FILES_MIN) {
        tracing::warn!(
            max = files_max,
            "few files may be open at once, and every segment is one: raise LimitNOFILE (ulimit -Hn)"
        );
    }
    tracing::info!(segments, rows, took_ms = report.took.as_millis(), "store opened");
    Ok(store)
}

/// Ports as people write them.
pub struct Ports<'a>(pub &'a [SocketAddr]);

impl std::fmt::Display for Ports<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, address) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            match address.ip().is_unspecified() {
                true => write!(f, "{comma}{}", address.port())?,
                false => write!(f, "{comma}{address}")?,
            }
        }
        Ok(())
    }
}
