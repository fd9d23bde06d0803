//! `tests/api/*.json`: requests in order, each with its expected status, headers and answer. In an
//! expected answer `"*"` stands for anything, and further fields of an object are not looked at.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::server::{Server, Setup};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    claim: String,
    #[serde(default = "get")]
    method: String,
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Option<Value>,
    /// The body as text, where it is not meant to be JSON.
    #[serde(default)]
    text: Option<String>,
    status: u16,
    #[serde(default)]
    answer: Option<Value>,
    /// Texts that the body must have.
    #[serde(default)]
    has: Vec<String>,
    /// Texts that it must not have.
    #[serde(default)]
    lacks: Vec<String>,
}

fn get() -> String {
    "GET".to_owned()
}

#[test]
fn the_cases_hold() {
    let server = Server::start(Setup::default());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut run = 0;
    for file in files {
        let cases: Vec<Case> = serde_json::from_slice(&fs::read(&file).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for case in cases {
            check(&server, &case, &format!("{}: {}", file.display(), case.claim));
            run += 1;
        }
    }
    assert!(run >= 30, "{run} cases were found");
}

fn check(server: &Server, case: &Case, name: &str) {
    let body = match (&case.text, &case.body) {
        (Some(text), _) => text.clone(),
        (None, Some(body)) => body.to_string(),
        (None, None) => String::new(),
    };
    let headers: Vec<_> =
        case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = server.ask(&case.method, &case.path, &headers, &body);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, case.status, "{name}: {text}");
    for (header, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(header), Some(value), "{name}");
    }
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'"), "{name}: {policy}");
    assert_eq!(answer.header("access-control-allow-origin"), None, "{name}");
    if let Some(expected) = &case.answer {
        let found = answer.json();
        if let Err(place) = fits(expected, &found, "") {
            panic!("{name}: at {place}\nexpected {expected}\n   found {found}");
        }
    }
    for part in &case.has {
        assert!(text.contains(part), "{name}: {part} is not in {text}");
    }
    for part in &case.lacks {
        assert!(!text.contains(part), "{name}: {part} is in {text}");
    }
}

fn fits(expected: &Value, found: &Value, place: &str) -> Result<(), String> {
    match (expected, found) {
        (Value::String(any), _) if any == "*" => Ok(()),
        (Value::Object(fields), Value::Object(known)) => {
            for (name, value) in fields {
                let place = format!("{place}.{name}");
                fits(value, known.get(name).ok_or(place.clone())?, &place)?;
            }
            Ok(())
        }
        (Value::Array(values), Value::Array(known)) if values.len() == known.len() => {
            for (i, (value, known)) in values.iter().zip(known).enumerate() {
                fits(value, known, &format!("{place}[{i}]"))?;
            }
            Ok(())
        }
        (expected, found) if expected == found => Ok(()),
        _ => Err(place.to_owned()),
    }
}
