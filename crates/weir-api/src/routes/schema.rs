//! `GET /api/v1/schema`: the column table as data, for menus, checks and generated clients.

use axum::response::Response;
use serde_json::{Value, json};
use weir_model::named::Named;
use weir_model::{ColumnDef, NullIf, Table};

use crate::respond;

/// Every table with its columns.
pub async fn get() -> Response {
    respond::json(&document())
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
