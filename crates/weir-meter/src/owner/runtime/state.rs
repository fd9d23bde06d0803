//! The OCI configuration that a runtime keeps of each container (`config.json`), whose annotations
//! name container, pod and image: containerd's CRI plugin and CRI-O. Podman's has no names.

use std::fs::File;
use std::io::Read;

use serde::Deserialize;

use super::{LookupError, StateFolder, Told};

/// Longest file that is read.
const FILE_MAX: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
struct Config {
    annotations: Option<Annotations>,
}

#[derive(Debug, Default, Deserialize)]
struct Annotations {
    #[serde(rename = "io.kubernetes.cri.container-name")]
    containerd_name: Option<String>,
    #[serde(rename = "io.kubernetes.cri.image-name")]
    containerd_image: Option<String>,
    #[serde(rename = "io.kubernetes.cri.sandbox-name")]
    containerd_pod: Option<String>,
    #[serde(rename = "io.kubernetes.cri.sandbox-namespace")]
    containerd_namespace: Option<String>,
    #[serde(rename = "io.kubernetes.container.name")]
    name: Option<String>,
    #[serde(rename = "io.kubernetes.cri-o.ImageName")]
    image: Option<String>,
    #[serde(rename = "io.kubernetes.pod.name")]
    pod: Option<String>,
    #[serde(rename = "io.kubernetes.pod.namespace")]
    namespace: Option<String>,
}

/// Reads what `folder` has of one container. `id` is 64 hexadecimal digits.
pub(super) fn read(folder: &StateFolder, id: &str) -> Result<Told, LookupError> {
    let path = folder.folder.join(id).join(folder.file);
    let mut text = Vec::new();
    File::open(path)?.take(FILE_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > FILE_MAX {
        return Err(LookupError::TooLong(FILE_MAX));
    }
    let config: Config = serde_json::from_slice(&text)?;
    let known = config.annotations.unwrap_or_default();
    Ok(Told {
        name: known.containerd_name.or(known.name),
        image: known.containerd_image.or(known.image),
        pod: known.containerd_pod.or(known.pod),
        namespace: known.containerd_namespace.or(known.namespace),
    })
}
