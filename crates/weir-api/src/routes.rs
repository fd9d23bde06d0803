//! One module per group of paths. Each turns a request into a call and the result into an answer.

pub mod collecting;
pub mod export;
pub mod filter;
pub mod pages;
pub mod processes;
pub mod query;
pub mod schema;
pub mod session;
pub mod tail;
pub mod views;
