//! The API through its front door: a bound server, a store on disk, requests as octets.

mod auth;
mod cases;
mod limits;
mod openapi;
mod server;
mod tail;
