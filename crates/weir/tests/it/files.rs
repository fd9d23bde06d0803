//! Formats and round trips: `weir decode`, `import` and `export` on one capture, compared by value.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::weir::{Folder, capture, err, out, rows, run};

const CAPTURE: &str = "ovs-ipfix.pcap";
const EVER: [&str; 4] = ["--from", "2020-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z"];

/// Records of a data folder as a set of lines of JSON.
fn records(data: &str) -> BTreeSet<String> {
    let text = out(&[&["records", "--data", data, "--limit", "100000"], &EVER[..]].concat());
    text.lines().map(str::to_owned).collect()
}

fn import(file: &str, data: &str) -> String {
    let output = run(&["import", file, "--data", data]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    err(&output)
}

#[test]
fn what_is_exported_can_be_imported_without_a_change() {
    let folder = Folder::new();
    let path = |name: &str| folder.0.join(name).display().to_string();
    let first = path("first");
    import(&capture(CAPTURE), &first);
    let expected = records(&first);
    assert!(!expected.is_empty());
    for ending in ["parquet", "csv"] {
        let (file, data) = (path(&format!("flows.{ending}")), path(ending));
        out(&[&["export", "--data", &first, "--out", &file], &EVER[..]].concat());
        import(&file, &data);
        assert_eq!(records(&data), expected, "{ending}");
    }
    // Decoding to Parquet is the same road without a store on the way.
    let (file, data) = (path("decoded.parquet"), path("decoded"));
    out(&["decode", &capture(CAPTURE), "--format", "parquet", "--out", &file]);
    import(&file, &data);
    assert_eq!(records(&data), expected);
}

#[test]
fn an_export_keeps_what_the_filter_keeps() {
    let folder = Folder::new();
    let data = folder.data();
    import(&capture(CAPTURE), &data);
    let file = folder.0.join("udp.json").display().to_string();
    let arguments = ["export", "--data", &data, "--filter", "proto = udp", "--out", &file];
    out(&[&arguments, &EVER[..]].concat());
    // Text of a value has its keys in order, which the lines need not have.
    let kept: BTreeSet<String> =
        rows(&std::fs::read_to_string(&file).unwrap()).iter().map(Value::to_string).collect();
    let all = records(&data).into_iter().collect::<Vec<_>>().join("\n");
    let is_udp = |row: &&Value| row["proto"] == 17;
    let expected: BTreeSet<String> =
        rows(&all).iter().filter(is_udp).map(Value::to_string).collect();
    assert!(!expected.is_empty());
    assert_eq!(kept, expected);
}

#[test]
fn every_text_format_has_one_line_a_flow() {
    let flows = rows(&out(&["decode", &capture(CAPTURE)])).len();
    assert!(flows > 0);
    for (format, start, heading) in [
        ("json", "{\"kind\":\"flow\",", 0),
        ("goflow", "Type:IPFIX TimeReceived:", 0),
        ("goflow-json", "{\"Type\":\"IPFIX\",", 0),
        ("goflow2-json", "{\"type\":\"IPFIX\",", 0),
        ("csv", "", 1),
    ] {
        let text = out(&["decode", &capture(CAPTURE), "--format", format]);
        assert_eq!(text.lines().count(), flows + heading, "{format}");
        assert!(text.lines().all(|line| line.starts_with(start)), "{format}: {text}");
    }
}

#[test]
fn all_adds_counters_and_options_where_the_format_has_room() {
    let sflow = capture("ovs-sflow.pcap");
    let kinds = |text: &str| -> BTreeSet<String> {
        rows(text).iter().map(|row| row["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&out(&["decode", &sflow])), BTreeSet::from(["flow".to_owned()]));
    assert_eq!(
        kinds(&out(&["decode", &sflow, "--all"])),
        BTreeSet::from(["counters".to_owned(), "flow".to_owned()])
    );
    let refused = run(&["decode", &sflow, "--all", "--format", "csv"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(err(&refused).contains("only json holds counters"), "{}", err(&refused));
}

#[test]
fn files_of_nfdump_are_imported() {
    let folder = Folder::new();
    let file = folder.0.join("nfdump.csv");
    let text = "ts,te,td,sa,da,sp,dp,pr,flg,ipkt,ibyt\n\
        2026-11-20 12:19:49,2026-11-20 12:19:49,0.000,::,ff02::16,0,0,ICMP6,........,1,96\n\
        2026-11-20 12:19:50,2026-11-20 12:19:55,5.000,10.88.0.1,10.88.0.2,49106,5201,TCP,...AP.SF,13,1138\n\
        Summary\nflows,bytes,packets\n2,1234,14\n";
    std::fs::write(&file, text).unwrap();
    let data = folder.data();
    import(&file.display().to_string(), &data);
    let ask = ["query", "--data", &data, "--group-by", "proto", "--output", "csv"];
    assert_eq!(
        out(&[&ask, &EVER[..]].concat()),
        "proto,both_octets,both_packets,flows\r\n6,1138,13,1\r\n58,96,1,1\r\n"
    );
}

#[test]
fn a_wrong_folder_or_file_is_told_not_answered_with_nothing() {
    let folder = Folder::new();
    let nowhere = folder.0.join("nowhere").display().to_string();
    let file = folder.0.join("x.parquet").display().to_string();
    for command in ["query", "records", "export"] {
        let mut arguments = vec![command, "--data", &nowhere];
        if command == "export" {
            arguments.extend(["--out", &file]);
        }
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert_eq!(
            err(&output),
            format!("error: {nowhere} is no data folder of Weir: it holds no store\n")
        );
    }
    assert!(!std::path::Path::new(&file).exists());
    let empty = folder.0.join("empty.pcap").display().to_string();
    std::fs::write(&empty, "").unwrap();
    let output = run(&["decode", &empty]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        err(&output),
        format!("error: reading {empty}: is empty, or ends within its header\n")
    );
}
