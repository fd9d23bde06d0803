//! The list of containers that containers/storage keeps (`containers.json`), in which podman's have
//! their names: its service, which would tell them, runs seldom.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::{LookupError, Told};

/// Longest list that is read: some 4,000 containers.
const LIST_MAX: u64 = 4 << 20;

#[derive(Debug, Deserialize)]
struct Listed {
    id: String,
    #[serde(default)]
    names: Vec<String>,
    /// JSON in a text.
    #[serde(default)]
    metadata: String,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    #[serde(rename = "image-name")]
    image: Option<String>,
}

/// Looks for one container in the list at `path`.
pub(super) fn read(path: &Path, id: &str) -> Result<Told, LookupError> {
    let mut text = Vec::new();
    File::open(path)?.take(LIST_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LIST_MAX {
        return Err(LookupError::TooLong(LIST_MAX));
    }
    let list: Vec<Listed> = serde_json::from_slice(&text)?;
    let found = list.into_iter().find(|listed| listed.id == id).ok_or(LookupError::Unlisted)?;
    // What is not JSON of podman's names no image.
    let Metadata { image } = serde_json::from_str(&found.metadata).unwrap_or_default();
    Ok(Told { name: found.names.into_iter().next(), image, ..Told::default() })
}
