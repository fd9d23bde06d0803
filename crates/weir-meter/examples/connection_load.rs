//! Load for a metering process: short TCP connections within this machine at a given rate, and
//! connections that stay open. Says how many it made; the meter says how many it saw.
//!
//! `connection_load RATE SECONDS [OPEN]`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool that ends where it cannot go on"
)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Threads on each side.
const THREADS: u64 = 2;
/// Length of a turn, in which a share of the rate is made.
const TURN: Duration = Duration::from_millis(5);
/// Addresses of loopback, so that ports do not run out.
const ADDRESSES: u64 = 32;

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|word| word.parse().unwrap()).collect();
    let [rate, seconds, open @ ..] = numbers.as_slice() else {
        panic!("connection_load RATE SECONDS [OPEN]")
    };
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    for _ in 0..THREADS {
        let listener = listener.try_clone().unwrap();
        std::thread::spawn(move || serve(&listener));
    }
    let address = |i: u64| Ipv4Addr::new(127, 0, 1, (1 + i % ADDRESSES) as u8);
    let held: Vec<TcpStream> = (0..open.first().copied().unwrap_or(0))
        .map(|i| {
            let mut stream = TcpStream::connect((address(i), port)).unwrap();
            // Says that it stays.
            stream.write_all(b"s").unwrap();
            stream
        })
        .collect();
    let (made, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let span = Duration::from_secs(*seconds);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (made, failed) = (&made, &failed);
            scope.spawn(move || {
                let mut own = 0;
                while began.elapsed() < span {
                    let due = (began.elapsed().as_secs_f64() * *rate as f64) as u64 / THREADS;
                    while own < due && began.elapsed() < span {
                        own += 1;
                        let done = once(address(own * THREADS + thread), port);
                        let counter = if done.is_ok() { made } else { failed };
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                    std::thread::sleep(TURN);
                }
            });
        }
    });
    println!(
        "port {port}: {} connections in {:.1} s, {} failed, {} held open",
        made.into_inner(),
        began.elapsed().as_secs_f64(),
        failed.into_inner(),
        held.len()
    );
}

/// A question, an answer, and the end.
fn once(address: Ipv4Addr, port: u16) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((address, port))?;
    stream.write_all(b"q")?;
    stream.read_exact(&mut [0])
}

fn serve(listener: &TcpListener) {
    let mut held = Vec::new();
    loop {
        let Ok((mut stream, _)) = listener.accept() else { continue };
        let mut word = [0];
        match stream.read_exact(&mut word) {
            Ok(()) if word == *b"s" => held.push(stream),
            // The client has gone: that is its count.
            Ok(()) => drop(stream.write_all(b"a")),
            Err(_) => {}
        }
    }
}
