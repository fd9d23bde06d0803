//! What the subcommands print when something is wrong, and when nothing is.

use std::net::TcpListener;

use crate::weir::{Folder, Serve, command, err, out, run};

#[test]
fn a_wrong_configuration_is_told_with_line_and_remedy() {
    let folder = Folder::new();
    let file = folder.0.join("weir.toml");
    std::fs::write(&file, "[http]\nlisten = \"127.0.0.1:8008\"\n[stroe]\nkeep_flows = \"1d\"\n")
        .unwrap();
    let file = file.display().to_string();
    let args = ["config", "check", "--config", &file, "--set", "http.auht=none"];
    let output = command(&args).env("WEIR_QUERY__TIME_MAX", "soon").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        err(&output),
        format!(
            "error: {file}:3: unknown section `[stroe]`; did you mean `[store]`?\n\
             environment WEIR_QUERY__TIME_MAX: query.time_max: `soon` is not a span of time like 200ms, 30s, 15m, 12h or 7d\n\
             --set http.auht=none: unknown key `http.auht`; did you mean `http.auth`?\n"
        )
    );
}

#[test]
fn the_printed_defaults_are_a_right_configuration() {
    let folder = Folder::new();
    let file = folder.0.join("weir.toml");
    std::fs::write(&file, out(&["config", "print-default"])).unwrap();
    let file = file.display().to_string();
    assert_eq!(out(&["config", "check", "--config", &file]), "the configuration is right\n");
}

#[test]
fn a_taken_port_is_explained() {
    let folder = Folder::new();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let http = held.local_addr().unwrap().to_string();
    let data = folder.data();
    let output = run(&["serve", "--data", &data, "--listen", "127.0.0.1:0", "--http", &http]);
    assert_eq!(output.status.code(), Some(1));
    let text = err(&output);
    assert!(
        text.contains(&format!("cannot listen for HTTP on {http}: another program has port")),
        "{text}"
    );
    assert!(text.contains("--http 127.0.0.1:PORT"), "{text}");
    let port = held.local_addr().unwrap();
    let listen = format!("tcp:{port}");
    let output = run(&["serve", "--data", &data, "--listen", &listen, "--http", "127.0.0.1:0"]);
    let text = err(&output);
    assert!(
        text.contains(&format!("cannot listen on tcp {port}")) && text.contains("ss -lunpt"),
        "{text}"
    );
}

#[test]
fn a_second_server_on_a_folder_is_refused() {
    let folder = Folder::new();
    let data = folder.data();
    let _first = Serve::start(&data, &[]);
    let output =
        run(&["serve", "--data", &data, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("is in use by another process"), "{}", err(&output));
}

#[test]
fn a_wrong_filter_is_shown_with_a_caret() {
    let folder = Folder::new();
    let serve = Serve::start(&folder.data(), &[]);
    let filter = "proto = tcp and sorc_addr = 10.0.0.1";
    let output = run(&["query", "--server", &serve.url, "--filter", filter]);
    assert_eq!(output.status.code(), Some(1));
    let text = err(&output);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[1], format!("  {filter}"));
    assert_eq!(lines[2], format!("  {}^^^^^^^^^", " ".repeat(16)));
    assert_eq!(lines[3], "did you mean `src_addr`?");
}

#[test]
fn no_server_is_explained() {
    let output = run(&["query", "--server", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("is `weir serve` running there?"), "{}", err(&output));
}

#[test]
fn doctor_reports_every_subject_and_completions_are_complete() {
    let text = String::from_utf8(run(&["doctor"]).stdout).unwrap();
    for subject in [
        "receive buffer",
        "capabilities",
        "port udp 2055",
        "data folder",
        "disk",
        "clock",
        "open files",
    ] {
        assert!(text.contains(subject), "{subject} is not in\n{text}");
    }
    let script = out(&["completions", "bash"]);
    assert!(script.contains("print-default") && script.contains("--token-file"));
    assert_eq!(out(&["--version"]), format!("weir {}\n", env!("CARGO_PKG_VERSION")));
}
