//! The program from outside: processes, sockets, signals, files.
#![expect(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

mod access;
mod acknowledge;
mod agent;
mod agent_kills;
mod agent_sflow;
mod commands;
mod console;
mod decode;
mod end_to_end;
mod files;
mod goflow;
mod meter;
mod metering;
mod tls;
mod top;
mod weir;
