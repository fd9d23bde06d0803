//! `/api/v1/views`: saved views of the console. An edit waits for the disk on a thread where
//! waiting is allowed.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::problem::{Kind, Problem};
use crate::respond;
use crate::views::{Draft, ViewError, Views};

/// Octets of a view as JSON, every octet of it escaped.
const BODY_MAX: usize = 64 << 10;

/// `GET /api/v1/views`
pub async fn list(State(app): State<App>) -> Result<Response, Problem> {
    let views = app.views().list().map_err(|error| problem(&error))?;
    Ok(respond::json(&json!({ "views": *views })))
}

/// `POST /api/v1/views`
pub async fn create(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let draft = draft(request).await?;
    let now = app.now();
    let view = edit(&app, move |views| views.create(draft, now)).await?;
    let mut response = respond::json(&view);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// `PUT /api/v1/views/{id}`
pub async fn replace(
    State(app): State<App>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let draft = draft(request).await?;
    let now = app.now();
    let view = edit(&app, move |views| views.replace(&id, draft, now)).await?;
    Ok(respond::json(&view))
}

/// `DELETE /api/v1/views/{id}`
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    edit(&app, move |views| views.delete(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads `name`, `page` and `state`; a refusal names the one that is wrong.
async fn draft(request: Request) -> Result<Draft, Problem> {
    const FIELDS: [&str; 3] = ["name", "page", "state"];
    let fields: Map<String, Value> = respond::read_json(request, BODY_MAX).await?;
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(Problem::new(Kind::BadRequest, format!("unknown field `{unknown}`"))
            .field(unknown)
            .remedy("a view has `name`, `page` and `state`"));
    }
    let text = |name: &'static str| {
        fields.get(name).and_then(Value::as_str).ok_or_else(|| {
            Problem::new(Kind::BadRequest, format!("`{name}` must be given, as text"))
                .field(name)
                .remedy("send `name`, `page` and `state`, each as text")
        })
    };
    Draft::new(text("name")?, text("page")?, text("state")?).map_err(|error| problem(&error))
}

async fn edit<T: Send + 'static>(
    app: &App,
    change: impl FnOnce(&Views) -> Result<T, ViewError> + Send + 'static,
) -> Result<T, Problem> {
    let app = app.clone();
    let edited = tokio::task::spawn_blocking(move || change(app.views())).await;
    let edited = edited.map_err(|error| {
        tracing::error!(%error, "saving a view ended abnormally");
        Problem::new(Kind::Internal, "saving ended abnormally; the log says why")
    })?;
    edited.map_err(|error| problem(&error))
}

fn problem(error: &ViewError) -> Problem {
    let detail = error.to_string();
    match error {
        ViewError::Field { field, .. } => Problem::new(Kind::BadRequest, detail)
            .field(*field)
            .remedy(format!("change `{field}`; /api/v1/openapi.json has the bounds")),
        ViewError::Unknown(_) => Problem::new(Kind::NotFound, detail)
            .field("id")
            .remedy("GET /api/v1/views lists the views; it may have been deleted"),
        ViewError::Full => {
            Problem::new(Kind::Full, detail).remedy("delete a view that nobody needs")
        }
        ViewError::Unreadable { .. } => {
            Problem::new(Kind::Unavailable, detail).remedy("see /api/v1/health, then restart Weir")
        }
        ViewError::Write { .. } => {
            tracing::error!(%error, "view not saved");
            Problem::new(Kind::Unavailable, detail)
                .remedy("free space on the disk of the data folder, or make it writable")
        }
        ViewError::Random(_) => Problem::new(Kind::Internal, detail),
    }
}
