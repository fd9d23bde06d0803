//! Where container runtimes are.

use std::path::PathBuf;
use std::time::Duration;

/// Which runtimes are asked, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimePolicy {
    /// Sockets that speak docker's HTTP API, with the runtime's word.
    pub sockets: Vec<(&'static str, PathBuf)>,
    /// Folders with a folder for each container, and where in it its configuration is.
    pub folders: Vec<StateFolder>,
    /// Lists of containers that containers/storage keeps, with the runtime's word.
    pub lists: Vec<(&'static str, PathBuf)>,
    /// Longest time that one socket may take for one answer.
    pub patience: Duration,
}

/// Where a runtime keeps the OCI configurations of its containers: `{folder}/{id}/{file}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFolder {
    /// The runtime's word.
    pub runtime: &'static str,
    /// The folder.
    pub folder: PathBuf,
    /// The file below the container's folder.
    pub file: &'static str,
}

impl RuntimePolicy {
    /// Asks nobody.
    pub fn none() -> RuntimePolicy {
        let (sockets, folders, lists) = Default::default();
        RuntimePolicy { sockets, folders, lists, ..RuntimePolicy::default() }
    }

    pub(super) fn is_none(&self) -> bool {
        self.sockets.is_empty() && self.folders.is_empty() && self.lists.is_empty()
    }
}

impl Default for RuntimePolicy {
    fn default() -> RuntimePolicy {
        let at = |runtime, path: &str| (runtime, PathBuf::from(path));
        let folder = |runtime, folder: &str, file| StateFolder {
            runtime,
            folder: PathBuf::from(folder),
            file,
        };
        const CONTAINERD: &str = "/run/containerd/io.containerd.runtime.v2.task/k8s.io";
        const LISTS: &str = "/var/lib/containers/storage/overlay-containers";
        const STORAGE: &str = "/run/containers/storage/overlay-containers";
        RuntimePolicy {
            sockets: vec![
                at("docker", "/var/run/docker.sock"),
                at("libpod", "/run/podman/podman.sock"),
            ],
            folders: vec![
                folder("cri-containerd", CONTAINERD, "config.json"),
                folder("crio", STORAGE, "userdata/config.json"),
            ],
            // The second has those that are removed when they end.
            lists: vec![
                at("libpod", &format!("{LISTS}/containers.json")),
                at("libpod", &format!("{LISTS}/volatile-containers.json")),
            ],
            patience: Duration::from_millis(500),
        }
    }
}
