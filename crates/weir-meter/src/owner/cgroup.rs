//! From the path of a control group to container, pod and systemd unit.
//!
//! Paths are made by runtimes: kubelet with cgroupfs (`…/kubepods/burstable/pod<uid>/<id>`) and
//! with systemd (`…/kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope`), containerd
//! without systemd (`…:cri-containerd:<id>`), docker and podman alone, crun with a level
//! `container` below. They are text that a container may influence: nothing is assumed of them.

use super::process::clean;

/// Longest name of a systemd unit.
const UNIT_MAX: usize = 256;
/// Longest word for a runtime that is kept.
const RUNTIME_MAX: usize = 32;

/// What the control group of a process tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cgroup {
    /// Id of the container, 64 hexadecimal digits.
    pub container_id: Option<String>,
    /// The runtime's word in the path: `docker`, `cri-containerd`, `crio`, `libpod` …
    pub runtime: Option<String>,
    /// Uid of the pod.
    pub pod_uid: Option<[u8; 16]>,
    /// systemd unit, outside of containers.
    pub unit: Option<String>,
}

/// Reads the text of `/proc/<pid>/cgroup`: one line per hierarchy, `id:controllers:path`.
pub fn identify(text: &str) -> Cgroup {
    let mut best = Cgroup::default();
    for line in text.lines() {
        let Some(path) = line.splitn(3, ':').nth(2) else { continue };
        let found = of_path(path);
        // Why: On a hybrid machine the v2 line may say `/` while a v1 line names the container,
        // and the first unit is as good as the next.
        if best.container_id.is_none() && found.container_id.is_some() {
            best = found;
        } else if best.container_id.is_none() {
            best.unit = best.unit.or(found.unit);
            best.pod_uid = best.pod_uid.or(found.pod_uid);
        }
    }
    best
}

/// Reads one path.
pub(super) fn of_path(path: &str) -> Cgroup {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let pod_uid = parts.iter().rev().find_map(|part| pod_uid(part));
    for (i, part) in parts.iter().enumerate().rev() {
        let Some((id, word)) = container(part) else { continue };
        let above = i.checked_sub(1).and_then(|i| parts.get(i)).copied();
        let word = word.or(above.filter(|above| matches!(*above, "docker" | "libpod" | "lxc")));
        return Cgroup {
            container_id: Some(id.to_ascii_lowercase()),
            runtime: word.map(|word| clean(word, RUNTIME_MAX)),
            pod_uid,
            unit: None,
        };
    }
    let ends = |end: &'static str| parts.iter().rev().find(move |part| part.ends_with(end));
    let unit = ends(".service").or_else(|| ends(".scope")).or_else(|| ends(".socket"));
    Cgroup { unit: unit.map(|unit| clean(unit, UNIT_MAX)), pod_uid, ..Cgroup::default() }
}

/// Id and runtime's word of one level of a path.
fn container(part: &str) -> Option<(&str, Option<&str>)> {
    let name = part.strip_suffix(".scope").unwrap_or(part);
    let (word, id) = match name.rfind(['-', ':']) {
        Some(at) => (name.get(..at), name.get(at + 1..)?),
        None => (None, name),
    };
    let is_id = id.len() == 64 && id.bytes().all(|octet| octet.is_ascii_hexdigit());
    // `kubepods-…-pod<uid>.slice:cri-containerd` names the pod before the runtime.
    let word = word.and_then(|word| word.rsplit(':').next()).filter(|word| !word.is_empty());
    // Why: A monitor's group (`libpod-conmon-<id>.scope`) is not the container that it watches.
    (is_id && !word.is_some_and(|word| word.ends_with("conmon"))).then_some((id, word))
}

/// The uid after `pod` in one level: 32 digits, with `-`, with `_`, or with neither.
fn pod_uid(part: &str) -> Option<[u8; 16]> {
    // Why: `pod` begins the level or a part of it; in `libpod-<id>` it does neither.
    let at = match part.rfind("-pod") {
        Some(at) => at + 4,
        None => part.starts_with("pod").then_some(3)?,
    };
    let mut digits = part.get(at..)?.bytes().filter(|octet| !matches!(octet, b'-' | b'_'));
    let mut uid = [0u8; 16];
    for octet in &mut uid {
        *octet = hex(digits.next()?)? << 4 | hex(digits.next()?)?;
    }
    Some(uid)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const UID: [u8; 16] = [
        0x2b, 0x8e, 0x5c, 0x1a, 0x77, 0xd0, 0x4f, 0x3e, 0x9a, 0x10, 0x5b, 0x2c, 0x3d, 0x4e, 0x5f,
        0x60,
    ];
    const DASHES: &str = "2b8e5c1a-77d0-4f3e-9a10-5b2c3d4e5f60";
    const LOWS: &str = "2b8e5c1a_77d0_4f3e_9a10_5b2c3d4e5f60";

    #[test]
    fn every_shape_of_path_is_read() {
        let slice = format!("kubepods-burstable-pod{LOWS}.slice");
        for (path, runtime, pod) in [
            (format!("/kubepods/burstable/pod{DASHES}/{ID}"), None, true),
            (format!("/kubepods/pod2b8e5c1a77d04f3e9a105b2c3d4e5f60/{ID}"), None, true),
            (
                format!("/kubepods.slice/{slice}/cri-containerd-{ID}.scope"),
                Some("cri-containerd"),
                true,
            ),
            (format!("/kubepods.slice/{slice}/crio-{ID}.scope"), Some("crio"), true),
            (format!("/kubepods.slice/{slice}/crio-{ID}.scope/container"), Some("crio"), true),
            (format!("/kubepods.slice/{slice}/docker-{ID}.scope"), Some("docker"), true),
            (format!("/system.slice/{slice}:cri-containerd:{ID}"), Some("cri-containerd"), true),
            (format!("/docker/{ID}"), Some("docker"), false),
            (format!("/system.slice/docker-{ID}.scope"), Some("docker"), false),
            (format!("/machine.slice/libpod-{ID}.scope/container"), Some("libpod"), false),
            (format!("/ecs/0f/{ID}"), None, false),
        ] {
            let found = identify(&format!("0::{path}\n"));
            assert_eq!(found.container_id.as_deref(), Some(ID), "{path}");
            assert_eq!(found.runtime.as_deref(), runtime, "{path}");
            assert_eq!(found.pod_uid, pod.then_some(UID), "{path}");
            assert_eq!(found.unit, None, "{path}");
        }
    }

    #[test]
    fn outside_of_containers_the_unit_is_told() {
        let unit = |text: &str| identify(text).unit;
        assert_eq!(unit("0::/system.slice/sshd.service\n").as_deref(), Some("sshd.service"));
        let user = "0::/user.slice/user-7.slice/user@7.service/app.slice/web.service\n";
        assert_eq!(unit(user).as_deref(), Some("web.service"));
        assert_eq!(
            unit("0::/user.slice/user-7.slice/session-3.scope\n").as_deref(),
            Some("session-3.scope")
        );
        assert_eq!(identify("0::/\n"), Cgroup::default());
        let monitor = format!("0::/machine.slice/libpod-conmon-{ID}.scope\n");
        assert_eq!(identify(&monitor).container_id, None);
    }

    #[test]
    fn a_hybrid_machine_names_the_container_in_an_older_hierarchy() {
        let text = format!("12:pids:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/\n");
        assert_eq!(identify(&text).container_id.as_deref(), Some(ID));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail(text in "(0::)?[a-f0-9:/._pod\n-]{0,160}|\\PC{0,60}") {
            identify(&text);
        }
    }
}
