//! Where records may go, as people write it: `collector:4739`, `udp://[2001:db8::1]:4739`,
//! `tls://collector`, `json:-`, `sflow://host:6343`, and Antrea's `HOST:[PORT][:PROTO]`.

use std::path::PathBuf;
use std::str::FromStr;

use crate::ipfix::{Target, Transport};
use crate::sflow::SFLOW_PORT;

/// Port of IPFIX (RFC 7011 §10).
const IPFIX: u16 = 4_739;
/// Port of IPFIX under TLS.
const IPFIX_TLS: u16 = 4_740;

/// A place that records go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// IPFIX messages.
    Ipfix(Target),
    /// JSON lines, appended to a file; `None` is standard output.
    Json(Option<PathBuf>),
    /// sFlow v5 datagrams.
    Sflow {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
}

/// Why a word is no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// There is no host.
    #[error("`{0}` names no host; write collector, collector:4739 or tls://collector:4739")]
    NoHost(String),
    /// The port is none.
    #[error("`{port}` in `{word}` is no port; write a number from 1 to 65535")]
    Port {
        /// All of it.
        word: String,
        /// What stands for the port.
        port: String,
    },
    /// The scheme or protocol is none.
    #[error("`{name}` in `{word}` is no way to send; there are udp, tcp, tls, json: and sflow://")]
    Scheme {
        /// All of it.
        word: String,
        /// What stands for the scheme.
        name: String,
    },
    /// gRPC is Antrea's own.
    #[error("`{0}`: gRPC is spoken within Antrea only; Weir takes and sends IPFIX: use tls")]
    Grpc(String),
    /// An IPv6 address without brackets.
    #[error("`{0}`: an IPv6 address stands in brackets: [2001:db8::1]:4739")]
    Brackets(String),
    /// A JSON destination without place.
    #[error("`{0}` names no place; write json:- for standard output or json:/path")]
    NoPlace(String),
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(word: &str) -> Result<Destination, DestinationError> {
        let word = word.trim();
        if let Some(place) = word.strip_prefix("json:") {
            return match place {
                "" => Err(DestinationError::NoPlace(word.to_owned())),
                "-" => Ok(Destination::Json(None)),
                path => Ok(Destination::Json(Some(PathBuf::from(path)))),
            };
        }
        if let Some((scheme, rest)) = word.split_once("://") {
            return with_scheme(word, scheme, rest);
        }
        antrea(word)
    }
}

fn with_scheme(word: &str, scheme: &str, rest: &str) -> Result<Destination, DestinationError> {
    let (host, more) = split_host(word, rest.trim_end_matches('/'))?;
    let port = |default| match more {
        None | Some("") => Ok(default),
        Some(text) => port(word, text),
    };
    let transport = match scheme.to_ascii_lowercase().as_str() {
        "sflow" => return Ok(Destination::Sflow { host, port: port(SFLOW_PORT)? }),
        "udp" => Transport::Udp,
        "tcp" | "ipfix" => Transport::Tcp,
        "tls" => Transport::Tls,
        "grpc" => return Err(DestinationError::Grpc(word.to_owned())),
        name => {
            return Err(DestinationError::Scheme { word: word.to_owned(), name: name.to_owned() });
        }
    };
    let default = if transport == Transport::Tls { IPFIX_TLS } else { IPFIX };
    Ok(Destination::Ipfix(Target { transport, host, port: port(default)? }))
}

/// `HOST:[PORT][:PROTO]`, with `NAMESPACE/SERVICE` as a host too (Antrea's flowCollectorAddr);
/// `host`, `host:port` are of the same form.
fn antrea(word: &str) -> Result<Destination, DestinationError> {
    let (host, more) = split_host(word, word)?;
    let (text, proto) = match more.unwrap_or_default().split_once(':') {
        Some((port, proto)) => (port, proto),
        None => (more.unwrap_or_default(), ""),
    };
    let transport = match proto.to_ascii_lowercase().as_str() {
        "" | "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        "tls" => Transport::Tls,
        "grpc" => return Err(DestinationError::Grpc(word.to_owned())),
        name => {
            return Err(DestinationError::Scheme { word: word.to_owned(), name: name.to_owned() });
        }
    };
    let port = if text.is_empty() { IPFIX } else { port(word, text)? };
    let host = match host.split_once('/') {
        Some((namespace, service)) => format!("{service}.{namespace}.svc"),
        None => host,
    };
    Ok(Destination::Ipfix(Target { transport, host, port }))
}

