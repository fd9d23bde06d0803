use super::*;

fn file(text: &str) -> Result<Config, String> {
    let mut layers = Layers::default();
    layers.file(Path::new("weir.toml"), text);
    layers.finish().map_err(|problems| problems.to_string())
}

#[test]
fn the_default_file_says_the_defaults_and_nothing_else() {
    assert_eq!(file(&default_file()), Ok(Config::default()));
    assert_eq!(file(""), Ok(Config::default()));
    assert_eq!(default_file().lines().last(), Some("concurrent_max = 4"));
}

#[test]
fn the_reference_file_is_the_generated_one() {
    let kept = include_str!("../../weir.default.toml");
    assert_eq!(kept, default_file(), "run: weir config print-default > weir.default.toml");
}

#[test]
fn later_layers_win_key_by_key() {
    let mut layers = Layers::default();
    layers.file(Path::new("a.toml"), "[http]\nlisten = \"127.0.0.1:1\"\nbody_max = 7\n");
    let environment = [("WEIR_HTTP__LISTEN", "127.0.0.1:2"), ("WEIR_INGEST__UDP", "9,10")];
    layers.environment(environment.map(|(k, v)| (k.to_owned(), v.to_owned())).into_iter());
    layers.assignment("http.listen=127.0.0.1:3");
    let config = layers.finish().unwrap();
    assert_eq!(config.http.listen, "127.0.0.1:3".parse().unwrap());
    assert_eq!(config.http.body_max, Octets(7));
    assert_eq!(config.ingest.udp, List(vec!["9".parse().unwrap(), "10".parse().unwrap()]));
}

#[test]
fn the_environment_and_set_read_the_types_of_the_keys() {
    let mut layers = Layers::default();
    for text in [
        "http.connections_max=3",
        "ingest.tcp=[1, \"127.0.0.1:2\"]",
        "ingest.udp=",
        "http.auth=none",
        "http.allowed_hosts=a.example, b.example",
        "data.folder=/x=y",
    ] {
        layers.assignment(text);
    }
    let config = layers.finish().unwrap();
    assert_eq!(config.http.connections_max, 3);
    assert_eq!(config.ingest.tcp.0.len(), 2);
    assert_eq!(config.ingest.udp.0, vec![]);
    assert_eq!(config.http.auth, Auth::None);
    assert_eq!(config.http.allowed_hosts.0, vec!["a.example", "b.example"]);
    assert_eq!(config.data.folder, Path::new("/x=y"));
}

#[test]
fn errors_name_the_line_the_key_and_the_remedy() {
    for (text, expected) in [
        (
            "[http]\n\nlisten = 12\nlistn = 1\n",
            "weir.toml:4: unknown key `http.listn`; did you mean `http.listen`?",
        ),
        ("[htp]\nlisten = 12\n", "weir.toml:1: unknown section `[htp]`; did you mean `[http]`?"),
        (
            "# x\nlisten = 12\n",
            "weir.toml:2: `listen` stands outside of a section; it is `http.listen`",
        ),
        (
            "[http]\nbody_max = \"1XB\"\n",
            "weir.toml:2: http.body_max: `1XB` is not an amount of octets like 65536, 16KiB, 8MiB or 200GB",
        ),
        (
            "[http]\nlisten = true\n",
            "weir.toml:2: http.listen: invalid type: boolean `true`, expected a port or an address with port",
        ),
        (
            "[http]\nauth = \"open\"\n",
            "weir.toml:2: http.auth: unknown variant `open`, expected `token` or `none`",
        ),
        ("[http]\n[http.tls]\n", "weir.toml:2: http.tls: a table cannot stand here"),
        (
            "[query]\ncolour = 1\n",
            "weir.toml:2: unknown key `query.colour`; there are query.time_max, query.memory_max, query.rows_max, query.concurrent_max",
        ),
    ] {
        assert_eq!(file(text), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn every_problem_is_reported_with_its_own_origin() {
    let mut layers = Layers::default();
    layers.file(Path::new("a.toml"), "[log]\nlevle = \"info\"\n");
    layers.environment([("WEIR_HTTP__AUTHH".to_owned(), "none".to_owned())].into_iter());
    layers.environment([("WEIR_TOKEN".to_owned(), "x".to_owned())].into_iter());
    layers.assignment("query.time_max=30");
    layers.assignment("nonsense");
    layers.refuse("http.listen", "taken".to_owned());
    assert_eq!(
        layers.finish().unwrap_err().to_string(),
        "a.toml:2: unknown key `log.levle`; did you mean `log.level`?\n\
         environment WEIR_HTTP__AUTHH: unknown key `http.authh`; did you mean `http.auth`?\n\
         --set query.time_max=30: query.time_max: `30` is not a span of time like 200ms, 30s, 15m, 12h or 7d\n\
         --set nonsense: expected section.key=value\n\
         default of http.listen: http.listen: taken"
    );
}

#[test]
fn text_that_is_not_toml_is_an_error_with_its_line() {
    let error = file("[http]\nlisten = \n").unwrap_err();
    assert!(error.starts_with("weir.toml:2: "), "{error}");
}
