//! `GET /api/v1/schema`: the column table as data, for menus, checks and generated clients; and
//! `GET /api/v1/dimensions`: which of its columns have had a value lately.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use weir_model::named::Named;
use weir_model::{ColumnDef, NullIf, Table};

use super::query::problem;
use crate::app::App;
use crate::problem::Problem;
use crate::{blocking, respond};

/// How far back columns are looked for.
const LATELY: Duration = Duration::from_secs(3_600);

/// Every table with its columns.
pub async fn get() -> Response {
    respond::json(&document())
}

/// `GET /api/v1/dimensions`: the columns of flows that have had a value in the last hour.
pub async fn dimensions(State(app): State<App>) -> Result<Response, Problem> {
    if let Some(answer) = app.remembered().dimensions(app.now()) {
        return Ok(respond::octets("application/json", answer.to_vec()));
    }
    let shared = app.clone();
    let look = move |cancel: &weir_query::Cancel| {
        let (now, snapshot) = (shared.now(), shared.store().snapshot());
        let from = now.minus(LATELY);
        let (limits, clock) = (shared.limits(), shared.clock());
        weir_query::records::present(&snapshot, Table::Flows, from, limits, cancel, clock)
    };
    let found = blocking::run(app.queries(), app.limits().time, look).await?;
    let columns = found.map_err(|error| problem(&error, ""))?;
    let body = serde_json::to_vec(&json!({ "columns": columns })).unwrap_or_default();
    let answer = Arc::new(body);
    app.remembered().note_dimensions(app.now(), &answer);
    Ok(respond::octets("application/json", answer.to_vec()))
}

fn document() -> Value {
    // Why: Rollups are the store's own; nobody asks them by name.
    let tables: Vec<Value> = [Table::Flows, Table::Counters, Table::Options]
        .iter()
        .map(|table| {
            let columns: Vec<Value> = table.columns().iter().map(column).collect();
            json!({ "name": table.name(), "kind": table.kind(), "columns": columns })
        })
        .collect();
    json!({ "tables": tables })
}

fn column(def: &ColumnDef) -> Value {
    let elements: Vec<Value> =
        def.from.iter().map(|key| json!({ "pen": key.pen, "id": key.id })).collect();
    let mut column = json!({
        "id": def.id.0,
        "name": def.name,
        "type": def.ty.name(),
        "unit": def.unit.name(),
        "group": def.group.name(),
        "role": def.role.name(),
        "stored": def.stored,
        "doc": def.doc,
        "elements": elements,
    });
    if let Some(rule) = def.null_if {
        let rule = match rule {
            NullIf::Zero => "zero",
            NullIf::Empty => "empty",
            NullIf::AllZero => "all_zero",
        };
        column["null_if"] = json!(rule);
    }
    if let Some(named) = def.named {
        let names: Vec<Value> = named
            .rows()
            .iter()
            .map(|(value, name)| json!({ "value": value, "name": name }))
            .collect();
        column["names"] = json!(names);
        column["flags"] = json!(matches!(named, Named::Flags(_)));
    }
    column
}
