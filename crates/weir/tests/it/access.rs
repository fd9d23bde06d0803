//! Beyond loopback: a token at first start, shown once, revocable.

use std::io::{BufRead, BufReader};

use crate::weir::{Folder, Serve, command, err, out, run};

#[test]
fn beyond_loopback_a_token_is_made_shown_once_and_required() {
    let folder = Folder::new();
    let data = folder.data();
    let mut serve = Serve::start(&data, &["--http", "0.0.0.0:0"]);
    let url = serve.url.replace("0.0.0.0", "127.0.0.1");
    let stdout = BufReader::new(serve.child.stdout.take().unwrap());
    let token = stdout.lines().map_while(Result::ok).find_map(|line| {
        let line = line.trim().to_owned();
        line.starts_with("weir_").then_some(line)
    });
    let token = token.unwrap();
    let query = ["query", "--server", &url, "--measure", "flows"];
    let refused = run(&query);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        err(&refused),
        "error: Authorization: the request has no token\n\
         send `Authorization: Bearer TOKEN`; `weir token new` makes a token\n"
    );
    let admitted =
        |token: &str| command(&query).env("WEIR_TOKEN", token).output().unwrap().status.success();
    assert!(admitted(&token));
    let file = folder.0.join("token");
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let file = file.display().to_string();
    out(&[&query[..], &["--token-file", &file]].concat());

    // The folder keeps no token, the list shows none, and a revoked one is refused at once.
    let kept = std::fs::read_to_string(folder.0.join("data/tokens")).unwrap();
    assert!(!kept.contains(&token["weir_".len()..]));
    let list = out(&["token", "list", "--data", &data]);
    assert!(list.contains("made at first start") && !list.contains(&token), "{list}");
    let another = out(&["token", "new", "--label", "second", "--data", &data]);
    let id = list.lines().nth(1).unwrap().split(' ').next().unwrap().to_owned();
    out(&["token", "revoke", &id, "--data", &data]);
    assert!(!admitted(&token));
    assert!(admitted(another.trim()));
    serve.stop();

    // The second start shows nothing.
    let serve = Serve::start(&data, &["--http", "0.0.0.0:0"]);
    assert_eq!(serve.stop_and_read(), "");
}

#[test]
fn auth_none_is_logged_loudly() {
    let folder = Folder::new();
    let args = ["--http", "0.0.0.0:0", "--set", "http.auth=none"];
    let mut all = vec!["serve", "--data"];
    let data = folder.data();
    all.extend([data.as_str(), "--listen", "127.0.0.1:0"]);
    all.extend(args);
    let mut child = command(&all).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let warning = lines.into_iter().find(|line| line.contains("WARN") && line.contains("ANYONE"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(warning.is_some());
}
