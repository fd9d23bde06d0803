//! The console's side of the API, over restarts and beside `weir token`.

use serde_json::{Value, json};

use crate::weir::{Folder, Serve, out};

/// An answer: its status, what `Set-Cookie` says, its body as JSON if it has one.
struct Answer {
    status: u16,
    cookie: String,
    json: Value,
}

/// A request with the headers given. Every status is an answer.
fn ask(method: &str, url: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent: ureq::Agent = config.allow_non_standard_methods(true).build().into();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.header("content-type", "application/json");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut answer = agent.run(request.body(body).unwrap()).unwrap();
    let cookie = answer.headers().get("set-cookie").map(|value| value.to_str().unwrap().to_owned());
    let text = answer.body_mut().read_to_string().unwrap();
    let json = serde_json::from_str(&text).unwrap_or_default();
    Answer { status: answer.status().as_u16(), cookie: cookie.unwrap_or_default(), json }
}

#[test]
fn a_session_lasts_until_its_token_is_revoked_beside_the_server() {
    let folder = Folder::new();
    let data = folder.data();
    let token = out(&["token", "new", "--label", "desk", "--data", &data]).trim().to_owned();
    let serve = Serve::start(&data, &["--http", "0.0.0.0:0"]);
    let url = serve.url.replace("0.0.0.0", "127.0.0.1");
    let session = format!("{url}api/v1/session");
    let schema = format!("{url}api/v1/schema");
    assert_eq!(ask("GET", &schema, &[], &Value::Null).status, 401);
    let wrong = ask("POST", &session, &[], &json!({"token": "weir_00"}));
    assert_eq!((wrong.status, wrong.cookie.as_str()), (401, ""));
    let signed_in = ask("POST", &session, &[], &json!({ "token": token }));
    assert_eq!(signed_in.status, 204);
    let cookie = signed_in.cookie.split(';').next().unwrap().to_owned();
    let with = [("cookie", cookie.as_str())];
    assert_eq!(ask("GET", &schema, &with, &Value::Null).status, 200);
    let known = ask("GET", &session, &with, &Value::Null).json;
    assert_eq!((&known["auth"], &known["name"]), (&json!("token"), &json!("desk")));
    let list = out(&["token", "list", "--data", &data]);
    let id = list.lines().nth(1).unwrap().split(' ').next().unwrap().to_owned();
    out(&["token", "revoke", &id, "--data", &data]);
    assert_eq!(ask("GET", &schema, &with, &Value::Null).status, 401);
    assert_eq!(ask("GET", &session, &with, &Value::Null).json["signed_in"], false);
}

#[test]
fn saved_views_outlive_a_stop_and_a_crash_and_damage_is_told() {
    let folder = Folder::new();
    let data = folder.data();
    let draft = |name: &str| json!({"name": name, "page": "records", "state": "v=1&cols=octets"});
    let list = |serve: &Serve| -> Vec<Value> {
        let answer = ask("GET", &format!("{}api/v1/views", serve.url), &[], &Value::Null);
        answer.json["views"].as_array().unwrap().clone()
    };
    let serve = Serve::start(&data, &[]);
    assert_eq!(
        ask("GET", &format!("{}api/v1/session", serve.url), &[], &Value::Null).json["auth"],
        "local"
    );
    let views = format!("{}api/v1/views", serve.url);
    let first = ask("POST", &views, &[], &draft("first"));
    let second = ask("POST", &views, &[], &draft("second"));
    assert_eq!((first.status, second.status), (201, 201));
    let of = |views: &str, view: &Answer| format!("{views}/{}", view.json["id"].as_str().unwrap());
    let renamed = ask("PUT", &of(&views, &first), &[], &draft("renamed"));
    assert_eq!((renamed.status, &renamed.json["name"]), (200, &json!("renamed")));
    let expected = [renamed.json, second.json.clone()];
    assert_eq!(list(&serve), expected);
    serve.stop();
    let serve = Serve::start(&data, &[]);
    assert_eq!(list(&serve), expected);
    let views = format!("{}api/v1/views", serve.url);
    assert_eq!(ask("DELETE", &of(&views, &second), &[], &Value::Null).status, 204);
    // What was answered is safe from a crash.
    serve.kill();
    let serve = Serve::start(&data, &[]);
    assert_eq!(list(&serve), expected[..1]);
    serve.stop();

    std::fs::write(folder.0.join("data/views.json"), "{\"version\":1,").unwrap();
    let serve = Serve::start(&data, &[]);
    assert_eq!(list(&serve), Vec::<Value>::new());
    let health = ask("GET", &format!("{}api/v1/health", serve.url), &[], &Value::Null).json;
    let what = health["concerns"][0]["what"].as_str().unwrap();
    assert!(
        what.starts_with("saved views were damaged and put aside as views.json.damaged-"),
        "{what}"
    );
}
