use super::*;
use crate::cache::Record;
use crate::testing::{Bench, pair, skip};

#[test]
fn what_a_filter_drops_is_told_with_its_reason() {
    let (tiers, source) =
        EbpfDrops::probe(true, (Duration::from_millis(10), 20), Types::read().as_ref());
    let Some(mut source) = source else {
        skip("drops", &tiers[0]);
        return;
    };
    let Some((a, b)) = pair() else {
        eprintln!("SKIPPED drops: this user may not make network namespaces");
        return;
    };
    let filtered = b.sh("nft add table inet f
         nft 'add chain inet f in { type filter hook input priority 0; }'
         nft add rule inet f in udp dport 7201 drop");
    if !filtered {
        eprintln!("SKIPPED drops: no nft");
        return;
    }
    let _receiver = b.udp("198.18.0.2:7202");
    let sender = a.udp("198.18.0.1:7200");
    for to in ["198.18.0.2:7201", "198.18.0.2:7202"] {
        for _ in 0..40 {
            sender.send_to(&[7; 100], to).unwrap();
        }
    }
    std::thread::sleep(Duration::from_millis(100));
    let mut bench = Bench::new();
    source.poll(Bench::at(1), &mut bench.intake()).unwrap();
    let records: Vec<Record> =
        bench.flush().into_iter().filter(|record| record.src.port == 7_200).collect();
    assert_eq!(records.len(), 1, "{records:?}");
    let drops = records[0].drops.as_ref().unwrap();
    assert_eq!(records[0].dst.port, 7_201);
    assert_eq!(drops.count, Count { octets: 40 * 128, packets: 40 });
    assert_eq!(&*drops.name, "NETFILTER_DROP");
}

#[test]
fn reasons_that_tell_nothing_are_those_of_the_kernel_that_runs() {
    let names = |of: &[&str]| (0..).zip(of).map(|(n, name)| (n, Arc::from(*name))).collect();
    // Linux 5.17, 6.1 and 6.18.
    assert_eq!(first_reason(&names(&["NOT_SPECIFIED", "NO_SOCKET"])), 1);
    assert_eq!(first_reason(&names(&["SKB_NOT_DROPPED_YET", "NOT_SPECIFIED", "NO_SOCKET"])), 2);
    let newer = ["SKB_NOT_DROPPED_YET", "SKB_CONSUMED", "NOT_SPECIFIED", "NO_SOCKET"];
    assert_eq!(first_reason(&names(&newer)), 3);
}
