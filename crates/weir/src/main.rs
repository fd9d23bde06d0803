//! The `weir` binary: command line, configuration, component list.
//!
//! The only crate that reads configuration, the environment and the command line. Invariant: it
//! holds no logic of a stage; it turns words into policies, starts the components in the order of
//! the flow of data and stops them in that order.
#![forbid(unsafe_code)]

mod agent;
mod antrea;
mod cli;
mod config;
mod console;
mod decode;
mod demo;
mod live;
mod replay;
mod serve;
mod top;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            cli::out::say(&format!("error: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}
