//! Who may use HTTP here: decided once, at start-up, from where it listens.

use std::path::Path;

use weir_api::{Access, Tokens};
use weir_model::Timestamp;

use crate::cli::out::print;
use crate::config::Auth;
use crate::config::policies::HttpPolicy;

/// The rule for `policy`. Makes the first token when one is needed and there is none.
pub fn access(policy: &HttpPolicy, folder: &Path, now: Timestamp) -> anyhow::Result<Access> {
    if policy.auth == Auth::None {
        let listen = policy.listen;
        match policy.is_loopback() {
            true => tracing::warn!(%listen, "http.auth = \"none\": Host is not checked either"),
            false => tracing::warn!(
                %listen,
                "http.auth = \"none\": ANYONE who reaches this port reads every record; \
                 remove http.auth to require a token"
            ),
        }
        return Ok(Access::Open);
    }
    if policy.is_loopback() {
        return Ok(Access::Local { allowed_hosts: policy.allowed_hosts.clone() });
    }
    let tokens = Tokens::in_folder(folder);
    if tokens.list()?.is_empty() {
        let (entry, secret) = tokens.create("made at first start", now)?;
        // Why: Not through the log, which is kept: a token is shown once and kept nowhere.
        print(&format!(
            "A token is required beyond loopback. This one was made now and is shown only now:\n\n  \
             {}\n\nSign in with it in a browser, send it as `Authorization: Bearer TOKEN`, or give it to \
             weir as WEIR_TOKEN or --token-file.\n\n",
            secret.reveal()
        ))?;
        tracing::info!(id = entry.id, "first token made");
    }
    Ok(Access::Token(tokens))
}
