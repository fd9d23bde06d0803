//! Sets up the process's log: one line an event on standard error.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPolicy {
    /// A level, or levels by module: `info`, `warn,weir_ingest=debug`.
    pub level: String,
    /// Colours: `None` only when standard error is a terminal.
    pub ansi: Option<bool>,
    /// Leaves out the time, for journals that add their own.
    pub without_time: bool,
}

impl Default for LogPolicy {
    fn default() -> LogPolicy {
        LogPolicy { level: "info".to_owned(), ansi: None, without_time: false }
    }
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The words of the level are none.
    #[error("log level `{level}` is not understood (try `info` or `warn,weir_ingest=debug`)")]
    Level {
        /// As given.
        level: String,
        /// What the parser says; absent when a bare word is no level.
        #[source]
        source: Option<ParseError>,
    },
    /// A log was set up before.
    #[error("the log is already set up")]
    Twice(#[source] TryInitError),
}

/// Sends the log of the process to standard error.
pub fn init_logging(policy: &LogPolicy) -> Result<(), LogError> {
    let targets = targets(&policy.level)
        .map_err(|source| LogError::Level { level: policy.level.clone(), source })?;
    let ansi = policy.ansi.unwrap_or_else(|| std::io::stderr().is_terminal());
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(ansi);
    let registry = tracing_subscriber::registry().with(targets);
    if policy.without_time {
        registry.with(layer.without_time()).try_init().map_err(LogError::Twice)
    } else {
        registry.with(layer).try_init().map_err(LogError::Twice)
    }
}

/// Reads levels by module. The parser takes a bare word that is no level for a module's name and
/// would log everything of it and nothing else; here it is refused.
fn targets(text: &str) -> Result<Targets, Option<ParseError>> {
    let bare = text.split(',').filter(|part| !part.contains('='));
    if bare.map(str::trim).any(|word| word.parse::<LevelFilter>().is_err()) {
        return Err(None);
    }
    text.parse().map_err(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_none_names_itself() {
        for bad in ["loud", "info,loud", "weir_ingest=loud"] {
            let policy = LogPolicy { level: bad.to_owned(), ..LogPolicy::default() };
            let error = init_logging(&policy).unwrap_err().to_string();
            assert!(error.starts_with(&format!("log level `{bad}` is not understood")), "{error}");
        }
        assert!(targets("warn, weir_ingest=debug").is_ok());
    }
}
