//! The load generator: sends a corpus from eight loopback addresses at a given rate.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::corpus::{Corpus, EXPORTERS};
use crate::sys;

/// What was sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent {
    /// Datagrams.
    pub datagrams: u64,
    /// Flow records in them.
    pub flows: u64,
    /// How long it took.
    pub seconds: f64,
}

/// Sends `flows` flow records of `corpus` (going round as often as it takes) to `to`, at `rate`
/// flows a second; 0 sends as fast as it can.
pub fn send(corpus: &mut Corpus, to: SocketAddr, flows: u64, rate: f64) -> Result<Sent> {
    let sockets: Vec<UdpSocket> = (0..EXPORTERS).map(|i| open(i, to)).collect::<Result<_>>()?;
    let queues: Vec<Vec<usize>> = (0..EXPORTERS)
        .map(|i| {
            (0..corpus.datagrams.len()).filter(|&d| corpus.datagrams[d].exporter == i).collect()
        })
        .collect();
    let start = Instant::now();
    let mut sent = Sent::default();
    while sent.flows < flows {
        if sent.flows > 0 {
            corpus.turn();
        }
        turn(corpus, &sockets, &queues, flows, rate, start, &mut sent)?;
    }
    sent.seconds = start.elapsed().as_secs_f64();
    Ok(sent)
}

fn turn(
    corpus: &Corpus,
    sockets: &[UdpSocket],
    queues: &[Vec<usize>],
    flows: u64,
    rate: f64,
    start: Instant,
    sent: &mut Sent,
) -> Result<()> {
    let longest = queues.iter().map(Vec::len).max().unwrap_or(0);
    let mut batch: Vec<&[u8]> = Vec::with_capacity(sys::BATCH);
    // Exporters are unevenly busy: each sends its share of every round.
    let rounds = longest.div_ceil(sys::BATCH).max(1);
    for round in 0..rounds {
        for (socket, queue) in sockets.iter().zip(queues) {
            let (from, to) = (queue.len() * round / rounds, queue.len() * (round + 1) / rounds);
            let mut rest = &queue[from..to];
            while !rest.is_empty() && sent.flows < flows {
                batch.clear();
                batch.extend(rest.iter().take(sys::BATCH).map(|&i| corpus.datagram(i)));
                let n = sys::send(socket, &batch).context("sending")?;
                sent.datagrams += n as u64;
                sent.flows += rest[..n].iter().map(|&i| corpus.datagrams[i].flows).sum::<u64>();
                rest = &rest[n..];
                pace(sent.flows, rate, start);
            }
        }
    }
    Ok(())
}

/// Waits until `flows` are due. Sleeps, so that the load is not bought with a spinning core.
fn pace(flows: u64, rate: f64, start: Instant) {
    if rate <= 0.0 {
        return;
    }
    let due = Duration::from_secs_f64(flows as f64 / rate);
    let ahead = due.saturating_sub(start.elapsed());
    if ahead > Duration::from_micros(200) {
        std::thread::sleep(ahead);
    }
}

fn open(exporter: usize, to: SocketAddr) -> Result<UdpSocket> {
    let from = Ipv4Addr::new(127, 0, 0, exporter as u8 + 1);
    let socket = UdpSocket::bind((from, 0)).with_context(|| format!("binding {from}"))?;
    socket.connect(to).with_context(|| format!("connecting to {to}"))?;
    Ok(socket)
}
