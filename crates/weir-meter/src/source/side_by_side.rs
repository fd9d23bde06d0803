//! One transfer as each tier tells it, beside a capture: what docs/meter.md promises and what it says is missed.
//! `cargo test -p weir-meter side_by_side -- --nocapture` prints the table.

use std::io::Write;
use std::time::Duration;

use super::conntrack::{Conntrack, ConntrackPolicy};
use super::ebpf_sockets::{ENDS_OCTETS, EbpfSockets, EbpfSocketsPolicy};
use super::ebpf_tcx::{EbpfTcx, EbpfTcxPolicy};
use super::inet_diag::{InetDiag, InetDiagPolicy};
use super::{Source, Tier};
use crate::bpf::Types;
use crate::cache::Record;
use crate::testing::{Bench, Capture, pair, skip};

const OCTETS: u64 = 20 << 20;
const PORT: u16 = 7_301;

fn needed<S>(what: &str, (tiers, source): (Vec<Tier>, Option<S>)) -> Option<S> {
    if source.is_none() {
        skip(what, &tiers[0]);
    }
    source
}

/// What a source tells of the transfer: packets and octets of the client's direction.
fn told(bench: &mut Bench) -> (u64, u64) {
    let of_port = |record: &Record| record.dst.port == PORT;
    let records: Vec<Record> = bench.flush().into_iter().filter(of_port).collect();
    assert_eq!(records.len(), 1, "{records:?}");
    (records[0].forward.packets, records[0].forward.octets)
}

#[test]
fn every_tier_tells_what_its_source_counts() {
    let Some((a, b)) = pair() else {
        eprintln!("SKIPPED the tiers side by side: this user may not make network namespaces");
        return;
    };
    // The interface segments late: the stack hands over buffers of up to 45 segments.
    let is_set = a.sh("ethtool -K wa tso off gso off gro off >/dev/null
         nft add table ip t
         nft 'add chain ip t out { type filter hook output priority 0; ct state new counter; }'
         sysctl -qw net.netfilter.nf_conntrack_acct=1")
        && b.sh("ethtool -K wb gro off >/dev/null");
    let Some(capture) = Capture::start(&a, "wa").filter(|_| is_set) else {
        eprintln!(
            "SKIPPED the tiers side by side: no ethtool, nft, tcpdump or connection tracking"
        );
        return;
    };
    let (types, interval) = (Types::read(), Duration::from_millis(10));
    let sockets = EbpfSocketsPolicy {
        enabled: true,
        interval,
        share: 20,
        peers_max: 1_024,
        ends_octets: ENDS_OCTETS,
    };
    let tcx = EbpfTcxPolicy {
        enabled: true,
        interval,
        share: 20,
        flows_max: 1_024,
        interfaces: Vec::new(),
    };
    let proc = std::path::PathBuf::from("/proc");
    let inet = InetDiagPolicy { interval, ends: true, share: 20, sockets_max: 65_536, proc };
    let sockets = needed("sockets", EbpfSockets::probe(sockets, types.as_ref()));
    let tcx = needed("interfaces", a.run(move || EbpfTcx::probe(tcx, Types::read().as_ref())));
    let inet = needed("inet_diag", a.run(move || InetDiag::probe(inet)));
    let tracking = needed("conntrack", a.run(|| Conntrack::probe(ConntrackPolicy::default())));
    let Some((((sockets, tcx), inet), tracking)) = sockets.zip(tcx).zip(inet).zip(tracking) else {
        return;
    };
    let mut sources: [Box<dyn Source>; 4] =
        [Box::new(sockets), Box::new(tcx), Box::new(inet), Box::new(tracking)];
    let mut benches = [(); 4].map(|()| Bench::new());
    let mut poll = |seconds: u64| {
        for (source, bench) in sources.iter_mut().zip(&mut benches) {
            source.poll(Bench::at(seconds), &mut bench.intake()).unwrap();
        }
    };
    poll(0);
    let listener = b.listen("198.18.0.2:7301");
    let mut client = a.connect("198.18.0.2:7301");
    let (server, _) = listener.accept().unwrap();
    let reader = std::thread::spawn(move || {
        let mut server = server;
        std::io::copy(&mut server, &mut std::io::sink()).unwrap()
    });
    poll(1);
    client.write_all(&vec![7; OCTETS as usize]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(reader.join().unwrap(), OCTETS);
    // A socket that is closed by both ends and open here is in no list until it is let go of.
    drop(client);
    std::thread::sleep(Duration::from_millis(300));
    poll(7);
    let statistics = a.run(|| {
        // What the namespace's own /proc says is of the thread that reads it.
        let text = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let line =
            text.lines().find(|line| line.trim_start().starts_with("wa:")).unwrap().to_owned();
        let fields: Vec<u64> =
            line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
        (fields[9], fields[8])
    });
    let truth = capture.finish(PORT);
    let client_addr = "198.18.0.1".parse().unwrap();
    let (_, packets, octets) = *truth.iter().find(|sum| sum.0 == client_addr).unwrap();
    let rows = benches.each_mut().map(told);
    eprintln!("{:<18} {:>9} {:>11}", "source", "packets", "octets");
    eprintln!("{:<18} {packets:>9} {octets:>11}", "capture");
    let names = ["ebpf_sockets", "ebpf_tcx", "inet_diag", "conntrack"];
    for (name, (packets, octets)) in names.iter().zip(&rows) {
        eprintln!("{name:<18} {packets:>9} {octets:>11}");
    }
    eprintln!(
        "{:<18} {:>9} {:>11}  (with Ethernet)",
        "interface counter", statistics.0, statistics.1
    );
    assert_eq!(rows[0], (packets, octets), "sockets by eBPF");
    assert_eq!(rows[1], (packets, octets), "interfaces by eBPF");
    // Segments are exact; octets are payload, and what was sent again.
    assert_eq!(rows[2].0, packets);
    assert!(rows[2].1 >= OCTETS && rows[2].1 < octets, "{rows:?}");
    // Buffers, and the headers of buffers.
    assert!(rows[3].0 < packets && (OCTETS..octets).contains(&rows[3].1), "{rows:?}");
}