/// The host and what stands behind its colon.
fn split_host<'a>(
    word: &str,
    rest: &'a str,
) -> Result<(String, Option<&'a str>), DestinationError> {
    let no_host = || DestinationError::NoHost(word.to_owned());
    let (host, more) = match rest.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']').ok_or_else(no_host)?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(no_host());
            }
            match after {
                "" => (host, None),
                _ => (host, Some(after.strip_prefix(':').ok_or_else(no_host)?)),
            }
        }
        None if rest.parse::<std::net::Ipv6Addr>().is_ok() => {
            return Err(DestinationError::Brackets(word.to_owned()));
        }
        None => match rest.split_once(':') {
            Some((host, more)) => (host, Some(more)),
            None => (rest, None),
        },
    };
    let parts = host.split('/').count();
    let good = !host.is_empty() && parts <= 2 && host.split('/').all(|part| !part.is_empty());
    if !good || host.contains(char::is_whitespace) {
        return Err(no_host());
    }
    Ok((host.to_owned(), more))
}

fn port(word: &str, text: &str) -> Result<u16, DestinationError> {
    match text.parse() {
        Ok(0) | Err(_) => {
            Err(DestinationError::Port { word: word.to_owned(), port: text.to_owned() })
        }
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(word: &str) -> String {
        match word.parse::<Destination>() {
            Ok(Destination::Ipfix(target)) => target.to_string(),
            Ok(Destination::Json(place)) => format!("json {place:?}"),
            Ok(Destination::Sflow { host, port }) => format!("sflow {host} {port}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_people_and_antrea_write() {
        for (word, meant) in [
            ("collector", "tcp://collector:4739"),
            ("collector:9995", "tcp://collector:9995"),
            ("10.0.0.1", "tcp://10.0.0.1:4739"),
            ("udp://10.0.0.1", "udp://10.0.0.1:4739"),
            ("tls://collector", "tls://collector:4740"),
            ("tls://collector:4739", "tls://collector:4739"),
            ("ipfix://collector/", "tcp://collector:4739"),
            ("tcp://[2001:db8::1]", "tcp://[2001:db8::1]:4739"),
            ("[2001:db8::1]:9995", "tcp://[2001:db8::1]:9995"),
            (
                "flow-aggregator.flow-aggregator.svc:4739:tcp",
                "tcp://flow-aggregator.flow-aggregator.svc:4739",
            ),
            ("192.168.86.86:4739:UDP", "udp://192.168.86.86:4739"),
            ("collector::udp", "udp://collector:4739"),
            ("collector:", "tcp://collector:4739"),
            ("[fd00::1]::tls", "tls://[fd00::1]:4739"),
            (
                "flow-aggregator/flow-aggregator:4739:tls",
                "tls://flow-aggregator.flow-aggregator.svc:4739",
            ),
            ("json:-", "json None"),
            ("json:/var/log/flows.json", "json Some(\"/var/log/flows.json\")"),
            ("sflow://10.0.0.1", "sflow 10.0.0.1 6343"),
            ("sflow://[::1]:7000", "sflow ::1 7000"),
        ] {
            assert_eq!(read(word), meant, "{word}");
        }
    }

    #[test]
    fn refusals_name_the_remedy() {
        for (word, part) in [
            ("", "names no host"),
            (":4739", "names no host"),
            ("tcp://", "names no host"),
            ("a/b/c", "names no host"),
            ("[nonsense]:1", "names no host"),
            ("[::1]4739", "names no host"),
            ("collector:0", "is no port"),
            ("collector:70000", "`70000` in `collector:70000` is no port"),
            ("2001:db8::1", "stands in brackets"),
            ("kafka://x", "`kafka` in `kafka://x` is no way to send"),
            ("collector:4739:quic", "is no way to send"),
            ("flow-aggregator/flow-aggregator:14739:grpc", "use tls"),
            ("json:", "write json:-"),
        ] {
            assert!(read(word).contains(part), "{word}: {}", read(word));
        }
    }
}
