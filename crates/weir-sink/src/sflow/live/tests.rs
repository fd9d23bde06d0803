use super::*;
use std::net::UdpSocket;

fn rows(table: Table) -> Arc<FlowBatch> {
    let mut batch = FlowBatch::new(table);
    let addr: Addr = "192.0.2.1".parse().unwrap();
    batch.append_rows(3);
    for row in 0..3 {
        match table {
            Table::Flows => {
                batch.set(c::EXPORTER_ADDR, row, addr);
                batch.set(c::FRAME_LENGTH, row, 100u32);
                batch.set(c::SAMPLING_RATE, row, 400u32);
            }
            _ => {
                batch.set(k::EXPORTER_ADDR, row, addr);
                batch.set(k::STRUCTURE, row, 2_004u32);
                batch.set_octets(k::NAME, row, b"mem_total");
            }
        }
    }
    batch.seal();
    Arc::new(batch)
}

fn target(host: &str, port: u16) -> SflowTarget {
    SflowTarget { host: host.to_owned(), port, sub_agent: 7 }
}

/// Waits until the status is as wanted.
fn wait(exporter: &SflowExporter, wanted: impl Fn(&SflowStatus) -> bool) -> SflowStatus {
    let began = Instant::now();
    loop {
        let status = exporter.status();
        if wanted(&status) {
            return status;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{status:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn rows_are_sent_as_samples_of_this_agent_and_the_account_balances() {
    let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
    collector.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let registry = Registry::new();
    let port = collector.local_addr().unwrap().port();
    let exporter = SflowExporter::start(target("localhost", port), &registry).unwrap();
    exporter.offer(&rows(Table::Flows));
    let mut octets = [0; 2_048];
    let read = collector.recv(&mut octets).unwrap();
    let header = weir_wire::sflow5::header(&octets[..read]).unwrap();
    assert_eq!((header.agent, header.sub_agent), ("192.0.2.1".parse().unwrap(), 7));
    exporter.offer(&rows(Table::Counters));
    let status = exporter.stop();
    assert_eq!((status.received, status.counts.rows, status.in_flight()), (6, 6, 0));
    assert_eq!(status.counts.flow_samples, 3);
    let text = registry.render();
    let to = format!("to=\"sflow://localhost:{port}\"");
    assert!(text.contains(&format!("weir_export_records_total{{{to}}} 6")), "{text}");
}

#[test]
fn a_collector_that_refuses_is_looked_up_again_and_found_when_it_is_there() {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let exporter =
        SflowExporter::start(target("127.0.0.1", free.port()), &Registry::new()).unwrap();
    let offer = |status: &SflowStatus| {
        exporter.offer(&rows(Table::Flows));
        std::thread::sleep(Duration::from_millis(20));
        status.lookups > 1 && status.counts.rows_unsent > 0
    };
    let status = wait(&exporter, offer);
    assert!(status.error.as_ref().is_some_and(|error| error.contains("refused")), "{status:?}");
    let collector = UdpSocket::bind(free).unwrap();
    let status = wait(&exporter, |status| {
        exporter.offer(&rows(Table::Flows));
        std::thread::sleep(Duration::from_millis(20));
        status.error.is_none()
    });
    assert!(status.counts.rows > 0, "{status:?}");
    drop(collector);
    let status = exporter.stop();
    assert_eq!(status.in_flight(), 0, "{status:?}");
}

#[test]
fn without_an_address_rows_are_lost_and_counted() {
    let exporter =
        SflowExporter::start(target("no-such-host.invalid", 6_343), &Registry::new()).unwrap();
    wait(&exporter, |status| status.lookups_failed > 0 || status.lookups > 0);
    exporter.offer(&rows(Table::Flows));
    let status = wait(&exporter, |status| status.no_address == 3);
    assert!(status.error.unwrap().contains("is not found"));
    assert_eq!(exporter.stop().in_flight(), 0);
}
