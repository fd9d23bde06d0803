//! The document against the routes and against real answers.

use std::collections::BTreeSet;

use serde_json::Value;
use weir_api::OPENAPI;
use weir_model::Timestamp;

use crate::server::{Server, Setup};

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

#[test]
fn the_document_has_every_path_and_every_method() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let documented: BTreeSet<&str> = paths.keys().map(String::as_str).collect();
    assert_eq!(documented, weir_api::paths().into_iter().collect());
    let server = Server::start(Setup::default());
    for (path, operations) in paths {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let answer = server.ask(method, path, &[], "");
            let is_there = operations.get(method.to_lowercase()).is_some();
            assert_eq!(answer.status != 405, is_there, "{method} {path}: {}", answer.status);
        }
    }
}

#[test]
fn answers_are_as_the_document_says() {
    // The tail's answer has no end, see `tail`; signing in needs a token, see `session`.
    const ELSEWHERE: [&str; 2] = ["get /api/v1/tail", "post /api/v1/session"];
    let document = document();
    let server = Server::start(Setup::default());
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let name = format!("{method} {path}");
            if ELSEWHERE.contains(&name.as_str()) {
                continue;
            }
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            let body = if example.is_null() { "{}".to_owned() } else { example.to_string() };
            let answer = server.ask(&method.to_uppercase(), &real(&server, path), &[], &body);
            let responses = operation["responses"].as_object().unwrap();
            let (status, described) =
                responses.iter().find(|(status, _)| status.starts_with('2')).unwrap();
            let text = String::from_utf8_lossy(&answer.body);
            assert_eq!(answer.status.to_string(), *status, "{name}: {text}");
            let Some(content) = described["content"].as_object() else {
                assert_eq!(text, "", "{name}");
                continue;
            };
            let found = answer.header("content-type").unwrap();
            let described = content.get_key_value(found);
            let (media_type, described) = described.unwrap_or(content.iter().next().unwrap());
            assert!(media_type == "*/*" || found == media_type, "{name}: {found}");
            if media_type == "application/json" {
                check(&document, &described["schema"], &answer.json(), &name).unwrap();
            }
        }
    }
    let columns = server.get("/api/v1/records?format=columns&order_by=octets").json();
    check(&document, &document["components"]["schemas"]["RecordsColumns"], &columns, "columns")
        .unwrap();
    let problem = server.get("/api/v1/query?filter=nosuch%3D1");
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    check(&document, &document["components"]["schemas"]["Problem"], &problem.json(), "problem")
        .unwrap();
}

#[test]
fn the_described_query_is_the_one_that_is_read() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    for (name, value) in [
        ("Query", serde_json::to_value(weir_query::Query::default()).unwrap()),
        ("RecordsQuery", serde_json::to_value(weir_query::RecordsQuery::default()).unwrap()),
    ] {
        let described: BTreeSet<_> =
            schemas[name]["properties"].as_object().unwrap().keys().collect();
        assert_eq!(described, value.as_object().unwrap().keys().collect(), "{name}");
        check(&document, &schemas[name], &value, name).unwrap();
    }
}

#[test]
fn the_check_itself_finds_what_is_wrong() {
    let document = document();
    let account = &document["components"]["schemas"]["Account"];
    let good = serde_json::json!({"received": 1, "kept": "9007199254740993", "in_flight": 0, "dropped": {"a": 1}});
    check(&document, account, &good, "").unwrap();
    for (field, value) in [("received", Value::Null), ("kept", "x".into()), ("more", 1.into())] {
        let mut bad = good.clone();
        bad[field] = value;
        assert!(check(&document, account, &bad, "").is_err(), "{bad}");
    }
}

/// A path that has an answer, for one of the document: a view is made for its id.
fn real(server: &Server, path: &str) -> String {
    if path == "/api/v1/exporters/templates" {
        return format!("{path}?addr=198.51.100.1");
    }
    let path = path.replace("{file}", "app-1a2b.js");
    if !path.contains("{id}") {
        return path;
    }
    let body = r#"{"name": "a", "page": "explore", "state": ""}"#;
    let view = server.ask("POST", "/api/v1/views", &[], body).json();
    path.replace("{id}", view["id"].as_str().unwrap())
}

/// Checks `value` against `schema`: the part of JSON Schema that the document uses.
fn check(document: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap();
        return check(document, target, value, place);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = |choice: &&Value| check(document, choice, value, place).is_ok();
        return match choices.iter().filter(fits).count() {
            1 => Ok(()),
            n => Err(format!("{place}: {value} fits {n} of {schema}")),
        };
    }
    let fits = match schema["type"].as_str() {
        None => true,
        Some("null") => value.is_null(),
        Some("string") => value.as_str().is_some_and(|text| fits_text(schema, text)),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some(other) => return Err(format!("{place}: the check does not know type {other}")),
    };
    if !fits {
        return Err(format!("{place}: {value} is not of {schema}"));
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        check(document, &schema["items"], item, &format!("{place}[{i}]"))?;
    }
    let Some(fields) = value.as_object() else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten() {
        if fields.get(name.as_str().unwrap()).is_none() {
            return Err(format!("{place}: {name} is missing"));
        }
    }
    for (name, field) in fields {
        let place = format!("{place}.{name}");
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => return Err(format!("{place} is not described")),
            (Value::Null, more) if more.is_object() => check(document, more, field, &place)?,
            (Value::Null, _) => {}
            (described, _) => check(document, described, field, &place)?,
        }
    }
    Ok(())
}

fn fits_text(schema: &Value, text: &str) -> bool {
    let choices = schema["enum"].as_array();
    choices.is_none_or(|choices| choices.iter().any(|choice| choice == text))
        && (schema["format"] != "date-time" || text.parse::<Timestamp>().is_ok())
        && (schema["pattern"] != "^[0-9]+$" || text.bytes().all(|octet| octet.is_ascii_digit()))
}
