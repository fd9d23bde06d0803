//! Metering of the machine that the tests run on.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::weir::{Folder, Serve, out, run};

fn health(serve: &Serve) -> Value {
    let mut answer = ureq::get(format!("{}api/v1/health", serve.url)).call().unwrap();
    answer.body_mut().read_json().unwrap()
}

#[test]
fn connections_of_this_machine_are_records_within_ten_seconds() {
    let folder = Folder::new();
    let serve = Serve::start(&folder.data(), &["--set", "meter.enabled=true"]);
    let tiers = health(&serve)["meter"]["tiers"].clone();
    let runs = |name: &str| {
        tiers.as_array().unwrap().iter().any(|tier| tier["name"] == name && tier["runs"] == true)
    };
    if !runs("inet_diag") {
        eprintln!("SKIPPED metering: {tiers}");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(&[7; 12_345]).unwrap();
    server.write_all(&[7; 54_321]).unwrap();
    client.read_exact(&mut vec![0; 54_321]).unwrap();
    let filter = format!("dst_port = {}", address.port());
    let args = ["--filter", &filter, "--group-by", "src_pid,tcp_state"];
    let measures = "octets,packets,reverse_octets,both_octets,sum(retransmits)";
    let args = [&args[..], &["--measure", measures]].concat();
    let began = Instant::now();
    let row = loop {
        if let Some(row) = serve.query(&args).first() {
            break row.clone();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "no record came");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(row["src_pid"], u64::from(std::process::id()), "{row}");
    assert_eq!(row["tcp_state"], "ESTABLISHED");
    // What was sent again was sent: a machine under load does that within itself too. By eBPF there
    // are headers: 52 octets each, 60 of the SYN, more with selective acknowledgements.
    let (octets, packets) = (row["octets"].as_u64().unwrap(), row["packets"].as_u64().unwrap());
    let is_whole = row["sum(retransmits)"] == 0;
    match runs("ebpf_sockets") {
        true if is_whole => {
            let headers = 12_345 + packets * 52..=12_345 + packets * 80;
            assert!(headers.contains(&octets), "{row}");
        }
        false if is_whole => assert_eq!(octets, 12_345),
        _ => assert!(octets > 12_345, "{row}"),
    }
    // Both directions are one record: what came back counts too, and for the end that sent it.
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap();
    let back = number(&row, "reverse_octets");
    assert!(back >= 54_321, "{row}");
    assert_eq!(number(&row, "both_octets"), number(&row, "octets") + back);
    let whole = ["--filter", &filter, "--group-by", "dst_port", "--split-directions"];
    let whole = serve.query(&whole);
    assert!(number(&whole[0], "octets") >= number(&row, "both_octets"), "{whole:?}");
    let meter = &health(&serve)["meter"];
    assert_eq!(meter["enabled"], true);
    for account in ["flows", "counters"] {
        let account = &meter["ledger"][account];
        assert_eq!(account["kept"].to_string(), account["received"].to_string(), "{meter}");
    }
    serve.stop();
}

#[test]
fn the_demo_does_not_meter_unless_asked() {
    let folder = Folder::new();
    for (more, enabled) in [(&[][..], false), (&["--set", "meter.enabled=true"][..], true)] {
        let args = [&["--demo"], more].concat();
        let serve = Serve::start_as_configured(&folder.data(), &args);
        assert_eq!(health(&serve)["meter"]["enabled"], enabled);
        serve.stop();
    }
}

#[test]
fn doctor_says_which_tiers_run() {
    let folder = Folder::new();
    let set = format!("data.folder={}", folder.data());
    let ports =
        ["--set", "ingest.udp=0", "--set", "ingest.tcp=", "--set", "http.listen=127.0.0.1:0"];
    let output = run(&[&["doctor", "--set", &set][..], &ports].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for name in ["inet_diag", "interface_counters", "conntrack"] {
        assert!(text.contains(&format!("meter {name}")), "{text}");
    }
    assert!(out(&["config", "print-default"]).contains("[meter]\n"));
}
