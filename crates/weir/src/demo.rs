//! `weir serve --demo`: the captures that ship with Weir, sent to its own UDP port in a loop, so
//! that they take the way that any exporter's datagrams take.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use weir_model::{Clock, SystemClock, Timestamp};

use crate::replay::{Datagram, Pace, Senders, play};

/// Recordings of real exporters; `demo/ATTRIBUTION.md` says whose.
const CAPTURES: [&[u8]; 5] = [
    include_bytes!("../demo/ovs-ipfix.pcap"),
    include_bytes!("../demo/ovs-sflow.pcap"),
    include_bytes!("../demo/ovs-netflow.pcap"),
    include_bytes!("../demo/softflowd-v9.pcap"),
    include_bytes!("../demo/pmacctd-ipfix.pcap"),
];

/// How long one round of the loop takes.
const ROUND: Duration = Duration::from_secs(10);

/// The running loop. Dropping it ends it.
#[derive(Debug)]
pub struct Demo {
    stop: Option<mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Demo {
    /// Starts to send to the first of the addresses that ingest listens on.
    pub fn start(udp: &[SocketAddr]) -> anyhow::Result<Demo> {
        let listening = udp.first().context("the demo needs a UDP port to send to")?;
        let target = match listening.ip().is_unspecified() {
            true => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listening.port()),
            false => *listening,
        };
        let datagrams = timeline()?;
        let (stop, stopped) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("weir-demo".to_owned())
            .spawn(move || repeat(&datagrams, target, &stopped))
            .context("starting the demo")?;
        tracing::info!(%target, captures = CAPTURES.len(), "demo captures are replayed in a loop");
        Ok(Demo { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the demo ended in a panic");
        }
    }
}

/// All captures side by side, each stretched or squeezed to one round, each from a sender of its
/// own.
fn timeline() -> anyhow::Result<Vec<Datagram>> {
    let mut all = Vec::new();
    for (number, capture) in (1u8..).zip(CAPTURES) {
        let datagrams = crate::replay::read(capture)?;
        let (Some(first), Some(last)) = (datagrams.first(), datagrams.last()) else { continue };
        let (start, span) = (first.at, last.at.since(first.at).as_secs_f64().max(1.0));
        let squeeze = ROUND.as_secs_f64() * 0.9 / span;
        all.extend(datagrams.into_iter().map(|datagram| Datagram {
            at: Timestamp(0).plus(datagram.at.since(start).mul_f64(squeeze)),
            source: SocketAddr::from(([192, 0, 2, number], 1)),
            octets: datagram.octets,
        }));
    }
    all.sort_by_key(|datagram| datagram.at);
    Ok(all)
}

fn repeat(datagrams: &[Datagram], target: SocketAddr, stopped: &mpsc::Receiver<()>) {
    let mut senders = Senders::new(target);
    let now = || SystemClock.now();
    // Waiting for the sender to be dropped is the pause.
    let mut pause = |wait| stopped.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Timeout);
    loop {
        let started = now();
        let pace = Pace::Times(1.0);
        let played = play(datagrams, &mut senders, pace, Some(&now), &mut pause, &mut |_| {});
        if let Err(error) = played {
            tracing::warn!(%error, %target, "a demo datagram could not be sent");
        }
        let rest = ROUND.saturating_sub(now().since(started));
        if !pause(rest.max(Duration::from_millis(100))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capture_plays_within_a_round_from_a_sender_of_its_own() {
        let timeline = timeline().unwrap();
        assert_eq!(timeline.len(), 88 + 106 + 5 + 6 + 6);
        let senders: std::collections::HashSet<_> = timeline.iter().map(|d| d.source).collect();
        assert_eq!(senders.len(), CAPTURES.len());
        assert!(timeline.iter().all(|d| d.at.since(Timestamp(0)) < ROUND));
        assert!(timeline.iter().all(|d| weir_wire::recognise(&d.octets).is_some()));
    }
}
