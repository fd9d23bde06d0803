//! Every tier at once on a node of a cluster: a pod asks a service whose endpoint is a pod of another node,
//! through bridge, translation and VXLAN, and there is one flow.

use std::io::Write;
use std::time::Duration;

use super::conntrack::{Conntrack, ConntrackPolicy};
use super::ebpf_sockets::{ENDS_OCTETS, EbpfSockets, EbpfSocketsPolicy};
use super::ebpf_tcx::{EbpfTcx, EbpfTcxPolicy};
use super::{Source, Tier};
use crate::bpf::Types;
use crate::cache::{Record, SourceKind};
use crate::endpoint::Endpoint;
use crate::testing::nodes::two_nodes;
use crate::testing::{Bench, Capture, skip};

/// Sent by the client, of which the server sends a tenth back.
const OCTETS: usize = 2 << 20;

fn needed<S: Source + 'static>(
    what: &str,
    (tiers, source): (Vec<Tier>, Option<S>),
) -> Option<Box<dyn Source>> {
    if source.is_none() {
        skip(what, &tiers[0]);
    }
    source.map(|source| Box::new(source) as Box<dyn Source>)
}

#[test]
fn a_connection_to_a_service_on_another_node_is_one_flow() {
    let Some((a, b)) = two_nodes() else {
        eprintln!("SKIPPED the cluster: no namespaces, no bridge or VXLAN, or no ethtool");
        return;
    };
    // As kube-proxy has it. What is bridged does not come by; the pod's gateway is the node.
    let is_served = a.node.sh("nft add table ip k
         nft 'add chain ip k pre { type nat hook prerouting priority -100; }'
         nft add rule ip k pre ip daddr 10.96.0.10 tcp dport 80 dnat to 10.244.2.11:7401
         sysctl -qw net.netfilter.nf_conntrack_acct=1");
    // Each direction where it is sent: what is merged on the way is fewer packets at its end.
    let captures = Capture::start(&a.pods[0], "eth0").zip(Capture::start(&b.pods[0], "eth0"));
    let Some((forward, reverse)) = captures.filter(|_| is_served) else {
        eprintln!("SKIPPED the cluster: no nft, connection tracking or tcpdump");
        return;
    };
    let interval = Duration::from_millis(10);
    let sockets = EbpfSocketsPolicy {
        enabled: true,
        interval,
        share: 20,
        peers_max: 1_024,
        ends_octets: ENDS_OCTETS,
    };
    let interfaces = Vec::new();
    let tcx = EbpfTcxPolicy { enabled: true, interval, share: 20, flows_max: 1_024, interfaces };
    let sockets = needed("sockets", EbpfSockets::probe(sockets, Types::read().as_ref()));
    let tcx = needed("interfaces", a.node.run(move || EbpfTcx::probe(tcx, Types::read().as_ref())));
    let tracking = needed("conntrack", a.node.run(|| Conntrack::probe(ConntrackPolicy::default())));
    let Some(mut sources) =
        sockets.zip(tcx).zip(tracking).map(|((sockets, tcx), tracking)| [tracking, tcx, sockets])
    else {
        return;
    };
    let mut bench = Bench::new();
    let mut poll = |bench: &mut Bench, seconds: u64| {
        for source in &mut sources {
            source.poll(Bench::at(seconds), &mut bench.intake()).unwrap();
        }
    };
    poll(&mut bench, 0);
    let listener = b.pods[0].listen("0.0.0.0:7401");
    let mut client = a.pods[0].connect("10.96.0.10:80");
    let local = client.local_addr().unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let reader = std::thread::spawn(move || {
        let read = std::io::copy(&mut server, &mut std::io::sink()).unwrap();
        server.write_all(&vec![7; OCTETS / 10]).unwrap();
        read
    });
    client.write_all(&vec![7; OCTETS]).unwrap();
    poll(&mut bench, 1);
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(reader.join().unwrap(), OCTETS as u64);
    let back = std::io::copy(&mut client, &mut std::io::sink()).unwrap();
    assert_eq!(back, OCTETS as u64 / 10);
    drop(client);
    std::thread::sleep(Duration::from_millis(300));
    poll(&mut bench, 7);
    let truth = [forward.finish(80), reverse.finish(7_401)].concat();
    let records: Vec<Record> = bench
        .flush()
        .into_iter()
        .filter(|record| [record.src.port, record.dst.port].contains(&local.port()))
        .collect();
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    let at = |addr: &str, port| Endpoint { addr: addr.parse().unwrap(), port };
    assert_eq!((record.src.port, record.dst), (local.port(), at("10.244.2.11", 7_401)));
    assert_eq!(record.nat.as_ref().unwrap().service, Some(at("10.96.0.10", 80)));
    let of = |addr| truth.iter().find(|sum| sum.0 == addr).map(|sum| (sum.1, sum.2)).unwrap();
    assert_eq!((record.forward.packets, record.forward.octets), of(record.src.addr));
    assert_eq!((record.reverse.packets, record.reverse.octets), of(record.dst.addr));
    let tunnel = record.tunnel.unwrap();
    assert_eq!((tunnel.kind, tunnel.id), (1, 42));
    let wanted = [SourceKind::EbpfSockets, SourceKind::EbpfTcx, SourceKind::Conntrack];
    assert_eq!(record.sources, wanted);
    assert!(record.src_side.is_some() && record.dst_side.is_some(), "both sockets are seen");
}
