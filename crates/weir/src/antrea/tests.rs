use super::*;

/// The ConfigMap of Antrea's own documents, as it stands: everything is commented out.
const DOCUMENT: &str = r#"  antrea-agent.conf: |
    # FeatureGates is a map of feature names to bools that enable or disable experimental features.
    featureGates:
    # Enable flowexporter which exports polled conntrack connections as IPFIX flow records from each agent to a configured collector.
      FlowExporter: true

    # Provide the IPFIX collector address as a string with format <HOST>:[<PORT>][:<PROTO>].
    # If no PROTO is given, we consider "tcp" as default. We support "tcp" and "udp"
    # L4 transport protocols.
    #flowCollectorAddr: "flow-aggregator.flow-aggregator.svc:4739:tcp"
    
    # Valid time units are "ns", "us" (or "µs"), "ms", "s", "m", "h".
    #flowPollInterval: "5s"

    #activeFlowExportTimeout: "60s"

    #idleFlowExportTimeout: "15s"

    # Enable TLS communication from flow exporter to flow aggregator.
    #enableTLSToFlowAggregator: true
"#;

fn to(antrea: &Antrea) -> String {
    match &antrea.collector {
        Some(Destination::Ipfix(target)) => target.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn the_documents_example_works_as_written() {
    let antrea = read(DOCUMENT).unwrap();
    assert_eq!(antrea.enable, Some(true));
    assert_eq!(to(&antrea), "tls://flow-aggregator.flow-aggregator.svc:4739");
    assert_eq!((antrea.poll, antrea.active, antrea.idle), (None, None, None));
    assert_eq!(antrea.taken, ["featureGates.FlowExporter=true"]);

    // The same with everything set.
    let set = DOCUMENT.replace("    #flow", "    flow").replace("    #active", "    active");
    let set = set.replace("    #idle", "    idle").replace("    #enable", "    enable");
    let antrea = read(&set).unwrap();
    assert_eq!(to(&antrea), "tls://flow-aggregator.flow-aggregator.svc:4739");
    let seconds = |n| Some(Duration::from_secs(n));
    assert_eq!((antrea.poll, antrea.active, antrea.idle), (seconds(5), seconds(60), seconds(15)));
    let plain =
        read(&set.replace("enableTLSToFlowAggregator: true", "enableTLSToFlowAggregator: false"));
    assert_eq!(to(&plain.unwrap()), "tcp://flow-aggregator.flow-aggregator.svc:4739");
}

#[test]
fn the_file_of_today_is_read() {
    let text = "featureGates:\n  AntreaProxy: true\nclientConnection:\n  kubeconfig: x\n\
                flowExporter:\n  enable: true\n  flowCollectorAddr: \"ns1/collector:9995:tls\"\n  \
                flowPollInterval: \"10s\"\n  activeFlowExportTimeout: \"1m30s\"\n  \
                idleFlowExportTimeout: 500ms\n  protocolFilter: [tcp, UDP]\nnodePortLocal:\n  enable: true\n";
    let antrea = read(text).unwrap();
    assert_eq!(to(&antrea), "tls://collector.ns1.svc:9995");
    assert_eq!(antrea.protocols, Some(vec![6, 17]));
    assert_eq!(antrea.active, Some(Duration::from_secs(90)));
    assert_eq!(antrea.idle, Some(Duration::from_millis(500)));
    assert_eq!((antrea.enable, antrea.ignored), (Some(true), 3));
    // A block that says tcp means it; udp stays udp whatever TLS says.
    let of = |text: &str| to(&read(text).unwrap());
    assert_eq!(of("flowExporter:\n  flowCollectorAddr: c:1:tcp\n"), "tcp://c:1");
    assert_eq!(of("flowCollectorAddr: 10.0.0.1:4739:udp\n"), "udp://10.0.0.1:4739");
    assert_eq!(of("flowCollectorAddr: \"[fd00::1]\"\n"), "tls://[fd00::1]:4739");
    assert_eq!(of("protocolFilter:\n  - sctp\n"), "tls://flow-aggregator.flow-aggregator.svc:4739");
}

#[test]
fn durations_are_those_of_go() {
    for (text, nanos) in [
        ("5s", 5_000_000_000),
        ("1h1m1s", 3_661_000_000_000),
        ("1.5ms", 1_500_000),
        ("10us", 10_000),
        ("10\u{b5}s", 10_000),
        ("10\u{3bc}s", 10_000),
        ("7ns", 7),
        ("0", 0),
    ] {
        assert_eq!(duration(text).map(|d| d.as_nanos()), Ok(nanos), "{text}");
    }
    for text in ["", "5", "s", "5 s", "5d", "-1s", "1m30", "NaNs"] {
        assert!(duration(text).unwrap_err().contains("like 5s"), "{text}");
    }
}

#[test]
fn errors_name_line_key_and_remedy() {
    for (text, expected) in [
        ("a: 1\nflowPollInterval: 100ms\n", "line 2: flowPollInterval: `100ms` is shorter than 1s"),
        (
            "flowExporter:\n  enable: maybe\n",
            "line 2: flowExporter.enable: `maybe` is not true or false",
        ),
        (
            "protocolFilter: [icmp]\n",
            "line 1: protocolFilter: `icmp` is no protocol; there are tcp, udp and sctp",
        ),
        ("flowExporter:\n\tenable: true\n", "line 2: a tab cannot indent; YAML takes spaces"),
        ("idleFlowExportTimeout: 0\n", "line 1: idleFlowExportTimeout: `0` must be longer than 0"),
    ] {
        assert_eq!(read(text).unwrap_err().to_string(), expected);
    }
    let grpc = read("flowCollectorAddr: a/b:14739:grpc\n").unwrap_err().to_string();
    assert!(grpc.ends_with("use tls"), "{grpc}");
}
