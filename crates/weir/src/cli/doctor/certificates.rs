//! The certificates of the IPFIX connections: whether they can be used, and for how long.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use weir_ingest::{TlsError, TlsPolicy, check_certificates};
use weir_model::{Clock, Timestamp};

use super::{Finding, Grade};

/// Days before the end that it is warned of, as health does.
const SOON_DAYS: u64 = 14;

const DAY_SECONDS: u64 = 86_400;

/// A line for the certificate with its key, one for the client CA where it is set.
pub(super) fn certificates(policy: Option<&TlsPolicy>, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let Some(policy) = policy else { return Vec::new() };
    let check = check_certificates(policy, clock);
    let now = clock.now();
    let own = policy.certificate.display().to_string();
    let mut findings = vec![finding("certificate", &own, check.own, now)];
    if let Some((path, found)) = policy.client_ca.as_ref().zip(check.client_ca) {
        findings.push(finding("client CA", &path.display().to_string(), found, now));
    }
    findings
}

fn finding(
    subject: &str,
    path: &str,
    found: Result<Option<Timestamp>, TlsError>,
    now: Timestamp,
) -> Finding {
    let expires = match found {
        Ok(expires) => expires,
        Err(error) => {
            let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            let remedy = remedy(&error);
            return Finding::bad(Grade::Fault, subject, format!("{error}{source}"), remedy);
        }
    };
    let Some(end) = expires else {
        return Finding::good(subject, format!("{path} can be used; when it ends is not known"));
    };
    const RENEW: &str = "put a new one in its place; a Weir that runs takes it without a restart";
    if end <= now {
        let days = days(now.since(end));
        let text = format!("{path} ended {days} days ago: nobody can connect with TLS");
        return Finding::bad(Grade::Fault, subject, text, RENEW);
    }
    let days = days(end.since(now));
    let text = format!("{path} can be used for {days} days, until {end}");
    match days {
        ..SOON_DAYS => Finding::bad(Grade::Warning, subject, text, RENEW),
        _ => Finding::good(subject, text),
    }
}

fn days(time: Duration) -> u64 {
    time.as_secs() / DAY_SECONDS
}

fn remedy(error: &TlsError) -> &'static str {
    match error {
        TlsError::File { .. } => {
            "name a PEM file that the user that Weir runs as can read; docs/tls.md has commands"
        }
        TlsError::Pair { .. } => "name the key that the certificate was made with",
        TlsError::ClientCa { .. } => "name the certificate of the CA that signs those of exporters",
    }
}

#[cfg(test)]
mod tests;
