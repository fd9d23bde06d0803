//! The API through its front door: a bound server, a store on disk, requests as octets.
#![expect(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

mod auth;
mod cases;
mod console;
mod export;
mod limits;
mod openapi;
mod server;
mod session;
mod tail;
