//! HTTP: the API, who may use it, the console's files, the status page.
//!
//! Last stage of the flow of data: reads what `weir-query` answers, what `weir-ingest` and
//! `weir-store` tell of themselves, and what the sink publishes live. Invariant: a request can
//! cost only what its limits allow, runs off the threads that serve connections, and ends when
//! its asker goes away. It refuses business logic, configuration files and the environment.
#![forbid(unsafe_code)]

pub mod app;
pub mod auth;
pub mod console;
pub mod problem;
pub mod server;
pub mod sessions;
pub mod small;
pub mod tail;
pub mod tokens;
pub mod view;
pub mod views;

mod blocking;
mod html;
mod metrics;
mod records;
mod remembered;
mod respond;
mod routes;

pub use app::{About, ApiPolicy, OPENAPI, Parts, paths, policies, router};
pub use auth::{Access, Policy};
pub use console::{Asset, Console};
pub use problem::Problem;
pub use records::page as records_page;
pub use routes::query::{FILTER_REMEDY, problem as query_problem};
pub use tail::Hub;
pub use tokens::{Secret, TokenEntry, TokenError, Tokens};
pub use view::Collecting;
