//! Docker's HTTP API over its socket, which podman speaks too: `GET /containers/<id>/json`.
//!
//! HTTP/1.0 is asked for, so that the answer ends with the connection and has no chunks.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde::Deserialize;

use super::{LookupError, Told};

/// Longest answer that is read.
const ANSWER_MAX: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
struct Inspected {
    #[serde(rename = "Name")]
    name: Option<String>,
    #[serde(rename = "ImageName")]
    image_name: Option<String>,
    #[serde(rename = "Config")]
    config: Option<Config>,
}

#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(rename = "Image")]
    image: Option<String>,
    #[serde(rename = "Labels")]
    labels: Option<Labels>,
}

/// What kubelet's dockershim and cri-dockerd write on a container.
#[derive(Debug, Default, Deserialize)]
struct Labels {
    #[serde(rename = "io.kubernetes.container.name")]
    container: Option<String>,
    #[serde(rename = "io.kubernetes.pod.name")]
    pod: Option<String>,
    #[serde(rename = "io.kubernetes.pod.namespace")]
    namespace: Option<String>,
}

/// Asks for one container. `id` is 64 hexadecimal digits.
pub(super) fn ask(path: &Path, id: &str, patience: Duration) -> Result<Told, LookupError> {
    let deadline = Instant::now() + patience;
    let mut stream = open(path, patience)?;
    let request = format!("GET /containers/{id}/json HTTP/1.0\r\nHost: weir\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    read(&answer(&mut stream, deadline)?)
}

/// Connects. A socket whose queue is full lets wait, so its time is limited before.
fn open(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let (unix, stream) = (AddressFamily::UNIX, SocketType::STREAM);
    let socket = socket_with(unix, stream, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(patience))?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(UnixStream::from(socket))
}

fn answer(stream: &mut UnixStream, deadline: Instant) -> Result<Vec<u8>, LookupError> {
    let mut octets = Vec::new();
    let mut piece = [0; 8_192];
    loop {
        // Why: Who sends an octet now and then would otherwise be waited for without end.
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        stream.set_read_timeout(Some(left))?;
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(octets);
        }
        octets.extend_from_slice(piece.get(..read).unwrap_or_default());
        if octets.len() as u64 > ANSWER_MAX {
            return Err(LookupError::TooLong(ANSWER_MAX));
        }
    }
}

fn read(answer: &[u8]) -> Result<Told, LookupError> {
    const END: &[u8] = b"\r\n\r\n";
    let end = answer.windows(END.len()).position(|octets| octets == END);
    let end = end.ok_or(LookupError::Http)?;
    let (head, body) = answer.split_at(end);
    let status = std::str::from_utf8(head).ok().and_then(|head| head.split(' ').nth(1));
    let status: u16 = status.and_then(|word| word.parse().ok()).ok_or(LookupError::Http)?;
    if status != 200 {
        return Err(LookupError::Status(status));
    }
    let Inspected { name, image_name, config } =
        serde_json::from_slice(body.get(END.len()..).unwrap_or_default())?;
    let Config { image, labels } = config.unwrap_or_default();
    let Labels { container, pod, namespace } = labels.unwrap_or_default();
    // Docker writes `/name`.
    let name = name.map(|name| name.trim_start_matches('/').to_owned());
    // Podman's `Config.Image` may be missing; its `ImageName` is docker's `Config.Image`.
    Ok(Told { name: container.or(name), image: image.or(image_name), pod, namespace })
}
